"""A tavern with a memory, to begin with. Change it."""

from perdure import Game, Player, Row, Table, command, every


class Mug(Row):
    """What is kept of a mug. Add fields with a default whenever you like."""

    sips: int = 5


class MyGame(Game):
    mugs: Table[Mug]  # what is in a table survives everything; nothing else is state

    def join(self, player: Player) -> None:
        player.tell(f"Welcome, {player}! Type 'help' for what you can do.")
        self.say(f"{player} comes in.", but=player)

    def leave(self, player: Player) -> None:
        self.say(f"{player} leaves.", but=player)

    @command("say TEXT", "'", help="Say something.")
    def speak(self, player: Player, text: str) -> None:
        player.tell(f'You say, "{text}"')
        self.say(f'{player} says, "{text}"', but=player)

    @command("order", help="Order a drink.")
    def order(self, player: Player) -> None:
        self.mugs[player.id] = Mug()
        self.say(f"{player} gets a fresh mug.")

    @command("drink", "sip", help="Drink from your mug.")
    def drink(self, player: Player) -> None:
        mug = self.mugs.get(player.id) or self.refuse("You have no mug. Try: order")
        mug.sips -= 1
        if not mug.sips:
            del self.mugs[player.id]
        player.tell(f"{mug.sips} sips left.")

    @every(minutes=10)
    def last_call(self) -> None:
        self.say("Last call!")
