"""Speech, in the words that the players' side of the tests understands."""

from perdure import Module, Player, command

from .words import MARK as WORDS
from .words import polish

MARK = 0

# halfway


class Talk(Module):
    @command("say TEXT", help="Says something.")
    def speak(self, player: Player, text: str) -> None:
        player.tell(f'You say, "{polish(text)}"')
        self.say(f'{player} says, "{polish(text)}"', but=player)

    @command("tell WHO TEXT", help="Says something to one.")
    def whisper(self, player: Player, who: Player, text: str) -> None:
        who.tell(f'{player} tells you, "{polish(text)}"')
        player.tell(f"Told, from words {WORDS}.")
