"""Questions to the outside: a function that blocks until a file is there."""

import time
from pathlib import Path

from perdure import Answer, Module, Player, command

from .words import MARK as WORDS
from .words import polish

MARK = 0
WAIT_S = 20.0


def fetch(gate: str) -> str:
    """Wait for the file; the answer says which code waited."""
    until_s = time.monotonic() + WAIT_S
    Path(gate + ".asked").touch()
    while not Path(gate).exists() and time.monotonic() < until_s:
        time.sleep(0.005)
    return f"fetched by {MARK} with words {WORDS}"


# halfway


class Outside(Module):
    @command("fetch GATE", help="Asks the outside.")
    def ask(self, player: Player, gate: str) -> None:
        self.room.ask(fetch, gate, then=self.answered, context=(player.id,))
        player.tell("Asked.")

    def answered(self, answer: Answer[str], player_id: str) -> None:
        player = self.room.players.get(player_id)
        if player:
            player.tell(f"Told by {MARK}: {polish(answer.value if answer.ok else answer.error)}")
