"""Runs a Supervisor whose gateway and host are the commands given: JSON {project, state, commands}."""

import asyncio
import json
import os
import sys
from pathlib import Path

from perdure.config import load
from perdure.control_lines import exit_code
from perdure.errors import PerdureError
from perdure.faults import Faults
from perdure.ports import Aside, Owner
from perdure.supervisor.console import Console
from perdure.supervisor.events import utc_now
from perdure.supervisor.server import Supervisor
from perdure.supervisor.settings import Settings


class FileKeeper:
    """The supervisor's facts in a text file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def gateway_epoch(self, name: str) -> int:
        file = self.folder / f"{name}.epoch"
        epoch = int(file.read_text()) + 1 if file.exists() else 1
        file.write_text(str(epoch))
        return epoch

    def put(self, aside: Aside) -> None:
        with (self.folder / "aside").open("a") as file:
            file.write(f"{aside.room} {aside.session} {aside.j} {aside.n}\n")

    def read(self, room: str) -> Owner | None:
        """The owner as a test wrote it into the file owner-ROOM."""
        file = self.folder / f"owner-{room}"
        return Owner(1, file.read_text(), 0, 0) if file.exists() else None


async def main() -> int:
    order = json.loads(sys.argv[1])
    state = Path(order["state"])
    settings = Settings(
        config=load(order["project"]), state=state, commands=order["commands"], environ=dict(os.environ)
    )
    console = Console()
    try:
        return await Supervisor(settings, FileKeeper(state), console, utc_now, Faults()).run()
    finally:
        console.close()


try:
    sys.exit(asyncio.run(main()))
except PerdureError as error:
    sys.stderr.write(f"perdure: {error}\n")
    sys.exit(exit_code(error))
