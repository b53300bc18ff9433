"""One server, from the order to run it to its exit code."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

import perdure
from perdure.config import load
from perdure.control_lines import EXIT_INTERNAL, exit_code
from perdure.errors import PerdureError
from perdure.faults import Faults
from perdure.store.files import StateDir
from perdure.store.owners import SqliteOwners
from perdure.supervisor.console import Console
from perdure.supervisor.events import utc_now
from perdure.supervisor.server import Supervisor
from perdure.supervisor.settings import Settings


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be run; all paths absolute."""

    project: str
    state: str
    telnet: str = ""
    web: str | None = None
    log_level: str = "info"


async def serve(order: Order) -> int:
    """Run one server until it is stopped; returns the exit code."""
    config = load(order.project)
    fault = Faults(os.environ.get("PERDURE_FAULT", ""), "supervisor")
    state = StateDir.open(Path(order.state), version=perdure.__version__)
    settings = Settings(
        config=config,
        state=state.path,
        commands={},
        environ=dict(os.environ),
        telnet=order.telnet,
        web=order.web,
        log_level=order.log_level,
    )
    owners, console = SqliteOwners(state.owners_file), Console()
    try:
        return await Supervisor(settings, owners, console, utc_now, fault).run()
    finally:
        console.close()
        owners.close()
        state.close()


def main(order: str) -> int:
    """Serve what `order`, the JSON of an Order, says; returns the exit code."""
    os.umask(0o077)  # whatever a server writes, into its state folder, is its user's alone
    try:
        return asyncio.run(serve(msgspec.json.decode(order, type=Order)))
    except PerdureError as error:
        print(f"perdure: {error}", file=sys.stderr)  # noqa: T201 - the process ends with this
        return exit_code(error)
    except OSError as error:
        print(f"perdure: the server ended: {error}", file=sys.stderr)  # noqa: T201 - as above
        return EXIT_INTERNAL
