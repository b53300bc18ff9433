"""One answer from those of several hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perdure.errors import ProtocolError

Answers = Mapping[str, Any]
"""Host name -> what it answered."""


def merged(method: str, answers: Answers) -> Any:
    """The answers put together; each entry says whose it is.

    Args:
        method: rooms, modules or games.
        answers: The serving host's among them; of equal entries the first counts.

    Raises:
        ProtocolError: A host answered what no host answers.
    """
    match method:
        case "rooms":
            return _rooms(answers)
        case "modules":
            return {part: _listed(answers, part) for part in ("modules", "generations")}
        case "games":
            return _games(answers)
    raise AssertionError(f"nobody knows how to merge {method}")


def _rooms(answers: Answers) -> list[dict[str, Any]]:
    """Each room once: while it moves, two hosts may say that they have it, and the higher epoch is right."""
    found: dict[str, dict[str, Any]] = {}
    for room in _listed(answers):
        id = room.get("id", room.get("room", ""))
        if id not in found or found[id].get("epoch", 0) < room.get("epoch", 0):
            found[id] = room
    return list(found.values())


def _games(answers: Answers) -> list[dict[str, Any]]:
    """Each game once, as the first host has it, with the rooms of all."""
    found: dict[str, dict[str, Any]] = {}
    for listed in _listed(answers):
        game = found.setdefault(listed.get("game", ""), {**listed, "rooms": 0})
        game["rooms"] += listed.get("rooms", 0)
    return list(found.values())


def _listed(answers: Answers, part: str = "") -> list[dict[str, Any]]:
    entries = []
    for host, answer in answers.items():
        listed = answer if not part else answer.get(part) if isinstance(answer, dict) else None
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            raise ProtocolError(f"{host} answered what no host answers. Its log: perdure logs {host}")
        entries += [{**entry, "host": host} for entry in listed]
    return entries
