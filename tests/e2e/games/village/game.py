"""The village itself. `marks` tells which edits run, and which words each module has seen."""

from perdure import Game, Player, command

from . import bank, outside, shop, talk, words

MARK = 0
WORDS = words.MARK

# halfway


class Village(Game):
    def join(self, player: Player) -> None:
        player.tell(f"Welcome to the village, {player}.")

    @command("marks", help="Tells which edits run.")
    def marks(self, player: Player) -> None:
        seen = [("words", words.MARK, words.MARK), ("game", MARK, WORDS), ("wares", shop.WARES["apple"].price, -1)]
        seen += [(m.__name__.rpartition(".")[2], m.MARK, m.WORDS) for m in (talk, bank, shop, outside)]
        player.tell("marks: " + " ".join(f"{name}={mark}/{of_words}" for name, mark, of_words in seen))

    @command("wait SECONDS", help="Says when so much time has passed.")
    def wait(self, player: Player, seconds: float) -> None:
        self.room.after(seconds, self.over, player.name)
        player.tell("Waiting.")

    def over(self, name: str) -> None:
        self.say(f"{name}'s time is over.")

    @command("finish", help="Ends the match.")
    def finish(self, player: Player) -> None:
        player.tell("The match is over.")
        self.room.match_over()

    @command("go ROOM", help="Walks into another room.")
    def walk(self, player: Player, room: str) -> None:
        player.go(room)

    @command("leave", help="Leaves the village.")
    def depart(self, player: Player) -> None:
        player.end("Goodbye.")
