"""A measurement's result: one table, its goals, what it is compared with. Printed, as JSON, and as markdown."""

from __future__ import annotations

import argparse
import re
import signal
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

import msgspec


class Goal(msgspec.Struct):
    """A goal and what was measured of it. `met` is None where the figure does not decide it."""

    id: str
    what: str
    goal: str
    measured: str
    met: bool | None


class Report(msgspec.Struct):
    """One measurement.

    Attributes:
        name: ``python -m bench --full NAME`` repeats it.
        columns, rows: The table; the first column says what was measured, the others hold figures.
        compared: What the control runs are.
        notes: What one has to know to read the figures.
        figures: name -> value, for programs; units are at the ends of the names.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]
    compared: str
    goals: list[Goal] = []
    notes: list[str] = []
    figures: dict[str, float] = {}


class LeftOut(Exception):
    """What this measurement needs is not to be had here; the text says what and why. It is no failure."""


LEFT_OUT = 69
"""Exit code of a measurement that was left out: EX_UNAVAILABLE of sysexits.h."""


class Spread(NamedTuple):
    """A median with what lies around it: the 10th and 90th percentile, and the 99th."""

    low: float
    median: float
    high: float
    p99: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        if len(values) == 1:
            return Spread(values[0], values[0], values[0], values[0])
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        return Spread(cuts[9], statistics.median(values), cuts[89], cuts[98])

    def text(self, scale: float = 1.0) -> str:
        """``median (low–high)``, each multiplied by `scale`."""
        return f"{number(self.median * scale)} ({number(self.low * scale)}–{number(self.high * scale)})"


def number(value: float) -> str:
    """Three significant digits, without exponents."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.{2 if size >= 1 else 3}f}"


def as_text(report: Report) -> str:
    """The table for a terminal."""
    lines = [report.title, "", *_aligned([report.columns, *report.rows]), ""]
    lines += [
        f"  {goal.id}: {goal.what}: {goal.measured} (goal {goal.goal}: {_verdict(goal)})" for goal in report.goals
    ]
    lines.append(f"  compared with: {report.compared}")
    lines += [f"  {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


def as_markdown(report: Report) -> str:
    """The table for the documentation."""
    head = [f"| {' | '.join(report.columns)} |", f"|{'---|' + '--:|' * (len(report.columns) - 1)}"]
    body = [f"| {' | '.join(row)} |" for row in report.rows]
    notes = [f"{note}  " for note in report.notes]
    return "\n".join([*head, *body, "", f"Compared with: {report.compared}", *([""] if notes else []), *notes])


def goals_as_markdown(reports: Sequence[Report], others: str = "") -> str:
    """All goals in one table.

    Args:
        others: An earlier table; the goals of measurements that are not among the reports are taken from it.
    """
    measured = {f"`{report.name}`" for report in reports}
    kept = [
        line for line in others.splitlines() if line.endswith("` |") and line.split("|")[-2].strip() not in measured
    ]
    lines = ["| # | what | goal | measured | | measurement |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *sorted([*kept, *_goal_lines(reports)], key=_goal_number)])


def _goal_lines(reports: Sequence[Report]) -> list[str]:
    """One line of the table for each goal."""
    return [
        f"| {goal.id} | {goal.what} | {goal.goal} | {goal.measured} | {_verdict(goal)} | `{report.name}` |"
        for report in reports
        for goal in report.goals
    ]


def _goal_number(line: str) -> int:
    found = re.match(r"\| G(\d+) ", line)
    return int(found[1]) if found else 0


def _verdict(goal: Goal) -> str:
    return "—" if goal.met is None else "met" if goal.met else "**missed**"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  " + "   ".join(cells).rstrip())
    lines.insert(1, "  " + "   ".join("-" * width for width in widths))
    return lines


def main(measure: Callable[[bool], Report]) -> None:
    """Run one measurement as a script: ``[--full] [--json]``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="more repetitions and larger sizes")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    unwind_on_sigterm()
    try:
        report = measure(not arguments.full)
    except LeftOut as reason:
        print(f"Left out: {reason}", file=sys.stderr)
        sys.exit(LEFT_OUT)
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n" if arguments.json else as_text(report))


def unwind_on_sigterm() -> None:
    """Let SIGTERM unwind this process, so that what it started is ended with it."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(signum: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signum)
