"""Questions to the outside: each gets one answer, whatever its function does and whichever host hears it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.host.hosting import ANN, Gate, Unspeakable, World, began


def raising() -> None:
    raise ValueError("no luck")


def leaving() -> None:
    sys.exit(1)


def speechless() -> None:
    raise Unspeakable


def surrogate() -> None:
    raise ValueError("\ud800")


async def leaving_async() -> None:
    sys.exit(1)


async def cancelling() -> None:
    raise asyncio.CancelledError


async def value() -> list[int]:
    await asyncio.sleep(0)
    return [1, 2]


def answers(diary: list[str]) -> list[str]:
    return [line for line in diary if line.startswith("answer")]


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (lambda: "fine", "answer ok fine"),
        (value, "answer ok [1, 2]"),
        (raising, "answer error ValueError: no luck"),
        (leaving, "answer error SystemExit: 1"),
        (leaving_async, "answer error SystemExit: 1"),
        (cancelling, "answer error CancelledError: "),
        (speechless, "answer error Unspeakable"),
        (surrogate, "answer error ValueError: ?"),
        (object, "answer error TypeError: Encoding objects of type object is unsupported"),
    ],
)
def test_a_question_is_answered_whatever_its_function_does(
    tmp_path: Path, function: Callable[[], Any], answer: str
) -> None:
    """An error is an answer, never silence, and never the host's end."""
    world = World(tmp_path)
    world.toy.functions["it"] = function
    life, gateway = began(world)
    with life:
        gateway.type("ask it")
        life.until(lambda: answers(life.diary()))
        life.settle()
        assert answers(life.diary()) == [answer]
        assert gateway.read[ANN][-1] == answer


def test_a_function_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The code may have changed since it was asked."""
    life, gateway = began(World(tmp_path))
    with life:
        gateway.type("ask nobody")
        life.until(lambda: answers(life.diary()))
        assert answers(life.diary()) == ["answer error KeyError: 'nobody'"]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_question_that_takes_too_long_is_answered_with_a_timeout(tmp_path: Path, blocking: bool) -> None:
    """And what its function says later is nobody's."""
    world = World(tmp_path)
    gate = Gate()
    never = asyncio.Event()
    world.toy.functions["it"] = gate.wait if blocking else never.wait
    life, gateway = began(world)
    with life:
        gateway.type("ask it")
        life.advance(4.5)
        assert answers(life.diary()) == []
        life.advance(1)
        assert answers(life.diary()) == ["answer timeout None"]
        gate.set()
        life.settle()
        assert answers(life.diary()) == ["answer timeout None"]


def test_after_a_crash_a_question_is_asked_again_or_answered_as_interrupted(tmp_path: Path) -> None:
    """(FM-28) What may be asked twice is; for the rest, nobody can know. Each gets one answer, from any host."""
    world = World(tmp_path)
    gate = Gate()
    world.toy.functions["it"] = gate.wait
    life, gateway = began(world)
    gateway.type("ask it", "again it")
    gate.set()
    life.crash()
    world.life(start=False).crash()
    calls: list[int] = []
    world.toy.functions["it"] = lambda: calls.append(1)
    with world.life() as life:
        life.until(lambda: len(answers(life.diary())) == 2)
        assert sorted(answers(life.diary())) == ["answer interrupted None", "answer ok None"]
        assert calls == [1]
    with world.life() as life:
        life.settle()
        assert len(answers(life.diary())) == 2
        assert calls == [1]


def test_a_clean_stop_does_not_wait_for_answers(tmp_path: Path) -> None:
    """They are the next host's."""
    world = World(tmp_path)
    gate = Gate()
    world.toy.functions["it"] = gate.wait
    life, gateway = began(world)
    gateway.type("again it")
    threading.Timer(0.2, gate.set).start()
    life.stop()
    world.toy.functions["it"] = lambda: "now"
    with world.life() as life:
        life.until(lambda: answers(life.diary()))
        assert answers(life.diary()) == ["answer ok now"]
