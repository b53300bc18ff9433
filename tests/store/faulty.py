"""A fault point that fails where a test says, and real processes that stop the way a test says."""

import subprocess
import sys
from pathlib import Path


class Faults:
    """Fails the next calls of one fault point; counts all of them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._failing: dict[str, OSError] = {}

    def fail(self, name: str, number: int) -> None:
        """From now on point `name` fails with this error number."""
        self._failing[name] = OSError(number, "provoked")

    def heal(self) -> None:
        self._failing.clear()

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if name in self._failing:
            raise self._failing[name]


class Child:
    """A real Python process that runs `code`; it says what it did in lines."""

    def __init__(self, code: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent,
        )
        assert self.process.pid > 1

    def line(self) -> str:
        """The next line; "" when it has ended."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.process.pid > 1
        self.process.kill()
        self.end()

    def end(self) -> int:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code
