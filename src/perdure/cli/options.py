"""What all commands share: where the state folder is, and who wants JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from perdure.config import FILE_NAME, STATE_FOLDER, find_project
from perdure.control_lines import no_server

Command = TypeVar("Command", bound=Callable[..., Any])

state_option = click.option(
    "--state",
    "state",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PERDURE_STATE",
    show_envvar=True,
    metavar="DIR",
    help="The server's state folder. Without it: .perdure of the project around the current folder.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def server_options(command: Command) -> Command:
    """--state and --json."""
    return state_option(json_option(command))


def state_folder(state: Path | None) -> Path:
    """The state folder that is meant.

    Raises:
        Unavailable: None was named, and there is no project around the current folder.
    """
    if state is not None:
        return state.absolute()
    project = find_project(Path.cwd())
    if project is None:
        raise no_server(
            f"Which server? There is no {FILE_NAME} in {Path.cwd()} or above. "
            "Go into the project, or name its state folder with --state DIR or PERDURE_STATE."
        )
    return project / STATE_FOLDER
