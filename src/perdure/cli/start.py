"""Commands that start something: run, dev, new."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from perdure.cli.options import state_option
from perdure.errors import ConfigError

LOG_LEVELS = click.Choice(["debug", "info", "warning", "error"])
project_argument = click.argument("project", default=".", type=click.Path(path_type=Path))


def _given(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    """The address of --telnet; "" without the option, since the option itself may not be empty."""
    if value == "":
        raise ConfigError(
            '--telnet "" would leave no telnet, and there is always one. Nothing was started. Name HOST:PORT '
            "(127.0.0.1:0 takes any free port), or leave the option out to listen where perdure.toml says. "
            'Only the web page can be switched off: --web "".'
        )
    return value or ""


telnet_option = click.option(
    "--telnet",
    metavar="HOST:PORT",
    callback=_given,
    help="Listen there instead of where perdure.toml says; port 0: any.",
)
web_option = click.option(
    "--web", default=None, metavar="HOST:PORT", help='The same for the web page; --web "" serves none.'
)
level_option = click.option("--log-level", type=LOG_LEVELS, default="info", show_default=True)


def check_linux() -> None:
    """Raises ConfigError where Perdure's processes cannot run."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        raise ConfigError(
            f"Perdure's processes need Linux (pidfds, memfds), and this is {sys.platform}. Nothing was started. "
            'On macOS run it in a Linux container (docker run --rm -it -p 4000:4000 -p 8080:8080 -v "$PWD":/src '
            "-w /src python:3.13), on Windows in WSL (wsl --install)."
        )


@click.command()
@project_argument
@telnet_option
@web_option
@state_option
@level_option
def run(project: Path, telnet: str, web: str | None, state: Path | None, log_level: str) -> None:
    """Serve a project in the foreground; Ctrl-C saves and stops."""
    check_linux()
    import msgspec

    from perdure.config import load, parse_address

    config = load(project)
    for address in (telnet, web):
        if address:
            parse_address(address)
    order = {
        "project": str(config.project),
        "state": str((state or config.state).absolute()),
        "telnet": telnet,
        "web": web,
        "log_level": log_level,
    }
    # Becomes the supervisor instead of starting it: same pid and terminal, and none of this command's memory.
    command = [sys.executable, "-P", "-m", "perdure.supervisor", msgspec.json.encode(order).decode()]
    if sys.stdout is not None:  # closed from the start, when nobody is there to read
        sys.stdout.flush()
    os.execv(sys.executable, command)


@click.command()
@project_argument
@telnet_option
@web_option
@state_option
@level_option
def dev(project: Path, telnet: str, web: str | None, state: Path | None, log_level: str) -> None:
    """Serve a project in one process, for its author.

    The same semantics as `run`; print and breakpoint() work in this terminal, and faults show their traceback.
    """
    check_linux()
    from perdure.config import load
    from perdure.dev import serve

    config = load(project)
    serve(config, (state or config.state).absolute(), telnet, web, log_level)


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Make a small game to begin with, in a new folder NAME."""
    from perdure.games.python.scaffold import scaffold

    folder = scaffold(Path(name))
    click.echo(f"Made {folder}. Next:")
    click.echo(f"  perdure run {name}        serve it, and: http://127.0.0.1:8080/ or telnet 127.0.0.1 4000")
    click.echo(f"  python -m pytest {name}   its tests; pytest comes with: {sys.executable} -m pip install pytest")


COMMANDS = [run, dev, new]
