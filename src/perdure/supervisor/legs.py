"""Rooms on their way from one host to another: what both are asked, in order, for a copyover and for a single room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from perdure.errors import PerdureError, ProtocolError
from perdure.movement.copyover_report import KeptRoom
from perdure.movement.copyover_rules import UNKNOWN_STEP, Moved, MovedRoom, Opened, Prepared
from perdure.movement.report import ReloadReport
from perdure.supervisor.host_instance import HostInstance

OPEN_S = 120.0
PREPARE_S = 300.0
MOVE_S = 600.0
"""Far above what a move can take: each of its steps has a deadline of its own inside the hosts."""
FINISH_S = 120.0
CLOSE_S = 30.0

T = TypeVar("T")


class CodeCanary(NamedTuple):
    """New code that is tried in some rooms first: percent of them, and for how long they are watched."""

    percent: float
    watch_s: float


class Leg:
    """A movement of rooms between two hosts.

    Each method asks one host once, and raises a PerdureError when it refuses, is gone, does not answer in time, or
    answers what cannot be understood.

    Args:
        id: The movement's, as both hosts know it; used once.

    Attributes:
        opened: What the source has, once it is open.
        incarnation: The source's, while it was open.
        moved, kept: What became of the rooms that were to move.
        recovered: How many of the moved ones were taken over from a dead source.
    """

    def __init__(self, id: str, source: HostInstance, target: HostInstance) -> None:
        self.id, self.source, self.target = id, source, target
        self.opened: Opened | None = None
        self.incarnation = source.incarnation
        self.moved: list[MovedRoom] = []
        self.kept: list[KeptRoom] = []
        self.recovered = 0

    @property
    def rooms(self) -> list[str]:
        """All that the source had when it was opened."""
        return self.opened.ids if self.opened is not None else []

    async def open(self, rooms: Sequence[str] | None = None) -> None:
        """The source gets ready to give rooms away; None for all of them."""
        params = {"id": self.id, "rooms": None if rooms is None else list(rooms)}
        self.opened = await self._ask(self.source, "movement.open", params, OPEN_S, Opened)
        self.incarnation = self.opened.incarnation

    async def prepare(self, *, target: Mapping[str, str] | None = None, disk: bool = False) -> Prepared:
        """The target copies and proves every room; see `movement.prepare` for what it tries on the copies."""
        assert self.opened is not None
        params = {
            "id": self.id,
            "source": self.opened.source,
            "rooms": self.opened.rooms,
            "target": None if target is None else dict(target),
            "disk": disk,
        }
        return await self._ask(self.target, "movement.prepare", params, PREPARE_S, Prepared)

    async def move(self, rooms: Sequence[str], *, all_or_nothing: bool) -> None:
        """Move these rooms."""
        params = {
            "id": self.id,
            "rooms": list(rooms),
            "to": self.target.incarnation,
            "all_or_nothing": all_or_nothing,
        }
        answer = await self._ask(self.source, "movement.move", params, MOVE_S, Moved)
        self.moved += answer.moved
        self.kept += [msgspec.structs.replace(room, host=self.source.name) for room in answer.kept]

    def settle(self, rooms: Sequence[str], host_of: Callable[[str], HostInstance | None], reason: str) -> None:
        """The source did not say what became of these rooms: say what their owner rows do.

        Args:
            host_of: Whose a room is by its row; None for one whose owner is gone.
            reason: Why the source did not say it.
        """
        for room in rooms:
            host = host_of(room)
            if host is self.target:
                self.moved.append(MovedRoom(room))
            else:
                self.kept.append(KeptRoom(room, UNKNOWN_STEP, reason, (host or self.source).name))

    async def finish(
        self, *, reload: bool, target: Mapping[str, str] | None = None, tried: CodeCanary | None = None
    ) -> list[ReloadReport]:
        """The target drops the copies that did not become its rooms, and loads the code that is to come.

        Args:
            tried: Load it with a canary; then this takes that much longer.
        """
        params: dict[str, Any] = {"id": self.id, "reload": reload, "target": None if target is None else dict(target)}
        if tried is not None:
            params |= {"canary": tried.percent, "watch_s": tried.watch_s}
        timeout_s = FINISH_S + (tried.watch_s if tried is not None else 0.0)
        answer = await self._ask(self.target, "movement.finish", params, timeout_s, dict[str, list[ReloadReport]])
        return answer.get("reports", [])

    async def forget(self) -> None:
        """The target, which was there before, drops its copies."""
        await self.target.ask("movement.forget", {"id": self.id}, timeout_s=CLOSE_S)

    async def close(self, *, gone: bool, hold: bool = False) -> list[str]:
        """The source is as before; with `gone` it will be stopped. Returns the rooms that it has.

        Args:
            hold: More of its rooms are to move later: its code stays as it is until it is closed without this.
        """
        params = {"id": self.id, "gone": gone, "hold": hold}
        answer = await self._ask(self.source, "movement.close", params, CLOSE_S, dict[str, list[str]])
        return answer.get("rooms", [])

    async def let_go(self, *, gone: bool) -> list[tuple[HostInstance, PerdureError]]:
        """Both hosts let go of it, and no code is loaded; who was not told, and why.

        Args:
            gone: The source will be stopped.
        """
        if self.opened is None:
            return []
        lost = []
        for told, host in (
            (self.finish(reload=False) if self.moved else self.forget(), self.target),
            (self.close(gone=gone), self.source),
        ):
            try:
                await told
            except PerdureError as error:
                lost.append((host, error))
        return lost

    async def _ask(self, host: HostInstance, method: str, params: dict[str, Any], timeout_s: float, kind: type[T]) -> T:
        answer = await host.ask(method, params, timeout_s=timeout_s)
        try:
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"{host.name} answered {method} with what cannot be understood: {error}") from error
