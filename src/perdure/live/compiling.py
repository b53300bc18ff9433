"""Compiled sources: in this process, or by a helper beside it that may die without harm.

Both remember what they compiled, by path and bytes: of each file the last few versions, because while a reload
is tried the last good one and the new one are asked for in turn.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType
from typing import NamedTuple, TypeAlias

from perdure.live import compiler
from perdure.live.sources import FILES_MAX, Source

DEADLINE_S = 10.0
"""For one source. Ten thousand lines take a fifth of a second."""
VERSIONS_MAX = 3
"""Remembered versions of one file: the last good one, the new one, and the one before if somebody goes back."""
PATHS_MAX = 4 * FILES_MAX


class Imported(NamedTuple):
    """One import statement's module.

    Attributes:
        level: Dots in front; 0 for an absolute import.
        module: The dotted name behind the dots; "" in `from . import a`.
        names: What is taken from it; ("*",) for everything; empty for `import a.b`.
        binds_package: Whether a name then reaches all that lies below a package: `import a.b` without `as`, which
            binds `a`, and `from a import *`.
    """

    level: int
    module: str
    names: tuple[str, ...]
    binds_package: bool


class Compiled(NamedTuple):
    """A source that compiled.

    Attributes:
        code: Of the module.
        imports: All import statements, also those inside functions.
        texts: String literals that end in ".toml", sorted.
    """

    code: CodeType
    imports: tuple[Imported, ...]
    texts: tuple[str, ...]


class NotCompiled(NamedTuple):
    """A source that did not: its file, the 1-based line, and why in one line."""

    file: str
    line: int
    message: str


Compiler: TypeAlias = Callable[[Sequence[Source]], list[Compiled | NotCompiled]]
"""One result for each source, in the same order. Blocks."""


class _Memory:
    """What was compiled before, by path and bytes. Any thread may ask."""

    def __init__(self, compile_one: Callable[[Source], tuple[Compiled | NotCompiled, bool]]) -> None:
        self._compile = compile_one
        self._known: dict[Path, dict[bytes, Compiled | NotCompiled]] = {}
        self._lock = threading.Lock()

    def results(self, sources: Sequence[Source]) -> list[Compiled | NotCompiled]:
        with self._lock:
            return [self._result(source) for source in sources]

    def _result(self, source: Source) -> Compiled | NotCompiled:
        versions = self._known.pop(source.path, {})
        self._known[source.path] = versions  # asked for last, so forgotten last
        result, lasting = (versions.pop(source.data), True) if source.data in versions else self._compile(source)
        if lasting:
            versions[source.data] = result
        if len(versions) > VERSIONS_MAX:
            del versions[next(iter(versions))]
        if len(self._known) > PATHS_MAX:
            del self._known[next(iter(self._known))]
        return result


def _result(source: Source, answer: compiler.Answer) -> Compiled | NotCompiled:
    if len(answer) == 2:
        return NotCompiled(str(source.path), answer[1], answer[0])
    code, imports, texts = answer
    return Compiled(code, tuple(Imported(*found) for found in imports), texts)


_here = _Memory(lambda source: (_result(source, compiler.compiled(str(source.path), source.data)), True))


def compile_here(sources: Sequence[Source]) -> list[Compiled | NotCompiled]:
    """Compile in this process, for tests and tools: it holds up all threads meanwhile."""
    return _here.results(sources)


class CompileHelper:
    """Compiles in a process of its own. It is started when it is first needed, and again after it died.

    Args:
        deadline_s: For one source. A source that takes longer is refused, and the process replaced.
    """

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self.deadline_s = deadline_s
        self._process: subprocess.Popen[bytes] | None = None
        self._memory = _Memory(self._compile)

    def __call__(self, sources: Sequence[Source]) -> list[Compiled | NotCompiled]:
        return self._memory.results(sources)

    @property
    def pid(self) -> int | None:
        """Of the process, if it was started."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process and wait for its end. The next source would start it again."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.communicate()

    def _compile(self, source: Source) -> tuple[Compiled | NotCompiled, bool]:
        """The result, and whether it would be the same again."""
        request = compiler.message((str(source.path), source.data))
        why = ""
        for _ in range(2):  # once more if the process was ended from outside, or by the source before
            try:
                answer = self._exchange(request)
            except TimeoutError:
                self.close()
                why = f"takes longer than {self.deadline_s:g} s to compile"
                break
            except (OSError, EOFError) as error:
                self.close()
                why = f"cannot be compiled now, the compiling process ended ({error})"
                continue
            return _result(source, answer), True
        return NotCompiled(str(source.path), 1, why), False

    def _exchange(self, request: bytes) -> compiler.Answer:
        process = self._process = self._process or _started()
        assert process.stdin is not None
        assert process.stdout is not None
        pipes = _Pipes(process.stdin.fileno(), process.stdout.fileno(), time.monotonic() + self.deadline_s)
        pipes.write(request)
        data = pipes.read(compiler.body_bytes(pipes.read(compiler.HEAD_BYTES)))
        answer: compiler.Answer = marshal.loads(data)  # noqa: S302  (from a process of our own, on a pipe of its own)
        return answer


def _started() -> subprocess.Popen[bytes]:
    optimized = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    command = [sys.executable, "-I", "-S", *optimized, compiler.__file__]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
    return process


class _Pipes(NamedTuple):
    """The two pipes of the process, both not blocking, until a deadline of the monotonic clock."""

    requests: int
    answers: int
    deadline: float

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(self.requests, select.POLLOUT)
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self.requests, rest) :]

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            self._wait(self.answers, select.POLLIN)
            part = os.read(self.answers, min(size, 1 << 20))
            if not part:
                raise EOFError("its pipe is closed")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _wait(self, pipe: int, event: int) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        left_s = self.deadline - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise TimeoutError
