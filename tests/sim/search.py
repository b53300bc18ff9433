"""Breadth-first search of a scenario's executions; the first broken promise has a shortest execution."""

from __future__ import annotations

import gc
import random
from collections import deque
from typing import NamedTuple

from tests.sim import parts
from tests.sim.model import Model
from tests.sim.parts import Violation
from tests.sim.world import END_OF_LINK, Label, Scenario, World


class Found(NamedTuple):
    """What a search found.

    Attributes:
        states: How many different worlds were reached.
        ends: In how many of them nothing could go on.
        violation: "" or the broken promise, with the execution that breaks it.
        complete: Whether all worlds were reached.
    """

    states: int
    ends: int
    violation: str = ""
    complete: bool = True


def search(scenario: Scenario, *, states_max: int = 10_000_000) -> Found:
    """Every execution of the scenario, shortest first, up to the first that breaks a promise."""
    collecting = gc.isenabled()
    gc.disable()  # nothing of a search is in a cycle, and looking for cycles in it takes a third of the time
    try:
        return _search(scenario, states_max)
    finally:
        if collecting:
            gc.enable()


def _search(scenario: Scenario, states_max: int) -> Found:
    model = Model(scenario)
    first = model.first()
    origins: dict[World, tuple[World | None, Label]] = {first: (None, ())}
    queue = deque([first])
    ends = 0
    while queue:
        world = queue.popleft()
        try:
            going_on = False
            for label, after in model.next(world):
                going_on = True
                if after not in origins:
                    origins[after] = world, label
                    model.check(after)
                    queue.append(after)
            for label, after in model.trouble(world):
                if after not in origins:
                    origins[after] = world, label
                    model.check(after)
                    queue.append(after)
            if not going_on:
                ends += 1
                model.check_end(world)
        except (Violation, AssertionError, LookupError, TypeError, ValueError) as error:
            text = _told(_execution(origins, world), last=_last(model, world), error=error)
            return Found(len(origins), ends, text, complete=False)
        if len(origins) > states_max:
            return Found(len(origins), ends, complete=False)
    return Found(len(origins), ends)


def walk(scenario: Scenario, chance: random.Random, *, trouble: float = 0.08, steps_max: int = 5_000) -> Found:
    """One random execution, to its end."""
    model = Model(scenario)
    world = model.first()
    labels: list[Label] = []
    try:
        for number in range(steps_max):
            steps = list(model.next(world))
            troubles = list(model.trouble(world)) if not steps or chance.random() < trouble else []
            if not steps and not (troubles and chance.random() < 0.5):
                model.check_end(world)
                return Found(number, 1)
            label, world = chance.choice(troubles or steps)
            labels.append(label)
            model.check(world)
    except (Violation, AssertionError, LookupError, TypeError, ValueError) as error:
        return Found(len(labels), 0, _told(labels, last=_last(model, world), error=error), complete=False)
    return Found(steps_max, 0, f"still going on after {steps_max} steps", complete=False)


def _execution(origins: dict[World, tuple[World | None, Label]], world: World) -> list[Label]:
    labels: list[Label] = []
    at: World | None = world
    while at is not None:
        at, label = origins[at]
        labels.append(label)
    return labels[-2::-1]


def _last(model: Model, world: World) -> list[Label]:
    """What could happen in the last world up to, and without, what failed."""
    going_on: list[Label] = []
    labels = going_on
    try:
        for label, after in model.next(world):
            labels.append(label)
            model.check(after)
        labels = list(going_on)
        for label, after in model.trouble(world):
            labels.append(label)
            model.check(after)
    except Exception:  # noqa: BLE001  (the same failure again: it ends the list)
        return labels
    return going_on


def _told(labels: list[Label], *, last: list[Label], error: Exception) -> str:
    lines = [f"{type(error).__name__}: {error}", "after:"]
    lines += [f"{number:4}. {_line(label)}" for number, label in enumerate(labels, 1)]
    lines += ["then one of, the last that is listed or the one after it:" if last else "then nothing can go on"]
    lines += [f"      {_line(label)}" for label in last]
    return "\n".join(lines)


def _line(label: Label) -> str:
    return " ".join(_word(part) for part in label)


def _word(part: object) -> str:
    if part == END_OF_LINK and isinstance(part, bytes):
        return "the end of the link"
    if isinstance(part, bytes):
        return repr(parts.read_message(part))
    return str(part)
