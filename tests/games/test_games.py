"""What an author's code can do in a room, as players see it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from perdure import (
    Answer,
    Event,
    Game,
    Module,
    Player,
    Row,
    Table,
    bold,
    color,
    command,
    every,
    on,
)
from perdure.errors import GameError
from perdure.games.python.binding import ASKED
from perdure.room.callback import Blamed
from perdure.testing import Perdure, RoomInTest


class Count(Row):
    n: int = 0


class Rang(Event):
    times: int = 1


class Bell(Module):
    rung: Table[Count]

    @command("ring [TIMES]", help="Ring the bell.")
    def ring(self, player: Player, times: int = 1) -> None:
        """The bell is old.

        Be gentle."""
        self.room.emit(Rang(times))

    @on(Rang)
    def heard(self, event: Rang, source: str) -> None:
        self.rung.setdefault("bell", Count()).n += event.times
        self.say(f"{event.times} from {source}")


def shout(text: str) -> str:
    if text == "boom":
        raise ValueError("too loud")
    return text.upper()


async def shout_later(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


class House(Game):
    counts: Table[Count]
    moods: Table[Count, tuple[str, int]]

    def join(self, player: Player) -> None:
        if player.name == "Vampire":
            self.refuse("You are not invited.")
        self.say(f"+{player}", but=player)

    def leave(self, player: Player) -> None:
        self.say(f"-{player}")

    def input(self, player: Player, line: str) -> bool | None:
        if line == "!":
            player.tell("seen")
            return True
        return None

    @every(seconds=10)
    def tick(self) -> None:
        self.counts.setdefault("tick", Count()).n += 1

    @command("fuse SECONDS")
    def fuse(self, player: Player, seconds: float) -> None:
        id = self.room.after(seconds, self.bang, player.id, {"loud": [1, True, None]})
        self.counts[id] = Count()

    @command("cut")
    def cut(self, player: Player) -> None:
        player.tell(str([self.room.cancel(id) for id in self.counts if id != "tick"]))

    def bang(self, player_id: str, how: dict[str, Any]) -> None:
        self.say(f"bang by {self.room.players.get(player_id)} {how}")

    @command("quiz")
    def quiz(self, player: Player) -> None:
        player.ask("Your name?", self.named)

    def named(self, player: Player, name: str) -> None:
        if not name.strip():
            self.refuse("You have one.")
        player.ask(f"And your colour, {name}?", self.coloured, name)

    def coloured(self, player: Player, colour: str, name: str) -> None:
        player.tell(f"{name} likes {colour}.")

    @command("shout TEXT")
    def shout(self, player: Player, text: str) -> None:
        self.room.ask(shout, text, then=self.shouted, context=(player.id,))

    @command("later TEXT")
    def later(self, player: Player, text: str) -> None:
        self.room.ask(shout_later, text, then=self.shouted, context=(player.id,))

    def shouted(self, answer: Answer[str], player_id: str) -> None:
        how = [name for name in ("ok", "interrupted", "timed_out") if getattr(answer, name)]
        self.say(f"{player_id}: {answer.value if answer.ok else answer.error} {how}")

    @command("fail")
    def fail(self, player: Player) -> None:
        self.counts["fail"] = Count()
        player.tell("never shown")
        raise KeyError("oops")

    @command("secret", role="admin")
    def secret(self, player: Player) -> None:
        player.tell("42")

    @command("out")
    def out(self, player: Player) -> None:
        player.end("Good night.")

    @command("move ROOM")
    def move(self, player: Player, room: str) -> None:
        player.go(room)

    @command("bad WHAT")
    def bad(self, player: Player, what: str) -> None:
        if what == "attribute":
            self.score = 3
        elif what == "player":
            self.room.after(1, self.bang, player, {})  # type: ignore[arg-type]
        elif what == "tuple":
            self.room.after(1, self.bang, "x", (1, 2))  # type: ignore[arg-type]
        elif what == "lambda":
            self.room.after(1, lambda: None)
        elif what == "function":
            self.room.ask(lambda: "x", then=self.shouted, context=("x",))
        elif what == "module":
            self.room[Stranger]  # type: ignore[type-var]

    @command("look", "l")
    def look(self, player: Player) -> None:
        player.tell(f"{bold('A')} {color('house', 'red')}.")

    @command("look at THING")
    def look_at(self, player: Player, thing: str) -> None:
        player.tell(f"A fine {thing}.")

    @command("wave to WHOM", ";")
    def wave(self, player: Player, whom: Player) -> None:
        self.say("Somebody waves.", to=[whom])


class Stranger:
    pass


@pytest.fixture
def room(perdure: Perdure) -> RoomInTest:
    return perdure.room(House)


def test_text_reaches_one_all_or_some(room):
    """tell, say, say(but=) and say(to=)."""
    ada, bob = room.join("Ada"), room.join("Bob")
    assert ada.lines == ["+Bob"]
    assert bob.lines == []
    ada.types("wave to bob", ";bob", "ring")
    assert bob.lines == ["Somebody waves.", "Somebody waves.", "1 from room"]
    bob.leave()
    assert ada.lines == ["+Bob", "1 from room", "-Bob"]


def test_the_command_with_the_most_leading_words_is_taken(room):
    """`look at` before `look`; case does not matter."""
    ada = room.join("Ada")
    ada.types("LOOK", "l", "look at Moon", "look up")
    assert ada.lines == ["A house.", "A house.", "A fine Moon.", "Usage: look"]


def test_players_are_found_by_the_beginning_of_their_name(room):
    """An exact name wins; two that fit are a question."""
    ada, bo, bob = room.join("Ada"), room.join("Bo"), room.join("Bob")
    ada.types("wave to bo", "wave to B", "wave to zoe")
    assert bo.lines == ["+Bob", "Somebody waves."]
    assert ada.sees("Whom do you mean: Bo, Bob?")
    assert ada.sees("Nobody called zoe is here. Usage: wave to WHOM")
    assert bob.lines == []


def test_players_are_found_without_the_accents_of_their_name(room):
    """Where nobody has it as it was typed; who has comes first, also by the beginning of the name."""
    ada, accented = room.join("Ada"), room.join("Zo\u00eb")
    ada.types("wave to zoe", "wave to ZO", "wave to z\u00f6")
    assert accented.lines == 3 * ["Somebody waves."]
    plain = room.join("Zoe")
    ada.types("wave to zoe", "wave to zo\u00eb", "wave to zoe\u0308")
    assert plain.lines == ["Somebody waves."]
    assert accented.lines.count("Somebody waves.") == 4
    assert ada.sees("Whom do you mean: Zo\u00eb, Zoe?")


def test_a_refused_join_sends_the_player_away(room):
    """Nothing of it happened for the others."""
    ada, vampire = room.join("Ada"), room.join("Vampire")
    assert vampire.ended == "refused: You are not invited."
    assert ada.lines == []


def test_what_a_player_may_not_use_does_not_exist_for_them(room):
    """Neither in help, nor in suggestions, nor in the answer."""
    ada, root = room.join("Ada"), room.join("Root", role="admin")
    ada.types("secret", "secrt", "help secret", "help")
    assert not any("Did you mean 'secret'" in line or "42" in line for line in ada.lines)
    assert "There is no command 'secret'. Type 'help' for what you can do." in ada.lines
    root.types("secrt", "secret", "help")
    assert root.sees("Did you mean 'secret'?")
    assert root.sees("42")
    assert root.sees("  secret")


def test_help_shows_usage_aliases_and_the_docstring(room):
    """One word about each command, all about one."""
    ada = room.join("Ada")
    ada.types("help ring", "help l")
    assert [line.strip() for line in ada.lines] == [
        "ring [TIMES]", "Ring the bell.", "The bell is old.", "", "Be gentle.", "look", "No help yet.", "Also: l"
    ]  # fmt: skip


def test_the_game_sees_every_line_first(room):
    """`input` returns True when it is done with it; blank lines are nothing."""
    ada = room.join("Ada")
    ada.types("!", "", "   ")
    assert ada.lines == ["seen"]


def test_timers_are_data(room):
    """They fire after a crash, with their arguments as they were (FM-24, FM-28)."""
    ada = room.join("Ada")
    ada.types("fuse 2.5")
    room.crash()
    room.advance(2)
    assert ada.lines == []
    room.restart()
    room.advance(1)
    assert ada.lines == ["bang by Ada {'loud': [1, True, None]}"]
    ada.types("cut", "fuse 5", "cut")
    room.advance(10)
    assert ada.lines[1:] == ["[False]", "[False, True]"]


def test_every_goes_on_through_restarts(room):
    """It is set once in the room's life, not once in each process's (FM-88)."""
    for _ in range(5):
        room.advance(10)
        room.restart()
    assert room[House].counts.peek("tick").n == 5


def test_a_dialogue_survives_between_two_questions(room):
    """What waits is data (FM-28); a question belongs to one player."""
    ada, bob = room.join("Ada"), room.join("Bob")
    ada.types("quiz")
    room.crash()
    bob.types("look")
    ada.types("Lovelace")
    room.restart()
    ada.types("deep green", "look")
    assert ada.lines == [
        "+Bob", "Your name?", "And your colour, Lovelace?", "Lovelace likes deep green.", "A house."
    ]  # fmt: skip


def test_an_answer_that_is_refused_leaves_the_question_open(room):
    """A refusal undoes the whole callback, and that the answer was taken is a part of it."""
    ada = room.join("Ada")
    ada.types("quiz", "", "Adelheid", "red")
    assert ada.lines[-4:] == ["Your name?", "You have one.", "And your colour, Adelheid?", "Adelheid likes red."]


def test_whoever_leaves_takes_their_question_along(room):
    """The next session begins with commands."""
    ada = room.join("Ada")
    ada.types("quiz")
    ada.leave()
    assert not list(room.machine.tables["perdure.questions"])


@pytest.mark.parametrize("word", ["shout", "later"])
def test_the_outside_answers_as_an_input(room, word):
    """A blocking and an async function; the context comes back with the answer."""
    ada = room.join("Ada")
    ada.types(f"{word} hey")
    room.crash()
    room.answer()
    assert ada.lines == ["ada: HEY ['ok']"]


@pytest.mark.parametrize(
    ("status", "said"),
    [("interrupted", " ['interrupted']"), ("timeout", " ['timed_out']"), ("error", "ValueError: no []")],
)
def test_every_end_of_a_question_is_told(room, status, said):
    """Never silence: the handler learns what happened."""
    ada = room.join("Ada")
    ada.types("shout hey")
    room.answer("ValueError: no", status=status)
    assert ada.lines == [f"ada: {said}"]


def test_what_is_asked_can_be_found_again_by_name(room):
    """A host runs it in another process, or after a restart."""
    assert room.program.resolve(":shout") is shout
    with pytest.raises(GameError, match="no function :gone any more"):
        room.program.resolve(":gone")
    with pytest.raises(GameError, match="this host has no service oracle"):
        room.program.resolve("oracle")


def test_a_mistake_is_undone_and_said_in_one_line(perdure):
    """The player reads what failed and that nothing happened; the error keeps its author's line."""
    room = perdure.room(House, keep_faults=True)
    ada = room.join("Ada")
    ada.types("fail")
    assert ada.lines == ['The command "fail" failed. Nothing of it was kept, and the failure was reported.']
    assert "fail" not in room[House].counts
    traceback = room.program.traceback(room.faults[0])
    assert 'raise KeyError("oops")' in traceback
    assert "binding.py" not in traceback


def test_a_fault_names_the_command_its_method_and_the_line(perdure):
    """And nothing of what was typed after the command (FM-83); the third names how many disabled it."""
    room = perdure.room(House, keep_faults=True)
    ada = room.join("Ada")
    blamed = []
    for _ in range(3):
        ada.types("fail")
        blamed.append(room.machine.handler.blamed)
    assert blamed == [Blamed("house.fail", "fail"), Blamed("house.fail", "fail"), Blamed("house.fail", "fail", 3)]
    file, line = room.program.place(room.faults[0])
    assert file == __file__
    assert 'raise KeyError("oops")' in Path(file).read_text().splitlines()[line - 1]
    assert room.program.place(KeyError("of nobody")) == ("", 0)


def test_a_hook_that_fails_is_named_though_it_is_never_disabled(perdure):
    """What the game does at a player's arrival is no command, and no fault of one."""

    class Closed(Game):
        def join(self, player: Player) -> None:
            raise KeyError(player.name)

    room = perdure.room(Closed, keep_faults=True)
    for name in ("Ada", "Bob", "Cy", "Dee"):
        room.join(name)
        assert room.machine.handler.blamed == Blamed("closed.join")


def test_a_command_that_keeps_failing_is_disabled(perdure):
    """Three times in ten minutes; admins are told, the listing says so, other commands go on."""
    room = perdure.room(House, keep_faults=True)
    ada, root = room.join("Ada"), room.join("Root", role="admin")
    ada.types("fail")
    room.advance(700)
    ada.types("fail", "fail", "look", "fail")
    assert "It is disabled now." in ada.lines[-1]
    ada.types("fail", "look")
    assert "That is disabled: it kept failing. It comes back when its code is mended." in ada.lines
    assert ada.lines[-1] == "A house."
    assert root.sees("house.fail failed 3 times and is disabled")
    assert sum("house.fail failed" in line for line in root.lines) == 1
    assert not any("house.fail failed" in line for line in ada.lines)
    info = {module.module: module for module in room.program.modules()}
    assert info["house"].disabled == ["house.fail"]
    assert info["house"].faults == 4
    assert info["bell"].commands == ["ring"]
    assert info["bell"].faults == 0


class Cellar(Game):
    visits: Table[Count]

    @command("wine")
    def wine(self, player: Player) -> None:
        player.ask("Red or white?", self.pour)

    def pour(self, player: Player, answer: str) -> None:
        player.tell(f"A glass of {answer}.")

    def rejoin(self, player: Player) -> None:
        self.visits.setdefault(player.id, Count()).n += 1
        player.tell(f"You are in the cellar, on a screen of {player.columns}.")


def test_who_logs_in_again_is_shown_where_they_are(perdure):
    """It is an event like any other: kept, and not repeated by a crash; another size of the window is none (FM-7)."""
    room = perdure.room(Cellar)
    ada, bob = room.join("Ada", columns=60), room.join("Bob")
    ada.resizes(50)
    assert ada.lines == []
    ada.rejoins()
    room.crash()
    assert (ada.lines, bob.lines) == (["You are in the cellar, on a screen of 50."], [])
    assert room["cellar"].visits["ada"].n == 1


def test_who_logs_in_again_knows_that_a_question_is_open(perdure):
    """Else a command would be taken for its answer, unseen (FM-7)."""
    ada = perdure.room(Cellar).join("Ada")
    ada.types("wine")
    ada.rejoins()
    assert ada.lines[1:] == ["You are in the cellar, on a screen of 80.", ASKED]
    ada.types("red")
    ada.rejoins()
    assert ada.lines[3:] == ["A glass of red.", "You are in the cellar, on a screen of 80."]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Curse(Game):
    @command("curse")
    def curse(self, player: Player) -> None:
        """Say what cannot be said."""
        raise Unspeakable


def test_an_error_that_cannot_be_shown_is_a_fault_like_any_other(perdure):
    """An author's __str__ may raise: the player, the admins and the log read of it all the same."""
    room = perdure.room(Curse, keep_faults=True)
    ada, root = room.join("Ada"), room.join("Root", role="admin")
    ada.types("curse", "curse", "curse")
    assert "It is disabled now." in ada.lines[-1]
    ada.types("something else")
    assert root.sees("The last error: Unspeakable")
    assert room.program.traceback(room.faults[0]).endswith("Unspeakable")


@pytest.mark.parametrize(
    ("what", "advice"),
    [
        ("attribute", "Declare a table in House"),
        ("player", "Pass Ada.id"),
        ("tuple", "no plain data"),
        ("lambda", "Pass self.some_method"),
        ("function", "plain function"),
        ("module", "no module of this game"),
    ],
)
def test_what_could_not_survive_is_refused_when_it_is_tried(room, what, advice):
    """At the author's line, with what to do instead."""
    ada = room.join("Ada")
    with pytest.raises((GameError, AttributeError), match=advice):
        ada.types(f"bad {what}")


def test_rooms_and_players_are_of_no_use_outside_of_a_callback(room):
    """A thread that kept one learns it at once."""
    room.join("Ada")
    with pytest.raises(GameError, match="during a callback only"):
        room[House].room.now  # noqa: B018


def test_a_player_can_be_sent_home(room):
    """The leave hook runs in the same callback, before the end."""
    ada, bob = room.join("Ada"), room.join("Bob")
    ada.types("out")
    assert ada.ended == "Good night."
    assert bob.lines == ["-Ada"]


def test_a_player_can_go_to_another_room(perdure):
    """The leave hooks run there, the join hooks here; a room that is none is a mistake."""
    one, two = perdure.room(House, "one"), perdure.room(House, "two")
    ada, bob = one.join("Ada"), one.join("Bob")
    cy = two.join("Cy")
    ada.types("move two")
    assert ada.room == "two"
    assert bob.lines == ["-Ada"]
    assert cy.lines == ["+Ada"]
    with pytest.raises(GameError, match="there is no room 'three'; there are one, two"):
        ada.types("move three")


def test_one_player_is_in_a_room_once(perdure):
    """A second session of the same player replaces the first (FM-15)."""
    room = perdure.room(House)
    old, bob = room.join("Ada"), room.join("Bob")
    new = room.join("Ada")
    assert old.ended == "You are here from somewhere else now."
    assert bob.lines == ["-Ada", "+Ada"]
    new.types("wave to ada")
    assert new.lines[-1] == "Somebody waves."


def test_mail_reaches_the_handlers_of_another_room(perdure):
    """Once, with its sender; without a listener it is a mistake that is told."""

    class Post(Game):
        @command("post")
        def post(self, player: Player) -> None:
            self.room.mail("house", Rang(2))

    house, post = perdure.room(House, "house"), perdure.room(Post, "post")
    post.join("Ada").types("post")
    house.crash()
    assert house[Bell].rung.peek("bell").n == 2
    with pytest.raises(GameError, match="no module here listens"):
        house._deliver("post", 1, b"\x92\xa7Unknown\x80")


def test_hooks_run_in_order_of_import_and_the_reverse(tmp_path, perdure):
    """What is imported is ready before what imports it, and goes after it."""
    mud = tmp_path / "mud"
    mud.mkdir()
    hooks = "".join(
        f"    def {hook}(self{arg}): self.room.ask('log', '{{name}}.{hook}', then=self.nothing)\n"
        for hook, arg in (("start", ""), ("join", ", player"), ("leave", ", player"), ("close", ""), ("wake", ""))
    )
    hooks += "    def nothing(self, answer): ...\n"
    part = "from perdure import {base}\n{more}\nclass {name}({base}):\n"
    for file, base, name, more in (
        ("a_game", "Game", "Mud", "from . import b_user"),
        ("b_user", "Module", "User", "from .c_used import Used"),
        ("c_used", "Module", "Used", ""),
    ):
        text = part.format(base=base, name=name, more=more) + hooks.replace("{name}", name)
        (mud / f"{file}.py").write_text(text + ("    wake_hz = 2\n" if base == "Game" else ""))
    room = perdure.room(mud)

    def order() -> list[str]:
        asked = [request.args for request in room.machine.requests.values()]
        room.machine.requests.clear()
        return [name for args in asked for name in ("Used", "User", "Mud") if f"{name}.".encode() in args]

    assert order() == ["Used", "User", "Mud"]
    ada = room.join("Ada")
    assert order() == ["Used", "User", "Mud"]
    ada.leave()
    assert order() == ["Mud", "User", "Used"]
    room.advance(0.9)
    assert order() == ["Used", "User", "Mud"]
