"""One room's move to another host, because somebody asked for it: `perdure room move ROOM HOST`."""

from __future__ import annotations

from perdure.errors import ContractError, MovementAborted, PerdureError
from perdure.movement.copyover_rules import choose
from perdure.movement.report import Step
from perdure.movement.room_move_report import RoomMoveReport, event
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.legs import Leg
from perdure.supervisor.sides import Sides
from perdure.supervisor.succession import Means


async def move_room(means: Means, id: str, room: str, to: str) -> RoomMoveReport:
    """Move a room, with the code that it runs.

    Args:
        id: The movement's; used once.
        to: The host's name.

    Raises:
        ContractError: There is no such host or room, or the room is there already.
    """
    hosts = means.hosts
    await hosts.check_room(room)
    target, source = hosts.named(to), await hosts.of_room(room)
    if target is source:
        raise ContractError(f"Room {room} is in {to} already. Nothing was changed.")
    report = RoomMoveReport(room, source.name, target.name)
    leg = Leg(id, source, target)
    sides = Sides(hosts, means.owner, means.clock_s, report.warnings)
    sides.moving = True  # a death decides nothing here: the serving host takes what a dead one had
    try:
        await _move(leg, report)
    except PerdureError as error:
        report.reason = sides.died(source) or sides.died(target) or str(error)
        leg.settle(leg.rooms, sides.host_of, report.reason)
    _tell(leg, report)
    report.warnings += [
        f"{host.name} was not told that it is over: {error}"
        for host, error in await leg.let_go(gone=False)
        if not sides.died(host)
    ]
    sides.let_go()
    await _end_emptied(hosts, source, report)
    owner = sides.host_of(room)
    report.serving = owner.name if owner is not None else hosts.serving.name
    means.events.tell(event(report))
    return report


async def _end_emptied(hosts: Hosts, source: HostInstance, report: RoomMoveReport) -> None:
    """A host that served once, and whose last room has gone, is of no more use."""
    if report.outcome != "moved" or not source.draining or source not in hosts.all:
        return
    try:
        rooms = await source.ask("rooms")
    except PerdureError:
        return  # it is being lost: there is nothing to be ended
    if not rooms:
        await hosts.end(source)
        report.ended = source.name


async def _move(leg: Leg, report: RoomMoveReport) -> None:
    report.aborted_at = "prepare"
    await leg.open([report.room])
    try:
        choose(leg.rooms, [await leg.prepare()], partial=False)
    except MovementAborted as refused:
        report.reason = str(refused)
        return
    report.aborted_at = "stop"
    await leg.move([report.room], all_or_nothing=True)


def _tell(leg: Leg, report: RoomMoveReport) -> None:
    for room in leg.moved:
        report.outcome, report.aborted_at, report.reason, report.pause_ms = "moved", None, "", room.pause_ms
        report.steps = [Step(name, ms) for name, ms in room.steps.items()]
    for kept in leg.kept:
        report.aborted_at, report.reason = kept.at or report.aborted_at, kept.reason
