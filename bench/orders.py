"""Orders to a process that measures: one JSON line each, [WHAT, ARGUMENTS], answered with one JSON line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Self


class Ordered:
    """A process that follows orders, as the measurement sees it; a context manager.

    Args:
        module: Is run, and reads its orders from standard input.
        bufsize: Of the pipes; 0 for whoever waits for an answer with a deadline.
    """

    def __init__(self, module: str, *, bufsize: int = -1) -> None:
        self._module, self._bufsize = module, bufsize

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=self._bufsize
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()

    def order(self, what: str, **arguments: Any) -> Any:
        """Give an order and wait for its answer."""
        self.give(what, **arguments)
        return self.result()

    def give(self, what: str, **arguments: Any) -> None:
        """Give an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([what, arguments]).encode() + b"\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        """The answer to the oldest order without one.

        Raises:
            RuntimeError: The process has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} ended")
        return json.loads(line)


def follow(follower: object) -> None:
    """Be that process: each order is a method of `follower`, until there are no more.

    Standard input is read without a buffer, so that a method which waits for the next order sees it there.
    """
    with os.fdopen(0, "rb", buffering=0) as orders:
        while order := orders.readline():
            what, arguments = json.loads(order)
            print(json.dumps(getattr(follower, what)(**arguments)), flush=True)
