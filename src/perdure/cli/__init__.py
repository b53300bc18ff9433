"""The `perdure` command. Imports in the commands' bodies keep it light: `perdure --help` loads click, nothing else."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from perdure.cli import copyover, operate, reload, start, tools
from perdure.config import FILE_NAME, STATE_FOLDER
from perdure.control_lines import EXIT_INTERNAL, EXIT_INTERRUPTED, exit_code
from perdure.errors import PerdureError
from perdure.supervisor.plain import plain

EPILOG = """Exit codes: 0 done, 1 internal error, 2 usage, 3 aborted and the old side serves, 4 refused, 5 partly done,
6 no server running, 7 configuration or game does not load, 8 something is taken (port, state folder), 130 Ctrl-C."""


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    """--version says what `perdure version` says."""
    if wanted and not context.resilient_parsing:
        context.exit(tools.version.main([], "perdure version", standalone_mode=False))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EPILOG)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="The same as perdure version."
)
def perdure() -> None:
    """A host for live multiplayer servers: the players stay while everything behind them changes.

    \b
    perdure new tavern           a game to begin with
    perdure run tavern           serve it; Ctrl-C stops
    perdure status               how it is, from another terminal
    """


for command in (*start.COMMANDS, *operate.COMMANDS, *reload.COMMANDS, *copyover.COMMANDS, *tools.COMMANDS):
    perdure.add_command(command)


def main() -> None:
    """Run the command line; ends the process with a documented exit code, and no traceback for people."""
    try:
        code = perdure.main(prog_name="perdure", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        click.echo(_where(error), nl=False, err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    except PerdureError as error:
        code = _failed(str(error), exit_code(error))
    except BrokenPipeError:
        # Whoever read our output has enough; stdout is replaced so that its flush at exit stays silent.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if os.environ.get("PERDURE_TRACEBACK"):
            raise
        name = type(error).__name__
        code = _failed(
            f"internal error: {name}: {error}. This is a bug of Perdure; please report it, "
            "with what PERDURE_TRACEBACK=1 shows.",
            EXIT_INTERNAL,
        )
    sys.exit(code)


def _where(error: click.ClickException) -> str:
    """What helps who names the project, as for `perdure run`, to a command that asks a server; "" for all others."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    named = re.search(r"extra argument \((.+)\)", error.message)
    if context is None or named is None or all(option.name != "state" for option in context.command.params):
        return ""
    project = Path(named[1])
    if not (project / FILE_NAME).is_file():
        return ""
    state = project / STATE_FOLDER
    return f"The server is looked for around the current folder: go into {project}, or --state {state}\n"


def _failed(message: str, code: int) -> int:
    for line in message.splitlines():
        click.echo(f"perdure: {plain(line)}", err=True)
    return code
