"""When which room is due, and for what. One timer of the loop serves all rooms.

Due rooms are run in slots: a timer of the loop for each room costs for 1,000 rooms at 20 Hz what the figures in
docs/performance.md (Heartbeats) say; one timer for all that is due in 5 ms costs next to nothing.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from perdure.host.running import Running
from perdure.ports import Clock

SLOT_S = 0.005
ENTRIES_MIN = 256
"""Up to this many entries nobody looks for void ones."""

Due = Callable[[Running], None]


class Agenda:
    """The rooms' timers, heartbeats and graces.

    Args:
        clock: The rooms' timers are due on it; everything else is on the monotonic clock.
        timers, wake, grace: Called with a room whose timers, heartbeat or grace are due.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, *, timers: Due, wake: Due, grace: Due) -> None:
        self._loop, self._clock = loop, clock
        self._due: dict[str, Due] = {"timers": timers, "wake": wake, "grace": grace}
        self._entries: list[tuple[float, int, str, Running]] = []
        self._entries_max = ENTRIES_MIN
        self._count = 0
        self._alarm: tuple[float, asyncio.TimerHandle] | None = None

    def plan(self, running: Running) -> None:
        """Put down what the room waits for; to be called whenever that may have changed."""
        room, lifecycle = running.room, running.program.lifecycle
        due = room.next_due
        if due is not None:
            due_s = self._loop.time() + max(0.0, (due[0] - self._clock.now_us()) / 1e6)
            if "timers" not in running.due_s or due_s < running.due_s["timers"] - SLOT_S:
                self._put(due_s, "timers", running)
        if lifecycle.wake_hz and room.started and "wake" not in running.due_s:
            self._put(self._loop.time() + 1 / lifecycle.wake_hz, "wake", running)
        if lifecycle.kind == "ephemeral":
            if room.open or not room.started:
                running.due_s.pop("grace", None)
            elif "grace" not in running.due_s:
                self._put(self._loop.time() + lifecycle.grace_s, "grace", running)

    def _put(self, due_s: float, what: str, running: Running) -> None:
        """Enter; an earlier entry for the same is void from here."""
        running.due_s[what] = due_s
        self._count += 1
        heapq.heappush(self._entries, (due_s, self._count, what, running))
        if len(self._entries) > self._entries_max:
            self._drop_void()
        self._set_alarm()

    def _drop_void(self) -> None:
        """Entries that were replaced would otherwise stay until their time, a day perhaps."""
        self._entries = [entry for entry in self._entries if entry[3].due_s.get(entry[2]) == entry[0]]
        heapq.heapify(self._entries)
        self._entries_max = 2 * len(self._entries) + ENTRIES_MIN

    def _set_alarm(self) -> None:
        if not self._entries:
            return
        due_s = self._entries[0][0]
        if self._alarm is not None:
            if self._alarm[0] <= due_s:
                return
            self._alarm[1].cancel()
        slots = max(0, -(-(due_s - self._loop.time()) // SLOT_S))
        self._alarm = (due_s, self._loop.call_later(slots * SLOT_S, self._ring))

    def _ring(self) -> None:
        self._alarm = None
        now_s = self._loop.time()
        while self._entries and self._entries[0][0] <= now_s:
            due_s, _, what, running = heapq.heappop(self._entries)
            if running.due_s.get(what) == due_s:
                del running.due_s[what]
                if what == "wake" and running.room.started:  # one that would be late is left out, not made up for
                    self._put(max(due_s + 1 / running.program.lifecycle.wake_hz, now_s), what, running)
                self._due[what](running)
        self._set_alarm()
