"""Evennia in an environment of its own: build/bench-evennia, or that folder under ``$PERDURE_BENCH_CACHE``.

Beside the environment lies a new game that is migrated and was started once; each measurement copies it. What cannot be
made, since the package index does not answer for instance, leaves the measurement out with that reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from bench.report import LeftOut

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("PERDURE_BENCH_CACHE") or ROOT / "build") / "bench-evennia"
INSTALL_S = 240.0
COMMAND_S = 90.0
OPERATOR, PASSWORD = "operator", "keep3running"
"""The account that Evennia calls its superuser."""


def python() -> Path:
    """The Python of the environment, which has Evennia's newest version; made at the first use.

    Raises:
        LeftOut: It cannot be installed here.
    """
    found = CACHE / "venv" / "bin" / "python"
    if not found.exists():
        print(f"Making {CACHE / 'venv'} with Evennia", file=sys.stderr, flush=True)
        venv.create(CACHE / "venv", with_pip=True, clear=True)
    command = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "evennia"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S)
        why = (done.stderr.strip().splitlines() or [""])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        why = f"pip was not done after {INSTALL_S:.0f} s"
    if why and not has_evennia(found):
        raise LeftOut(f"Evennia cannot be installed here ({why})")
    return found


def has_evennia(interpreter: Path) -> bool:
    """Whether it is installed there."""
    code = "import importlib.metadata; importlib.metadata.version('evennia')"
    return subprocess.run([str(interpreter), "-c", code], capture_output=True, check=False).returncode == 0


def versions(interpreter: Path) -> str:
    """What is compared, with versions."""
    code = (
        "import importlib.metadata as m, platform; "
        "print('Python', platform.python_version() + ',', *(f'{p} {m.version(p)}' for p in ('django', 'twisted')))"
    )
    evennia = "import importlib.metadata as m; print('Evennia', m.version('evennia'), end='; ')"
    return subprocess.run(
        [str(interpreter), "-c", f"{evennia}; {code}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def surroundings(interpreter: Path) -> dict[str, str]:
    """The environment variables under which its command line is run."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DJANGO_"))},
        "PATH": f"{interpreter.parent}{os.pathsep}{os.environ['PATH']}",
        "EVENNIA_SUPERUSER_USERNAME": OPERATOR,
        "EVENNIA_SUPERUSER_PASSWORD": PASSWORD,
        "EVENNIA_SUPERUSER_EMAIL": "",
    }


def command(interpreter: Path, folder: Path, *words: str) -> str:
    """Run ``evennia WORDS`` in a folder; what it printed.

    Raises:
        RuntimeError: It failed, or was not done after `COMMAND_S`.
    """
    with tempfile.TemporaryFile("w+") as output:  # not a pipe, which the daemons that it starts would hold open
        process = subprocess.Popen(
            [str(interpreter.parent / "evennia"), *words], cwd=folder, env=surroundings(interpreter),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            failed = process.wait(COMMAND_S)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"evennia {' '.join(words)} was not done after {COMMAND_S:.0f} s") from None
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        told = output.read()
    if failed:
        raise RuntimeError(f"evennia {' '.join(words)} failed: {told[-1000:]}")
    return told


def new_game(interpreter: Path, folder: Path) -> Path:
    """A game as its newcomers make it, in a folder: with its tables, not started yet."""
    command(interpreter, folder, "--init", "mygame")
    command(interpreter, folder / "mygame", "migrate")
    return folder / "mygame"
