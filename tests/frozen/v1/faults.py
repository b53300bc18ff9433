"""Fault points: named places where a test provokes a failure in a real process.

``PERDURE_FAULT='host:after-append=kill'`` makes the process that reaches the point die there.
``=exit`` leaves with status 70, ``=raise`` raises `OSError`, ``=hang`` stops for ever, ``=kill`` is SIGKILL.
``@N`` waits for the Nth time (``store:append=raise@5``); several are separated by commas.
Without the variable a point costs one dictionary look-up.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping

from tests.frozen.v1.errors import ConfigError

POINTS: Mapping[str, str] = {
    "host:boot": "the host has read its boot document, nothing is claimed",
    "host:recover-read": "recovery has read the journals of dead hosts, nothing is claimed",
    "host:recover-claimed": "recovery has claimed the first room, nothing was announced",
    "host:before-callback": "the executing slot is written, no game code has run",
    "host:after-callback": "game code has run, no record is written",
    "host:after-append": "the record is durable, nothing is released",
    "host:after-release": "outputs and acknowledgement are in the link's buffer, not sent",
    "host:go-durable": "a go is durable, not released",
    "host:join-durable": "a join is durable, not acknowledged",
    "host:mail-durable": "mail is durable in its target, not acknowledged to its source",
    "host:base-captured": "a room was captured, its base is not stored",
    "host:base-stored": "a base is stored, the journal does not know yet",
    "host:stop": "the host was told to stop, no base is written",
    "reload:capture": "a reload begins, nothing is read",
    "reload:build": "the sources are read, nothing is loaded",
    "reload:store": "the new code is loaded aside and checked, nothing of it is stored",
    "reload:record": "the new code's sources are stored, the old code serves",
    "reload:swap": "it is written down that the new code serves, no room runs it",
    "reload:retire": "the rooms run the new code, the old code is still loaded",
    "store:allocate": "a journal segment is about to be allocated",
    "store:append": "a record is about to be written",
    "store:sync": "the journal is about to be synced",
    "store:blob-write": "a blob's bytes are about to be written",
    "store:blob-rename": "a blob is about to get its name",
    "store:blob-folder-sync": "a blob has its name, its folder is not synced",
    "store:owner-commit": "an owner row is about to be committed",
    "gateway:accepted": "a client was accepted, nothing was said",
    "gateway:event-appended": "an event is in its tail, not sent",
    "gateway:before-show": "an output was accepted, not written to the client",
    "supervisor:host-died": "the supervisor saw a host die, no other is started",
}
_ACTIONS = ("exit", "hang", "raise", "kill")


class Faults:
    """The faults arranged for this process. Call it with a point's name where the point is."""

    def __init__(self, arranged: str = "") -> None:
        """Parse what PERDURE_FAULT says.

        Raises:
            ConfigError: An unknown point or action.
        """
        self._armed: dict[str, tuple[str, int]] = {}
        for item in filter(None, arranged.split(",")):
            point, _, action = item.partition("=")
            action, _, count = action.partition("@")
            if point not in POINTS or action not in _ACTIONS or not (count or "1").isdecimal():
                raise ConfigError(
                    f"PERDURE_FAULT: {item!r} is not POINT=exit|hang|raise|kill[@COUNT]. "
                    "`perdure faults` lists the points."
                )
            self._armed[point] = (action, int(count or 1))

    def __call__(self, point: str) -> None:
        if point in self._armed:
            self._reached(point)

    def _reached(self, point: str) -> None:
        action, count = self._armed[point]
        if count > 1:
            self._armed[point] = (action, count - 1)
            return
        del self._armed[point]
        match action:
            case "exit":
                os._exit(70)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                while True:
                    signal.pause()
            case "raise":
                raise OSError(errno.EIO, f"arranged at fault point {point}")


def no_fault(point: str) -> None:
    """Nothing is arranged."""
