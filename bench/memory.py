"""Resident memory of each process, idle and with players."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from bench.load import LoadClient
from bench.processes import server
from bench.projects import project
from bench.report import Goal, Report, main, number

GOAL_SUPERVISOR_MIB = 30.0


def interpreter_mib() -> float:
    """A Python process that imported nothing."""
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    rss = psutil.Process(process.pid).memory_info().rss / 2**20
    process.stdin.close()
    process.wait()
    return rss


def measure(short: bool) -> Report:
    """A server with one room: idle, then with guests in it."""
    count = 200 if short else 1000
    with project() as folder, server(folder) as running, LoadClient() as load:
        time.sleep(1.0)
        idle = running.rss_mib()
        load.order("connect", port=running.port, count=count, guests=True)
        load.order("converse", verb="e", seconds=1.0)
        full = running.rss_mib()
    bare = interpreter_mib()
    each = {name: (full[name] - idle[name]) * 1024 / count for name in idle}
    rows = [["a bare interpreter", number(bare), "", ""]]
    rows += [[name, number(idle[name]), number(full[name]), number(each[name])] for name in idle]
    supervisor = idle["supervisor"]
    figures = {f"{name}_idle_mib": size for name, size in idle.items()}
    figures |= {f"{name}_player_kib": size for name, size in each.items()}
    return Report(
        "memory",
        "Resident memory",
        ["process", "idle, MiB", f"{count:,} players, MiB", "KiB a player"],
        rows,
        "a Python interpreter that imported nothing.",
        [Goal("G15", "supervisor's memory", f"≤ {GOAL_SUPERVISOR_MIB:.0f} MB", f"{number(supervisor)} MiB",
              supervisor <= GOAL_SUPERVISOR_MIB)],
        [
            "Players are guests by telnet in one room who have said a few lines.",
            "The journal's mapped segment counts to the host as far as it was written.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
