"""kill -9 of the host while everybody types: how long until rooms answer again, and whether a line was lost."""

from __future__ import annotations

import time
from typing import Any

from bench.load import LoadClient
from bench.processes import Server, server
from bench.projects import project
from bench.report import Goal, Report, Spread, main, number

GOAL_FIRST_S, GOAL_ALL_S = 1.5, 3.0
KIB = 64


def killed(running: Server, load: LoadClient) -> dict[str, Any]:
    """One kill between two lines of everybody; seconds from the kill to the answers."""
    load.give("say", verb="e")
    load.give("say", verb="use")
    load.result()
    at_s = running.kill_host()
    load.result()
    load.give("say", verb="use")
    load.result()
    answers: dict[str, Any] = load.order("answers")
    times_s = [answered - at_s for answered in answers.pop("times_s")]
    report = running.status()["last_recovery"]
    assert answers["complete"], f"{answers['lost']} lines were not answered in time"
    return answers | {"first_s": times_s[0], "all_s": times_s[-1], "report": report}


def measure(short: bool) -> Report:
    """Rooms of 64 KiB, each with a player in it."""
    sizes = (1, 200) if short else (1, 100, 1000)
    repeats = 2 if short else 4
    rows, lost, wrong = [], 0, 0
    figures: dict[str, float] = {}
    first = everything = Spread(0, 0, 0, 0)
    for rooms in sizes:
        with project(rooms=rooms, rows=KIB) as folder:
            began = time.monotonic()
            with server(folder) as running, LoadClient() as load:
                started_s = time.monotonic() - began
                load.order("connect", port=running.port, count=rooms, guests=True)
                load.order("spread_out")
                load.order("say", verb="use")
                load.order("answers")
                kills = []
                for _ in range(repeats):
                    kills.append(killed(running, load))
                    time.sleep(3.0)  # the host is restarted at once only after it served for a while
        lost += kills[-1]["lost"]
        wrong += kills[-1]["wrong"]
        first = Spread.of([kill["first_s"] for kill in kills])
        everything = Spread.of([kill["all_s"] for kill in kills])
        taking = Spread.of([kill["report"]["all_ms"] / 1e3 for kill in kills])
        rows.append([f"{rooms:,} rooms", first.text(), everything.text(), taking.text(), number(started_s)])
        figures |= {
            f"rooms_{rooms}_first_s": first.median, f"rooms_{rooms}_all_s": everything.median,
            f"rooms_{rooms}_taking_s": taking.median, f"rooms_{rooms}_start_s": started_s,
        }  # fmt: skip
    figures |= {"lost": lost, "wrong": wrong}
    size = f"{sizes[-1]:,} rooms of {KIB} KiB"
    return Report(
        "recovery",
        f"kill -9 of the host, rooms of {KIB} KiB with a player each, in s: median (10th–90th percentile)",
        ["rooms", "first answer", "all rooms", "of it, the new host's", "first start"],
        rows,
        "a server with one room: seeing the death, and the boot of a host with its game.",
        [
            Goal("G11", "inputs lost, doubled or out of order", "0", f"{lost + wrong}", lost + wrong == 0),
            Goal("G11", f"{size}: first answer, without a standby", f"≤ {GOAL_FIRST_S} s",
                 f"{number(first.median)} s", first.median <= GOAL_FIRST_S),
            Goal("G11", f"{size}: all rooms, without a standby", f"≤ {GOAL_ALL_S:.0f} s",
                 f"{number(everything.median)} s", everything.median <= GOAL_ALL_S),
        ],
        [
            "Everybody types before the kill, while it happens and after it; the time is from the kill to the answer",
            f"of the last of these lines, as the players' sockets see it. {repeats} kills for each size.",
            "Of it, the new host's: from its start as a process until it has taken every room.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
