"""What came of moving one room to another host, because somebody asked for it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from perdure.movement.report import EXIT_DONE, EXIT_NOTHING_CHANGED, Step, encode
from perdure.movement.wording import sentence


class RoomMoveReport(msgspec.Struct, rename={"from_": "from"}):
    """One room's move.

    Attributes:
        room: Which.
        from_, to: The hosts.
        outcome: "moved", or "kept" where it was.
        aborted_at: The step at which it ended; None when it moved.
        reason: Why it was kept, in one line; "" when it moved.
        serving: The host that runs the room now.
        pause_ms: How long it stood still.
        steps: How long each took.
        warnings: What somebody should know although nothing failed.
        ended: The host that ended because no room was left in it; "" for none.
    """

    room: str
    from_: str
    to: str
    outcome: Literal["moved", "kept"] = "kept"
    aborted_at: str | None = None
    reason: str = ""
    serving: str = ""
    pause_ms: float = 0.0
    steps: list[Step] = []
    warnings: list[str] = []
    ended: str = ""


def exit_code(report: RoomMoveReport) -> int:
    """0: moved. 3: it is where it was."""
    return EXIT_DONE if report.outcome == "moved" else EXIT_NOTHING_CHANGED


def decode(answer: object) -> RoomMoveReport:
    """The report in an answer; fields that are not known here are passed over."""
    return msgspec.convert(answer, RoomMoveReport)


def event(report: RoomMoveReport) -> dict[str, Any]:
    """The event at the end; `text` is the report for people."""
    kind = "room-moved" if report.outcome == "moved" else "room-move-failed"
    return {"kind": kind, "text": line(report), "report": encode(report)}


def line(report: RoomMoveReport) -> str:
    """The report for people."""
    if report.outcome == "moved":
        pause = f"it stood still for {report.pause_ms:.1f} ms"
        ended = f" {report.ended} had no other room, and has ended." if report.ended else ""
        return f"Room {report.room} moved from {report.from_} to {report.to} ({pause}).{ended}"
    return (
        f"Room {report.room} was not moved: it ended at {report.aborted_at}: {sentence(report.reason)} "
        f"{report.serving or 'The host that had it'} runs it."
    )
