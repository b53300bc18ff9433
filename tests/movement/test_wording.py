"""Words for people in reports and refusals."""

from __future__ import annotations

from perdure.movement.wording import unknown


def test_a_name_that_is_none_gets_the_nearest() -> None:
    """And what there is, since the nearest may be wrong."""
    assert unknown("room", "aren", ["world", "arena"]) == (
        "no room 'aren'. Did you mean arena? There are arena, world. Nothing was changed."
    )
    assert unknown("room", "xyz", ["arena"]) == "no room 'xyz'. The only one is arena. Nothing was changed."
    assert unknown("room", "xyz", []) == "no room 'xyz'. There is none. Nothing was changed."


def test_a_part_of_something_is_looked_for_in_that() -> None:
    """Whose names they are is said."""
    assert unknown("module", "foo", ["game"], of="tavern") == (
        "tavern has no module 'foo'. It has only game. Nothing was changed."
    )
    assert unknown("module", "tlak", ["shop", "talk"], of="mud") == (
        "mud has no module 'tlak'. Did you mean talk? It has shop, talk. Nothing was changed."
    )
    assert unknown("module", "foo", [], of="mud") == "mud has no module 'foo'. It has none. Nothing was changed."


def test_a_list_that_is_cut_says_so() -> None:
    """Nobody takes the first dozen for all."""
    names = [f"room-{number:02}" for number in range(13)]
    assert "room-11, …. Nothing" in unknown("room", "xyz", names)
    assert "room-11. Nothing" in unknown("room", "xyz", names[:12])
