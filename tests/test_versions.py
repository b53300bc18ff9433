"""Ranges of versions: what two programs share, and what is said if that is nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perdure import versions
from perdure.versions import SPOKEN, Versions, overlap, refusal

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
    assert text == "the successor speaks link versions 3 to 4, and the running gateway version 2: they have none in common"


def test_every_range_is_its_own_version_and_at_most_the_one_before() -> None:
    """What is older is no promise, and its code is not kept."""
    ranges = [value for value in vars(versions).values() if isinstance(value, Versions)]
    assert len(ranges) >= len(SPOKEN)
    assert all(0 <= spoken.highest - spoken.lowest <= 1 for spoken in ranges)
