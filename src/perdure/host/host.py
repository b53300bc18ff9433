"""All rooms of one host process, and what drives them: events, time, mail, answers.

The path of a callback: the executing slot is written; the room runs it; its record is appended to the
journal; then, and only then, outputs, acknowledgement, effects and questions leave (H2), and the slot is
cleared. Under `power` the release waits for a sync that runs beside the loop, in order.

When the disk is full the record that could not be appended waits, and nothing else runs: the tails of the
gateways wait too, so nothing is lost, and everything goes on when there is space again.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from perdure.config import Config
from perdure.errors import ClaimLost, ContractError, SchemaError, StorageError
from perdure.host.asks import Asks
from perdure.host.bases import BaseKey, Bases
from perdure.host.recovery import Damaged, DeadHosts, recover
from perdure.host.running import HostedProgram, Identity, Running
from perdure.link.host import HostEnd
from perdure.link.messages import EventSent, Message, OutAck, SeatGone
from perdure.ports import Aside, AsideList, Clock, FaultPoint, Journal, Owner, Owners
from perdure.room.machine import Effects, Guard, Ran, Room
from perdure.room.record import Answered, Cause, Closed, Event, Go, Gone, Join, Mailed, Started, TimerFired, Wake
from perdure.slot import Slot

SLOT_S = 0.005
"""Due rooms are run in slots of this length: one timer of the loop for all that is due in it."""
OUTBOX_BYTES_FULL = 64 * 1024
"""A seat with more unread text than this has its events held (H3)."""
OUTBOX_BYTES_MAX = 256 * 1024
"""A seat with more unread text than this is ended."""
RETRY_S = 1.0
"""How often a full disk is tried again, and how often rooms are looked through for bases that are due."""
FIRST_BASE_S = 1.0
"""A recovered room gets a base this soon, so that the next recovery is short."""
TOO_SLOW = "You were disconnected: your connection takes text too slowly for what happens here."
SKIPPED = "Your last input was skipped by an operator, because it stopped the server."


class Stores:
    """What a host keeps things in. Owned by the process."""

    def __init__(self, journal: Journal, owners: Owners, asides: AsideList, bases: Bases, dead: DeadHosts) -> None:
        self.journal, self.owners, self.asides, self.bases, self.dead = journal, owners, asides, bases, dead


class Host:
    """The rooms of one host.

    Args:
        incarnation: This process's id in owner rows.
        boot_id: The machine's boot; another one after a dead host's means that power was lost.
        programs: Game id -> its code.
        send: Called with (link, message).
        notify: Called with events for the event log.
        entropy: Called with a number of bytes, for the seeds of new rooms.
        stop: Called with a reason when the host cannot go on (an error of the journal).
    """

    def __init__(
        self,
        config: Config,
        programs: Mapping[str, HostedProgram],
        stores: Stores,
        *,
        incarnation: str,
        boot_id: str,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        entropy: Callable[[int], bytes],
        guard: Guard,
        slot: Slot,
        fault: FaultPoint,
        send: Callable[[object, Message], None],
        notify: Callable[[dict[str, Any]], None],
        stop: Callable[[str], None],
    ) -> None:
        self.config, self.programs = config, programs
        self.incarnation, self.boot_id = incarnation, boot_id
        self.rooms: dict[str, Running] = {}
        self._stores = stores
        self._loop, self._clock, self._entropy = loop, clock, entropy
        self._guard, self._slot, self._fault = guard, slot, fault
        self._send, self._notify, self._stop = send, notify, stop
        self._log = structlog.get_logger()
        self._asks = Asks(loop, self._answered)
        self._packer = ThreadPoolExecutor(1, thread_name_prefix="perdure-base")
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="perdure-sync")
        self._gateways: dict[str, tuple[int, object]] = {}
        self._mail: deque[tuple[str, str, int, bytes]] = deque()
        self._unsynced: list[tuple[Running, Ran]] = []
        self._syncing = False
        self._stalled: deque[tuple[Running, Ran]] = deque()
        self._agenda: list[tuple[float, int, str, Running]] = []
        self._agenda_number = 0
        self._agenda_timer: tuple[float, asyncio.TimerHandle] | None = None
        self._proved = False

    # -- taking rooms ------------------------------------------------------------------------------

    def take_rooms(self) -> dict[str, Any]:
        """Recover and claim every configured room that is not aside. Returns what the report says of it."""
        asides = self._stores.asides.all()
        records = 0
        for id in self.config.rooms:
            if id not in asides:
                records += self._recover(id)
        return {"rooms": len(self.rooms), "aside": sorted(self._stores.asides.all()), "records": records}

    def start_rooms(self) -> None:
        """Let all rooms that were taken run: call once, when the loop runs."""
        for running in list(self.rooms.values()):
            self._start(running)
        self._loop.call_later(RETRY_S, self._look_after_bases)

    def _recover(self, id: str, *, accept_damage: bool = False) -> int:
        """Take one room; a room that cannot be taken is put aside. Returns how many records were booked."""
        program, owners = self.programs[self.config.rooms[id]], self._stores.owners
        history = owners.history(id)
        try:
            found = recover(
                id, program, history, self._stores.bases, self._stores.dead,
                frozenset(self.config.rooms), self._guard, accept_damage=accept_damage,
            )  # fmt: skip
        except (Damaged, SchemaError) as error:
            self._put_aside(id, str(error))
            return 0
        self._fault("host:recover-read")
        owner = history[-1] if history else None
        if found is None:
            self._claim(self._new_room(id, program, c=0, branch=owner.branch if owner else 0), owner)
            return 0
        for refused in found.refused:
            self._notify({"kind": "base-refused", "room": id, "reason": refused})
        durability = self._game(id).durability
        assert owner is not None
        lossy = accept_damage or self._stores.dead.lost_history(id, owner, durability, self.boot_id)
        found.room.branch = owner.branch + lossy
        running = self._claim(found.room, owner)
        running.records = found.records
        running.based_s = time.monotonic() + FIRST_BASE_S - running.game.base_every_s
        return found.records

    def _new_room(self, id: str, program: HostedProgram, *, c: int, branch: int) -> Room:
        room = Room.new(
            id, program, seed=self._entropy(16), clock_us=self._clock.now_us(), branch=branch,
            rooms=frozenset(self.config.rooms), guard=self._guard,
        )  # fmt: skip
        room.c = c
        return room

    def _claim(self, room: Room, owner: Owner | None) -> Running:
        """Become the room's owner. A room's first ownership begins with a base, so that its records have a ground."""
        fresh = not room.last_digest
        row = self._stores.owners.claim(room.id, owner, self.incarnation, room.c, room.branch)
        self._fault("host:recover-claimed")
        room.epoch, room.branch = row.epoch, row.branch
        program = self.programs[self.config.rooms[room.id]]
        running = Running(room, HostEnd(room, self._send), program, self._game(room.id))
        if fresh:
            self._stores.bases.store(self._stores.bases.capture(room))
        self.rooms[room.id] = running
        return running

    def _start(self, running: Running) -> None:
        """The room is ours: announce it, and take up what was in flight."""
        room = running.room
        for gateway, (epoch, link) in self._gateways.items():
            for cause in running.end.gateway_up(gateway, epoch, link):
                self._offer(running, cause)
        if not room.started and running.program.lifecycle.kind != "ephemeral":
            self._offer(running, Started())
        for id, request in list(room.requests.items()):
            if request.idempotent:
                self._asks.ask(room.id, id, request, running.program.resolve)
            else:
                self._asks.interrupted(room.id, id)
        self._carry_again()
        self._plan(running)

    def _put_aside(self, id: str, reason: str, identity: Identity | None = None) -> None:
        running = self.rooms.pop(id, None)
        at = identity or Identity(running.room.c if running else 0, "", 0, -1)
        self._stores.asides.put(Aside(id, reason, at.c, at.session, at.j, at.n, self._clock.now_us()))
        self._notify({"kind": "aside", "room": id, "reason": reason})

    # -- callbacks ---------------------------------------------------------------------------------

    def _may_run(self, running: Running) -> bool:
        return not (running.paused or self._stalled)

    def _offer(self, running: Running, cause: Cause) -> None:
        """Run `cause`, now or when the room runs on, if it is still due then."""
        self._when_open(running, lambda: self._run(running, cause) if running.end.still_due(cause) else None)

    def _when_open(self, running: Running, action: Callable[[], None]) -> None:
        if running.held or not self._may_run(running):
            running.held.append(action)
        else:
            action()

    def _pump(self, running: Running) -> None:
        """Do what was held, as long as the room may run."""
        while running.held and self._may_run(running):
            running.held.popleft()()

    def _run(self, running: Running, cause: Cause) -> None:
        """One callback, from the slot to the journal."""
        room = running.room
        identity = Identity.of(cause, room.c + 1)
        budget_ms = int(running.program.lifecycle.budget_s * 1000)
        self._slot.begin(room.id, *identity, budget_ms)
        self._fault("host:before-callback")
        began = time.perf_counter()
        if running.skip is not None and running.skip.same_input(identity):
            running.skip = None
            ran = room.skip(cause, self._clock.now_us(), SKIPPED)
        else:
            ran = room.run(cause, self._clock.now_us())
        running.ticks_ms.append((time.perf_counter() - began) * 1e3)
        self._fault("host:after-callback")
        if ran.record is None:
            self._slot.clear()
            return
        running.end.ran(ran)
        self._append(running, ran)

    def _append(self, running: Running, ran: Ran) -> None:
        """Make the record durable, as durable as its game asks."""
        assert ran.record is not None
        durability = running.game.durability
        if durability in ("process", "power"):
            try:
                self._stores.journal.append(running.room.id, ran.record.c, ran.data)
            except StorageError as error:
                self._append_failed(running, ran, error)
                return
        if durability == "power":
            self._unsynced.append((running, ran))
            self._sync()
        else:
            self._durable(running, ran)

    def _durable(self, running: Running, ran: Ran) -> None:
        """Release what the record holds (H2)."""
        record, room = ran.record, running.room
        assert record is not None
        self._fault("host:after-append")
        self._fault_of(ran)
        running.end.durable()
        self._slot.clear()
        for service, number, body in ran.effects:
            self._post(room.id, service, number, body)
        for id, request in record.requests:
            self._asks.ask(room.id, id, request, running.program.resolve)
        if isinstance(record.cause, Mailed):
            self._mail_applied(record.cause.source, room.id, record.cause.number)
        if ran.error is not None:
            self._report(running, record.cause, ran.error)
        running.records += 1
        self._fault("host:after-release")
        if not self._proved:
            self._proved = True
            self._notify({"kind": "durable"})
        self._end_slow_readers(running, ran)
        self._plan(running)
        if isinstance(record.cause, Started) and ran.error is not None:
            self._put_aside(room.id, f"its start callback faulted: {record.faulted}", Identity(record.c, "", 0, -1))

    def _fault_of(self, ran: Ran) -> None:
        """The fault points of particular records."""
        assert ran.record is not None
        match ran.record.cause:
            case Event(body=Join()):
                self._fault("host:join-durable")
            case Mailed():
                self._fault("host:mail-durable")
        if any(isinstance(output, Go) for output, _ in ran.sent):
            self._fault("host:go-durable")

    def _report(self, running: Running, cause: Cause, error: BaseException) -> None:
        running.faults += 1
        room, what = running.room.id, f"{type(error).__name__}: {error}"
        self._log.error("fault", room=room, cause=repr(cause), error=what, traceback=running.program.traceback(error))
        self._notify({"kind": "fault", "room": room, "callback": running.room.c, "error": what})

    def _end_slow_readers(self, running: Running, ran: Ran) -> None:
        seats = running.room.open
        for _, numbered in ran.sent:
            for session, j, _ in numbered:
                seat = seats.get(session)
                if seat is not None and seat.outbox_bytes > OUTBOX_BYTES_MAX:
                    self._offer(running, Gone(session, j, TOO_SLOW))

    # -- the journal's bad days ----------------------------------------------------------------------

    def _append_failed(self, running: Running, ran: Ran, error: StorageError) -> None:
        if not error.retry:
            self._stop(f"the journal failed: {error}")
            return
        self._stalled.append((running, ran))
        self._log.error("journal-full", error=str(error))
        self._notify({"kind": "journal-full", "reason": f"{error} Players wait, and lose nothing."})
        self._loop.call_later(RETRY_S, self._retry)

    def _retry(self) -> None:
        """Try the record that did not fit again; if it fits, everything runs on."""
        running, ran = self._stalled[0]
        assert ran.record is not None
        try:
            self._stores.journal.append(running.room.id, ran.record.c, ran.data)
        except StorageError as error:
            if error.retry:
                self._loop.call_later(RETRY_S, self._retry)
            else:
                self._stop(f"the journal failed: {error}")
            return
        self._stalled.popleft()
        self._notify({"kind": "journal-goes-on"})
        if running.game.durability == "power":
            self._unsynced.append((running, ran))
            self._sync()
        else:
            self._durable(running, ran)
        for waiting in list(self.rooms.values()):
            self._pump(waiting)

    def _sync(self) -> None:
        """Group commit without a timer: while one sync runs, the next group gathers."""
        if self._syncing or not self._unsynced:
            return
        group, self._unsynced = self._unsynced, []
        self._syncing = True
        done = self._loop.run_in_executor(self._syncer, self._stores.journal.sync)
        done.add_done_callback(lambda future: self._synced(group, future))

    def _synced(self, group: list[tuple[Running, Ran]], future: asyncio.Future[None]) -> None:
        self._syncing = False
        if error := future.exception():
            self._stop(f"the journal failed: {error}")
            return
        for running, ran in group:
            self._durable(running, ran)
        self._sync()

    # -- the link ------------------------------------------------------------------------------------

    def gateway_up(self, gateway: str, epoch: int, link: object) -> None:
        """A gateway said hello on this link."""
        self._gateways[gateway] = (epoch, link)
        for running in list(self.rooms.values()):
            for cause in running.end.gateway_up(gateway, epoch, link):
                self._offer(running, cause)

    def gateway_lost(self, link: object) -> None:
        """The link is gone; the gateway may come back, or a new one with a higher epoch."""
        self._gateways = {name: known for name, known in self._gateways.items() if known[1] != link}
        for running in self.rooms.values():
            running.end.gateway_lost(link)

    def gateway_dead(self, gateway: str) -> None:
        """The gateway did not come back in time: its sessions are gone."""
        for running in list(self.rooms.values()):
            for cause in running.end.gateway_dead(gateway):
                self._offer(running, cause)

    def receive(self, link: object, message: EventSent | OutAck | SeatGone) -> None:
        """A gateway's message to one room. A room that does not run here acknowledges nothing."""
        running = self.rooms.get(message.room)
        if running is None:
            return
        match message:
            case EventSent():
                self._when_open(running, lambda: self._event(running, link, message))
            case OutAck():
                running.end.outack(message)
                self._read_again(running, message.session)
            case SeatGone():
                running.waiting.pop(message.session, None)
                for cause in running.end.gone(message):
                    self._offer(running, cause)

    def _event(self, running: Running, link: object, sent: EventSent) -> None:
        seat = running.room.open.get(sent.session)
        if seat is not None and seat.outbox_bytes > OUTBOX_BYTES_FULL:
            running.waiting.setdefault(sent.session, deque()).append((link, sent))
            return
        if sent.n == 0 and not running.room.started:
            self._run(running, Started())
        for cause in running.end.event(link, sent):
            if not self._may_run(running):
                running.held.appendleft(lambda: self._event(running, link, sent))
                return
            self._run(running, cause)

    def _read_again(self, running: Running, session: str) -> None:
        """H3: the seat's outbox may have room again for the events that it held."""
        waiting = running.waiting.pop(session, None)
        while waiting:
            seat = running.room.open.get(session)
            full = seat is not None and seat.outbox_bytes > OUTBOX_BYTES_FULL
            if full or not self._may_run(running):
                running.waiting[session] = waiting
                if not full:  # before all that is held: later events of this session are among it
                    running.held.appendleft(lambda: self._read_again(running, session))
                return
            self._event(running, *waiting.popleft())

    # -- mail and answers ----------------------------------------------------------------------------

    def _post(self, source: str, service: str, number: int, body: bytes) -> None:
        """Hand an effect to its service. The only services are rooms, as ``room:ID``."""
        target = service.removeprefix("room:")
        self._mail.append((source, target, number, body))
        if len(self._mail) == 1:
            self._loop.call_soon(self._carry)

    def _carry(self) -> None:
        while self._mail:
            source, target, number, body = self._mail[0]
            running = self.rooms.get(target)
            if running is not None:
                self._when_open(running, self._delivery(running, source, number, body))
            self._mail.popleft()

    def _delivery(self, running: Running, source: str, number: int, body: bytes) -> Callable[[], None]:
        def deliver() -> None:
            seen = running.room.mail_seen.get(source, 0)
            if number == seen + 1:
                self._run(running, Mailed(source, number, body))
            elif number <= seen and running.end.quiescent:  # else its record is pending, and acknowledges it later
                self._mail_applied(source, running.room.id, number)

        return deliver

    def _carry_again(self) -> None:
        """Everything unacknowledged is carried again; what was applied is only acknowledged (H6)."""
        for id, running in self.rooms.items():
            for service, effects in running.room.effects.items():
                self._carry_pending(id, service, effects)

    def _carry_pending(self, id: str, service: str, effects: Effects) -> None:
        for number, body in effects.pending:
            self._post(id, service, number, body)

    def _mail_applied(self, source: str, target: str, number: int) -> None:
        running = self.rooms.get(source)
        if running is not None:
            running.room.acknowledge_effect(f"room:{target}", number)

    def _answered(self, room: str, answer: Answered) -> None:
        running = self.rooms.get(room)
        if running is not None:
            self._when_open(running, lambda: self._answer(running, answer))

    def _answer(self, running: Running, answer: Answered) -> None:
        if answer.id in running.room.requests:
            self._run(running, answer)

    # -- time ----------------------------------------------------------------------------------------

    def _plan(self, running: Running) -> None:
        """Put on the agenda what the room waits for."""
        now_s, room = time.monotonic(), running.room
        due = room.next_due
        if due is not None:
            due_s = now_s + max(0.0, (due[0] - self._clock.now_us()) / 1e6)
            if not running.timer_s or due_s < running.timer_s - SLOT_S:
                running.timer_s = due_s
                self._at(due_s, "timer", running)
        lifecycle = running.program.lifecycle
        if lifecycle.wake_hz and not running.wake_s and room.started:
            running.wake_s = now_s + 1 / lifecycle.wake_hz
            self._at(running.wake_s, "wake", running)
        empty = room.started and not room.open and lifecycle.kind == "ephemeral"
        if not empty:
            running.grace_s = 0.0
        elif not running.grace_s:
            running.grace_s = now_s + lifecycle.grace_s
            self._at(running.grace_s, "grace", running)

    def _at(self, when_s: float, kind: str, running: Running) -> None:
        self._agenda_number += 1
        heapq.heappush(self._agenda, (when_s, self._agenda_number, kind, running))
        self._set_agenda_timer()

    def _set_agenda_timer(self) -> None:
        if not self._agenda:
            return
        when_s = self._agenda[0][0]
        if self._agenda_timer is not None:
            if self._agenda_timer[0] <= when_s:
                return
            self._agenda_timer[1].cancel()
        delay_s = max(0.0, -(-(when_s - time.monotonic()) // SLOT_S) * SLOT_S)
        self._agenda_timer = (when_s, self._loop.call_later(delay_s, self._run_agenda))

    def _run_agenda(self) -> None:
        """Run all that is due in this slot."""
        self._agenda_timer = None
        now_s = time.monotonic()
        while self._agenda and self._agenda[0][0] <= now_s:
            when_s, _, kind, running = heapq.heappop(self._agenda)
            if self.rooms.get(running.room.id) is running:
                match kind:
                    case "timer" if when_s == running.timer_s:
                        self._when_open(running, lambda running=running: self._timers(running))  # type: ignore[misc]
                    case "wake" if when_s == running.wake_s:
                        self._wake(running, now_s)
                    case "grace" if when_s == running.grace_s:
                        self._when_open(running, lambda running=running: self._grace(running))  # type: ignore[misc]
        self._set_agenda_timer()

    def _timers(self, running: Running) -> None:
        """Run the timers that are due, each once."""
        running.timer_s = 0.0
        now_us = self._clock.now_us()
        while (due := running.room.next_due) and due[0] <= now_us:
            if not self._may_run(running):
                running.held.appendleft(lambda: self._timers(running))
                return
            self._run(running, TimerFired(due[1]))
        self._plan(running)

    def _wake(self, running: Running, now_s: float) -> None:
        """A heartbeat. One that would be late is left out, not made up for."""
        period_s = 1 / running.program.lifecycle.wake_hz
        running.wake_s = max(running.wake_s + period_s, now_s)
        self._at(running.wake_s, "wake", running)
        if not running.held and self._may_run(running) and running.room.started:
            self._run(running, Wake())

    def _grace(self, running: Running) -> None:
        if running.room.started and not running.room.open:
            self._run(running, Closed())

    # -- bases ---------------------------------------------------------------------------------------

    def _look_after_bases(self) -> None:
        self._loop.call_later(RETRY_S, self._look_after_bases)
        now_s = time.monotonic()
        for running in self.rooms.values():
            late = now_s - running.based_s >= running.game.base_every_s
            due = running.records and (late or running.records >= running.game.base_every_records)
            if due and not running.basing and running.end.quiescent and running.game.durability != "none":
                self._begin_base(running, now_s)

    def _begin_base(self, running: Running, now_s: float) -> None:
        running.based_s, running.records, running.basing = now_s, 0, True
        captured = self._stores.bases.capture(running.room)
        self._fault("host:base-captured")
        done = self._loop.run_in_executor(self._packer, self._stores.bases.store, captured)
        done.add_done_callback(lambda future: self._based(running, future))

    def _based(self, running: Running, future: asyncio.Future[BaseKey]) -> None:
        """A base is stored, or not; then it is tried again when the next one is due."""
        running.basing = False
        if error := future.exception():
            running.records += 1
            self._log.error("base-failed", room=running.room.id, error=str(error))
            self._notify({"kind": "base-failed", "room": running.room.id, "reason": str(error)})
            return
        self._fault("host:base-stored")
        oldest = future.result()
        self._stores.journal.based(running.room.id, oldest.c)
        if oldest.c >= running.claimed_c:
            running.claimed_c = -1
            self._forget_dead()

    def _forget_dead(self) -> None:
        """Delete the journals of dead hosts that no room needs any more."""
        unbased = {id for id, running in self.rooms.items() if running.claimed_c >= 0}
        try:
            self._stores.dead.forget(unbased | self._stores.asides.all().keys())
        except StorageError as error:
            self._log.error("journal-kept", error=str(error))

    # -- operators -----------------------------------------------------------------------------------

    def running(self, id: str) -> Running:
        """The running room of that id.

        Raises:
            ContractError: It does not run; the message says why.
        """
        if id in self.rooms:
            return self.rooms[id]
        if id in self._stores.asides.all():
            raise ContractError(
                f"Room {id} is put aside. See why with `perdure rooms --aside`, then use `perdure room resume {id} "
                f"--skip-input` or `perdure room discard {id}`."
            )
        raise ContractError(f"There is no room {id}. There are: {', '.join(sorted(self.rooms))}.")

    def pause(self, id: str) -> None:
        """Hold the room: events, timers and answers wait, nothing is lost."""
        self.running(id).paused = True

    def step(self, id: str) -> bool:
        """Run one thing that the paused room holds. Returns whether there was one."""
        running = self.running(id)
        if not running.paused:
            raise ContractError(f"Room {id} is not paused. Pause it first: perdure room pause {id}")
        if not running.held or self._stalled:
            return False
        running.held.popleft()()
        return True

    def go_on(self, id: str) -> None:
        """Let a paused room run on."""
        running = self.running(id)
        running.paused = False
        self._pump(running)
        self._plan(running)

    def resume(self, id: str, *, skip_input: bool) -> Running:
        """Take a room back that was put aside.

        Raises:
            ContractError: It is not aside, or the same input would stop the server again.
        """
        aside = self._stores.asides.all().get(id)
        if aside is None:
            raise ContractError(f"Room {id} is not put aside.")
        by_input = aside.n >= 0
        if by_input and not skip_input:
            raise ContractError(
                f"Room {id} was put aside because an input stopped the server twice: {aside.reason}. "
                f"Resume with --skip-input, or mend the game first and resume with --skip-input anyway."
            )
        self._stores.asides.remove(id)
        self._recover(id, accept_damage=not by_input and not skip_input)
        if id not in self.rooms:
            raise ContractError(f"Room {id} is still aside: {self._stores.asides.all()[id].reason}")
        running = self.rooms[id]
        if skip_input:
            running.skip = Identity(aside.c, aside.session, aside.j, aside.n)
        self._start(running)
        self._notify({"kind": "resumed", "room": id, "skipped": skip_input})
        return running

    def discard(self, id: str) -> Running:
        """Give up the room's state: it begins anew, on a new branch of its history."""
        if id not in self.config.rooms:
            raise ContractError(f"There is no room {id}. There are: {', '.join(sorted(self.config.rooms))}.")
        self._stores.asides.remove(id)
        old = self.rooms.pop(id, None)
        owner = self._stores.owners.read(id)
        c = old.room.c if old else (owner.from_c if owner else 0)
        program = self.programs[self.config.rooms[id]]
        room = self._new_room(id, program, c=c, branch=(owner.branch if owner else 0) + 1)
        running = self._claim(room, owner)
        self._start(running)
        self._notify({"kind": "discarded", "room": id})
        return running

    async def close(self) -> None:
        """Store a base of every room that changed, and close the journal as after a clean stop."""
        self._fault("host:stop")
        self._asks.close()
        for running in self.rooms.values():
            running.paused = True
        while self._syncing or self._unsynced:
            await asyncio.sleep(0.001)
        for running in self.rooms.values():
            if running.records and running.end.quiescent and running.game.durability != "none":
                captured = self._stores.bases.capture(running.room)
                await self._loop.run_in_executor(self._packer, self._stores.bases.store, captured)
        self._stores.journal.close(clean=not self._stalled)

    def _game(self, id: str) -> Any:
        return self.config.games[self.config.rooms[id]]


__all__ = ["ClaimLost", "Host", "Stores"]
