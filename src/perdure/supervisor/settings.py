"""What a supervisor is started with, and what it writes down and reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from perdure.config import Config
from perdure.ports import Aside, Owner


class Settings(msgspec.Struct, frozen=True):
    """What a supervisor is started with.

    Attributes:
        config: The project's configuration, as it was at the start.
        state: The state folder; its lock is held.
        commands: What to run, by instance name; for hosts it goes before the configuration, and is usually empty.
        environ: The environment of all processes.
        telnet: HOST:PORT instead of the configuration's; "" = as it says.
        web: The same for the web page, where "" = none, and None = as the configuration says.
        log_level: For the gateway and the hosts.
    """

    config: Config
    state: Path
    commands: Mapping[str, Sequence[str]]
    environ: Mapping[str, str]
    telnet: str = ""
    web: str | None = None
    log_level: str = "info"


class Keeper(Protocol):
    """The facts that a supervisor needs on disk; `store.owners.SqliteOwners` is one."""

    def gateway_epoch(self, name: str) -> int:
        """A number higher than ever before for this gateway."""
        ...

    def put(self, aside: Aside) -> None: ...

    def read(self, room: str) -> Owner | None:
        """The room's owner row; its `host` is an incarnation."""
        ...
