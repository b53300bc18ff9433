"""What the hooks for prompts and GMCP add to a callback that tells a room full of players something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.callbacks import timed_us
from bench.report import Report, main, number
from perdure.games.python.load import load_game
from perdure.games.python.program import PythonProgram
from perdure.room.machine import Room
from perdure.room.record import Event, Input, Join, Who

GAME = """
from perdure import Game, Row, Table, command


class Hero(Row):
    hp: int = 20
    mp: int = 10


class World(Game):
    heroes: Table[Hero]

    def join(self, player):
        self.heroes[player.id] = Hero(hp=1000 * len(self.heroes))

    @command("look")
    def look(self, player):
        player.tell("A market.")

    @command("shout")
    def shout(self, player):
        self.say("Hear, hear!")

    @command("heal")
    def heal(self, player):
        for other in self.room.players:
            self.heroes[other.id].hp += 1
        self.say("You feel better.")
"""
HOOKS = """
    def prompt(self, player):
        hero = self.heroes.peek(player.id)
        return f"<{hero.hp}hp {hero.mp}mp> "

    def gmcp(self, player):
        hero = self.heroes.peek(player.id)
        return {
            "Char.Vitals": {"hp": hero.hp, "maxhp": 99, "mp": hero.mp, "maxmp": 10},
            "Room.Info": {"num": 3, "name": "The market", "exits": {"north": 4, "south": 5}},
        }
"""
LINES = {
    "look": "one is told something",
    "shout": "all are, nothing changed",
    "heal": "all are, each one's row changed",
}


def loaded(folder: Path, text: str) -> PythonProgram:
    """The game with this text."""
    path = folder / "world.py"
    path.write_text(text)
    return load_game(path)


def stepping(program: PythonProgram, players: int, line: str) -> Callable[[], None]:
    """A room with so many players; the function runs one callback, of the first one's line."""
    room = Room.new("r", program, seed=bytes(16), clock_us=0)
    for n in range(players):
        room.run(Event(f"g.1.{n}", 1, 0, Join(Who(f"id-{n}", f"P{n}"))), room.now_us + 1000)
    seats = list(room.seats.values())

    def step() -> None:
        ran = room.run(Event("g.1.0", 1, seats[0].applied + 1, Input(line)), room.now_us + 1000)
        if ran.error is not None:
            raise ran.error
        for seat in seats:
            seat.outbox.clear()

    return step


def measure(short: bool) -> Report:
    """Rooms of 1 and 100 players, without and with the hooks."""
    seconds = 0.3 if short else 1.5
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        games = [loaded(Path(folder), text) for text in (GAME, GAME + HOOKS)]
        for players in (1, 100):
            for line, what in LINES.items():
                without, hooked = (timed_us(stepping(game, players, line), seconds) for game in games)
                each = (hooked.median - without.median) / (1 if line == "look" else players)
                rows.append([f"{players} players: {what}", without.text(), hooked.text(), number(each)])
                figures[f"{line}_{players}_us"] = without.median
                figures[f"{line}_{players}_hooks_us"] = hooked.median
    return Report(
        "hooks",
        "One callback of a game with a prompt and two GMCP packages, in µs: median (10th–90th percentile)",
        ["a callback", "without hooks", "with hooks", "more for each who is told"],
        rows,
        "the same game without its `prompt` and `gmcp`.",
        [],
        ["What has not changed is not sent again, but the game is asked, and what it says is encoded and compared."],
        figures,
    )


if __name__ == "__main__":
    main(measure)
