"""The gateway: players' connections on one side, hosts' links on the other, sessions between them.

Everything runs on one event loop in turns: what arrives is handled at once, what it causes is collected,
and at the end of the turn each client gets one write and each link one frame. A text counts as shown, and
is acknowledged, when the socket has taken it; until then the room's outbox holds it too, and that bounds
what a slow reader can cost. A client whose tail is full, or whose login is being checked, is read no further
than what is kept of it: one read of typed-ahead lines.

While playing, every line goes to the game, but for the line `quit`, which is the gateway's: it submits the
Leave and closes when the room has taken it. A dropped player is link-dead for a while and comes back by
logging in; a guest, who could not, leaves at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from perdure.config import Config
from perdure.errors import ContractError, ProtocolError
from perdure.faults import no_fault
from perdure.gateway.client import BUFFER_BYTES_MAX, Client, Held
from perdure.gateway.desk import Desk, Hasher
from perdure.gateway.door import Door, Limits
from perdure.gateway.host_link import HostLink
from perdure.gateway.login import (
    Action,
    Answer,
    Create,
    Dialogue,
    Enter,
    Find,
    HideInput,
    ListWho,
    Playing,
    Quit,
    Say,
    Verify,
)
from perdure.gateway.sessions import Session
from perdure.gateway.telnet import (
    LINE_BYTES_MAX,
    Ended,
    Interrupt,
    Line,
    LineTooLong,
    TelnetEvent,
    TerminalType,
    WindowSize,
    encode_text,
)
from perdure.gateway.text import clean_line, clean_text
from perdure.gateway.watch import Watch
from perdure.link.gateway import GatewayEnd, Link, Presence
from perdure.link.messages import Message
from perdure.ports import AccountRow, Accounts, FaultPoint
from perdure.room.record import Input, Join, Resize, Who

HELD_BYTES_MAX = 4 * 1024 * 1024
"""Text that waits for one player, over all their seats; a room's outbox bounds only its own."""

STOPPING = "The server is stopping. Your character is saved.\n"
STOPPING_LOGIN = "\nThe server is stopping. Come back later.\n"
TOO_LONG = f"That line was longer than {LINE_BYTES_MAX} bytes, so nothing of it was taken.\n"
TAKEN_OVER = "\nYour character is now played from another connection. This one is closed.\n"
TOO_LATE = "\nYou took too long to log in. Connect again when you are ready.\n"
TOO_SLOW = "Your connection takes text too slowly. You left the game.\n"
BROKEN = "\nSomething went wrong in the server, and this connection is closed. Connect again to go on.\n"
DEFERRED = "Your last visit is just ending. One moment, please.\n"

log = structlog.get_logger()


class Gateway:
    """All players of one gateway process.

    Args:
        config: Of the project.
        accounts, hasher: Called on a thread of their own.
        loop: The running loop.
        listeners: Listening telnet sockets; the gateway owns them.
        link: The listening unix socket to which hosts connect; the gateway owns it.
        name, epoch: Begin each session's id; the epoch rises with every start.
        emit: Called with each event for the server's event log.
        fault: Called at this package's fault points.
        limits: Deadlines and counts.

    Attributes:
        sessions: All there are, by id.
        clients: Connections, with their sessions while they have one.
        links: To hosts.
        busy_s: When a client or a host said something last, on `time.perf_counter`.
    """

    def __init__(
        self,
        config: Config,
        accounts: Accounts,
        hasher: Hasher,
        *,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[socket.socket],
        link: socket.socket,
        name: str = "gateway",
        epoch: int = 1,
        emit: Callable[[dict[str, Any]], None] = lambda _event: None,
        fault: FaultPoint = no_fault,
        limits: Limits | None = None,
    ) -> None:
        self._config, self._loop, self._emit, self._fault = config, loop, emit, fault
        self._limits = limits or Limits()
        self._prefix, self._last_number = f"{name}.{epoch}.", 0
        self._link_listener = link
        self._desk = Desk(loop, accounts, hasher)
        self._door = Door(loop, listeners, self._limits, self._admit)
        self._end = GatewayEnd(
            name,
            epoch,
            fallback=config.login.room,
            send=_send,
            show=self._show,
            notify=self._notify,
            over=self._over,
        )
        self.sessions: dict[str, Session] = {}
        self.clients: dict[Client, Session | None] = {}
        self.links: set[HostLink] = set()
        self.busy_s = 0.0
        self._players: dict[str, Session] = {}  # by the stable identity of who plays
        self._deferred: dict[str, tuple[Session, AccountRow]] = {}
        self._paused: set[Client] = set()
        self._dirty: set[Client] = set()
        self._dirty_links: set[HostLink] = set()
        self._turn: asyncio.Handle | None = None
        self._watch: Watch | None = None
        self._build = ""
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Serve: hosts first, then players."""
        self._link_listener.setblocking(False)
        self._loop.add_reader(self._link_listener, self._host_knocks)
        self._door.open()

    async def stop(self) -> dict[str, int]:
        """Say goodbye to everybody and let every room know; at most twice `goodbye_s`, then close regardless.

        Returns:
            sessions: how many there were; undrained: how many of their rooms did not answer in time.
        """
        self._door.close()
        sessions = [session for session in self.sessions.values() if session.who is not None]
        for session in list(self.sessions.values()):
            if session.stage in ("playing", "link-dead"):
                self._lost_by_us(session)
                self.say(session, STOPPING)
                self._leave(session, "stop")
            elif session.client is not None and session.who is None:
                self._dismiss(session.client, STOPPING_LOGIN)
        await self._until(lambda: not self._end.sessions)
        undrained = len(self._end.sessions)
        for client in list(self.clients):
            self._dismiss(client)
        await self._until(lambda: all(client.told for client in self.clients))
        self.abort()
        log.info("stopped", sessions=len(sessions), undrained=undrained)
        return {"sessions": len(sessions), "undrained": undrained}

    def abort(self) -> None:
        """Close everything now, without a word."""
        self._door.close()
        if self._link_listener.fileno() >= 0:
            self._loop.remove_reader(self._link_listener)
            self._link_listener.close()
        self._flush()
        for session in self.sessions.values():
            session.set_deadline(None)
            session.client = None
        for client in list(self.clients):
            client.drop()
        for link in list(self.links):
            link.close()
        if self._turn is not None:
            self._turn.cancel()
        self._desk.close()

    # --- for control ---

    def presence(self, session: Session) -> Presence | None:
        """The session's current seat; None before it has one."""
        return self._end.sessions.get(session.id)

    @property
    def players(self) -> int:
        """How many sessions have a player, here or link-dead."""
        return len(self._players)

    def build(self, room: str) -> str:
        """The build of the host that runs the room; "" while nobody does."""
        return self._end.build(room)

    def watch(self) -> int:
        """Watch from here on what a movement costs the players. Returns how many there are."""
        players = [session.id for session in self._players.values()]
        self._watch = Watch(time.perf_counter, players, self._end.sessions)
        return self._watch.sessions

    def watched(self) -> dict[str, Any]:
        """Watch no longer; what was seen.

        Raises:
            ContractError: Nobody watches: this gateway is younger than the movement.
        """
        watch, self._watch = self._watch, None
        if watch is None:
            raise ContractError("nothing is watched here: the gateway was started after the movement began")
        return watch.report(self.sessions)

    # --- connections ---

    def _admit(self, sock: socket.socket, address: str) -> None:
        """Serve a connection. OSError: it is gone already, and nothing of it is kept."""
        self._fault("gateway:accepted")
        client = Client(sock, address, self._loop, self)
        client.start()
        server, guests = self._config.server, self._config.login.guests
        self._last_number += 1
        id = f"{self._prefix}{self._last_number}"
        dialogue = Dialogue(server.name, self._banner(), guests=guests)
        session = Session(id, client, dialogue, self._loop.time())
        self.sessions[id], self.clients[client] = session, session
        log.debug("connected", session=id, address=address)
        self._deadline(session, self._limits.first_line_s, self._too_late)
        self._act(session, session.dialogue.begin())

    def _banner(self) -> str:
        """The banner, which may say the build that serves where players enter; while none does, the one that did."""
        self._remember_build()
        return self._config.server.banner.replace("{build}", self._build)

    def _remember_build(self) -> None:
        self._build = self._end.build(self._config.login.room) or self._build

    def received(self, client: Client) -> None:
        """The client sent something."""
        self.busy_s = time.perf_counter()
        self._pump(client)
        self._soon(client)  # telnet may have replied

    def _pump(self, client: Client) -> None:
        """Handle what the client sent, as far as it may go on; then read on, or not."""
        session = self.clients.get(client)
        while session is not None and client.open and client.pending and self._ready(session):
            try:
                self._take(session, client.pending.popleft())
            except Exception as error:
                # The edge of the process: what one player's line broke costs that connection, and no other.
                log.error("a player's line broke the gateway", session=session.id, exc_info=error)
                self._lost_by_us(session)
                self._dismiss(client, BROKEN)
            session = self.clients.get(client)
        if session is None or not client.open:
            self._paused.discard(client)
            return
        # Who waits is read once more and no further, so that a departure is seen while nothing was typed ahead.
        # Who does not read is not read: replies to what they send would pile up here.
        paused = bool(client.pending) or client.buffered >= BUFFER_BYTES_MAX
        client.read(not paused)
        (self._paused.add if paused else self._paused.discard)(client)

    def writable(self, client: Client) -> None:
        """Send more."""
        self._soon(client)

    def shown(self, client: Client, held: Held) -> None:
        """A numbered text has reached the socket: acknowledge it."""
        session = self.clients.get(client)
        if session is not None:
            self._end.shown(session.id, held.j, held.m)

    def lost(self, client: Client) -> None:
        """A connection broke; its session decides what that means."""
        session = self.clients.get(client)
        if session is None:
            return
        log.debug("disconnected", session=session.id, stage=session.stage)
        session.put_back(client.unsent())
        self._detach(session, client)

    def said_all(self) -> None:
        """A client that is let go has its last words."""
        self._changed.set()

    def closed(self, client: Client) -> None:
        """The descriptor is closed."""
        del self.clients[client]
        self._paused.discard(client)
        self._dirty.discard(client)
        self._door.left(client.address)
        self._changed.set()

    def _ready(self, session: Session) -> bool:
        """Whether the session may take one more event of its client now."""
        if session.stage in ("greeting", "login"):
            return not session.dialogue.waiting and session.dialogue.stage != "done"
        return session.stage != "playing" or not self._end.full(session.id)

    def _take(self, session: Session, event: TelnetEvent) -> None:
        match event:
            case Line(text=text):
                self._line(session, clean_line(text))
            case LineTooLong():
                self.say(session, TOO_LONG)
            case WindowSize(columns=columns, rows=rows) if session.stage == "playing":
                self._end.submit(session.id, Resize(columns, rows))
            case Interrupt() if session.stage == "login":
                self._act(session, session.dialogue.interrupt())
            case Ended(reason=reason):
                assert session.client is not None
                self._dismiss(session.client, f"Disconnected: {reason}.\n")
            case WindowSize() | TerminalType() | Interrupt():
                pass  # the machine remembers sizes and names; nothing can be interrupted here

    def _line(self, session: Session, line: str) -> None:
        if session.stage == "greeting":
            session.happened("line")
            left_s = session.began_s + self._limits.login_s - self._loop.time()
            self._deadline(session, left_s, self._too_late)
        if session.stage == "login":
            self._act(session, session.dialogue.line(line))
        elif session.stage == "playing" and line.strip().lower() == "quit":
            self._quit(session)
        elif session.stage == "playing":
            self._end.submit(session.id, Input(line))
            if self._watch is not None:
                self._watch.submitted(session.id)
            self._fault("gateway:event-appended")

    # --- login ---

    def _act(self, session: Session, actions: list[Action]) -> None:
        for action in actions:
            client = session.client
            assert client is not None, "a dialogue without a client"
            match action:
                case Say(text=text):
                    self.say(session, text)
                case HideInput(hidden=hidden):
                    client.telnet.hide_input(hidden)
                case Find() | Verify() | Create():
                    self._desk.ask(action, client.address, functools.partial(self._answered, session))
                case ListWho():
                    self._answered(session, Playing(self._names()))
                case Enter(account=account):
                    self._enter(session, account)
                case Quit():
                    self._dismiss(client)

    def _answered(self, session: Session, answer: Answer) -> None:
        client = session.client
        if session.stage != "login" or client is None or not client.open:
            return  # they went while they waited
        self._act(session, session.dialogue.answer(answer))
        self._pump(client)

    def _names(self) -> list[str]:
        return sorted(session.who.name for session in self._players.values() if session.who)

    def _enter(self, session: Session, account: AccountRow | None) -> None:
        """The dialogue is over: begin to play, or go on with the account's session."""
        if account is None:
            self._play(session, Who(f"guest:{session.id}", self._guest_name(), "player"))
            return
        older = self._players.get(account.id)
        if older is None:
            self._play(session, Who(account.id, account.name, account.role))
        elif older.stage == "leaving":
            self._defer(session, account)
        else:
            self._take_over(older, session)

    def _play(self, session: Session, who: Who) -> None:
        assert session.client is not None
        session.happened("entered")
        session.set_deadline(None)
        session.who = who
        self._players[who.id] = session
        columns, rows = session.client.size
        self._end.enter(session.id, self._config.login.room, Join(who, columns, rows))
        log.info("entered", session=session.id, account=who.id, name=who.name, address=session.client.address)

    def _guest_name(self) -> str:
        taken = set(self._names())
        return next(name for n in range(1, len(taken) + 2) if (name := f"Guest{n}") not in taken)

    def _defer(self, session: Session, account: AccountRow) -> None:
        """Wait until the account's last session is over, so that a room never sees two of it."""
        self.say(session, DEFERRED)
        waiting, _ = self._deferred.get(account.id, (None, None))
        if waiting is not None and waiting.client is not None:
            self._dismiss(waiting.client, TAKEN_OVER)
        self._deferred[account.id] = session, account

    def _take_over(self, older: Session, newer: Session) -> None:
        """The newer connection goes on with the older session: its seat, tail and outbox stay."""
        client, previous = newer.client, older.client
        assert client is not None
        assert older.who is not None
        self._fill(client, newer)
        newer.happened("handed-over")
        newer.client = None
        self._forget(newer)
        if previous is not None:
            older.put_back(previous.unsent())
            self.clients[previous] = None
            previous.queue(Held(0, 0, _shown_bytes(TAKEN_OVER)))
            previous.close()
        older.happened("taken-over")
        older.set_deadline(None)
        older.client, self.clients[client] = client, older
        log.info("taken over", session=older.id, account=older.who.id, address=client.address)
        client.queue(Held(0, 0, _shown_bytes(f"Welcome back, {older.who.name}.\n")))
        client.burst = True
        self._soon(client)
        join = self._end.sessions[older.id].join
        if client.size != (join.columns, join.rows):
            self._end.submit(older.id, Resize(*client.size))

    # --- leaving ---

    def _quit(self, session: Session) -> None:
        self.say(session, "Goodbye.\n")
        self._leave(session, "quit")

    def _leave(self, session: Session, reason: str) -> None:
        """Tell the room; the client stays for the room's last words, but not for ever."""
        session.happened("left")
        self._end.leave(session.id, reason)
        self._deadline(session, self._limits.goodbye_s, self._enough)
        log.info("leaves", session=session.id, reason=reason)

    def _link_dead(self, session: Session) -> None:
        assert session.who is not None
        if session.who.id.startswith("guest:"):
            self._leave(session, "link-dead")  # nobody can log in to a guest again
        else:
            self._deadline(session, self._config.login.link_dead_s, self._waited)

    def _waited(self, session: Session) -> None:
        self._leave(session, "link-dead")

    def _enough(self, session: Session) -> None:
        if session.client is not None:
            self._dismiss(session.client)

    def _too_late(self, session: Session) -> None:
        if session.client is not None:
            self._dismiss(session.client, TOO_LATE)

    def _over(self, id: str, reason: str) -> None:
        """The room has taken the Leave, or ended the session."""
        session = self.sessions[id]
        if session.stage != "leaving":
            self._lost_by_us(session)
        session.happened("ended")
        if reason:
            self.say(session, f"{reason}\n")
        client = session.client
        self._forget(session)
        if client is not None:
            self._deadline(session, self._limits.goodbye_s, self._enough)
            self._soon(client)
        log.info("over", session=id, reason=reason)

    def _lost_by_us(self, session: Session) -> None:
        """A session or its connection ends, and its player has done nothing to that end."""
        if self._watch is not None and session.who is not None:
            self._watch.lost(session.id)

    def _forget(self, session: Session) -> None:
        """The session is over: nothing refers to it but a client that still gets its last words."""
        session.set_deadline(None)
        del self.sessions[session.id]
        self._changed.set()
        for account, (waiting, _) in list(self._deferred.items()):
            if waiting is session:
                del self._deferred[account]
        if session.who is None or self._players.get(session.who.id) is not session:
            return
        del self._players[session.who.id]
        if found := self._deferred.pop(session.who.id, None):
            self._enter(*found)
            if found[0].client is not None:
                self._pump(found[0].client)

    def _dismiss(self, client: Client, text: str = "") -> None:
        """End a connection after its last words; a session that goes on keeps what was not shown."""
        session = self.clients.get(client)
        if session is not None:
            if text:
                self.say(session, text)
            self._fill(client, session)
            client.flush()
            if session.client is client:  # flushing may have found it lost
                if session.stage not in ("leaving", "over"):
                    session.put_back(client.unsent())
                self._detach(session, client)
        client.close()

    def _detach(self, session: Session, client: Client) -> None:
        """The session is without a connection from here."""
        session.client = None
        self.clients[client] = None
        self._paused.discard(client)
        if session.stage == "over":
            session.set_deadline(None)
            return
        stage = session.happened("dropped")
        if stage == "over":
            self._forget(session)
        elif stage == "link-dead":
            self._link_dead(session)

    # --- text for players ---

    def _show(self, id: str, j: int, m: int, text: str) -> None:
        session = self.sessions[id]
        session.hold(Held(j, m, _shown_bytes(text)))
        if session.client is not None:
            self._soon(session.client)
        self._fault("gateway:before-show")
        if session.held_bytes > HELD_BYTES_MAX and session.stage in ("playing", "link-dead"):
            self._leave(session, "slow")
            self.say(session, TOO_SLOW)

    def _notify(self, id: str, text: str) -> None:
        self.say(self.sessions[id], f"{text}\n")

    def say(self, session: Session, text: str) -> None:
        """Text outside the numbering of any seat."""
        session.hold(Held(0, 0, _shown_bytes(text)))
        if session.client is not None:
            self._soon(session.client)

    def _fill(self, client: Client, session: Session) -> None:
        """Move what is held into the client's buffer, up to its bound; mark the end of a burst."""
        while session.held and client.buffered < BUFFER_BYTES_MAX:
            client.queue(session.take())
            client.burst = True
        if client.burst and not session.held:
            client.telnet.end_burst()
            client.burst = False

    # --- the turn ---

    def _soon(self, client: Client) -> None:
        self._dirty.add(client)
        self._schedule()

    def _schedule(self) -> None:
        if self._turn is None:
            self._turn = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """The end of a turn: one write for each client, one frame for each link."""
        self._turn = None
        dirty, self._dirty = self._dirty, set()
        for client in dirty:
            self._flush_client(client)
        links, self._dirty_links = self._dirty_links, set()
        for link in links:
            link.flush()

    def _flush_client(self, client: Client) -> None:
        session = self.clients.get(client)
        if session is not None:
            self._fill(client, session)
        client.flush()
        if session is None or session.client is not client:
            return
        if client in self._paused or client.buffered >= BUFFER_BYTES_MAX:
            self._pump(client)
        if session.held:
            if not client.buffered:
                self._soon(client)  # the socket takes more than one buffer: go on in the next turn
        elif session.stage == "over":
            self._dismiss(client)

    def _deadline(self, session: Session, after_s: float, then: Callable[[Session], None]) -> None:
        session.set_deadline(self._loop.call_later(after_s, then, session))

    # --- hosts ---

    def _host_knocks(self) -> None:
        try:
            sock, _ = self._link_listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            log.error("cannot accept a host", error=str(error))
            return
        link = HostLink(sock, self._loop, self)
        self.links.add(link)
        link.start()
        self._end.connected(link)

    def arrived(self, link: HostLink, messages: list[Message]) -> None:
        """A host said something; whoever waited for an acknowledgement may go on."""
        self.busy_s = time.perf_counter()
        try:
            for message in messages:
                self._end.receive(link, message)
        except ProtocolError:
            raise
        except Exception as error:
            # The edge of the process: the rest of the frame must not be passed over. What was accepted is held;
            # the host connects again, announces its rooms and sends the rest.
            log.error("a host's message broke the gateway", exc_info=error)
            link.close(f"internal error: {type(error).__name__}")
        finally:
            if self._watch is not None:
                self._watch.settled()
            for client in list(self._paused):
                self._pump(client)

    def unsent(self, link: HostLink) -> None:
        """The link has something to send this turn."""
        self._dirty_links.add(link)
        self._schedule()

    def link_over(self, link: HostLink, reason: str) -> None:
        """A host is gone, or was closed for breaking the protocol."""
        self.links.discard(link)
        self._dirty_links.discard(link)
        self._remember_build()
        self._end.lost(link)
        if reason:
            log.error("link closed", reason=reason)
            self._emit({"kind": "link-refused", "message": reason})

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for the condition, at most `goodbye_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.goodbye_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()


def _send(link: Link, message: Message) -> None:
    assert isinstance(link, HostLink)
    link.send(message)


@functools.lru_cache(maxsize=64)
def _shown_bytes(text: str) -> bytes:
    """Text as it goes to a terminal; a broadcast is cleaned once."""
    return encode_text(clean_text(text))
