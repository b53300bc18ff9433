"""`perdure reload` and `@reload`: what may be asked, what is told, and what becomes of rows, timers and questions."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.clients import Client, LineClient
from tests.e2e.edits import BROKEN, WELCOME, WRONG_KEY, Played, playing, visiting
from tests.e2e.server import wait_until

HUH = "Huh?"

TO_COPPER = """
@migrate(Account, 1)
def to_copper(row: dict[str, Any]) -> dict[str, Any]:
    if row["coins"] == 13:
        raise ValueError("unlucky")
    return {"copper": row["coins"] * 10}


# halfway"""


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A village that reloads when it is told to; one for all tests here, which leave nothing unmended."""
    with playing(tmp_path_factory.mktemp("v"), 2) as played:
        yield played


@pytest.fixture
def ada(village: Played) -> Client:
    return village.clients[0]


@pytest.fixture(autouse=True)
def _nothing_else_happened(village: Played) -> Iterator[None]:
    """The host lives on, and the probe never sees a mixture."""
    pid = village.server.pid("host-1")
    yield
    assert village.server.pid("host-1") == pid
    assert village.probe.mixed == []


# --- what is reloaded ---


def test_all_of_it_is_reloaded_or_one_module(village: Played) -> None:
    """GAME.MODULE brings that file, and what imports it anew; whatever else lies on disk waits."""
    before = dict(village.village.marks)
    village.village.edit("words")
    village.village.edit("talk")
    done = village.server.cli("reload", "village.talk", "--json")
    assert (done.code, done.json["refreshed"], done.json["trigger"]) == (0, ["game", "talk"], "command")
    assert done.json["rooms"] == {"swapped": 2, "refused": []}
    village.probe.wait(before | {"talk": village.village.marks["talk"]})
    done = village.server.cli("reload", "village")
    assert (done.code, "words" in done.out, "2 rooms" in done.out) == (0, True, True), done
    village.probe.wait(village.village.marks)
    done = village.server.cli("reload")
    assert (done.code, "nothing to do" in done.out) == (0, True), done


def test_the_exit_code_tells_whether_something_is_wrong_and_something_live(village: Played) -> None:
    """3: all is as it was. 5: the rest is live. With --atomic there is no 5. 4: there is no such thing."""
    before = dict(village.village.marks)
    broken = village.village.spoil("bank", BROKEN["exception"])
    done = village.server.cli("reload", "village")
    assert (done.code, f"bank.py:{broken.line}: IndexError" in done.out) == (3, True), done
    village.probe.wait(before)
    village.village.edit("talk")
    done = village.server.cli("reload", "--atomic", "--json")
    assert (done.code, done.json["refreshed"], done.json["failed"][0]["line"]) == (3, [], broken.line)
    village.probe.wait(before)
    done = village.server.cli("reload", "--json")
    assert (done.code, done.json["refreshed"], done.json["failed"][0]["line"]) == (5, ["game", "talk"], broken.line)
    village.probe.wait(village.village.marks)
    done = village.server.cli("reload", "village.tlak")
    assert (done.code, "Did you mean talk?" in done.err) == (4, True), done
    village.village.mend("bank")
    assert village.server.cli("reload").code == 0


def test_a_dry_run_tells_of_every_row_and_changes_nothing(village: Played, ada: Client) -> None:
    """A migration that would fail is told with its row; a field that is lost needs a word; then rows are converted."""
    bob, before, text = village.clients[1], dict(village.village.marks), village.village.text("bank")
    ada.command("deposit 13", "You have 13 coins.")
    bob.command("deposit 5", "You have 5 coins.")
    change = village.village.change
    change("bank", "from perdure import", "from typing import Any\n\nfrom perdure import migrate, ")
    change("bank", "coins: int = 0", "copper: int = 0")
    change("bank", "account.coins += coins", "account.copper += 10 * coins")
    change("bank", "{account.coins} coins", "{account.copper} copper")
    change("bank", "\n# halfway", TO_COPPER)
    change("bank", "class Bank(Module):", "class Bank(Module):\n    version = 2")

    done = village.server.cli("reload", "--json")
    assert (done.code, done.json["refreshed"]) == (3, []), done
    assert "--allow-destructive" in done.json["failed"][0]["message"]

    done = village.server.cli("reload", "--dry-run", "--allow-destructive", "--json")
    (migration,) = done.json["migrations"]
    assert (migration["table"], migration["rows"], migration["failed"]) == ("bank.accounts", 2, 1)
    assert ("'Ada'" in migration["error"], "unlucky" in migration["error"]) == (True, True)
    assert (done.code, done.json["refreshed"], done.json["dry_run"]) == (5, ["bank", "game"], True)
    village.probe.wait(before)
    ada.command("deposit 1", "You have 14 coins.")

    assert village.server.cli("reload", "--dry-run", "--allow-destructive").code == 0
    bob.command("deposit 1", "You have 6 coins.")
    assert village.server.cli("reload", "--allow-destructive").code == 0
    ada.command("deposit 1", "You have 150 copper.")
    bob.command("deposit 1", "You have 70 copper.")
    assert text != village.village.text("bank")


def test_a_module_that_goes_takes_its_commands_along_and_comes_back_to_its_rows(village: Played, ada: Client) -> None:
    """Its help goes, too. A timer of it waits, is listed, and fires when it is there again (FM-47, FM-88)."""
    ada.command("ring", "Dong, for the 1th time.")
    ada.command("chime 2", "Wait for it.")
    ada.command("wait 2", "Waiting.")
    bells = village.village.file("bells")
    bells.unlink()
    done = village.server.cli("reload", "--json")
    assert (done.code, done.json["removed"]) == (0, ["bells"])
    assert [(one["room"], one["handler"], one["kind"], one["count"]) for one in done.json["orphans"]] == [
        ("green", "bells.rung", "row", 1),
        ("green", "bells.strike", "timer", 1),
    ]
    ada.command("ring", HUH)
    ada.command("help ring", "ring")
    since = len(ada.seen)
    ada.command("help", "marks")
    assert not any("ring" in line.text.split() for line in ada.seen[since:])
    assert "bells" not in [one["module"] for one in village.server.cli("modules", "--json").json["modules"]]
    ada.wait_for("Ada's time is over.")
    assert "The bells strike" not in ada.text
    village.village.mend("bells")
    assert village.reload()["added"] == ["bells"]
    ada.wait_for("The bells strike for Ada.")
    ada.command("ring", "Dong, for the 3th time.")


def test_a_class_that_is_renamed_is_told_of_at_once_and_has_its_rows_under_the_old_name(
    village: Played, ada: Client
) -> None:
    """By a dry run, by the reload, and in the event log that `perdure dev` prints; what the report says to do helps."""
    ada.command("ring", "Dong, for the ")
    times = int(re.findall(r"for the (\d+)th time", ada.text)[-1])
    village.village.change("bells", "class Bells(Module):", "class Gongs(Module):")
    told = "1 row of bells.rung in 1 room waits, and nothing is lost: the code has no such table."
    for options in (["--dry-run"], []):
        done = village.server.cli("reload", *options)
        assert (done.code, told in done.out, 'Write stored_as = "bells" in it.' in done.out) == (0, True, True), done
    assert told in village.server.events("reloaded")[-1]["text"]
    village.village.change("bells", "class Gongs(Module):", 'class Gongs(Module):\n    stored_as = "bells"\n')
    assert village.server.cli("reload").code == 0
    ada.command("ring", f"Dong, for the {times + 1}th time.")
    village.village.change("bells", 'class Gongs(Module):\n    stored_as = "bells"\n', "class Bells(Module):")
    assert village.server.cli("reload", "--json").json["orphans"] == []


def test_timers_without_a_handler_are_forgotten_on_demand(village: Played, ada: Client) -> None:
    """They are listed in every report until somebody says --drop-orphans; then they are gone for good."""
    ada.command("chime 3600", "Wait for it.")
    village.village.change("bells", "self.strike", "self.toll")
    village.village.change("bells", "def strike", "def toll")
    done = village.server.cli("reload")
    assert (done.code, "1 timer for bells.strike in green" in done.out) == (0, True), done
    done = village.server.cli("reload", "--json")
    assert [one["dropped"] for one in done.json["orphans"]] == [False], done
    done = village.server.cli("reload", "--drop-orphans", "--json")
    assert [(one["handler"], one["dropped"]) for one in done.json["orphans"]] == [("bells.strike", True)], done
    assert done.json["rooms"]["swapped"] == 1, "the room that has it, and no other"
    assert village.server.cli("reload", "--json").json["orphans"] == []
    assert village.server.ask("room.show", room="green")["timers"] == 0


def test_new_code_gets_the_answer_of_a_function_that_ran_all_the_while(
    village: Played, ada: Client, tmp_path: Path
) -> None:
    """It ends on the code that it began with, also when that is two reloads old; then that code is gone (FM-48)."""
    gate = tmp_path / "gate"
    began = dict(village.village.marks)
    ada.command(f"fetch {gate}", "Asked.")
    wait_until(gate.with_name("gate.asked").exists, "the question")
    for _ in range(2):
        village.village.edit("words")
        village.village.edit("outside")
        assert village.server.cli("reload").code == 0
    assert sorted(one["rooms"] for one in village.generations()) == [0, 2]
    gate.touch()
    now = village.village.marks["outside"]
    ada.wait_for(f"Told by {now}: fetched by {began['outside']} with words {began['words']}")
    wait_until(lambda: [one["rooms"] for one in village.generations()] == [2], "the end of the old code")


def test_what_reloads_badly_is_named(village: Played) -> None:
    """A thread, an exit hook, a list that the module changes: they work, and the report says where they are."""
    noisy = village.village.folder / "noisy.py"
    lines = ["import atexit", "import threading", "guests = []", "atexit.register(print, 'bye')"]
    lines += ["threading.Thread(target=threading.Event().wait, args=(20.0,), daemon=True).start()"]
    noisy.write_text("\n".join(lines) + "\n")
    done = village.server.cli("reload", "--json")
    assert (done.code, done.json["added"]) == (0, ["noisy"])
    told = done.json["warnings"]
    assert {(one["module"], one["file"]) for one in told} == {("noisy", str(noisy))}
    for word in ("thread", "atexit", "guests"):
        assert [one for one in told if word in one["message"].lower()], (word, told)
    assert [one["line"] for one in told if "guests" in one["message"]] == [3]
    noisy.unlink()
    assert village.reload()["removed"] == ["noisy"]


def test_data_are_checked_before_they_serve(village: Played, ada: Client) -> None:
    """A wrong key is told with its line and the nearest name, a wrong value with its line; old values serve."""
    village.village.edit("wares")
    done = village.server.cli("reload", "--json")
    assert (done.code, "wares.toml" in done.json["refreshed"], "shop" in done.json["refreshed"]) == (0, True, True)
    village.probe.wait(village.village.marks)
    broken = village.village.spoil("wares", WRONG_KEY)
    done = village.server.cli("reload", "village.wares.toml")
    assert done.code == 3, done
    assert f"wares.toml:{broken.line}: " in done.out
    assert ("prise" in done.out, "price" in done.out) == (True, True), done
    ada.command("price mug", "mug costs 12,")
    village.village.change("wares", "price = 12", 'price = "dear"')
    (failed,) = village.reload()["failed"]
    assert (failed["module"], failed["line"]) == ("wares.toml", 6)
    ada.command("price mug", "mug costs 12,")
    village.village.change("wares", 'price = "dear"', "price = 14")
    assert village.server.cli("reload").code == 0
    ada.command("price mug", "mug costs 14,")


# --- who may ---


def test_an_admin_reloads_from_within_the_game(village: Played) -> None:
    """The report is told to whoever typed it, and to nobody else; it is in the event log with their name."""
    ada = village.clients[0]
    with visiting(village.server, "Root", role="admin") as root:
        village.village.edit("talk")
        root.command("@reload", "village: game, talk are new in 2 rooms")
        village.probe.wait(village.village.marks)
        broken = village.village.spoil("talk", BROKEN["syntax"])
        root.command("@reload talk", f"talk.py:{broken.line}: ")
        root.command("@reload tlak", "Did you mean talk?")
        village.village.mend("talk")
        root.command("@reload", "nothing to do")
    reports = [event["report"] for event in village.news.events if event["report"]["trigger"] == "game"]
    assert {report["by"] for report in reports} == {"Root"}
    assert "new in 2 rooms" not in ada.text


def test_nobody_else_reloads_and_whoever_tries_is_noted(village: Played) -> None:
    """One fixed line; nothing happens, whatever lies on disk; the audit names player, role and room (FM-86)."""
    before = dict(village.village.marks)
    village.village.edit("talk")
    guest = LineClient("Guest", village.server.address)
    try:
        guest.send("guest")
        guest.wait_for(WELCOME)
        for one in (guest, village.clients[0]):
            one.command("@reload", "Only admins may do that.")
            one.command("@reload talk", "Only admins may do that.")
    finally:
        guest.close()
    noted = village.server.wait_event("refused", count=4)
    assert (noted["player"], noted["role"], noted["room"], noted["what"]) == ("Ada", "player", "green", "@reload")
    village.probe.wait(before)
    assert "Ada (player) typed @reload" in village.server.cli("events").out
    assert village.server.cli("reload").code == 0


def test_reloads_come_one_after_the_other(village: Played) -> None:
    """However many are asked for at once: each begins with what the one before it has left (FM-51)."""
    since = len(village.news.events)

    def edit_and_reload(name: str) -> int:
        village.village.edit(name)
        return village.server.cli("reload", "village").code

    names = ["words", "talk", "bank", "shop", "outside", "words"]
    with ThreadPoolExecutor(len(names)) as many:
        assert list(many.map(edit_and_reload, names)) == [0] * len(names)
    village.probe.wait(village.village.marks)
    wait_until(lambda: len(village.news.events) >= since + len(names), "all reports")
    reports = [event["report"]["generation"] for event in village.news.events[since:]]
    assert all(before["to"] == after["from"] for before, after in pairwise(reports)), reports
    assert [one["rooms"] for one in village.generations()] == [2]
