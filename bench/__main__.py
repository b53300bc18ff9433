"""``python -m bench``: every measurement, one after the other, each in a process of its own.

    python -m bench                     the short form of all (also: make bench)
    python -m bench --full callbacks    one of them, in full
    python -m bench --full reload       all whose names begin with `reload.`; the same: copyover
    python -m bench --write             all in full; bench/results/ and docs/performance.md are written anew

A measurement that fails or takes too long is ended with everything that it started, and the others go on.
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
from bench.report import Report, as_markdown, as_text, goals_as_markdown, unwind_on_sigterm

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
MEASUREMENTS = (
    "callbacks", "hooks", "snapshots", "recovery", "acknowledgement", "echo", "commands", "heartbeats", "memory",
    "reload.pauses", "reload.saves", "reload.waking", "reload.growth", "reload.rooms", "reload.peers",
    "copyover.freeze", "copyover.rooms", "copyover.aborts",
)  # fmt: skip
ALL_S = 4500.0
"""All measurements together take no longer; what does not fit any more is left out, and said so."""
ONE_S = 300.0
LONGER_S = {"copyover.freeze": 1500.0, "copyover.rooms": 900.0}
"""A 99th percentile wants a hundred copyovers, each with as long a time without one."""


def run(name: str, full: bool, limit_s: float) -> Report | None:
    """One measurement; None, with the reason on standard error, if it failed."""
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


def write(reports: list[Report], where: str) -> None:
    """The results, and the tables in the documentation."""
    RESULTS.mkdir(exist_ok=True)
    for report in reports:
        (RESULTS / f"{report.name}.txt").write_text(f"{where}\n\n{as_text(report)}")
    sections = [(report.name, as_markdown(report)) for report in reports]
    if len(reports) == len(MEASUREMENTS):
        sections += [("goals", goals_as_markdown(reports)), ("machine", where)]
    else:
        print("Not everything was measured: the table of all goals stays as it was.", file=sys.stderr)
    PAGE.write_text(filled(PAGE.read_text(), sections))


def main() -> int:
    """Measure; 0 if all measurements were made, whatever their figures."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; none: all")
    parser.add_argument("--full", action="store_true", help="more repetitions and larger sizes")
    parser.add_argument("--json", action="store_true", help="one JSON object per measurement")
    parser.add_argument("--write", action="store_true", help="all in full, into bench/results/ and docs/performance.md")
    arguments = parser.parse_args()
    meant = {name: [n for n in MEASUREMENTS if name in (n, n.partition(".")[0])] for name in arguments.names}
    if unknown := {name for name, found in meant.items() if not found}:
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    if arguments.write and arguments.names:
        parser.error("--write measures everything, so that all figures are of one machine and one day")
    unwind_on_sigterm()
    where, deadline = machine(), time.monotonic() + ALL_S
    print(where, file=sys.stderr, flush=True)
    names, reports = [name for found in meant.values() for name in found] or MEASUREMENTS, []
    for name in names:
        left_s = deadline - time.monotonic()
        report = (
            run(name, arguments.full or arguments.write, min(LONGER_S.get(name, ONE_S), left_s)) if left_s > 1 else None
        )
        if report is not None:
            reports.append(report)
            print(msgspec.json.encode(report).decode() if arguments.json else as_text(report), flush=True)
    if arguments.write:
        write(reports, where)
    missing = [name for name in names if name not in {report.name for report in reports}]
    if missing:
        print(f"Not measured: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
