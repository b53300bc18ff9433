"""Recovery: what dead hosts left becomes rooms again; whatever is not certain concerns one room, by name."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from perdure.errors import StorageError, Unavailable
from perdure.host.recovery import DeadHosts
from perdure.link.gateway import HISTORY_LOST
from perdure.ports import Aside, Owner
from perdure.room.machine import Room
from perdure.room.record import Event, Input, Join, Started, Who, decode_record
from perdure.store.files import close_lock, lock_file
from perdure.store.journal import DeadJournal, SegmentJournal
from perdure.store.segments import FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES, Good, walk
from tests.host.hosting import ANN, BOB, BOOT, Gateway, Life, Toy, World, began


def lived(world: World, *lines: str) -> tuple[Gateway, list[str]]:
    """A host in which Ann typed these lines, killed; her gateway, and the hall's diary."""
    life, gateway = began(world)
    gateway.type(*lines)
    diary = life.diary()
    life.crash()
    return gateway, diary


def segment(world: World, host: str = "host-1") -> Path:
    return world.folder / "journal" / host / "000001.seg"


def places(world: World, host: str = "host-1") -> list[tuple[int, int]]:
    """(start, end) of the good frames of a journal, in order."""
    found, start = [], SEGMENT_HEADER_BYTES
    for frame in walk(segment(world, host).read_bytes()):
        assert isinstance(frame, Good)
        found.append((start, frame.end))
        start = frame.end
    return found


def overwrite(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def flip(path: Path, at: int) -> None:
    overwrite(path, at, bytes([path.read_bytes()[at] ^ 0xFF]))


def reason(life: Life, room: str = "hall") -> str:
    return life.owners.all()[room].reason


def test_a_killed_host_is_recovered_from_base_and_records(tmp_path: Path) -> None:
    """Everything that was acknowledged is there, without a base beyond the first."""
    world = World(tmp_path)
    gateway, diary = lived(world, "one", "two")
    with world.life() as life:
        assert life.diary() == diary == ["start", f"join {ANN}", "one", "two"]
        assert (life.report["records"], life.report["rolled_back"], life.report["aside"]) == (4, 0, [])
        gateway.connect(life)
        gateway.type("three")
        assert gateway.read[ANN] == [f"join {ANN}", "one", "two", "three"]
        assert gateway.notices == []


def test_the_second_and_the_fifth_recovery_are_as_the_first(tmp_path: Path) -> None:
    """(FM-30, FM-89) Each life adds its lines, and nothing is lost or doubled."""
    world = World(tmp_path)
    gateway, _ = lived(world, "life 1")
    for number in range(2, 6):
        with world.life() as life:
            gateway.connect(life)
            gateway.type(f"life {number}")
            assert life.diary()[2:] == [f"life {each}" for each in range(1, number + 1)]
            assert life.running().room.epoch == number
    assert gateway.read[ANN][1:] == [f"life {each}" for each in range(1, 6)]


def test_a_torn_tail_is_cut(tmp_path: Path) -> None:
    """(FM-74) The half-written last record was never acknowledged; the gateway sends its event again."""
    world = World(tmp_path)
    _, diary = lived(world, "one", "two")
    start, end = places(world)[-1]
    overwrite(segment(world), start + (end - start) // 2, bytes(end - start))
    with world.life() as life:
        assert life.diary() == diary[:-1]
        assert life.report["aside"] == []


def test_a_damaged_record_puts_its_room_aside_and_no_other(tmp_path: Path) -> None:
    """(FM-74) A flip in the middle is never cut silently; the neighbour goes on."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"})
    life, gateway = began(world)
    gateway.join(BOB, "yard")
    gateway.type("one", "two")
    gateway.type("here", session=BOB)
    life.crash()
    records = [decode_record(frame) for frame in _records(world)]
    position = next(at for at, record in enumerate(records) if record.room == "hall" and record.c == 3)
    flip(segment(world), places(world)[position][1] - 3)
    with world.life() as life:
        assert life.report["aside"] == ["hall"]
        assert "good up to callback 2" in reason(life)
        assert "record 3 is missing, and record 4 is there" in reason(life)
        assert life.diary("yard")[-1] == "here"
        assert life.owners.read("hall") == Owner(1, "host-1", 0, 0)


def test_damage_behind_the_last_record_of_a_room_counts_for_it_by_name(tmp_path: Path) -> None:
    """(FM-74) The header of the lost frame names the hall: the yard, whose last record is before it, goes on."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"})
    life, gateway = began(world)
    gateway.join(BOB, "yard")
    gateway.type("last of the yard", session=BOB)
    gateway.type("lost")
    gateway.join("g.1.3", "yard")
    life.crash()
    lost = next(at for at, data in enumerate(_records(world)) if b"lost" in data)
    flip(segment(world), places(world)[lost][1] - 3)
    with world.life() as life:
        assert life.report["aside"] == ["hall"]


def test_nameless_damage_counts_for_every_room_that_may_have_lost_its_last_record(tmp_path: Path) -> None:
    """(FM-74) Without its header nobody knows whose record it was: only the room with a good one behind is safe."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy", "void": "toy"})
    life, gateway = began(world)
    gateway.join(BOB, "yard")
    gateway.type("lost")
    gateway.type("behind it", session=BOB)
    life.crash()
    lost = next(at for at, data in enumerate(_records(world)) if b"lost" in data)
    overwrite(segment(world), places(world)[lost][0], b"\xff" * FRAME_HEADER_BYTES)
    with world.life() as life:
        assert life.report["aside"] == ["hall", "void"]
        assert life.diary("yard")[-1] == "behind it"


def test_damage_that_an_operator_accepted_is_not_held_against_the_room_again(tmp_path: Path) -> None:
    """(FM-89) The damaged journal may still be there at the next crash; the new owner's own says how it ended."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"})
    life, gateway = began(world)
    gateway.type("lost")
    gateway.join(BOB, "yard")
    life.crash()
    lost = next(at for at, data in enumerate(_records(world)) if b"lost" in data)
    overwrite(segment(world), places(world)[lost][0], b"\xff" * FRAME_HEADER_BYTES)
    with world.life() as life:
        assert life.report["aside"] == ["hall"]
        life.call(lambda: life.operators.resume("hall", skip_input=False))
        life.crash()
    with world.life() as life:
        assert life.report["aside"] == []
        assert life.running().room.branch == 1


def test_a_record_that_does_not_follow_is_damage(tmp_path: Path) -> None:
    """Each record carries the digest of the one before: one that another history wrote is not booked."""
    world = World(tmp_path)
    lived(world, "one")
    other = Room.new("hall", Toy(), seed=bytes(16), clock_us=1)
    for cause in (Started(), Event(ANN, 1, 0, Join(Who(ANN, ANN))), Event(ANN, 1, 1, Input("x"))):
        other.run(cause, 1)
    foreign = other.run(Event(ANN, 1, 2, Input("foreign")), 1)
    journal = SegmentJournal(world.folder / "journal" / "host-0", "host-0", "boot-1")
    journal.append("hall", 4, foreign.data)
    journal.close()
    with world.life() as life:
        assert life.report["aside"] == ["hall"]
        assert "record 4 does not follow" in reason(life)


def test_records_beyond_the_next_claim_are_void(tmp_path: Path) -> None:
    """What an owner appended after its successor had begun does not count."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.type("counts")
    rival = world.owners()
    rival.claim("hall", rival.read("hall"), "host-9", life.running().room.c, 0)
    rival.close()
    gateway.type("void")
    assert life.diary()[-1] == "void"
    life.crash()
    with world.life() as life:
        assert life.diary()[-1] == "counts"
        assert life.report["aside"] == []


def test_a_history_that_ends_before_the_last_claim_is_damage(tmp_path: Path) -> None:
    """The journal from which the last owner had begun is gone, and its first base was not stored."""
    world = World(tmp_path)
    lived(world, "one")
    world.life(start=False).crash()
    gone = next(path for path in world.journals() if path.name == "host-1")
    gone.rename(tmp_path / "elsewhere")
    with world.life() as life:
        assert "records 1 to 3 are missing" in reason(life)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_newest_base_that_does_not_count_falls_back_to_the_one_before(tmp_path: Path, replaced: bool) -> None:
    """(FM-71, FM-91) The journal reaches back to the older base, so nothing is lost; the refusal is said.

    A base that was put in the place of a newer one has a good seal, and says what it is (`replaced`, FM-72).
    """
    world = World(tmp_path, base_every_records=2)
    life, gateway = began(world)
    gateway.type("one", "two")
    life.advance(2)
    life.until(lambda: len(world.bases("hall")) == 2)
    gateway.type("three")
    diary = life.diary()
    life.crash()
    older, newest = world.bases("hall")
    if replaced:
        newest.write_bytes(older.read_bytes())
    else:
        flip(newest, newest.stat().st_size // 2)
    with world.life() as life:
        assert life.diary() == diary
        assert life.report["records"] == 5
        (refused,) = [event["reason"] for event in life.events if event["kind"] == "base-refused"]
        assert ("it says that it is base 1/0" in refused) == replaced
        gateway.connect(life)
        assert gateway.notices == []


def test_a_room_without_any_readable_base_goes_aside(tmp_path: Path) -> None:
    """(FM-71) Records without a ground are not booked on an empty room."""
    world = World(tmp_path)
    lived(world, "one")
    (only,) = world.bases("hall")
    only.write_bytes(only.read_bytes()[:-1])
    with world.life() as life:
        assert "no base of room hall can be read" in reason(life)


@pytest.mark.parametrize(
    ("durability", "power_lost", "clean", "branch"),
    [
        ("power", False, False, 0),
        ("power", True, False, 0),
        ("process", False, False, 0),
        ("process", True, False, 1),
        ("process", True, True, 0),
        ("checkpoint", False, False, 1),
        ("checkpoint", False, True, 0),
        ("none", False, False, 1),
    ],
)
def test_a_branch_rises_when_acknowledged_history_may_be_lost(
    tmp_path: Path, durability: str, power_lost: bool, clean: bool, branch: int
) -> None:
    """After a loss of power under `process`, after any crash under `checkpoint` and `none`; never aside for that."""
    world = World(tmp_path, durability=durability)
    life, gateway = began(world)
    gateway.type("one")
    life.until(lambda: gateway.unacknowledged == 0)
    if clean:
        life.stop()
    life.crash()
    world.boot_id = "boot-2" if power_lost else world.boot_id
    with world.life() as life:
        assert life.running().room.branch == branch
        assert (life.report["rolled_back"], life.report["aside"]) == (branch, [])
        gateway.connect(life)
        assert (ANN, HISTORY_LOST) in gateway.notices if branch else gateway.notices == []
        gateway.type("on")
        life.until(lambda: gateway.read[ANN][-1] == "on")


def test_a_hole_after_a_loss_of_power_begins_a_branch_and_is_not_damage(tmp_path: Path) -> None:
    """(FM-94) Pages reach the disk in any order: what lies beyond the hole was not promised."""
    world = World(tmp_path)
    gateway, diary = lived(world, "one", "two", "three")
    start, end = places(world)[3]
    overwrite(segment(world), start, bytes(end - start))
    world.boot_id = "boot-2"
    with world.life() as life:
        assert (life.report["rolled_back"], life.report["aside"]) == (1, [])
        assert life.diary() == diary[:3]
        gateway.connect(life)
        gateway.type("on")
        assert gateway.read[ANN][-1] == "on"


def test_unfinished_and_own_folders_are_passed_over(tmp_path: Path) -> None:
    """(FM-36) A folder that a host was just making, or removing, holds nothing that counts."""
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / ".new-host-3").mkdir()
    (folder / "host-2").mkdir()
    SegmentJournal(folder / "host-1", "host-1", "boot-1").close()
    (folder / "host-1").rename(folder / ".new-gone-host-1")
    assert (DeadHosts(folder, "host-2").journals, DeadHosts(folder, "host-2").living) == ({}, set())
    assert DeadHosts(tmp_path / "nowhere", "host-2").journals == {}


# -- beside living hosts --------------------------------------------------------------------------------


def test_a_living_host_is_not_robbed(tmp_path: Path) -> None:
    """(I1) The lock of a living host's journal is held: nobody recovers its rooms, and it is no error."""
    world = World(tmp_path)
    life, gateway = began(world)
    with life, world.life() as other:
        assert (other.dead.living, other.dead.journals) == ({"host-1"}, {})
        assert other.report == {"rooms": 0, "new": 0, "aside": [], "records": 0, "rolled_back": 0}
        with pytest.raises(Unavailable, match="belongs to the host host-1, which is alive"):
            other.taker().take("hall")
        with pytest.raises(Unavailable):
            other.operators.discard("hall")
        gateway.type("one")
        assert (life.diary()[-1], life.running().room.epoch) == ("one", 1)


def test_a_host_is_alive_as_long_as_nobody_can_have_its_lock(tmp_path: Path) -> None:
    """What was not seen yet is alive, too, and so is whoever asks; one without a journal is not."""
    with closing(SegmentJournal(tmp_path / "host-1", "host-1", BOOT)) as journal:
        dead = DeadHosts(tmp_path, "host-2")
        late = SegmentJournal(tmp_path / "host-3", "host-3", BOOT)
        known = ["host-1", "host-2", "host-3", "host-4"]
        assert [dead.alive(host) for host in known] == [True, True, True, False]
        journal.close()
        assert dead.alive("host-1")
        assert dead.look_again() == {"host-1"}
        assert [dead.alive(host) for host in known] == [False, True, True, False]
        assert dead.living == {"host-3"}
        dead.close()
        late.close()


def test_a_journal_that_was_not_read_to_its_end_is_nobodys(tmp_path: Path) -> None:
    """(FM-93) While a thread reads it, its host counts as alive for everybody: half a history is none."""
    SegmentJournal(tmp_path / "host-1", "host-1", BOOT).close()
    dead = DeadHosts(tmp_path, "host-2", claim=False)
    read = dead.read()
    assert (dead.alive("host-1"), dead.look_again(), dead.adopt("host-1", [])) == (True, set(), False)
    assert DeadHosts(tmp_path, "host-3").living == {"host-1"}
    assert dead.book(read) == {"host-1"}
    assert (dead.alive("host-1"), dead.living) == (False, set())
    dead.close()


def test_journals_that_cannot_all_be_read_are_left_to_others(tmp_path: Path) -> None:
    """The lock of the readable one is let go of, too."""
    SegmentJournal(tmp_path / "host-1", "host-1", BOOT).close()
    SegmentJournal(tmp_path / "host-3", "host-3", BOOT).close()
    segment = tmp_path / "host-3" / "000001.seg"
    segment.mkdir()
    with pytest.raises(StorageError):
        DeadHosts(tmp_path, "host-2")
    segment.rmdir()
    dead = DeadHosts(tmp_path, "host-2")
    assert dead.journals.keys() == {"host-1", "host-3"}
    dead.close()


def test_a_host_that_takes_nothing_yet_leaves_the_locks_to_others(tmp_path: Path) -> None:
    """(FM-36) A successor that boots must not look like a living owner to whoever recovers."""
    SegmentJournal(tmp_path / "host-1", "host-1", BOOT).close()
    empty = DeadHosts(tmp_path, "host-3", claim=False)
    assert (empty.journals, empty.living, empty.alive("host-1")) == ({}, {"host-1"}, True)
    serving = DeadHosts(tmp_path, "host-2")
    assert serving.journals.keys() == {"host-1"}
    serving.close()
    assert empty.look_again() == {"host-1"}
    empty.close()


def test_rooms_of_a_host_that_dies_later_are_taken_by_its_neighbour(tmp_path: Path) -> None:
    """(FM-93) A running host takes them beside its own, and they run on with everything that was acknowledged.

    Only what was read is taken: whether a host died meanwhile is a question for the next time.
    """
    world = World(tmp_path, {"hall": "toy", "yard": "toy"})
    life, gateway = began(world)
    gateway.type("one")
    world.rooms["den"] = "toy"
    with world.life() as other:
        assert list(other.host.rooms) == ["den"]
        early = other.dead.read()
        den = other.running("den")
        life.crash()
        assert other.call(other.host.take_dead, early)["rooms"] == 0
        assert other.call(other.host.take_dead, other.dead.read())["rooms"] == 2
        assert sorted(other.host.rooms) == ["den", "hall", "yard"]
        assert other.running("den") is den
        assert other.call(other.host.take_dead, other.dead.read())["rooms"] == 0
        gateway.connect(other)
        gateway.type("two")
        assert other.diary()[-2:] == ["one", "two"]
        assert gateway.read[ANN][1:] == ["one", "two"]
        other.pass_until(lambda: [path.name for path in world.journals()] == ["host-2"])


def test_records_of_a_living_owner_count_up_to_the_next_claim(tmp_path: Path) -> None:
    """What it appended after its successor had begun is void; it goes on beside, with its journal untouched."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.type("counts")
    rival = world.owners()
    rival.claim("hall", rival.read("hall"), "host-9", life.running().room.c, 0)
    rival.close()
    gateway.type("void")
    assert life.diary()[-1] == "void"
    with life, world.life() as other:
        assert (other.diary()[-1], other.report["aside"]) == ("counts", [])
        other.advance(3)
        other.until(lambda: other.running().based)
        assert (world.folder / "journal" / "host-1" / "000001.seg").exists()


@pytest.mark.parametrize("own", [False, True])
def test_a_room_of_a_dead_owner_needs_what_a_living_one_recorded_before(tmp_path: Path, own: bool) -> None:
    """(FM-93) It had moved on and its new owner died before it had a base: the old owner's records are the ground.

    So it is when the old owner itself is the one that recovers (`own`).
    """
    world = World(tmp_path)
    gateway, _ = lived(world, "one", "two")
    with world.life() as life:
        gateway.connect(life)
        gateway.type("three")
        diary = life.diary()
    lock_fd = lock_file(tmp_path / "journal" / "host-1" / "lock")
    if own:
        world.lives = 0
        dead = DeadHosts(tmp_path / "journal", "host-1")
    else:
        dead = DeadHosts(tmp_path / "journal", "host-3")
        assert dead.living == {"host-1"}
    owners = world.owners()
    history = owners.history("hall")
    owners.close()
    assert [owner.host for owner in history] == ["host-1", "host-2"]
    assert dead.journals.keys() == {"host-2"}
    assert sorted(c for _, c in dead.entries("hall")) == [5]
    assert sorted(c for _, c in dead.entries("hall", ["host-1"])) == [1, 2, 3, 4, 5]
    dead.close()
    if not own:
        with world.life() as other:
            assert (other.diary(), other.report["records"]) == (diary, 5)
            other.advance(3)
            other.until(lambda: [path.name for path in world.journals()] == ["host-1", "host-3"])
    close_lock(lock_fd)


def test_a_room_whose_first_base_is_gone_is_damaged_though_its_owners_live(tmp_path: Path) -> None:
    """(FM-71) Records of a living earlier owner show that there was a room: it does not begin anew."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.type("one")
    rival = world.owners()
    rival.claim("hall", rival.read("hall"), "host-9", life.running().room.c, 0)
    rival.close()
    for base in world.bases("hall"):
        base.unlink()
    with life, world.life() as other:
        assert other.report["aside"] == ["hall"]
        assert "no base of room hall can be read: there is none" in reason(other)


def nowhere(room: str, owner: Owner) -> bool:
    """No other host has stored a base."""
    return False


def everywhere(room: str, owner: Owner) -> bool:
    """All other hosts have stored bases."""
    return True


def test_the_journal_of_a_host_that_ended_in_order_is_deleted_when_its_rooms_are_safe(tmp_path: Path) -> None:
    """(FM-36) It is held unread, until each room that it ever owned has a base of its owner's."""
    ended = SegmentJournal(tmp_path / "host-1", "host-1", BOOT)
    dead = DeadHosts(tmp_path, "host-2")
    assert not dead.adopt("host-1", ["hall", "yard"])
    ended.close(clean=True)
    assert dead.adopt("host-1", ["hall", "yard"])
    assert dead.adopt("host-1", [])
    assert (dead.journals, dead.living, dead.alive("host-1")) == ({}, set(), False)
    assert DeadHosts(tmp_path, "host-4").living == {"host-1"}
    other = SegmentJournal(tmp_path / "host-3", "host-3", BOOT)
    owners = {"hall": Owner(2, "host-2", 5, 0), "yard": Owner(2, "host-3", 5, 0)}
    dead.forget(set(), owners, everywhere)
    dead.forget({"hall"}, owners, nowhere)
    assert (tmp_path / "host-1").exists()
    dead.forget({"hall"}, owners, everywhere)
    assert not (tmp_path / "host-1").exists()
    assert not dead.adopt("host-1", [])
    assert not dead.holds
    other.close()


def test_a_dead_neighbours_base_is_no_reason_to_delete(tmp_path: Path) -> None:
    """Its room has to be recovered first; what it stored may be unreadable, and is looked at then."""
    SegmentJournal(tmp_path / "host-1", "host-1", BOOT).close()
    SegmentJournal(tmp_path / "host-3", "host-3", BOOT).close()
    dead = DeadHosts(tmp_path, "host-2")
    dead.forget(set(), {"yard": Owner(2, "host-3", 5, 0)}, everywhere)
    assert dead.journals.keys() == {"host-3"}
    dead.close()


# -- which journals are kept ----------------------------------------------------------------------------


def test_journals_are_deleted_when_all_their_rooms_have_bases(tmp_path: Path) -> None:
    """The next recovery is short, and the folder does not grow with every crash."""
    world = World(tmp_path)
    lived(world, "one")
    with world.life() as life:
        assert [path.name for path in world.journals()] == ["host-1", "host-2"]
        life.advance(2)
        life.until(lambda: [path.name for path in world.journals()] == ["host-2"])
        diary = life.diary()
    with world.life() as life:
        assert life.diary() == diary


def test_journals_of_rooms_that_are_not_configured_any_more_are_kept(tmp_path: Path) -> None:
    """A room that comes back into the configuration is as it was."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"})
    life, gateway = began(world)
    gateway.join(BOB, "yard")
    gateway.type("kept", session=BOB)
    life.crash()
    del world.rooms["yard"]
    with world.life() as life:
        life.advance(3)
        life.until(lambda: len(world.bases("hall")) == 2)
        assert "host-1" in [path.name for path in world.journals()]
    world.rooms["yard"] = "toy"
    with world.life() as life:
        assert life.diary("yard")[-1] == "kept"


@pytest.mark.parametrize("durability", ["process", "checkpoint"])
def test_journals_of_rooms_aside_are_kept(tmp_path: Path, durability: str) -> None:
    """A room aside may need its records, or to know how its last owner ended; other rooms do not decide that."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"}, durability=durability)
    lived(world, "one")
    owners = world.owners()
    owners.put(Aside("hall", "it killed two hosts", 4, ANN, 1, 2))
    owners.close()
    with world.life() as life:
        life.advance(3)
        life.until(lambda: life.running("yard").based)
        life.settle()
        assert "host-1" in [path.name for path in world.journals()]
        life.call(lambda: life.operators.resume("hall", skip_input=True))
        assert life.running().room.branch == (durability == "checkpoint")
        assert ("one" in life.diary()) == (durability == "process")


def _records(world: World, host: str = "host-1") -> list[bytes]:
    dead = DeadJournal.claim(world.folder / "journal" / host)
    assert dead is not None
    dead.close()
    return dead.records()
