"""The first three minutes: a heron tells newcomers what to try next, and goes on once they have done it.

It only ever talks. Nothing waits for it, and whoever does something else first has done something else.
"""

from typing import NamedTuple

from perdure import Module, Player, Row, Table, color, command, linked, on

from .places import HOME_ROOM, Did, Forgotten


class Step(NamedTuple):
    """What the heron says, and which deeds it takes for done."""

    text: str
    deeds: tuple[str, ...]


def typed(line: str) -> str:
    """What a player could type, as a link that does it."""
    return linked(line, send=line)


STEPS = (
    Step(f"You are new; so was I. Whenever you do not know where you are, type: {typed('look')}", ("look",)),
    Step(f"The words behind Exits are the ways out. Walk through one. From the square: {typed('north')}", ("go",)),
    Step(f"Say something to whoever can hear you. The soup counts. Type: {typed('say Hello!')}", ("say",)),
    Step(f"Nobody comes here with empty hands. See what is in yours: {typed('inventory')}", ("inventory",)),
    Step(
        f"Put something down and take it up again, or eat it. With an apple: {typed('drop apple')}",
        ("drop", "get", "give", "eat"),
    ),
    Step(f"The shop is east of the square. Walk there, and see what it has: {typed('list')}", ("list",)),
    Step(f"To be heard everywhere, use a channel. See which there are: {typed('channels')}", ("chat", "channels")),
)
LAST = f"""\
That was all I know. Of the rest the town tells you, or {typed("help")}. Down in the arena things hit back; \
a fight begins with attack, and ends when you walk away."""


class Lesson(Row):
    """How far a player is, counted in steps done. Keyed by the player's id; no row: they are not at it."""

    step: int = 0
    stopped: bool = False


class Tutorial(Module):
    lessons: Table[Lesson]

    def begin(self, player: Player) -> None:
        """Begin with somebody who is new."""
        self.lessons[player.id] = Lesson()
        player.tell(f"A heron lands beside you. It can be sent away: {typed('tutorial stop')}")
        self.speak(player)

    @command("tutorial [SWITCH]", help="Be shown around. tutorial stop, tutorial next: as it says.")
    def tutorial(self, player: Player, switch: str = "") -> None:
        """Without a word behind it, it begins, or goes on where it was stopped."""
        if self.room.id != HOME_ROOM:
            self.refuse("The heron does not go down there. It waits in the town.")
        lesson = self.lessons.setdefault(player.id, Lesson())
        if switch.lower() == "stop":
            lesson.stopped = True
            player.tell(f"The heron looks the other way. To call it back: {typed('tutorial')}")
            return
        lesson.stopped = False
        lesson.step += switch.lower() == "next"
        self.speak(player)

    @on(Did)
    def learn(self, event: Did) -> None:
        """Go on, if that was what the heron had asked for."""
        lesson = self.lessons.peek(event.player)
        player = self.room.players.get(event.player) if lesson and not lesson.stopped else None
        if lesson and player and lesson.step < len(STEPS) and event.deed in STEPS[lesson.step].deeds:
            self.lessons[player.id].step += 1
            self.speak(player)

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        self.lessons.pop(event.player, None)

    def speak(self, player: Player) -> None:
        """Say what comes next; after the last step there is nothing to remember."""
        step = self.lessons[player.id].step
        if step >= len(STEPS):
            del self.lessons[player.id]
        text = STEPS[step].text if step < len(STEPS) else LAST
        player.tell(f"{color('The heron:', 'green')} {text}")
