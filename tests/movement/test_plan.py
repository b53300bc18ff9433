"""Plans: one commit each, and steps that are taken in order."""

from __future__ import annotations

import pytest

from perdure.errors import ContractError
from perdure.faults import POINTS
from perdure.movement.plan import RELOAD, Course, Plan, Step, split_at_commit


def seconds() -> float:
    return 0.0


def test_a_reload_can_be_taken_back_until_it_is_recorded() -> None:
    """What is left of the commit touches nothing that runs (P2)."""
    reversible, binding = split_at_commit(RELOAD)
    assert [step.name for step in reversible] == ["capture", "build", "store"]
    assert binding[0] == Step("record", commits=True)


@pytest.mark.parametrize("commits", [0, 2])
def test_a_plan_commits_exactly_once(commits: int) -> None:
    """Two points of no return are none."""
    with pytest.raises(ContractError, match=f"commits {commits} times"):
        split_at_commit(Plan("odd", (Step("a"), *[Step("b", commits=True)] * commits)))


def test_every_step_of_a_reload_is_a_fault_point() -> None:
    """So a test can make each of them fail in a real process."""
    assert {f"reload:{step.name}" for step in RELOAD.steps} <= POINTS.keys()


def test_a_course_asks_the_fault_point_of_each_step_and_times_it() -> None:
    """Steps that are left out are not taken."""
    asked: list[str] = []
    course = Course(RELOAD, asked.append, iter([0.0, 0.25, 1.0, 1.5]).__next__)
    with course.step("capture"):
        pass
    assert not course.committed
    with course.step("record"):
        pass
    assert asked == ["reload:capture", "reload:record"]
    assert (course.taken, course.committed) == ([("capture", 250.0), ("record", 500.0)], True)


def test_a_step_that_fails_is_not_taken() -> None:
    """A commit that raised did not commit."""
    course = Course(RELOAD, lambda _: None, seconds)
    with pytest.raises(OSError), course.step("record"):
        raise OSError
    assert not course.taken
    assert not course.committed


def test_steps_do_not_come_out_of_order() -> None:
    """Nor twice."""
    course = Course(RELOAD, lambda _: None, seconds)
    with course.step("store"):
        pass
    for name in ("build", "store", "unheard-of"):
        with pytest.raises(AssertionError), course.step(name):
            pass
