"""The gateway: players' connections on one side, hosts' links on the other, sessions between them.

Everything runs on one event loop in turns: what arrives is handled at once, what it causes is collected,
and at the end of the turn each client gets one write and each link one frame. A text counts as shown, and
is acknowledged, when the client has it: when the socket has taken it, or, where the client acknowledges, when it
says so. Until then the room's outbox holds it too, and that bounds what a slow reader can cost.

While playing, every line goes to the game, but for the line `quit`, which is the gateway's (it submits the
Leave and closes when the room has taken it), and `set` with one of the gateway's settings. A dropped player is
link-dead for a while and comes back by logging in, or by the token of their page; a guest without one, who could
not, leaves at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from perdure.config import Config
from perdure.errors import ContractError, ProtocolError
from perdure.faults import no_fault
from perdure.gateway import settings
from perdure.gateway.client import BUFFER_BYTES_MAX, Client
from perdure.gateway.desk import Desk, Hasher
from perdure.gateway.door import Door, Kind
from perdure.gateway.host_link import HostLink
from perdure.gateway.intake import IN_FLIGHT_MAX, Intake
from perdure.gateway.limits import Limits
from perdure.gateway.players import Players
from perdure.gateway.reception import Reception
from perdure.gateway.sessions import Session
from perdure.gateway.status import variables
from perdure.gateway.telnet.wire import TelnetWire
from perdure.gateway.terminal.text import clean_line
from perdure.gateway.turn import Turn, fill
from perdure.gateway.watch import Watch
from perdure.gateway.web.site import Site
from perdure.gateway.web.tokens import Tokens
from perdure.gateway.web.wire import WebWire
from perdure.gateway.wire import (
    LINE_BYTES_MAX,
    Acked,
    Bye,
    ClientEvent,
    Confirmed,
    Credentials,
    EncodingFellBack,
    Ended,
    Held,
    Interrupt,
    Line,
    LineTooLong,
    Misnumbered,
    Opened,
    PackagesWanted,
    SettingsWanted,
    Stopping,
    ToldMore,
    Took,
    Wire,
)
from perdure.link.gateway import GatewayEnd, Link, Presence
from perdure.link.messages import Ack, Message
from perdure.ports import Accounts, FaultPoint
from perdure.room.record import Input, Text

STOPPING = "The server is stopping.\n"
STOPPING_SAVED = "The server is stopping. Your character is saved.\n"
STOPPING_LOGIN = "\nThe server is stopping. Come back later.\n"
TOO_LONG = f"That line was longer than {LINE_BYTES_MAX} bytes, so nothing of it was taken.\n"
FELL_BACK = (
    "Your client sent letters that are not UTF-8, so they are read, and sent to you, as Latin-1 from here. "
    "If it has UTF-8: set encoding utf-8\n"
)
TOO_MANY = f"\nMore than {IN_FLIGHT_MAX} lines came at once, and not all of them were taken. Connect again to go on.\n"
BROKEN = "\nSomething went wrong in the server, and this connection is closed. Connect again to go on.\n"

log = structlog.get_logger()


class Gateway:
    """All players of one gateway process.

    Args:
        config: Of the project.
        accounts, hasher: Called on a thread of their own.
        loop: The running loop.
        listeners: Listening telnet sockets; the gateway owns them.
        web: Listening sockets for the web; likewise.
        link: The listening unix socket to which hosts connect; the gateway owns it.
        name, epoch: Begin each session's id; the epoch rises with every start.
        emit: Called with each event for the server's event log.
        fault: Called at this package's fault points.
        limits: Deadlines and counts; by default what the project's configuration says.
        began_s: When the server began, in Unix time; by default now.

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
        web: Sequence[socket.socket] = (),
        link: socket.socket,
        name: str = "gateway",
        epoch: int = 1,
        emit: Callable[[dict[str, Any]], None] = lambda _event: None,
        fault: FaultPoint = no_fault,
        limits: Limits | None = None,
        began_s: float | None = None,
    ) -> None:
        self._config, self._loop, self._emit, self._fault = config, loop, emit, fault
        self._limits = limits or Limits.of(config)
        self._link_listener = link
        self._began_s = time.time() if began_s is None else began_s
        self._desk = Desk(loop, accounts, hasher, self._limits)
        self._ports = [sock.getsockname()[1] for sock in listeners]
        doors: list[tuple[Kind, socket.socket]] = [("telnet", sock) for sock in listeners]
        doors += [("web", sock) for sock in web]
        self._door = Door(loop, doors, self._limits, self._admit)
        self._intake = Intake(loop, self._limits, self)
        self._site, self._tokens = Site.read(), Tokens(secrets.token_bytes)
        self._end = GatewayEnd(
            name,
            epoch,
            fallback=config.login.room,
            send=_send,
            show=self._show,
            notify=self._notify,
            over=lambda session, reason: self._players.over(session, reason),  # noqa: PLW0108  (they are made next)
        )
        self._turn = Turn(loop, self._flush_client)
        self._players = Players(
            config,
            self._limits,
            loop,
            self._end,
            self._turn,
            self._desk,
            self._tokens,
            may_go_on=self._intake.pump,
            lost=self._lost_by_us,
        )
        self._reception = Reception(
            config,
            self._limits,
            loop,
            self._desk,
            self._players,
            prefix=f"{name}.{epoch}.",
            banner=self._banner,
            status=self._status,
            may_go_on=self._intake.pump,
        )
        self.sessions, self.clients = self._players.sessions, self._players.clients
        self.links: set[HostLink] = set()
        self.busy_s = 0.0
        self._unopened: dict[Client, asyncio.TimerHandle] = {}
        self._watch: Watch | None = None
        self._build = ""

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
        for client in self.clients:
            client.note(Stopping())
        sessions = [session for session in self.sessions.values() if session.who is not None]
        for session in list(self.sessions.values()):
            if session.stage in ("playing", "link-dead"):
                self._lost_by_us(session)
                self._players.leave(session, "stop", farewell=STOPPING if session.guest else STOPPING_SAVED)
            elif session.client is not None and session.who is None:
                self._players.dismiss(session.client, STOPPING_LOGIN)
        await self._until(lambda: not self._end.sessions)
        undrained = len(self._end.sessions)
        for client in list(self.clients):
            self._players.dismiss(client)
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
        self._turn.end()
        for session in self.sessions.values():
            session.set_deadline(None)
            session.client = None
        for client in list(self.clients):
            client.drop()
        for link in list(self.links):
            link.close()
        self._turn.cancel()
        self._desk.close()

    # --- for control ---

    def presence(self, session: Session) -> Presence | None:
        """The session's current seat; None before it has one."""
        return self._end.sessions.get(session.id)

    @property
    def players(self) -> int:
        """How many sessions have a player, here or link-dead."""
        return len(self._players.playing)

    def build(self, room: str) -> str:
        """The build of the host that runs the room; "" while nobody does."""
        return self._end.build(room)

    def watch(self) -> int:
        """Watch from here on what a movement costs the players. Returns how many there are."""
        players = [session.id for session in self._players.playing.values()]
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

    async def disabled(self, account: str) -> int:
        """An account was disabled: end what its player does here. Returns how many sessions that were."""
        await self._desk.settled()  # who was looked up before that is let in now, and then found here
        return self._players.disabled(account)

    def say(self, session: Session, text: str) -> None:
        """Show a player a text outside the numbering of any seat."""
        self._players.say(session, text)

    # --- connections ---

    def _admit(self, sock: socket.socket, address: str, kind: Kind, trusted: bool) -> None:
        """Serve a connection. OSError: it is gone already, and nothing of it is kept."""
        self._fault("gateway:accepted")
        wire: Wire = TelnetWire(self._status) if kind == "telnet" else self._web_wire(trusted)
        client = Client(sock, address, wire, self._loop, self)
        client.start()
        self.clients[client] = None
        self._unopened[client] = self._loop.call_later(self._limits.request_s, client.drop)
        self._intake.pump(client)
        self._turn.client(client)

    def _web_wire(self, trusted: bool) -> Wire:
        config = self._config
        return WebWire(
            self._site,
            config.server.name,
            origins=config.web.origins,
            trusted=trusted,
            proxies=self._door.proxies,
        )

    def _status(self) -> dict[str, str | list[str]]:
        players = len(self._players.playing)
        return variables(self._config, players=players, began_s=self._began_s, ports=self._ports)

    def _opened(self, client: Client, opened: Opened) -> None:
        """There is somebody: go on with their session, or greet them."""
        self._unopened.pop(client).cancel()
        reason = ""
        if isinstance(client.wire, WebWire):
            wire = client.wire
            client.address, reason = self._door.plays(
                client.address, opened.forwarded, trusted=wire.trusted, passed_on=wire.passed_on
            )
        if opened.token and self._players.resume(client, opened):
            return  # also where the address is full: their own dead connection may be what fills it
        if reason:
            client.queue(Held(0, 0, 0, Text(f"{reason}\n")))
            client.note(Bye(reason))
            client.close()
        else:
            self._reception.greet(client)

    def _banner(self) -> str:
        """The banner, which may say the build that serves where players enter; while none does, the one that did."""
        self._remember_build()
        return self._config.server.banner.replace("{build}", self._build)

    def _remember_build(self) -> None:
        self._build = self._end.build(self._config.login.room) or self._build

    def received(self, client: Client) -> None:
        """The client sent something."""
        self.busy_s = time.perf_counter()
        self._intake.received(client)
        if client.replies():
            self._turn.client(client)

    def take(self, client: Client, event: ClientEvent) -> None:
        """The client's next event; what one player's line breaks costs that connection, and no other."""
        session = self.clients[client]
        try:
            self._take(client, session, event)
        except Exception as error:  # the edge of the process
            log.error("a player's line broke the gateway", session=session and session.id, exc_info=error)
            if session is not None:
                self._lost_by_us(session)
            self._players.dismiss(client, BROKEN)

    def flooded(self, client: Client) -> None:
        """A client that is not held back by TCP sent too much at once."""
        self._players.dismiss(client, TOO_MANY)

    def written(self, client: Client) -> None:
        """There may be something for the client."""
        self._turn.client(client)

    def writable(self, client: Client) -> None:
        """Send more."""
        self._turn.client(client)

    def shown(self, client: Client, held: Held) -> None:
        """Something has reached the client: acknowledge it."""
        session = self.clients.get(client)
        if session is not None:
            session.shown(held)
            if held.m:
                self._end.shown(session.id, held.j, held.m)

    def lost(self, client: Client) -> None:
        """A connection broke; its session decides what that means."""
        session = self.clients.get(client)
        if session is None:
            return
        log.debug("disconnected", session=session.id, stage=session.stage)
        session.put_back(client.unsent(), client.wire.rest())
        self._players.detach(session, client)

    def said_all(self) -> None:
        """A client that is let go has its last words."""
        self._players.changed.set()

    def closed(self, client: Client) -> None:
        """The descriptor is closed."""
        del self.clients[client]
        if timer := self._unopened.pop(client, None):
            timer.cancel()
        asked = timer is not None and isinstance(client.wire, WebWire)  # for pages, and never came to play
        self._intake.forget(client)
        self._turn.forget(client)
        self._door.left(client.address, asked=asked)
        self._players.changed.set()

    def may_type(self, client: Client) -> bool:
        """Whether something that the client's player typed can be taken now."""
        session = self.clients[client]
        if session is None:
            return True
        if session.stage in ("greeting", "login"):
            return not session.dialogue.waiting and session.dialogue.stage != "done"
        return session.stage != "playing" or not self._end.full(session.id)

    def _take(self, client: Client, session: Session | None, event: ClientEvent) -> None:
        match event:
            case Line(text=text, n=n) if session is not None:  # nearly all that there is
                self._numbered(client, session, text, n)
            case Opened() if session is None:
                self._opened(client, event)
            case Ended(reason=reason):
                if session is None and reason:
                    transport = client.wire.transport
                    log.info("connection refused", address=client.address, transport=transport, reason=reason)
                self._players.cut(client, f"Disconnected: {reason}.\n" if reason else "")
            case _ if session is None:
                pass  # it is being closed: whatever else comes is too late
            case LineTooLong(n=0):
                self._players.say(session, TOO_LONG)
            case LineTooLong(n=n):
                session.taken += n == session.taken + 1  # the client knows why, and goes on with the next
            case Credentials(name=name, password=password):
                self._reception.credentials(session, name, password)
            case ToldMore():
                self._players.resized(session)
            case PackagesWanted(login=login):
                self._players.stand(session, login=login)
            case SettingsWanted(settings=wanted):
                self._players.choose(session, settings.merged(session.settings, wanted))
            case EncodingFellBack():
                self._players.say(session, FELL_BACK)
            case Interrupt() if session.stage == "login":
                self._reception.interrupt(session)
            case Confirmed(n=n):
                self._tokens.confirmed(session.id, n)
            case Interrupt() | Opened() | Acked():
                pass  # nothing can be interrupted here; the others were taken before

    def _numbered(self, client: Client, session: Session, text: str, n: int) -> None:
        """Take a line once, and in order: a client that numbers its lines sends them again after a loss of network."""
        due = session.taken + 1
        if n > due:
            client.note(Misnumbered(n, due))
            return
        if n in (0, due):
            session.taken = n
            self._line(session, clean_line(text, colours=self._config.text.colours_from_players))
        if n:
            client.note(Took(session.taken))

    def _line(self, session: Session, line: str) -> None:
        if session.stage in ("greeting", "login"):
            self._reception.line(session, line)
        elif session.stage == "playing":
            self._played(session, line)

    def _played(self, session: Session, line: str) -> None:
        """A line while playing: the game's, but for the few that are the gateway's."""
        session.awaits = False
        word = line.strip().lower()
        if word == "quit":
            self._quit(session)
            return
        if word.startswith("set") and self._players.set(session, line):
            return
        self._end.submit(session.id, Input(line))
        if self._watch is not None:
            self._watch.submitted(session.id)
        self._fault("gateway:event-appended")

    # --- leaving ---

    def _quit(self, session: Session) -> None:
        self._players.say(session, "Goodbye.\n")
        self._players.leave(session, "quit")

    def _lost_by_us(self, session: Session) -> None:
        """A session or its connection ends, and its player has done nothing to that end."""
        if self._watch is not None and session.who is not None:
            self._watch.lost(session.id)

    # --- text for players ---

    def _show(self, id: str, j: int, m: int, text: Text) -> None:
        self._players.show(self.sessions[id], j, m, text)
        self._fault("gateway:before-show")

    def _notify(self, id: str, text: str) -> None:
        self._players.say(self.sessions[id], f"{text}\n")

    # --- the turn ---

    def _flush_client(self, client: Client) -> None:
        session = self.clients.get(client)
        try:
            self._write(client, session)
        except Exception as error:  # the edge of the process: what can't be shown costs its own connection only
            log.error("a text broke the gateway", session=session and session.id, exc_info=error)
            if session is not None and session.client is client:
                self._lost_by_us(session)
                session.put_back(client.unsent())
                self._players.detach(session, client)
            client.drop()

    def _write(self, client: Client, session: Session | None) -> None:
        if session is not None:
            fill(client, session)
        client.flush()
        if session is None or session.client is not client:
            return
        if session.held and client.buffered:
            fill(client, session)  # the socket takes no more: up to the bound, what follows stands ready
        if self._intake.waits(client) or client.buffered >= BUFFER_BYTES_MAX:
            self._intake.pump(client)
        if session.held:
            if not client.buffered:
                self._turn.client(client)  # the socket takes more than one buffer: go on in the next turn
        elif session.stage == "over":
            self._players.dismiss(client, bye=session.bye)

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
                if type(message) is Ack and (session := self.sessions.get(message.session)) is not None:
                    self._players.answered(session)
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
            self._intake.pump_all()

    def unsent(self, link: HostLink) -> None:
        """The link has something to send this turn."""
        self._turn.link(link)

    def link_over(self, link: HostLink, reason: str) -> None:
        """A host is gone, or was closed for breaking the protocol."""
        self.links.discard(link)
        self._turn.forget(link)
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
                    self._players.changed.clear()
                    await self._players.changed.wait()


def _send(link: Link, message: Message) -> None:
    assert isinstance(link, HostLink)
    link.send(message)
