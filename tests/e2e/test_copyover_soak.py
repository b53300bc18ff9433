"""Fifty changed programs under ten players, every fifth broken in a way of its own: nobody notices but what is new."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.e2e.checker import GAP_S_MAX, Report
from tests.e2e.copyovers import Played, descendants, descriptors, playing
from tests.e2e.programs import BROKEN, ROOMS, exe_of
from tests.e2e.server import wait_until
from tests.e2e.test_copyover_faults import armed, under_talk

SOAK_S = float(os.environ.get("PERDURE_SOAK_SECONDS", "120"))
SEED = int(os.environ.get("PERDURE_SEED", "1"))
PROGRAMS = 50
BROKEN_EVERY = 5
CONTROL_ROUNDS = 20


class Operator:
    """Changes the program of a server, every fifth time badly, and looks what becomes of it.

    Attributes:
        good, bad: How many there were.
        at: Step at which a bad one ended -> how often.
        pauses_ms, freezes_ms: Of the good ones.
        aborts_ms, abort_freezes_ms: How long the bad ones took, and for how long a line waited in them.
        descriptors: Of supervisor, gateway and host, after each good one.
    """

    def __init__(self, halls: Played, seed: int) -> None:
        self.halls, self.random = halls, Random(seed)
        self.good = self.bad = 0
        self.at: Counter[str] = Counter()
        self.pauses_ms: list[float] = []
        self.freezes_ms: list[float] = []
        self.aborts_ms: list[float] = []
        self.abort_freezes_ms: list[float] = []
        self.descriptors: list[tuple[int, ...]] = []
        self._ways = list(BROKEN)
        self.random.shuffle(self._ways)
        self._expected = halls.program()
        self._exe = exe_of(halls.processes()["host-1"])
        self._command: list[str] = []

    def copy_over(self) -> None:
        """To one program more."""
        if (self.good + self.bad) % BROKEN_EVERY == BROKEN_EVERY - 1:
            self._badly()
        else:
            self._well()

    def _well(self) -> None:
        halls, version = self.halls, f"0.1.{100 + self.good}"
        before = halls.server.ask("version")["build"]
        expected, exe = self._expected, self._exe
        for change in self.random.sample(["game", "build", "venv"], self.random.randint(1, 2)):
            match change:
                case "game":
                    halls.halls.edit(("# more fields", f"extra_{self.good}: int = 0\n    # more fields"))
                    expected = expected | {"mark": str(halls.halls.mark)}
                case "build":
                    halls.halls.use_build(version=version)
                    expected, exe = expected | {"perdure": version, "prefix": ""}, ""
                case _:
                    interpreter = halls.halls.use_venv(version=version)
                    exe = str(interpreter.resolve())
                    expected = expected | {"perdure": version, "prefix": str(interpreter.parents[1])}
        report = halls.committed()
        host = halls.processes()[report["serving"]]
        self._look(report, before, expected, exe, host)
        processes = halls.processes()
        assert len(processes) == 3, processes
        self.descriptors.append(tuple(descriptors(processes[name]) for name in sorted(processes)))
        self.pauses_ms.append(report["pause_ms"]["max"])
        self.freezes_ms.append(report["freeze_ms"])
        self.good += 1

    def _look(
        self, report: dict[str, Any], before: dict[str, Any], expected: dict[str, str], exe: str, pid: int
    ) -> None:
        program, build = self.halls.program(), self.halls.server.ask("version")["build"]
        assert {key: program[key] for key, value in expected.items() if value} == {
            k: v for k, v in expected.items() if v
        }
        assert build["number"] == report["build"]["to"] > before["number"] == report["build"]["from"]
        assert build["source"] == report["program"]["to"]["source"] != before["source"]
        assert exe_of(pid) == (exe or exe_of(self.halls.processes()["gateway"])) == report["program"]["to"]["exe"]
        self._expected, self._exe, self._command = program, exe_of(pid), report["program"]["to"]["command"]

    def _badly(self) -> None:
        name = self._ways[self.bad % len(self._ways)]
        broken, before = BROKEN[name], (self.halls.processes(), self.halls.hashes().keys())
        broken.make(self.halls.halls)
        began_s = time.monotonic()
        report = self.halls.copyover()
        took_s = time.monotonic() - began_s
        self.halls.halls.mend()
        self.halls.halls.configure(self._command)
        assert (report["outcome"], report["aborted_at"]) == ("aborted", broken.at), (name, report)
        assert broken.says in report["reason"], (name, report["reason"])
        assert report["sessions"]["lost"] == 0
        assert (self.halls.processes(), self.halls.hashes().keys()) == before
        self.halls.check()
        assert self.halls.program() == self._expected
        self.at[broken.at] += 1
        self.aborts_ms.append(took_s * 1e3)
        self.abort_freezes_ms.append(report["freeze_ms"])
        self.bad += 1

    def check(self) -> None:
        """History tells it all; the last of them left no more descriptors open than the first (FM-12, FM-30)."""
        reports = self.halls.server.ask("copyover.history")
        outcomes = Counter(report["outcome"] for report in reports)
        assert outcomes == Counter(committed=self.good, aborted=self.bad)
        assert [report["id"] for report in reports] == list(range(1, self.good + self.bad + 1))
        half = len(self.descriptors) // 2
        first, second = (
            [max(counts) for counts in zip(*part, strict=True)]
            for part in (self.descriptors[:half], self.descriptors[half:])
        )
        assert all(b <= a + 2 for a, b in zip(first, second, strict=True)), (first, second)
        pid = self.halls.server.pid("supervisor")
        assert len(descendants(pid)) <= 3, descendants(pid)

    def __str__(self) -> str:
        steps = ", ".join(f"{count} at {step}" for step, count in sorted(self.at.items()))
        return (
            f"{self.good} copyovers of {len(ROOMS)} rooms, {self.bad} aborted ({steps}); longest pause of a room "
            f"{max(self.pauses_ms):.1f} ms, longest freeze {max(self.freezes_ms):.1f} ms; "
            f"an aborted one took {max(self.aborts_ms, default=0.0):.0f} ms at most, with a freeze of "
            f"{max(self.abort_freezes_ms, default=0.0):.1f} ms"
        )


def control(halls: Played, seed: int, *, pause_s: float) -> Report:
    """The same talk without a copyover."""
    with halls.talking(pause_s=pause_s, seed=seed) as talk:
        talk.go_on(rounds=CONTROL_ROUNDS)
    return halls.checked(talk)


def change_programs(folder: Path, count: int, until_s: float, seed: int, *, pause_s: float) -> str:
    """The whole of it; what was measured."""
    began_s = time.monotonic()
    with playing(folder) as halls:
        still = control(halls, seed, pause_s=pause_s)
        operator = Operator(halls, seed)
        with halls.talking(pause_s=pause_s, seed=seed) as talk:
            while operator.good + operator.bad < count and time.monotonic() - began_s < until_s:
                operator.copy_over()
            talk.go_on(rounds=2)
        report = halls.checked(talk)
        operator.check()
        assert report.gap_s <= GAP_S_MAX, report
        assert halls.server.stop() == 0
        return f"seed {seed}: {operator}; {report}; without one the longest gap was {still.gap_s:.3f} s"


def test_changed_programs_cost_nobody_a_line(tmp_path: Path) -> None:
    """Some of them, one of those broken (FM-21, FM-30, FM-31, FM-37)."""
    print(change_programs(tmp_path, BROKEN_EVERY, 600.0, SEED, pause_s=0.05))  # noqa: T201  (shown when it fails)


@pytest.mark.soak
def test_fifty_changed_programs_cost_nobody_a_line(tmp_path: Path) -> None:
    """The first, the second and the fiftieth alike; or as many as PERDURE_SOAK_SECONDS allow (FM-12, FM-16, FM-30)."""
    print("\n" + change_programs(tmp_path, PROGRAMS, SOAK_S, SEED, pause_s=0.2))  # noqa: T201  (the soak's figures)


# -- faults, anywhere ----------------------------------------------------------------------------------

NEW_POINTS = ("prepare", "verify", "commit", "route", "release")
OLD_POINTS = ("stop", "offer", "abort")
ACTIONS = ("kill", "kill", "exit", "raise")
"""`hang` takes the supervisor's patience: it has cases of its own."""


def any_fault(random: Random, points: Sequence[str]) -> str:
    """Some action at some step of some room."""
    count = random.randint(1, len(ROOMS)) if points is OLD_POINTS else random.choice([1, 1, 2, 4, 6, 8, 10])
    return f"copyover:{random.choice(points)}={random.choice(ACTIONS)}@{count}"


def fail_anywhere(folder: Path, until_s: float, seed: int) -> str:
    """Copyovers with faults on either side, or both, for so long; which cells they met, and what came of it."""
    random, began_s, cells = Random(seed), time.monotonic(), Counter[str]()
    with playing(folder) as halls:
        while time.monotonic() - began_s < until_s:
            new, old = any_fault(random, NEW_POINTS), any_fault(random, OLD_POINTS)
            new, old = random.choice([(new, ""), ("", old), (new, old)])
            if old:
                halls.halls.configure(armed(old))
                halls.copyover(quiet=True)
            halls.halls.configure(armed(new))
            outcome = under_talk(halls)["outcome"]
            halls.halls.configure()
            whole = wait_until(lambda: halls.copyover(quiet=True)["outcome"] == "committed", "a whole program")
            assert whole
            halls.check()
            for side, fault in (("new", new), ("old", old)):
                if fault:
                    cells[f"{side} {fault.partition(':')[2].partition('@')[0]} -> {outcome}"] += 1
    met = ", ".join(f"{cell} ({count})" for cell, count in sorted(cells.items()))
    return f"seed {seed}: {sum(cells.values())} faults in {len(cells)} cells: {met}"


@pytest.mark.soak
def test_faults_anywhere_cost_nobody_a_line(tmp_path: Path) -> None:
    """For PERDURE_SOAK_SECONDS, from PERDURE_SEED: one owner each, nobody disconnected (FM-31, FM-36, FM-93)."""
    print("\n" + fail_anywhere(tmp_path, SOAK_S, SEED))  # noqa: T201  (the soak's figures)
