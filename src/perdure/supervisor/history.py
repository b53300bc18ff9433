"""What came of the copyovers of a server: `STATE/copyovers.jsonl`, one JSON object a line.

A line `begun` is written before a copyover does anything and one `ended` when it is over, both synced; so a
supervisor that died in between tells `interrupted` afterwards, and numbers go on over restarts of everything.
A disk that is full loses lines, not the copyover: the reports stay in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from perdure.movement.copyover_report import CopyoverReport
from perdure.store.durable import sync_folder, write_all

FILE_NAME = "copyovers.jsonl"
REPORTS_MAX = 100
"""Reports that are kept, the newest; the file is written anew when it has twice as many lines as these need."""
LINES_MAX = 4 * REPORTS_MAX


class _Line(msgspec.Struct):
    kind: Literal["begun", "ended"]
    report: CopyoverReport


def read_history(folder: Path) -> list[CopyoverReport]:
    """The reports of a state folder, the oldest first, without a server; nothing is written."""
    ended, interrupted = _told(_stored(folder / FILE_NAME))
    return sorted([*ended, *interrupted], key=lambda report: report.id)[-REPORTS_MAX:]


class History:
    """The reports of one state folder, the oldest first.

    Args:
        folder: The state folder.
        lost: Called with why a line could not be written.

    Attributes:
        reports: Those that have ended, or were interrupted.
        interrupted: Those of them whose end nobody wrote down before this was made.
    """

    def __init__(self, folder: Path, lost: Callable[[str], object]) -> None:
        self._path, self._lost = folder / FILE_NAME, lost
        self.reports: list[CopyoverReport] = []
        self.interrupted: list[CopyoverReport] = []
        self._last = 0
        self._lines = 0
        self._read()
        for report in self.interrupted:
            self.end(report)

    def begin(self, report: CopyoverReport) -> None:
        """Give the report its number, and write down that it began."""
        self._last += 1
        report.id = self._last
        self._append(_Line("begun", report))

    def end(self, report: CopyoverReport) -> None:
        """Write down what came of it."""
        self.reports = [*self.reports, report][-REPORTS_MAX:]
        self._append(_Line("ended", report))
        if self._lines > LINES_MAX:
            self._write_anew()

    def find(self, key: str) -> CopyoverReport | None:
        """The report of the request with this key."""
        return next((report for report in reversed(self.reports) if report.key == key), None)

    def _read(self) -> None:
        lines = _stored(self._path)
        self._lines = len(lines)
        self._last = max((line.report.id for line in lines), default=0)
        ended, self.interrupted = _told(lines)
        self.reports = ended[-REPORTS_MAX:]

    def _append(self, line: _Line) -> None:
        new = not self._path.exists()
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(fd).st_size
                torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
                write_all(fd, (b"\n" if torn else b"") + msgspec.json.encode(line) + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)
            if new:
                sync_folder(self._path.parent)
        except OSError as error:
            self._lost(f"copyover {line.report.id} could not be written down as {line.kind}: {error.strerror or error}")
        self._lines += 1

    def _write_anew(self) -> None:
        beside = self._path.with_name(FILE_NAME + ".new")
        lines = [msgspec.json.encode(_Line("ended", report)) + b"\n" for report in self.reports]
        try:
            with beside.open("wb") as file:
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            self._lost(f"the history of copyovers could not be shortened: {error.strerror or error}")
            return
        self._lines = len(lines)


def _stored(path: Path) -> list[_Line]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = []
    for text in data.splitlines():
        try:
            lines.append(msgspec.json.decode(text, type=_Line))
        except (msgspec.DecodeError, msgspec.ValidationError):
            continue  # a line that was torn by a full disk, or is another version's, costs only itself
    return lines


def _told(lines: list[_Line]) -> tuple[list[CopyoverReport], list[CopyoverReport]]:
    """Reports that have ended, and those whose end nobody wrote down."""
    ended: list[CopyoverReport] = []
    begun: dict[int, CopyoverReport] = {}
    for line in lines:
        begun.pop(line.report.id, None)
        if line.kind == "begun":
            begun[line.report.id] = line.report
        else:
            ended.append(line.report)
    for report in begun.values():
        report.outcome, report.reason = "interrupted", "the supervisor ended before it was over"
    return ended, list(begun.values())
