"""The desk: requests answered one at a time, off the loop."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
import structlog

from perdure import logs
from perdure.errors import StorageError
from perdure.gateway.desk import Desk, Hasher, Keep
from perdure.gateway.limits import Limits
from perdure.gateway.login import Admitted, Answer, Broken, Create, Disabled, Find, Found, Request, Taken, Verify, Wrong
from perdure.gateway.look import Settings
from perdure.gateway.secret import Secret
from perdure.gateway.settings import kept
from perdure.ports import AccountRow
from tests.gateway.world import QUICK, MemoryAccounts


async def answers(desk: Desk, *requests: Request) -> list[Answer]:
    """What the desk answers, in the order of the answers."""
    got: asyncio.Queue[Answer] = asyncio.Queue()
    for request in requests:
        desk.ask(request, "192.0.2.1", got.put_nowait)
    return [await asyncio.wait_for(got.get(), 20) for _ in requests]


@contextmanager
def opened(accounts: MemoryAccounts, hasher: Hasher = QUICK) -> Iterator[Desk]:
    desk = Desk(asyncio.get_running_loop(), accounts, hasher, Limits())
    try:
        yield desk
    finally:
        desk.close()


def test_requests_are_answered_in_order_and_never_two_at_once() -> None:
    """argon2 takes 19 MiB and a core (architecture: one at a time, bounded)."""
    at_once, most = 0, 0
    lock = threading.Lock()

    def slow(password: str) -> str:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.001)
        with lock:
            at_once -= 1
        return password

    async def run() -> list[Answer]:
        with opened(MemoryAccounts(), Hasher(slow, QUICK.verify)) as desk:
            desk.creators.free = 20
            return await answers(desk, *(Create(f"Ada{n}", Secret("x")) for n in range(20)))

    names = [answer.account.name for answer in asyncio.run(run()) if isinstance(answer, Admitted)]
    assert names == [f"Ada{n}" for n in range(20)]
    assert most == 1


def test_a_name_that_was_taken_meanwhile_is_refused_by_the_accounts() -> None:
    """Two who create the same name: one has it, the other is told."""

    async def run() -> list[Answer]:
        with opened(MemoryAccounts()) as desk:
            return await answers(desk, Create("Ada", Secret("one")), Create("ADA", Secret("two")))

    first, second = asyncio.run(run())
    assert isinstance(first, Admitted)
    assert isinstance(second, Taken)
    assert "taken" in second.reason


@pytest.mark.parametrize(
    "error", [StorageError("the disk is full", op="store:accounts"), RuntimeError("password=hunter2x")]
)
def test_accounts_that_break_are_an_answer_and_leak_nothing(error: Exception, tmp_path: Path) -> None:
    """The player is told, the next request is served, and no parameter of an exception is logged (FM-96)."""

    class Breaking(MemoryAccounts):
        def find(self, name: str) -> AccountRow | None:
            if name == "broken":
                raise error
            return super().find(name)

    async def run() -> list[Answer]:
        with opened(Breaking()) as desk:
            return await answers(desk, Verify("broken", Secret("hunter2x")), Find("Cyd"))

    log_file = logs.setup("gateway", tmp_path)
    try:
        assert asyncio.run(run()) == [Broken(), Found(None)]
    finally:
        structlog.reset_defaults()
        log_file.close()
    logged = (tmp_path / "logs" / "gateway.jsonl").read_text()
    assert "hunter2x" not in logged
    assert '"level":"error"' in logged


def test_a_success_clears_the_accounts_failures() -> None:
    """Who remembers their password in time starts anew (FM-82)."""
    accounts = MemoryAccounts()
    accounts.create("Ada", QUICK.hash("right"), "player")

    async def run() -> list[type]:
        with opened(accounts) as desk:
            tries = ["no", "no", "right", "no", "no", "right"]
            return [type(a) for a in await answers(desk, *(Verify("ada", Secret(word)) for word in tries))]

    assert asyncio.run(run()) == [Wrong, Wrong, Admitted, Wrong, Wrong, Admitted]


def test_a_name_that_nobody_could_have_is_told_when_it_is_looked_up() -> None:
    """Before a password is typed for it; a name that exists is found, whatever it looks like (FM-84)."""
    accounts = MemoryAccounts()
    made = accounts.create("Ian", QUICK.hash("right"), "player")
    wanted = ("ian", "lan", "\u0406\u0430n", "Admin", "Guest3", "x", "Bob")

    async def run() -> list[Answer]:
        with opened(accounts) as desk:
            return await answers(desk, *(Find(name) for name in wanted))

    found = asyncio.run(run())
    assert all(isinstance(answer, Found) for answer in found)
    problems = [answer.problem for answer in found if isinstance(answer, Found)]
    assert found[0] == Found(made)
    assert "looks like Ian" in problems[1]
    assert "mixes Cyrillic and Latin" in problems[2]
    assert all("server needs itself" in problem for problem in problems[3:5])
    assert "2 to 20" in problems[5]
    assert problems[6] == ""


def test_why_it_cannot_be_a_name_is_told_without_what_may_be_a_password() -> None:
    """Neither it nor the name that it looks like (FM-96)."""
    accounts = MemoryAccounts()
    accounts.create("Ian", QUICK.hash("right"), "player")

    async def run() -> list[Answer]:
        with opened(accounts) as desk:
            return await answers(desk, *(Find(name, unsaid=True) for name in ("lan", "Admin")))

    assert [answer.problem.partition(".")[0] for answer in asyncio.run(run()) if isinstance(answer, Found)] == [
        "It looks like the name of somebody else",
        "It is a word that the server needs itself, or looks like one",
    ]


@pytest.mark.parametrize("name", ["lan", "Admin", "guest9", "Ad\u0430", "ada bella"])
def test_a_name_that_cannot_be_had_makes_no_account(name: str) -> None:
    """Also when name and password came in one line, unasked (FM-84)."""
    accounts = MemoryAccounts()
    made = accounts.create("Ian", QUICK.hash("right"), "player")

    async def run() -> list[Answer]:
        with opened(accounts) as desk:
            return await answers(desk, Create(name, Secret("secret1")))

    (taken,) = asyncio.run(run())
    assert isinstance(taken, Taken)
    assert "No character was made" in taken.reason
    assert accounts.all() == [made]


def test_settings_are_kept_the_last_of_several_and_before_the_desk_is_closed() -> None:
    """Nobody waits for them, and a stop right after loses none."""
    accounts = MemoryAccounts()
    made = accounts.create("Ada", QUICK.hash("right"), "player")

    async def run() -> None:
        with opened(accounts) as desk:
            accounts.gate.clear()
            desk.ask(Find("ada"), "192.0.2.1", lambda _answer: None)
            for wrap in (40, 50, 60):
                desk.keep(Keep(made.id, Settings(wrap=wrap, screenreader=True)))
            accounts.gate.set()

    asyncio.run(run())
    found = accounts.find("Ada")
    assert found is not None
    assert kept(found.settings) == Settings(wrap=60, screenreader=True)


def test_who_changes_settings_in_a_loop_keeps_nobody_from_logging_in() -> None:
    """As fast as they are written: a login comes between two writes (FM-82)."""

    class Churned(MemoryAccounts):
        """While settings are written they change again, until it is `over`."""

        def __init__(self) -> None:
            super().__init__()
            self.writes, self.found_after = 0, 0
            self.over, self.changed = False, threading.Event()
            self.change: Callable[[], object] = lambda: None

        def set_settings(self, id: str, settings: str) -> None:
            self.writes += 1
            self.changed.clear()
            if self.writes < 200 and not self.over:
                self.change()
                assert self.changed.wait(20)

        def find(self, name: str) -> AccountRow | None:
            self.found_after = self.found_after or self.writes
            return super().find(name)

    accounts = Churned()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        with opened(accounts) as desk:

            def change() -> None:
                desk.keep(Keep("a1", Settings(wrap=40 + accounts.writes)))
                accounts.changed.set()

            accounts.change = lambda: loop.call_soon_threadsafe(change)
            change()
            await answers(desk, Find("ada"))
            accounts.over = True
            accounts.changed.set()

    asyncio.run(run())
    assert accounts.found_after <= 3


def test_many_changes_of_settings_are_written_as_few() -> None:
    """While one is written the last of the others waits, and no more of them (FM-17)."""

    class Counted(MemoryAccounts):
        writes: ClassVar[list[str]] = []

        def set_settings(self, id: str, settings: str) -> None:
            self.writes.append(settings)

    accounts = Counted()

    async def run() -> None:
        with opened(accounts) as desk:
            accounts.gate.clear()
            desk.ask(Find("ada"), "192.0.2.1", lambda _answer: None)
            for wrap in range(20, 420):
                desk.keep(Keep("a1", Settings(wrap=wrap)))
            accounts.gate.set()

    asyncio.run(run())
    assert len(accounts.writes) <= 2
    assert kept(accounts.writes[-1]) == Settings(wrap=419)


def test_settings_that_cannot_be_kept_are_logged_and_the_desk_goes_on(tmp_path: Path) -> None:
    """A full disk costs a choice, not the logins (FM-75)."""

    class Full(MemoryAccounts):
        def set_settings(self, id: str, settings: str) -> None:
            raise StorageError("the disk is full", op="store:accounts-update")

    async def run() -> list[Answer]:
        with opened(Full()) as desk:
            desk.keep(Keep("a1", Settings(pager=False)))
            return await answers(desk, Find("Cyd"))

    log_file = logs.setup("gateway", tmp_path)
    try:
        assert asyncio.run(run()) == [Found(None)]
    finally:
        structlog.reset_defaults()
        log_file.close()
    logged = (tmp_path / "logs" / "gateway.jsonl").read_text()
    assert "settings not kept" in logged
    assert "the disk is full" in logged


def test_an_account_that_is_disabled_while_its_password_is_checked_is_refused() -> None:
    """The check takes a while, and whoever disables an account ends only the logins that are done by then."""
    accounts = MemoryAccounts()
    accounts.create("Ada", QUICK.hash("secret1"), "player")

    def disables(hash: str, password: str) -> bool:
        accounts.set_disabled("Ada", True)
        return QUICK.verify(hash, password)

    async def run() -> list[Answer]:
        with opened(accounts, Hasher(QUICK.hash, disables)) as desk:
            return await answers(desk, Verify("Ada", Secret("secret1")))

    assert asyncio.run(run()) == [Disabled()]
