"""G3: what each of a thousand reloads leaves behind in memory."""

from __future__ import annotations

import re
import socket
import statistics
from collections.abc import Callable
from pathlib import Path

from bench.load import LoadClient
from bench.processes import server
from bench.reload.edits import Operator, at_most
from bench.reload.games import game
from bench.report import Goal, Report, main, number

GOAL_BYTES = 1024
PLAYERS = 10
SAMPLE = 10
"""Reloads from one look at the memory to the next."""


def anonymous_bytes(pid: int) -> int:
    """Memory of a process that is no file's, in bytes: its heap, without the journal that it maps."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def slope(pid: int, step: Callable[[], object], warm_up: int, count: int) -> float:
    """Bytes that each step leaves behind, by least squares, after a warm-up."""
    for _ in range(warm_up):
        step()
    at, sizes = [], []
    for number_ in range(count):
        if number_ % SAMPLE == 0:
            at.append(number_)
            sizes.append(anonymous_bytes(pid))
        step()
    return statistics.linear_regression(at, sizes).slope


def classes_alive(port: int) -> int:
    """How many generations of one class the host's process holds, as the game itself finds out."""
    with socket.create_connection(("127.0.0.1", port), 30.0) as sock:
        sock.settimeout(30.0)
        sock.sendall(b"guest\r\n")
        data = b""
        while b"in r0" not in data:
            data += sock.recv(65536)
        sock.sendall(b"census\r\n")
        while not (found := re.search(rb"alive=(\d+);", data)):
            data += sock.recv(65536)
    return int(found[1])


def measured(what: str, warm_up: int, count: int) -> tuple[float, float, int, int]:
    """(bytes a reload, bytes of the same lines without reloads, generations listed, classes alive)"""
    with game() as saved, server(saved.folder) as running, LoadClient() as load, Operator(running) as operator:
        load.order("connect", port=running.port, count=PLAYERS, guests=True)
        save = {"leaf": saved.save_leaf, "base": saved.save_base}[what]

        def lines() -> None:
            load.order("say", verb="e")
            load.order("answers")

        def reload() -> None:
            save()
            operator.reload()
            lines()

        pid = running.pids()["host"]
        grown = slope(pid, reload, warm_up, count)
        plain = slope(pid, lines, 0, count)
        answers = load.order("answers")
        if answers["lost"] or answers["wrong"]:
            raise RuntimeError(f"players lost lines: {answers}")
        return grown, plain, len(operator.ask("modules")["generations"]), classes_alive(running.port)


def measure(short: bool) -> Report:
    """A module that nobody imports, and the one that all import."""
    warm_up, count = (50, 150) if short else (200, 1000)
    rows, goals = [], []
    figures: dict[str, float] = {}
    for what, name in (("leaf", "a module that nobody imports"), ("base", "the one that all import")):
        grown, plain, listed, alive = measured(what, warm_up, count)
        rows.append([name, number(grown), number(plain), f"{listed}", f"{alive}"])
        goals.append(at_most("G3", f"memory per reload over {count:,}, {name}", GOAL_BYTES, grown, "B"))
        goals.append(Goal("G3", f"generations alive after {count:,}, {name}", "1", f"{alive}", alive == 1))
        figures |= {f"{what}_bytes": grown, f"{what}_plain_bytes": plain, f"{what}_alive": alive}
    return Report(
        "reload.growth",
        f"Memory that a reload leaves behind in the host, in bytes, over {count:,} of them",
        ["reloaded", "a reload and the lines", "only the lines", "generations listed", "alive"],
        rows,
        "as many lines without reloads, after them.",
        goals,
        [
            f"{PLAYERS} players say a line after each reload. Slope of the memory that is no file's by least squares,",
            f"after {warm_up} reloads to warm up. The journal is a mapped file.",
            "Alive: how many classes of the reloaded module the collector finds in the process.",
        ],
        figures,
    )


if __name__ == "__main__":
    main(measure)
