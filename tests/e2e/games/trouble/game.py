"""One room of it hurts nobody else: that is what the tests show."""

import os
import re
import time

from perdure import Answer, Game, Player, Row, Table, command

CATASTROPHIC = "a" * 40 + "!"


class Count(Row):
    """How often something was done to the end."""

    n: int = 0


class Text(Row):
    """Something that takes space."""

    text: str


def sleepy(seconds: float) -> float:
    """Blocks, where blocking is allowed."""
    time.sleep(seconds)
    return seconds


class Trouble(Game):
    counts: Table[Count]
    texts: Table[Text]
    budget_s = 0.5

    def join(self, player: Player) -> None:
        player.tell(f"Trouble awaits in the {self.room.id}, {player}.")

    @command("say TEXT")
    def speak(self, player: Player, text: str) -> None:
        player.tell(f'You say, "{text}"')
        self.say(f'{player} says, "{text}"', but=player)

    @command("go ROOM", help="Walks into another room.")
    def walk(self, player: Player, room: str) -> None:
        player.go(room)

    @command("count", help="Counts up, and keeps the count.")
    def count(self, player: Player) -> None:
        count = self.counts.setdefault("count", Count())
        count.n += 1
        player.tell(f"Count: {count.n}.")

    def spoil(self) -> None:
        """Change something that must be undone."""
        self.counts.setdefault("count", Count()).n += 1000

    @command("loop", help="Never ends.")
    def loop(self, player: Player) -> None:
        self.spoil()
        while True:
            pass

    @command("stubborn", help="Never ends, and catches whatever is thrown at it.")
    def stubborn(self, player: Player) -> None:
        self.spoil()
        while True:
            try:
                while True:
                    pass
            except BaseException:  # noqa: BLE001, S112, PERF203, RUF100  (that is the trouble)
                continue

    @command("raise", help="Fails.")
    def fail(self, player: Player) -> None:
        self.spoil()
        player.tell("You never read this.")
        raise KeyError("trouble")

    @command("leave", help="Raises SystemExit.")
    def system_exit(self, player: Player) -> None:
        self.spoil()
        raise SystemExit(3)

    @command("sleep", help="Sleeps for an hour.")
    def sleep(self, player: Player) -> None:
        self.spoil()
        time.sleep(3600)

    @command("regex", help="A pattern that takes longer than the universe.")
    def regex(self, player: Player) -> None:
        self.spoil()
        re.match(r"(a+)+$", CATASTROPHIC)

    @command("native", help="Stays in C code, where nothing can cut it.")
    def native(self, player: Player) -> None:
        self.spoil()
        sum(range(10**13))

    @command("exit", help="Ends the process, at once.")
    def exit(self, player: Player) -> None:
        os._exit(9)

    @command("deep", help="Recurses until the stack is full.")
    def deep(self, player: Player) -> None:
        self.spoil()
        self.deep(player)

    @command("fill COUNT", help="Keeps so many more rows of some kilobytes.")
    def fill(self, player: Player, count: int) -> None:
        kept = len(self.texts)
        for number in range(kept, kept + count):
            self.texts[str(number)] = Text(f"{number}" * 1000)
        player.tell(f"Kept {len(self.texts)}.")

    @command("flood COUNT", help="Says so many lines.")
    def flood(self, player: Player, count: int) -> None:
        for number in range(count):
            player.tell(f"flood {number}")

    @command("escape TEXT", help="Puts terminal escapes into what others read.")
    def escape(self, player: Player, text: str) -> None:
        self.say(f"\x1b]0;owned\x07\x1b[2J{text}\x1b[31mred\x1b[0m", but=player)

    @command("ask SECONDS", help="Asks the outside, and says when it has answered.")
    def ask(self, player: Player, seconds: float) -> None:
        self.room.ask(sleepy, seconds, then=self.answered, context=(player.id,))
        player.tell("Asked.")

    @command("insist SECONDS", help="The same, and may be asked again.")
    def insist(self, player: Player, seconds: float) -> None:
        self.room.ask(sleepy, seconds, then=self.answered, context=(player.id,), idempotent=True)
        player.tell("Asked.")

    def answered(self, answer: Answer[float], player_id: str) -> None:
        player = self.room.players.get(player_id)
        if player:
            player.tell(f"ok {answer.value}" if answer.ok else f"interrupted: {answer.interrupted}")
