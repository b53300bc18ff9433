"""A reload of all rooms, whichever host runs them: `perdure reload`.

The host that serves goes first, and decides: where nothing of the new code is live there, no other host is asked.
The others then take the very code that serves from there on, by its id, so that all rooms run the same even if a
file was saved in between. A dry run has nothing stored that could be named, so each host looks at the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from perdure.errors import ContractError, PerdureError
from perdure.movement.order import ReloadOrder, order_of, params_of
from perdure.movement.report import EXIT_NOTHING_CHANGED, RefusedRoom, ReloadReport, decode, encode, exit_code
from perdure.movement.wording import counted, listed
from perdure.supervisor.control_socket import PATIENCE_S
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import ANSWER_S, Hosts
from perdure.supervisor.instance import State
from perdure.supervisor.merging import added_up


class _Other(NamedTuple):
    """A host that does not serve, with its rooms of the game."""

    host: HostInstance
    rooms: list[str]


async def reload_everywhere(hosts: Hosts, params: dict[str, Any]) -> Any:
    """Ask for a reload wherever it has rooms; the one report, as JSON says it.

    Raises:
        ContractError: The order makes no sense, or is a canary of rooms in several hosts.
        PerdureError: The serving host refused, or a host did not say which rooms it has. Nothing was changed.
    """
    others = await _others(hosts, params)
    if not others:
        return await hosts.serving.ask("reload", params, timeout_s=PATIENCE_S["reload"])
    order = order_of(params)
    if order.canary is not None:
        raise ContractError(_no_canary(hosts, others))
    first = decode(await hosts.serving.ask("reload", params, timeout_s=PATIENCE_S["reload"]))
    if exit_code(first) == EXIT_NOTHING_CHANGED and not order.dry_run:
        return encode(first)
    same = msgspec.structs.replace(order, game=first.game, module="", generation=first.generation.to)
    wanted = order if order.dry_run else same
    reports = await asyncio.gather(*(_ask(other, wanted, first) for other in others))
    return encode(added_up([first, *reports]))


async def _others(hosts: Hosts, params: Mapping[str, Any]) -> list[_Other]:
    """The hosts beside the serving one that run, and have rooms of the game."""
    running = [host for host in hosts.all if host is not hosts.serving and host.instance.state is State.RUNNING]
    answers = await asyncio.gather(*(host.ask("rooms", timeout_s=ANSWER_S) for host in running))
    game = params.get("game")
    found = [
        _Other(host, [str(room["id"]) for room in rooms if not game or room.get("game") == game])
        for host, rooms in zip(running, answers, strict=True)
    ]
    return [other for other in found if other.rooms]


async def _ask(other: _Other, order: ReloadOrder, first: ReloadReport) -> ReloadReport:
    """What came of it in one of the others; where nothing did, each of its rooms is named with the reason."""
    try:
        report = decode(await other.host.ask("reload", params_of(order), timeout_s=PATIENCE_S["reload"]))
        reason = report.aborted
    except PerdureError as error:
        report, reason = ReloadReport(first.game), str(error)
    if reason:
        report.aborted = ""
        report.rooms.refused = [RefusedRoom(room, f"{other.host.name}: {reason}") for room in other.rooms]
    return report


def _no_canary(hosts: Hosts, others: Sequence[_Other]) -> str:
    names = [other.host.name for other in others]
    rooms = [room for other in others for room in other.rooms]
    serving = hosts.serving.name
    return (
        f"A canary compares rooms of one host, and {listed(names)} {'has' if len(names) == 1 else 'have'} "
        f"{counted(len(rooms), 'room')} as well ({listed(rooms)}). Nothing was changed. Move them first: "
        f"perdure room move ROOM {serving}. Or try it out otherwise: perdure reload --dry-run"
    )
