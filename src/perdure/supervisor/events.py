"""The event log: what happened to a server, one JSON object a line, numbered for ever.

`STATE/events.jsonl` is turned over at a bound, so two files hold the last few ten thousand events; the
numbers go on over restarts of everything. A disk that is full loses lines, not the server: they stay in
memory for followers, and the next line that can be written says how many are missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from perdure.movement.wording import counted
from perdure.supervisor.plain import plain

FILE_NAME = "events.jsonl"
FILE_BYTES_MAX = 4 * 1024 * 1024
RECENT_MAX = 100
"""Events that are kept in memory for those who begin to follow; all others are read from the files."""
TEXT_CHARS_MAX = 2000
"""A longer text in an event is cut: it may be a stranger's."""
_TAIL_BYTES = 256 * 1024

Event = dict[str, Any]


def utc_now() -> str:
    """The wall clock in UTC, as events carry it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class EventLog:
    """Appends events and tells followers.

    Args:
        folder: The state folder.
        now: The wall clock, as ISO 8601 text.
    """

    def __init__(self, folder: Path, now: Callable[[], str], *, bytes_max: int = FILE_BYTES_MAX) -> None:
        self._path, self._now, self._bytes_max = folder / FILE_NAME, now, bytes_max
        last = _tail(folder / (FILE_NAME + ".1")) + _tail(self._path)
        self.seq = last[-1]["seq"] if last else 0
        self.recent: deque[Event] = deque(last, maxlen=RECENT_MAX)
        self._followers: list[Callable[[Event], None]] = []
        self._lost = 0
        self._torn = _ends_torn(self._path)
        self._file: FileIO | None = None

    def emit(self, kind: str, /, **fields: Any) -> Event:
        """Append one event; its number is one above the last."""
        if self._lost and self._write({"seq": self.seq, "at": self._now(), "kind": "events-lost", "count": self._lost}):
            self._lost = 0
        self.seq += 1
        event: Event = {"seq": self.seq, "at": self._now(), "kind": kind}
        event.update((key, _bounded(value)) for key, value in fields.items() if key not in event)
        if not self._write(event):
            self._lost += 1
        self.recent.append(event)
        for follower in list(self._followers):
            follower(event)
        return event

    def tell(self, event: Mapping[str, Any]) -> None:
        """Append what a report says of itself: its `kind` and the fields."""
        self.emit(event["kind"], **{key: value for key, value in event.items() if key != "kind"})

    def follow(self, follower: Callable[[Event], None]) -> Callable[[], None]:
        """Call `follower` with each event from now on; returns what ends that."""
        self._followers.append(follower)
        return lambda: self._followers.remove(follower) if follower in self._followers else None

    def _write(self, event: Event) -> bool:
        line = (b"\n" if self._torn else b"") + msgspec.json.encode(event) + b"\n"
        try:
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            elif self._file.tell() > self._bytes_max:
                self._turn_over()
            written = self._file.write(line)
        except OSError:
            return False
        self._torn = written < len(line)
        return not self._torn

    def _turn_over(self) -> None:
        """From here on a new file; the one before the last is gone. What fails is tried again at the next event."""
        new = self._path.with_name(FILE_NAME + ".new").open("ab", buffering=0)
        self._path.replace(self._path.with_name(FILE_NAME + ".1"))
        self._path.with_name(FILE_NAME + ".new").replace(self._path)
        assert self._file is not None
        self._file.close()
        self._file = new

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_events(folder: Path, since: int = 0) -> Iterator[Event]:
    """The events after number `since` that the files still have, oldest first; torn lines are passed over."""
    for name in (FILE_NAME + ".1", FILE_NAME):
        try:
            data = (folder / name).read_bytes()
        except FileNotFoundError:
            continue
        for line in data.splitlines():
            event = _decode(line)
            if event is not None and event["seq"] > since:
                yield event


def _tail(path: Path) -> list[Event]:
    """The last events of one file; a supervisor does not read megabytes to know one number."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    return [event for line in lines[-RECENT_MAX:] if (event := _decode(line)) is not None]


def _bounded(value: Any) -> Any:
    return value[:TEXT_CHARS_MAX] if isinstance(value, str) else value


def _decode(line: bytes) -> Event | None:
    try:
        event = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    return event if isinstance(event.get("seq"), int) and isinstance(event.get("kind"), str) else None


def _ends_torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 1))
            return size > 0 and file.read(1) != b"\n"
    except OSError:
        return False


def _listed(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _fault(event: Event) -> str:
    """What failed, and where. Events of earlier versions have less of it."""
    said = {key: value for key, value in event.items() if value}
    what = "{handler}" if "handler" in said else "a callback"
    if "command" in said:
        what = 'the command "{command}"' + (" ({handler})" if "handler" in said else "")
    at = " at {file}:{line}" if "file" in said else ""
    undone = " and was undone" if event.get("undone", True) else ""
    return f"{what} in room {{room}} faulted{at}{undone}: {{error}}"


def _disabled(event: Event) -> str:
    what = (
        'the command "{command}" of {game} is off, as {handler}'
        if event.get("command")
        else "{handler} of {game} is off: it"
    )
    return f"{what} failed {{faults}} times in ten minutes. It comes back when its code changes: mend it, and reload"


def _recovered(event: Event) -> str:
    """What a host took, at its start or from another one that died. Events of earlier versions do not have `new`."""
    new = event.get("new", 0)
    if new == event["rooms"] and new:
        what = "has {rooms:new room}"
    elif event["rooms"]:
        what = (
            "has {rooms:room} again, " + ("{new} of them new, " if new else "") + "{records:record} after their bases"
        )
    else:
        what = "has no room"
    return f"{{name}} {what}; it took {{all_ms}} ms" + ("; aside: {aside}" if event.get("aside") else "")


def _died_executing(event: Event) -> str:
    cause = " on input {n} of session {session}" if event["n"] >= 0 else ""
    return (
        f"its host died in callback {{c}} of room {{room}}{cause} ({{how}}). If it does so again, the room is put aside"
    )


def _resumed(event: Event) -> str:
    return "room {room} goes on" + (", without the input that stopped its host" if event.get("skipped") else "")


def _exited(event: Event) -> str:
    return "{name} was {how}" if str(event["how"]).startswith("killed") else "{name} {how}"


_SENTENCES: Mapping[str, str | Callable[[Event], str]] = {
    "fault": _fault,
    "disabled": _disabled,
    "starting": "{name} starts (pid {pid})",
    "ready": "{name} is ready",
    "exited": _exited,
    "recovered": _recovered,
    "died-executing": _died_executing,
    "started": "Perdure {version} starts to serve (pid {pid})",
    "leftovers": "processes that were still here were ended first (pids {pids})",
    "stuck": "processes do not end (pids {pids})",
    "stop-failed": "{name} did not answer the order to stop, and is killed: {message}",
    "aside-failed": "room {room} could not be put aside, and the next death on that input tries again: {message}",
    "control-refused": "a client of the control socket broke the protocol, and was disconnected: {message}",
    "link-refused": "a host broke the protocol of the link, and was disconnected: {message}",
    "base-refused": "a base of room {room} cannot be used, and was passed over: {reason}",
    "events-lost": "{count:event} could not be written here",
    "reloaded": "{text}",
    "reload-failed": "{text}",
    "room-reloaded": "room {room} took the new code that waited for it",
    "room-not-reloaded": "room {room} keeps its old code: {reason}",
    "code-lost": "the stored code {generation} of {game} cannot be used: {reason}",
    "watch-failed": "a saved change of {game} could not be reloaded: {reason}",
    "canary": "{game}: {moved} of {of:room} run the new code and are watched for {watch_s} s",
    "copyover-begun": "copyover {id} begins ({trigger})",
    "copyover-phase": "copyover {id}: {phase}",
    "copyover-build": "build: {line}",
    "copyover-prepared": "{name} has copied {rooms} of {of:room}",
    "copyover-canary": "copyover {id}: {moved} of {of:room} moved first and are watched for {watch_s} s",
    "copyover-warning": "copyover {id}: {reason}",
    "copyover-refused": "a copyover was not begun: {reason}",
    "copyover-history": "{reason}",
    "copyover": "{text}",
    "copyover-failed": "{text}",
    "room-moved": "{text}",
    "room-move-failed": "{text}",
    "refused": "{player} ({role}) typed {what} in room {room} and may not: nothing happened",
    "resumed": _resumed,
    "discarded": "room {room} begins anew",
    "journal-full": "the journal is full: {reason}",
    "journal-goes-on": "the journal has space again, and everything goes on",
    "base-failed": "no base of room {room} was stored, the one before it counts: {reason}",
    "host-lost": "{name} is gone; {to} takes its rooms",
    "recover-failed": "{name} could not take what hosts that are gone left, and is asked again: {reason}",
    "restarting": "{name} starts again {when} (attempt {attempt})",
    "killed": "{name} was killed: {reason}",
    "sessions-ended": "the gateway's sessions ended",
    "aside": "room {room} is put aside: {reason}",
    "stopping": "the server stops: {reason}",
    "stopped": "the server has stopped",
}


KINDS = frozenset(_SENTENCES)
"""The kinds that have a sentence. Others are shown with their fields."""


class _Said(str):
    """A field as text; in a template ``{rooms:room}`` counts, as in "1 room"."""

    __slots__ = ()

    def __format__(self, noun: str) -> str:
        return counted(int(self), noun) if noun else str(self)


def sentence(event: Event) -> str:
    """The event for people, on one line that drives no terminal."""
    fields = {plain(key): _Said(plain(_listed(value))) for key, value in event.items()}
    known = _SENTENCES.get(event["kind"], "")
    try:
        template = known if isinstance(known, str) else known(event)
        text = template.format_map(fields)
    except (KeyError, TypeError, ValueError):  # an event of another version, or of a stranger
        template = text = ""
    if not text:
        rest = (f"{key}={value}" for key, value in fields.items() if key not in ("seq", "at", "kind"))
        text = " ".join([fields["kind"], *rest])
    if "last" in fields and not event.get("ordered"):
        text += f"; its log ends: {fields['last']}"
    return f"{text}. {fields['note']}" if "note" in fields and template else text
