"""The build command of a copyover: run before anything else, outside of every freeze, its output shown."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from perdure.supervisor.instance import first_of
from perdure.supervisor.output import Output
from perdure.supervisor.plain import plain
from perdure.supervisor.processes import BOOT, Processes

BUILD_S = 3600.0
"""A build that takes longer than an hour hangs."""
LINES_MAX = 200
"""Lines that are shown while it runs; STATE/logs/build.log has all of them."""
LINE_CHARS_MAX = 500


class Lines:
    """Cuts output into lines and tells the first of them.

    Args:
        told: Called with each line, without controls.
    """

    def __init__(self, told: Callable[[str], object]) -> None:
        self._told, self._rest, self._left = told, b"", LINES_MAX

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-4 * LINE_CHARS_MAX :]
        for line in lines:
            self._tell(line)

    def end(self) -> None:
        """Nothing follows."""
        if self._rest:
            self._tell(self._rest)

    def _tell(self, line: bytes) -> None:
        if self._left > 0:
            self._told(plain(line.decode(errors="replace"))[:LINE_CHARS_MAX])
        elif self._left == 0:
            self._told("… the rest of it stands in logs/build.log of the state folder.")
        self._left -= 1


class Builder:
    """Runs build commands, one at a time.

    Args:
        state: The state folder; `logs` in it exists.
        environ: The environment of all processes.
        told: Called with lines of the output.
    """

    def __init__(
        self,
        processes: Processes,
        state: Path,
        environ: Mapping[str, str],
        told: Callable[[str], object],
        *,
        deadline_s: float = BUILD_S,
    ) -> None:
        self._processes, self._state, self._told, self._deadline_s = processes, state, told, deadline_s
        self._environ = {name: value for name, value in environ.items() if name != "PERDURE_FAULT"}

    async def __call__(self, command: Sequence[str], project: Path) -> str:
        """Run the command in the project's folder; returns why it failed, "" if it did not.

        Nothing of it is left afterwards, nor when this is cancelled (FM-16).
        """
        lines = Lines(self._told)
        output = Output(self._state / "logs" / "build.log", told=lines.feed)
        incarnation = f"build-{secrets.token_hex(8)}"
        try:
            return await self._run(command, project, incarnation, output)
        finally:
            await self._processes.kill_descendants(of=incarnation)
            output.close()
            lines.end()

    async def _run(self, command: Sequence[str], project: Path, incarnation: str, output: Output) -> str:
        boot = msgspec.json.encode({"incarnation": incarnation, "state": str(self._state)}).decode()
        writing = output.open_pipe()
        try:
            env = {**self._environ, BOOT: boot}
            process = self._processes.start(incarnation, command, env, (), writing, folder=project)
        except OSError as error:
            return f"the build command {command[0]!r} could not be started: {error.strerror or error}."
        finally:
            os.close(writing)
        try:
            await first_of(process.wait(), timeout_s=self._deadline_s)
            if process.exit is None:
                return f"the build was not done after {self._deadline_s:g} s, and was ended."
        finally:
            process.kill()
        last = plain(output.tail().strip().rpartition("\n")[2])[:LINE_CHARS_MAX]
        ended = process.exit
        if ended.code == 0:
            return ""
        return f"the build {ended}" + (f"; the last that it said: {last}" if last else ", and said nothing") + "."
