"""Files as editors save them, with news from the kernel and without: content decides, and half of a file is none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import pytest

from tests.e2e.edits import Played, overwrite, playing, replace

PIECES = 6
TYPED_S = 0.05
"""How long a slow writer takes for each piece; much longer than any burst of news lasts."""


@pytest.fixture(params=[True, "poll"], ids=["notified", "polled"], scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A village that is watched; one for all tests here, so each leaves whole files behind."""
    with playing(tmp_path_factory.mktemp("v"), watch=request.param) as played:
        yield played


@contextmanager
def nothing_fails(played: Played) -> Iterator[None]:
    """What is saved inside is live in the end, and no report tells of a failure."""
    since = len(played.news.events)
    yield
    played.probe.wait(played.village.marks)
    assert [event["text"] for event in played.news.events[since:] if event["kind"] != "reloaded"] == []
    assert [event["text"] for event in played.news.events[since:] if event["report"]["failed"]] == []
    assert played.probe.mixed == []


def test_a_file_that_is_renamed_over_the_old_one_is_live(played: Played) -> None:
    """As vim and most others save, again and again (FM-43)."""
    for _ in range(3):
        with nothing_fails(played):
            played.village.edit("words", replace)


def test_a_file_that_is_written_slowly_is_never_tried_by_halves(played: Played) -> None:
    """Emptied first, then written piece by piece: what is there in between would load, or fail (FM-43)."""

    def slowly(path: Path, text: str) -> None:
        size = -(-len(text) // PIECES)
        with path.open("w") as file:
            for begin in range(0, len(text), size):
                sleep(TYPED_S)
                file.write(text[begin : begin + size])
                file.flush()

    for name in ("words", "wares"):
        with nothing_fails(played):
            played.village.edit(name, slowly)


def test_a_burst_over_all_files_is_live(played: Played) -> None:
    """As a version control system writes a branch: all of them are new in the end (FM-43)."""
    for save in (overwrite, replace):
        texts = {name: played.village.marked(name) for name in played.village.marks}
        with nothing_fails(played):
            for name, text in texts.items():
                save(played.village.file(name), text)


def test_a_name_that_changes_in_two_files_is_live_in_the_end(played: Played) -> None:
    """What is saved first may be refused; with the other half both are live, and nobody ever sees one of them alone."""
    village, since = played.village, len(played.news.events)
    village.marked("bank")
    village.marked("words")
    village.change("bank", "import ends", "import finishes as ends")
    village.change("words", "def ends(", "def finishes(")
    played.probe.wait(village.marks)
    played.news.wait(since, lambda report: not report["failed"] and not report["held"], "neither failed nor held")
    assert played.probe.mixed == []


def test_an_edit_of_the_same_size_in_the_same_second_is_live(played: Played) -> None:
    """Neither size nor times tell of it; the content does (FM-43)."""
    words = played.village.file("words")
    while len(str(played.village.edits + 1)) != len(str(played.village.edits + 2)):
        played.village.edits += 1
    with nothing_fails(played):
        played.village.edit("words")
    before = words.stat()
    with nothing_fails(played):
        played.village.edit("words")
        os.utime(words, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = words.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_files_beside_the_code_cause_nothing(played: Played) -> None:
    """Backups, swap files, notes: no reload comes of them."""
    played.news.wait(0, lambda report: report["generation"]["to"] == played.serving, "what serves")
    since = len(played.news.events)
    for name in ("#words.py#", "words.py~", ".words.py.swp", "4913", "notes.txt"):
        (played.village.folder / name).write_text("def broken(:")
    with nothing_fails(played):
        played.village.edit("talk")
    played.news.wait(since, lambda report: report["refreshed"] == ["game", "talk"], "talk")
    assert len(played.news.events) == since + 1
