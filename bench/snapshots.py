"""Capture and restore: how long the room's own thread is held, and what happens beside it."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

from bench.callbacks import Thing, Touching
from bench.report import Report, Spread, main
from perdure.room.machine import Room
from perdure.snapshot.body import Body, read_body, sections
from perdure.snapshot.header import Header
from perdure.snapshot.keys import KeyRing
from perdure.snapshot.seal import open_sealed, seal

MIB = 1 << 20
TICK_S = 0.001


def room_of(size: int) -> Room:
    """A room with about `size` bytes of rows of a hundred bytes."""
    program = Touching()
    room = Room.new("r", program, seed=bytes(16), clock_us=0)
    table, spec = room.tables["bench.things"], program.tables["bench.things"]
    total = key = 0
    while total < size:
        data = spec.write(key, Thing(f"thing number {key}", f"the {key * 7919 % 9973}th market of the town", key))
        table.book(key, data)
        total, key = total + len(data), key + 1
    room.state_hash()
    return room


def header_of(room: Room) -> Header:
    """As a host writes it."""
    return Header(
        game="bench", room=room.id, epoch=1, c=room.c, branch=0, generation="1", versions={"bench": 1},
        created_us=0, roster=[], state_hash=room.state_hash(), body_bytes=0,
    )  # fmt: skip


def timed_ms(function: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what the function returned."""
    began = time.perf_counter()
    result = function()
    return (time.perf_counter() - began) * 1e3, result


def held_up_ms(function: Callable[[], Any]) -> float:
    """By how much a thread that wakes every millisecond was held up at worst while `function` ran beside it."""
    worker = threading.Thread(target=function)
    worst, before = 0.0, time.perf_counter()
    worker.start()
    while worker.is_alive():
        time.sleep(TICK_S)
        now = time.perf_counter()
        worst, before = max(worst, now - before - TICK_S), now
    return worst * 1e3


def restored(body: Body) -> Room:
    """The room of a body."""
    return Room.restore(body, "r", Touching(), c=0, epoch=1, branch=0)


def once(room: Room, keys: KeyRing) -> dict[str, float]:
    """One capture and all that follows, in ms."""
    gc.collect()
    capture_ms, body = timed_ms(room.capture)
    header = header_of(room)
    seal_ms, sealed = timed_ms(lambda: seal(header, sections(body), keys))
    gap_ms = held_up_ms(lambda: seal(header, sections(body), keys))
    open_ms, opened = timed_ms(lambda: open_sealed(sealed, keys, body_bytes_max=1 << 30))
    read_ms, again = timed_ms(lambda: read_body(opened.body))
    restore_ms, _ = timed_ms(lambda: restored(again))
    return {
        "capture": capture_ms,
        "seal": seal_ms,
        "held up by sealing": gap_ms,
        "open and read": open_ms + read_ms,
        "restore": restore_ms,
    }


def measure(short: bool) -> Report:
    """Rooms of 1 and 50 MiB."""
    keys = KeyRing.generate(bytes(range(32)))
    rows = []
    figures: dict[str, float] = {}
    for mib in (1, 50):
        repeats = (20 if mib == 1 else 3) if short else (200 if mib == 1 else 12)
        room = room_of(mib * MIB)
        columns: dict[str, list[float]] = {}
        for _ in range(repeats):
            for name, value in once(room, keys).items():
                columns.setdefault(name, []).append(value)
        idle = [held_up_ms(lambda: time.sleep(0.05)) for _ in range(repeats)]
        columns["held up by nothing"] = idle
        spreads = {name: Spread.of(values) for name, values in columns.items()}
        rows += [[f"{mib} MiB: {name}", spread.text(), _at_worst(columns[name])] for name, spread in spreads.items()]
        figures |= {f"{name.replace(' ', '_')}_{mib}_mib_ms": spread.median for name, spread in spreads.items()}
        figures[f"rows_{mib}_mib"] = len(room.tables["bench.things"])
    return Report(
        "snapshots",
        "Capture and restore of one room, in ms: median (10th–90th percentile)",
        ["", "ms", "at worst"],
        rows,
        "a thread that wakes every millisecond, with nothing beside it (held up by nothing).",
        [],
        [
            "The room's thread is held for `capture`, and in a recovery for `restore`.",
            "Sealing (encoding, zstd, HMAC) runs beside it; opening and reading come before it.",
            "Held up by sealing: the longest that the interpreter kept another thread waiting.",
            f"Rows of about a hundred bytes: {figures['rows_1_mib']:,.0f} of them in 1 MiB.",
        ],
        figures,
    )  # fmt: skip


def _at_worst(values: list[float]) -> str:
    return f"{max(values):.2f}"


if __name__ == "__main__":
    main(measure)
