"""Movement plans: what a movement will do, as data, before it does anything.

A plan has exactly one commit. Left of it, failure means that the old side carries on, and nothing has
changed. Right of it, the plan only rolls forward. The steps' names are those of docs/protocols.md; fault
points, reports and events say them too. Prior art: Erlang/OTP's release_handler, point_of_no_return.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from perdure.errors import ContractError
from perdure.ports import FaultPoint


class Step(NamedTuple):
    """One step of a plan; `commits` for the one that cannot be taken back."""

    name: str
    commits: bool = False


class Plan(NamedTuple):
    """The steps of a movement, in order."""

    movement: str
    steps: tuple[Step, ...]


RELOAD = Plan(
    "reload",
    (Step("capture"), Step("build"), Step("store"), Step("record", commits=True), Step("swap"), Step("retire")),
)
"""Reload: read the sources; load them aside; store them; record that they serve; swap room by room; let go of the old.

After the commit each room is swapped at a quiescent point of its own; one that refuses keeps its code.
"""

COPYOVER = Plan(
    "copyover",
    (
        *(Step("build"), Step("boot"), Step("prepare"), Step("stop"), Step("offer"), Step("verify")),
        *(Step("commit", commits=True), Step("route"), Step("release")),
    ),
)
"""Copyover: build and boot the successor; let it prove every room; then, room by room, the steps of a move.

The first room's commit is the copyover's. After it a room whose own move fails stays, and the others follow.
"""


def split_at_commit(plan: Plan) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Cut a plan at its commit.

    Returns:
        (reversible, binding). reversible may be empty; binding[0] commits.

    Raises:
        ContractError: No step commits, or more than one does.
    """
    commits = [index for index, step in enumerate(plan.steps) if step.commits]
    if len(commits) != 1:
        raise ContractError(f"the plan {plan.movement} commits {len(commits)} times; a movement commits once.")
    return plan.steps[: commits[0]], plan.steps[commits[0] :]


class Course:
    """One movement under way: takes the steps of its plan in order, and times them.

    Args:
        fault: Asked as ``MOVEMENT:STEP`` when a step begins.
        clock_s: A clock in seconds that only rises.

    Attributes:
        taken: (step, milliseconds) of those that are done.
    """

    def __init__(self, plan: Plan, fault: FaultPoint, clock_s: Callable[[], float]) -> None:
        self._plan, self._fault, self._clock_s = plan, fault, clock_s
        self._reversible = {step.name for step in split_at_commit(plan)[0]}
        self._next = 0
        self.taken: list[tuple[str, float]] = []

    @property
    def committed(self) -> bool:
        """Whether the commit is done: from then on the movement only rolls forward."""
        return any(name not in self._reversible for name, _ in self.taken)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the step. Steps may be left out, but not come out of order."""
        names = [step.name for step in self._plan.steps]
        assert name in names[self._next :], f"{name} is not ahead in {self._plan.movement}"
        self._next = names.index(name) + 1
        self._fault(f"{self._plan.movement}:{name}")
        began_s = self._clock_s()
        yield
        self.taken.append((name, round((self._clock_s() - began_s) * 1e3, 3)))
