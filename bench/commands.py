"""How long the command line keeps a person waiting: whole processes, from start to exit."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.processes import PERDURE, server
from bench.projects import project
from bench.report import Goal, Report, Spread, main, number

GOAL_MS = 150.0


def timed_ms(command: list[str], repeats: int) -> Spread:
    """Milliseconds of the whole process."""
    values = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        values.append((time.perf_counter() - began) * 1e3)
    return Spread.of(values[1:])


def measure(short: bool) -> Report:
    """`perdure --help` and `perdure status`, beside an interpreter that does nothing."""
    repeats = 8 if short else 40
    with project() as folder, server(folder) as running:
        spreads = {
            "python -c pass": timed_ms([sys.executable, "-c", "pass"], repeats),
            "python -c 'import click'": timed_ms([sys.executable, "-c", "import click"], repeats),
            "perdure --help": timed_ms([*PERDURE, "--help"], repeats),
            "perdure status": timed_ms([*PERDURE, "status", "--state", str(running.state)], repeats),
        }
    rows = [[name, spread.text(), number(spread.p99)] for name, spread in spreads.items()]
    help_ms, status_ms = spreads["perdure --help"].median, spreads["perdure status"].median
    return Report(
        "commands",
        "Commands, whole processes, in ms: median (10th–90th percentile)",
        ["command", "ms", "99th"],
        rows,
        "the bare interpreter, and one that imports click.",
        [Goal("G16", "`perdure --help`, `perdure status`", f"≤ {GOAL_MS:.0f} ms",
              f"{number(help_ms)}, {number(status_ms)} ms", max(help_ms, status_ms) <= GOAL_MS)],
        [],
        {"help_ms": help_ms, "status_ms": status_ms, "python_ms": spreads["python -c pass"].median},
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
