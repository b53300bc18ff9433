"""Source to code, imports and texts; also the script of the process that compiles beside a host.

Compiling holds the interpreter's lock: 2,800 lines stall every other thread for some 40 ms. So it is done in
a process of its own, which this file is as a script: standard library only, nothing of Perdure, started as
``python -I -S compiler.py``. It answers one request after another on its pipes and ends when they close. It
never runs what it compiles.

A message is a length (4 bytes, network order) and so many bytes of `marshal`. A request is (path, source), an
answer what `compiled` returns.
"""

from __future__ import annotations

import ast
import marshal
import os
import signal
import struct
import sys
import warnings
from collections.abc import Iterator
from types import CodeType
from typing import Any, TypeAlias

NICE = 5
"""Whoever waits for a reload waits a little longer; players do not."""
MEMORY_BYTES_MAX = 2 << 30
"""Of the process's addresses: a source that needs more for compiling is refused, and does no harm."""

FoundImport: TypeAlias = tuple[int, str, tuple[str, ...], bool]
"""Dots in front, module, names taken from it, whether a whole package becomes reachable by a name."""
Answer: TypeAlias = tuple[CodeType, tuple[FoundImport, ...], tuple[str, ...]] | tuple[str, int]
"""(code, imports, texts ending in .toml), or what is wrong in one line and the 1-based line of the source."""

_LENGTH = struct.Struct("!I")
HEAD_BYTES = _LENGTH.size


def compiled(path: str, data: bytes) -> Answer:
    """Compile one source. Whatever is wrong with it is an answer."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data, path)
            code = compile(tree, path, "exec", dont_inherit=True)
        return code, tuple(dict.fromkeys(_imports(tree))), _texts(tree)
    except SyntaxError as error:
        return _refused(data, error.msg, error.lineno)
    except (RecursionError, MemoryError, OverflowError):
        return _refused(data, "too deeply nested, or too large, to be compiled", None)
    except (ValueError, SystemError) as error:  # null bytes; what the parser of some version gives up on
        return _refused(data, str(error), None)


def _refused(data: bytes, message: str, line: int | None) -> tuple[str, int]:
    if b"\0" in data:
        return "the file holds null bytes: it is no text, or only half of one", _line_of(data, data.index(b"\0"))
    if "codec can't decode" in message or not line:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            what = f"byte 0x{data[error.start]:02x} is not UTF-8. Save the file as UTF-8"
            return what, _line_of(data, error.start)
    return " ".join(message.split()), line or 1


def _line_of(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _imports(tree: ast.AST) -> Iterator[FoundImport]:
    """Every import statement, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name, (), alias.asname is None
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield node.level, node.module or "", names, "*" in names


def _texts(tree: ast.AST) -> tuple[str, ...]:
    """The string literals that may name data files."""
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return tuple(sorted({text for text in constants if isinstance(text, str) and text.endswith(".toml")}))


def message(value: Any) -> bytes:
    """A value as one message."""
    data = marshal.dumps(value)
    return _LENGTH.pack(len(data)) + data


def body_bytes(head: bytes) -> int:
    """How much follows the first HEAD_BYTES of a message."""
    length: int = _LENGTH.unpack(head)[0]
    return length


def main() -> None:
    """Answer requests until there are no more."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal means the host, which closes the pipes
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := requests.read(HEAD_BYTES):
        path, data = marshal.loads(requests.read(body_bytes(head)))  # noqa: S302  (from the process that started this)
        answers.write(message(compiled(path, data)))
        answers.flush()


if __name__ == "__main__":
    main()
