"""Prompts and GMCP packages: what stands beside the text is right for everybody whom a callback concerned."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from perdure import Event, Game, Player, Row, Table, command, every
from perdure.errors import GameError
from perdure.games.python.load import load_game, program_of
from perdure.games.python.standing import PROMPT_CHARS_MAX
from perdure.room.program import Overrun
from perdure.room.record import Text, decode_record
from perdure.room.tables import Table as Stored
from perdure.testing import Perdure

CALLED: list[str] = []
"""For whom the hooks below were called: (a test's window into games, which keep nothing of the kind)."""
GIVEN: dict[str, Any] = {}
"""What the hooks of `Wrong` return."""
DEEDS: list[Any] = []
"""What the hook of `Meddling` does."""


class Hero(Row):
    hp: int = 20


class Struck(Event):
    whom: str


class Fight(Game):
    heroes: Table[Hero]

    def join(self, player: Player) -> None:
        self.heroes[player.id] = Hero()

    def prompt(self, player: Player) -> str:
        CALLED.append(player.name)
        return f"{self.heroes[player.id].hp} hp> "

    def gmcp(self, player: Player) -> Mapping[str, object]:
        return {
            "Char.Vitals": {"hp": self.heroes[player.id].hp, "maxhp": 20},
            "Room.Players": [other.name for other in self.room.players],
        }

    @command("hit WHOM")
    def hit(self, player: Player, whom: Player) -> None:
        self.heroes[whom.id].hp -= 1
        whom.tell(f"{player} hits you.")

    @command("curse WHOM")
    def curse(self, player: Player, whom: Player) -> None:
        self.heroes[whom.id].hp -= 5

    @command("poison WHOM")
    def poison(self, player: Player, whom: Player) -> None:
        self.heroes[whom.id].hp -= 2
        whom.refresh()

    @command("die")
    def die(self, player: Player) -> None:
        self.heroes[player.id].hp = 0
        player.tell("You die.")
        self.refuse("You cannot die here.")

    @command("out")
    def out(self, player: Player) -> None:
        player.end("Bye.")

    @command("move ROOM")
    def move(self, player: Player, room: str) -> None:
        player.go(room)

    @every(seconds=60)
    def heal(self) -> None:
        for player in self.room.players:
            self.heroes[player.id].hp += 1
            player.tell("You feel better.")


def test_a_newcomer_is_given_everything(perdure: Perdure) -> None:
    """After the join, whether or not something was told."""
    ada = perdure.room(Fight).join("Ada")
    assert ada.lines == []
    assert ada.prompt == "20 hp> "
    assert ada.messages == [("Char.Vitals", {"hp": 20, "maxhp": 20}), ("Room.Players", ["Ada"])]


def test_only_what_changed_is_sent_and_only_to_whom_it_concerned(perdure: Perdure) -> None:
    """Whoever acted, was told something or was named; the others' hooks are not even called."""
    room = perdure.room(Fight)
    ada, bob, cy = room.join("Ada"), room.join("Bob"), room.join("Cy")
    CALLED.clear()
    for player in (ada, bob, cy):
        player.messages.clear()
    ada.types("hit bob")
    assert bob.prompt == "19 hp> "
    assert dict(bob.messages) == {"Room.Players": ["Ada", "Bob", "Cy"], "Char.Vitals": {"hp": 19, "maxhp": 20}}
    assert sorted(CALLED) == ["Ada", "Bob"]
    assert ada.prompt == "20 hp> "
    assert cy.messages == []


def test_a_player_who_was_told_nothing_is_refreshed_by_name(perdure: Perdure) -> None:
    """Without it their prompt waits for the next callback that concerns them."""
    room = perdure.room(Fight)
    ada, bob = room.join("Ada"), room.join("Bob")
    ada.types("curse bob")
    assert bob.prompt == "20 hp> "
    ada.types("poison bob")
    assert bob.prompt == "13 hp> "


def test_timers_concern_those_whom_they_tell(perdure: Perdure) -> None:
    """Nobody caused them."""
    room = perdure.room(Fight)
    ada = room.join("Ada")
    room.advance(60)
    assert (ada.prompt, ada.gmcp["Char.Vitals"]["hp"]) == ("21 hp> ", 21)


def test_one_value_for_many_is_one_output(perdure: Perdure) -> None:
    """A journal holds what a crowd is given once."""
    room = perdure.room(Fight)
    crowd = [room.join(f"P{n}") for n in range(10)]
    room.advance(60)
    assert all(player.prompt == "21 hp> " for player in crowd)
    outputs = decode_record(room._records[-1]).outputs
    assert [len(sessions) for sessions, output in outputs if output == Text("", "21 hp> ")] == [10]


def test_what_a_refusal_undoes_was_never_sent(perdure: Perdure) -> None:
    """The prompt of an undone callback is that of the callback before it, and the next one is right."""
    room = perdure.room(Fight)
    ada = room.join("Ada")
    ada.types("die")
    assert ada.lines == ["You cannot die here."]
    assert ada.prompt == "20 hp> "
    ada.types("hit ada")
    assert ada.prompt == "19 hp> "


class Stubborn(Game):
    heroes: Table[Hero]

    def prompt(self, player: Player) -> str:
        return f"{len(self.heroes)}> "

    @command("spoil")
    def spoil(self, player: Player) -> None:
        self.heroes["a"] = Hero()
        self.heroes["b"] = Hero("many")  # type: ignore[arg-type]

    @command("keep")
    def keep(self, player: Player) -> None:
        self.heroes["a"] = Hero()
        self.heroes["c"] = Hero()


def test_what_could_not_be_stored_counts_as_not_sent(perdure: Perdure) -> None:
    """The hooks have run when a row turns out to be unstorable; what they gave is given again."""
    room = perdure.room(Stubborn, keep_faults=True)
    ada = room.join("Ada")
    ada.types("spoil")
    assert ada.prompt == "0> "
    ada.types("keep")
    assert ada.prompt == "2> "


@pytest.mark.parametrize("ends", ["crash", "restart"])
def test_what_was_sent_is_no_state(perdure: Perdure, ends: str) -> None:
    """After a movement everything is sent once more, and the client that has it is not told twice (FM-24)."""
    room = perdure.room(Fight)
    ada = room.join("Ada")
    ada.types("hit ada")
    messages = list(ada.messages)
    getattr(room, ends)()
    ada.types("look")
    assert (ada.prompt, ada.messages) == ("19 hp> ", messages)
    ada.types("hit ada")
    assert (ada.prompt, ada.gmcp["Char.Vitals"]["hp"]) == ("18 hp> ", 18)


class Fighting(Fight):
    stored_as = "fight"

    def prompt(self, player: Player) -> str:
        return "new> "


def test_a_reloaded_hook_speaks_at_the_next_callback(perdure: Perdure) -> None:
    """Its first words go to whoever is concerned next."""
    room = perdure.room(Fight)
    ada = room.join("Ada")
    room.reload(Fighting)
    ada.types("look")
    assert ada.prompt == "new> "


class Quiet(Game):
    stored_as = "fight"
    heroes: Table[Hero]


def test_the_prompt_of_removed_code_is_taken_back(perdure: Perdure) -> None:
    """Else it would stay, and say what was once so."""
    room = perdure.room(Fight)
    ada = room.join("Ada")
    room.reload(Quiet)
    ada.types("look")
    assert ada.prompt == ""


def test_whoever_comes_back_is_given_everything_again(perdure: Perdure) -> None:
    """Their client had another room's prompt in between."""
    one, _two = perdure.room(Fight, "one"), perdure.room(Fight, "two")
    ada = one.join("Ada")
    ada.types("move two")
    ada.messages.clear()
    ada.gmcp.clear()
    ada.types("move one")
    assert (ada.room, ada.prompt) == ("one", "20 hp> ")
    assert ("Char.Vitals", {"hp": 20, "maxhp": 20}) in ada.messages


def test_whoever_leaves_is_not_asked_about_and_not_remembered(perdure: Perdure) -> None:
    """Neither who ends, nor who quits; what was sent to them is let go of."""
    room = perdure.room(Fight)
    ada, bob = room.join("Ada"), room.join("Bob")
    CALLED.clear()
    ada.types("out")
    bob.leave()
    assert CALLED == []
    handler: Any = room.machine.handler
    assert handler._standing._sent == {}


class Silent(Game):
    pass


def test_a_game_without_hooks_has_no_machinery_for_them() -> None:
    """It pays nothing for them."""
    program = program_of(Silent)
    tables = {name: Stored[Any, Any](spec) for name, spec in program.tables.items()}
    assert program.bind("room", tables)._standing is None


# -- modules ----------------------------------------------------------------------------------------

SKY = """
from perdure import Game, Module

class Weather(Module):
    def gmcp(self, player):
        return {"PACKAGE": {"rain": True}}

class Sky(Game):
    def gmcp(self, player):
        return {"Room.Info": {"num": 3}}
"""


def sky(tmp_path: Path, text: str) -> Path:
    """A game in a file."""
    path = tmp_path / "sky.py"
    path.write_text(text)
    return path


def test_modules_have_packages_of_their_own(perdure: Perdure, tmp_path: Path) -> None:
    """Each gives what it knows."""
    ada = perdure.room(sky(tmp_path, SKY.replace("PACKAGE", "World.Weather"))).join("Ada")
    assert ada.gmcp == {"World.Weather": {"rain": True}, "Room.Info": {"num": 3}}


def test_a_package_has_one_owner(perdure: Perdure, tmp_path: Path) -> None:
    """Two that give the same would change it to and fro: the later one's is a mistake that names both."""
    room = perdure.room(sky(tmp_path, SKY.replace("PACKAGE", "Room.Info")), keep_faults=True)
    ada = room.join("Ada")
    assert ada.gmcp == {"Room.Info": {"rain": True}}
    assert "sky.gmcp gives Room.Info, which weather.gmcp gives. One module gives a package." in str(room.faults[0])


def test_a_prompt_of_a_module_is_refused_at_load(tmp_path: Path) -> None:
    """There is one prompt, and it is the game's; a command of that name is a command."""
    prompt = SKY.replace("def gmcp", "def prompt", 1)
    with pytest.raises(GameError, match=r"sky.py:5: the prompt is the Game's"):
        load_game(sky(tmp_path, prompt))
    with_command = prompt.replace("    def prompt", "    @command('prompt')\n    def prompt")
    load_game(sky(tmp_path, with_command.replace("import Game", "import Game, command")))


@pytest.mark.parametrize("hook", ["prompt", "gmcp"])
def test_hooks_are_checked_at_load(tmp_path: Path, hook: str) -> None:
    """Their arguments, and that they do not wait."""
    text = f"from perdure import Game\nclass Sky(Game):\n    def {hook}(self): return 1\n"
    with pytest.raises(GameError, match=rf"sky.py:3: {hook} is called with other arguments: def {hook}\(self, player"):
        load_game(sky(tmp_path, text))
    waiting = text.replace("def", "async def").replace("self", "self, player")
    with pytest.raises(GameError, match=f"{hook} is async"):
        load_game(sky(tmp_path, waiting))


# -- mistakes ---------------------------------------------------------------------------------------


class Careless(Game):
    seen: Table[Hero]

    def prompt(self, player: Player) -> str:
        if player.name == "Root" and not self.seen:
            return "before> "
        raise KeyError(player.name)

    def gmcp(self, player: Player) -> Mapping[str, object]:
        return {"Char.Vitals": {"hp": len(self.seen)}}

    @command("work")
    def work(self, player: Player) -> None:
        self.seen[f"{len(self.seen)}"] = Hero()
        self.say("Done.")


def test_a_hook_that_raises_fails_alone(perdure: Perdure) -> None:
    """The command is done, the other hook's packages are sent, and the fault is the hook's."""
    room = perdure.room(Careless, keep_faults=True)
    ada = room.join("Ada")
    ada.types("work")
    assert ada.lines == ["Done."]
    assert ada.gmcp["Char.Vitals"] == {"hp": 1}
    assert ada.prompt == ""
    assert room.program.health.faults == {"careless.prompt": 2}
    assert "raise KeyError(player.name)" in room.program.traceback(room.faults[0])


def test_a_hook_that_keeps_failing_is_disabled(perdure: Perdure) -> None:
    """After the usual number of callbacks, however many players it failed for in each; admins are told."""
    room = perdure.room(Careless, keep_faults=True)
    root = room.join("Root", role="admin")
    room.join("Ada")
    assert (room.program.health.disabled, root.prompt) == ([], "before> ")
    root.types("work", "work", "work")
    assert room.program.health.faults["careless.prompt"] == 3
    assert len(room.faults) == 3
    assert root.sees("[notice] careless.prompt failed 3 times and is disabled until its code changes.")
    (info,) = [module for module in room.program.modules() if module.module == "careless"]
    assert (info.disabled, info.faults) == (["careless.prompt"], 3)
    root.types("work")
    assert root.prompt == ""
    assert root.gmcp["Char.Vitals"] == {"hp": 4}


def test_a_mistake_in_a_hook_is_raised_in_a_test(perdure: Perdure) -> None:
    """An author reads of it at once."""
    with pytest.raises(KeyError, match="Ada"):
        perdure.room(Careless).join("Ada")


class Slow(Game):
    def prompt(self, player: Player) -> str:
        if player.name == "Bob":
            raise Overrun("it took longer than its budget of 1 s and was cut")
        return "> "

    @command("look")
    def look(self, player: Player) -> None:
        player.tell("Nothing.")


def test_a_hook_that_is_cut_is_to_blame(perdure: Perdure) -> None:
    """The budget is the whole callback's, so it is undone; but the command is not disabled for it."""
    room = perdure.room(Slow, keep_faults=True)
    bob = room.join("Bob")
    assert bob.ended.startswith("refused: Something here took too long.")
    assert room.program.health.faults == {"slow.prompt": 1}


class Wrong(Game):
    def prompt(self, player: Player) -> str:
        return GIVEN.get("prompt", "")  # type: ignore[no-any-return]

    def gmcp(self, player: Player) -> Mapping[str, object]:
        return GIVEN.get("gmcp", {})  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, 'wrong.prompt returned None. Return a text, "" for no prompt.'),
        (7, "wrong.prompt returned 7. Return a text"),
        ("a\nb", "A prompt is one line"),
        ("x" * (PROMPT_CHARS_MAX + 1), "at most 1000 characters"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_what_is_no_prompt_is_refused_with_what_to_do(
    perdure: Perdure, monkeypatch: pytest.MonkeyPatch, given: object, said: str
) -> None:
    """At the hook's line, and never in the journal."""
    monkeypatch.setitem(GIVEN, "prompt", given)
    with pytest.raises((GameError, UnicodeEncodeError)) as raised:
        perdure.room(Wrong).join("Ada")
    assert said in str(raised.value)
    if isinstance(raised.value, GameError):
        assert raised.value.file == __file__
        assert raised.value.line > 0


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (None, 'wrong.gmcp returned None. Return packages: {"Char.Vitals": {"hp": 20}}.'),
        ({"Vitals": {}}, "'Vitals' cannot be a GMCP package"),
        ({"Char.Vitals": {1, 2}}, "the data of Char.Vitals holds {1, 2}, which is no plain data"),
    ],
)
def test_what_are_no_packages_is_refused_with_what_to_do(
    perdure: Perdure, monkeypatch: pytest.MonkeyPatch, packages: object, said: str
) -> None:
    """At the hook's line."""
    monkeypatch.setitem(GIVEN, "gmcp", packages)
    with pytest.raises(GameError) as raised:
        perdure.room(Wrong).join("Ada")
    assert said in str(raised.value)
    assert raised.value.file == __file__


def test_an_empty_prompt_is_none(perdure: Perdure, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent, for the client may have had another."""
    monkeypatch.setitem(GIVEN, "prompt", "> ")
    room = perdure.room(Wrong)
    ada = room.join("Ada")
    monkeypatch.setitem(GIVEN, "prompt", "")
    ada.types("x")
    assert ada.prompt == ""


def answer() -> int:
    return 42


class Meddling(Game):
    marks: Table[Hero]

    def join(self, player: Player) -> None:
        self.marks["what"] = Hero()

    def gmcp(self, player: Player) -> Mapping[str, object]:
        self.do(player, str(self.room.now > 0))
        return {}

    def do(self, player: Player, line: str) -> None:
        deed = DEEDS[0]
        deed(self, player)


@pytest.mark.parametrize(
    "deed",
    [
        lambda game, player: player.tell("x"),
        lambda game, player: player.send("Comm.Channel.Text", {}),
        lambda game, player: player.ask("x?", game.do),
        lambda game, player: player.end("x"),
        lambda game, player: player.go("room"),
        lambda game, player: game.say("x"),
        lambda game, player: game.room.after(1, game.wake),
        lambda game, player: game.room.cancel("x"),
        lambda game, player: game.room.ask(answer, then=game.do),
        lambda game, player: game.room.mail("room", Struck("x")),
        lambda game, player: game.room.match_over(),
    ],
)
def test_a_hook_only_looks(perdure: Perdure, deed: Any) -> None:
    """Whatever would reach somebody or something is refused, and has not happened."""
    DEEDS[:] = [deed]
    room = perdure.room(Meddling, keep_faults=True)
    ada = room.join("Ada")
    (error,) = room.faults
    assert "a prompt or gmcp hook only looks" in str(error)
    assert (ada.ended, ada.lines, ada.messages) == ("", [], [])
    assert room.machine.timers == {}
    assert room.machine.requests == {}
    assert not list(room.machine.tables["perdure.questions"])
    assert room.match_over == 0
