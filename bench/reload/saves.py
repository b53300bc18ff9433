"""G2: from the close of a saved file to the first answer that shows it, and to the report of a broken one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.processes import server
from bench.reload.edits import Reports, Tail, at_most, steps_text
from bench.reload.games import PARTS, Game, game
from bench.reload.typist import Typist
from bench.report import Goal, Report, main

GOAL_P50_MS, GOAL_P99_MS = 20.0, 100.0
SEEN_S = 20.0
APART_S = 0.1


class Edited(NamedTuple):
    """Many saves of one kind: seconds until it was seen, and until it was reported; the reports."""

    seen_s: list[float]
    reported_s: list[float]
    reports: list[dict[str, Any]]


def good(save: Callable[[], str], typist: Typist, reports: Reports, count: int) -> Edited:
    """Save that many times, each when the one before was seen and reported."""
    edited = Edited([], [], [])
    for _ in range(count):
        value = save()
        saved_s = time.monotonic()
        seen_s = typist.seen(value, SEEN_S)
        if seen_s is None:
            raise RuntimeError(f"value {value} was not seen within {SEEN_S:g} s")
        reported_s, report = reports.next()
        edited.seen_s.append(seen_s - saved_s)
        edited.reported_s.append(reported_s - saved_s)
        edited.reports.append(report)
        time.sleep(APART_S)
    return edited


def broken(saved: Game, name: str, reports: Reports, count: int) -> Edited:
    """Break a module that many times, and mend it each time; only the breaking is measured."""
    edited = Edited([], [], [])
    whole = (saved.code / name).read_text()
    for _ in range(count):
        saved.save_broken(name)
        saved_s = time.monotonic()
        reported_s, report = reports.next()
        while not report["failed"]:  # of the mending before
            reported_s, report = reports.next()
        edited.reported_s.append(reported_s - saved_s)
        edited.reports.append(report)
        time.sleep(APART_S)
        (saved.code / name).write_text(whole)  # what runs already
        time.sleep(APART_S)
    return edited


def measured(count: int) -> dict[str, Edited]:
    """Each kind of edit, under a watched project with one player who types."""
    found = {}
    with (
        game(watch=True) as saved,
        server(saved.folder) as running,
        Typist(running.port) as typist,
        Reports(running) as reports,
    ):
        for name, line, save in (
            ("a module that nobody imports", "leaf =NUMBER;\r\n", saved.save_leaf),
            ("the one that all import", "part0 =NUMBER;\r\n", saved.save_base),
        ):
            typist.begin(line)
            found[name] = good(save, typist, reports, count)
            typist.stop()
        typist.begin("part0 =NUMBER;\r\n")
        for name, file in (("broken: nobody imports it", "leaf.py"), ("broken: all import it", "base.py")):
            found[name] = broken(saved, file, reports, count // 2)
        typist.stop()
    return found


def measure(short: bool) -> Report:
    """Saves of four kinds."""
    count = 20 if short else 120
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    steps: list[str] = []
    for name, edited in measured(count).items():
        reported = Tail.of(edited.reported_s)
        seen = Tail.of(edited.seen_s) if edited.seen_s else None
        rows.append([name, *(seen.cells(1e3) if seen else ["", "", ""]), *reported.cells(1e3)])
        steps.append(f"{name}: {steps_text(edited.reports)}.")
        if seen is not None:
            key = "leaf" if "nobody" in name else "base"
            figures |= {f"{key}_seen_p50_ms": seen.p50 * 1e3, f"{key}_seen_p99_ms": seen.p99 * 1e3}
            goals.append(at_most("G2", f"saved until live, {name}, p50", GOAL_P50_MS, seen.p50 * 1e3, "ms"))
            goals.append(at_most("G2", f"saved until live, {name}, p99", GOAL_P99_MS, seen.p99 * 1e3, "ms"))
    return Report(
        "reload.saves",
        f"A file saved under `watch = true`, in ms from its close, over {count} saves ({count // 2} broken ones)",
        ["saved", "seen", "99th", "longest", "reported", "99th", "longest"],
        rows,
        "`reload.peers`, in the same minutes.",
        goals,
        [
            "Seen: a player by telnet, who types again a millisecond after each answer, gets the first that shows it.",
            f"Reported: the event has come to a follower. The game has {PARTS + 5} modules of about a hundred lines.",
            "Where the time goes, median of each step of the reports, in ms (what is before them is the watching):",
            *steps,
        ],
        figures,
    )


if __name__ == "__main__":
    main(measure)
