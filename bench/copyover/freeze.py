"""What players notice while the program is replaced under them, beside more and more others."""

from __future__ import annotations

import time
from typing import NamedTuple

from bench.copyover.changeover import (
    MOVE_STEPS,
    PROBE_EVERY_S,
    PROBES,
    Copyover,
    Noticed,
    Operator,
    noticed,
    steps,
)
from bench.copyover.games import game
from bench.copyover.players import PlayersProcess
from bench.processes import server
from bench.reload.edits import Tail, at_most
from bench.report import Report, main, number

GOAL_FREEZE_MS = 25.0
OTHERS_EVERY_S = 10.0
"""Each of the others says a line so often."""
SETTLE_S = 2.0
REST_S = 0.3
SAY = "use NUMBER"


class Measured(NamedTuple):
    """Copyovers beside so many others.

    Attributes:
        noticed: By the probes.
        memory_mib: The old host and its successor when all rooms are copied, and the one host before.
    """

    others: int
    copyovers: list[Copyover]
    noticed: Noticed
    memory_mib: tuple[float, float, float]


def beside(others: int, count: int) -> Measured:
    """So many copyovers of one room with probes and others in it; the first one is not counted."""
    with (
        game() as project,
        server(project.folder) as running,
        PlayersProcess(running.port, others) as crowd,
        PlayersProcess(running.port, PROBES) as probes,
        Operator(running) as operator,
    ):
        crowd.speak(SAY, OTHERS_EVERY_S)
        probes.speak(SAY, PROBE_EVERY_S)
        time.sleep(SETTLE_S)
        copyovers = []
        for _ in range(count + 1):
            project.edit()
            copyovers.append(operator.copy_over(rest_s=REST_S))
        probes.stop()
        memory_mib = operator.test_memory_mib()
        crowd.stop()
        return Measured(others, copyovers[1:], noticed(probes, copyovers[1:]), memory_mib)


def rows_of(measured: Measured) -> list[list[str]]:
    """The lines of the table."""
    head, seen = f"{measured.others:,} others", measured.noticed
    pauses = Tail.of([float(each.report["pause_ms"]["max"]) for each in measured.copyovers])
    taken = {**steps(measured.copyovers, MOVE_STEPS), **steps(measured.copyovers, ("boot", "prepare"))}
    return [
        [f"{head}: longest wait of a probe, around a copyover", *seen.freezes.cells(1e3)],
        [f"{head}: the same, without one", *seen.idle.cells(1e3)],
        [f"{head}: a line, while the successor boots and prepares", *seen.preparing.cells(1e3)],
        [f"{head}: a line, without one", *seen.calm.cells(1e3)],
        [f"{head}: pause of the room, by the report", *pauses.cells()],
        *([f"{head}: step {name}", *tail.cells()] for name, tail in taken.items()),
    ]


def figures_of(measured: Measured) -> dict[str, float]:
    """For programs."""
    seen, name = measured.noticed, f"others_{measured.others}"
    return {
        f"{name}_freeze_p50_ms": seen.freezes.p50 * 1e3,
        f"{name}_freeze_p99_ms": seen.freezes.p99 * 1e3,
        f"{name}_idle_p50_ms": seen.idle.p50 * 1e3,
        f"{name}_idle_p99_ms": seen.idle.p99 * 1e3,
        f"{name}_preparing_p99_ms": seen.preparing.p99 * 1e3,
        f"{name}_calm_p99_ms": seen.calm.p99 * 1e3,
        f"{name}_old_host_mib": measured.memory_mib[0],
        f"{name}_successor_mib": measured.memory_mib[1],
        f"{name}_one_host_mib": measured.memory_mib[2],
    }


def measure(short: bool) -> Report:
    """One room with everybody in it: there the pause grows with them, if it grows."""
    sizes, count = ((100, 1000), 2) if short else ((100, 1000, 10_000), 100)
    all_measured = [beside(others, count) for others in sizes]
    figures: dict[str, float] = {"copyovers": count}
    for measured in all_measured:
        figures |= figures_of(measured)
    memory = "; ".join(
        f"beside {each.others:,} others {' and '.join(map(number, each.memory_mib[:2]))} MiB, "
        f"one host alone {number(each.memory_mib[2])} MiB"
        for each in all_measured
    )
    return Report(
        "copyover.freeze",
        f"{PROBES} players who say a line every {PROBE_EVERY_S * 1e3:.0f} ms while the host is replaced, in ms, "
        f"{count} copyovers each",
        ["", "median", "99th", "longest"],
        [row for measured in all_measured for row in rows_of(measured)],
        "the same players for as long without a copyover, after each one, on the same server.",
        [
            at_most("G4", f"freeze beside {each.others:,} others, 99th, less the control run's", GOAL_FREEZE_MS,
                    max(0.0, each.noticed.freeze_ms), "ms")
            for each in all_measured
        ],
        [
            "Each copyover is to an edited game; the span lasts from the order until after the report, with boot,",
            "preparation, move, and the loading of the new code.",
            "All are in one room, where the pause could grow with them.",
            f"Each of the others says a line every {OTHERS_EVERY_S:.0f} s.",
            "Each line changes a row, and is recorded. Whoever speaks is not the server's process, nor each other's.",
            f"Resident memory of the old host and the successor when all is copied: {memory}.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
