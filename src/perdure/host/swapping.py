"""Other code for the running rooms of a host: each takes it at a quiescent point that its game's policy allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from perdure.errors import one_line
from perdure.host.agenda import Agenda
from perdure.host.ledger import Ledger
from perdure.host.running import Next, Programs, Running, Swapped
from perdure.movement.policy import may_swap
from perdure.ports import Clock
from perdure.room.machine import Ran
from perdure.room.record import Answered, Cause, Started
from perdure.room.tables import Table

ROWS_FREED = 5_000
FREE_EVERY_S = 0.005
"""So many live rows of old code are let go of at a time, and how often."""


class Swapping:
    """Brings code into the rooms of one host.

    Args:
        games: Room -> game.
        may_run: Whether a room may run now.
        offer: Runs a cause in a room now, or when it may run.
        answered: The answer to a room's question is there; it may be one that earlier code could not take.
        notify: Called with events for the event log.

    Attributes:
        moving: Whether rooms are about to leave: none takes other code meanwhile.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        games: Mapping[str, str],
        programs: Programs,
        ledger: Ledger,
        agenda: Agenda,
        *,
        may_run: Callable[[Running], bool],
        offer: Callable[[Running, Cause], None],
        answered: Callable[[Running, Answered], None],
        notify: Callable[[dict[str, Any]], None],
    ) -> None:
        self._loop, self._clock, self._games, self._programs = loop, clock, games, programs
        self._ledger, self._agenda = ledger, agenda
        self._may_run, self._offer, self._answered, self._notify = may_run, offer, answered, notify
        self.moving = False

    def offer(self, running: Running, code: Next) -> Swapped | None:
        """Let a room go on with other code, now if it may run and its game's update policy lets it, else later.

        Returns:
            None if it waits.

        Raises:
            SchemaError: The code cannot read the room's rows. The room goes on as it was.
        """
        if running.next is not None:  # what was allowed for it is allowed for what replaces it
            code = code._replace(
                drop_orphans=code.drop_orphans or running.next.drop_orphans,
                may_lose=code.may_lose or running.next.may_lose,
            )
        running.forget_next()
        if not running.held and self._may_swap(running, code, match_over=False):
            return self.swap(running, code)
        code.program.hold()
        running.next = code
        return None

    def swap_waiting(self, running: Running, *, match_over: bool) -> None:
        """The code that waits comes now, if it may."""
        code = running.next
        if code is None or not self._may_swap(running, code, match_over=match_over):
            return
        running.next = None
        try:
            self.swap(running, code)
            self._notify({"kind": "room-reloaded", "room": running.room.id, "generation": code.program.generation})
        except Exception as error:  # noqa: BLE001  (the edge to game code: binding a game makes its modules)
            self._notify({"kind": "room-not-reloaded", "room": running.room.id, "reason": one_line(error)})
        code.program.release()
        self._loop.call_soon(self._programs.prune)

    def swap(self, running: Running, code: Next) -> Swapped:
        """The swap, at a quiescent point: a callback of its own, without game code. Raises SchemaError as `offer`."""
        began_s = time.perf_counter()
        room, old = running.room, running.program
        tables = list(room.tables.values())
        timers = dict(room.timers) if code.drop_orphans else {}
        ran = room.swap(code.program, self._clock.now_us(), drop_orphans=code.drop_orphans, may_lose=code.may_lose)
        self._book(running, code, ran)
        paused_s = time.perf_counter() - began_s
        self._loop.call_soon(self._free, tables)
        dropped = [timers[id].handler for id in timers.keys() - room.timers.keys()]
        old.release()
        wake_s = running.due_s.get("wake")
        running.due_s.clear()
        if wake_s is not None and old.lifecycle.wake_hz == code.program.lifecycle.wake_hz:
            running.due_s["wake"] = wake_s  # begun anew, each swap would cost half a beat
        self._agenda.plan(running)
        if room.started and room.handler.wants_start():
            self._offer(running, Started())
        answers, running.unanswered = list(running.unanswered.values()), {}
        for answer in answers:
            self._answered(running, answer)
        return Swapped(paused_s, dropped)

    def catch_up(self, running: Running) -> None:
        """A room that was away while its game was reloaded takes the code that serves, when its policy lets it."""
        current = self._programs.current(self._games[running.room.id])
        if running.program is not current:
            try:
                self.offer(running, Next(current, drop_orphans=False, may_lose=False))
            except Exception as error:  # noqa: BLE001  (as `swap_waiting`)
                self._notify({"kind": "room-not-reloaded", "room": running.room.id, "reason": one_line(error)})

    def _may_swap(self, running: Running, code: Next, *, match_over: bool) -> bool:
        """Whether this is a quiescent point, and one at which the game's policy lets the code come."""
        room, update = running.room, running.game.update
        if self.moving or not self._may_run(running) or not running.end.quiescent:
            return False
        return code.at_once or may_swap(update, seats=len(room.open), started=room.started, match_over=match_over)

    def _book(self, running: Running, code: Next, ran: Ran) -> None:
        code.program.hold()
        running.program = code.program
        running.end.ran(ran)
        self._ledger.write(running, ran)

    def _free(self, tables: list[Table[Any, Any]]) -> None:
        """Forget the objects of old rows in slices: with half a million of them it takes a while."""
        while tables:
            if not tables[-1].forget(ROWS_FREED):
                self._loop.call_later(FREE_EVERY_S, self._free, tables)
                return
            tables.pop()
