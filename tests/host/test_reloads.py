"""Reloads of a game in files, by a host with real stores: what is reported, what serves, what is left behind."""

from __future__ import annotations

import errno
import gc
import weakref
from pathlib import Path

import pytest

from perdure.errors import ContractError, GameError
from perdure.host.library import KEPT
from perdure.movement.order import ReloadOrder
from perdure.movement.plan import RELOAD
from perdure.movement.report import EXIT_DONE, EXIT_NOTHING_CHANGED, EXIT_PARTLY, Orphan, exit_code, lines
from perdure.movement.wording import ADMINS_ONLY
from tests.host.coding import GAME, ITEMS, SHOP, CodeLife, CodeWorld, lived
from tests.host.hosting import ANN, BOB, Died, Faults, Gateway

DEARER = ITEMS.replace("return 5", "return 7")
BROKEN = ITEMS + "def oops(:\n"


def last(life: CodeLife, gateway: Gateway, line: str, session: str = ANN) -> str:
    """What a player reads after typing a line."""
    gateway.type(line, session=session)
    life.until(lambda: not gateway.unacknowledged)
    return gateway.read[session][-1].strip()


def test_a_changed_module_and_what_imports_it_are_new(tmp_path: Path) -> None:
    """Also where a constant or a function was imported by name (FM-45); the state stays."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    assert last(life, gateway, "buy") == "A lamp for 5."
    assert last(life, gateway, "burn") == "2 left."
    world.write(items=DEARER)
    report = life.reload()
    assert (sorted(report.refreshed), report.failed, report.rooms.swapped) == (["items", "shop"], [], 1)
    assert exit_code(report) == EXIT_DONE
    assert [step.name for step in report.steps] == [s.name for s in RELOAD.steps]
    assert last(life, gateway, "burn") == "1 left."
    assert last(life, gateway, "buy") == "A lamp for 7."
    life.crash()


def test_a_broken_file_changes_nothing_and_is_explained(tmp_path: Path) -> None:
    """File, line and message; the old code serves, here and for the next host (FM-42, FM-44)."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    before = life.library.current("village")
    world.write(items=BROKEN)
    report = life.reload()
    (failed,) = report.failed
    assert (failed.module, Path(failed.file).name, failed.line) == ("items", "items.py", len(BROKEN.splitlines()))
    assert not report.changed
    assert report.rooms.swapped == 0
    assert exit_code(report) == EXIT_NOTHING_CHANGED
    assert life.library.current("village") is before
    assert last(life, gateway, "buy") == "A lamp for 5."
    assert [event["kind"] for event in life.events if "reload" in event["kind"]] == ["reload-failed"]
    life.crash()


def test_what_is_good_lands_beside_what_is_broken(tmp_path: Path) -> None:
    """Unless all or nothing was asked for."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    world.write(items=BROKEN, game=GAME.replace("pass", "def join(self, player): player.tell('Hello.')"))
    report = life.reload(atomic=True)
    assert report.failed
    assert not report.changed
    assert exit_code(report) == EXIT_NOTHING_CHANGED
    report = life.reload()
    assert (report.refreshed, [failed.module for failed in report.failed]) == (["game"], ["items"])
    assert exit_code(report) == EXIT_PARTLY
    gateway.join(BOB)
    life.until(lambda: not gateway.unacknowledged)
    assert gateway.read[BOB] == ["Hello.\n"]
    life.crash()


def test_one_module_of_what_is_on_disk_can_be_asked_for(tmp_path: Path) -> None:
    """The others stay as they are; a name that is none is answered with the nearest."""
    life, _gateway = lived(world := CodeWorld(tmp_path))
    world.write(items=DEARER, game=GAME.replace("Village", "Town"))
    assert sorted(life.reload(module="items").refreshed) == ["items", "shop"]
    assert life.library.current("village").collected.game.__name__ == "Village"
    with pytest.raises(ContractError, match="Did you mean items"):
        life.reload(module="itens")
    with pytest.raises(ContractError, match="Did you mean village"):
        life.loop.run_until_complete(life.reloads.reload(ReloadOrder("vilage")))
    life.crash()


def test_a_removed_module_takes_its_commands_along_and_its_rows_return_with_it(tmp_path: Path) -> None:
    """(FM-47)"""
    life, gateway = lived(world := CodeWorld(tmp_path))
    last(life, gateway, "buy")
    world.write(shop=None)
    report = life.reload()
    assert report.removed == ["shop"]
    assert exit_code(report) == EXIT_DONE
    assert "buy" not in last(life, gateway, "help")
    assert last(life, gateway, "burn").startswith("Huh?")
    assert len(life.running().room.cells["shop.lamps"].image()) == 1
    world.write(shop=SHOP)
    assert life.reload().added == ["shop"]
    assert last(life, gateway, "burn") == "2 left."
    life.crash()


def test_a_killed_host_returns_with_the_last_good_code(tmp_path: Path) -> None:
    """What lies on disk then is a reload with a report of its own (FM-43)."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    world.write(items=DEARER)
    life.reload()
    world.write(items=BROKEN)
    life.crash()
    life = world.life()
    gateway.connect(life)
    assert last(life, gateway, "buy") == "A lamp for 7."
    report = life.reload("start")
    assert [failed.module for failed in report.failed] == ["items"]
    assert not report.changed
    assert last(life, gateway, "buy") == "A lamp for 7."
    life.crash()


def test_a_first_start_needs_code_that_loads(tmp_path: Path) -> None:
    """There is no last good code yet."""
    world = CodeWorld(tmp_path)
    world.write(items=BROKEN)
    with pytest.raises(GameError, match=r"items\.py"):
        world.programs()


@pytest.mark.parametrize("step", [step.name for step in RELOAD.steps])
def test_a_host_that_dies_in_a_step_leaves_the_old_code_or_the_new(tmp_path: Path, step: str) -> None:
    """Until it is recorded the old code serves, after it the new one does, and no room is between (P2)."""
    faults = Faults()
    life, gateway = lived(world := CodeWorld(tmp_path), faults=faults)
    last(life, gateway, "buy")
    old = life.library.current("village").generation
    world.write(items=DEARER)
    faults.die_at = (f"reload:{step}", 0)
    with pytest.raises(Died):
        life.reload()
    life = world.life()
    gateway.connect(life)
    serves, runs = life.library.current("village").generation, life.running().program.generation
    assert (serves == old) == (step in ("capture", "build", "store", "record"))
    assert (runs == old) == (step != "retire")
    assert last(life, gateway, "burn") == "2 left."
    life.reload("start")
    assert life.running().program is life.library.current("village")
    assert last(life, gateway, "buy") == "A lamp for 7."
    life.crash()


@pytest.mark.parametrize("step", [step.name for step in RELOAD.steps])
def test_a_step_that_fails_is_told_and_the_next_reload_goes_on(tmp_path: Path, step: str) -> None:
    """The host goes on; nothing is half done that the next reload does not finish."""
    faults = Faults()
    life, gateway = lived(world := CodeWorld(tmp_path), faults=faults)
    world.write(items=DEARER)
    faults.failing[f"reload:{step}"] = errno.EIO
    report = life.reload()
    assert exit_code(report) in (EXIT_NOTHING_CHANGED, EXIT_PARTLY) or step == "retire"
    assert last(life, gateway, "buy") == ("A lamp for 7." if step == "retire" else "A lamp for 5.")
    faults.failing.clear()
    assert life.reload().is_clean
    assert last(life, gateway, "buy") == "A lamp for 7."
    life.crash()


def test_reloads_are_one_after_the_other(tmp_path: Path) -> None:
    """Asked for at once, the second finds that all is done (FM-51)."""
    life, _gateway = lived(world := CodeWorld(tmp_path))
    world.write(items=DEARER)
    tasks = [life.begin_reload(), life.begin_reload("watch"), life.begin_reload()]
    life.until(lambda: all(task.done() for task in tasks))
    assert [bool(task.result().changed) for task in tasks] == [True, False, False]
    life.crash()


def test_old_code_dies_when_no_room_uses_it(tmp_path: Path) -> None:
    """Its classes are collected, and nothing of it is loaded (FM-49)."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    last(life, gateway, "buy")
    kinds = [weakref.ref(kind) for kind in (life.library.current("village").collected.parts[0].kind,)]
    for price in range(3):
        world.write(items=ITEMS.replace("return 5", f"return {price}"))
        assert life.reload().is_clean
        kinds.append(weakref.ref(life.library.current("village").collected.parts[0].kind))
        last(life, gateway, "buy")
    gc.collect()
    assert [kind() is None for kind in kinds] == [True, True, True, False]
    assert len(list(life.library.programs())) == 1
    life.crash()


def test_only_the_last_generations_stay_stored(tmp_path: Path) -> None:
    """And the one that serves is always among them."""
    life, _ = lived(world := CodeWorld(tmp_path))
    for price in range(KEPT + 3):
        world.write(items=ITEMS.replace("return 5", f"return {price + 100}"))
        life.reload()
    stored = {path.name for path in (tmp_path / "blobs" / "_code").iterdir()}
    assert len(stored) == KEPT
    assert life.library.current("village").generation in stored
    life.crash()


BELL = """
from perdure import Module, command
class Bell(Module):
    @command("wind")
    def wind(self, player):
        self.room.after(5, self.ring)
    def ring(self):
        self.say("Ding.")
"""


def test_timers_of_a_removed_module_wait_are_listed_and_can_be_dropped(tmp_path: Path) -> None:
    """They ring when it returns; with a word they are forgotten, also when there is no new code."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    world.write(bell=BELL)
    life.reload()
    gateway.type("wind", "wind")
    life.until(lambda: not gateway.unacknowledged)
    world.write(bell=None)
    (orphan,) = life.reload().orphans
    assert (orphan.handler, orphan.count, orphan.dropped) == ("bell.ring", 2, False)
    life.advance(6)
    (orphan,) = life.reload(drop_orphans=True).orphans
    assert (orphan.handler, orphan.count, orphan.dropped) == ("bell.ring", 2, True)
    world.write(bell=BELL)
    assert life.reload().is_clean
    gateway.type("wind")
    life.until(lambda: not gateway.unacknowledged)
    world.write(bell=None)
    life.reload()
    life.advance(6)
    world.write(bell=BELL)
    life.reload()
    life.pass_until(lambda: "Ding.\n" in gateway.read[ANN])
    assert gateway.read[ANN].count("Ding.\n") == 1
    life.crash()


LAMP_WAITS = """1 row of shop.lamps in 1 room waits, and nothing is lost: the code has no such table."""


def test_rows_that_a_rename_hides_are_told_at_once_and_are_there_again_with_the_name(tmp_path: Path) -> None:
    """Of a class as of a table. A warning, for nothing is lost; a dry run has it, too (FM-47)."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    last(life, gateway, "buy")
    for renamed in (SHOP.replace("class Shop", "class Store"), SHOP.replace("lamps", "lights")):
        world.write(shop=renamed)
        for dry_run in (True, False):
            report = life.reload("watch", dry_run=dry_run)
            assert report.orphans == [Orphan("hall", "shop.lamps", "row")]
            assert any(line.startswith(LAMP_WAITS) for line in lines(report))
            assert exit_code(report) == EXIT_DONE
    world.write(shop=SHOP)
    assert life.reload("watch").orphans == []
    world.write(shop=SHOP.replace("class Shop(Module):", "class Store(Module):\n    stored_as = 'shop'"))
    assert life.reload().orphans == []
    assert last(life, gateway, "burn") == "2 left."
    life.crash()


def test_rows_without_a_table_are_told_again_only_to_who_asks_and_outlast_dropped_orphans(tmp_path: Path) -> None:
    """A table that was removed on purpose is no news with each save; to a host's start it is."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    last(life, gateway, "buy")
    world.write(shop=None)
    life.crash()
    life = world.life()
    waiting = [Orphan("hall", "shop.lamps", "row")]
    assert life.reload("start").orphans == waiting
    assert life.reload(drop_orphans=True).orphans == waiting
    assert life.reload().orphans == waiting
    world.write(items=DEARER)
    assert life.reload("watch").orphans == []
    world.write(items=BROKEN)
    assert life.reload("watch").orphans == []
    world.write(shop=SHOP, items=ITEMS)
    assert life.reload().orphans == []
    assert len(life.running().room.cells["shop.lamps"].image()) == 1
    life.crash()


def test_a_file_that_is_saved_as_it_was_is_reported_once(tmp_path: Path) -> None:
    """Whether it is good or broken; that it is mended is told, too (FM-43)."""
    life, _ = lived(world := CodeWorld(tmp_path))
    for text in (BROKEN, BROKEN, ITEMS, ITEMS):
        world.write(items=text)
        life.reload("watch")
    assert [event["kind"] for event in life.events if event["kind"].startswith("reload")] == [
        "reload-failed",
        "reloaded",
    ]
    life.crash()


TWO = SHOP.replace("class Shop(Module):", "class Shop(Module):\n    version = 2").replace(".oil", ".litres")
LITRES = ITEMS.replace("oil: int = 3", "litres: int = 30")
UP = "\n@migrate(Lamp, 1)\ndef up(row):\n    return {'litres': row['oil'] * 10}\n"
DOWN = "\n@migrate(Lamp, 2, to=1)\ndef down(row):\n    return {'oil': row['litres'] // 10}\n"


def shop_two(*migrations: str) -> str:
    return TWO.replace("Table, command", "Table, command, migrate") + "".join(migrations)


def test_what_would_be_lost_needs_somebodys_word(tmp_path: Path) -> None:
    """Without it nothing changes, and the plan is shown with file and line."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    last(life, gateway, "buy")
    world.write(items=LITRES, shop=shop_two(UP))
    report = life.reload()
    assert "--allow-destructive" in report.failed[0].message
    assert report.failed[0].line > 0
    assert not report.rooms.swapped
    assert last(life, gateway, "burn") == "2 left."
    report = life.reload(allow_destructive=True)
    (migration,) = report.migrations
    assert (migration.table, migration.from_, migration.to, migration.rows) == ("shop.lamps", 1, 2, 1)
    assert report.is_clean
    assert last(life, gateway, "burn") == "19 left."
    life.crash()


def test_all_that_stands_in_the_way_of_rows_is_said_at_once(tmp_path: Path) -> None:
    """A version that rises asks for a migration of each table: one refusal in each file, with the lines."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    mats = SHOP.replace("lamps: Table[Lamp]", "lamps: Table[Lamp]\n    mats: Table[Lamp]").replace(
        'player.tell(f"A', "self.mats['mat'] = Lamp()\n        player.tell(f\"A"
    )
    inn = mats.replace("Shop", "Inn").replace('"buy"', '"rent"').replace('"burn"', '"use"')
    world.write(shop=mats, inn=inn)
    life.reload()
    last(life, gateway, "buy")
    last(life, gateway, "rent")
    raised = "(Module):\n    version = 2"
    world.write(shop=mats.replace("(Module):", raised), inn=inn.replace("(Module):", raised))
    failed = {failed.module: failed for failed in life.reload().failed}
    assert sorted(failed) == ["inn", "shop"]
    for module, one in failed.items():
        assert one.message.startswith(f"table {module}.lamps: ")
        assert f" Line {one.line + 1}: table {module}.mats: " in one.message
        assert one.message.count("Add @migrate(Lamp, 1)") == 2
    life.crash()


def test_a_dry_run_tells_all_and_changes_nothing(tmp_path: Path) -> None:
    """Every row is migrated on a copy, in a process of its own."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    last(life, gateway, "buy")
    before = life.running().room.state_hash(), life.running().room.c, life.library.current("village")
    world.write(items=LITRES, shop=shop_two(UP.replace("* 10", "/ 0"), DOWN))
    report = life.reload(dry_run=True)
    (migration,) = report.migrations
    assert (migration.rows, migration.failed) == (1, 1)
    assert "ZeroDivisionError" in migration.error
    assert exit_code(report) != EXIT_DONE
    world.write(shop=shop_two(UP, DOWN))
    assert exit_code(life.reload(dry_run=True)) == EXIT_DONE
    assert (life.running().room.state_hash(), life.running().room.c, life.library.current("village")) == before
    assert len(list(life.library.programs())) == 1
    life.crash()


ROOMS = ("hall", "yard", "inn", "mill", "farm")
FAULTY = SHOP.replace("lamp.oil -= 1", "lamp.oil -= 1 / 0")


def a_full_village(world: CodeWorld) -> tuple[CodeLife, Gateway]:
    """A player with a lamp in every room."""
    life, gateway = lived(world)
    for number, room in enumerate(ROOMS[1:], 2):
        gateway.join(f"g.1.{number}", room)
    for number in range(1, len(ROOMS) + 1):
        last(life, gateway, "buy", f"g.1.{number}")
    return life, gateway


@pytest.mark.parametrize("good", [True, False])
def test_a_canary_goes_on_or_back_by_itself(tmp_path: Path, good: bool) -> None:
    """What was seen decides; going back is a second reload with a report of its own."""
    world = CodeWorld(tmp_path, ROOMS)
    life, gateway = a_full_village(world)
    world.write(shop=SHOP.replace("left", "to burn") if good else FAULTY)
    task = life.begin_reload(canary=20.0, watch_s=60.0)
    life.until(lambda: "canary" in life.kinds())
    moved = [id for id, running in life.host.rooms.items() if len(list(life.library.programs())) == 2
             and running.program is not life.library.current("village")]  # fmt: skip
    assert len(moved) == 1
    for _ in range(3):
        for number in range(1, len(ROOMS) + 1):
            last(life, gateway, "burn", f"g.1.{number}")
    life.pass_until(task.done)
    report = task.result()
    assert report.canary is not None
    assert report.canary.went_on == good
    assert report.canary.rooms == moved
    assert len({running.program for running in life.host.rooms.values()}) == 1
    reloads = [event["report"]["trigger"] for event in life.events if event["kind"].startswith("reload")]
    assert reloads == (["command"] if good else ["canary", "command"])
    assert ("to burn" in last(life, gateway, "burn")) == good
    life.crash()


def test_code_on_trial_is_not_loaded_unasked(tmp_path: Path) -> None:
    """A host that dies while a canary is watched, of its code perhaps, does not hand that code to all rooms."""
    world = CodeWorld(tmp_path, ROOMS)
    life, gateway = a_full_village(world)
    world.write(shop=SHOP.replace("left", "to burn"))
    life.begin_reload(canary=20.0, watch_s=60.0)
    life.until(lambda: "canary" in life.kinds())
    life.crash()
    life = world.life()
    gateway.connect(life)
    report = life.reload("start")
    assert "on trial" in report.aborted
    assert report.rooms.swapped == 0
    assert life.reload("watch").rooms.swapped == 0
    assert life.reload().is_clean
    assert "to burn" in last(life, gateway, "burn")
    life.crash()


def test_a_reload_goes_on_when_who_asked_for_it_is_gone(tmp_path: Path) -> None:
    """Half of a reload is none."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    world.write(items=DEARER)
    task = life.begin_reload()
    life.settle(1)
    task.cancel()
    life.until(lambda: "reloaded" in life.kinds())
    assert last(life, gateway, "buy") == "A lamp for 7."
    life.crash()


def test_a_canary_goes_back_also_where_players_would_hold_it_up(tmp_path: Path) -> None:
    """An update policy protects a match from new code, not new code from its end."""
    world = CodeWorld(tmp_path, ROOMS, update="idle")
    life, gateway = lived(world)
    world.write(shop=FAULTY)
    task = life.begin_reload(canary=20.0, watch_s=60.0)
    life.until(lambda: "canary" in life.kinds())
    for room in ROOMS[1:]:
        gateway.join(BOB, room)
        for line in ("buy", "burn", "burn"):
            last(life, gateway, line, BOB)
        gateway.leave(BOB)
    gateway.join(BOB, ROOMS[1])
    life.pass_until(task.done)
    tried = task.result().canary
    assert tried is not None
    assert {running.program for running in life.host.rooms.values()} == {life.library.current("village")}
    life.crash()


def test_a_canary_that_could_not_return_does_not_begin(tmp_path: Path) -> None:
    """It is said before any room is touched."""
    world = CodeWorld(tmp_path, ROOMS)
    life, _ = a_full_village(world)
    world.write(items=LITRES, shop=shop_two(UP))
    report = life.reload(canary=20.0, watch_s=60.0, allow_destructive=True)
    assert "shop.lamps" in report.aborted
    assert report.rooms.swapped == 0
    assert len({running.program for running in life.host.rooms.values()}) == 1
    life.crash()


def test_rows_that_a_canary_wrote_go_back_with_it(tmp_path: Path) -> None:
    """By the migrations that lead back."""
    world = CodeWorld(tmp_path, ROOMS)
    life, gateway = a_full_village(world)
    failing = "    @command('fail')\n    def fail(self, player): 1 / 0\n"
    shop = shop_two().replace('    @command("burn")', failing + '    @command("burn")') + UP + DOWN
    world.write(items=LITRES, shop=shop)
    task = life.begin_reload(canary=20.0, watch_s=60.0)
    life.until(lambda: "canary" in life.kinds())
    for number in range(1, len(ROOMS) + 1):
        last(life, gateway, "burn", f"g.1.{number}")
        last(life, gateway, "fail", f"g.1.{number}")
    life.pass_until(task.done)
    tried = task.result().canary
    assert tried is not None
    assert not tried.went_on
    left = {last(life, gateway, "burn", f"g.1.{number}") for number in range(1, len(ROOMS) + 1)}
    assert left == {"1 left."} or left == {"1 left.", "0 left."}
    life.crash()


def test_admins_reload_from_within_the_game_and_others_read_one_line(tmp_path: Path) -> None:
    """Who may not changes nothing, and is in the event log; the game sees neither."""
    life, gateway = lived(world := CodeWorld(tmp_path))
    gateway.join(BOB, role="admin")
    world.write(items=DEARER)
    gateway.type("@reload")
    life.until(lambda: gateway.read[ANN])
    assert gateway.read[ANN] == [ADMINS_ONLY + "\n"]
    assert "refused" in life.kinds()
    assert last(life, gateway, "buy") == "A lamp for 5."
    gateway.type("@reload", session=BOB)
    life.until(lambda: gateway.read[BOB])
    assert "items" in gateway.read[BOB][0]
    assert last(life, gateway, "buy") == "A lamp for 7."
    life.crash()
