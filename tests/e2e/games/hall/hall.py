"""The halls. `program` tells which program runs them."""

import sys
import time

import perdure
from perdure import Answer, Event, Game, Player, Row, Table, Veto, command, on

MARK = 0
VETO = ""

# halfway


class Count(Row):
    """How often something was done."""

    n: int = 0
    # more fields


class Letter(Event):
    """From another hall."""

    author: str
    text: str


TIMEOUT_S = 3600.0
"""Of what is asked outside: a copyover on a busy machine takes its time."""


def sleepy(seconds: float) -> float:
    """Blocks, where blocking is allowed."""
    time.sleep(seconds)
    return seconds


class Hall(Game):
    counts: Table[Count]

    def join(self, player: Player) -> None:
        self.add("joins")
        player.tell(f"Welcome to {self.room.id}, {player}.")

    def leave(self, player: Player) -> None:
        self.add("leaves")

    def veto_copyover(self) -> Veto | None:
        return Veto(VETO, seconds=30) if VETO else None

    def add(self, what: str) -> int:
        """Count one more."""
        count = self.counts.setdefault(what, Count())
        count.n += 1
        return count.n

    @command("program", help="Tells which program this is.")
    def program(self, player: Player) -> None:
        player.tell(f"program: mark={MARK} perdure={perdure.__version__} prefix={sys.prefix}")

    @command("say TEXT", help="Says something.")
    def speak(self, player: Player, text: str) -> None:
        self.add("said")
        player.tell(f'You say, "{text}"')
        self.say(f'{player} says, "{text}"', but=player)

    @command("go ROOM", help="Walks into another hall.")
    def walk(self, player: Player, room: str) -> None:
        player.go(room)

    @command("count WHAT", help="Tells how often that was done here.")
    def count(self, player: Player, what: str) -> None:
        count = self.counts.get(what) or Count()
        player.tell(f"count: {what} {count.n}")

    @command("auction", help="Begins an auction, if that is not locked.")
    def auction(self, player: Player) -> None:
        locked = self.room.locked("auctions")
        player.tell(f"No auctions: {locked}" if locked else "Going once.")

    @command("wait SECONDS", help="Says when so much time has passed.")
    def wait(self, player: Player, seconds: float) -> None:
        self.room.after(seconds, self.over, player.name)
        player.tell("Waiting.")

    def over(self, name: str) -> None:
        self.add("over")
        self.say(f"{name}'s time is over, for the {self.counts['over'].n}th time.")

    @command("quiz", help="Asks something, and waits for the answer.")
    def quiz(self, player: Player) -> None:
        player.ask("What is your quest?", self.quested, self.add("quests"))

    def quested(self, player: Player, line: str, number: int) -> None:
        player.tell(f"Quest {number}: {line}.")

    @command("ask SECONDS", help="Asks the outside, and says when it has answered.")
    def ask(self, player: Player, seconds: float) -> None:
        self.room.ask(sleepy, seconds, then=self.answered, context=(player.id,), timeout=TIMEOUT_S)
        player.tell("Asked.")

    @command("insist SECONDS", help="The same, and may be asked again.")
    def insist(self, player: Player, seconds: float) -> None:
        self.room.ask(sleepy, seconds, then=self.answered, context=(player.id,), timeout=TIMEOUT_S, idempotent=True)
        player.tell("Asked.")

    def answered(self, answer: Answer[float], player_id: str) -> None:
        self.add("answers")
        player = self.room.players.get(player_id)
        if player:
            player.tell(f"answer: {answer.value}" if answer.ok else f"answer: interrupted={answer.interrupted}")

    @command("post ROOM TEXT", help="Writes to another hall.")
    def post(self, player: Player, room: str, text: str) -> None:
        self.room.mail(room, Letter(player.name, text))

    @on(Letter)
    def delivered(self, letter: Letter) -> None:
        self.add("letters")
        self.say(f'{letter.author} writes, "{letter.text}"')
