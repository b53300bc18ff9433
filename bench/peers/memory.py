"""Memory of Perdure and of Evennia: idle, and with players who have said a few lines."""

from __future__ import annotations

import time
from typing import Any

from bench.memory import interpreter_mib
from bench.peers import evennia, ours
from bench.peers.client import Client, Door
from bench.peers.environment import python, versions
from bench.report import Report, main, number

SETTLE_S = 2.0
LINES_S = 2.0
PER_S = 50.0


def filled(running: Any, door: Door, count: int) -> tuple[dict[str, float], dict[str, float]]:
    """Resident memory of each process idle, then with so many players, in MiB."""
    time.sleep(SETTLE_S)
    idle = running.rss_mib()
    with Client() as client:
        client.order("connect", port=running.port, count=count, **door._asdict())
        client.order("pace", line="use NUMBER", per_s=PER_S)
        time.sleep(LINES_S)
        client.order("rest")
        return idle, running.rss_mib()


def measure(short: bool) -> Report:
    """One server of each, one after the other."""
    count = 20 if short else 100
    interpreter = python()
    with ours.serving() as (running, _):
        perdure = filled(running, ours.DOOR, count)
    with evennia.serving(interpreter) as theirs:
        others = filled(theirs, evennia.DOOR, count)
    rows = [["a bare interpreter", number(interpreter_mib()), "", ""]]
    figures: dict[str, float] = {}
    for name, (idle, full) in (("Perdure", perdure), ("Evennia", others)):
        each = {process: (full[process] - idle[process]) * 1024 / count for process in idle}
        rows += [
            [f"{name}: {process}", number(idle[process]), number(full[process]), number(each[process])]
            for process in idle
        ]
        rows.append([f"{name}: all", *(number(sum(sizes.values())) for sizes in (idle, full, each))])
        figures |= {
            f"{name.lower()}_idle_mib": sum(idle.values()),
            f"{name.lower()}_player_kib": sum(each.values()),
        }
    return Report(
        "peers.memory",
        "Resident memory",
        ["process", "idle, MiB", f"{count} players, MiB", "KiB a player"],
        rows,
        "each other, and a Python interpreter that imported nothing.",
        [],
        [
            f"{versions(interpreter)}. Both with a web page.",
            *evennia.SET,
            "Players are guests by telnet in one room who have said a line. Evennia makes and stores an account and a",
            "character for each; a guest of Perdure is a session and a row of the game.",
            "Pages that processes share are counted in each of them.",
        ],
        figures,
    )


if __name__ == "__main__":
    main(measure)
