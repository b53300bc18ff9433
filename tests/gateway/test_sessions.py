"""The table of a session's stages."""

from typing import get_args

import pytest

from perdure.gateway.client import Client
from perdure.gateway.login import Dialogue
from perdure.gateway.sessions import MOVES, NOTICES_MAX, Happening, Session, Stage
from perdure.gateway.wire import Held, size
from perdure.room.record import Text

STAGES: tuple[Stage, ...] = get_args(Stage)


class Nobody(Client):
    """A client without a socket: these sessions only keep it."""

    def __init__(self) -> None:
        pass


def session() -> Session:
    return Session("gateway.1.1", Nobody(), Dialogue("Test"), 0.0)


def test_every_stage_leads_to_the_end_and_nothing_leads_out_of_it() -> None:
    """No session can be stuck, none comes back from the dead."""
    reached: set[Stage] = {"over"}
    for _ in STAGES:
        reached |= {before for (before, _), after in MOVES.items() if after in reached}
    assert reached == set(STAGES)
    assert all(before != "over" for before, _ in MOVES)


def test_every_stage_and_happening_has_a_use() -> None:
    """A row that nothing reaches would be a claim that nobody checks."""
    assert {happening for _, happening in MOVES} == set(get_args(Happening))
    assert {"greeting", *MOVES.values()} == set(STAGES)


def test_a_connection_can_be_lost_in_every_stage_that_has_one() -> None:
    """Only a link-dead session has none to lose, only an ended one does not care (FM-15)."""
    assert {before for before, happening in MOVES if happening == "dropped"} == set(STAGES) - {"link-dead", "over"}


def test_what_the_table_does_not_list_cannot_happen() -> None:
    """A player at the password prompt is not logged in by anything but the login (FM-1)."""
    it = session()
    with pytest.raises(KeyError):
        it.happened("entered")
    assert it.stage == "greeting"


def test_what_was_taken_and_not_sent_comes_back_in_order() -> None:
    """A text that reached no socket is shown before all that follow it."""
    it = session()
    for m in (1, 2, 3):
        it.hold(1, m, Text(str(m)))
    it.put_back([it.take(), it.take()])
    assert list(it.held) == [Held(m, 1, m, Text(str(m))) for m in (1, 2, 3)]
    assert it.held_bytes == sum(size(held.text) for held in it.held)


def test_notices_for_an_absent_player_are_bounded_and_numbered_texts_are_never_dropped() -> None:
    """Only what the room would send again may be kept without bound."""
    it = session()
    for m in range(100):
        it.hold(0, 0, Text("notice"))
        it.hold(1, m + 1, Text("text"))
    assert sum(held.m == 0 for held in it.held) == NOTICES_MAX
    assert [held.m for held in it.held if held.m] == list(range(1, 101))
