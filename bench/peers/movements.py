"""New code, a new program, and kill -9, under players who talk: what they see of it with Perdure and with Evennia."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.peers import evennia, ours
from bench.peers.client import Client, Door, Seen
from bench.peers.environment import python, versions
from bench.processes import Server
from bench.report import Report, main, number
from perdure.cli.client import Client as Control
from perdure.errors import Unavailable

PER_S = 50.0
"""Lines each second, of all players together; one player alone stays below Evennia's limit of 80."""
SETTLE_S = 1.5
REST_S = 1.0
"""After a line that was said after the event has its answer: late ones may still come."""
CALM_S = 2.0
BEFORE_S = 0.3
"""Lines that were on their way when it happened belong to it."""
DOWN_S = 5.0
"""So long it is waited whether a killed server is started again by itself."""
WAIT_S = 60.0
LOOK_S = 0.02
LINE = "use NUMBER"


class Event(NamedTuple):
    """One thing that happens to a server.

    Attributes:
        key: Of its figures.
        happen: Does it; returns when what comes after it is in place, by the server's own account.
    """

    key: str
    name: str
    happen: Callable[[], None]


class Side(NamedTuple):
    """A running server of one kind.

    Attributes:
        door: How one logs in.
        finish: What is done last; says what was found.
    """

    port: int
    door: Door
    events: list[Event]
    finish: Callable[[], str]


def watched(client: Client, event: Event) -> tuple[tuple[float, float], tuple[float, float]]:
    """Let it happen under players who talk; its span of time, and that of a calm one after it."""
    began_s = time.monotonic()
    event.happen()
    there_s = time.monotonic()
    while not client.order("answered_since", at_s=there_s):
        if time.monotonic() > there_s + WAIT_S:
            raise RuntimeError(f"{event.name}: nobody got an answer for {WAIT_S:.0f} s")
        time.sleep(LOOK_S)
    time.sleep(REST_S)
    ended_s = time.monotonic()
    time.sleep(CALM_S)
    return (began_s - BEFORE_S, ended_s), (ended_s, ended_s + CALM_S - BEFORE_S)


def measured(client: Client, events: list[Event], count: int) -> dict[str, list[Seen]]:
    """Each of these so many times, in turn; and the calm after them, under the key ``nothing``."""
    client.order("pace", line=LINE, per_s=PER_S)
    time.sleep(SETTLE_S)
    spans = [(event.key, *watched(client, event)) for _ in range(count) for event in events]
    client.order("rest")
    found: dict[str, list[Seen]] = {key: [] for key in (*(event.key for event in events), "nothing")}
    for key, span, calm in spans:
        found[key].append(client.seen(span))
        found["nothing"].append(client.seen(calm))
    return found


@contextmanager
def perdure() -> Iterator[Side]:
    """A server of Perdure, with all defaults."""
    with ours.serving() as (running, project):

        def order(method: str, **params: object) -> None:
            project.edit()
            with Control(running.state) as control:
                report = control.request(method, params, timeout_s=WAIT_S)
            if report.get("failed") or report.get("outcome", "committed") != "committed":
                raise RuntimeError(f"Perdure's {method} failed: {report}")

        events = [
            Event("reload", "Perdure: reload", lambda: order("reload", game="bench")),
            Event("copyover", "Perdure: copyover", lambda: order("copyover", quiet=True)),
            Event("kill", "Perdure: kill -9 of the host", lambda: _killed(running)),
        ]
        yield Side(running.port, ours.DOOR, events, lambda: "")


def _killed(running: Server) -> None:
    """Kill the host, and wait for another one; nobody does anything about it."""
    pid = running.pids()["host"]
    running.kill_host()
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        with suppress(Unavailable):
            if running.pids().get("host", pid) != pid:
                return
        time.sleep(LOOK_S)
    raise RuntimeError("no other host was started")


@contextmanager
def theirs(interpreter: Path) -> Iterator[Side]:
    """A server of Evennia, with its default limit of lines."""
    with evennia.serving(interpreter) as running, evennia.Operator(running) as operator:

        def reload() -> None:
            running.edit()
            pid = running.pids()["server"]
            operator.say("@reload")
            running.wait_other_server(pid)

        def kill() -> None:
            pid = running.kill_server()
            running.run("start")
            running.wait_other_server(pid)

        def finish() -> str:
            running.kill_server()
            time.sleep(DOWN_S)
            again = any(running.owns(pid) for name, pid in running.pids().items() if name == "server")
            return f"{DOWN_S:.0f} s after a kill without that, {'a' if again else 'no'} server of Evennia ran."

        events = [
            Event("reload", "Evennia: @reload", reload),
            Event("kill", "Evennia: kill -9 of the server, `evennia start` at once", kill),
        ]
        yield Side(running.port, evennia.DOOR, events, finish)


def row_of(name: str, seen: list[Seen]) -> list[str]:
    """One line of the table."""

    def spread(values: list[float]) -> str:
        low, high = min(values), max(values)
        return f"{number(statistics.median(values) * 1e3)} ({number(low * 1e3)}–{number(high * 1e3)})"

    sent = sum(each.sent for each in seen)
    return [
        name,
        spread([each.silence_s for each in seen]),
        spread([each.wait_s for each in seen]),
        f"{sum(each.lost for each in seen)} of {sent:,}",
        f"{sum(each.doubled for each in seen)}",
        f"{sum(each.disordered for each in seen)}",
        f"{sum(each.disconnected for each in seen)}",
    ]


def measure(short: bool) -> Report:
    """1 player, then 100, on one server of each kind, one after the other."""
    sizes, count = ((1, 20), 1) if short else ((1, 100), 3)
    interpreter = python()
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    told = []
    for kind, side_of in (("perdure", perdure()), ("evennia", theirs(interpreter))):
        with side_of as side:
            for players in sizes:
                with Client() as client:
                    client.order("connect", port=side.port, count=players, **side.door._asdict())
                    found = measured(client, side.events, count)
                names = {event.key: event.name for event in side.events}
                for key, seen in found.items():
                    name = names.get(key, f"{kind.title()}: nothing")
                    rows.append(row_of(f"{players} player{'s' * (players > 1)}, {name}", seen))
                    figures |= {f"{kind}_{players}_{key}_{what}": value for what, value in figures_of(seen).items()}
            told.append(side.finish())
    return Report(
        "peers.movements",
        f"{PER_S:.0f} lines a second while code or a process is replaced, in ms, {count} of each: median (least–most)",
        ["", "longest silence", "longest wait of a line", "lost", "doubled", "out of order", "disconnected"],
        rows,
        "each other: one client, one rate; and the same servers when nothing happens, after each event.",
        [],
        [
            f"{versions(interpreter)}. Both with their default durability and limits of lines, and a web page.",
            *evennia.SET,
            "Each line changes a stored value. Silence: nobody got an answer. At this rate answers are 20 ms apart.",
            "Waits are of lines that were answered at all. Before each event but the kills the game's code is edited.",
            "Nobody has to do anything about a killed host of Perdure. With Evennia the operator's command begins at",
            f"once, and lasts some seconds itself. {' '.join(filter(None, told))}",
            "Evennia keeps the connections in all of it, too; it says that it reloads, and lines typed then are gone.",
            "Its reload starts a new process, so it takes any change, of libraries too, as Perdure's copyover does.",
        ],
        figures,
    )


def figures_of(seen: list[Seen]) -> dict[str, float]:
    """For programs."""
    return {
        "silence_ms": statistics.median(each.silence_s for each in seen) * 1e3,
        "wait_ms": statistics.median(each.wait_s for each in seen) * 1e3,
        "sent": sum(each.sent for each in seen),
        "lost": sum(each.lost for each in seen),
        "doubled": sum(each.doubled for each in seen),
        "disconnected": sum(each.disconnected for each in seen),
    }


if __name__ == "__main__":
    main(measure)
