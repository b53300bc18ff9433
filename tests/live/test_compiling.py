"""Compiling, in this process and beside it: the same answers, and no source hurts who asks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from perdure.live import compiler
from perdure.live.compiling import Compiled, CompileHelper, Compiler, Imported, NotCompiled, compile_here
from perdure.live.sources import Source


@pytest.fixture(scope="module")
def helper() -> Iterator[CompileHelper]:
    helper = CompileHelper(deadline_s=60)
    yield helper
    helper.close()


@pytest.fixture(params=["here", "helper"])
def compiling(request: pytest.FixtureRequest, helper: CompileHelper) -> Compiler:
    return compile_here if request.param == "here" else helper


def source(data: bytes | str, name: str = "items") -> Source:
    return Source(name, Path(f"/games/mud/{name}.py"), data.encode() if isinstance(data, str) else data, False)


def test_code_imports_and_texts_come_out(compiling):
    """Imports wherever they stand, also in functions and under TYPE_CHECKING; texts that name data files."""
    text = """
import mud.items, mud.pets as pets
from . import places
from ..zoo import cat as c, dog
from mud import *
if TYPE_CHECKING:
    from .late import One
def f():
    from . import inner
KINDS = data("creatures.toml", dict)
OTHER = "maps/town.toml", "a.txt"
"""
    [found] = compiling([source(text)])
    assert isinstance(found, Compiled)
    assert set(found.imports) == {
        Imported(0, "mud.items", (), True),
        Imported(0, "mud.pets", (), False),
        Imported(1, "", ("places",), False),
        Imported(2, "zoo", ("cat", "dog"), False),
        Imported(0, "mud", ("*",), True),
        Imported(1, "late", ("One",), False),
        Imported(1, "", ("inner",), False),
    }
    assert found.texts == ("creatures.toml", "maps/town.toml")
    assert found.code.co_filename == "/games/mud/items.py"


def test_what_was_compiled_runs(compiling):
    """Names, line numbers and docstrings are those of the source."""
    [found] = compiling([source('"""Doc."""\nx = 1\ny = x / 0\n')])
    assert isinstance(found, Compiled)
    space: dict[str, object] = {}
    with pytest.raises(ZeroDivisionError) as caught:
        exec(found.code, space)
    assert (space["x"], space["__doc__"], caught.traceback[-1].lineno + 1) == (1, "Doc.", 3)


WRONG = {
    "syntax": (b"x = 1\ny = (\nz = 2\n", 2, "'(' was never closed"),
    "end": (b"x = 1\ndef f(", 2, "'(' was never closed"),
    "indentation": (b"if 1:\nx = 1\n", 2, "expected an indented block"),
    "string": (b"x = 1\ny = '''\n\n", 2, "unterminated triple-quoted string"),
    "null bytes": (b"x = 1\ny = 2\0\n", 2, "null bytes"),
    "encoding": (b"x = 1\n\ny = '\xff'\n", 3, "byte 0xff is not UTF-8. Save the file as UTF-8"),
    "unknown encoding": (b"# coding: nope\n", 1, "unknown encoding: nope"),
    "parentheses": (b"(" * 100_000, 1, "too many nested parentheses"),
    "nesting": (b"x = " + b"-" * 100_000 + b"1", 1, "too deeply nested"),
    "sum": (b"x = " + b"1+" * 50_000 + b"1", 1, "too deeply nested"),
    "levels": (b"".join(b" " * n + b"if 1:\n" for n in range(150)), None, "too many levels of indentation"),
    "scope": (b"def f():\n    nonlocal z\n", 2, "no binding for nonlocal 'z'"),
    "outside": (b"x = 1\nreturn x\n", 2, "'return' outside function"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_source_is_said_in_one_line(compiling, wrong):
    """With its file and line; and the next source compiles as if nothing had been (FM-44, FM-50)."""
    data, line, message = WRONG[wrong]
    failed, well = compiling([source(data), source("x = 1", "other")])
    assert isinstance(failed, NotCompiled)
    assert isinstance(well, Compiled)
    assert failed.file == "/games/mud/items.py"
    assert line is None or failed.line == line
    assert message in failed.message
    assert "\n" not in failed.message


def test_nothing_that_is_compiled_runs(helper, tmp_path):
    """Not in the helper either."""
    trace = tmp_path / "trace"
    assert isinstance(helper([source(f"open({str(trace)!r}, 'w')")])[0], Compiled)
    assert not trace.exists()


def test_the_same_source_is_compiled_once(compiling):
    """By path and bytes; what is asked for in turn while a reload is tried is not forgotten in between."""
    one, two = source("x = 1"), source("x = 2")
    first = compiling([one, two])
    again = compiling([source("x = 1"), source("x = 2")])
    assert [id(found) for found in first] == [id(found) for found in again]
    elsewhere = compiling([source("x = 1", "pets")])
    assert elsewhere[0].code.co_filename == "/games/mud/pets.py"


def test_old_versions_are_forgotten(compiling):
    """A thousand edits of a file leave no more than a few of them in memory (FM-49)."""
    first = compiling([source("x = 'first'")])[0]
    for number in range(5):
        compiling([source(f"x = {number}")])
    assert compiling([source("x = 'first'")])[0] is not first


def test_a_helper_that_was_killed_is_replaced():
    """By the system for want of memory, or by somebody: the next source compiles (FM-50)."""
    helper = CompileHelper(deadline_s=60)
    try:
        assert isinstance(helper([source("x = 1")])[0], Compiled)
        killed = helper.pid
        assert killed is not None
        assert killed > 1
        os.kill(killed, signal.SIGKILL)
        assert isinstance(helper([source("x = 2")])[0], Compiled)
        assert helper.pid != killed
    finally:
        helper.close()


def test_a_source_that_takes_too_long_is_refused_and_the_helper_replaced():
    """A deadline for each source; afterwards the same source may succeed, so the refusal is not remembered."""
    helper = CompileHelper(deadline_s=60)
    try:
        assert isinstance(helper([source("x = 1")])[0], Compiled)
        stopped = psutil.Process(helper.pid)
        stopped.suspend()
        helper.deadline_s = 0.05
        failed = helper([source("x = 2")])[0]
        assert isinstance(failed, NotCompiled)
        assert failed.message == "takes longer than 0.05 s to compile"
        assert not stopped.is_running()
        helper.deadline_s = 60
        assert isinstance(helper([source("x = 2")])[0], Compiled)
    finally:
        helper.close()


def test_the_helper_is_polite_and_leaves_nothing_behind():
    """Niced, started when it is first needed, gone when it is closed (FM-16, FM-52)."""
    helper = CompileHelper(deadline_s=60)
    assert helper.pid is None
    helper([source("x = 1")])
    process = psutil.Process(helper.pid)
    assert process.nice() == compiler.NICE
    helper.close()
    assert not process.is_running()
    helper.close()


def test_the_helper_ends_with_whoever_started_it():
    """Its pipes close, whatever killed the host (FM-52). It needs nothing but the standard library."""
    started = subprocess.Popen(
        [sys.executable, "-I", "-S", compiler.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert started.stdin is not None
    started.stdin.close()
    assert started.wait(60) == 0
    assert started.stdout is not None
    started.stdout.close()
