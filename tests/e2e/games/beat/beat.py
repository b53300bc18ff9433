"""A room with a heartbeat that counts: for rooms that try new code."""

import time

from perdure import Game, Player, Row, Table, command

MARK = 0
SLOW_S = 0.0


class Count(Row):
    """Beats, under the number of the edit that ran."""

    beats: int = 0


class Beat(Game):
    counts: Table[Count]
    wake_hz = 20.0

    def join(self, player: Player) -> None:
        player.tell(f"Welcome to the beat, {player}.")

    def wake(self) -> None:
        # halfway
        time.sleep(SLOW_S)
        self.counts.setdefault(str(MARK), Count()).beats += 1

    @command("beats", help="Tells how often each edit has beaten.")
    def beats(self, player: Player) -> None:
        told = " ".join(f"{mark}={count.beats}" for mark, count in self.counts.scan())
        player.tell(f"beats: {told}")
