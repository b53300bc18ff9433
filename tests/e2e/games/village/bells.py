"""A module that nobody imports: it can go, and come back."""

from perdure import Module, Player, Row, Table, command

MARK = 0


class Rung(Row):
    """How often the bells were rung."""

    times: int = 0


# halfway


class Bells(Module):
    rung: Table[Rung]

    @command("ring", help="Rings the bells.")
    def ring(self, player: Player) -> None:
        rung = self.rung.setdefault("all", Rung())
        rung.times += 1
        player.tell(f"Dong, for the {rung.times}th time.")

    @command("chime SECONDS", help="Rings the bells later.")
    def chime(self, player: Player, seconds: float) -> None:
        self.room.after(seconds, self.strike, player.name)
        player.tell("Wait for it.")

    def strike(self, name: str) -> None:
        self.rung.setdefault("all", Rung()).times += 1
        self.say(f"The bells strike for {name}.")
