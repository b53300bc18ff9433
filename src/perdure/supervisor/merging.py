"""One answer from those of several hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from perdure.errors import ProtocolError
from perdure.movement.report import Migration, PauseMs, ReloadReport, Rooms, Step

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


def added_up(reports: Sequence[ReloadReport]) -> ReloadReport:
    """One reload of one game, out of what came of it in each host; the serving host's report comes first.

    Which code it is, and how it was asked for, the first one says; of pauses the longest count.
    """
    first = reports[0]
    return msgspec.structs.replace(
        first,
        **{name: _all(reports, name) for name in ("refreshed", "added", "removed", "failed", "held")},
        **{name: _all(reports, name) for name in ("waiting", "warnings", "orphans", "needs_copyover")},
        rooms=Rooms(
            sum(report.rooms.swapped for report in reports),
            [refused for report in reports for refused in report.rooms.refused],
        ),
        pause_ms=PauseMs(max(r.pause_ms.p50 for r in reports), max(r.pause_ms.max for r in reports)),
        migrations=_added_migrations(migration for report in reports for migration in report.migrations),
        steps=_added_steps(step for report in reports for step in report.steps),
    )


def _all(reports: Sequence[ReloadReport], name: str) -> list[Any]:
    """What stands in this list of any report, once."""
    found: list[Any] = []
    for report in reports:
        found += [entry for entry in getattr(report, name) if entry not in found]
    return found


def _added_migrations(migrations: Iterable[Migration]) -> list[Migration]:
    found: dict[tuple[str, int, int], Migration] = {}
    for one in migrations:
        known = found.get(key := (one.table, one.from_, one.to))
        found[key] = one if known is None else msgspec.structs.replace(
            known, rows=known.rows + one.rows, failed=known.failed + one.failed, error=known.error or one.error
        )  # fmt: skip
    return list(found.values())


def _added_steps(steps: Iterable[Step]) -> list[Step]:
    found: dict[str, float] = {}
    for step in steps:
        found[step.name] = found.get(step.name, 0.0) + step.ms
    return [Step(name, ms) for name, ms in found.items()]
