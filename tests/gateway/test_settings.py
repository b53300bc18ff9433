"""The `set` command: what is the gateway's, what is the game's, and what a choice changes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.look import Look, Settings, Told, look_of
from perdure.gateway.settings import ALIASES, SETTINGS, command, kept, merged

TOLD = Told(columns=80, rows=24)


def chosen(line: str, settings: Settings | None = None, told: Told = TOLD) -> Settings:
    """The settings after a line that is the gateway's."""
    reply = command(line, settings or Settings(), told)
    assert reply is not None
    return reply.settings


def answered(line: str, settings: Settings | None = None, told: Told = TOLD) -> str:
    """What a line that is the gateway's answers."""
    reply = command(line, settings or Settings(), told)
    assert reply is not None
    return reply.text


def test_every_setting_can_be_set() -> None:
    """The table has each field of the settings, and no other."""
    assert tuple(SETTINGS) == Settings.__struct_fields__
    assert set(ALIASES.values()) <= set(SETTINGS)


@pytest.mark.parametrize(
    "line", ["set trap", "settle wrap", "", "  ", "say set wrap", "set trap wrap 80", "unset wrap", "setwrap"]
)
def test_every_other_line_is_the_games(line: str) -> None:
    """Also lines that begin with set: a game has traps and tables."""
    assert command(line, Settings(), TOLD) is None


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("set encoding latin1", "encoding", "latin-1"),
        ("set encoding ISO-8859-1", "encoding", "latin-1"),
        ("set encoding US-ASCII", "encoding", "ascii"),
        ("SET ScreenReader ON", "screenreader", True),
        ("set screen-reader off", "screenreader", False),
        ("  set   sr   on ", "screenreader", True),
        ("set wrap 72", "wrap", 72),
        ("set wrap off", "wrap", 0),
        ("set pager off", "pager", False),
        ("set prompt off", "prompt", False),
        ("set goahead off", "goahead", False),
        ("set colours 256", "colours", 256),
        ("set colors truecolor", "colours", 16_777_216),
        ("set color off", "colours", 0),
        ("set links on", "links", True),
    ],
)
def test_a_choice_is_made_in_one_line(line: str, field: str, value: object) -> None:
    """In any case, by the words that people use; nothing else changes, and auto takes it back."""
    settings = chosen(line)
    assert settings == msgspec.structs.replace(Settings(), **{field: value})
    assert "you chose it" in answered(line)
    assert chosen(f"set {field} auto", settings) == Settings()


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("set screenreader maybe", "on, off or auto"),
        ("set wrap 19", "a number from 20 to 500"),
        ("set wrap 501", "a number from 20 to 500"),
        ("set wrap -1", "a number from 20 to 500"),
        ("set wrap \u0663\u0663", "a number from 20 to 500"),
        ("set wrap 80 please", "a number from 20 to 500"),
        ("set encoding klingon", "utf-8, latin-1, ascii or auto"),
        ("set colours 17", "off, 16, 256, truecolour or auto"),
        ("set links " + "x" * 5000, "on, off or auto"),
    ],
)
def test_a_wrong_value_changes_nothing_and_names_the_right_ones(line: str, right: str) -> None:
    """What happened, what is true now, what to do; in one short line."""
    before = Settings(wrap=40, links=True)
    text = answered(line, before)
    assert "nothing was changed" in text
    assert right in text
    assert len(text) < 200
    assert chosen(line, before) == before


def test_set_alone_lists_what_holds_and_why() -> None:
    """One setting a line, each a sentence: it is listened to as well as read."""
    text = answered("set", Settings(wrap=40), Told(columns=80, rows=24, screenreader=True))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(SETTINGS)
    assert lines[1].startswith("screenreader is on (your client says so)")
    assert lines[2].startswith("wrap is 40 (you chose it)")
    assert lines[3].startswith("pager is off (on unless a screen reader listens)")
    assert "  " not in text


@pytest.mark.parametrize("name", SETTINGS)
def test_a_name_alone_tells_of_one(name: str) -> None:
    """What it is, what holds, and what else it can be; nothing changes."""
    text = answered(f"set {name}")
    assert text.startswith(f"{name} is ")
    assert "It can be" in text
    assert chosen(f"set {name}", Settings(wrap=40)) == Settings(wrap=40)


def test_a_choice_that_has_no_effect_yet_says_so() -> None:
    """A pager needs to know the window's height."""
    assert "nothing stops until it does" in answered("set pager on", told=Told())
    assert "nothing stops" not in answered("set pager on")


LINES = st.one_of(
    st.builds("set {} {}".format, st.sampled_from([*SETTINGS, *ALIASES, "trap"]), st.text(max_size=12)),
    st.text(max_size=30),
)
SOME = st.builds(
    Settings,
    encoding=st.sampled_from([None, "utf-8", "latin-1", "ascii"]),
    screenreader=st.sampled_from([None, True, False]),
    wrap=st.sampled_from([None, 0, 20, 80, 500]),
    pager=st.sampled_from([None, True, False]),
    prompt=st.sampled_from([None, True, False]),
    colours=st.sampled_from([None, 0, 16, 256, 16_777_216]),
)
TELLING = st.builds(
    Told, columns=st.integers(0, 300), rows=st.integers(0, 99), mtts=st.integers(0, 4095), web=st.booleans()
)


@given(LINES, SOME, TELLING)
def test_whatever_is_typed_the_settings_stay_ones_that_can_be_kept(line: str, settings: Settings, told: Told) -> None:
    """Nothing raises; what is kept is read back as it was; every look that follows can be drawn."""
    reply = command(line, settings, told)
    after = settings if reply is None else reply.settings
    assert kept(msgspec.json.encode(after).decode()) == after
    assert isinstance(look_of(told, after), Look)
    answered("set", after, told)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "no json", '{"wrap":3}', '{"colours":77}', '{"wrap":"wide"}'])
def test_settings_that_are_not_understood_are_passed_over(text: str) -> None:
    """An account is never locked out by what another version wrote (FM-21)."""
    assert kept(text) == Settings()


def test_of_settings_that_another_version_wrote_the_known_ones_count() -> None:
    """One value of the future does not cost the others (FM-21)."""
    text = '{"screenreader":true,"encoding":"koi8-r","font":"big","wrap":60}'
    assert kept(text) == Settings(screenreader=True, wrap=60)


def test_what_a_page_does_not_say_stays() -> None:
    """And a width that nobody can read is not taken from it."""
    before = Settings(screenreader=True, wrap=60)
    assert merged(before, Settings(links=True)) == Settings(screenreader=True, wrap=60, links=True)
    for width in (-5, 1, 10**9):
        assert merged(before, Settings(wrap=width, pager=False)) == Settings(screenreader=True, wrap=60, pager=False)
