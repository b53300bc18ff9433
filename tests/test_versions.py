"""Ranges of versions: what two programs share, and what is said if that is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import versions
from perdure.versions import LINK, MOVING, NOTHING, SPOKEN, Versions, overlap, refusal, successor_refusal

RANGES = st.builds(Versions, st.integers(0, 6), st.integers(0, 6))


@given(RANGES, RANGES, st.integers(0, 6))
def test_a_version_is_shared_if_and_only_if_both_speak_it(ours: Versions, theirs: Versions, version: int) -> None:
    """Nobody is taken for somebody who speaks what they do not; a range that is none shares nothing (FM-97)."""
    common = overlap(ours, theirs)
    assert (common is not None and common.has(version)) == (ours.has(version) and theirs.has(version))


@given(RANGES, RANGES)
def test_both_sides_come_to_the_same_answer(ours: Versions, theirs: Versions) -> None:
    """Neither waits for a version that the other does not choose (FM-97)."""
    assert overlap(ours, theirs) == overlap(theirs, ours)
    assert bool(refusal("link", "a", ours, "b", theirs)) == (overlap(ours, theirs) is None)


def test_a_refusal_names_both_sides_and_what_they_speak() -> None:
    """Whoever reads it sees which of the two to replace (FM-97)."""
    text = refusal("link", "the successor", Versions(3, 4), "the running gateway", Versions(2, 2))
    assert text.startswith("the successor speaks link versions 3 to 4, and the running gateway version 2: ")


def test_every_range_is_its_own_version_and_at_most_the_one_before() -> None:
    """What is older is no promise, and its code is not kept."""
    ranges = [value for value in vars(versions).values() if isinstance(value, Versions)]
    ranges.remove(NOTHING)
    assert set(SPOKEN.values()) <= set(ranges)
    assert all(0 <= spoken.highest - spoken.lowest <= 1 for spoken in ranges)


def test_a_program_like_ours_may_take_over() -> None:
    """Every range overlaps with itself."""
    assert successor_refusal(SPOKEN, SPOKEN, SPOKEN) == ""


@pytest.mark.parametrize("what", SPOKEN)
def test_a_successor_that_speaks_only_future_versions_of_anything_is_refused(what: str) -> None:
    """Before it is given a copy of any room: one protocol out of four is enough (FM-31, FM-97)."""
    future = SPOKEN[what].highest + 1
    why = successor_refusal({**SPOKEN, what: [future, future + 1]}, SPOKEN, SPOKEN)
    assert f"the successor speaks {what} versions {future} to {future + 1}, " in why
    assert "Nothing was changed." in why


def test_a_successor_that_a_running_gateway_cannot_speak_to_is_refused() -> None:
    """The gateway is older than the supervisor's own table: what counts is what the running one said (FM-97)."""
    old = {"link": [LINK.lowest - 1, LINK.lowest - 1]}
    assert "the running gateway" in successor_refusal(SPOKEN, SPOKEN, {**SPOKEN, **old})


def test_a_program_that_says_nothing_of_itself_is_the_first_and_cannot_move_rooms() -> None:
    """It has no methods for that, neither as the old host nor as the successor (FM-97)."""
    for new, old, who in (
        ({}, SPOKEN, "the successor"),
        (SPOKEN, {}, "the old host"),
        (SPOKEN, {"control": []}, "old"),
    ):
        why = successor_refusal(new, old, SPOKEN)
        assert who in why
        assert f"moving rooms takes {MOVING}" in why


@pytest.mark.parametrize("odd", [[1], [1, 2, 3], [2, 1], [0, 0], [-5, -1]])
def test_what_is_no_range_is_refused(odd: list[int]) -> None:
    """A successor that talks nonsense is not taken for one that speaks everything (FM-31)."""
    for what in SPOKEN:
        assert successor_refusal({**SPOKEN, what: odd}, SPOKEN, SPOKEN)
