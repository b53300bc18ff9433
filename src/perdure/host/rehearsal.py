"""A dress rehearsal of migrations: every row that new code would convert, on copies, in a process of its own.

A migration is an author's function and meets an odd row only when that row is touched, which may be months
after the reload. Here it meets all of them beforehand, and whatever it does (raise, loop, eat memory) happens
to a process that ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from perdure.errors import GameError, one_line
from perdure.games.python.load import load_sources
from perdure.live.sources import unpack
from perdure.room.record import Key

Rows = dict[str, list[tuple[Key, bytes]]]
"""Table -> (key, the row's bytes)."""

DEADLINE_S = 120.0


class Task(msgspec.Struct, array_like=True):
    """What the process is told: packed sources, their id and where they lie, the game's name, the rows."""

    sources: bytes
    generation: str
    folder: str
    game: str
    rows: Rows


Result = dict[str, tuple[int, str]]
"""Table -> how many of its rows cannot be converted, and what the first of those raised."""


async def rehearse(task: Task) -> Result:
    """Convert every row in a process of its own.

    Raises:
        GameError: It did not end in time, or died.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "perdure.host.rehearsal",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S):
            told, complained = await process.communicate(await asyncio.to_thread(msgspec.msgpack.encode, task))
    except TimeoutError:
        process.kill()
        await process.wait()
        raise GameError(f"the rehearsal of the migrations took over {DEADLINE_S:g} s. Nothing changed.") from None
    if process.returncode:
        last = complained.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise GameError(f"the rehearsal of the migrations died ({process.returncode}): {last}. Nothing changed.")
    return msgspec.msgpack.decode(told, type=Result)


def convert(task: Task) -> Result:
    """Convert every row, here."""
    program = load_sources(unpack(task.sources, task.generation, Path(task.folder)), task.game)
    result: Result = {}
    for table, rows in task.rows.items():
        spec = program.tables[table]
        failed, first = 0, ""
        for key, data in rows:
            try:
                spec.write(key, spec.read(data))
            except Exception as error:  # noqa: BLE001  (the edge to an author's migration)
                failed += 1
                first = first or f"row {key!r}: {type(error).__name__}: {one_line(error)}"
        result[table] = (failed, first)
    return result


def main() -> None:
    """Read a task from standard input, write the result to standard output; what games print goes elsewhere."""
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    out.write(msgspec.msgpack.encode(convert(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task))))


if __name__ == "__main__":
    main()
