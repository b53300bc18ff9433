"""Logs as JSON lines, one file per process: what operators read, so nothing in it may drive a terminal.

Strings lose escapes and other control characters before they are written: player text and names reach
logs, and logs reach terminals. Secrets never get here: what is typed with echo off travels in a type
without a readable form (`gateway.secret.Secret`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from perdure.markup import CONTROLS

LEVELS = ("debug", "info", "warning", "error")
FILE_BYTES_MAX = 16 * 1024 * 1024
"""A log is turned over once it is this long; the one before it is kept as NAME.jsonl.1."""

_controls = re.compile(f"[{CONTROLS}]")


class LogFile:
    """An append-only file of whole lines that turns itself over.

    A write that fails (a full disk) loses that line and is counted in `lost`; a log never stops a server.
    """

    def __init__(self, path: Path, *, bytes_max: int = FILE_BYTES_MAX) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path, self._bytes_max = path, bytes_max
        self._file = path.open("ab", buffering=0)
        self.lost = 0

    def msg(self, message: str) -> None:
        """Write one line."""
        try:
            if self._file.tell() > self._bytes_max:
                self._turn_over()
            self._file.write(message.encode("utf-8", "replace") + b"\n")
        except OSError:
            self.lost += 1

    log = debug = info = warning = error = critical = exception = msg

    def close(self) -> None:
        """Write nothing more."""
        self._file.close()

    def _turn_over(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._file = self._path.open("ab", buffering=0)


def printable(value: Any) -> Any:
    """`value` with all strings in it freed of control characters."""
    if isinstance(value, str):
        return _controls.sub("", value)
    if isinstance(value, Mapping):
        return {printable(str(key)): printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable(item) for item in value]
    return value if isinstance(value, int | float | bool | None) else printable(str(value))


def setup(process: str, state: Path, level: str = "info") -> LogFile:
    """Send this process's logs to ``STATE/logs/PROCESS.jsonl``; call it once, before the first log line.

    Returns:
        The file, open for as long as the process logs.
    Raises:
        ValueError: No such level.
    """
    wrapper = _leveled(level)
    file = LogFile(state / "logs" / f"{process}.jsonl")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            _only_printable,
            structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=wrapper,
        logger_factory=lambda *_: file,
        cache_logger_on_first_use=False,
    )
    return file


def set_level(level: str) -> None:
    """Change from now on what is logged.

    Raises:
        ValueError: No such level.
    """
    structlog.configure(wrapper_class=_leveled(level))


def _leveled(level: str) -> Any:
    if level not in LEVELS:
        raise ValueError(f"no log level is called {level!r}; there are {', '.join(LEVELS)}")
    return structlog.make_filtering_bound_logger(logging.getLevelName(level.upper()))


def _only_printable(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    del logger, method
    cleaned: dict[str, Any] = printable(event)
    return cleaned


def _as_json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event).decode()
