"""Taking a room: recovered, claimed by compare-and-set, and grounded on a base before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.errors import ClaimLost
from perdure.ports import Owner
from perdure.room.tables import Row, TableSpec
from perdure.store.journal import SegmentJournal
from tests.host.hosting import ANN, Died, Faults, World, began


class Other(Row):
    """Rows that nothing of the diary fits into."""

    lines: dict[str, int] = {}  # noqa: RUF012  (a struct copies it for every row)


def rival_claims(world: World) -> None:
    owners = world.owners()
    row = owners.read("hall")
    owners.claim("hall", row, "rival", row.from_c if row else 0, 0)
    owners.close()


def test_a_new_room_has_an_owner_and_a_base_before_it_runs(tmp_path: Path) -> None:
    """Its records have a ground, whatever happens next."""
    world = World(tmp_path)
    with world.life(start=False) as life:
        assert life.owners.read("hall") == Owner(1, "host-1", 0, 0)
        assert len(world.bases("hall")) == 1
        assert life.diary() == []


def test_of_two_that_take_a_new_room_one_gets_it(tmp_path: Path) -> None:
    """(I1) The row is not what the second expected; it is unchanged, and no base of the loser exists."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"})
    del world.rooms["hall"]
    with world.life(start=False) as life:
        world.rooms["hall"] = "toy"

        def overtaken(size: int) -> bytes:
            rival_claims(world)
            return bytes(size)

        with pytest.raises(ClaimLost):
            life.taker(overtaken).take("hall")
        assert life.owners.read("hall") == Owner(1, "rival", 0, 0)
        assert not (tmp_path / "blobs" / "hall").exists()


def test_of_two_that_recover_a_room_one_gets_it(tmp_path: Path) -> None:
    """(I1, FM-37) Somebody claims while the records are read: the reader looks again, and then takes it."""
    world = World(tmp_path)
    began(world)[0].crash()
    faults, rivals = Faults(), [rival_claims]
    faults.gates["host:recover-read"] = lambda: rivals.pop()(world) if rivals else None
    with world.life(faults=faults) as life:
        assert life.running().room.epoch == 3
        assert life.owners.history("hall")[1:] == [Owner(2, "rival", 0, 0), Owner(3, "host-2", 0, 0)]


def test_a_room_that_others_take_again_and_again_is_left_to_them(tmp_path: Path) -> None:
    """(I1, FM-37) The copy is dropped, the row is theirs, and the other rooms are taken."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"})
    began(world)[0].crash()
    faults = Faults()
    faults.gates["host:recover-read"] = lambda: rival_claims(world)
    with world.life(faults=faults) as life:
        assert list(life.host.rooms) == ["yard"]
        assert life.report["rooms"] == 1
        row = life.owners.read("hall")
        assert row is not None
        assert row.host == "rival"


def test_a_living_host_that_is_quicker_keeps_the_room(tmp_path: Path) -> None:
    """(I1, FM-37) Whoever claims while the records are read, and lives, has it: nobody claims it from them."""
    world = World(tmp_path)
    began(world)[0].crash()
    faults, rivals = Faults(), [rival_claims]
    faults.gates["host:recover-read"] = lambda: rivals.pop()(world) if rivals else None
    rival = SegmentJournal(tmp_path / "journal" / "rival", "rival", "boot-1")
    with world.life(faults=faults) as life:
        assert (life.host.rooms, life.report["aside"]) == ({}, [])
        assert life.owners.read("hall") == Owner(2, "rival", 0, 0)
    rival.close()


def test_recovering_again_and_again_doubles_nothing(tmp_path: Path) -> None:
    """(FM-27, FM-89) Each host dies right after its claims, before any base: the same records are booked again."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.type("one", "two")
    diary = life.diary()
    life.crash()
    for epoch in range(2, 6):
        with world.life(start=False) as life:
            assert life.diary() == diary
            assert life.owners.read("hall") == Owner(epoch, f"host-{epoch}", 4, 0)
            assert life.report["records"] == 4
    with world.life() as life:
        gateway.connect(life)
        gateway.type("three")
        assert life.diary() == [*diary, "three"]
        assert gateway.read[ANN] == [f"join {ANN}", "one", "two", "three"]


@pytest.mark.parametrize(
    "point", ["store:owner-commit", "host:recover-claimed", "store:blob-write", "store:blob-rename"]
)
def test_a_new_room_whose_first_host_dies_while_it_is_made_is_made_by_the_next(tmp_path: Path, point: str) -> None:
    """(FM-31) Between the claim and the first base there is nothing to lose, and nothing that blocks."""
    world = World(tmp_path)
    faults = Faults()
    faults.die_at = point, 0
    with pytest.raises(Died):
        world.life(faults=faults)
    with world.life() as life:
        assert life.diary() == ["start"]
        assert (life.running().room.branch, life.report["aside"]) == (0, [])


@pytest.mark.parametrize("point", ["host:boot", "host:recover-read", "host:recover-claimed"])
def test_a_recovery_that_dies_is_done_again_by_the_next(tmp_path: Path, point: str) -> None:
    """(FM-31) Crash table, "H dies": the next claimer does the same again."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.type("one")
    diary = life.diary()
    life.crash()
    faults = Faults()
    faults.die_at = point, 0
    if point != "host:boot":  # passed by the process, before there is a host
        with pytest.raises(Died):
            world.life(faults=faults)
    with world.life() as life:
        assert life.diary() == diary
        gateway.connect(life)
        gateway.type("two")
        assert gateway.read[ANN][1:] == ["one", "two"]


def test_rows_that_the_code_cannot_read_put_the_room_aside_until_it_can(tmp_path: Path) -> None:
    """(FM-21) The owner row and the rows are untouched; the code that wrote them takes the room back as it was."""
    world = World(tmp_path)
    life, _ = began(world)
    diary = life.diary()
    life.stop()
    known = world.toy.tables
    world.toy.tables = {"toy.diary": TableSpec("toy.diary", Other)}
    with world.life() as life:
        assert life.report["aside"] == ["hall"]
        assert life.owners.read("hall") == Owner(1, "host-1", 0, 0)
    world.toy.tables = known
    with world.life() as life:
        life.call(lambda: life.operators.resume("hall", skip_input=False))
        assert (life.diary(), life.running().room.branch) == (diary, 0)
        assert life.owners.all() == {}


def test_a_discarded_room_begins_anew_where_its_history_was(tmp_path: Path) -> None:
    """The numbers of callbacks go on, on a new branch: nothing of the old state comes back, whatever dies next."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.type("one")
    c = life.running().room.c
    life.call(life.operators.discard, "hall")
    room = life.running().room
    assert (life.diary()[0], room.epoch, room.branch, room.c > c) == ("start", 2, 1, True)
    assert "one" not in life.diary()
    life.crash()
    with world.life() as life:
        assert "one" not in life.diary()
        assert life.running().room.branch == 1
