"""G17: a room that wakes 60 times a second while one of its modules is saved every second."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import uvloop

from bench.processes import Cpu, server
from bench.reload.edits import Operator, Reports, Tail, at_most
from bench.reload.games import game
from bench.reload.typist import Typist, gaps_s
from bench.report import Goal, Report, main, number

WAKE_HZ = 60
EVERY_S = 1.0
GOAL_PER_S, GOAL_MS = 59.7, 0.1


class Woken(NamedTuple):
    """A room for some seconds.

    Attributes:
        per_s: Wakes that the player heard.
        apart_ms: From one to the next.
        tick_ms: A wake's callback as the host says, p50 and p99, the game's code included.
        core: Share of a core of the host.
        reloads: Reported meanwhile.
    """

    per_s: float
    apart_ms: Tail
    tick_ms: tuple[float, float]
    core: float
    reloads: int


def woken(wake_hz: float, seconds: float, *, saving: bool) -> Woken:
    """A room that wakes, with or without somebody who saves the module that nobody imports."""
    with (
        game(watch=True, wake_hz=wake_hz) as saved,
        server(saved.folder) as running,
        Typist(running.port) as typist,
        Reports(running) as reports,
        Operator(running) as operator,
    ):
        typist.begin_listening()
        time.sleep(2.0)
        cpu, began_s, count = Cpu({"host": running.pids()["host"]}), time.monotonic(), 0
        while (passed_s := time.monotonic() - began_s) < seconds:
            if saving:
                saved.save_leaf()
                reports.next()
                count += 1
            time.sleep(max(0.0, EVERY_S - (time.monotonic() - began_s - passed_s)))
        core = cpu.shares()["host"]
        tick_ms = operator.ask("rooms")[0]["tick_ms"]
        times_s = [at_s for at_s in typist.stop()["times_s"] if at_s >= began_s]
    per_s = (len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0
    apart = Tail.of([gap * 1e3 for gap in gaps_s(times_s)] or [0.0])
    return Woken(per_s, apart, (tick_ms["p50"], tick_ms["p99"]), core, count)


def bare_timer(seconds: float) -> float:
    """Share of a core of a loop with one timer at this rate that does nothing: what waking up costs on this machine."""

    async def spin() -> float:
        before, began_s = time.process_time(), time.monotonic()
        while time.monotonic() - began_s < seconds:
            await asyncio.sleep(1 / WAKE_HZ)
        return (time.process_time() - before) / (time.monotonic() - began_s)

    return uvloop.run(spin())


def measure(short: bool) -> Report:
    """With reloads, without them, and a room that sleeps."""
    seconds = 5.0 if short else 40.0
    asleep = woken(0, seconds / 2, saving=False)
    alone = woken(WAKE_HZ, seconds / 2, saving=False)
    saved = woken(WAKE_HZ, seconds, saving=True)
    bare = bare_timer(seconds / 2)
    cost_ms = (alone.core - asleep.core) / alone.per_s * 1e3
    over_ms = cost_ms - bare / WAKE_HZ * 1e3
    reload_ms = (saved.core - alone.core) * seconds / saved.reloads * 1e3
    rows = [["a bare timer", f"{WAKE_HZ}", "", "", "", "", "", f"{bare:.3f}"]]
    rows += [["it sleeps", "", "", "", "", "", "", f"{asleep.core:.3f}"]]
    for name, found in (("it wakes", alone), ("it wakes, and code is saved", saved)):
        tick = [number(ms) for ms in found.tick_ms]
        rows.append([name, f"{found.per_s:.2f}", *found.apart_ms.cells(), *tick, f"{found.core:.3f}"])
    per_s = saved.per_s
    return Report(
        "reload.waking",
        f"A room that wakes at {WAKE_HZ} Hz while a module is saved every {EVERY_S:.0f} s, for {seconds:.0f} s",
        ["", "wakes/s", "apart, ms", "99th", "longest", "callback, ms", "99th", "the host's core"],
        rows,
        "the same room without saves; one that does not wake; and a loop with one timer that does nothing.",
        [
            Goal("G17", f"wakes of a room at {WAKE_HZ} Hz while a module reloads every second", f"≥ {GOAL_PER_S}/s",
                 f"{per_s:.2f}/s", per_s >= GOAL_PER_S),
            at_most("G17", "a wake: the host's processor time, less a bare timer's", GOAL_MS, over_ms, "ms"),
        ],
        [
            "Each wake changes three rows and tells a player, who is the one that counts. Callback: as the host",
            f"measures it, the game's own code included. A reload costs the host {reload_ms:.1f} ms of processor time,",
            f"in all its threads. {saved.reloads} reloads.",
        ],
        {"wakes_per_s": per_s, "wake_ms": cost_ms, "overhead_ms": over_ms, "reload_core_ms": reload_ms,
         "reloads": float(saved.reloads)},
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
