"""Following a journal whose writer lives: every record once, in order, and nothing before it is whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.errors import StorageError
from perdure.store.journal import SegmentJournal
from perdure.store.segments import FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES, crc32c, frame
from perdure.store.tail import CHUNK_BYTES, JournalTail, snapshot
from tests.store.faulty import Child, Faults

SMALL = 4096
PRESENT = 1500
"""Bytes of a record of which two fit into a small segment."""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SegmentJournal]:
    """An empty journal with small segments."""
    journal = SegmentJournal(tmp_path / "h", "h", "boot-1", segment_bytes=SMALL)
    yield journal
    journal.close()


@pytest.fixture
def tail(tmp_path: Path, journal: SegmentJournal) -> Iterator[JournalTail]:
    """One that follows it from the beginning."""
    tail = JournalTail(tmp_path / "h", 0, 0)
    yield tail
    tail.close()


def record(c: int, size: int = PRESENT) -> bytes:
    return f"{c}:".encode().ljust(size, b".")


def fill(journal: SegmentJournal, *numbers: int, room: str = "a") -> list[bytes]:
    records = [record(c) for c in numbers]
    for c, data in zip(numbers, records, strict=True):
        journal.append(room, c, data)
    return records


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "h").glob("*.seg"))


def write_at(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


# -- reading ---------------------------------------------------------------------------------------------


def test_what_is_appended_is_read_once(journal: SegmentJournal, tail: JournalTail) -> None:
    """A journal without a segment has nothing, and neither has one in which nothing is new."""
    assert journal.position() == tail.position == (0, 0)
    assert tail.read() == []
    records = fill(journal, 1, 2)
    assert (tail.read(), tail.read()) == (records, [])
    assert tail.position == journal.position()


def test_reading_goes_over_to_the_next_segments(tmp_path: Path, journal: SegmentJournal, tail: JournalTail) -> None:
    """The next segment's head says where the one before was full."""
    records = fill(journal, *range(1, 8))
    assert len(segments(tmp_path)) == 4
    assert tail.read() == records


def test_a_budget_bounds_what_is_read_at_once(journal: SegmentJournal, tail: JournalTail) -> None:
    """The rest comes with the next calls."""
    records = fill(journal, *range(1, 8))
    assert [tail.read(3), tail.read(3), tail.read(3), tail.read(3)] == [records[:3], records[3:6], records[6:], []]


def test_a_reader_may_begin_at_any_position(tmp_path: Path, journal: SegmentJournal) -> None:
    """What lies before the position is not read."""
    fill(journal, 1, 2, 3)
    tail = JournalTail(tmp_path / "h", *journal.position())
    records = fill(journal, 4, 5)
    assert tail.read() == records
    tail.close()


def test_records_larger_than_what_is_read_at_once_are_read(journal: SegmentJournal, tail: JournalTail) -> None:
    """A record may be as large as its room."""
    records = [b"", os.urandom(3 * CHUNK_BYTES), b"x" + bytes(100), os.urandom(CHUNK_BYTES)]
    for c, data in enumerate(records, 1):
        journal.append("a", c, data)
    assert tail.read() == records


def test_the_records_of_another_process_are_read_while_it_appends(tmp_path: Path) -> None:
    """No lock is taken and none is needed; the writer's death is no reason to stop reading."""
    child = Child(
        "import sys, pathlib\n"
        "from perdure.store.journal import SegmentJournal\n"
        "journal = SegmentJournal(pathlib.Path(sys.argv[1]), 'h', 'b', segment_bytes=65536)\n"
        "print('ready', flush=True)\n"
        "for c in range(1, 5001):\n"
        "    journal.append('a', c, b'%d' % c + b'.' * (c % 400))\n"
        "print(*journal.position(), flush=True)\n"
        "sys.stdin.readline()\n",
        tmp_path / "h",
    )
    assert child.line() == "ready"
    tail = JournalTail(tmp_path / "h", 0, 0)
    found: list[bytes] = []
    while len(found) < 2000:
        found += tail.read()
    segment, end = map(int, child.line().split())
    found += tail.upto(segment, end)
    child.kill()
    assert found == [b"%d" % c + b"." * (c % 400) for c in range(1, 5001)]
    assert tail.read() == []
    tail.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["append", "read", "upto", "based", "keep"]), st.integers(0, 3000))))
def test_a_reader_sees_what_was_appended_and_nothing_else(steps: list[tuple[str, int]]) -> None:
    """Whatever is appended, read, named and removed in between: the list of records, in order (FM-87)."""
    with tempfile.TemporaryDirectory() as folder:
        journal = SegmentJournal(Path(folder) / "h", "h", "b", segment_bytes=SMALL)
        journal.keep(True)
        tail = JournalTail(Path(folder) / "h", 0, 0)
        appended: list[bytes] = []
        seen: list[bytes] = []
        for what, number in steps:
            match what:
                case "append":
                    appended.append(b"%d:" % len(appended) + bytes(number))
                    journal.append("a", len(appended), appended[-1])
                case "read":
                    seen += tail.read(number % 5 or None)
                case "upto":
                    seen += tail.upto(*journal.position())
                    assert seen == appended
                case "based":
                    journal.based("a", number % (len(appended) + 1))
                case "keep":  # what the reader has read may go
                    seen += tail.read()
                    journal.keep(False)
                    journal.keep(True)
            assert seen == appended[: len(seen)]
        assert seen + tail.upto(*journal.position()) == appended
        tail.close()
        journal.close()


# -- half written, damaged, removed --------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 10, FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + 1, -1])
def test_a_half_copied_frame_is_not_there_yet(
    tmp_path: Path, journal: SegmentJournal, tail: JournalTail, cut: int
) -> None:
    """(FM-36) Its writer is in the middle of it, from whichever end: it is read once it is whole."""
    records = fill(journal, 1)
    assert tail.read() == records
    _, at = journal.position()
    late = frame(crc32c(b"a"), record(2))
    for half in (late[:cut].ljust(len(late), b"\0"), late[cut:].rjust(len(late), b"\0")):
        write_at(tmp_path / "h" / "000001.seg", at, half)
        assert tail.read() == []
        assert tail.position == (1, at)
    assert fill(journal, 2) == tail.read()


def test_a_half_copied_frame_before_a_position_that_was_named_is_damage(
    tmp_path: Path, journal: SegmentJournal, tail: JournalTail
) -> None:
    """(FM-74) The writer says that the record is there. What was good before it is not lost."""
    records = fill(journal, 1, 2)
    at = SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES + PRESENT
    path = tmp_path / "h" / "000001.seg"
    good = path.read_bytes()
    write_at(path, at + 30, b"\xff")
    with pytest.raises(StorageError, match=f"damaged at byte {at}"):
        tail.upto(*journal.position())
    write_at(path, at + 30, good[at + 30 : at + 31])
    assert tail.upto(*journal.position()) == records


def test_a_half_copied_frame_before_the_next_segment_is_damage(
    tmp_path: Path, journal: SegmentJournal, tail: JournalTail
) -> None:
    """(FM-74) The next segment's head names the end of the one before."""
    fill(journal, 1, 2)
    _, end = journal.position()
    fill(journal, 3)
    write_at(tmp_path / "h" / "000001.seg", end - 1, b"\xff")
    with pytest.raises(StorageError, match="damaged"):
        tail.read()


def test_a_position_inside_a_record_is_damage(journal: SegmentJournal, tail: JournalTail) -> None:
    """(FM-74) A position that was named lies between two records."""
    fill(journal, 1, 2)
    segment, end = journal.position()
    with pytest.raises(StorageError, match="damaged"):
        tail.upto(segment, end - 1)


def test_a_position_that_was_read_already_has_nothing_new(journal: SegmentJournal, tail: JournalTail) -> None:
    """Other rooms' records may have come after it."""
    assert tail.upto(0, 0) == []
    fill(journal, 1, 2)
    named = journal.position()
    fill(journal, 3, 4, 5)
    tail.read()
    assert tail.upto(*named) == []


def test_a_position_beyond_all_segments_is_an_error(journal: SegmentJournal, tail: JournalTail) -> None:
    """(FM-36) What the writer named has to be there."""
    records = fill(journal, 1)
    segment, _ = journal.position()
    with pytest.raises(StorageError, match=r"000002.seg is not there .* Prepare again"):
        tail.upto(segment + 1, 1000)
    assert tail.read() == records


def test_a_segment_that_is_removed_while_it_is_read_stays_readable(
    tmp_path: Path, journal: SegmentJournal, tail: JournalTail
) -> None:
    """Whoever has it open has it."""
    records = fill(journal, *range(1, 5))
    assert tail.read(1) == records[:1]
    journal.based("a", 2)
    assert segments(tmp_path) == ["000002.seg"]
    assert tail.read() == records[1:]


def test_a_segment_that_is_removed_before_it_was_opened_is_an_error(
    tmp_path: Path, journal: SegmentJournal, tail: JournalTail
) -> None:
    """A gap is never passed over in silence (FM-74)."""
    records = fill(journal, *range(1, 6))
    assert tail.read(2) == records[:2]
    journal.based("a", 4)
    assert segments(tmp_path) == ["000003.seg"]
    with pytest.raises(StorageError, match="Prepare again"):
        tail.read()
    with pytest.raises(StorageError, match=r"000001.seg is not there"):
        JournalTail(tmp_path / "h", 1, SEGMENT_HEADER_BYTES)


def test_a_journal_that_was_removed_is_an_error(tmp_path: Path, journal: SegmentJournal, tail: JournalTail) -> None:
    """There is nothing to wait for."""
    journal.close()
    (tmp_path / "h").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="Prepare again"):
        tail.read()


# -- the writer's side ----------------------------------------------------------------------------------------


def test_nothing_is_removed_while_somebody_follows(tmp_path: Path, journal: SegmentJournal) -> None:
    """What became unneeded is removed when nobody does any more."""
    journal.keep(True)
    fill(journal, *range(1, 6))
    journal.based("a", 4)
    fill(journal, 6, 7)
    assert segments(tmp_path) == [f"00000{number}.seg" for number in (1, 2, 3, 4)]
    journal.keep(False)
    assert segments(tmp_path) == ["000003.seg", "000004.seg"]


def test_a_segment_that_came_to_nothing_is_never_seen(tmp_path: Path) -> None:
    """(FM-75) A full disk at the segment's allocation leaves the journal, and whoever follows it, as they were."""
    faults = Faults()
    journal = SegmentJournal(tmp_path / "h", "h", "b", segment_bytes=SMALL, fault=faults)
    tail = JournalTail(tmp_path / "h", 0, 0)
    records = fill(journal, 1, 2)
    faults.fail("store:allocate", 28)
    with pytest.raises(StorageError):
        fill(journal, 3)
    journal.append("a", 3, b"small")
    assert tail.read() == [*records, b"small"]
    faults.heal()
    assert fill(journal, 4) == tail.read()
    tail.close()
    journal.close()


def test_a_snapshot_has_the_whole_records_with_their_rooms(tmp_path: Path, journal: SegmentJournal) -> None:
    """A journal is read as it is now, a record that is being written left out (FM-74)."""
    records = [(crc32c(room.encode()), data) for room in "ab" for data in fill(journal, 1, 2, 3, room=room)]
    number, at = journal.position()
    write_at(tmp_path / "h" / f"{number:06}.seg", at, frame(1, b"half")[:-1])
    assert list(snapshot(tmp_path / "h")) == records
    journal.based("a", 3)
    assert list(snapshot(tmp_path / "h")) == records[2:]
