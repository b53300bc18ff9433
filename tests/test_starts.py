"""How the processes of a server begin: light, because every start, copyover and recovery waits for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.store.files import StateDir

BEGINS = """
import gc, sys, uvloop
def told(serving):
    serving.close()
    print(gc.isenabled(), gc.get_freeze_count() > 10_000)
uvloop.run = told
from perdure.{process}.__main__ import main
main()
"""
LOADS = "import sys, {module}; print(sorted(set({heavy}) & set(sys.modules)))"


def said(code: str, **environ: str) -> str:
    """What a new interpreter prints."""
    command = [sys.executable, "-P", "-c", code]
    env = {**os.environ, **environ}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.parametrize("process", ["gateway", "host"])
def test_garbage_is_collected_once_a_process_serves(tmp_path: Path, process: str) -> None:
    """Not while it imports; what was imported is left out of all collections."""
    StateDir.open(tmp_path).close()
    boot = {"name": process, "state": str(tmp_path), "project": "", "control_fd": 0, "epoch": 1, "began_s": 0.0}
    listeners = {"telnet": [], "link": 0}
    assert (
        said(BEGINS.format(process=process), PERDURE_BOOT=json.dumps({**boot, "listeners": listeners})) == "True True"
    )


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("perdure.gateway.serving", ["alembic", "click", "watchfiles"]),
        ("perdure.host.serving", ["alembic", "click", "sqlalchemy", "websockets", "argon2"]),
        (
            "perdure.supervisor.__main__",
            ["_ssl", "alembic", "click", "sqlalchemy", "structlog", "uvloop", "websockets"],
        ),
    ],
)
def test_a_process_loads_only_what_it_uses(module: str, heavy: list[str]) -> None:
    """None of these is needed there, and each would cost a tenth of the start or more."""
    assert said(LOADS.format(module=module, heavy=heavy)) == "[]"
