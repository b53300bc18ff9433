"""The room machine: one game in progress, advanced one callback at a time.

Theory of operation. `Room.run` books the cause, runs the game's code, encodes what it changed, and books
that. The result is a `Record`; `Room.replay` books a record the same way without running any code. So
there is one description of what a callback does to the value, used live and in recovery.

The value is ahead of the journal between `run` and the moment the record is durable: whoever drives the
room releases nothing before that (H2), and captures only when nothing is pending (a quiescent point).
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

import msgspec

from perdure.errors import ContractError, SchemaError, one_line
from perdure.room.acknowledged import Acknowledged
from perdure.room.callback import Blamed, Callback, Fault
from perdure.room.fitting import Fitted, check_rows, fit
from perdure.room.program import Handler, Overrun, Program, Refusal, Vetoed
from perdure.room.record import (
    Answered,
    Cause,
    Closed,
    End,
    Event,
    Gone,
    Join,
    Leave,
    Mailed,
    Output,
    Record,
    Refused,
    Reloaded,
    Request,
    Resize,
    Started,
    Text,
    Timer,
    TimerFired,
    Wake,
    decode_record,
    digest,
    encode_record,
)
from perdure.room.seats import Seat, Stage
from perdure.room.tables import Cells, Change, Table
from perdure.snapshot.body import Body, Meta, TableSchema

Guard = Callable[[Callable[[], None], float], None]
"""Runs a function within a budget in seconds, or raises `Overrun`."""

STALE_TIMERS_MAX = 64
"""Replaced and cancelled timers that may stay in the queue of due ones before it is made anew."""

VETO_BUDGET_S = 0.1
"""A module that thinks longer about whether the program may be replaced has nothing against it."""

BRANCH_NUMBERS = 1 << 32
"""How many numbers of effects each branch of a room's history has for itself."""

SKIPPED = "it was skipped"
"""What the history says of a cause that was booked without running any code."""

Sent = tuple[Output, list[tuple[str, int, int]]]
"""An output and the (session, j, m) that it goes to."""

_encode = msgspec.msgpack.Encoder().encode
_timer_decoder = msgspec.msgpack.Decoder(Timer)
_request_decoder = msgspec.msgpack.Decoder(Request)


def unguarded(function: Callable[[], None], budget_s: float) -> None:  # noqa: ARG001  (a guard's signature)
    """A guard that lets every callback take its time."""
    function()


def _checked(record: Record) -> bytes:
    """The record's bytes. A record that would not decode must fail now, not at recovery."""
    data = encode_record(record)
    decode_record(data)
    return data


def _storable(text: str) -> str:
    """`text` without what UTF-8 cannot say (lone surrogates)."""
    return text.encode("utf-8", "replace").decode()


class Effects:
    """Effects sent to one service: the next number, and those not yet acknowledged."""

    __slots__ = ("next_number", "pending")

    def __init__(self, next_number: int = 1, pending: list[tuple[int, bytes]] | None = None) -> None:
        self.next_number = next_number
        self.pending = pending or []


class Ran(msgspec.Struct):
    """What `Room.run` did.

    Attributes:
        record: To be made durable before anything of it is released; None for a wake that changed nothing.
        data: The record's bytes.
        sent: Outputs with their numbers, in order.
        effects: (service, number, body), in order.
        error: The game's error, when the callback faulted and was undone.
        match_over: Whether the game said that new code may come now, if some waits for that.
        faults: Those that undid nothing.
        blamed: What raised `error`.
    """

    record: Record | None
    data: bytes = b""
    sent: list[Sent] = []
    effects: list[tuple[str, int, bytes]] = []
    error: BaseException | None = None
    match_over: bool = False
    faults: list[Fault] = []
    blamed: Blamed = Blamed()


class Room:
    """A room: tables, clock, seed, timers, seats, questions and effects in flight, and its place in history.

    Made by `new` or `restore`. Driven by one owner, one callback at a time.
    """

    def __init__(
        self,
        id: str,
        program: Program,
        meta: Meta,
        tables: dict[str, dict[Any, bytes]],
        *,
        c: int,
        epoch: int,
        branch: int,
        rooms: AbstractSet[str] = frozenset(),
        guard: Guard = unguarded,
    ) -> None:
        self.id, self.program = id, program
        self.c, self.epoch, self.branch = c, epoch, branch
        self.rooms, self.guard = rooms, guard
        self.now_us = self.booked_us = meta.now_us
        self.seed, self.started = meta.seed, meta.started
        self.last_digest = meta.last_digest
        self.seats = {session: Seat.restored(state) for session, state in meta.seats.items()}
        self.open = {session: seat for session, seat in self.seats.items() if not seat.closed}
        self.requests = {id: _request_decoder.decode(data) for id, data in meta.requests.items()}
        self.effects = {name: Effects(number, list(pending)) for name, (number, pending) in meta.effects.items()}
        self.mail_seen = dict(meta.mail_seen)
        self.fired: Timer | None = None
        self.answered: Request | None = None
        self._schemas = meta.schemas
        self.tables: dict[str, Table[Any, Any]] = {
            name: Table(spec, tables.get(name)) for name, spec in program.tables.items()
        }
        self.cells: dict[str, Cells] = dict(self.tables)
        self.cells.update({name: Cells(name, rows) for name, rows in tables.items() if name not in self.tables})
        self.handler: Handler = program.bind(id, self.tables)
        self.timers: dict[str, Timer] = {}
        self._due: list[tuple[int, str]] = []
        for timer_id, data in meta.timers.items():
            self._set_timer(timer_id, _timer_decoder.decode(data))

    @classmethod
    def new(cls, id: str, program: Program, *, seed: bytes, clock_us: int, c: int = 0, epoch: int = 1, branch: int = 0,
            rooms: AbstractSet[str] = frozenset(), guard: Guard = unguarded) -> Room:  # fmt: skip
        """A room that has not started, at callback c of its history. `seed` is 16 bytes of entropy."""
        meta = Meta(clock_us, seed, False, {}, {}, {}, {}, {}, {}, b"")
        room = cls(id, program, meta, {}, c=c, epoch=epoch, branch=branch, rooms=rooms, guard=guard)
        room.check()
        return room

    @classmethod
    def restore(cls, body: Body, id: str, program: Program, *, c: int, epoch: int, branch: int,
                rooms: AbstractSet[str] = frozenset(), guard: Guard = unguarded) -> Room:  # fmt: skip
        """The room as captured; `body` is the room's from here on. Before it runs: `replay` what follows, `check`."""
        return cls(id, program, body.meta, body.tables, c=c, epoch=epoch, branch=branch, rooms=rooms, guard=guard)

    def check(self) -> None:
        """Make sure that the program can read the rows that are there.

        Raises:
            SchemaError: It cannot; the table and what to do are named.
        """
        for name, table in self.tables.items():
            check_rows(table.spec, self._schemas.get(name, ()), table.versions)
        self._declare(self._undeclared(self.program))

    # -- callbacks -------------------------------------------------------------------------------

    def run(self, cause: Cause, clock_us: int) -> Ran:
        """Run one callback. The record is not durable yet when this returns."""
        self.now_us = max(self.now_us + 1, clock_us)
        self._begin(cause)
        callback = Callback(self, cause)
        try:
            self.guard(lambda: self.handler.call(callback, cause), self.program.lifecycle.budget_s)
            record = self._record(callback, cause)
            data = b"" if record is None else _checked(record)
        except Refusal as refusal:
            return self._undone(cause, refusal.text, None)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (the edge to game code: even sys.exit() is a fault like any other)
            ran = self._undone(cause, self.handler.explain(cause, error), error)
            ran.blamed = self.handler.blamed
            return ran
        for table in self.tables.values():
            table.settle()
        if record is None:
            return Ran(None, match_over=callback.match_over, faults=callback.faults)
        for name, key, row in record.rows:
            self.cells[name].book(key, row)
        ran = self._book(record, data)
        ran.match_over, ran.faults = callback.match_over, callback.faults
        return ran

    def swap(self, program: Program, clock_us: int, *, drop_orphans: bool = False, may_lose: bool = False) -> Ran:
        """Go on with other code: the room's value stays, and the swap is a callback of its own in its history.

        Args:
            drop_orphans: Forget timers whose handler the new code does not have; else they wait for its return.
            may_lose: See `TableSpec.check`.

        Raises:
            SchemaError: The new code cannot read rows that are there. Nothing has changed.
        """
        fitted = self._fitted(program, may_lose)
        handler = program.bind(self.id, fitted.tables)
        self.now_us = max(self.now_us + 1, clock_us)
        self.handler.let_go()
        self.program, self.handler, self.tables, self.cells = program, handler, fitted.tables, fitted.cells
        self._queue_timers()
        cause = Reloaded(program.generation, self._undeclared(program))
        self._begin(cause)
        dropped: list[tuple[str, Timer | None]] = [(id, None) for id in self.orphans] if drop_orphans else []
        record = Record(
            self.id, self.epoch, self.branch, self.c + 1, self.now_us, cause,
            fitted.rows, timers=dropped, previous=self.last_digest,
        )  # fmt: skip
        for name, key, row in record.rows:
            self.cells[name].redo(key, row)
        return self._book(record, encode_record(record))

    def skip(self, cause: Cause, clock_us: int, text: str) -> Ran:
        """Book `cause` as a callback that was undone, without running any code. Whoever caused it reads `text`."""
        self.now_us = max(self.now_us + 1, clock_us)
        self._begin(cause)
        ran = self._undone(cause, text, ContractError(SKIPPED))
        if isinstance(cause, Event):  # (a room that cannot start is still one)
            ran.error = None  # nothing of the game's failed now
        return ran

    def ask_vetoes(self, modules: Iterable[str], clock_us: int) -> list[Vetoed]:
        """What these modules have against it that the program is replaced now; those that raised are among them.

        No callback: whatever a module changes meanwhile is undone, and the room's clock stands still.
        """
        answers = (self._ask_veto(module, clock_us) for module in modules)
        return [answer for answer in answers if answer is not None]

    def _ask_veto(self, module: str, clock_us: int) -> Vetoed | None:
        callback = Callback(self, Wake())
        callback.now_us = max(self.now_us, clock_us)
        answers: list[Vetoed | None] = []
        try:
            self.guard(lambda: answers.append(self.handler.veto(callback, module)), VETO_BUDGET_S)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (the edge to game code)
            return Vetoed(module, error=error)
        finally:
            self._undo()
        return answers[0]

    def check_fit(self, program: Program, *, may_lose: bool = False) -> None:
        """Make sure that `swap` would work; converts on copies what it would convert.

        Raises:
            SchemaError: The code cannot read rows that are there.
        """
        self._fitted(program, may_lose)

    def _fitted(self, program: Program, may_lose: bool) -> Fitted:
        """The tables for `program`; its migrations back are game code and run within a budget."""
        fitted: list[Fitted] = []
        budget_s = program.lifecycle.budget_s
        fit_all = partial(fit, program.tables, self.program.tables, self.cells, self._schemas, may_lose=may_lose)
        try:
            self.guard(lambda: fitted.append(fit_all()), budget_s)
        except Overrun as error:
            raise SchemaError(f"converting rows back took too long: {error}. The rows are untouched.") from error
        return fitted[0]

    def replay(self, record: Record, data: bytes) -> None:
        """Book the next record of this room's history; `data` is its bytes. No game code runs."""
        assert record.c == self.c + 1, f"record {record.c} after {self.c}"
        assert record.previous == self.last_digest, f"record {record.c} does not follow from this state"
        self.now_us = record.now_us
        self._begin(record.cause)
        for name, key, row in record.rows:
            if name not in self.cells:
                self.cells[name] = Cells(name)
            self.cells[name].redo(key, row)
        self._book(record, data)

    def _record(self, callback: Callback, cause: Cause) -> Record | None:
        """What the callback did; None for a wake that changed nothing."""
        changes = self._changes()
        timers, outputs = list(callback.timers.items()), callback.outputs
        if isinstance(cause, Gone) and cause.reason:
            outputs.append(([cause.session], End(cause.reason)))
        if isinstance(cause, Wake) and not (changes or outputs or timers or callback.requests or callback.effects):
            return None
        return Record(
            self.id, self.epoch, self.branch, self.c + 1, self.now_us, cause,
            changes, outputs, timers, callback.requests, callback.effects, "", self.last_digest,
        )  # fmt: skip

    def _undo(self) -> None:
        for table in self.tables.values():
            table.undo()
        self.open = {session: seat for session, seat in self.seats.items() if not seat.closed}

    def _undone(self, cause: Cause, text: str, error: BaseException | None) -> Ran:
        self._undo()
        outputs: list[tuple[list[str], Output]] = []
        text = _storable(text)
        match cause:
            case Event(session=session, n=0):
                outputs.append(([session], Refused(text, 0)))
            case Event(session=session, body=body) if not isinstance(body, Leave):
                outputs.append(([session], Text(text + "\n")))
            case Gone(session=session, reason=reason) if reason:
                outputs.append(([session], End(reason)))
        faulted = "" if error is None else one_line(error)
        record = Record(
            self.id, self.epoch, self.branch, self.c + 1, self.now_us, cause,
            outputs=outputs, faulted=faulted, previous=self.last_digest,
        )  # fmt: skip
        ran = self._book(record, encode_record(record))
        ran.error = error
        return ran

    def _changes(self) -> list[Change]:
        changes: list[Change] = []
        for table in self.tables.values():
            changes += table.changes()
        return changes

    # -- booking: the same for a callback that just ran and for one that is replayed ---------------

    def _begin(self, cause: Cause) -> None:
        """Book what holds whatever the game's code does."""
        match cause:
            case Event(session=session, j=j, body=Join() as join):
                self.seats.pop(session, None)
                self.open.pop(session, None)
                self.seats[session] = self.open[session] = Seat.joined(j, join)
            case Event(session=session, n=n, body=body):
                seat = self.seats[session]
                seat.applied = n
                if isinstance(body, Resize):
                    seat.columns, seat.rows, seat.screenreader = body.columns, body.rows, body.screenreader
            case TimerFired(id=id):
                timer = self.fired = self.timers.pop(id)
                if timer.every_us:
                    missed = max(0, self.now_us - timer.due_us) // timer.every_us
                    due_us = timer.due_us + (missed + 1) * timer.every_us
                    self._set_timer(id, msgspec.structs.replace(timer, due_us=due_us))
            case Answered(id=request):
                self.answered = self.requests.pop(request)
            case Mailed(source=source, number=number):
                self.mail_seen[source] = number
            case Reloaded(schemas=schemas):
                self._declare(schemas)

    def _declare(self, schemas: Mapping[str, TableSchema]) -> None:
        """From here on rows are written under these schemas. A table without rows forgets the earlier ones."""
        for name, schema in schemas.items():
            rows = self.cells[name].versions if name in self.cells else {}
            known = [other for other in self._schemas.get(name, ()) if rows and other != schema]
            self._schemas[name] = [*known, schema]

    def _undeclared(self, program: Program) -> dict[str, TableSchema]:
        """The schemas of the code that are not the latest that the room knows."""
        specs = program.tables.items()
        return {name: spec.schema for name, spec in specs if self._schemas.get(name, [])[-1:] != [spec.schema]}

    def _book(self, record: Record, data: bytes) -> Ran:
        """Book what the record says, but for its rows; returns it with the numbers that outputs and effects got."""
        self.c, self.booked_us, self.last_digest = record.c, record.now_us, digest(data)
        for id, timer in record.timers:
            if timer is None:
                self.timers.pop(id, None)
            else:
                self._set_timer(id, timer)
        self.requests.update(record.requests)
        sent = [(output, self._book_output(sessions, output)) for sessions, output in record.outputs]
        effects = [(service, self._book_effect(service, body, record.branch), body) for service, body in record.effects]
        self._finish(record.cause, record.faulted)
        return Ran(record, data, sent, effects)

    def _book_output(self, sessions: list[str], output: Output) -> list[tuple[str, int, int]]:
        numbered = []
        for session in sessions:
            seat = self.seats[session]
            numbered.append((session, seat.j, seat.put(output)))
            if seat.closed:
                self.open.pop(session, None)
        return numbered

    def _book_effect(self, service: str, body: bytes, branch: int) -> int:
        effects = self.effects.setdefault(service, Effects())
        number = max(effects.next_number, branch * BRANCH_NUMBERS + 1)  # above all that a lost history may have sent
        effects.next_number = number + 1
        effects.pending.append((number, body))
        return number

    def _finish(self, cause: Cause, faulted: str) -> None:
        match cause:
            case Started():
                self.started = self.started or not faulted
            case Event(session=session, body=Leave()):
                self.seats[session].leave()
                self.open.pop(session, None)
            case Gone(session=session, reason=""):
                self.seats.pop(session, None)
                self.open.pop(session, None)
            case Closed():
                self._forget()

    def _forget(self) -> None:
        self.started = False
        self.timers.clear()
        self._due.clear()
        self.requests.clear()
        for cells in self.cells.values():
            for key in cells.image():
                cells.redo(key, None)

    def _set_timer(self, id: str, timer: Timer) -> None:
        self.timers[id] = timer
        if self.handler.handles(timer.handler):
            heapq.heappush(self._due, (timer.due_us, id))
        if len(self._due) > 2 * len(self.timers) + STALE_TIMERS_MAX:
            self._queue_timers()

    def _queue_timers(self) -> None:
        """Queue the timers whose handler is there. The others wait for code that has it."""
        handles = self.handler.handles
        self._due = [(timer.due_us, id) for id, timer in self.timers.items() if handles(timer.handler)]
        heapq.heapify(self._due)

    # -- what the driver asks ----------------------------------------------------------------------

    @property
    def next_due(self) -> tuple[int, str] | None:
        """(when in µs, id) of the timer that is due next."""
        due = self._due
        while due and (due[0][1] not in self.timers or self.timers[due[0][1]].due_us != due[0][0]):
            heapq.heappop(due)
        return due[0] if due else None

    @property
    def orphans(self) -> dict[str, Timer]:
        """The timers whose handler the code does not have, by id."""
        return {id: timer for id, timer in self.timers.items() if not self.handler.handles(timer.handler)}

    def forget_seat(self, session: str) -> None:
        """Drop a closed seat. Not recorded: after a recovery the gateway says again that it is gone."""
        assert self.seats[session].closed, "an open seat ends with a callback"
        del self.seats[session]

    def acknowledge_effect(self, service: str, number: int) -> None:
        """The service has applied its effects up to `number`."""
        if effects := self.effects.get(service):  # a room that was discarded since knows nothing of them
            effects.pending = [(n, body) for n, body in effects.pending if n > number]

    def state_hash(self) -> str:
        """Hash of tables, timers, clock and seed (not: outboxes), as 32 hex digits."""
        rows = sum(cells.hash() for cells in self.cells.values())
        rest = _encode((self.booked_us, self.seed, self.started, sorted(self.timers.items())))
        return hashlib.blake2b(rows.to_bytes(24, "big") + rest, digest_size=16).hexdigest()

    def acknowledged(self) -> Acknowledged:
        """What acknowledgements, which no record holds, have taken from the value."""
        unsettled = self._unsettled()
        return Acknowledged(
            {session: (seat.j, seat.outbox[0][0] if seat.outbox else seat.next_m) for session, seat in unsettled},
            {name: e.pending[0][0] if e.pending else e.next_number for name, e in self.effects.items()},
        )

    def forget(self, acknowledged: Acknowledged) -> None:
        """Take the same from a copy that was brought to the same callback by records."""
        for session, seat in self._unsettled():
            j, oldest = acknowledged.seats.get(session, (0, seat.next_m))
            if j != seat.j and seat.closed:
                self.forget_seat(session)
            elif seat.outbox:
                seat.acknowledge(oldest - 1)
        for service, oldest in acknowledged.effects.items():
            self.acknowledge_effect(service, oldest - 1)

    def _unsettled(self) -> list[tuple[str, Seat]]:
        """Seats that are closed or have an outbox: few of ten thousand, who are all looked at in a pause."""
        seats = self.seats.items()
        return [(session, seat) for session, seat in seats if seat.outbox or seat.stage is not Stage.OPEN]

    def value_hash(self) -> str:
        """Hash of the value and its place in history, as 32 hex digits.

        Seats are in it by the sums of their numbers: the hash is taken in a pause, with ten thousand of them, and
        all that they are follows from the records, whose chain is in it.
        """
        seats = self.seats.values()
        rest = (
            self.c, self.branch, self.state_hash(), self.last_digest,
            len(seats), sum(s.applied for s in seats), sum(s.next_m for s in seats), sum(len(s.outbox) for s in seats),
            sorted(self.requests.items()),
            sorted((name, e.next_number, e.pending) for name, e in self.effects.items()),
            sorted(self.mail_seen.items()),
        )  # fmt: skip
        return hashlib.blake2b(_encode(rest), digest_size=16).hexdigest()

    def capture(self) -> Body:
        """The room's value, at a quiescent point. The caller owns it."""
        schemas = {name: list(known) for name, known in self._schemas.items()}
        meta = Meta(
            self.booked_us, self.seed, self.started,
            {id: _encode(timer) for id, timer in self.timers.items()},
            {id: _encode(request) for id, request in self.requests.items()},
            {name: (e.next_number, list(e.pending)) for name, e in self.effects.items()},
            dict(self.mail_seen),
            {session: seat.state() for session, seat in self.seats.items()},
            schemas,
            self.last_digest,
        )  # fmt: skip
        return Body(meta, {name: cells.image() for name, cells in self.cells.items()})
