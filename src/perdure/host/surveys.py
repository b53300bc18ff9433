"""What is asked of many rooms at once before and during a movement: vetoes, how they fare, what is locked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from typing import Any

from perdure.errors import one_line
from perdure.host.host import Host
from perdure.host.running import Running, percentiles
from perdure.ports import Clock
from perdure.room.callback import Blamed
from perdure.room.program import Overrun


def _chosen(host: Host, rooms: Collection[str] | None) -> Iterator[Running]:
    """These rooms, as far as they run here; None: all."""
    return (running for id, running in list(host.rooms.items()) if rooms is None or id in rooms)


async def vetoes(
    host: Host, rooms: Collection[str] | None, clock: Clock, notify: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    """What the games' modules have against it that these rooms move now.

    A module that raises has nothing against it; one that does not answer in time is asked in no further room.
    """
    found: list[dict[str, Any]] = []
    silent: set[tuple[str, str]] = set()
    for running in _chosen(host, rooms):
        id, game = running.room.id, running.program.game
        asked = [module for module in running.room.handler.vetoers() if (game, module) not in silent]
        for vetoed in running.room.ask_vetoes(asked, clock.now_us()):
            if vetoed.error is None:
                found.append({"room": id, "module": vetoed.module, "reason": vetoed.reason, "for_s": vetoed.for_s})
                continue
            what = f"module {vetoed.module} was asked for a veto: {one_line(vetoed.error)}"
            event = running.fault_event(vetoed.error, Blamed(f"{vetoed.module}.veto_copyover"), undone=False)
            notify(event | {"error": what})
            if isinstance(vetoed.error, Overrun):
                silent.add((game, vetoed.module))
        await asyncio.sleep(0)  # the other rooms go on in between
    return found


def measured(host: Host, rooms: Collection[str] | None, *, clear: bool) -> dict[str, Any]:
    """How these rooms fared since this was last asked with `clear`: what a canary compares."""
    chosen = list(_chosen(host, rooms))
    ticks_ms = percentiles([tick for running in chosen for tick in running.ticks_ms])
    found = {
        "rooms": len(chosen),
        "callbacks": sum(running.room.c - running.watched[0] for running in chosen),
        "faults": sum(running.faults - running.watched[1] for running in chosen),
        "tick_p50_ms": ticks_ms["p50"],
        "tick_p99_ms": ticks_ms["p99"],
    }
    for running in chosen if clear else ():
        running.watched = (running.room.c, running.faults)
        running.ticks_ms.clear()
    return found


def lock(host: Host, features: Collection[str], reason: str) -> None:
    """Let the games know which features must not be begun now, and why; none: all may.

    Rooms that run other code than the one that serves are told, too.
    """
    serving = [host.programs.current(game) for game in host.config.games]
    for program in {id(program): program for program in (*serving, *(r.program for r in host.rooms.values()))}.values():
        program.locks.clear()
        program.locks.update(dict.fromkeys(features, reason))
