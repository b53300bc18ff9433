"""``python -m bench``: every measurement, one after the other, each in a process of its own.

    python -m bench                     the short form of all (also: make bench)
    python -m bench --full callbacks    one of them, in full
    python -m bench --full reload       all whose names begin with `reload.`; the same: copyover, peers
    python -m bench --write             all in full; bench/results/ and docs/performance.md are written anew
    python -m bench --full --write peers echo    these alone; each of their tables then says when it was made

A measurement that fails or takes too long is ended with everything that it started, and the others go on. One whose
needs are not to be had here, like Evennia without a package index, is left out, which is no failure.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

from bench.processes import end
from bench.report import LEFT_OUT, LeftOut, Report, as_markdown, as_text, goals_as_markdown, unwind_on_sigterm

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
MEASUREMENTS = (
    "callbacks", "hooks", "snapshots", "recovery", "acknowledgement", "echo", "commands", "heartbeats", "memory",
    "reload.pauses", "reload.saves", "reload.waking", "reload.growth", "reload.rooms", "reload.peers",
    "copyover.freeze", "copyover.rooms", "copyover.aborts",
    "peers.movements", "peers.lines", "peers.memory", "peers.newcomer",
)  # fmt: skip
ALL_S = 4500.0
"""All measurements together take no longer; what does not fit any more is left out, and said so."""
ONE_S = 300.0
LONGER_S = {"copyover.freeze": 1500.0, "copyover.rooms": 900.0, "peers.movements": 600.0}
"""A 99th percentile wants a hundred copyovers, each with as long a time without one. Evennia takes seconds to start."""


def run(name: str, full: bool, limit_s: float) -> Report | None:
    """One measurement; None, with the reason on standard error, if it failed.

    Raises:
        LeftOut: It needs something that is not to be had here; it has said what.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.{name}", "--json", *(["--full"] if full else [])],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        print(f"{name}: not done after {limit_s:.0f} s, ended", file=sys.stderr)
        return None
    finally:
        end(process)
    if process.returncode == LEFT_OUT:
        raise LeftOut(name)
    if process.returncode:
        print(f"{name}: failed with exit code {process.returncode}", file=sys.stderr)
        return None
    return msgspec.json.decode(output, type=Report)


def machine() -> str:
    """What was measured on, in a few lines: date, machine, load, versions."""
    cpuinfo = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else []
    packages = ", ".join(f"{name} {version(name)}" for name in ("perdure", "uvloop", "msgspec"))
    busy = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {len(os.sched_getaffinity(0))} cores, "
        f"{models[0] if models else platform.machine()}, {psutil.virtual_memory().total / 2**30:.0f} GiB; "
        f"Linux {platform.release()}; load before: {busy}; Python {platform.python_version()}, {packages}"
    )


def filled(page: str, sections: Iterable[tuple[str, str]]) -> str:
    """The page with what stands between its markers replaced."""
    for name, text in sections:
        begin, over = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        head, found, rest = page.partition(begin)
        _, closed, tail = rest.partition(over)
        if not found or not closed:
            raise SystemExit(f"{PAGE.name} has no place for {name}: it needs the lines {begin} and {over}")
        page = f"{head}{begin}\n{text}\n{over}{tail}"
    return page


def write(reports: list[Report], where: str, *, apart: bool) -> None:
    """The results, and the tables in the documentation.

    Args:
        apart: Not all were measured; each table then says when it was made, and other goals stay as they are.
    """
    RESULTS.mkdir(exist_ok=True)
    for report in reports:
        (RESULTS / f"{report.name}.txt").write_text(f"{where}\n\n{as_text(report)}")
    since = f"\n\nMeasured apart from the rest: {where}" if apart else ""
    sections = [(report.name, as_markdown(report) + since) for report in reports]
    page = PAGE.read_text()
    sections.append(("goals", goals_as_markdown(reports, others=between(page, "goals") if apart else "")))
    if not apart:
        sections.append(("machine", where))
    PAGE.write_text(filled(page, sections))


def between(page: str, name: str) -> str:
    """What stands between the markers of this name."""
    return page.partition(f"<!-- bench:{name} -->")[2].partition(f"<!-- /bench:{name} -->")[0]


def main() -> int:
    """Measure; 0 if all measurements were made, whatever their figures."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; none: all")
    parser.add_argument("--full", action="store_true", help="more repetitions and larger sizes")
    parser.add_argument("--json", action="store_true", help="one JSON object per measurement")
    parser.add_argument("--write", action="store_true", help="into bench/results/ and docs/performance.md; all in full")
    arguments = parser.parse_args()
    meant = {name: [n for n in MEASUREMENTS if name in (n, n.partition(".")[0])] for name in arguments.names}
    if unknown := {name for name, found in meant.items() if not found}:
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    unwind_on_sigterm()
    full = arguments.full or (arguments.write and not arguments.names)
    where, deadline = machine() + ("" if full else "; short form"), time.monotonic() + ALL_S
    print(where, file=sys.stderr, flush=True)
    names = [name for found in meant.values() for name in found] or list(MEASUREMENTS)
    reports: list[Report] = []
    left_out: list[str] = []
    for name in names:
        left_s = deadline - time.monotonic()
        try:
            report = run(name, full, min(LONGER_S.get(name, ONE_S), left_s)) if left_s > 1 else None
        except LeftOut:
            left_out.append(name)
            continue
        if report is not None:
            reports.append(report)
            print(msgspec.json.encode(report).decode() if arguments.json else as_text(report), flush=True)
    if arguments.write:
        write(reports, where, apart=len(reports) + len(left_out) < len(MEASUREMENTS))
    missing = [name for name in names if name not in {report.name for report in reports} | set(left_out)]
    if left_out:
        print(f"Left out, since what they need is not to be had here: {', '.join(left_out)}", file=sys.stderr)
    if missing:
        print(f"Not measured: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
