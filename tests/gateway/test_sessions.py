"""The table of a session's stages."""

from typing import get_args

import pytest

from perdure.gateway.client import Client
from perdure.gateway.login import Dialogue
from perdure.gateway.sessions import HISTORY_BYTES_MAX, MOVES, NOTICES_MAX, Happening, Session, Stage
from perdure.gateway.wire import KEPT_BYTES, Held
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
    assert it.held_bytes == sum(held.size_bytes for held in it.held)


def test_notices_for_an_absent_player_are_bounded_and_numbered_texts_are_never_dropped() -> None:
    """Only what the room would send again may be kept without bound."""
    it = session()
    for m in range(100):
        it.hold(0, 0, Text("notice"))
        it.hold(1, m + 1, Text("text"))
    assert sum(held.m == 0 for held in it.held) == NOTICES_MAX
    assert [held.m for held in it.held if held.m] == list(range(1, 101))


def test_packages_and_prompts_for_an_absent_player_are_no_notices() -> None:
    """However many texts wait, how things stand is not dropped."""
    it = session()
    for _ in range(NOTICES_MAX + 10):
        it.hold(0, 0, Text("notice"))
    it.hold(0, 0, Text("", gmcp=("Char.Vitals", b"{}")))
    it.hold(0, 0, Text("", prompt="> "))
    assert [held.text.prompt for held in it.held][-1] == "> "
    assert len(it.held) == NOTICES_MAX + 2


def test_a_notice_that_was_taken_and_not_sent_counts_again() -> None:
    """The bound is that of all that wait, wherever they were meanwhile."""
    it = session()
    for _ in range(NOTICES_MAX):
        it.hold(0, 0, Text("notice"))
    it.put_back([it.take() for _ in range(NOTICES_MAX)], "the rest of a text")
    it.hold(0, 0, Text("one more"))
    assert [held.text.text for held in it.held] == ["the rest of a text", *["notice"] * NOTICES_MAX]
    assert it.held_bytes == sum(held.size_bytes for held in it.held)


def shown(it: Session, count: int, characters: int) -> None:
    """So many texts that the client has."""
    for m in range(1, count + 1):
        it.hold(1, m, Text("x" * characters))
        it.shown(it.take())


def test_a_session_without_a_token_keeps_no_history() -> None:
    """Nobody can ask for it: 64 KiB of each telnet player would be for nothing (FM-17)."""
    it = session()
    shown(it, 5, 80)
    assert it.history() == []
    it.resumable = True
    shown(it, 5, 80)
    assert [held.again for held in it.history()] == [True] * 5
    it.forget_history()
    assert it.history() == []


@pytest.mark.parametrize("characters", [1, 80, 5000])
def test_the_history_is_bounded_by_what_it_takes_to_keep(characters: int) -> None:
    """Short texts cost memory, too: each counts 128 bytes beside its characters (FM-17)."""
    it = session()
    it.resumable = True
    fit = HISTORY_BYTES_MAX // (KEPT_BYTES + characters)
    shown(it, fit, characters)
    assert len(it.history()) == fit
    shown(it, 3, characters)
    assert [held.m for held in it.history()][-3:] == [1, 2, 3]
    assert len(it.history()) == fit
    assert KEPT_BYTES == 128


def test_what_a_page_is_shown_again_is_not_put_back() -> None:
    """It is in the history already, and would be shown twice."""
    it = session()
    it.resumable = True
    shown(it, 2, 10)
    it.hold(1, 3, Text("new"))
    it.put_back([*it.history(), it.take()])
    assert [held.m for held in it.held] == [3]
    for held in [*it.history(), it.take()]:
        it.shown(held)
    assert [held.m for held in it.history()] == [1, 2, 3]
