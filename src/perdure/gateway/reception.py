"""The reception: greets who connects, and carries out what their login dialogue wants."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

import msgspec
import structlog

from perdure.config import Config
from perdure.gateway.client import Client
from perdure.gateway.desk import Desk
from perdure.gateway.limits import Limits
from perdure.gateway.login import (
    Action,
    Answer,
    Create,
    Dialogue,
    Enter,
    Find,
    HideInput,
    ListWho,
    LoggedIn,
    Playing,
    Quit,
    Say,
    Set,
    ShowStatus,
    Verify,
)
from perdure.gateway.players import Players
from perdure.gateway.secret import Secret
from perdure.gateway.sessions import Session
from perdure.gateway.status import as_text
from perdure.ports import AccountRow
from perdure.room.record import Text

SETTLE_S = 0.3
"""Counted from connecting: so long a client that negotiates may take to say what it is before its player enters.

Programs log in at once, and the first text that a listener hears should be written for listening.
"""
TOO_LATE = "\nYou took too long to log in. Connect again when you are ready.\n"
NO_PROMPT = Text("", prompt="")

log = structlog.get_logger()


class Reception:
    """All login dialogues of one gateway.

    Args:
        prefix: Of the sessions' ids.
        banner: Called for what is shown first.
        status: Called for the server's MSSP variables.
        may_go_on: Called with a client that waited and whose input can be taken now.
    """

    def __init__(
        self,
        config: Config,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        desk: Desk,
        players: Players,
        *,
        prefix: str,
        banner: Callable[[], str],
        status: Callable[[], dict[str, str | list[str]]],
        may_go_on: Callable[[Client], None],
    ) -> None:
        self._config, self._limits, self._loop = config, limits, loop
        self._desk, self._players = desk, players
        self._prefix, self._last_number = prefix, 0
        self._banner, self._status, self._may_go_on = banner, status, may_go_on

    def greet(self, client: Client) -> None:
        """Begin a session with somebody who has just connected."""
        self._last_number += 1
        id = f"{self._prefix}{self._last_number}"
        dialogue = Dialogue(
            self._config.server.name,
            self._banner(),
            guests=self._config.login.guests,
            screenreader=lambda: session.screenreader,
            columns=lambda: session.told.columns,
        )
        session = Session(id, client, dialogue, self._loop.time())
        self._players.sessions[id], self._players.clients[client] = session, session
        session.dress()
        log.debug("connected", session=id, address=client.address, transport=client.wire.transport)
        self._players.deadline(session, self._limits.first_line_s, self._too_late)
        self._act(session, session.dialogue.begin())

    def line(self, session: Session, line: str) -> None:
        """They typed a line."""
        self._began(session)
        self._act(session, session.dialogue.line(line))

    def credentials(self, session: Session, name: str, password: Secret) -> None:
        """Their program logs in for them."""
        self._began(session)
        self._act(session, session.dialogue.credentials(name, password))

    def interrupt(self, session: Session) -> None:
        """They want out of what they are being asked."""
        self._act(session, session.dialogue.interrupt())

    def _began(self, session: Session) -> None:
        if session.stage == "greeting":
            session.happened("line")
            left_s = session.began_s + self._limits.login_s - self._loop.time()
            self._players.deadline(session, left_s, self._too_late)

    def _act(self, session: Session, actions: list[Action]) -> None:
        for action in actions:
            client = session.client
            assert client is not None, "a dialogue without a client"
            match action:
                case Say(text=text, prompt=prompt):
                    self._players.say(session, text)
                    self._players.hold(session, Text("", prompt=prompt))
                case HideInput(hidden=hidden):
                    client.wire.hide_input(hidden)
                case Find() | Verify() | Create():
                    self._players.hold(session, NO_PROMPT)  # nothing is asked until there is an answer
                    self._desk.ask(action, client.address, functools.partial(self._answered, session))
                case ListWho():
                    self._loop.call_soon(self._answered, session, Playing(self._players.names()))
                case Set(line=line):
                    self._players.set(session, line)
                case ShowStatus():
                    self._players.say(session, as_text(self._status()))
                case LoggedIn(ok=ok, reason=reason):
                    result = msgspec.json.encode({"success": ok, **({"message": reason} if reason else {})})
                    self._players.hold(session, Text("", gmcp=("Char.Login.Result", result)))
                case Enter(account=account):
                    self._enter(session, client, account)
                case Quit(refused=reason):
                    if reason:
                        transport = client.wire.transport
                        log.info("connection refused", address=client.address, transport=transport, reason=reason)
                    self._players.dismiss(client, bye="Goodbye.")

    def _enter(self, session: Session, client: Client, account: AccountRow | None) -> None:
        """Let them in, once it is known what their client is like."""
        session.entering = account.id if account is not None else ""
        left_s = session.began_s + SETTLE_S - self._loop.time()
        if client.wire.settled or left_s <= 0:
            self._players.enter(session, account)
        else:
            self._loop.call_later(left_s, self._entered, session, account)

    def _entered(self, session: Session, account: AccountRow | None) -> None:
        client = session.client
        if session.stage == "login" and client is not None and client.open:
            self._players.enter(session, account)
            self._may_go_on(client)

    def _answered(self, session: Session, answer: Answer) -> None:
        client = session.client
        if session.stage != "login" or client is None or not client.open:
            return  # they went while they waited
        self._act(session, session.dialogue.answer(answer))
        self._may_go_on(client)

    def _too_late(self, session: Session) -> None:
        if session.client is not None:
            self._players.dismiss(session.client, TOO_LATE, bye=TOO_LATE)
