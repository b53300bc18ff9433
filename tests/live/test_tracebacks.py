"""Tracebacks show the author's frames, from the source that ran."""

import pytest

from perdure.live.loader import load
from perdure.live.sources import capture
from perdure.live.tracebacks import format_error


def test_a_traceback_shows_the_line_that_ran_although_the_file_has_changed(tmp_path):
    """What is on disk by now is another text."""
    (tmp_path / "tavern.py").write_text("def drink(mugs):\n    return mugs['ada']\n")
    sources = capture(tmp_path / "tavern.py")
    generation = load(sources)
    (tmp_path / "tavern.py").write_text("# quite\n# another text\n")
    with pytest.raises(KeyError) as caught:
        vars(generation.modules[""])["drink"]({})
    generation.release()
    assert format_error(caught.value, sources.texts).splitlines() == [
        "Traceback (the game's frames, the last call last):",
        f'  File "{tmp_path / "tavern.py"}", line 2, in drink',
        "    return mugs['ada']",
        "KeyError: 'ada'",
    ]


def test_causes_are_shown_first():
    """`raise … from` and errors while handling others, each with its own part."""
    error = ValueError("b")
    error.__cause__ = KeyError("a")
    assert format_error(error, {}).split() == ["KeyError:", "'a'", "which", "led", "to:", "ValueError:", "b"]


def test_an_error_that_cannot_be_shown_is_named():
    """An author's __str__ may raise, too."""

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert format_error(Unspeakable(), {}).endswith("Unspeakable")
