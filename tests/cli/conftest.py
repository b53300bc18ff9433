"""The `perdure` command as people run it: a process, its output and its exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.supervisor.conftest import DEADLINE_S, Server, child, finish

__all__ = ["child"]


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-c", "from perdure.cli import main; main()", *map(str, arguments)]


def perdure(*arguments: object, cwd: Path | None = None, stdin: str = "", **env: str) -> Done:
    """Run a command to its end."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PERDURE_")}
    done = subprocess.run(
        command(*arguments),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**environ, **env},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that was not started; its processes are gone afterwards."""
    made = Server(tmp_path)
    yield made
    finish(made)
