"""How long a room stands still when its host is replaced: one, many, a large one; and whether others wait for it."""

from __future__ import annotations

import time
from typing import NamedTuple

from bench.copyover.changeover import PROBE_EVERY_S, PROBES, Copyover, Operator, noticed, per_player
from bench.copyover.games import LARGE, game
from bench.copyover.players import PlayersProcess
from bench.processes import server
from bench.reload.edits import Tail, at_most
from bench.report import Report, main

GOAL_PAUSE_MS = 10.0
GOAL_LARGE_MS = 25.0
SAY = "use NUMBER"


class World(NamedTuple):
    """What is copied over.

    Attributes:
        rooms, kib: So many of so many KiB.
        large_kib: One more of so many; 0 for none.
        copyovers: How many.
        settle_s: How long a new server stores bases.
        rest_s: How long a successor does after it has all rooms.
    """

    name: str
    rooms: int
    kib: int
    large_kib: int
    copyovers: int
    settle_s: float
    rest_s: float


class Measured(NamedTuple):
    """Copyovers of a world; times in ms.

    Attributes:
        median, slowest: The pause of the median room and of the slowest one, in each copyover.
        longest, idle: The longest wait of a probe around a copyover, and as long without one.
        elsewhere: The longest wait of a probe that is not in the large room.
    """

    world: World
    copyovers: list[Copyover]
    median: Tail
    slowest: Tail
    longest: Tail
    idle: Tail
    elsewhere: Tail


def copied_over(world: World) -> Measured:
    """Copy it over again and again; the first one is not counted. Probes are in ten of its rooms."""
    with (
        game(rooms=world.rooms, kib=world.kib, large_kib=world.large_kib) as project,
        server(project.folder) as running,
    ):
        spread = project.rooms[:: -(-len(project.rooms) // PROBES)]
        time.sleep(world.settle_s)
        with PlayersProcess(running.port, PROBES, spread) as probes, Operator(running) as operator:
            probes.speak(SAY, PROBE_EVERY_S)
            copyovers = []
            for _ in range(world.copyovers + 1):
                project.edit()
                copyovers.append(operator.copy_over(rest_s=world.rest_s))
            probes.stop()
            counted = copyovers[1:]
            seen = noticed(probes, counted)
            others = [number % len(spread) for number in range(PROBES)]
            away = per_player(probes.spans([each.whole for each in counted]), lambda n: spread[others[n]] != LARGE)
    pauses = [each.report["pause_ms"] for each in counted]
    return Measured(
        world, counted, Tail.of([pause["p50"] for pause in pauses]), Tail.of([pause["max"] for pause in pauses]),
        seen.freezes.scaled(1e3), seen.idle.scaled(1e3), away.scaled(1e3),
    )  # fmt: skip


def rows_of(measured: Measured) -> list[list[str]]:
    """The lines of the table."""
    name, many = measured.world.name, measured.world.rooms > 1
    after = Tail.of([each.after_ms for each in measured.copyovers])
    return [
        *([[f"{name}: pause of the median room", *measured.median.cells()]] if many else []),
        [f"{name}: pause of the {'slowest ' if many or measured.world.large_kib else ''}room",
         *measured.slowest.cells()],
        [f"{name}: from the first stop until the report", *after.cells()],
        [f"{name}: longest wait of a probe, around a copyover", *measured.longest.cells()],
        *([[f"{name}: the same, of those in the other room", *measured.elsewhere.cells()]]
          if measured.world.large_kib else []),
        [f"{name}: the same, without a copyover", *measured.idle.cells()],
    ]  # fmt: skip


def measure(short: bool) -> Report:
    """Worlds of more and more rooms, and one with a large room."""
    worlds = (
        [World("1 room", 1, 1024, 0, 2, 1.0, 0.3), World("100 rooms", 100, 64, 0, 2, 2.0, 0.5)]
        if short
        else [
            World("1 room", 1, 1024, 0, 50, 1.0, 0.3),
            World("100 rooms", 100, 64, 0, 40, 3.0, 1.0),
            World("1,000 rooms", 1000, 64, 0, 20, 10.0, 5.0),
            World("50 MiB", 1, 64, 50 * 1024, 20, 3.0, 2.0),
        ]
    )
    all_measured = [copied_over(world) for world in worlds]
    figures: dict[str, float] = {}
    for each in all_measured:
        key = each.world.name.replace(" ", "_").replace(",", "").lower()
        figures |= {f"{key}_pause_p50_ms": each.median.p50, f"{key}_pause_max_ms": each.slowest.max,
                    f"{key}_longest_wait_ms": each.longest.max, f"{key}_idle_ms": each.idle.max}  # fmt: skip
    counts = ", ".join(f"{each.world.name} {each.world.copyovers}" for each in all_measured)
    return Report(
        "copyover.rooms",
        "Rooms whose host is replaced, in ms",
        ["", "median", "99th", "longest"],
        [row for each in all_measured for row in rows_of(each)],
        "the same probes for as long without a copyover, after each one, on the same server.",
        [
            at_most("G5", f"{each.world.name}: a room's own pause, 99th of the slowest",
                    GOAL_LARGE_MS if each.world.large_kib else GOAL_PAUSE_MS, each.slowest.p99, "ms")
            for each in all_measured
        ],
        [
            f"Copyovers of each: {counts}. The one room has 1 MiB, the others have 64 KiB each, in rows of a kilobyte;",
            "50 MiB: a room of that size, and a small one beside it. Each copyover is to an edited game.",
            f"{PROBES} probes are spread over the rooms, each says a line every {PROBE_EVERY_S * 1e3:.0f} ms.",
            "Until the report all rooms move, the new code is loaded, and the old host ends.",
            "Eight rooms are on their way at a time, and share a commit: that is what most of a room's pause is.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
