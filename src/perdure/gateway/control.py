"""What the control channel may ask of a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import psutil

from perdure.control import Handler
from perdure.errors import ContractError
from perdure.gateway.gateway import Gateway
from perdure.gateway.sessions import Session
from perdure.versions import CONTROL, LINK

ANNOUNCED_AT_ONCE = 256
"""An announcement is written to so many sessions in one turn: to 10,000 at once it would hold all of them up."""


def methods(gateway: Gateway) -> Mapping[str, Handler]:
    """The control methods of `gateway`, by name."""

    async def status(_: dict[str, Any]) -> dict[str, Any]:
        process = psutil.Process()
        return {
            "sessions": gateway.players,
            "connections": len(gateway.clients),
            "links": len(gateway.links),
            "rss_bytes": process.memory_info().rss,
            "fds": process.num_fds(),
            "link": list(LINK),
            "control": list(CONTROL),
        }

    async def sessions(_: dict[str, Any]) -> list[dict[str, Any]]:
        return [_report(gateway, session) for session in gateway.sessions.values()]

    async def end(params: dict[str, Any]) -> dict[str, int]:
        account = params.get("account")
        if not isinstance(account, str) or not account:
            raise ContractError("sessions.end needs the id of an account")
        return {"ended": await gateway.disabled(account)}

    async def notice(params: dict[str, Any]) -> dict[str, int]:
        room, text = params.get("room"), params.get("text")
        if not isinstance(room, str) or not isinstance(text, str):
            raise ContractError("notice needs a room and a text")
        told = [session for session in gateway.sessions.values() if _room_of(gateway, session) == room]
        for session in told:
            gateway.say(session, text.rstrip("\n") + "\n")
        return {"told": len(told)}

    async def announce(params: dict[str, Any]) -> dict[str, int]:
        text, rooms, countdown = params.get("text"), params.get("rooms"), params.get("countdown", False)
        if not isinstance(text, str) or not text.strip():
            raise ContractError("announce needs a text")
        if rooms is not None and not (isinstance(rooms, list) and all(isinstance(room, str) for room in rooms)):
            raise ContractError("announce takes the rooms as a list of ids, or null for all")
        if not isinstance(countdown, bool):
            raise ContractError("announce takes countdown: true or false")
        where = None if rooms is None else set(rooms)
        return {"told": await _announce(gateway, text.rstrip("\n") + "\n", where, countdown=countdown)}

    async def watch(params: dict[str, Any]) -> dict[str, Any]:
        match params.get("on"):
            case True:
                return {"sessions": gateway.watch()}
            case False:
                return gateway.watched()
            case _:
                raise ContractError("movement.watch needs on: true or false")

    async def stop(_: dict[str, Any]) -> dict[str, int]:
        return await gateway.stop()

    return {
        "status": status,
        "sessions": sessions,
        "sessions.end": end,
        "notice": notice,
        "announce": announce,
        "movement.watch": watch,
        "stop": stop,
    }


async def _announce(gateway: Gateway, text: str, rooms: set[str] | None, *, countdown: bool) -> int:
    """Show a text outside the numbering to everybody who is playing in these rooms (None: in all); how many that are.

    Who is still logging in is told nothing, and neither is who is away: it would be old news when they return.
    Who listens to the text is not told one line of a countdown after the other: each would cut off what is just
    being read aloud. They hear what it begins and ends with.
    """
    told = 0
    for count, session in enumerate(list(gateway.sessions.values()), start=1):
        passed_over = countdown and session.screenreader
        if session.stage == "playing" and not passed_over and (rooms is None or _room_of(gateway, session) in rooms):
            gateway.say(session, text)
            told += 1
        if count % ANNOUNCED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return told


def _room_of(gateway: Gateway, session: Session) -> str:
    presence = gateway.presence(session)
    return presence.room if presence else ""


def _report(gateway: Gateway, session: Session) -> dict[str, Any]:
    presence, client, told = gateway.presence(session), session.client, session.told
    room = _room_of(gateway, session)
    return {
        "id": session.id,
        "stage": session.stage,
        "account": session.who.id if session.who else "",
        "name": session.who.name if session.who else "",
        "room": room,
        "build": gateway.build(room),
        "transport": client.wire.transport if client else "",
        "address": client.address if client else "",
        "client": told.client or told.terminal,
        "encoding": session.look.encoding,
        "columns": told.columns,
        "rows": told.rows,
        "screenreader": session.screenreader,
        "in_unacked": len(presence.tail) if presence else 0,
        "out_bytes": session.held_bytes + (client.buffered if client else 0),
        "frames_dropped": 0,
    }
