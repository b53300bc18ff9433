"""A village is edited, again and again, while ten players talk in it: nobody notices anything but what is new."""

import os
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any

import pytest

from tests.e2e.edits import (
    BROKEN,
    MARKED,
    REMOVED_NAME,
    Broken,
    Marks,
    Played,
    any_save,
    breakages,
    memory_bytes,
    names,
    playing,
)
from tests.e2e.talk import Every, talking

SOAK_S = float(os.environ.get("PERDURE_SOAK_SECONDS", "120"))
SEED = int(os.environ.get("PERDURE_SEED", "1"))
EDIT_PERIOD_S = 0.6
"""200 edits in two minutes."""
BROKEN_EVERY = 5
WAYS = [REMOVED_NAME, *BROKEN.values()]
KILLED_EVERY = 8
KILL_WITHIN_S = 0.05
WARM_UP, RELOADS, RELOADS_SHORT = 500, 1000, 40


class Author:
    """Edits a village, every fifth time badly, and looks what becomes of it.

    Attributes:
        expected: The marks that players should see, one after the other.
        ways_s: Good edits: from saving to the first player who saw it.
        broken: All broken edits.
        lying: What is broken on disk at this moment.
        kills: How often a host died of an edit.
        paid: How many coins the probe must have.
    """

    def __init__(self, played: Played, seed: int) -> None:
        self.played, self.random = played, Random(seed)
        self.expected: list[Marks] = [dict(played.village.marks)]
        self.ways_s: list[float] = []
        self.kills = self.paid = 0
        self.broken: list[Broken] = []
        self.lying: dict[str, Broken] = {}
        self._must_mend = ""
        played.probe.wait(played.village.marks)

    def edit(self) -> None:
        """One edit, until it is live or reported; then one row more is changed, to see that none is lost."""
        number = len(self.expected) + len(self.broken)
        if number % BROKEN_EVERY == 0 and not self._must_mend:
            self._edit_badly()
        else:
            self._edit_well(self._which())
        self._pay()

    def edit_and_kill(self) -> None:
        """One edit, and the host dies somewhere on the way to it: the next one serves what is good of it."""
        server, news, broken = self.played.server, self.played.news, None
        if self._must_mend:
            self._edit_well(self._which())
        since = len(news.events)
        if self.kills % 2 == 0:
            broken = self._save_badly()
            self._must_mend = broken.name
        else:
            self._save_well(self._which())
        self.kills += 1
        time.sleep(self.random.uniform(0, KILL_WITHIN_S))  # some moment of the reload, or before, or behind it
        server.kill_host()
        if broken is not None:
            told = partial(_told_at_the_start, broken)
            news.wait(since, told, f"trigger start, {broken.file}:{broken.line}")
        self.played.probe.wait(self.played.village.marks)
        self._pay()

    def _which(self) -> str:
        """What is edited next: what is broken, or anything; the name that others miss comes back at once."""
        name, self._must_mend = self._must_mend, ""
        return name or self.random.choice([*MARKED, *self.lying])

    def _save_well(self, name: str) -> float:
        village = self.played.village
        if name == "bank" and self.random.random() < 0.5:
            village.grow("bank")
        self.lying.pop(name, None)
        saved_s = village.edit(name, any_save(self.random))
        self.expected.append(dict(village.marks))
        return saved_s

    def _edit_well(self, name: str) -> None:
        saved_s = self._save_well(name)
        self.ways_s.append(self.played.probe.wait(self.played.village.marks) - saved_s)

    def _save_badly(self) -> Broken:
        """Every other time it is the file that all others import, in one way after the other."""
        turn, other = divmod(len(self.broken), 2)
        whole = [name for name in MARKED if name not in self.lying]
        name = "words" if other == 0 and "words" in whole else self.random.choice(whole)
        how = WAYS[turn % len(WAYS)] if name == "words" else self.random.choice(breakages(name))
        broken = self.lying[name] = self.played.village.spoil(name, how, any_save(self.random))
        if how is REMOVED_NAME:
            self._must_mend = name
        self.broken.append(broken)
        return broken

    def _edit_badly(self) -> None:
        since = len(self.played.news.events)
        self.played.news.wait_broken(since, self._save_badly())
        self.played.probe.wait(self.played.village.marks)

    def _pay(self) -> None:
        self.paid += 1
        self.played.probe.client.command("deposit 1", f"You have {self.paid} coins.")

    def check(self) -> None:
        """Players saw every good edit, in order, no broken one, and never half of one; `perdure events` has those."""
        assert [marks for _, marks in self.played.probe.states] == self.expected
        assert self.played.probe.mixed == []
        told = self.played.server.cli("events", "-n", "10000").out
        places = {f"{Path(broken.file).name}:{broken.line}" for broken in self.broken}
        assert {place for place in places if place not in told} == set()


def _told_at_the_start(broken: Broken, report: Mapping[str, Any]) -> bool:
    return report["trigger"] == "start" and names(report, broken)


def way(ways_s: Iterable[float]) -> str:
    """From saving to seeing, in words."""
    cuts = quantiles(ways_s, n=100, method="inclusive")
    return f"saved to seen p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms, longest {max(ways_s) * 1e3:.1f} ms"


def edit_while_they_talk(folder: Path, edits: int, seed: int, *, pause_s: float) -> str:
    """The whole of it; what was measured."""
    with playing(folder, 10, watch=True) as played:
        pid = played.server.pid("host-1")
        with talking(played.clients, pause_s=pause_s, seed=seed) as talk:
            talk.go_on(rounds=2)
            author, every = Author(played, seed), Every(EDIT_PERIOD_S, edits * EDIT_PERIOD_S)
            for _ in range(edits):
                author.edit()
                if edits * EDIT_PERIOD_S > 10:
                    every.wait()
            talk.go_on(rounds=2)
        report = played.checked(talk)
        assert report.complaints == []
        author.check()
        assert played.server.pid("host-1") == pid
        assert played.server.events("exited") == []
        assert played.server.events("fault") == []
        generations = played.generations()
        assert len(generations) <= 2, generations
        assert sum(one["rooms"] for one in generations) == 2
        assert played.server.stop() == 0
        return f"{edits} edits, {len(author.broken)} of them broken, with seed {seed}: {report}; {way(author.ways_s)}"


def test_edits_cost_nobody_a_line_and_are_live(tmp_path: Path) -> None:
    """Good ones are seen, broken ones are reported with their line and have no effect (FM-42, FM-44, FM-45, FM-50).

    Also in a module that others import; and the rows keep their contents over all of it, with fields that come.
    """
    print(edit_while_they_talk(tmp_path, 15, SEED, pause_s=0.05))  # noqa: T201  (shown when it fails)


@pytest.mark.soak
def test_two_hundred_edits_in_two_minutes_cost_nobody_a_line(tmp_path: Path) -> None:
    """As many in PERDURE_SOAK_SECONDS as that makes (FM-42, FM-44, FM-45, FM-50)."""
    print("\n" + edit_while_they_talk(tmp_path, round(SOAK_S / EDIT_PERIOD_S), SEED, pause_s=0.2))  # noqa: T201


def edit_and_kill(folder: Path, rounds: int, seed: int, *, pause_s: float) -> str:
    """Edits, some of which the host does not survive; what was measured."""
    with playing(folder, 10, watch=True) as played:
        with talking(played.clients, pause_s=pause_s, seed=seed) as talk:
            author = Author(played, seed)
            for _ in range(rounds):
                for _ in range(KILLED_EVERY - 1):
                    author.edit()
                author.edit_and_kill()
            talk.go_on(rounds=2)
        report = played.checked(talk)
        assert report.complaints == []
        author.check()
        assert len(played.server.events("exited", name="host-1")) == rounds
        assert len(played.generations()) <= 2
        edits = len(author.expected) - 1 + len(author.broken)
        return f"{edits} edits, {len(author.broken)} of them broken, {rounds} kills, with seed {seed}: {report}"


def test_a_host_that_is_killed_amid_edits_comes_back_with_the_last_good_code(tmp_path: Path) -> None:
    """Also while a broken file lies on disk; the report of the start says so. No line, no row is lost."""
    print(edit_and_kill(tmp_path, 2, SEED, pause_s=0.05))  # noqa: T201  (shown when it fails)


@pytest.mark.soak
def test_kills_amid_edits_cost_nobody_a_line(tmp_path: Path) -> None:
    """For as long as PERDURE_SOAK_SECONDS says, at about 2 s for each kill and the edits around it."""
    print("\n" + edit_and_kill(tmp_path, max(1, round(SOAK_S / 2)), SEED, pause_s=0.2))  # noqa: T201


def reload_many(played: Played, count: int, random: Random) -> None:
    """So many reloads, each of some module and what imports it."""
    for _ in range(count):
        played.village.edit(random.choice(MARKED))
        report = played.reload()
        assert not report["failed"], report["failed"]
        assert report["rooms"]["swapped"] == 2
    played.probe.wait(played.village.marks)


def test_generations_do_not_accumulate(tmp_path: Path) -> None:
    """However often the code is replaced: there is the one that runs, and nothing else is loaded (FM-49)."""
    with playing(tmp_path, 2) as played:
        with talking(played.clients, pause_s=0.05) as talk:
            reload_many(played, RELOADS_SHORT, Random(SEED))
        assert played.checked(talk).complaints == []
        assert [one["rooms"] for one in played.generations()] == [2]


@pytest.mark.soak
def test_a_thousand_reloads_leave_nothing_behind(tmp_path: Path) -> None:
    """With players on. What each of them costs in memory is printed; the generations are gone (FM-49)."""
    with playing(tmp_path, 10) as played:
        pid, random = played.server.pid("host-1"), Random(SEED)
        with talking(played.clients, pause_s=0.2, seed=SEED) as talk:
            reload_many(played, WARM_UP, random)
            sizes = [memory_bytes(pid)]
            for _ in range(4):
                reload_many(played, RELOADS // 4, random)
                sizes.append(memory_bytes(pid))
        assert played.checked(talk).complaints == []
        assert [one["rooms"] for one in played.generations()] == [2]
        each = (sizes[-1] - sizes[0]) / RELOADS
        kib = ", ".join(f"{size >> 10:,}" for size in sizes)
        print(f"\n{RELOADS} reloads with players on: {each:.0f} bytes each; the host's memory in KiB: {kib}")  # noqa: T201
