"""What the control channel may ask of a host: about its rooms and its code, and the movements of rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from perdure.control import Handler
from perdure.errors import ContractError
from perdure.host import surveys
from perdure.host.arrivals import Described, Source
from perdure.host.operators import Operators
from perdure.host.peers import asked
from perdure.host.process import HostProcess
from perdure.host.running import HostedProgram
from perdure.host.weight import AGAIN_S, restore_session
from perdure.logs import set_level
from perdure.movement.order import order_of
from perdure.movement.report import ReloadReport, encode


class Opening(msgspec.Struct):
    """`movement.open`: rooms None = all."""

    id: str
    rooms: list[str] | None = None


class Preparing(msgspec.Struct):
    """`movement.prepare`: whose rooms are to come, and whether what lies on disk or stored code is tried on them."""

    source: Source
    rooms: list[Described]
    target: dict[str, str] | None = None
    disk: bool = False


class Moving(msgspec.Struct):
    """`movement.move`: rooms None = all; `to` is the other host's incarnation."""

    to: str
    rooms: list[str] | None = None
    all_or_nothing: bool = False


class Finishing(msgspec.Struct):
    """`movement.finish`: what becomes of the code; a canary's percent and seconds are those of the reload."""

    reload: bool = False
    target: dict[str, str] | None = None
    canary: float | None = None
    watch_s: float | None = None


class Closing(msgspec.Struct):
    """`movement.close`: gone = the host is to end next; hold = another movement follows, reloads wait on."""

    id: str
    gone: bool = False
    hold: bool = False


class Chosen(msgspec.Struct):
    """`movement.vetoes`, `movement.measure`: rooms None = all."""

    rooms: list[str] | None = None
    clear: bool = False


class Locking(msgspec.Struct):
    """`movement.lock`: no features = all may be used."""

    features: list[str]
    reason: str = ""


class Recovering(msgspec.Struct):
    """`recover`: incarnations that have ended."""

    dead: list[str] = []


def methods(process: HostProcess) -> Mapping[str, Handler]:
    """The control methods of a host, by name."""
    host, library, operators = process.host, process.library, Operators(process.host)

    async def status(_: dict[str, Any]) -> Any:
        return {"last_recovery": process.recovery, "rooms": len(host.rooms), "aside": _asides(process)}

    async def rooms(params: dict[str, Any]) -> Any:
        return _asides(process) if params.get("aside") else [running.listing() for running in host.rooms.values()]

    async def show(params: dict[str, Any]) -> Any:
        running = host.running(_room(params))
        room = running.room
        return running.listing() | {
            "tables": {name: sum(cells.versions.values()) for name, cells in room.cells.items()},
            "timers": len(room.timers),
            "requests": len(room.requests),
            "effects": {name: len(effects.pending) for name, effects in room.effects.items()},
            "held": len(running.held),
            "players": [
                {"session": s, "name": seat.who.name, "role": seat.who.role, "out_bytes": seat.outbox_bytes}
                for s, seat in room.open.items()
            ],
        }

    async def pause(params: dict[str, Any]) -> Any:
        operators.pause(_room(params))
        return host.running(_room(params)).listing()

    async def step(params: dict[str, Any]) -> Any:
        return {"ran": operators.step(_room(params)), **host.running(_room(params)).listing()}

    async def go_on(params: dict[str, Any]) -> Any:
        operators.go_on(_room(params))
        return host.running(_room(params)).listing()

    async def resume(params: dict[str, Any]) -> Any:
        return operators.resume(_room(params), skip_input=bool(params.get("skip_input"))).listing()

    async def discard(params: dict[str, Any]) -> Any:
        return operators.discard(_room(params)).listing()

    async def modules(_: dict[str, Any]) -> Any:
        served = {game: library.current(game) for game in host.config.games}
        return {
            "modules": [
                {"game": game, **msgspec.to_builtins(module)}
                for game, program in served.items()
                for module in program.modules()
            ],
            "generations": [
                {"id": program.generation, "game": game, "alive": True, "rooms": _rooms_of(process, program)}
                for game, program in library.programs()
            ],
        }

    async def games(_: dict[str, Any]) -> Any:
        return [
            {
                "game": game,
                "path": str(library.paths[game]),
                "generation": library.current(game).generation,
                "rooms": sum(running.program.game == game for running in host.rooms.values()),
                "watch": settings.watch,
                "update": settings.update,
            }
            for game, settings in host.config.games.items()
        ]

    async def reload(params: dict[str, Any]) -> Any:
        return encode(await process.reloads.reload(order_of(params)))

    async def log_level(params: dict[str, Any]) -> Any:
        try:
            set_level(str(params.get("level")))
        except ValueError as error:
            raise ContractError(f"{error}. The level is unchanged.") from None
        return {"level": params.get("level")}

    return {
        **_movement(process),
        "status": status, "rooms": rooms, "room.show": show, "room.pause": pause, "room.step": step,
        "room.continue": go_on, "room.resume": resume, "room.discard": discard, "modules": modules,
        "games": games, "reload": reload, "log-level": log_level,
    }  # fmt: skip


def _movement(process: HostProcess) -> Mapping[str, Handler]:
    """The methods with which a supervisor brings two hosts together (docs/reference/control.md)."""
    departures, arrivals, host = process.departures, process.arrivals, process.host

    async def open_(params: dict[str, Any]) -> Any:
        order = asked(params, Opening)
        return await departures.open(order.id, order.rooms)

    async def vetoes(params: dict[str, Any]) -> Any:
        rooms = asked(params, Chosen).rooms
        return {"vetoes": await surveys.vetoes(host, rooms, process.clock, process.notify)}

    async def prepare(params: dict[str, Any]) -> Any:
        order = asked(params, Preparing)
        prepared = await arrivals.prepare(order.source, order.rooms)
        reports = await process.rehearse(order.target) if order.target or order.disk else []
        while not restore_session():  # players wait for the rest
            await asyncio.sleep(AGAIN_S)
        return prepared | _of_the_code(reports, prepared["refused"])

    async def move(params: dict[str, Any]) -> Any:
        order = asked(params, Moving)
        return await departures.move(order.rooms, order.to, all_or_nothing=order.all_or_nothing)

    async def finish(params: dict[str, Any]) -> Any:
        order = asked(params, Finishing)
        arrivals.forget()
        if not order.reload:
            process.watch_all()
            for running in list(host.rooms.values()):
                host.swapping.catch_up(running)
            return {"reports": []}
        return {"reports": [encode(r) for r in await process.finish(order.target, order.canary, order.watch_s)]}

    async def close(params: dict[str, Any]) -> Any:
        order = asked(params, Closing)
        if order.gone and not host.rooms:
            await host.all_answered()
        departures.close(order.id, hold=order.hold)
        return {"rooms": sorted(host.rooms)}

    async def forget(_: dict[str, Any]) -> Any:
        arrivals.forget()
        return {}

    async def measure(params: dict[str, Any]) -> Any:
        order = asked(params, Chosen)
        return surveys.measured(host, order.rooms, clear=order.clear)

    async def lock(params: dict[str, Any]) -> Any:
        order = asked(params, Locking)
        surveys.lock(host, order.features, order.reason)
        return {}

    async def recover(params: dict[str, Any]) -> Any:
        return await process.recover(asked(params, Recovering).dead)

    return {
        "movement.open": open_, "movement.vetoes": vetoes, "movement.prepare": prepare, "movement.move": move,
        "movement.finish": finish, "movement.close": close, "movement.forget": forget, "movement.measure": measure,
        "movement.lock": lock, "recover": recover,
    }  # fmt: skip


def _of_the_code(reports: list[ReloadReport], refused: list[dict[str, Any]]) -> dict[str, Any]:
    """What a rehearsal of the code that is to come says, for the answer to `movement.prepare`."""
    failed = [_failure(report) for report in reports]
    return {
        "code": {report.game: report.tried or report.generation.to for report in reports},
        "failed": " ".join(filter(None, failed)),
        "migrations": [each for report in reports for each in msgspec.to_builtins(report.migrations)],
        "refused": [*refused, *(each for report in reports for each in msgspec.to_builtins(report.rooms.refused))],
    }


def _failure(report: ReloadReport) -> str:
    """Why not all of the code that is to come would be live; "" when it would."""
    if report.aborted:
        return f"{report.game}: {report.aborted}"
    reasons = [f"{each.file}:{each.line}: {each.message}" if each.file else each.message for each in report.failed]
    reasons += [f"{each.module} is held: {each.because}" for each in report.held]
    reasons += [
        f"table {each.table}: {each.failed} rows fail: {each.error}" for each in report.migrations if each.failed
    ]
    return f"{report.game}: {'; '.join(reasons)}" if reasons else ""


def _rooms_of(process: HostProcess, program: HostedProgram) -> int:
    return sum(running.program is program for running in process.host.rooms.values())


def _asides(process: HostProcess) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(aside) for aside in process.owners.all().values()]


def _room(params: Mapping[str, Any]) -> str:
    room = params.get("room")
    if not isinstance(room, str):
        raise ContractError("Name the room.")
    return room
