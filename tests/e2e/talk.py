"""Players who talk without waiting for anything, while a test does what it does to the server."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from random import Random

from tests.e2e.checker import Hears, Report, check, everybody
from tests.e2e.clients import Client, wait_heard
from tests.e2e.server import wait_until

MOVES = ("arena", "say a{}", "out", "say w{}")
"""What the mover does, over and over: says one line in the arena, one in the world."""


class Talk:
    """A thread in which every player says one numbered line a round; the mover, if any, walks and talks.

    Args:
        pause_s: Between two rounds, on average.
        seed: Of the pauses.
        moves: What the mover does, one line a round, over and over.
        behind_max: Rounds that a speaker may have said without hearing itself before the others wait: a browser on a
            busy machine types slower than they talk, and what it has yet to type would count as lost.
    """

    def __init__(
        self,
        speakers: Sequence[Client],
        mover: Client | None,
        pause_s: float,
        seed: int,
        moves: Sequence[str] = MOVES,
        behind_max: float = math.inf,
    ) -> None:
        self.speakers, self.mover, self._moves = list(speakers), mover, moves
        self._behind_max = behind_max
        self.rounds = 0
        self._pause_s, self._random = pause_s, Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="talk")
        self._thread.start()

    @property
    def clients(self) -> list[Client]:
        return [*self.speakers, *([self.mover] if self.mover else [])]

    def _run(self) -> None:
        for number in count(1):
            while self._behind_max < math.inf and number - min(map(own_echoes, self.speakers)) > self._behind_max:
                if self._over.wait(self._pause_s):
                    return
            for speaker in self.speakers:
                speaker.send(f"say {number}")
            if self.mover is not None:
                self.mover.send(self._moves[(number - 1) % len(self._moves)].format(number))
            self.rounds = number
            if self._over.wait(self._pause_s * self._random.uniform(0.5, 1.5)):
                return

    def go_on(self, rounds: int) -> None:
        """Wait until so many more rounds were said, and the first speaker has heard itself in all but the last."""
        first, until = self.speakers[0], self.rounds + rounds
        wait_until(lambda: self.rounds >= until, f"round {until}")
        wait_until(lambda: own_echoes(first) >= until - 1, f"{first.name}'s echoes")

    def end(self) -> None:
        """No more lines."""
        self._over.set()
        self._thread.join()

    def report(self) -> Report:
        """What the checker says of all that was said, once all of it may have arrived."""
        self.end()
        said = [(one.name, line.text.removeprefix("say ")) for one in self.clients for line in one.sent]
        lines = sum(line.text.startswith("say ") for one in self.speakers for line in one.sent)
        wait_heard(self.speakers, lines + sum(who == self._mover_name and text[0] == "w" for who, text in said))
        if self.mover is not None:
            mover, own = self.mover, sum(line.text.startswith("say ") for line in self.mover.sent)
            wait_heard([], 0, lambda: own_echoes(mover) >= own)
        return check(self.clients, self._hears if self.mover else everybody)

    def report_of(self, hears: Hears) -> Report:
        """What the checker says by another rule, once everybody has heard themselves say everything."""
        self.end()
        said = {one.name: sum(line.text.startswith("say ") for line in one.sent) for one in self.clients}
        with suppress(AssertionError):
            wait_until(lambda: all(own_echoes(one) >= said[one.name] for one in self.clients), "all echoes")
        return check(self.clients, hears)

    @property
    def _mover_name(self) -> str:
        return self.mover.name if self.mover else ""

    def _hears(self, listener: str, speaker: str, text: str) -> bool | None:
        if listener == speaker:
            return True
        if listener == self._mover_name:
            return None
        return speaker != self._mover_name or text[0] == "w"


def own_echoes(client: Client) -> int:
    """How often a client heard itself."""
    return sum(speaker == client.name for speaker, _ in list(client.heard))


@contextmanager
def talking(
    clients: Sequence[Client],
    *,
    move: bool = False,
    pause_s: float = 0.05,
    seed: int = 1,
    moves: Sequence[str] = MOVES,
    behind_max: float = math.inf,
) -> Iterator[Talk]:
    """All of them talk inside the block; with `move` the last one walks between the rooms as well."""
    speakers, mover = (clients[:-1], clients[-1]) if move else (clients, None)
    talk = Talk(speakers, mover, pause_s, seed, moves, behind_max)
    try:
        yield talk
    finally:
        talk.end()


class Every:
    """True each `period_s`, until `over_s` have passed: ``while every.wait(): …``."""

    def __init__(self, period_s: float, over_s: float) -> None:
        self._next_s, self._period_s = time.monotonic(), period_s
        self._until_s = self._next_s + over_s

    def wait(self) -> bool:
        """Wait for the next time; whether there is one."""
        self._next_s += self._period_s
        time.sleep(max(0.0, min(self._next_s, self._until_s) - time.monotonic()))
        return self._next_s < self._until_s
