"""Which program a process of the server is, and what is arranged to fail in it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from perdure.config import Config
from perdure.errors import ConfigError

FAULT = "PERDURE_FAULT"
"""Environment variable with the faults that a test arranged (`faults`)."""


class Program(NamedTuple):
    """What is executed as a host.

    Attributes:
        command: Its arguments; the first is the absolute path of what is executed.
    """

    command: list[str]

    def __str__(self) -> str:
        return " ".join(self.command)


def own_command(module: str) -> list[str]:
    """What runs a module of the Perdure, and with the interpreter, that run this."""
    return [sys.executable, "-P", "-m", module]


def configured(config: Config, environ: Mapping[str, str]) -> Program:
    """The program that `[host] command` names; this interpreter's Perdure if it names none.

    Raises:
        ConfigError: There is no such program.
    """
    if not config.host.command:
        return Program(own_command("perdure.host"))
    program, *arguments = config.host.command
    found = shutil.which(program, path=environ.get("PATH"))
    if found is None:
        raise ConfigError(
            f"{config.file}: [host] command: there is no program {program}, or this user may not run it. "
            "Nothing was started. Name an interpreter that has Perdure, such as /path/to/venv/bin/python."
        )
    return Program([str(Path(found).absolute()), *arguments])


def environment(environ: Mapping[str, str], process: str, *, original: bool) -> dict[str, str]:
    """The environment of a process's first incarnation: with the faults that are arranged for it.

    Args:
        process: Its name: items of PERDURE_FAULT that begin with another one's are left out.
        original: Whether the server was started with it; only then it gets the items that name no process.
    """
    env = dict(environ)
    arranged = [item for item in env.pop(FAULT, "").split(",") if item]
    mine = [item for item in arranged if (item.startswith(f"{process}/") if "/" in item else original)]
    return {**env, FAULT: ",".join(mine)} if mine else env
