"""Many rooms of one game: how long a reload takes in all, and what one room and one player notice of it."""

from __future__ import annotations

import time

from bench.processes import server
from bench.reload.edits import Operator, Tail, steps_text
from bench.reload.games import game
from bench.reload.typist import Typist, longest_gap_s
from bench.report import Report, main

APART_S = 0.3
AROUND_S = 0.02


def measure(short: bool) -> Report:
    """Rooms without players but one, in which somebody types."""
    rooms, count = (200, 10) if short else (1000, 50)
    with (
        game(rooms=rooms) as saved,
        server(saved.folder) as running,
        Typist(running.port) as typist,
        Operator(running) as operator,
    ):
        time.sleep(5.0)  # the bases that follow a start are stored
        typist.begin("part0 =NUMBER;\r\n")
        reloads = []
        for _ in range(count):
            saved.save_base()
            reloads.append(operator.reload())
            time.sleep(APART_S)
        began_s = time.monotonic()
        time.sleep(count * APART_S)
        ended_s = time.monotonic()
        times_s = typist.stop()["times_s"]
    lasted = Tail.of([reload.ended_s - reload.began_s for reload in reloads])
    swapped = min(reload.report["rooms"]["swapped"] for reload in reloads)
    gap = Tail.of([longest_gap_s(times_s, reload.began_s, reload.ended_s + AROUND_S) for reload in reloads])
    step_s = lasted.p50 + AROUND_S
    idle = Tail.of([
        longest_gap_s(times_s, began_s + step_s * n, began_s + step_s * (n + 1))
        for n in range(max(1, int((ended_s - began_s) / step_s)))
    ])  # fmt: skip
    p50 = Tail.of([reload.report["pause_ms"]["p50"] for reload in reloads])
    longest = Tail.of([reload.pause_ms for reload in reloads])
    rows = [
        ["order until report", *lasted.cells(1e3)],
        ["pause of a room: the median room", *p50.cells()],
        ["pause of a room: the slowest room", *longest.cells()],
        ["longest gap of a player, around a reload", *gap.cells(1e3)],
        ["longest gap of a player, without one", *idle.cells(1e3)],
    ]
    return Report(
        "reload.rooms",
        f"{rooms:,} rooms of one game, in ms, over {count} reloads of the module that all import",
        ["", "median", "99th", "longest"],
        rows,
        "the same player for as long, without a reload.",
        [],
        [
            f"At least {swapped:,} rooms swapped each time. A player types in one of them, again a",
            "millisecond after each answer.",
            f"Where the time goes, median of each step, in ms: {steps_text([reload.report for reload in reloads])}.",
        ],
        {"rooms": rooms, "lasted_p50_ms": lasted.p50 * 1e3, "pause_p50_ms": p50.p50, "pause_max_ms": longest.max,
         "gap_p50_ms": gap.p50 * 1e3, "gap_max_ms": gap.max * 1e3, "idle_gap_max_ms": idle.max * 1e3,
         "per_room_ms": lasted.p50 / rooms * 1e3},
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
