"""One state folder, two programs: until a copyover has committed, the old one reads whatever the new one wrote.

The old program is the frozen one, or the present one beside an imagined next one whose owner database has
another table.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, ClassVar

import pytest

from perdure.errors import ConfigError
from perdure.ports import Owner
from perdure.store.database import Database
from perdure.store.files import StateDir
from perdure.store.owners import SqliteOwners
from perdure.versions import OWNERS, Versions
from tests.versions.programs import ANN, NOW, V1, Side, World

PAIRS = [(NOW, V1), (V1, NOW)]


class NextOwners(SqliteOwners):
    """The owner database as a next release might have it."""

    schema: ClassVar[tuple[str, ...]] = (
        *SqliteOwners.schema,
        "CREATE TABLE IF NOT EXISTS lease (host TEXT PRIMARY KEY, until_us INTEGER NOT NULL) WITHOUT ROWID",
    )
    versions: ClassVar[Versions] = Versions(OWNERS.highest, OWNERS.highest + 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "owners.db"


def format_of(path: Path) -> int:
    """The schema's version, as the file says."""
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def test_a_file_of_the_schema_before_is_used_and_not_upgraded(path: Path) -> None:
    """A successor opens it beside the old program, both claim rooms, the file stays the old one's (FM-31, FM-97)."""
    old = SqliteOwners(path)
    row = old.claim("hall", None, "host-1", 0, 0)
    new = NextOwners(path)
    assert new.read("hall") == row
    mine = new.claim("hall", row, "host-2", 5, 0)
    assert old.read("hall") == mine == Owner(2, "host-2", 5, 0)
    assert old.claim("arena", None, "host-1", 0, 0) == new.read("arena")
    assert format_of(path) == OWNERS.highest
    assert SqliteOwners(path).rooms() == new.rooms()


def test_after_the_upgrade_old_programs_are_refused_and_open_ones_go_on(path: Path) -> None:
    """The supervisor and a draining host keep what they have open; a start of the old program says why not (FM-31)."""
    old, frozen, new = SqliteOwners(path), V1.module("store.owners").SqliteOwners(path), NextOwners(path)
    row = old.claim("hall", None, "host-1", 0, 0)
    new.upgrade()
    new.upgrade()
    mine = new.claim("hall", row, "host-2", 5, 0)
    assert old.read("hall") == mine
    assert frozen.claim("arena", None, "host-1", 0, 0).epoch == 1
    assert (old.count_up("build"), frozen.count_up("build"), new.count_up("build")) == (1, 2, 3)
    for opens, refused in ((SqliteOwners, ConfigError), (type(frozen), V1.errors.ConfigError)):
        before = path.read_bytes()
        with pytest.raises(refused, match=f"has format {OWNERS.highest + 1}"):
            opens(path)
        assert path.read_bytes() == before


def test_an_upgrade_that_is_cut_short_leaves_the_old_schema(path: Path) -> None:
    """All of it or nothing: the old program opens what is left (FM-31, FM-34)."""
    SqliteOwners(path).close()
    broken = Database(path, (*NextOwners.schema, "CREATE NONSENSE"), NextOwners.versions)
    with pytest.raises(Exception, match="upgrade failed"):
        broken.upgrade()
    assert SqliteOwners(path).rooms() == {}
    assert format_of(path) == OWNERS.highest


def test_an_upgrade_below_a_newer_program_is_refused(path: Path) -> None:
    """Somebody else has brought the file further since it was opened: it is not brought back."""
    old = SqliteOwners(path)
    NextOwners(path).upgrade()
    with pytest.raises(ConfigError, match=f"has format {OWNERS.highest + 1}"):
        old.upgrade()
    assert format_of(path) == OWNERS.highest + 1


def test_a_file_from_before_the_version_before_is_refused(path: Path) -> None:
    """It would lack tables; nothing is guessed."""
    SqliteOwners(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version={OWNERS.lowest - 1}")
    connection.close()
    with pytest.raises(ConfigError, match=f"has format {OWNERS.lowest - 1}"):
        SqliteOwners(path)


@pytest.fixture(params=PAIRS, ids=lambda pair: "-".join(map(repr, pair)))
def pair(request: pytest.FixtureRequest) -> tuple[Side, Side]:
    found: tuple[Side, Side] = request.param
    return found


def test_owner_rows_are_shared_between_programs(pair: tuple[Side, Side], path: Path) -> None:
    """Both have the file open; each sees what the other claims, puts aside, serves and counts (FM-97)."""
    one, other = (side.module("store.owners").SqliteOwners(path) for side in pair)
    row = one.claim("hall", None, "host-1", 0, 0)
    assert tuple_of(other.claim("hall", other.read("hall"), "host-2", 3, 0)) == (2, "host-2", 3, 0)
    with pytest.raises(pair[0].errors.ClaimLost):
        one.claim("hall", row, "host-1", 3, 0)
    one.put(pair[0].module("ports").Aside("hall", "why", 3, ANN, 1, 2, 9))
    assert other.all()["hall"].reason == "why"
    other.set_generation("talk", "abc")
    other.set_trial("talk", "def")
    assert (one.generations("talk"), one.trial("talk")) == (["abc", "def"], "def")
    assert (one.gateway_epoch("g"), other.gateway_epoch("g")) == (1, 2)


def tuple_of(owner: Any) -> tuple[object, ...]:
    """A row as values."""
    return (owner.epoch, owner.host, owner.from_c, owner.branch)


def test_a_state_folder_of_one_program_is_recovered_by_the_other(pair: tuple[Side, Side], tmp_path: Path) -> None:
    """Key ring, layout, bases and journal as they lie on disk; damage aside, nothing is missing (FM-21, FM-31)."""
    writer, reader = pair
    state = writer.module("store.files").StateDir.open(tmp_path / "state", entropy=lambda size: bytes(range(size)))
    world = World(writer, (writer,))
    for number in range(5):
        world.types(ANN, f"say#{number}")
    world.settled()
    blobs = writer.module("store.blobs")
    journal = writer.module("store.journal").SegmentJournal(
        state.journal / "host-1", "host-1", "boot", segment_bytes=4096
    )
    for found in writer.segments.walk(bytes(world.host.journal)):
        record = writer.record.decode_record(found.payload)
        journal.append(record.room, record.c, found.payload)
    blobs.FileBlobs(state.blobs).put(blobs.base_key("hall", 1, 0), world.host.bases["hall"])
    journal.close(clean=True)
    state.close()

    found = reader.module("store.files").StateDir.open(tmp_path / "state")
    dead = reader.module("store.journal").DeadJournal.claim(found.journal / "host-1")
    assert (dead.host, dead.boot_id, dead.clean, dead.damage) == ("host-1", "boot", True, [])
    stored = reader.module("store.blobs").FileBlobs(found.blobs)
    (key,) = stored.list("hall")
    assert reader.module("store.blobs").base_of(key) == ("hall", 1, 0)
    opened = reader.seal.open_sealed(stored.get(key), found.keys, body_bytes_max=1 << 20, room="hall")
    room = reader.machine.Room.restore(
        reader.body.read_body(opened.body), "hall", world_talk(reader), c=0, epoch=1, branch=0
    )
    for payload in dead.records():
        room.replay(reader.record.decode_record(payload), payload)
    assert (room.c, room.state_hash()) == (world.host.ends["hall"].room.c, world.host.ends["hall"].room.state_hash())
    dead.close()
    found.close()


def world_talk(side: Side) -> Any:
    """The game, for a program."""
    return World(side, (side,)).host.talk


def test_what_a_successor_leaves_that_dies_before_its_commit_is_the_old_programs_to_clear(
    pair: tuple[Side, Side], tmp_path: Path
) -> None:
    """Its journal holds nothing, in a form that the old program reads (FM-31)."""
    old, new = pair
    state = old.module("store.files").StateDir.open(tmp_path / "state")
    owners = old.module("store.owners").SqliteOwners(state.owners_file)
    owners.claim("hall", None, "host-1", 0, 0)
    boots = new.module("store.files").StateDir.attach(state.path)
    seen = new.module("store.owners").SqliteOwners(boots.owners_file)
    journal = new.module("store.journal").SegmentJournal(boots.journal / "host-2", "host-2", "boot")
    assert seen.read("hall").host == "host-1"
    journal.close()
    seen.close()
    dead = old.module("store.journal").DeadJournal.claim(state.journal / "host-2")
    assert (dead.host, dead.records(), dead.damage) == ("host-2", [], [])
    dead.delete()
    assert old.module("store.owners").SqliteOwners(state.owners_file).read("hall").host == "host-1"
    state.close()


def test_the_present_program_knows_its_own_folder_format(tmp_path: Path) -> None:
    """The frozen program opens it: the format did not change (FM-97)."""
    StateDir.open(tmp_path / "state").close()
    V1.module("store.files").StateDir.open(tmp_path / "state").close()
