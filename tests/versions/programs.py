"""Programs of two ages side by side: everything between them is bytes.

`NOW` is the present program, `V1` the frozen one. A `Host` and a `Gateway` are driven by a `World` that carries
frames between them, moves the rooms from host to host, and kills hosts; it holds no object of a program's own
across a border between two programs.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import msgspec

ROOMS = ("hall", "arena")
ANN, BOB = "g.1.1", "g.1.2"
SEED, ENTROPY = bytes(16), bytes(range(32))
STEP_US = 1_000
BODY_BYTES_MAX = 1 << 20


class Side:
    """One program, by its modules."""

    def __init__(self, name: str, root: str, build: tuple[str, ...] = ()) -> None:
        self.name, self.root, self.build = name, root, build
        self.messages, self.gateway, self.host = (self.module(f"link.{it}") for it in ("messages", "gateway", "host"))
        self.machine, self.record, self.tables = (self.module(f"room.{it}") for it in ("machine", "record", "tables"))
        self.body, self.header, self.seal = (self.module(f"snapshot.{it}") for it in ("body", "header", "seal"))
        self.segments, self.errors = self.module("store.segments"), self.module("errors")
        self.keys = self.module("snapshot.keys").KeyRing.generate(ENTROPY)

    def module(self, name: str) -> ModuleType:
        """One of its modules."""
        return import_module(f"{self.root}.{name}")

    def __repr__(self) -> str:
        return self.name


V1 = Side("v1", "tests.frozen.v1")
NOW = Side("now", "perdure", build=("7",))


class Talk:
    """The game, for one program: what is said is heard by all in the room and kept in a row.

    Lines: ``go ROOM``, ``end``, ``ring`` (a timer, due at once), ``ask``, ``mail ROOM``, ``forget`` (a row goes),
    ``fault``. Everybody is told their own lines first.
    """

    game, generation, versions = "talk", "1", {"talk": 1}

    def __init__(self, side: Side) -> None:
        self.r: Any = side.record
        self.lifecycle = side.module("room.program").Lifecycle()
        fields: list[Any] = [("said", list[str], msgspec.field(default_factory=list))]
        self.spec = side.tables.TableSpec("talk.lines", msgspec.defstruct("Lines", fields, bases=(side.tables.Row,)))
        self.tables = {"talk.lines": self.spec}

    def bind(self, room: str, tables: Any) -> Talking:
        """See `Program`."""
        return Talking(self, tables["talk.lines"])


class Talking:
    """The game, bound to one room."""

    blamed: Any = None

    def __init__(self, talk: Talk, rows: Any) -> None:
        self.talk, self.rows = talk, rows

    def call(self, callback: Any, cause: Any) -> None:
        match type(cause).__name__:
            case "Event" if hasattr(cause.body, "line"):
                self._line(callback, cause.session, cause.body.line)
            case "Event":
                self._tell(callback, f"* {cause.session} {type(cause.body).__name__} at {callback.c}")
            case "Answered":
                self._tell(callback, f"* answer to {callback.request.args!r}: {cause.body!r}")
            case "Mailed":
                self._tell(callback, f"* mail {cause.number} from {cause.source}: {cause.body!r}")
            case name:
                self._tell(callback, f"* {name}")

    def _line(self, callback: Any, session: str, line: str) -> None:
        r = self.talk.r
        self._tell(callback, f"{session}: {line}")
        self.rows.setdefault(session, self.talk.spec.row()).said.append(line)
        verb, _, rest = line.partition("#")[0].partition(" ")
        match verb:
            case "go":
                callback.output([session], r.Go(rest, -1))
            case "end":
                callback.output([session], r.End("as you wish"))
            case "ring":
                callback.set_timer(callback.now_us, "bell", every_us=0)
            case "ask":
                callback.ask(r.Request("talk:think", b"\x01", "then", b"\x90", 1_000_000, True))
            case "mail":
                callback.effect(f"room:{rest}", msgspec.msgpack.encode(line))
            case "forget":
                del self.rows[session]
            case "fault":
                raise RuntimeError(line)

    def _tell(self, callback: Any, text: str) -> None:
        callback.output(list(callback.seats), self.talk.r.Text(text))

    def handles(self, handler: str) -> bool:
        return True

    def let_go(self) -> None:
        pass

    def wants_start(self) -> bool:
        return False

    def explain(self, cause: Any, error: BaseException) -> str:
        return f"{cause.session}: {error}"


class Host:
    """A host of one program: rooms, their ends of the link, a journal in memory, and their bases.

    Attributes:
        journal: The bytes of its only segment.
        bases: Room -> its sealed snapshot.
    """

    def __init__(self, side: Side, name: str) -> None:
        self.side, self.name, self.clock_us = side, name, 0
        self.talk = Talk(side)
        self.ends: dict[str, Any] = {}
        self.gateway: tuple[str, int] | None = None
        self.bases: dict[str, bytes] = {}
        head = side.segments.SegmentHead(side.segments.SEGMENT_FORMAT, name, "boot", 1, 0)
        self.journal = bytearray(side.segments.encode_head(head))
        self.said: list[Any] = []
        self.reader = side.messages.FrameReader()

    def hello(self) -> None:
        """The link is there."""
        m = self.side.messages
        self.said.append(m.HostHello(m.VERSION_LOWEST, m.VERSION, self.name, *self.side.build))

    def open(self, room: Any) -> None:
        """Run this room, and announce it."""
        room.check()
        end = self.ends[room.id] = self.side.host.HostEnd(room, lambda _, message: self.said.append(message))
        self.base(room)
        if self.gateway:
            self._run(end, end.gateway_up(*self.gateway, "link"))

    def new(self, id: str) -> None:
        """A room that nobody had before."""
        self.open(self.side.machine.Room.new(id, self.talk, seed=SEED, clock_us=0, rooms=frozenset(ROOMS)))

    def base(self, room: Any) -> None:
        """Store the room as it is now."""
        header = self.side.header.Header(
            game="talk", room=room.id, epoch=room.epoch, c=room.c, branch=room.branch, state_hash=room.state_hash(),
            **({"written_by": "Perdure, build 7"} if self.side.build else {}),
        )  # fmt: skip
        self.bases[room.id] = self.side.seal.seal(header, self.side.body.sections(room.capture()), self.side.keys)

    def received(self, data: bytes) -> None:
        """The gateway said this."""
        m = self.side.messages
        for message in self.reader.feed(data):
            if isinstance(message, m.GatewayHello):
                m.agreed_version(message.lowest, message.highest)
                self.gateway = (message.gateway, message.epoch)
                for end in list(self.ends.values()):
                    self._run(end, end.gateway_up(*self.gateway, "link"))
                continue
            end = self.ends.get(message.room)
            if end is None:
                continue
            if isinstance(message, m.EventSent):
                self._run(end, end.event("link", message))
            elif isinstance(message, m.OutAck):
                end.outack(message)
            else:
                self._run(end, end.gone(message))

    def frames(self) -> bytes:
        """What it has to say."""
        said, self.said = self.said, []
        return bytes(self.side.messages.encode_frames(said)) if said else b""

    def takes(self, base: bytes, journal: bytes) -> tuple[int, str]:
        """Take a room from what another program stored and wrote; returns its callback and its hash before it runs."""
        s = self.side
        opened = s.seal.open_sealed(base, s.keys, body_bytes_max=BODY_BYTES_MAX, game="talk")
        header = opened.header
        room = s.machine.Room.restore(
            s.body.read_body(opened.body), header.room, self.talk,
            c=header.c, epoch=header.epoch, branch=header.branch, rooms=frozenset(ROOMS),
        )  # fmt: skip
        assert room.state_hash() == header.state_hash
        assert s.segments.decode_head(journal) is not None
        for found in s.segments.walk(journal):
            assert isinstance(found, s.segments.Good)
            record = s.record.decode_record(found.payload)
            if record.room == room.id and record.c > room.c:
                room.replay(record, found.payload)
        before = room.c, room.state_hash()
        room.epoch += 1
        self.open(room)
        return before

    def _run(self, end: Any, causes: list[Any]) -> None:
        for cause in causes:
            self._run_one(end, cause)

    def _run_one(self, end: Any, cause: Any) -> None:
        s, room = self.side, end.room
        self.clock_us += STEP_US
        ran = room.run(cause, self.clock_us)
        self.journal += s.segments.frame(
            s.segments.crc32c(room.id.encode()), ran.data or s.record.encode_record(ran.record)
        )
        end.ran(ran)
        end.durable()
        while room.next_due and room.next_due[0] <= self.clock_us:
            self._run_one(end, s.record.TimerFired(room.next_due[1]))
        for id, _ in ran.record.requests:
            self._run_one(end, s.record.Answered(id, "ok", b"\xc3"))
        for service, number, body in ran.effects:
            self._post(room, service, number, body)

    def _post(self, room: Any, service: str, number: int, body: bytes) -> None:
        target = self.ends[service.removeprefix("room:")]
        if number > target.room.mail_seen.get(room.id, 0):
            self._run_one(target, self.side.record.Mailed(room.id, number, body))
        room.acknowledge_effect(service, number)


class World:
    """One gateway, one serving host at a time, and the wires between them.

    Args:
        gateway: The gateway's program; it stays.
        hosts: The hosts' programs, in the order in which they serve; after the last comes the first again.

    Attributes:
        seen: What came of it, as values that are equal whatever the programs.
        typed: Session -> the lines that its player got to say.
    """

    def __init__(self, gateway: Side, hosts: tuple[Side, ...]) -> None:
        self.side, self.hosts, self.moves = gateway, hosts, 0
        self.seen: list[object] = []
        self.typed: dict[str, list[str]] = {ANN: [], BOB: []}
        self.out: dict[str, list[Any]] = {}
        self.end: Any = gateway.gateway.GatewayEnd(
            "g", 1, fallback="hall",
            send=lambda link, message: self.out.setdefault(link, []).append(message),
            show=self._show,
            notify=lambda session, text: self.seen.append(("told", session, text)),
            over=lambda session, reason: self.seen.append(("over", session, reason)),
        )  # fmt: skip
        self.host = Host(hosts[0], "host-0")
        for room in ROOMS:
            self.host.new(room)
        self.connect()
        r = gateway.record
        for session, name in ((ANN, "Ann"), (BOB, "Bob")):
            self.end.enter(session, "hall", r.Join(r.Who(session, name), 100, 40))

    def _show(self, session: str, j: int, m: int, shown: Any) -> None:
        text = shown if isinstance(shown, str) else shown.text  # before prompts, only the text was handed on
        self.seen.append((session, j, m, text))
        self.end.shown(session, j, m)

    def connect(self) -> None:
        """The serving host's link comes up, or comes up again: what was on the way is lost."""
        if self.host.name in self.out:
            self.end.lost(self.host.name)
        self.out[self.host.name], self.host.said = [], []
        self.host.reader, self.reader = self.host.side.messages.FrameReader(), self.side.messages.FrameReader()
        for end in self.host.ends.values():
            end.gateway_lost("link")
        self.end.connected(self.host.name)
        self.host.hello()

    def pump(self, turns: int = 1_000) -> bool:
        """Carry what both sides say, in turns; returns whether nothing is left to be said."""
        for _ in range(turns):
            messages, self.out[self.host.name] = self.out.get(self.host.name, []), []
            if messages:
                self.host.received(self.side.messages.encode_frames(messages))
            frames = self.host.frames()
            if not messages and not frames:
                return True
            for message in self.reader.feed(frames):
                self.end.receive(self.host.name, message)
        return False

    def types(self, session: str, line: str) -> None:
        """A player types a line, if the player is still there."""
        if session in self.end.sessions:
            self.end.submit(session, self.side.record.Input(line))
            self.typed[session].append(line)

    def resizes(self, session: str) -> None:
        """A player's window changes."""
        if session in self.end.sessions:
            self.end.submit(session, self.side.record.Resize(132, 50))

    def move(self, *, crash: bool = False) -> None:
        """All rooms go to the next program.

        Args:
            crash: The old host dies: what it was about to say is lost, and its journal and bases are all there is.
        """
        old, self.moves = self.host, self.moves + 1
        if not crash:
            for message in self.reader.feed(old.frames()):
                self.end.receive(old.name, message)
        self.end.lost(old.name)
        new = self.host = Host(self.hosts[self.moves % len(self.hosts)], f"host-{self.moves}")
        new.clock_us = old.clock_us
        self.connect()
        for id, end in old.ends.items():
            was = end.room.c, end.room.state_hash()
            assert new.takes(old.bases[id], bytes(old.journal)) == was
            self.seen.append((id, *was))

    def settled(self) -> list[object]:
        """Everything seen, once nothing is on the way any more, and what is left in the rooms."""
        assert self.pump()
        for session, presence in self.end.sessions.items():
            assert presence.tail == [], f"{session} waits"
        for id, end in self.host.ends.items():
            room = end.room
            assert all(seat.outbox == [] for seat in room.seats.values())
            seats = sorted((session, seat.j, seat.applied, seat.next_m) for session, seat in room.seats.items())
            self.seen.append((id, room.c, room.epoch, room.state_hash(), seats))
        return self.seen

    def heard(self, session: str) -> list[str]:
        """A player's own lines, as the player heard them."""
        own = f"{session}: "
        lines = [it[3] for it in self.seen if isinstance(it, tuple) and len(it) == 4 and it[0] == session]
        return [line.removeprefix(own).rstrip("\n") for line in lines if line.startswith(own)]
