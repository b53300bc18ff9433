"""Copyovers, each with as long a time without one after it, and what the probes saw in both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import psutil

from bench.copyover.players import PlayersProcess, Span
from bench.processes import Server
from bench.reload.edits import Tail
from perdure.cli.client import Client

REPORT_S = 120.0
"""A copyover without a report for so long is a defect."""
LOOK_S = 0.01
AROUND_S = 0.1
"""What belongs to a copyover although it is before the order or after the report."""
PROBES = 10
PROBE_EVERY_S = 0.005
MOVE_STEPS = ("stop", "offer", "verify", "commit", "route", "release")


class Copyover(NamedTuple):
    """One copyover by order; times are monotonic.

    Attributes:
        began_s, ended_s: From the order to its report.
        phases: When each phase was said to begin.
        report: As the server gave it.
        control_s: When as long a time without a copyover began.
    """

    began_s: float
    ended_s: float
    phases: dict[str, float]
    report: dict[str, Any]
    control_s: float

    @property
    def whole(self) -> tuple[float, float]:
        """The span of time in which it may be noticed."""
        return self.began_s - AROUND_S, self.ended_s + AROUND_S

    @property
    def control(self) -> tuple[float, float]:
        """A span as long, without a copyover."""
        return self.control_s, self.control_s + self.whole[1] - self.whole[0]

    @property
    def before(self) -> tuple[float, float]:
        """While the successor boots and copies, and nothing moves."""
        return self.phases["boot"], self.phases["stop"]

    @property
    def after_ms(self) -> float:
        """From when the first room may stop until the report."""
        return (self.ended_s - self.phases["stop"]) * 1e3

    def step_ms(self, name: str) -> float:
        """How long a step took, by the report; those of a move are added up over all rooms."""
        return float(next((step["ms"] for step in self.report["steps"] if step["name"] == name), 0.0))


class Operator:
    """Who orders copyovers; a context manager."""

    def __init__(self, running: Server) -> None:
        self._running = running
        self._client = Client(running.state)
        self._client.request("events", {"follow": True})
        self._phases: dict[str, float] = {}

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *exit_: object) -> None:
        self._client.__exit__(*exit_)

    def copy_over(self, *, rest_s: float, outcome: str = "committed") -> Copyover:
        """Copy over, rest, and let as long a time pass without a copyover.

        Args:
            rest_s: How long after the report what belongs to it is still going on.

        Raises:
            RuntimeError: It did not end as meant.
        """
        self._phases = {}
        began_s = time.monotonic()
        report = self._client.request("copyover", {"quiet": True}, timeout_s=REPORT_S, on_event=self._event)
        ended_s = time.monotonic()
        if report["outcome"] != outcome or report["hash_mismatches"] or report["sessions"]["lost"]:
            raise RuntimeError(f"a copyover went another way than meant: {report}")
        time.sleep(AROUND_S + rest_s)
        copyover = Copyover(began_s, ended_s, self._phases, report, time.monotonic())
        time.sleep(max(0.0, copyover.control[1] - time.monotonic()) + AROUND_S)
        return copyover

    def _event(self, event: dict[str, Any]) -> None:
        if event["kind"] == "copyover-phase":
            self._phases[event["phase"]] = time.monotonic()

    def test_memory_mib(self) -> tuple[float, float, float]:
        """Resident memory of the old host and a successor that has copied all rooms, and of the one host before."""
        alone = self._hosts_mib()
        most: dict[str, float] = {}
        with Client(self._running.state) as asking:
            waiting = threading.Thread(target=asking.request, args=("copyover", {"action": "test"}), daemon=True)
            waiting.start()
            while waiting.is_alive():
                both = self._hosts_mib()
                most = both if sum(both.values()) > sum(most.values()) else most
                time.sleep(LOOK_S)
        (old,) = alone
        return most[old], sum(most.values()) - most[old], alone[old]

    def _hosts_mib(self) -> dict[str, float]:
        found = {}
        for process in self._running.status()["processes"]:
            if process["name"].startswith("host") and process["pid"]:
                with suppress(psutil.NoSuchProcess):
                    found[process["name"]] = psutil.Process(process["pid"]).memory_info().rss / 2**20
        return found


class Noticed(NamedTuple):
    """What probes noticed of many copyovers, in seconds.

    Attributes:
        freezes: The longest wait of any probe around each copyover.
        idle: The same in as long a time without one.
        preparing, calm: How long lines waited while a successor booted and prepared, and as long without.
    """

    freezes: Tail
    idle: Tail
    preparing: Tail
    calm: Tail

    @property
    def freeze_ms(self) -> float:
        """The 99th percentile of the freezes less that of the control run."""
        return (self.freezes.p99 - self.idle.p99) * 1e3


def noticed(probes: PlayersProcess, copyovers: Sequence[Copyover]) -> Noticed:
    """What the probes, who are silent again, noticed."""
    whole = probes.spans([each.whole for each in copyovers])
    idle = probes.spans([each.control for each in copyovers])
    before = probes.spans([each.before for each in copyovers])
    calm = probes.spans([(each.control_s, each.control_s + each.before[1] - each.before[0]) for each in copyovers])
    return Noticed(_longest(whole), _longest(idle), _waits(before), _waits(calm))


def per_player(spans: Iterable[Span], player: Callable[[int], bool]) -> Tail:
    """The longest wait of some of the players in each span."""
    return Tail.of([max(s for index, s in enumerate(span.longest_s) if player(index)) for span in spans])


def steps(copyovers: Sequence[Copyover], names: Sequence[str]) -> dict[str, Tail]:
    """How long these steps took, in ms."""
    return {name: Tail.of([each.step_ms(name) for each in copyovers]) for name in names}


def _longest(spans: Iterable[Span]) -> Tail:
    return per_player(spans, lambda _: True)


def _waits(spans: Iterable[Span]) -> Tail:
    return Tail.of([wait_s for span in spans for wait_s in span.waits_s])
