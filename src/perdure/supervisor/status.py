"""What `perdure status` reports; programs rely on its fields (docs/protocols.md)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import perdure
from perdure.config import Config
from perdure.supervisor.build import Build
from perdure.supervisor.sockets import Kind, Listeners

NOT_RUNNING: dict[str, Any] = {"pid": None, "uptime_s": 0.0, "rss_bytes": 0, "fds": 0}


def status(
    config: Config,
    state: Path,
    build: Build,
    listeners: Listeners,
    started_s: float,
    processes: Sequence[dict[str, Any]],
    copyover: dict[str, Any],
    last_recovery: dict[str, Any] | None,
) -> dict[str, Any]:
    """The whole answer; `started_s` is on the monotonic clock."""
    return {
        "version": perdure.__version__,
        "build": msgspec.structs.asdict(build),
        "state_dir": str(state),
        "project": str(config.project),
        "listening": {"telnet": _pairs(listeners, "telnet"), "web": _pairs(listeners, "web")},
        "uptime_s": round(time.monotonic() - started_s, 3),
        "processes": list(processes),
        "copyover": copyover,
        "last_recovery": last_recovery,
    }


def measured(pid: int, started_s: float) -> dict[str, Any]:
    """What the kernel says of a process."""
    try:
        rss_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        fds = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        rss_pages, fds = 0, 0  # it ended just now
    return {
        "pid": pid,
        "uptime_s": round(time.monotonic() - started_s, 3),
        "rss_bytes": rss_pages * os.sysconf("SC_PAGE_SIZE"),
        "fds": fds,
    }


def _pairs(listeners: Listeners, kind: Kind) -> list[list[str | int]]:
    return [[address.host, address.port] for address in listeners.addresses(kind)]


def greeting(config: Config, state: Path, build: Build, listeners: Listeners) -> list[str]:
    """The lines with which a server begins in its terminal."""
    from_here = "" if state == config.state else f" --state {state}"
    play = [f"telnet {address.host} {address.port}" for address in listeners.addresses("telnet")]
    play += [f"http://{address}/" for address in listeners.addresses("web")]
    return [
        f"Perdure {perdure.__version__}, build {build.number} ({build.source})",
        f"  serves   {config.server.name}",
        f"  play     {' and '.join(play)}",
        f"  state    {state}",
        f"  operate  perdure status | rooms | events -f{from_here}",
        f"  stop     Ctrl-C, or: perdure stop{from_here}",
    ]
