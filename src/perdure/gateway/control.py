"""What the control channel may ask of a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psutil

from perdure.control import Handler
from perdure.errors import ContractError
from perdure.gateway.gateway import Gateway
from perdure.gateway.sessions import Session


def methods(gateway: Gateway) -> Mapping[str, Handler]:
    """The control methods of `gateway`, by name."""

    async def status(_: dict[str, Any]) -> dict[str, int]:
        process = psutil.Process()
        return {
            "sessions": gateway.players,
            "connections": len(gateway.clients),
            "links": len(gateway.links),
            "rss_bytes": process.memory_info().rss,
            "fds": process.num_fds(),
        }

    async def sessions(_: dict[str, Any]) -> list[dict[str, Any]]:
        return [_report(gateway, session) for session in gateway.sessions.values()]

    async def notice(params: dict[str, Any]) -> dict[str, int]:
        room, text = params.get("room"), params.get("text")
        if not isinstance(room, str) or not isinstance(text, str):
            raise ContractError("notice needs a room and a text")
        told = [session for session in gateway.sessions.values() if _room_of(gateway, session) == room]
        for session in told:
            gateway.say(session, text.rstrip("\n") + "\n")
        return {"told": len(told)}

    async def stop(_: dict[str, Any]) -> dict[str, int]:
        return await gateway.stop()

    return {"status": status, "sessions": sessions, "notice": notice, "stop": stop}


def _room_of(gateway: Gateway, session: Session) -> str:
    presence = gateway.presence(session)
    return presence.room if presence else ""


def _report(gateway: Gateway, session: Session) -> dict[str, Any]:
    presence, client = gateway.presence(session), session.client
    return {
        "id": session.id,
        "stage": session.stage,
        "account": session.who.id if session.who else "",
        "name": session.who.name if session.who else "",
        "room": _room_of(gateway, session),
        "transport": "telnet",
        "address": client.address if client else "",
        "in_unacked": len(presence.tail) if presence else 0,
        "out_bytes": session.held_bytes + (client.buffered if client else 0),
        "frames_dropped": 0,
    }
