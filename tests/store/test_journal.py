"""The journal: nothing appended is lost with the process, nothing damaged passes, nothing is cut silently."""

import errno
import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.errors import ContractError, StorageError
from perdure.store.journal import DeadJournal, SegmentJournal
from perdure.store.segments import (
    FRAME_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    Bad,
    Good,
    SegmentHead,
    crc32c,
    decode_head,
    encode_head,
    frame,
    walk,
)
from tests.store.faulty import Child, Faults

SMALL = 4096


def record(room: str, c: int, size: int = 40) -> bytes:
    return f"{room}:{c}:".encode().ljust(size, b".")


def filled(folder: Path, count: int, *, segment_bytes: int = SMALL, clean: bool = False) -> list[bytes]:
    """A closed journal of room `a` with this many records; the records."""
    journal = SegmentJournal(folder, "host-1", "boot-1", segment_bytes=segment_bytes)
    records = [record("a", c) for c in range(1, count + 1)]
    for c, data in enumerate(records, 1):
        journal.append("a", c, data)
    journal.close(clean)
    return records


def read(folder: Path) -> DeadJournal:
    dead = DeadJournal.claim(folder)
    assert dead is not None
    dead.close()
    return dead


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.seg"))


# --- appending and reading --------------------------------------------------------------------------


def test_a_dead_journal_gives_its_records_in_order(tmp_path: Path) -> None:
    """What was appended is read, over several segments, with who wrote it."""
    records = filled(tmp_path / "h", 300)
    dead = read(tmp_path / "h")
    assert len(segments(tmp_path / "h")) > 2
    assert dead.records() == records
    assert (dead.host, dead.boot_id, dead.clean, dead.damage) == ("host-1", "boot-1", False, [])


def test_a_record_larger_than_a_segment_gets_its_own(tmp_path: Path) -> None:
    """No record is too large because of the size of segments."""
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", segment_bytes=SMALL)
    records = [b"first", os.urandom(3 * SMALL), b"last"]
    for c, data in enumerate(records, 1):
        journal.append("a", c, data)
    journal.close()
    assert read(tmp_path / "h").records() == records


def test_an_empty_record_and_one_that_ends_in_zeros_are_read(tmp_path: Path) -> None:
    """The unused zeros behind the last record are told from a record's own."""
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", segment_bytes=SMALL)
    records = [b"", b"x" + bytes(50), b"", bytes(100)]
    for c, data in enumerate(records, 1):
        journal.append("a", c, data)
    journal.close(clean=True)
    dead = read(tmp_path / "h")
    assert (dead.records(), dead.damage) == (records, [])


def test_a_host_that_did_nothing_leaves_a_readable_journal(tmp_path: Path) -> None:
    """No record, no segment, no disk space; the lock still tells who it was."""
    SegmentJournal(tmp_path / "h", "host-1", "boot-1").close()
    dead = read(tmp_path / "h")
    assert (dead.records(), dead.host, dead.boot_id, segments(tmp_path / "h")) == ([], "host-1", "boot-1", [])


def test_a_journal_that_was_made_ready_has_its_space_before_the_first_record(tmp_path: Path) -> None:
    """A host that takes rooms over waits for no disk in their pause; a full disk is known before it (FM-35)."""
    faults = Faults()
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", segment_bytes=SMALL, fault=faults)
    faults.fail("store:allocate", errno.ENOSPC)
    with pytest.raises(StorageError):
        journal.get_ready()
    faults.heal()
    journal.get_ready()
    faults.fail("store:allocate", errno.ENOSPC)
    journal.get_ready()
    journal.append("a", 1, record("a", 1))
    journal.close()
    assert (segments(tmp_path / "h"), read(tmp_path / "h").records()) == (["000001.seg"], [record("a", 1)])


def test_a_clean_stop_is_told_from_a_death(tmp_path: Path) -> None:
    """Only `close(clean=True)` leaves the marker."""
    records = filled(tmp_path / "h", 5, clean=True)
    dead = read(tmp_path / "h")
    assert (dead.clean, dead.records()) == (True, records)


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    """An append behind the clean-stop marker would be lost without anybody noticing."""
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1")
    journal.close(clean=True)
    journal.close()
    with pytest.raises(ContractError, match="closed"):
        journal.append("a", 1, b"x")


# --- torn or damaged ---------------------------------------------------------------------------------


def test_a_journal_cut_at_any_byte_keeps_every_whole_record(tmp_path: Path) -> None:
    """What is behind the last good record of a journal is a torn tail, cut silently (FM-74)."""
    records = filled(tmp_path / "h", 6)
    (path,) = (tmp_path / "h").glob("*.seg")
    data = path.read_bytes()
    size = FRAME_HEADER_BYTES + len(records[0])
    for cut in range(SEGMENT_HEADER_BYTES + 6 * size + 1):
        path.write_bytes(data[:cut])
        dead = read(tmp_path / "h")
        assert dead.records() == records[: max(0, cut - SEGMENT_HEADER_BYTES) // size]
        assert dead.damage == []


def test_a_cut_in_a_cleanly_stopped_journal_is_damage(tmp_path: Path) -> None:
    """A host that stopped in order left no torn tail: the marker says where its records end (FM-74)."""
    records = filled(tmp_path / "h", 6, clean=True)
    (path,) = (tmp_path / "h").glob("*.seg")
    data = path.read_bytes()
    size = FRAME_HEADER_BYTES + len(records[0])
    for cut in range(SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + 6 * size):
        path.write_bytes(data[:cut])
        dead = read(tmp_path / "h")
        whole = (cut - SEGMENT_HEADER_BYTES) // size
        assert dead.records() == records[:whole]
        assert [damage.position for damage in dead.damage] == [whole]


def test_a_flip_at_any_byte_of_a_middle_record_is_damage_and_costs_that_record_only(tmp_path: Path) -> None:
    """A good record after a bad one: reported with its place, and its room where the header survived (FM-74)."""
    records = filled(tmp_path / "h", 5)
    (path,) = (tmp_path / "h").glob("*.seg")
    data = path.read_bytes()
    size = FRAME_HEADER_BYTES + len(records[0])
    middle = SEGMENT_HEADER_BYTES + 2 * size
    for at in range(middle, middle + size):
        for bit in (0x01, 0x80):
            path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
            dead = read(tmp_path / "h")
            assert dead.records() == records[:2] + records[3:]
            (damage,) = dead.damage
            room_crc = crc32c(b"a") if at >= middle + FRAME_HEADER_BYTES else None
            assert (damage.file, damage.offset, damage.position) == (str(path), middle, 2)
            assert damage.room_crc == room_crc
            assert str(middle) in damage.message


def test_a_middle_record_that_became_zeros_is_damage(tmp_path: Path) -> None:
    """A page that never reached the disk, with later ones that did."""
    records = filled(tmp_path / "h", 5)
    (path,) = (tmp_path / "h").glob("*.seg")
    data = bytearray(path.read_bytes())
    size = FRAME_HEADER_BYTES + len(records[0])
    data[SEGMENT_HEADER_BYTES : SEGMENT_HEADER_BYTES + size] = bytes(size)
    path.write_bytes(data)
    dead = read(tmp_path / "h")
    assert dead.records() == records[1:]
    assert [(damage.offset, damage.position) for damage in dead.damage] == [(SEGMENT_HEADER_BYTES, 0)]


def test_a_full_segment_that_lost_its_end_is_damage(tmp_path: Path) -> None:
    """Only the last segment can have a torn tail: the next one says how far this one went (FM-74)."""
    records = filled(tmp_path / "h", 150)
    first, second = (tmp_path / "h" / name for name in segments(tmp_path / "h")[:2])
    head = decode_head(second.read_bytes())
    assert head is not None
    size = FRAME_HEADER_BYTES + len(records[0])
    inside = (head.previous_end - SEGMENT_HEADER_BYTES) // size
    data = first.read_bytes()
    for spoilt in (data[: head.previous_end - 1], data[: head.previous_end - size].ljust(SMALL, b"\0")):
        first.write_bytes(spoilt)
        dead = read(tmp_path / "h")
        assert dead.records() == records[: inside - 1] + records[inside:]
        assert [(damage.file, damage.position) for damage in dead.damage] == [(str(first), inside - 1)]


def test_garbage_in_the_unused_part_of_a_full_segment_is_no_damage(tmp_path: Path) -> None:
    """Nothing was lost, so no room is put aside for it."""
    records = filled(tmp_path / "h", 150)
    first = tmp_path / "h" / segments(tmp_path / "h")[0]
    data = bytearray(first.read_bytes())
    data[-1] ^= 0xFF
    first.write_bytes(data)
    dead = read(tmp_path / "h")
    assert (dead.records(), dead.damage) == (records, [])


def test_a_damaged_segment_head_costs_no_record(tmp_path: Path) -> None:
    """Its records are found all the same; that the one before may have lost its end is reported."""
    records = filled(tmp_path / "h", 150)
    for number, expected in ((0, 0), (1, 1)):
        path = tmp_path / "h" / segments(tmp_path / "h")[number]
        data = path.read_bytes()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        dead = read(tmp_path / "h")
        assert (dead.records(), len(dead.damage), dead.boot_id) == (records, expected, "boot-1")
        path.write_bytes(data)


def test_a_damaged_clean_marker_counts_as_none(tmp_path: Path) -> None:
    """It can neither hide records nor invent damage."""
    records = filled(tmp_path / "h", 5, clean=True)
    marker = tmp_path / "h" / "clean"
    data = marker.read_bytes()
    for at in range(len(data)):
        marker.unlink()
        marker.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        dead = read(tmp_path / "h")
        assert (dead.clean, dead.records(), dead.damage) == (False, records, [])


def test_a_record_that_imitates_a_frame_is_not_believed(tmp_path: Path) -> None:
    """Where a bad frame's header is whole, nothing inside its payload is taken for a record."""
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", segment_bytes=SMALL)
    journal.append("a", 1, b"before" + frame(crc32c(b"a"), b"forged") + b"after")
    journal.append("a", 2, b"second")
    journal.close()
    (path,) = (tmp_path / "h").glob("*.seg")
    data = bytearray(path.read_bytes())
    data[SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES] ^= 1
    path.write_bytes(data)
    dead = read(tmp_path / "h")
    assert (dead.records(), len(dead.damage)) == ([b"second"], 1)


@settings(max_examples=150)
@given(st.data())
def test_whatever_happens_to_a_segment_the_good_records_stay_in_order(data: st.DataObject) -> None:
    """Any stretch overwritten, anywhere: what is read was appended, in order; nothing missing is unreported."""
    records = [record("a", c, c % 60) for c in range(1, 20)]
    frames = b"".join(frame(1, payload) for payload in records)
    whole = bytearray(encode_head(SegmentHead(1, "h", "b", 1, 0)) + frames + bytes(200))
    at = data.draw(st.integers(SEGMENT_HEADER_BYTES, len(whole) - 1))
    patch = data.draw(st.one_of(st.binary(min_size=1, max_size=90), st.just(bytes(90))))
    whole[at : at + len(patch)] = patch[: len(whole) - at]
    found = list(walk(bytes(whole)))
    good = [item.payload for item in found if isinstance(item, Good)]
    remaining = iter(records)
    assert all(payload in remaining for payload in good)
    if good and good != records[: len(good)]:
        assert isinstance(found[0], Bad) or any(isinstance(item, Bad) for item in found)


@given(st.binary(max_size=700))
def test_any_bytes_can_be_walked(data: bytes) -> None:
    """A segment of garbage has no records and breaks nothing."""
    assert not any(isinstance(found, Good) for found in walk(data, 0))
    assert decode_head(data.ljust(SEGMENT_HEADER_BYTES, b"\0")) is None


def test_a_newer_format_is_refused_not_called_damage(tmp_path: Path) -> None:
    """Going back to an older Perdure says so, and leaves the journal untouched."""
    filled(tmp_path / "h", 2)
    (path,) = (tmp_path / "h").glob("*.seg")
    newer = encode_head(SegmentHead(2, "host-1", "boot-1", 1, 0))
    path.write_bytes(newer + path.read_bytes()[SEGMENT_HEADER_BYTES:])
    with pytest.raises(ContractError, match="format 2"):
        DeadJournal.claim(tmp_path / "h")
    path.unlink()
    assert DeadJournal.claim(tmp_path / "h") is not None  # the refusal held no lock


# --- one writer ------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from perdure.store.journal import SegmentJournal
journal = SegmentJournal(Path(sys.argv[1]), "host-1", "boot-1", segment_bytes=int(sys.argv[2]))
print("ready", flush=True)
c = 0
for line in sys.stdin:
    for _ in range(int(line)):
        c += 1
        journal.append("a", c, b"%d" % c)
    print(c, flush=True)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Child]:
    child = Child(WRITER, tmp_path / "h", SMALL)
    assert child.line() == "ready"
    yield child
    if child.process.poll() is None:
        child.kill()


def test_a_writer_killed_with_9_loses_nothing_it_appended(tmp_path: Path, writer: Child) -> None:
    """An append that returned survives its process, over segment borders too (P3)."""
    for _ in range(5):
        writer.say("137")
        assert writer.line()
    writer.kill()
    dead = read(tmp_path / "h")
    assert dead.records() == [b"%d" % c for c in range(1, 5 * 137 + 1)]
    assert (dead.damage, dead.clean) == ([], False)


def test_a_writer_killed_in_the_middle_of_appending_leaves_a_prefix(tmp_path: Path, writer: Child) -> None:
    """Wherever the kill falls: whole records without a gap, and no damage."""
    writer.say("10000000")
    while len(segments(tmp_path / "h")) < 4:
        assert writer.process.poll() is None
    writer.kill()
    dead = read(tmp_path / "h")
    assert dead.damage == []
    assert dead.records() == [b"%d" % c for c in range(1, len(dead.records()) + 1)]
    assert len(dead.records()) > 200


def test_a_living_writers_journal_is_not_read(tmp_path: Path, writer: Child) -> None:
    """The lock says that the writer lives; it is free as soon as the process is gone (P6)."""
    writer.say("3")
    assert writer.line() == "3"
    assert DeadJournal.claim(tmp_path / "h") is None
    writer.kill()
    dead = DeadJournal.claim(tmp_path / "h")
    assert dead is not None
    assert len(dead.records()) == 3
    assert DeadJournal.claim(tmp_path / "h") is None  # this reader has it
    dead.close()


def test_a_second_writer_is_refused(tmp_path: Path, writer: Child) -> None:
    """One incarnation, one writer, once: also when the first is dead, so that nothing is overwritten (P6)."""
    writer.say("3")
    assert writer.line() == "3"
    with pytest.raises(ContractError, match="one writer"):
        SegmentJournal(tmp_path / "h", "host-1", "boot-1")
    writer.kill()
    with pytest.raises(ContractError, match="one writer"):
        SegmentJournal(tmp_path / "h", "host-1", "boot-1")
    assert len(read(tmp_path / "h").records()) == 3


def test_the_lock_is_not_inherited_by_a_program_that_the_writer_starts(tmp_path: Path) -> None:
    """A helper process that outlives its host must not keep the dead host's rooms from being recovered."""
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as helper:
        journal.close()
        assert DeadJournal.claim(tmp_path / "h") is not None
        assert helper.stdin
        helper.stdin.close()


# --- bases ---------------------------------------------------------------------------------------------


def test_segments_go_when_no_room_needs_them(tmp_path: Path) -> None:
    """A segment stays as long as one room has a record in it beyond its base."""
    folder = tmp_path / "h"
    journal = SegmentJournal(folder, "host-1", "boot-1", segment_bytes=SMALL)
    journal.append("quiet", 7, record("quiet", 7))
    for c in range(1, 301):
        journal.append("busy", c, record("busy", c))
    before = segments(folder)
    assert len(before) > 3
    journal.based("busy", 300)
    assert segments(folder) == [before[0], before[-1]]
    journal.based("quiet", 6)
    assert segments(folder) == [before[0], before[-1]]
    journal.based("quiet", 7)
    assert segments(folder) == [before[-1]]
    journal.append("busy", 301, b"goes on")
    journal.sync()
    journal.close()
    dead = read(folder)
    assert dead.damage == []
    assert dead.records()[-1] == b"goes on"


def test_a_base_before_a_segment_is_full_makes_it_unneeded_later(tmp_path: Path) -> None:
    """The current segment is never removed; once it is full and all of it is based, it goes at once."""
    folder = tmp_path / "h"
    journal = SegmentJournal(folder, "host-1", "boot-1", segment_bytes=SMALL)
    for c in range(1, 20):
        journal.append("a", c, record("a", c))
    journal.based("a", 19)
    assert segments(folder) == ["000001.seg"]
    journal.append("b", 1, bytes(SMALL))
    assert segments(folder) == ["000002.seg"]
    journal.close()


def test_removed_segments_give_their_space_back(tmp_path: Path) -> None:
    """Neither a descriptor nor a mapping keeps a removed segment alive, synced or not (FM-12)."""
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", segment_bytes=SMALL)
    journal.append("a", 0, b"")
    before = len(os.listdir("/proc/self/fd"))
    for c in range(1, 1001):
        journal.append("a", c, record("a", c))
        if c % 100 == 0:
            journal.based("a", c)
        if c % 300 == 0:
            journal.sync()
    journal.based("a", 1000)
    assert len(segments(tmp_path / "h")) == 1
    assert len(os.listdir("/proc/self/fd")) == before
    journal.close()


def test_a_dead_incarnations_folder_is_removed_whole(tmp_path: Path) -> None:
    """Once every room has a newer base; a removal that is cut short never looks like a journal."""
    filled(tmp_path / "h", 300)
    dead = DeadJournal.claim(tmp_path / "h")
    assert dead is not None
    dead.delete()
    assert list(tmp_path.iterdir()) == []
    assert DeadJournal.claim(tmp_path / "h") is None


# --- a failing disk --------------------------------------------------------------------------------------


def test_a_disk_that_is_full_at_a_new_segment_is_an_error_and_later_work(tmp_path: Path) -> None:
    """Nothing is appended or half-written; when there is space again the same append works (FM-35, FM-75)."""
    faults = Faults()
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", segment_bytes=SMALL, fault=faults)
    for c in range(1, 51):
        journal.append("a", c, record("a", c))
    faults.fail("store:allocate", errno.ENOSPC)
    for _ in range(3):
        with pytest.raises(StorageError, match="Nothing was appended") as full:
            journal.append("a", 51, record("a", 51, 3000))
        assert (full.value.retry, full.value.op) == (True, "store:allocate")
    assert segments(tmp_path / "h") == ["000001.seg"]
    faults.heal()
    journal.append("a", 51, record("a", 51, 3000))
    journal.close(clean=True)
    dead = read(tmp_path / "h")
    assert dead.records() == [*(record("a", c) for c in range(1, 51)), record("a", 51, 3000)]
    assert dead.damage == []


def test_a_really_full_disk_is_the_same_error(tmp_path: Path) -> None:
    """posix_fallocate refuses before a byte is appended; the half-allocated file is gone (FM-75)."""
    code = """
import resource, sys
from pathlib import Path
from perdure.errors import StorageError
from perdure.store.journal import SegmentJournal
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 20))
journal = SegmentJournal(Path(sys.argv[1]), "host-1", "boot-1", segment_bytes=1 << 17)
try:
    journal.append("a", 1, b"x")
except StorageError as error:
    print(error.op, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
journal.append("a", 1, b"x")
print("appended", flush=True)
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    child = Child(code, tmp_path / "h")
    assert [child.line(), child.line()] == ["store:allocate", "appended"]
    assert child.end() == 0
    assert sorted(path.name for path in (tmp_path / "h").iterdir()) == ["000001.seg", "lock"]
    assert read(tmp_path / "h").records() == [b"x"]


@pytest.mark.parametrize(("number", "retry"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_failed_append_leaves_nothing(tmp_path: Path, number: int, retry: bool) -> None:
    """An append either happened or did not (FM-75)."""
    faults = Faults()
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", fault=faults)
    journal.append("a", 1, b"one")
    faults.fail("store:append", number)
    with pytest.raises(StorageError) as failed:
        journal.append("a", 2, b"two")
    assert failed.value.retry is retry
    faults.heal()
    journal.append("a", 2, b"two again")
    journal.close()
    assert read(tmp_path / "h").records() == [b"one", b"two again"]


def test_a_failed_sync_stops_the_journal_for_good(tmp_path: Path) -> None:
    """After fdatasync failed nobody knows what is on the disk: no second try, no more appends (FM-75)."""
    faults = Faults()
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", fault=faults)
    journal.append("a", 1, b"one")
    faults.fail("store:sync", errno.EIO)
    with pytest.raises(StorageError) as failed:
        journal.sync()
    assert failed.value.retry is False
    faults.heal()
    calls = len(faults.seen)
    for attempt in (journal.sync, lambda: journal.append("a", 2, b"two"), lambda: journal.close(clean=True)):
        with pytest.raises(StorageError, match="takes no more"):
            attempt()
    assert faults.seen[calls:] == []
    dead = read(tmp_path / "h")  # the lock is free: the next host recovers from what is there
    assert (dead.records(), dead.clean) == ([b"one"], False)


def test_a_sync_covers_segments_that_filled_up_since_the_last(tmp_path: Path) -> None:
    """Each segment written since the last sync is synced, each once, and the folder if there are new ones (FM-87)."""
    faults = Faults()
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", segment_bytes=SMALL, fault=faults)
    for c in range(1, 301):
        journal.append("a", c, record("a", c))
    journal.sync()
    expected = len(segments(tmp_path / "h")) + 1
    assert faults.seen.count("store:sync") == expected > 4
    journal.sync()
    assert faults.seen.count("store:sync") == expected + 1
    journal.close()


def test_appends_and_bases_go_on_beside_a_sync(tmp_path: Path) -> None:
    """`sync` in a worker, the rest in the host's thread: nothing fails, nothing is lost, no descriptor stays."""
    journal = SegmentJournal(tmp_path / "h", "host-1", "boot-1", segment_bytes=SMALL)
    journal.append("a", 0, b"")
    descriptors = len(os.listdir("/proc/self/fd"))
    done = threading.Event()

    def sync_on() -> int:
        rounds = 0
        while not done.is_set() or rounds == 0:
            journal.sync()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(1) as pool:
        syncs = pool.submit(sync_on)
        for c in range(1, 6001):
            journal.append("a", c, record("a", c))
            if c % 500 == 0:
                journal.based("a", c - 250)
        done.set()
        assert syncs.result(timeout=30) > 0
    journal.based("a", 5900)
    journal.sync()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    journal.close(clean=True)
    dead = read(tmp_path / "h")
    assert dead.damage == []
    assert dead.records()[-100:] == [record("a", c) for c in range(5901, 6001)]


def test_a_journal_that_cannot_be_created_leaves_no_folder(tmp_path: Path) -> None:
    """A parent that is missing, or a disk that fails: no half of a journal."""
    with pytest.raises(StorageError, match="There is none"):
        SegmentJournal(tmp_path / "missing" / "h", "host-1", "boot-1")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ContractError, match="400 bytes"):
        SegmentJournal(tmp_path / "h", "host" * 200, "boot-1")
    assert list(tmp_path.iterdir()) == []


def test_a_copied_journal_reads_the_same(tmp_path: Path) -> None:
    """A journal is its files: a backup of the folder can be read elsewhere, its lock is free there."""
    records = filled(tmp_path / "h", 10)
    shutil.copytree(tmp_path / "h", tmp_path / "copy")
    (tmp_path / "copy" / "lock").unlink()
    dead = read(tmp_path / "copy")
    assert (dead.records(), dead.host) == (records, "host-1")
