"""The desk: answers the login dialogues' requests, one at a time, off the event loop.

One thread talks to the accounts and to argon2 (19 MiB and some 20 ms each, so never two at once); a
bounded queue waits before it. A failed login is booked when its answer is there and the next request
looks at the book only then: guesses made in parallel gain nothing.

What players choose with `set` is kept by the same thread, before whatever waits; of several choices of one account
the last is kept. Rules about names are looked at here, too: their data take a while to load.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from perdure import names
from perdure.errors import ContractError, StorageError
from perdure.gateway.limits import Limits
from perdure.gateway.login import (
    Admitted,
    Answer,
    Broken,
    Busy,
    Create,
    Disabled,
    Find,
    Found,
    Request,
    Taken,
    TryLater,
    Unknown,
    Verify,
    Wrong,
)
from perdure.gateway.look import Settings
from perdure.gateway.secret import Secret
from perdure.gateway.throttle import Throttle
from perdure.ports import Accounts

QUEUE_MAX = 64
"""Requests that may wait: more than a second of argon2."""
NAME_TRIES_FREE = 3
CREATE_DELAY_S_MAX, CREATE_FORGET_S = 3600.0, 86_400.0
"""An address that makes accounts as fast as it may makes some forty on the first day, and 24 on each other one."""
MADE_MANY = "Many characters were made from your address today, and yours was not."

log = structlog.get_logger()


class Hasher(NamedTuple):
    """How passwords are hashed, slowly: `store.passwords`, or something quicker in tests."""

    hash: Callable[[str], str]
    verify: Callable[[str, str], bool]


class Keep(msgspec.Struct, frozen=True):
    """Keep what the player of this account chose; nobody waits for it."""

    account_id: str
    settings: Settings


class Desk:
    """Answers requests in order.

    Args:
        loop: Where answers are given.
        accounts, hasher: Called on the desk's thread only.
        limits: Failed logins and new accounts that an address has free; several players may share one.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        accounts: Accounts,
        hasher: Hasher,
        limits: Limits,
    ) -> None:
        self._loop, self._accounts, self._hasher = loop, accounts, hasher
        self._queue: deque[tuple[Request, str, Callable[[Answer], None]]] = deque()
        self._keeps: dict[str, Settings] = {}  # by account
        self._keeping = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accounts")
        self._working = False
        self.names = Throttle(NAME_TRIES_FREE)
        self.addresses = Throttle(limits.logins_free, limited=limits.limited, addresses=True)
        self.creators = Throttle(
            limits.characters_free,
            limited=limits.limited,
            addresses=True,
            delay_s_max=CREATE_DELAY_S_MAX,
            forget_s=CREATE_FORGET_S,
        )

    def ask(self, request: Request, address: str, answer: Callable[[Answer], None]) -> None:
        """Have `request` answered; `answer` is called later, on the loop."""
        if len(self._queue) >= QUEUE_MAX:
            self._loop.call_soon(answer, Busy())
            return
        self._queue.append((request, address, answer))
        if not self._working:
            self._next()

    def keep(self, keep: Keep) -> None:
        """Have settings kept, soon; what goes wrong is logged."""
        self._keeps[keep.account_id] = keep.settings
        if not self._keeping:
            self._keep_next()

    async def settled(self) -> None:
        """Wait until what is in hand is answered: all that is answered later sees the accounts as they are now."""
        await self._loop.run_in_executor(self._thread, _nothing)

    def close(self) -> None:
        """Answer nothing more; waits for what is in hand and to be kept, a few hundredths of a second."""
        self._queue.clear()
        keeps, self._keeps = self._keeps, {}
        self._thread.shutdown(wait=True)
        for account_id, settings in keeps.items():
            self._keep(account_id, settings)

    def _keep_next(self) -> None:
        """Keep one account's settings; logins come in between, however often somebody changes theirs."""
        self._keeping = bool(self._keeps)
        if self._keeping:
            account_id = next(iter(self._keeps))
            task = self._loop.run_in_executor(self._thread, self._keep, account_id, self._keeps.pop(account_id))
            task.add_done_callback(lambda _: self._keep_next())

    def _next(self) -> None:
        while self._queue:
            request, address, answer = self._queue.popleft()
            wait_s = self._wait_s(request, address)
            if wait_s > 0:
                self._loop.call_soon(answer, _try_later(request, wait_s))
                continue
            self._working = True
            task = self._loop.run_in_executor(self._thread, self._work, request)
            task.add_done_callback(partial(self._done, request, address, answer))
            return
        self._working = False

    def _done(
        self,
        request: Request,
        address: str,
        answer: Callable[[Answer], None],
        done: asyncio.Future[Answer],
    ) -> None:
        if done.cancelled():
            return
        result = done.result()
        self._book(request, address, result)
        self._next()
        answer(result)

    def _wait_s(self, request: Request, address: str) -> float:
        now_s = self._loop.time()
        match request:
            case Verify(name=name):
                return max(self.names.wait_s(names.folded(name), now_s), self.addresses.wait_s(address, now_s))
            case Create():
                return self.creators.wait_s(address, now_s)
            case Find():
                return 0.0

    def _book(self, request: Request, address: str, answer: Answer) -> None:
        if isinstance(request, Create) and isinstance(answer, Admitted):
            self.creators.failed(address, self._loop.time())  # each new account costs its address a try
        if not isinstance(request, Verify):
            return
        name, now_s = names.folded(request.name), self._loop.time()
        match answer:
            case Wrong():
                self.names.failed(name, now_s)
                self.addresses.failed(address, now_s)
                log.warning("login failed", account=request.name, address=address)
            case Unknown():
                # The name is not logged: it may be a password typed at the wrong prompt.
                self.addresses.failed(address, now_s)
            case Admitted() | Disabled():
                # The address is forgiven what this name failed, and no guess at another's: else whoever has an
                # account, and logs in between them, could guess at everybody's as often as they like.
                self.addresses.forgive(address, self.names.succeeded(name))
            case _:
                pass

    # --- on the desk's thread ---

    def _work(self, request: Request) -> Answer:
        try:
            match request:
                case Find(name=name, unsaid=unsaid):
                    return self._find(name, unsaid)
                case Verify(name=name, password=password):
                    return self._verify(name, password)
                case Create(name=name, password=password):
                    return self._create(name, password)
        except StorageError as error:
            log.error("accounts unavailable", error=str(error))
            return Broken()
        except Exception as error:  # noqa: BLE001 - the edge of the thread: the player is told, the desk goes on
            # Only the kind: a foreign exception's text could hold a parameter, and one of these is a password.
            log.error("login broke", error=type(error).__name__)
            return Broken()

    def _keep(self, account_id: str, settings: Settings) -> None:
        try:
            self._accounts.set_settings(account_id, msgspec.json.encode(settings).decode())
        except Exception as error:  # noqa: BLE001 - the edge of the thread: nobody waits, the desk goes on
            log.error("settings not kept", account=account_id, error=str(error))

    def _find(self, name: str, unsaid: bool) -> Found:
        account = self._accounts.find(name)
        return Found(account) if account else Found(None, self._name_problem(name, unsaid=unsaid))

    def _name_problem(self, name: str, *, unsaid: bool = False) -> str:
        """Why no account can be made of this name; "" if one can. `unsaid`: without a word that is like it."""
        if problem := names.problem(name, unsaid=unsaid):
            return problem
        if other := self._accounts.alike(name):
            if unsaid:
                return "It looks like the name of somebody else. Choose another name."
            return f"{name} looks like {other.name}, who is somebody else. Choose another name."
        return ""

    def _verify(self, name: str, password: Secret) -> Answer:
        account = self._accounts.find(name)
        if account is None:
            return Unknown()
        if not self._hasher.verify(self._accounts.password_hash(account.id), password.reveal()):
            return Wrong()
        account = self._accounts.find(name)  # it may have been disabled while the hash was computed
        return Disabled() if account is None or account.disabled else Admitted(account)

    def _create(self, name: str, password: Secret) -> Answer:
        if self._accounts.find(name) is not None:
            return Taken(f"The name {name} is taken. Choose another one, or: connect {name} PASSWORD")
        if problem := self._name_problem(name):
            return Taken(f"{problem} No character was made.")
        try:
            return Admitted(self._accounts.create(name, self._hasher.hash(password.reveal()), "player"))
        except ContractError as error:
            return Taken(str(error))


def _nothing() -> None:
    """What comes after what is in hand."""


def _try_later(request: Request, wait_s: float) -> TryLater:
    return TryLater(wait_s, MADE_MANY) if isinstance(request, Create) else TryLater(wait_s)
