"""Owner rows: compare-and-set between processes, and nothing ever goes back."""

import errno
import os
import sqlite3
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, multiple, rule

from perdure.errors import ClaimLost, ConfigError, StorageError
from perdure.ports import Aside, Claim, Owner
from perdure.store.owners import SqliteOwners
from tests.store.faulty import Child, Faults


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "owners.db"


def test_a_claim_raises_the_epoch_and_keeps_the_history(path: Path) -> None:
    """1 for the first, one more each time; every row stays, with the callback from which it counted."""
    owners = SqliteOwners(path)
    assert (owners.read("a"), owners.history("a"), owners.rooms()) == (None, [], {})
    first = owners.claim("a", None, "host-1", 0, 0)
    second = owners.claim("a", first, "host-2", 41, 1)
    other = owners.claim("b", None, "host-2", 0, 0)
    assert (first, second) == (Owner(1, "host-1", 0, 0), Owner(2, "host-2", 41, 1))
    assert owners.read("a") == second
    assert owners.history("a") == [first, second]
    assert owners.rooms() == {"a": second, "b": other}
    assert [sorted(owners.owned(host)) for host in ("host-1", "host-2", "host-3")] == [["a"], ["a", "b"], []]


def test_many_rooms_are_claimed_together_or_not_at_all(path: Path) -> None:
    """A host that recovers takes its rooms in one transaction; if one is somebody else's by now, none is taken."""
    owners = SqliteOwners(path)
    first = owners.claim("a", None, "host-1", 0, 0)
    with pytest.raises(ClaimLost, match="'a'"):
        owners.claim_all([Claim("b", None, 0, 0), Claim("a", None, 5, 0)], "host-2")
    assert owners.rooms() == {"a": first}
    rows = owners.claim_all([Claim("b", None, 0, 0), Claim("a", first, 5, 1)], "host-2")
    assert rows == [Owner(1, "host-2", 0, 0), Owner(2, "host-2", 5, 1)]
    assert owners.rooms() == {"a": rows[1], "b": rows[0]}


def test_a_claim_by_whoever_has_not_seen_the_last_one_is_lost(path: Path) -> None:
    """The stale owner cannot write (P6): the row is unchanged, and the error says whose the room is."""
    owners = SqliteOwners(path)
    first = owners.claim("a", None, "host-1", 0, 0)
    second = owners.claim("a", first, "host-2", 3, 0)
    for stale in (None, first, Owner(2, "host-3", 3, 0), Owner(2, "host-2", 4, 0)):
        with pytest.raises(ClaimLost, match="host-2"):
            owners.claim("a", stale, "host-9", 5, 0)
    assert owners.history("a") == [first, second]


RACER = """
import sys
from pathlib import Path
from perdure.errors import ClaimLost
from perdure.store.owners import SqliteOwners
owners = SqliteOwners(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    room = line.strip()
    expected = owners.read(room)
    print("read", flush=True)
    sys.stdin.readline()
    try:
        owners.claim(room, expected, sys.argv[2], 0, 0)
        print("won", flush=True)
    except ClaimLost:
        print("lost", flush=True)
"""


def test_of_two_processes_that_claim_one_room_exactly_one_wins(path: Path) -> None:
    """Both have read the same row before either claims (I1)."""
    owners = SqliteOwners(path)
    racers = [Child(RACER, path, f"host-{number}") for number in (1, 2)]
    assert [racer.line() for racer in racers] == ["ready", "ready"]
    for number in range(25):
        room = f"room-{number % 2}"
        before = owners.read(room)
        for racer in racers:
            racer.say(room)
        assert [racer.line() for racer in racers] == ["read", "read"]
        for racer in racers:
            racer.say("go")
        outcomes = [racer.line() for racer in racers]
        assert sorted(outcomes) == ["lost", "won"]
        after = owners.read(room)
        assert after is not None
        assert after.host == f"host-{outcomes.index('won') + 1}"
        assert after.epoch == (before.epoch if before else 0) + 1
    assert [racer.end() for racer in racers] == [0, 0]


def test_claims_at_the_same_instant_end_in_one_winner_and_no_other_error(path: Path) -> None:
    """A claimer that must wait for another's transaction reads the row after it: lost, never "try again"."""
    claimers = [SqliteOwners(path), SqliteOwners(path)]
    start = threading.Barrier(2)

    def claim_all(number: int) -> list[str]:
        outcomes = []
        for round in range(200):
            start.wait(timeout=30)
            try:
                claimers[number].claim(f"room-{round}", None, f"host-{number}", 0, 0)
                outcomes.append("won")
            except ClaimLost:
                outcomes.append("lost")
        return outcomes

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(claim_all, range(2)))
    assert all(sorted(outcome) == ["lost", "won"] for outcome in zip(*both, strict=True))


CLAIMER = """
import sys
from pathlib import Path
from perdure.store.owners import SqliteOwners
def fault(name):
    print(name, flush=True)
    sys.stdin.readline()
SqliteOwners(Path(sys.argv[1]), fault).claim("a", None, "host-1", 0, 0)
"""


def test_a_claimer_killed_before_its_commit_has_claimed_nothing(path: Path) -> None:
    """A transaction cut short is not there, and holds nobody up."""
    child = Child(CLAIMER, path)
    assert child.line() == "store:owner-commit"
    child.kill()
    owners = SqliteOwners(path)
    assert owners.read("a") is None
    assert owners.claim("a", None, "host-2", 0, 0).epoch == 1


@pytest.mark.parametrize(("number", "retry"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_disk_that_fails_at_the_commit_leaves_the_row(path: Path, number: int, retry: bool) -> None:
    """The claim did not happen; the same claim works once the disk does (FM-75)."""
    faults = Faults()
    owners = SqliteOwners(path, faults)
    first = owners.claim("a", None, "host-1", 0, 0)
    faults.fail("store:owner-commit", number)
    with pytest.raises(StorageError, match="Nothing of it was stored") as failed:
        owners.claim("a", first, "host-2", 1, 0)
    assert failed.value.retry is retry
    assert owners.read("a") == first
    faults.heal()
    assert owners.claim("a", first, "host-2", 1, 0).epoch == 2


def test_rows_survive_the_process(path: Path) -> None:
    """Owner rows, rooms put aside and counters are what the next process reads."""
    owners = SqliteOwners(path)
    row = owners.claim("a", None, "host-1", 0, 0)
    aside = Aside("a", "killed its host twice", c=9, session="s", j=1, n=4, since_us=5)
    owners.put(aside)
    assert owners.gateway_epoch("gateway") == 1
    owners.close()
    again = SqliteOwners(path)
    assert (again.read("a"), again.all()) == (row, {"a": aside})
    assert again.gateway_epoch("gateway") == 2


def test_rooms_are_put_aside_until_somebody_takes_them_off_the_list(path: Path) -> None:
    """A later reason replaces an earlier one; taking off what is not there is fine (FM-78)."""
    owners = SqliteOwners(path)
    owners.put(Aside("a", "first"))
    owners.put(Aside("b", "damage"))
    owners.put(Aside("a", "second", n=3))
    assert owners.all() == {"a": Aside("a", "second", n=3), "b": Aside("b", "damage")}
    owners.remove("a")
    owners.remove("a")
    assert list(owners.all()) == ["b"]


def test_counters_only_rise_each_for_itself(path: Path) -> None:
    """Two processes of one gateway's name never get the same epoch."""
    one, two = SqliteOwners(path), SqliteOwners(path)
    assert [one.gateway_epoch("g"), two.gateway_epoch("g"), one.gateway_epoch("other")] == [1, 2, 1]
    assert [two.count_up("x"), one.count_up("x")] == [1, 2]


def test_every_commit_is_synced_and_there_is_no_write_ahead_log(path: Path) -> None:
    """A byte flipped in a write-ahead log silently costs every commit behind it."""
    owners = SqliteOwners(path)
    owners.claim("a", None, "host-1", 0, 0)
    with owners._database.read("test") as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["owners.db", "owners.db-journal"]
    assert os.stat(path).st_mode & 0o077 == 0


def test_a_newer_file_is_refused_unchanged(path: Path) -> None:
    """Going back to an older Perdure is told plainly."""
    SqliteOwners(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="format 99"):
        SqliteOwners(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(path: Path) -> None:
    """Garbage under the name is named, and left for the operator (FM-35)."""
    path.write_bytes(b"this is no database at all, for sure" * 50)
    with pytest.raises(StorageError, match="not a database"):
        SqliteOwners(path)


class OwnerRows(RuleBasedStateMachine):
    """Against a model: a dictionary of lists."""

    rows: Bundle[Owner] = Bundle("rows")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.owners = SqliteOwners(Path(self.folder.name) / "owners.db")
        self.model: dict[str, list[Owner]] = {}

    @rule(target=rows, room=st.sampled_from("ab"), expected=st.none() | rows, host=st.sampled_from("hk"))
    def claim(self, room: str, expected: Owner | None, host: str) -> MultipleResults[Owner] | Owner:
        history = self.model.setdefault(room, [])
        current = history[-1] if history else None
        try:
            claimed = self.owners.claim(room, expected, host, len(history), 0)
        except ClaimLost:
            assert current != expected
            return multiple()
        assert current == expected
        history.append(claimed)
        assert [row.epoch for row in history] == list(range(1, len(history) + 1))
        assert self.owners.history(room) == history
        return claimed

    def teardown(self) -> None:
        self.owners.close()
        self.folder.cleanup()


OwnerRows.TestCase.settings = settings(max_examples=20, stateful_step_count=15)
test_any_sequence_of_claims_is_what_compare_and_set_allows = OwnerRows.TestCase
