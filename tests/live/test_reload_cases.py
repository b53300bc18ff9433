"""Every folder in tests/reload_cases: a small game, an edit, and what must hold after the reload."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reload_cases.case import Case, Found, find, names
from tests.reload_cases.ours import Perdure, check_report, loaded
from tests.reload_cases.playing import Played, asked_before, play, seen, verdict, write
from tests.reload_cases.rooms import Playing, RoomCase

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "reload-semantics.md"
LATER_S = 1_800_000_000.0
CASES = [find(name) for name in names()]
WITHOUT_ROOMS = [found for found in CASES if isinstance(found.case, Case)]
WITH_ROOMS = [found for found in CASES if isinstance(found.case, RoomCase)]


@pytest.fixture(scope="module", autouse=True)
def freeze() -> Iterator[None]:
    """What was there before any game does not take the collector's time, as in a host."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def named(found: Found) -> str:
    return found.name


def check_sights(case: Case, played: Played) -> None:
    for sees in case.sights:
        if asked_before(sees):
            assert played.before[sees.expression] == repr(sees.before), f"{sees.expression}, before the edit"
        assert played.after[sees.expression] == repr(sees.with_perdure), f"{sees.expression}, after the edit"


@pytest.mark.parametrize("found", WITHOUT_ROOMS, ids=named)
def test_what_is_held_and_what_is_looked_up_is_as_the_case_says(found: Found, tmp_path: Path) -> None:
    """And so is the report; nothing of the replaced code is alive when nobody holds it (FM-42, FM-44…47, FM-49)."""
    already, case = loaded(), found.case
    perdure = Perdure(case.body_s, holds=bool(case.hold) and case.says_so)
    played = play(found, tmp_path, perdure)
    check_sights(case, played)
    check_report(perdure.built, case.report)
    perdure.let_go()
    if not case.outlives:
        assert not perdure.remains.alive()
    perdure.end()
    assert not perdure.remains.alive()
    assert loaded() == already


@pytest.mark.parametrize("found", WITHOUT_ROOMS, ids=named)
def test_taking_an_edit_back_is_a_reload_like_any_other(found: Found, tmp_path: Path) -> None:
    """Back, and there again: the second and the third reload do what the first one did (FM-30, FM-89)."""
    case = found.case
    perdure = Perdure(case.body_s, holds=bool(case.hold) and case.says_so)
    play(found, tmp_path, perdure)
    asked = [sees for sees in case.fresh if not case.hold and sees.with_perdure == sees.after]
    perdure.reload(write(tmp_path, found.before, time_s=LATER_S))
    assert not perdure.built.failed
    assert not perdure.built.held
    gc.collect()
    assert [seen(sees, perdure, {}) for sees in asked] == [repr(sees.before) for sees in asked]
    perdure.reload(write(tmp_path, found.after, time_s=LATER_S + 10))
    check_report(perdure.built, case.report, warnings=False)
    gc.collect()
    assert [seen(sees, perdure, {}) for sees in asked] == [repr(sees.after) for sees in asked]
    perdure.end()


@pytest.mark.parametrize("found", WITH_ROOMS, ids=named)
def test_a_room_goes_on_as_the_case_says(found: Found, tmp_path: Path) -> None:
    """Players, rows, timers and questions stay; nothing of the replaced code is alive (FM-20, FM-24, FM-45…51)."""
    already = loaded()
    playing = Playing(found, tmp_path)
    try:
        playing.play()
    finally:
        playing.close()
    remains = playing.remains
    del playing
    assert not remains.alive()
    assert loaded() == already


@pytest.mark.parametrize("found", CASES, ids=named)
def test_the_page_says_of_each_case_what_holds(found: Found) -> None:
    """Its column for Perdure is what the cases state; `python -m bench.semantics --write` makes it anew."""
    case, page = found.case, PAGE.read_text()
    assert f"- **{case.row}** (`{found.name}`): {found.about}\n" in page
    (row,) = (line for line in page.splitlines() if line.startswith(f"| {case.row} |"))
    stated = case.holds if isinstance(case, RoomCase) else verdict(case, stated_for_perdure(case))
    assert row.endswith(f"| {stated} |")


def stated_for_perdure(case: Case) -> Played:
    """What a run comes to that is as the case says."""
    after = {sees.expression: repr(sees.with_perdure) for sees in case.sights}
    return Played({}, after, [message for _, _, message in case.report.failed])
