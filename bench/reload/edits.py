"""Saves, orders and reports, with the time of each."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.processes import Server
from bench.report import Goal, number
from perdure.cli.client import Client

REPORT_S = 20.0
"""A reload without a report for so long is a defect."""
KINDS = ("reloaded", "reload-failed")


class Reload(NamedTuple):
    """One reload by order.

    Attributes:
        began_s, ended_s: From the order to its report, monotonic.
    """

    began_s: float
    ended_s: float
    report: dict[str, Any]

    @property
    def pause_ms(self) -> float:
        """How long the room stood still, by its own account."""
        return float(self.report["pause_ms"]["max"])


class Operator:
    """Who orders reloads; a context manager."""

    def __init__(self, running: Server) -> None:
        self._client = Client(running.state)

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *exit_: object) -> None:
        self._client.__exit__(*exit_)

    def reload(self, *, clean: bool = True) -> Reload:
        """Order a reload of what lies on disk, and wait for its report.

        Raises:
            RuntimeError: It is not what was expected of it.
        """
        began_s = time.monotonic()
        report = self._client.request("reload", {"game": "bench"}, timeout_s=120.0)
        ended_s = time.monotonic()
        wrong = [report[name] for name in ("failed", "held", "aborted") if report[name]] + report["rooms"]["refused"]
        if clean == bool(wrong):
            raise RuntimeError(f"a reload went another way than meant: {report}")
        return Reload(began_s, ended_s, report)

    def ask(self, method: str, **params: Any) -> Any:
        """Any other control method."""
        return self._client.request(method, params)


class Reports:
    """The reports of reloads as they come, for a project that watches its files; a context manager."""

    def __init__(self, running: Server) -> None:
        self._client = Client(running.state)
        self._client.request("events", {"follow": True})
        self._queue: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Reports:
        return self

    def __exit__(self, *exit_: object) -> None:
        self._client.__exit__(*exit_)

    def next(self) -> tuple[float, dict[str, Any]]:
        """When the next report came, and the report. Raises `queue.Empty` when none comes."""
        return self._queue.get(timeout=REPORT_S)

    def _read(self) -> None:
        for event in self._client.events():
            if event["kind"] in KINDS:
                self._queue.put((time.monotonic(), event["report"]))


class Tail(NamedTuple):
    """Of many values: the median, the 99th percentile, and the largest."""

    p50: float
    p99: float
    max: float

    @staticmethod
    def of(values: Sequence[float]) -> Tail:
        """Of at least one value."""
        ordered = sorted(values)
        return Tail(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], ordered[-1])

    def scaled(self, scale: float) -> Tail:
        """In another unit."""
        return Tail(*(value * scale for value in self))

    def cells(self, scale: float = 1.0) -> list[str]:
        """Each of the three, multiplied by `scale`."""
        return [number(value) for value in self.scaled(scale)]


def at_most(id: str, what: str, limit: float, value: float, unit: str) -> Goal:
    """A goal that is met by a value which is not above the limit."""
    return Goal(id, what, f"≤ {limit:,g} {unit}", f"{number(value)} {unit}", value <= limit)


def steps_text(reports: Sequence[dict[str, Any]]) -> str:
    """Where the time went: the median of each step, in ms."""
    by_name: dict[str, list[float]] = {}
    for report in reports:
        for step in report["steps"]:
            by_name.setdefault(step["name"], []).append(step["ms"])
    return ", ".join(f"{name} {number(Tail.of(ms).p50)}" for name, ms in by_name.items())
