"""`from perdure import …` is what games are written with, and costs nothing until it is used."""

import subprocess
import sys

import pytest

import perdure


def test_every_public_name_is_there():
    """What `__all__` promises can be imported, and `dir()` knows it."""
    for name in perdure.__all__:
        assert getattr(perdure, name).__name__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        perdure.nothing  # noqa: B018


def test_importing_perdure_imports_nothing_else():
    """A gateway and the command line do not pay for what games need."""
    code = "import sys, perdure; print([m for m in sys.modules if m.startswith(('perdure', 'msgspec', 'asyncio'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "['perdure']"
