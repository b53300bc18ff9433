"""What an operator may do with single rooms: hold one, step through it, take it back, give it up."""

from __future__ import annotations

from collections import deque

from perdure.errors import ContractError, StorageError
from perdure.host.host import Host
from perdure.host.running import Identity, Running
from perdure.ports import Aside


class Operators:
    """An operator's orders to the rooms of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def pause(self, id: str) -> None:
        """Hold the room: events, timers and answers wait, nothing is lost."""
        self._host.running(id).paused = True

    def step(self, id: str) -> bool:
        """Do one thing that the paused room holds. Returns whether there was one.

        Raises:
            ContractError: The room is not paused.
        """
        running = self._host.running(id)
        if not running.paused:
            raise ContractError(f"Room {id} is not paused. Pause it first: perdure room pause {id}")
        if not running.held or self._host.stalled:
            return False
        step = running.held.popleft()
        rest, running.held = running.held, deque()
        running.paused = False
        step()
        running.paused = True
        running.held.extend(rest)
        return True

    def go_on(self, id: str) -> None:
        """Let a paused room run on."""
        running = self._host.running(id)
        running.paused = False
        self._host.pump(running)
        self._host.agenda.plan(running)

    def resume(self, id: str, *, skip_input: bool) -> Running:
        """Take a room back that was put aside.

        A room whose history has a hole goes on from the last good callback, on a new branch: the players read that.

        Raises:
            ContractError: It is not aside, or the same input would stop the server again, or it is aside at once.
            Unavailable: It is another living host's.
            StorageError: It ran here, and its last state still cannot be stored; it stays aside.
        """
        aside = self._host.stores.asides.all().get(id)
        if aside is None:
            raise ContractError(f"Room {id} is not put aside.")
        by_input = aside.n >= 0
        if by_input and not skip_input:
            raise ContractError(
                f"Room {id} was put aside because of an input: {aside.reason}. That input is still first in line. "
                f"Mend the game if you like, then: perdure room resume {id} --skip-input"
            )
        if id in self._host.unstored:
            self._host.checkpoints.store_now(self._host.unstored[id])
            self._host.unstored.pop(id).let_go()
        ready = self._host.look(id, accept_damage=not by_input and not skip_input)
        if ready is None:
            raise ContractError(f"Room {id} is still aside: {self._host.stores.asides.all()[id].reason}")
        running = self._host.rooms[id] = self._host.taker.claim([ready])[0].running
        self._host.stores.asides.remove(id)
        if skip_input:
            running.skip = Identity(aside.c, aside.session, aside.j, aside.n)
        self._host.begin(running)
        self._host.mail.post_again()
        self._host.notify({"kind": "resumed", "room": id, "skipped": skip_input})
        self._host.swapping.catch_up(running)
        return running

    def discard(self, id: str) -> Running:
        """Give up the room's state: it begins anew, on a new branch of its history.

        Raises:
            ContractError: There is no such room.
        """
        if id not in self._host.config.rooms:
            raise ContractError(f"There is no room {id}. There are: {', '.join(sorted(self._host.config.rooms))}.")
        old = self._host.rooms.pop(id, None) or self._host.unstored.pop(id, None)
        owner = self._host.stores.owners.read(id)
        if old is not None:
            old.due_s.clear()
            old.let_go()
        try:
            running = self._host.taker.take_anew(id, old.room.c if old else owner.from_c if owner else 0)
        except StorageError as error:
            self._host.put_aside(Aside(id, f"Its new state could not be stored: {error}"))
            raise
        self._host.rooms[id] = running
        aside = self._host.stores.asides.all().get(id)
        if aside is not None:
            running.skip = _first_on_new_branch(aside)
        self._host.stores.asides.remove(id)
        self._host.begin(running)
        self._host.mail.post_again()
        self._host.notify({"kind": "discarded", "room": id})
        return running


def _first_on_new_branch(aside: Aside) -> Identity | None:
    """The input that put a room aside, as its player's gateway sends it to the room that begins anew.

    It is the first that the room had not applied, so it is event 1 of the player's next seat (G4); a join is sent
    as it was.
    """
    if aside.n < 0:
        return None
    return Identity(0, aside.session, aside.j, 0) if aside.n == 0 else Identity(0, aside.session, aside.j + 1, 1)
