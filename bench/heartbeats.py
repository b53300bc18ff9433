"""How many rooms one core wakes 20 times a second, each changing a few rows."""

from __future__ import annotations

import asyncio
import time

import uvloop

from bench.processes import Cpu, lone_host
from bench.projects import project
from bench.report import Goal, Report, main, number

WAKE_HZ = 20
TIMERS = 1000
ROWS_WOKEN = 3
GOAL_ROOMS = 200
KEPT_UP = 0.98
"""A host keeps up if its rooms get this part of their wakes."""


def woken(rooms: int, seconds: float, rows: int) -> tuple[float, float]:
    """(wakes a second of a room, share of a core) on a host with that many rooms."""
    with project(rooms=rooms, rows=4, wake_hz=WAKE_HZ, woken=rows) as folder, lone_host(folder, rooms) as host:
        time.sleep(1.0)
        cpu, began, before = Cpu({"host": host.process.pid}), time.monotonic(), _callbacks(host.ask("rooms"))
        time.sleep(seconds)
        passed_s, after = time.monotonic() - began, _callbacks(host.ask("rooms"))
        return (after - before) / passed_s / rooms, cpu.shares()["host"]


def one_timer_each(seconds: float) -> float:
    """Share of a core of 1,000 callbacks of the loop that do nothing, each with a timer of its own."""

    async def spin() -> float:
        loop = asyncio.get_running_loop()

        def ring() -> None:
            loop.call_later(1 / WAKE_HZ, ring)

        for number_ in range(TIMERS):
            loop.call_later(number_ / TIMERS / WAKE_HZ, ring)
        before, began = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        return (time.process_time() - before) / (time.monotonic() - began)

    return uvloop.run(spin())


def _callbacks(rooms: list[dict[str, int]]) -> int:
    return sum(room["callback"] for room in rooms)


def measure(short: bool) -> Report:
    """Rising numbers of rooms, until the host does not keep up."""
    seconds = 2.0 if short else 5.0
    rows, kept = [], 0
    figures: dict[str, float] = {}
    timers = one_timer_each(seconds)
    rows.append([f"{TIMERS:,} empty timers", f"{WAKE_HZ}", f"{timers:.2f}", number(timers / TIMERS / WAKE_HZ * 1e6)])
    idle = woken(GOAL_ROOMS, seconds, 0)[1]
    rows.append([f"{GOAL_ROOMS} rooms, nothing changed", "(not recorded)", f"{idle:.2f}",
                 number(idle / GOAL_ROOMS / WAKE_HZ * 1e6)])  # fmt: skip
    for rooms in (GOAL_ROOMS, 500) if short else (100, GOAL_ROOMS, 400, 600, 800):
        per_s, core = woken(rooms, seconds, ROWS_WOKEN)
        if per_s >= WAKE_HZ * KEPT_UP:
            kept = max(kept, rooms)
        rows.append([f"{rooms} rooms", f"{per_s:.2f}", f"{core:.2f}", number(core / (rooms * per_s) * 1e6)])
        figures |= {f"rooms_{rooms}_wakes_per_s": per_s, f"rooms_{rooms}_core": core}
    figures |= {"rooms_kept_up": kept, "idle_core": idle, "timers_core": timers}
    return Report(
        "heartbeats",
        f"Python rooms at {WAKE_HZ} Hz, each wake changing {ROWS_WOKEN} rows of a kilobyte",
        ["", "wakes/s of a room", "of a core", "µs of a core each"],
        rows,
        f"{TIMERS:,} timers of the loop that do nothing; {GOAL_ROOMS} rooms that wake and change nothing.",
        [Goal("G19", f"Python rooms at {WAKE_HZ} Hz on one core", f"≥ {GOAL_ROOMS}", f"{kept}", kept >= GOAL_ROOMS)],
        [
            "One host process with its journal, durability `process`, no players.",
            f"A host keeps up while its rooms get {KEPT_UP:.0%} of their wakes; the largest size tried that did.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
