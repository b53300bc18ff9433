"""How long until an input is safe, and what that costs: one host alone, driven over a real link socket."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from bench.processes import Cpu, LoneHost, lone_host
from bench.projects import project
from bench.report import Goal, Report, Spread, main, number
from perdure.link.messages import Ack, EventSent, Message, Out, OutAck
from perdure.room.record import EventBody, Input, Join, Who
from perdure.store.journal import SegmentJournal

SESSIONS = 64
WINDOW = 4
GOAL_PER_S = 20_000.0
GOALS = {"power": (1.5, 0.30), "process": (0.2, 0.10)}
"""Durability -> p50 in ms, share of a core at 20,000 a second."""


class Sustained(NamedTuple):
    """A steady flow: how much, how long each waited (ms), and what share of a core the writer took."""

    per_s: float
    wait_ms: Spread
    core: float


class Players:
    """The scripted gateway: numbers events, acknowledges outputs, notes when events were acknowledged."""

    def __init__(self, host: LoneHost, count: int) -> None:
        self._host, self._epoch = host, host.epochs["r0"]
        self._next = dict.fromkeys((f"gateway.1.{number}" for number in range(count)), 0)
        self._sent: dict[tuple[str, int], float] = {}
        self._say: list[Message] = []
        self.waits_s: list[float] = []
        for session in self._next:
            self.submit(session, Join(Who(f"guest:{session}", session)))
        while self._sent:
            self.turn()
        self.waits_s.clear()

    def submit(self, session: str, body: EventBody) -> None:
        """Send the session's next event with the next frame."""
        n, self._next[session] = self._next[session], self._next[session] + 1
        self._sent[session, n] = time.perf_counter()
        self._say.append(EventSent("r0", self._epoch, session, 1, n, body))

    def turn(self) -> list[str]:
        """Say what is to be said, hear what comes; the sessions whose oldest event was acknowledged."""
        if self._say:
            self._host.send(self._say)
            self._say = []
        acknowledged = []
        for message in self._host.receive():
            if isinstance(message, Ack):
                self.waits_s.append(time.perf_counter() - self._sent.pop((message.session, message.n)))
                acknowledged.append(message.session)
            elif isinstance(message, Out):
                self._say += [OutAck(message.room, session, j, m) for session, j, m in message.seats]
        return acknowledged


def one_by_one(host: LoneHost, seconds: float) -> Spread:
    """Milliseconds from an input to its acknowledgement, nothing else being on its way."""
    players, deadline = Players(host, 1), time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        players.submit("gateway.1.0", Input("use x"))
        while not players.turn():
            pass
    return Spread.of([wait * 1e3 for wait in players.waits_s])


def flow(host: LoneHost, seconds: float) -> Sustained:
    """As many inputs as the host takes, `WINDOW` of each session on their way."""
    players = Players(host, SESSIONS)
    for number_ in range(SESSIONS * WINDOW):
        players.submit(f"gateway.1.{number_ % SESSIONS}", Input("use x"))
    cpu, began = Cpu({"host": host.process.pid}), time.perf_counter()
    while time.perf_counter() < began + seconds:
        for session in players.turn():
            players.submit(session, Input("use x"))
    passed_s = time.perf_counter() - began
    waits_ms = Spread.of([wait * 1e3 for wait in players.waits_s])
    return Sustained(len(players.waits_s) / passed_s, waits_ms, cpu.shares()["host"])


def journal_alone(durability: str, seconds: float) -> Sustained:
    """20,000 records a second of 300 bytes into a journal, without rooms; under `power` with group commit."""
    with TemporaryDirectory(prefix="perdure-bench-") as folder:
        journal = SegmentJournal(Path(folder) / "h", "h", "boot")
        record, over, synced = bytes(range(200)) + bytes(100), threading.Event(), 0
        waiting: list[float] = []
        waits_s: list[float] = []

        def sync() -> None:
            nonlocal synced
            while not over.is_set():
                group = waiting[:]
                del waiting[: len(group)]
                if not group:
                    time.sleep(0.0001)
                    continue
                journal.sync()
                now_s = time.perf_counter()
                waits_s.extend(now_s - began for began in group)

        syncer = threading.Thread(target=sync)
        if durability == "power":
            syncer.start()
        process = psutil.Process()
        before, began = process.cpu_times(), time.perf_counter()
        count = 0
        while (now := time.perf_counter()) < began + seconds:
            while count < (now - began) * GOAL_PER_S:
                at = time.perf_counter()
                journal.append("r0", count, record)
                count += 1
                if durability == "power":
                    waiting.append(at)
                else:
                    waits_s.append(time.perf_counter() - at)
            time.sleep(0.0005)
        over.set()
        passed_s, after = time.perf_counter() - began, process.cpu_times()
        if durability == "power":
            syncer.join()
        journal.close()
    spent_s = after.user + after.system - before.user - before.system
    return Sustained(count / passed_s, Spread.of([wait * 1e3 for wait in waits_s]), spent_s / passed_s)


def measure(short: bool) -> Report:
    """Both durabilities: one by one, as fast as it goes, and the journal by itself."""
    seconds = 1.5 if short else 6.0
    rows, goals = [], []
    figures: dict[str, float] = {}
    for durability, (p50_ms, core) in GOALS.items():
        with project(durability=durability) as folder, lone_host(folder, 1) as host:
            single = one_by_one(host, seconds)
        with project(durability=durability) as folder, lone_host(folder, 1) as host:
            sustained = flow(host, seconds)
        alone = journal_alone(durability, seconds)
        rows += [
            [f"{durability}: one by one", "", single.text(), number(single.p99), "", ""],
            [f"{durability}: as many as it takes", *_cells(sustained)],
            [f"{durability}: journal alone", *_cells(alone)],
        ]
        per_s = sustained.per_s
        goals += [
            Goal("G13", f"input acknowledged, `{durability}`, p50", f"≤ {p50_ms} ms",
                 f"{number(single.median)} ms", single.median <= p50_ms),
            Goal("G13", f"sustained, `{durability}`, one host with a game", f"≥ {GOAL_PER_S:,.0f}/s",
                 f"{number(per_s)}/s, {sustained.core / per_s * 1e6:.0f} µs of a core each", per_s >= GOAL_PER_S),
            Goal("G13", f"the journal's part at 20,000/s, `{durability}`", f"≤ {core:.0%} of a core",
                 f"{alone.core:.0%}", alone.core <= core),
        ]  # fmt: skip
        figures |= {
            f"{durability}_p50_ms": single.median, f"{durability}_per_s": per_s,
            f"{durability}_core": sustained.core, f"{durability}_journal_core": alone.core,
            f"{durability}_journal_per_s": alone.per_s,
        }  # fmt: skip
    return Report(
        "acknowledgement",
        "An input until it is acknowledged, in ms: median (10th–90th percentile)",
        ["", "per s", "ms", "99th", "of a core", "µs of a core each"],
        rows,
        "the journal alone: the same number of records of 300 bytes, without rooms, link and game.",
        goals,
        [
            "One host process; the measurement itself plays its gateway: one socket, real frames, no telnet.",
            "Each input runs a command that changes one row and answers.",
            f"As many as it takes: {SESSIONS} players, {WINDOW} inputs of each on their way.",
            "The journal alone counts its paced feeder into the share.",
        ],
        figures,
    )  # fmt: skip


def _cells(sustained: Sustained) -> list[str]:
    each_us = sustained.core / sustained.per_s * 1e6
    wait_ms = sustained.wait_ms
    return [number(sustained.per_s), wait_ms.text(), number(wait_ms.p99), f"{sustained.core:.2f}", number(each_us)]


if __name__ == "__main__":
    main(measure)
