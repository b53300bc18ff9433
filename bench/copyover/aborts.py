"""A copyover whose successor fails when the room has stopped already: how long until the old host serves again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from bench.copyover.changeover import PROBE_EVERY_S, PROBES, Copyover, Operator, noticed
from bench.copyover.games import OTHER_HASH, Project, game
from bench.copyover.players import PlayersProcess
from bench.processes import server
from bench.reload.edits import Tail, at_most
from bench.report import Report, main
from perdure.movement.move import ANSWER_S

GOAL_MS = 20.0
REST_S = 0.3
SETTLE_S = 1.0
SAY = "use NUMBER"


class Failure(NamedTuple):
    """A way to fail.

    Attributes:
        fault: What is arranged in the successor.
        command: What it is started with.
        seen_s: After how long the old host has to see it.
    """

    name: str
    fault: str
    command: Sequence[str]
    seen_s: float


FAILURES = (
    Failure("killed at verify", "copyover:verify=kill", (), 0.0),
    Failure("killed at commit", "copyover:commit=kill", (), 0.0),
    Failure("hangs at verify", "copyover:verify=hang", (), ANSWER_S),
    Failure("refuses the hash", "", OTHER_HASH, 0.0),
)


@contextmanager
def arranged(count: int) -> Iterator[None]:
    """Let the hosts after the first fail in turn, each in one of these ways."""
    faults = [f"host-{2 + index}/{failure.fault}" for index, failure in enumerate(_order(count)) if failure.fault]
    os.environ["PERDURE_FAULT"] = ",".join(faults)
    try:
        yield
    finally:
        del os.environ["PERDURE_FAULT"]


def _order(count: int) -> list[Failure]:
    return list(FAILURES) * count


def fail(project: Project, operator: Operator, count: int) -> list[list[Copyover]]:
    """For each way to fail, the copyovers that did."""
    failed: list[list[Copyover]] = [[] for _ in FAILURES]
    for index, failure in enumerate(_order(count)):
        project.configure(failure.command)
        copyover = operator.copy_over(rest_s=REST_S, outcome="aborted")
        if copyover.report["aborted_at"] not in ("verify", "commit"):
            raise RuntimeError(f"a copyover failed elsewhere than meant: {copyover.report}")
        failed[index % len(FAILURES)].append(copyover)
    return failed


def measure(short: bool) -> Report:
    """One room, probes in it, and a successor that never gets it."""
    count = 1 if short else 25
    with game() as project, arranged(count), server(project.folder) as running:
        pid = running.pids()["host"]
        with PlayersProcess(running.port, PROBES) as probes, Operator(running) as operator:
            probes.speak(SAY, PROBE_EVERY_S)
            time.sleep(SETTLE_S)
            failed = fail(project, operator, count)
            probes.stop()
            seen = [noticed(probes, copyovers) for copyovers in failed]
        if running.pids()["host"] != pid:
            raise RuntimeError("the old host is not the one that serves")
    rows, goals = [], []
    figures: dict[str, float] = {}
    for failure, each in zip(FAILURES, seen, strict=True):
        behind = Tail(*(max(0.0, s - failure.seen_s) * 1e3 for s in each.freezes))
        less = max(0.0, behind.p99 - each.idle.p99 * 1e3)
        waited = f", less T = {failure.seen_s * 1e3:.0f} ms" if failure.seen_s else ""
        rows += [
            [f"{failure.name}: longest wait of a probe{waited}", *behind.cells()],
            [f"{failure.name}: the same, without a copyover", *each.idle.cells(1e3)],
        ]
        goals.append(at_most("G7", f"successor {failure.name}: served again after detection, 99th, less the control's",
                             GOAL_MS, less, "ms"))  # fmt: skip
        figures[f"{failure.name.replace(' ', '_')}_p99_ms"] = behind.p99
        figures[f"{failure.name.replace(' ', '_')}_idle_p99_ms"] = each.idle.p99 * 1e3
    return Report(
        "copyover.aborts",
        f"Copyovers that fail after the room has stopped, in ms, {count} of each kind",
        ["", "median", "99th", "longest"],
        rows,
        "the same players for as long without a copyover, after each one, on the same server.",
        goals,
        [
            f"{PROBES} probes in one room, each with a line every {PROBE_EVERY_S * 1e3:.0f} ms. The span is the whole",
            "copyover, with boot and preparation. Nobody was disconnected, every line was answered once, and the same",
            "process serves as before.",
            f"A successor that hangs is noticed when it has not answered for T = {ANSWER_S * 1e3:.0f} ms: taken off.",
            "What is left holds the lines that piled up meanwhile, 500 of them, worked off in one go.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
