"""Changed programs: edits of a game, other builds of Perdure, other virtual environments, and broken ones."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import perdure
from tests.e2e.server import GAMES

SOURCE = Path(perdure.__file__).parent
HALLS = tuple(f"hall-{number}" for number in range(9))
TOWER = "tower"
"""A room that beats by itself."""
ROOMS = (*HALLS, TOWER)


class Change(NamedTuple):
    """A part of a file that becomes another one."""

    file: str
    old: str
    new: str


def at_step(step: str, code: str) -> Change:
    """At this step of a room's move, the successor runs `code`."""
    point = '        self._fault(f"copyover:{step}")\n'
    return Change("host/arrivals.py", point, f"{point}        if step == {step!r}:\n            {code}\n")


def build(folder: Path, *changes: Change, version: str = "") -> Path:
    """A Perdure of its own in `folder`, with these changes; what goes into PYTHONPATH.

    Compiled files are copied as well, so that only what was changed is compiled again.
    """
    shutil.copytree(SOURCE, folder / "perdure")
    if version:
        changes = (*changes, Change("__init__.py", f'"{perdure.__version__}"', f'"{version}"'))
    for file, old, new in changes:
        path = folder / "perdure" / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))
    return folder


def venv(folder: Path, source: Path = SOURCE.parent) -> Path:
    """Another virtual environment, with an interpreter file of its own and today's libraries; its interpreter."""
    making = [sys.executable, "-m", "venv", "--without-pip", "--copies", str(folder)]
    subprocess.run(making, check=True, capture_output=True, timeout=120)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "these.pth").write_text(f"{source}\n{sysconfig.get_path('purelib')}\n")
    return folder / "bin" / "python"


def command(interpreter: Path | str = sys.executable, source: Path | None = None, *before: str) -> list[str]:
    """What starts a host: this interpreter, the Perdure in `source`, and a command in front."""
    found = ["env", f"PYTHONPATH={source}"] if source else []
    return [*before, *found, str(interpreter), "-P", "-m", "perdure.host"]


class Halls:
    """A project of nine halls and a tower, as its operator changes it.

    Args:
        folder: Gets the project.
        settings: Of both games.

    Attributes:
        code: The game's file.
        mark: Number of the last edit.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = self.project = folder / "halls"
        for game in ("hall", "beat"):
            shutil.copytree(GAMES / game, self.folder / game, ignore=shutil.ignore_patterns("__pycache__"))
        self.code = self.folder / "hall" / "hall.py"
        self.good = self.code.read_text()
        self.mark = 0
        self._settings, self._made = settings, 0
        self.configure()

    def configure(self, command: Sequence[str] = (), **copyover: object) -> None:
        """Write perdure.toml, with this command for hosts, and these keys of [copyover]."""
        lines = ["[server]", 'name = "Test"', 'telnet = "127.0.0.1:0"', 'web = "127.0.0.1:0"']
        for game in ("hall", "beat"):
            lines += [f"[games.{game}]", f'path = "{game}"', *_keys(self._settings)]
        lines += ["[rooms]", *(f'{hall} = "hall"' for hall in HALLS), f'{TOWER} = "beat"']
        lines += ["[login]", f'room = "{HALLS[0]}"', "link_dead_s = 600"]
        lines += ["[host]", f"command = {json.dumps(list(command))}"] if command else []
        lines += ["[copyover]", *_keys(copyover)]
        beside = self.folder / "perdure.toml.new"
        beside.write_text("\n".join(lines) + "\n")
        beside.replace(self.folder / "perdure.toml")

    def edit(self, *changes: tuple[str, str]) -> None:
        """Save the game with these changes, which stay, and the next mark."""
        self.mark += 1
        self.good = re.sub(r"^MARK = \d+$", f"MARK = {self.mark}", self.good, flags=re.MULTILINE)
        for old, new in changes:
            assert old in self.good, old
            self.good = self.good.replace(old, new, 1)
        self.mend()

    def spoil(self, old: str, new: str) -> None:
        """Save the game with a change that does not stay."""
        assert old in self.good, old
        self.code.write_text(self.good.replace(old, new, 1))

    def mend(self) -> None:
        """Save the game as it should be."""
        self.code.write_text(self.good)

    def fresh(self, name: str) -> Path:
        """A folder that is not there yet."""
        self._made += 1
        return self.folder.parent / f"{name}-{self._made}"

    def use_build(self, *changes: Change, version: str = "") -> None:
        """The next host is another Perdure."""
        self.configure(command(source=build(self.fresh("build"), *changes, version=version)))

    def use_venv(self, version: str = "") -> Path:
        """The next host is of another virtual environment, and another Perdure if it has a version; its interpreter."""
        source = build(self.fresh("build"), version=version) if version else SOURCE.parent
        interpreter = venv(self.fresh("venv"), source)
        self.configure(command(interpreter, source))
        return interpreter


def _keys(settings: Mapping[str, object]) -> list[str]:
    """Lines of TOML; JSON's values are TOML's, but for tables."""
    return [f"{key} = {_value(value)}" for key, value in settings.items()]


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


# -- broken ones ----------------------------------------------------------------------------------------


class Broken(NamedTuple):
    """A successor that cannot take over.

    Attributes:
        at: The step at which the copyover ends.
        says: Part of the reason.
        make: Makes it the next host's program.
    """

    at: str
    says: str
    make: Callable[[Halls], object]


def builds(*changes: Change) -> Callable[[Halls], None]:
    """Another Perdure, with these changes."""
    return lambda halls: halls.use_build(*changes)


def spoils(old: str, new: str) -> Callable[[Halls], None]:
    """An edit of the game."""
    return lambda halls: halls.spoil(old, new)


def runs(*words: str) -> Callable[[Halls], None]:
    """Another command."""
    return lambda halls: halls.configure(words)


def runs_under(*before: str) -> Callable[[Halls], None]:
    """The same program, started by another one."""
    return lambda halls: halls.configure(command(sys.executable, None, *before))


ARRANGED, FUTURE = 'RuntimeError("arranged")', "from __future__ import annotations\n"
DIE = "import os; os.kill(os.getpid(), 9)"
HANG = "import time; time.sleep(3600)"
RAISE = 'raise OSError(28, "no space")'
NO_DESCRIPTORS = (
    "import os, resource as r; "
    "r.setrlimit(r.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')), r.getrlimit(r.RLIMIT_NOFILE)[1]))"
)
PREPARE = '        self._fault("copyover:prepare")\n'
BOOT = '    """Boot from PERDURE_BOOT; returns the exit code."""\n'
OTHER_ROW = """        cells = next(iter(running.room.cells.values()))
        for key in list(cells.image()):
            cells.book(key, None)
        cells.book("stranger", b"\\x01\\x00\\x81\\xa1n\\x01")
"""
COPIED = "        self.source, self.running = source, running\n"
ADD_OTHER_ROW = Change("host/arrivals.py", COPIED, COPIED + OTHER_ROW)


def prepares(code: str) -> Callable[[Halls], None]:
    """A build that does this when it is asked to prepare."""
    return builds(Change("host/arrivals.py", PREPARE, f"{PREPARE}        {code}\n"))


def boots(code: str) -> Callable[[Halls], None]:
    """A build that does this first."""
    return builds(Change("host/__main__.py", BOOT, f"{BOOT}    {code}\n"))


BROKEN: Mapping[str, Broken] = {
    "missing": Broken("boot", "there is no program", runs("/nowhere/python")),
    "no-program": Broken("boot", "Exec format error", lambda halls: runs(str(no_program(halls)))(halls)),
    "exits": Broken("boot", "exited with code 1", runs("/bin/false")),
    "raises-at-import": Broken(
        "boot", "RuntimeError: arranged", builds(Change("host/serving.py", FUTURE, f"{FUTURE}raise {ARRANGED}\n"))
    ),
    "raises-at-boot": Broken("boot", "RuntimeError: arranged", boots(f"raise {ARRANGED}")),
    "killed-at-boot": Broken("boot", "killed by SIGKILL", boots(DIE)),
    "future-state": Broken(
        "boot", "has format 1", builds(Change("versions.py", "STATE = Versions(1, 1)", "STATE = Versions(8, 9)"))
    ),
    "future-link": Broken(
        "boot", "link", builds(Change("versions.py", "LINK = Versions(1, 2)", "LINK = Versions(8, 9)"))
    ),
    "future-snapshot": Broken(
        "boot", "snapshot", builds(Change("versions.py", "SNAPSHOT = Versions(1, 1)", "SNAPSHOT = Versions(8, 9)"))
    ),
    "few-descriptors": Broken("boot", "Too many open files", runs_under("prlimit", "--nofile=16")),
    "little-memory": Broken("boot", "before it was ready", runs_under("prlimit", f"--as={40 << 20}")),
    "game-does-not-compile": Broken("prepare", "hall.py", spoils("# halfway", "def broken(:")),
    "game-raises": Broken("prepare", "IndexError", spoils("# halfway", "[1, 2][2]")),
    "no-migration": Broken("prepare", "counts", spoils("    n: int = 0\n", "    n: list[str] = []\n")),
    "killed-at-prepare": Broken("prepare", "", prepares(DIE)),
    "raises-at-prepare": Broken("prepare", "no space", prepares(RAISE)),
    "no-descriptors": Broken("prepare", "Too many open files", prepares(NO_DESCRIPTORS)),
    "no-memory": Broken("prepare", "MemoryError", prepares("raise MemoryError")),
    "another-hash": Broken("prepare", "hash", builds(ADD_OTHER_ROW)),
    "killed-at-verify": Broken("verify", "", builds(at_step("verify", DIE))),
    "hangs-at-verify": Broken("verify", "", builds(at_step("verify", HANG))),
    "raises-at-verify": Broken("verify", "no space", builds(at_step("verify", RAISE))),
    "killed-at-commit": Broken("commit", "", builds(at_step("commit", DIE))),
    "hangs-at-commit": Broken("commit", "", builds(at_step("commit", HANG))),
}
"""None of them costs anybody a line, and the host before serves on."""
SLOW: Mapping[str, Broken] = {
    "hangs-at-boot": Broken("boot", "no sign of life", boots(HANG)),
    "hangs-at-prepare": Broken("prepare", "no sign of life", prepares(HANG)),
}
"""Those that take the supervisor's patience."""


def no_program(halls: Halls) -> Path:
    """A file that may be executed, and is nothing of the kind."""
    path = halls.fresh("program")
    path.write_bytes(b"\x7fELFnothing")
    path.chmod(0o755)
    return path


def exe_of(pid: int) -> str:
    """The file that a process runs."""
    return os.readlink(f"/proc/{pid}/exe")
