"""One line and its answer, and the most that a server takes: Perdure and Evennia, with its defaults and with ours."""

from __future__ import annotations

from typing import Any, NamedTuple

from bench.peers import evennia, ours
from bench.peers.client import Client, Door
from bench.peers.environment import python, versions
from bench.processes import Cpu
from bench.report import Report, Spread, main, number

PACED_PER_S = 20.0
MANY = 100


class Way(NamedTuple):
    """One way to speak to a server.

    Attributes:
        players: How many of them.
        line: What they say.
        paced: Whether one says it `PACED_PER_S` times a second; otherwise as fast as it is answered.
    """

    key: str
    name: str
    players: int
    line: str = "e NUMBER"
    paced: bool = False


PACED = Way("paced", f"1 player, {PACED_PER_S:.0f} lines a second", 1, paced=True)
ONE = Way("one", "1 player, as fast as it is answered", 1)
ALL = Way("all", f"{MANY} players, as fast as they are answered", MANY)
ALL_USE = Way("all_use", f"{MANY} players, each line changes a stored value", MANY, "use NUMBER")


def spoken(port: int, door: Door, pids: dict[str, int], ways: list[Way], seconds: float) -> list[dict[str, Any]]:
    """What was seen of each of these ways; a way has at least as many players as the one before."""
    found = []
    with Client() as client:
        there = 0
        for way in ways:
            client.order("connect", port=port, count=way.players - there, **door._asdict())
            there = way.players
            client.order("converse", line=way.line, seconds=seconds / 4)
            cpu = Cpu(pids)
            order = {"line": way.line, "seconds": seconds, "per_s": PACED_PER_S if way.paced else 0.0}
            found.append(client.order("converse", **order) | {"cores": cpu.shares()})
    return found


def row_of(name: str, seen: dict[str, Any]) -> list[str]:
    """One line of the table."""
    waits = Spread(*seen["waits"])
    cores = ", ".join(f"{process} {share:.2f}" for process, share in seen["cores"].items() if share >= 0.005)
    return [
        name, number(seen["per_s"]), waits.text(1e3), number(waits.p99 * 1e3), f"{seen['lost']} of {seen['sent']:,}",
        f"{seen['client_core']:.2f}", cores,
    ]  # fmt: skip


def measure(short: bool) -> Report:
    """Perdure, then Evennia with its limit of lines and without, one after the other."""
    seconds = 2.0 if short else 6.0
    interpreter = python()
    rows: list[list[str]] = []
    figures: dict[str, float] = {}

    def add(kind: str, name: str, ways: list[Way], all_seen: list[dict[str, Any]]) -> None:
        for way, seen in zip(ways, all_seen, strict=True):
            rows.append(row_of(f"{name}: {way.name}", seen))
            waits = Spread(*seen["waits"])
            figures.update({
                f"{kind}_{way.key}_per_s": seen["per_s"], f"{kind}_{way.key}_p50_ms": waits.median * 1e3,
                f"{kind}_{way.key}_p99_ms": waits.p99 * 1e3,
            })  # fmt: skip

    ways = [PACED, ONE, ALL, ALL_USE]
    with ours.serving() as (running, _):
        add("perdure", "Perdure", ways, spoken(running.port, ours.DOOR, running.pids(), ways, seconds))
    for kind, name, lifted, ways in (
        ("evennia", "Evennia", False, [PACED, ONE, ALL]),
        ("lifted", "Evennia, lifted", True, [PACED, ONE, ALL, ALL_USE]),
    ):
        with evennia.serving(interpreter, lifted=lifted) as theirs:
            add(kind, name, ways, spoken(theirs.port, evennia.DOOR, theirs.pids(), ways, seconds))
    return Report(
        "peers.lines",
        "A line and its answer, in ms: median (10th–90th percentile)",
        ["server: players", "lines/s", "ms", "99th", "unanswered", "client's core", "the server's cores"],
        rows,
        "each other, under one client.",
        [],
        [
            f"{versions(interpreter)}.",
            *evennia.SET,
            "Evennia: with its defaults, MAX_COMMAND_RATE = 80 lines a second for each player among them. Lifted:",
            "MAX_COMMAND_RATE = 1,000,000, and TCP_NODELAY on all its sockets, by a few lines in its settings file. It",
            "does not set that itself: a small message waits until the one before is acknowledged, which Linux delays",
            "by up to 40 ms. Perdure has no limit of lines on 127.0.0.1 by default.",
            "A line without an answer is given up after a second.",
            "Perdure records each line before it is answered (durability `process`); Evennia stores values when they",
            "change.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
