"""All rooms of one host process, and what happens to them: events, time, mail, answers, operators.

The path of a callback: the executing slot is written; the room runs it; the ledger makes its record
durable; then, and only then, outputs, acknowledgement, effects and questions leave (H2), and the slot is
cleared. What cannot run now (the room is paused, the disk is full) is held in order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from perdure.config import Config
from perdure.errors import ContractError, SchemaError, StorageError, Unavailable, one_line
from perdure.host.agenda import Agenda
from perdure.host.asks import Asks
from perdure.host.checkpoints import Checkpoints
from perdure.host.gateways import Gateways
from perdure.host.ledger import Ledger
from perdure.host.mail import Letter, Mail
from perdure.host.recovery import Damaged, Read
from perdure.host.running import Identity, Next, Programs, Running
from perdure.host.swapping import Swapping
from perdure.host.taking import Ready, Stores, Taker
from perdure.link.messages import Message
from perdure.ports import Aside, Clock, FaultPoint, Owner
from perdure.room.callback import Fault
from perdure.room.machine import Guard, Ran
from perdure.room.record import Answered, Cause, Closed, Event, Go, Input, Join, Mailed, Started, TimerFired, Wake
from perdure.slot import Slot

PUMPED = 32
"""Held causes that a room runs in one turn of the loop."""
LINGER_S = 5.0
"""Longest that a host whose rooms have left waits for answers to what they asked."""
SKIPPED_CHARS_MAX = 200
"""Of a line that was skipped, its player reads so much."""


def skipped_text(cause: Cause) -> str:
    """What the player reads whose event was skipped: which one, for there may be others after it. Theirs alone."""
    what = "Something of yours"
    match cause:
        case Event(body=Input(line=line)):
            cut = line if len(line) <= SKIPPED_CHARS_MAX else f"{line[: SKIPPED_CHARS_MAX - 1]}…"
            what = f'Your line "{cut}"'
        case Event(body=Join()):
            what = "Your arrival"
    return f"{what} was skipped by an operator, because it stopped the server."


class Host:
    """The rooms of one host.

    Args:
        incarnation: This process's id in owner rows.
        boot_id, entropy: See `Taker`.
        programs: The games' code.
        send: Called with (link, message).
        notify: Called with events for the event log.
        stop: Called with a reason when the host cannot go on (an error of the journal).

    Attributes:
        ran_s: When the last callback began, on `time.perf_counter`.
        services: What games may ask of the host itself: name -> async function of the room and the arguments.
        copies: Rooms of another host that are about to move here. They do not run.
        gateways: What those say who hold the players.
        swapping: Brings other code into the rooms.
        mail: Carries letters between rooms.
        agenda: When which room is due.
        unstored: Rooms that are aside and whose last state is here and not on the disk.
        checkpoints: Stores their bases.
        forward: Called with answers for rooms that have left.
    """

    def __init__(
        self,
        config: Config,
        programs: Programs,
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
        self.rooms: dict[str, Running] = {}
        self.copies: dict[str, Running] = {}
        self.stores, self._clock = stores, clock
        self._slot, self._fault, self.notify, self._loop = slot, fault, notify, loop
        self._log = structlog.get_logger()
        self.unstored: dict[str, Running] = {}
        self._proved = False
        self.ran_s = 0.0
        self.taker = Taker(
            config, programs, stores, incarnation=incarnation, boot_id=boot_id, clock=clock, entropy=entropy,
            guard=guard, fault=fault, send=send, notify=notify,
        )  # fmt: skip
        self._ledger = Ledger(
            stores.journal, loop, durable=self._durable, went_on=self._pump_all, notify=notify, failed=stop
        )
        self.checkpoints = Checkpoints(
            loop, self.rooms, stores.bases, stores.journal, stores.dead, stores.owners,
            copying=lambda: bool(self.copies), fault=fault, notify=notify,
        )  # fmt: skip
        self.agenda = Agenda(loop, clock, timers=self._timers_due, wake=self._wake_due, grace=self._grace_due)
        self.gateways = Gateways(
            self.rooms, may_run=self._may_run, when_open=self._when_open, run=self._run, offer=self._offer
        )
        self.swapping = Swapping(
            loop, clock, config.rooms, programs, self._ledger, self.agenda,
            may_run=self._may_run, offer=self._offer, answered=self._answer_in_turn, notify=notify,
        )  # fmt: skip
        self.mail = Mail(loop, self.rooms, self._deliver)
        self.services: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._asks = Asks(loop, self.answered, self.services, programs.prune)
        self.forward: Callable[[str, Answered], object] = lambda _room, _answer: None

    # -- taking rooms ------------------------------------------------------------------------------

    def take_rooms(self) -> dict[str, Any]:
        """Recover and claim every configured room that is neither aside nor a living host's.

        Returns:
            What the report says of it.
        """
        asides = self.stores.asides.all()
        taken = self.taker.take_all([id for id in self.config.rooms if id not in asides], self.look)
        self.rooms.update({each.running.room.id: each.running for each in taken})
        self.programs.prune()
        return {
            "rooms": len(taken),
            "new": sum(each.new for each in taken),
            "aside": sorted(self.stores.asides.all()),
            "records": sum(each.records for each in taken),
            "rolled_back": sum(each.rolled_back for each in taken),
        }

    def take_dead(self, read: Read) -> dict[str, Any]:
        """Book what was read, then take as `take_rooms`, beside the rooms that run here, and let them run."""
        self.stores.dead.book(read)
        before = set(self.rooms)
        report = self.take_rooms()
        for id in self.rooms.keys() - before:
            self.begin(self.rooms[id])
            self.swapping.catch_up(self.rooms[id])
        self.mail.post_again()
        self.checkpoints.forget_dead()
        return report

    def start_rooms(self) -> None:
        """Let all rooms that were taken run: call once, when the loop runs."""
        for running in list(self.rooms.values()):
            self.begin(running)
        self.mail.post_again()
        self.checkpoints.start()

    async def close(self) -> None:
        """Store a base of every room that changed, and close the journal as after a clean stop."""
        self._fault("host:stop")
        self._asks.close()
        for running in self.rooms.values():
            running.paused = True
        await self._ledger.settled()
        self._ledger.close(based=await self.checkpoints.close())

    def look(self, id: str, *, accept_damage: bool = False) -> Ready | None:
        """A room that can be claimed; one that cannot be recovered is put aside. Raises Unavailable as `Taker.look`."""
        try:
            return self.taker.look(id, accept_damage=accept_damage)
        except Unavailable:
            raise
        except (Damaged, SchemaError) as error:
            self.put_aside(Aside(id, str(error)))
        except Exception as error:  # noqa: BLE001  (the edge to game code: binding a game makes its modules)
            self._log.error("not-recovered", room=id, error=one_line(error), exc_info=error)
            self.put_aside(Aside(id, f"It could not be recovered: {one_line(error)}"))
        return None

    def begin(self, running: Running) -> None:
        """The room is ours: announce it, and take up what was in flight."""
        room = running.room
        self.gateways.announce(running)
        if running.lost_code:  # its history must say what it runs from here on
            self.swapping.swap(running, Next(running.program, drop_orphans=False, may_lose=False))
        if room.handler.wants_start() if room.started else running.program.lifecycle.kind != "ephemeral":
            self._offer(running, Started())
        for id, request in list(room.requests.items()):
            if request.idempotent:
                self._asks.ask(room.id, id, request, running.program)
            elif not running.asked_at and not self._asks.works_on(room.id, id):
                self._asks.interrupted(room.id, id)
        self.agenda.plan(running)

    def put_aside(self, aside: Aside) -> None:
        """Until an operator decides. A room that ran leaves a base, for its records are in this host's own journal."""
        running = self.rooms.get(aside.room)
        if running is not None:
            try:
                self.checkpoints.store_now(running)
                running.let_go()
            except StorageError:  # its last base and this journal hold it; here it goes on when it can be stored
                self.unstored[aside.room] = running
            del self.rooms[aside.room]
            running.due_s.clear()
        since_us = self._clock.now_us()
        try:
            self.stores.asides.put(Aside(aside.room, aside.reason, aside.c, aside.session, aside.j, aside.n, since_us))
        except StorageError as error:  # it stays out of the way of the others, and is tried again by the next host
            self._log.error("aside-failed", room=aside.room, error=str(error))
        self.notify({"kind": "aside", "room": aside.room, "reason": aside.reason})

    # -- callbacks ---------------------------------------------------------------------------------

    def _may_run(self, running: Running) -> bool:
        ours = self.rooms.get(running.room.id) is running
        return ours and not (running.paused or running.stopped or self.stalled)

    def _when_open(self, running: Running, action: Callable[[], None]) -> None:
        """Do `action` now, or when the room may run and what is held before it was done."""
        if running.held or not self._may_run(running):
            running.held.append(action)
        else:
            action()

    def _offer(self, running: Running, cause: Cause) -> None:
        """Run `cause`, now or when the room runs on, if it is still due then."""
        self._when_open(running, lambda: self._run(running, cause) if running.end.still_due(cause) else None)

    def pump(self, running: Running) -> None:
        """Do what was held for the room, in slices: what the first cause leaves before the last one runs."""
        for _ in range(PUMPED):
            if not (running.held and self._may_run(running)):
                self.swapping.swap_waiting(running, match_over=False)
                return
            running.held.popleft()()
        self._loop.call_soon(self.pump, running)

    def _pump_all(self) -> None:
        for running in list(self.rooms.values()):
            self.pump(running)

    def _run(self, running: Running, cause: Cause) -> None:
        """One callback, from the slot to the ledger."""
        room = running.room
        identity = Identity.of(cause, room.c + 1)
        self._slot.begin(room.id, *identity, int(running.program.lifecycle.budget_s * 1000))
        self._fault("host:before-callback")
        began_s = self.ran_s = time.perf_counter()
        if running.skip is not None and running.skip.same_input(identity):
            running.skip = None
            ran = room.skip(cause, self._clock.now_us(), skipped_text(cause))
        else:
            ran = room.run(cause, self._clock.now_us())
        running.ticks_ms.append((time.perf_counter() - began_s) * 1e3)
        self._fault("host:after-callback")
        if ran.record is not None:
            running.end.ran(ran)
            self._ledger.write(running, ran)
        self._slot.clear()
        for fault in ran.faults:
            self._faulted(running, cause, fault, undone=False)

    def _durable(self, running: Running, ran: Ran) -> None:
        """Release what the record holds (H2)."""
        record, room = ran.record, running.room
        assert record is not None
        self._fault("host:after-append")
        self._fault_of(ran)
        running.end.durable()
        for service, number, body in ran.effects:
            self.mail.post(room.id, service, number, body)
        for id, request in record.requests:
            self._asks.ask(room.id, id, request, running.program)
        if isinstance(record.cause, Mailed):
            self.mail.applied(record.cause.source, room.id, record.cause.number)
        running.records += 1
        self._fault("host:after-release")
        if not self._proved:
            self._proved = True
            self.notify({"kind": "durable"})
        self.gateways.end_slow_readers(running, ran)
        if ran.error is not None:
            self._faulted(running, record.cause, Fault(ran.error, ran.blamed), undone=True)
        if self.rooms.get(room.id) is running:
            self.agenda.plan(running)
            self.swapping.swap_waiting(running, match_over=ran.match_over or isinstance(record.cause, Closed))

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

    def _faulted(self, running: Running, cause: Cause, fault: Fault, *, undone: bool) -> None:
        """The traceback goes to the log; a room that cannot even start goes aside."""
        running.faults += 1
        (error, blamed), room = fault, running.room
        what, traceback = one_line(error), running.program.traceback(error)
        self._log.error("fault", room=room.id, cause=repr(cause), error=what, traceback=traceback)
        self.notify(running.fault_event(error, blamed, undone=undone))
        if blamed.disabled_after:
            self.notify({
                "kind": "disabled", "game": running.program.game, "handler": blamed.handler,
                "command": blamed.command, "faults": blamed.disabled_after,
            })  # fmt: skip
        if isinstance(cause, Started) and not room.started:
            self.put_aside(Aside(room.id, f"Its start callback faulted: {what}", room.c))

    # -- mail, answers, time ---------------------------------------------------------------------------

    def _deliver(self, running: Running, letter: Letter) -> None:
        def run() -> None:
            if mail := self.mail.arrived(running, letter):
                self._run(running, mail)

        self._when_open(running, run)

    def answered(self, room: str, answer: Answered) -> None:
        """A question of the room has its answer. A room that has left gets it where it is."""
        running = self.rooms.get(room)
        if running is not None:
            self._answer_in_turn(running, answer)
        else:
            self.forward(room, answer)

    def neighbour_lost(self, incarnation: str) -> None:
        """No answers come from there any more: what was asked there must not be asked twice."""
        for id, running in self.rooms.items():
            if running.asked_at == incarnation:
                running.asked_at = ""
                for n, request in running.room.requests.items():
                    if not request.idempotent and not self._asks.works_on(id, n):  # it may have been asked here
                        self._asks.interrupted(id, n)

    async def all_answered(self) -> None:
        """Wait until nothing that may not be asked twice is being worked on any more, at most for `LINGER_S`."""
        await self._asks.settled(LINGER_S)

    def _answer_in_turn(self, running: Running, answer: Answered) -> None:
        self._when_open(running, lambda: self._answer(running, answer))

    def _answer(self, running: Running, answer: Answered) -> None:
        request = running.room.requests.get(answer.id)
        if request is None:
            return
        if running.room.handler.handles(request.then):
            self._run(running, answer)
        else:
            running.unanswered[answer.id] = answer

    def _timers_due(self, running: Running) -> None:
        self._when_open(running, lambda: self._timers(running))

    def _timers(self, running: Running) -> None:
        """Run the timers that are due, each once."""
        now_us = self._clock.now_us()
        while (due := running.room.next_due) and due[0] <= now_us:
            if not self._may_run(running):
                running.held.appendleft(lambda: self._timers(running))
                return
            self._run(running, TimerFired(due[1]))
        self.agenda.plan(running)

    def _wake_due(self, running: Running) -> None:
        """A room that may not run now misses this beat."""
        if running.room.started and not running.held and self._may_run(running):
            self._run(running, Wake())

    def _grace_due(self, running: Running) -> None:
        self._when_open(running, lambda: self._close_empty(running))

    def _close_empty(self, running: Running) -> None:
        if running.room.started and not running.room.open:
            self._run(running, Closed())

    # -- moving (protocol, Move) -----------------------------------------------------------------------

    def stop(self, running: Running) -> None:
        """Run nothing in the room from here on; what is durable is released. It is stopped once it is quiescent."""
        running.stopped = True

    def go_on_after_move(self, running: Running, owner: Owner) -> None:
        """The room stays: it goes on under this ownership, of which the gateways are told."""
        if self.rooms.get(running.room.id) is not running:
            return  # somebody discarded it meanwhile, and what is there now is another
        running.owner, running.room.epoch, running.stopped = owner, owner.epoch, False
        self.gateways.announce(running)
        self.pump(running)
        self.agenda.plan(running)

    def release(self, running: Running) -> None:
        """The room is another host's: the copy here is dropped. Its records are kept for whoever recovers it."""
        id = running.room.id
        if self.rooms.get(id) is running:
            del self.rooms[id]
        running.due_s.clear()
        running.held.clear()
        running.let_go()
        self.mail.moved(id)

    def arrived(self, running: Running) -> None:
        """A copy is ours now: it runs from the callback after its last."""
        self.copies.pop(running.room.id, None)
        self.rooms[running.room.id] = running
        self.begin(running)
        self.mail.moved(running.room.id)
        self.mail.post_again()

    def copy(self, id: str, game: str, generation: str) -> Running:
        """A copy of another host's room, as `Taker.copy`."""
        return self.taker.copy(id, game, generation)

    def begin_moving(self) -> tuple[int, int]:
        """From here every record is in the journal and stays there, and no room takes other code.

        Returns:
            Up to where the journal has records.
        """
        self.swapping.moving = True
        self._ledger.write_all(True)
        self.stores.journal.keep(True)
        return self.stores.journal.position()

    def end_moving(self) -> None:
        """No room is about to leave any more."""
        self.swapping.moving = False
        self._ledger.write_all(False)
        self.stores.journal.keep(False)
        self._pump_all()

    # -- single rooms --------------------------------------------------------------------------------

    def running(self, id: str) -> Running:
        """The running room of that id.

        Raises:
            ContractError: It does not run; the message says why.
        """
        if id in self.rooms:
            return self.rooms[id]
        if id in self.stores.asides.all():
            how = " --skip-input" if self.stores.asides.all()[id].n >= 0 else ""
            raise ContractError(
                f"Room {id} is put aside. See why with `perdure rooms --aside`, then mend that and use "
                f"`perdure room resume {id}{how}`, or give its state up: `perdure room discard {id}`."
            )
        raise ContractError(f"There is no room {id}. There are: {', '.join(sorted(self.rooms))}.")

    @property
    def stalled(self) -> bool:
        """Whether nothing may run, because a record waits for space on the disk."""
        return self._ledger.stalled

    def aside(self, game: str) -> bool:
        """Whether a room of the game is put aside."""
        return any(self.config.rooms.get(id) == game for id in self.stores.asides.all())
