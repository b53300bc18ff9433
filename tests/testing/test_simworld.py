"""The simulated world keeps what the real one promises, and a room in it loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.errors import ClaimLost, StorageError
from perdure.link.gateway import GatewayEnd
from perdure.link.host import HostEnd
from perdure.link.messages import EventSent, GatewayHello, Message, OutAck, SeatGone
from perdure.ports import Blobs, Clock, Journal, Owner, Owners
from perdure.room.machine import Room
from perdure.room.record import Cause, Input, Join, Text, Who, decode_record
from perdure.testing.simworld import SimEnd, SimProcess, SimWorld
from tests.sim.toy import FIRST


def numbers(world: SimWorld, one: SimProcess, other: SimProcess) -> tuple[SimEnd[int], SimEnd[int]]:
    """A link for numbers."""
    return world.link(one, other)


def test_a_simulated_world_has_the_ports_of_a_real_one() -> None:
    """mypy checks the shapes; this names them."""
    world = SimWorld(1)
    clock: Clock = world.clock
    owners: Owners = world.disk.owners
    blobs: Blobs = world.disk.blobs
    journal: Journal = world.process("p").journal
    assert all((clock, owners, blobs, journal))


def test_the_seed_is_printed_and_reproduces_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """A failure can be had again."""

    def story(world: SimWorld) -> list[object]:
        one, other = world.process("one"), world.process("other")
        here, there = numbers(world, one, other)
        for number in range(20):
            here.send(number)
            one.journal.append("hall", number, bytes([number]))
        world.lose_power()
        return [world.entropy(4), len(one.journal.records), there.ended, world.random.random()]

    drawn = SimWorld()
    assert f"SimWorld(seed={drawn.seed})" in capsys.readouterr().err
    assert story(drawn) == story(SimWorld(drawn.seed))


def test_time_passes_when_the_test_says() -> None:
    """In either direction (FM-77)."""
    clock = SimWorld(1).clock
    before = clock.now_us()
    clock.advance(3.5)
    assert clock.now_us() - before == 3_500_000
    clock.advance(-3600)
    assert clock.now_us() < before


@given(st.integers(0, 1000), st.integers(0, 10), st.integers(0, 10))
def test_a_crash_keeps_what_was_appended_and_a_power_loss_what_was_synced(seed: int, synced: int, more: int) -> None:
    """Process and power durability; what is lost is always the end."""
    world = SimWorld(seed)
    journal = world.process("h").journal
    for c in range(synced + more):
        if c == synced:
            journal.sync()
        journal.append("hall", c, b"")
    if not more:
        journal.sync()
    assert world.disk.dead() == {}
    world.processes["h"].crash()
    assert [record.c for record in world.disk.records("hall")] == list(range(synced + more))
    world.lose_power()
    left = [record.c for record in world.disk.records("hall")]
    assert left == list(range(len(left)))
    assert len(left) >= synced


@given(st.integers(0, 1000), st.integers(0, 10), st.integers(0, 10))
def test_a_crash_loses_any_suffix_of_what_was_sent(seed: int, sent: int, taken: int) -> None:
    """The other side reads a prefix, then the end; what the dead one had not read is gone."""
    world = SimWorld(seed)
    one, other = world.process("one"), world.process("other")
    here, there = numbers(world, one, other)
    there.send(-1)
    for number in range(sent):
        here.send(number)
    read = [there.receive() for _ in range(min(taken, sent))]
    one.crash()
    while not there.ended:
        read.append(there.receive())
    assert read == list(range(len(read)))
    assert here.receive() is None
    here.send(99)
    there.send(99)
    assert there.receive() is None


def test_a_closed_link_keeps_what_was_sent() -> None:
    """Closing in order loses nothing."""
    world = SimWorld(1)
    here, there = numbers(world, world.process("one"), world.process("other"))
    here.send(1)
    here.close()
    assert (there.receive(), there.ended, here.ended) == (1, True, True)


def test_owner_rows_change_by_compare_and_set() -> None:
    """One of two claimers wins (I1, P6)."""
    owners = SimWorld(1).disk.owners
    assert owners.read("hall") is None
    first = owners.claim("hall", None, "a", 0, 0)
    second = owners.claim("hall", first, "b", 7, 1)
    assert second == Owner(2, "b", 7, 1)
    with pytest.raises(ClaimLost, match="belongs to"):
        owners.claim("hall", first, "c", 7, 0)
    assert (owners.read("hall"), owners.history("hall"), owners.rooms()) == (second, [first, second], {"hall": second})


def test_blobs_are_created_once() -> None:
    """Equal bytes are fine, others are not (FM-27)."""
    blobs = SimWorld(1).disk.blobs
    blobs.put("hall/1/7", b"x")
    blobs.put("hall/1/7", b"x")
    blobs.put("hallway/1/1", b"y")
    with pytest.raises(StorageError, match="other bytes"):
        blobs.put("hall/1/7", b"y")
    assert (blobs.get("hall/1/7"), blobs.list("hall")) == (b"x", ["hall/1/7"])
    blobs.delete("hall/1/7")
    blobs.delete("hall/1/7")
    with pytest.raises(StorageError, match="no blob"):
        blobs.get("hall/1/7")


def test_records_beyond_a_base_stay() -> None:
    """A record behind one that is still needed stays with it."""
    journal = SimWorld(1).process("h").journal
    for room, c in (("a", 1), ("b", 1), ("a", 2)):
        journal.append(room, c, b"")
    journal.sync()
    journal.based("a", 2)
    assert [(record.room, record.c) for record in journal.records] == [("b", 1), ("a", 2)]
    journal.keep(True)
    journal.based("b", 1)
    assert len(journal.records) == 2
    journal.keep(False)
    assert (journal.records, journal.synced) == ([], 0)


def test_a_fault_is_raised_at_its_point_and_nothing_happened() -> None:
    """The n-th time, once (FM-75)."""
    world = SimWorld(1)
    journal = world.process("h").journal
    world.fail("store:append", StorageError("disk full", op="store:append", retry=True), count=2)
    journal.append("hall", 1, b"")
    with pytest.raises(StorageError, match="disk full"):
        journal.append("hall", 2, b"")
    journal.append("hall", 2, b"")
    assert [record.c for record in journal.records] == [1, 2]
    with pytest.raises(AssertionError, match="no fault point"):
        world.fail("nowhere", ValueError())


def test_a_closed_journal_takes_no_more() -> None:
    """Only its process writes, while it lives."""
    journal = SimWorld(1).process("h").journal
    journal.close(clean=True)
    assert journal.clean
    with pytest.raises(StorageError, match="closed"):
        journal.append("hall", 1, b"")


# --- a room in it ---


class Server:
    """A gateway, and one host after the other, each of which recovers the room from what the last one left."""

    def __init__(self, seed: int) -> None:
        self.world = SimWorld(seed)
        self.lines: list[str] = []
        self.process = self.world.process("gateway")
        self.gateway = GatewayEnd(
            "g",
            1,
            fallback="A",
            send=lambda link, message: link.send(message),  # type: ignore[attr-defined]
            show=self._show,
            notify=lambda session, text: pytest.fail(text),
            over=lambda session, reason: pytest.fail(reason),
        )
        self.hosts = 0
        self.boot()

    def _show(self, session: str, j: int, m: int, text: Text) -> None:
        self.lines.append(text.text)
        self.gateway.shown(session, j, m)

    def boot(self) -> None:
        """A host starts: base and records, claim, hello."""
        self.hosts += 1
        disk = self.world.disk
        self.host: SimProcess = self.world.process(f"host-{self.hosts}")
        owner = disk.owners.read("A")
        room = Room.new("A", FIRST, seed=bytes(16), clock_us=0)
        for record in disk.records("A"):
            room.replay(decode_record(record.data), record.data)
        room.epoch = disk.owners.claim("A", owner, self.host.name, room.c, 0).epoch
        self.up: SimEnd[Message]
        self.down: SimEnd[Message]
        self.up, self.down = self.world.link(self.host, self.process)
        self.end = HostEnd(room, lambda link, message: link.send(message))  # type: ignore[attr-defined]
        self.gateway.connected(self.down)

    def step(self) -> bool:
        """One side takes one message; whether there was one."""
        if self.world.random.random() < 0.5:
            message = self.down.receive()
            if message is not None:
                self.gateway.receive(self.down, message)
            return message is not None
        message = self.up.receive()
        if message is not None:
            self._host_takes(message)
        return message is not None

    def _host_takes(self, message: Message) -> None:
        causes: list[Cause] = []
        match message:
            case GatewayHello(gateway=gateway, epoch=epoch):
                causes = self.end.gateway_up(gateway, epoch, self.up)
            case EventSent():
                causes = self.end.event(self.up, message)
            case OutAck():
                self.end.outack(message)
            case SeatGone():
                causes = self.end.gone(message)
        for cause in causes:
            ran = self.end.room.run(cause, self.world.clock.now_us())
            assert ran.record is not None
            self.end.ran(ran)
            self.host.journal.append("A", ran.record.c, ran.data)
            self.end.durable()

    def settle(self) -> None:
        """Go on until nobody has anything to say."""
        quiet = 0
        while quiet < 40:
            quiet = 0 if self.step() else quiet + 1


@given(st.integers(0, 2**32), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_a_player_sees_every_line_once_through_any_crashes(seed: int, crashes: int) -> None:
    """P3, with hosts that die at any moment (FM-32, FM-95)."""
    server = Server(seed)
    chance = server.world.random
    server.gateway.enter("g.1.1", "A", Join(Who("1", "Ann")))
    typed = 0
    for _ in range(crashes):
        for _ in range(chance.randrange(30)):
            server.step()
            if chance.random() < 0.3:
                typed += 1
                server.gateway.submit("g.1.1", Input(str(typed)))
        server.host.crash()
        while (message := server.down.receive()) is not None:
            server.gateway.receive(server.down, message)
        server.gateway.lost(server.down)
        server.boot()
    server.settle()
    assert [line for line in server.lines if "hello" not in line] == [f"g.1.1: {n}" for n in range(1, typed + 1)]
    assert server.gateway.sessions["g.1.1"].tail == []
    assert server.end.room.seats["g.1.1"].outbox == []
