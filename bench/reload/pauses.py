"""G1: how long a room stands still when its code is swapped, with little state and with much."""

from __future__ import annotations

import time

from bench.processes import server
from bench.reload.edits import Operator, Reload, Tail, at_most
from bench.reload.games import ROW_BYTES, Game, game
from bench.reload.typist import Typist, longest_gap_s
from bench.report import Goal, Report, main

SIZES_KIB = (64, 1024, 50 * 1024)
GOAL_MS = 1.0
LOT = 5000
"""Rows that one line makes."""
APART_S = 0.1
AROUND_S = 0.02
"""What comes so long after a report still counts to the reload."""


def in_lots(typist: Typist, verb: str, rows: int) -> None:
    """Make (`fill`) or read (`look`) that many rows, a few thousand with each line; waits until it is done."""
    for first in range(0, rows, LOT):
        typist.once(f"{verb} {first} {min(LOT, rows - first)} =NUMBER;\r\n")


def swaps(saved: Game, operator: Operator, count: int, *, new_type: bool) -> list[Reload]:
    """That many reloads of the module with the rows, a moment apart."""
    done = []
    for _ in range(count):
        saved.save_store(new_type=new_type)
        done.append(operator.reload())
        time.sleep(APART_S)
    return done


def swaps_in_use(saved: Game, operator: Operator, typist: Typist, rows: int, count: int) -> Tail:
    """The pauses in ms of that many reloads, before each of which the game has read every row."""
    pauses_ms = []
    for _ in range(count):
        in_lots(typist, "look", rows)
        saved.save_store(new_type=False)
        pauses_ms.append(operator.reload().pause_ms)
    return Tail.of(pauses_ms)


def control(seconds: float) -> tuple[float, float]:
    """Let the typist type without reloads; from when until when."""
    began_s = time.monotonic()
    time.sleep(seconds)
    return began_s, time.monotonic()


def gaps_ms(times_s: list[float], spans: list[tuple[float, float]]) -> Tail:
    """The longest gap of each span."""
    return Tail.of([longest_gap_s(times_s, *span) * 1e3 for span in spans])


def measured(kib: int, count: int) -> dict[str, tuple[Tail | None, Tail | None]]:
    """What was changed -> (pauses in ms as the room says, longest gap around each swap as the typist sees it)."""
    rows = kib * 1024 // ROW_BYTES
    with (
        game() as saved,
        server(saved.folder) as running,
        Typist(running.port) as typist,
        Operator(running) as operator,
    ):
        in_lots(typist, "fill", rows)
        time.sleep(3.0)  # the bases that follow a start are stored
        operator.ask("rooms")  # hashes what was filled in, which the next base would do in the midst of it
        in_use = swaps_in_use(saved, operator, typist, rows, max(3, count // 10))
        typist.begin("use KEY =NUMBER;\r\n", keys=rows)
        runs = {name: swaps(saved, operator, count, new_type=name == "row type") for name in ("code", "row type")}
        lasted_s = Tail.of([reload.ended_s - reload.began_s for reload in runs["code"]]).p50
        began_s, ended_s = control(count * (APART_S + lasted_s))
        times_s = typist.stop()["times_s"]
    found: dict[str, tuple[Tail | None, Tail | None]] = {"code, all rows just read": (in_use, None)}
    for name, reloads in runs.items():
        spans = [(reload.began_s, reload.ended_s + AROUND_S) for reload in reloads]
        found[name] = Tail.of([reload.pause_ms for reload in reloads]), gaps_ms(times_s, spans)
    step_s = APART_S + lasted_s
    starts = [began_s + step_s * n for n in range(int((ended_s - began_s) / step_s))]
    found["nothing"] = None, gaps_ms(times_s, [(start, start + lasted_s + AROUND_S) for start in starts])
    return found


def measure(short: bool) -> Report:
    """Rooms of three sizes; each with new code, and with new code and a new row type."""
    count = 20 if short else 120
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    for kib in SIZES_KIB:
        size = f"{kib} KiB" if kib < 1024 else f"{kib // 1024} MiB"
        for name, (pause, gap) in measured(kib, count).items():
            rows.append([f"{size}: new {name}" if pause else f"{size}: {name}", *_cells(pause), *_cells(gap)])
            key = f"{name.replace(',', '').replace(' ', '_')}_{kib}_kib"
            if gap is not None:
                figures |= {f"{key}_gap_p50_ms": gap.p50, f"{key}_gap_p99_ms": gap.p99, f"{key}_gap_max_ms": gap.max}
            if pause is not None:
                figures |= {f"{key}_p50_ms": pause.p50, f"{key}_p99_ms": pause.p99, f"{key}_max_ms": pause.max}
                goals.append(at_most("G1", f"{size}, new {name}: pause of the room, p99", GOAL_MS, pause.p99, "ms"))
    return Report(
        "reload.pauses",
        f"A room whose code is swapped while a player types, in ms, over {count} swaps",
        ["", "pause", "99th", "longest", "longest gap around a swap", "99th", "longest"],
        rows,
        "the same player for as long, without a reload (nothing): spans of the same length are looked at.",
        goals,
        [
            "Pause: as the report of each reload says. Gap: between two answers that the player gets, who types again",
            "a millisecond after each answer, each time about another row.",
            f"One room, rows of about {ROW_BYTES} bytes. New code: another value in the module that owns the rows.",
            "New row type: a version more and a field renamed each time, so a row that was never touched goes through",
            f"up to {count} migrations when it is.",
        ],
        figures,
    )


def _cells(pause: Tail | None) -> list[str]:
    return ["", "", ""] if pause is None else pause.cells()


if __name__ == "__main__":
    main(measure)
