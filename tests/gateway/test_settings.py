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
    "line",
    [
        *("set trap", "set trap 40", "set trap on", "set warp 40", "set page 3", "set lines 40", "set link"),
        *("set page", "set lines", "set prop", "set warp", "set strap", "set foo", "set l"),
        *("set colour of door to red", "set prompt %h hp >", "set links on fire", "set wrapp 40 please"),
        *("settle wrap", "", "  ", "say set wrap", "set trap wrap 80", "unset wrap", "setwrap"),
    ],
)
def test_every_other_line_is_the_games(line: str) -> None:
    """Also lines that begin with set: a game has traps and tables, doors to colour, and prompts of its own."""
    assert command(line, Settings(), TOLD) is None


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("set wrapp 40", "set wrap 40"),
        ("set pagger off", "set pager off"),
        ("SET ScreenReadr on", "set screenreader on"),
        ("set colrs 256", "set colors 256"),
        ("set wrp", "set wrap"),
        ("set pagr", "set pager"),
        ("set promt", "set prompt"),
        ("Set colurs", "set colours"),
    ],
)
def test_a_mistyped_setting_is_told_from_what_a_game_sets(line: str, meant: str) -> None:
    """The name is nearly one of ours, and a value is one of its; nothing changes before it is typed rightly."""
    assert answered(line) == f"There is no setting {line.split()[1].lower()}. Did you mean: {meant}\n"
    assert chosen(line, Settings(links=True)) == Settings(links=True)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("set wrapp 40", "Did you mean: set wrap 40\n"),
        ("set pagr", "Did you mean: set pager\n"),
        ("set trap", "Did you mean: set wrap\n"),
        ("set foo", "There is no setting foo. These are there: encoding, screenreader, wrap"),
        ("set all auto", "There is no setting all."),
        ("set wrap 80 please", "wrap can't be 80 please, so nothing was changed"),
        ("set " + "x" * 5000, "There is no setting " + "x" * 40 + "."),
    ],
)
def test_while_logging_in_every_set_is_answered(line: str, reply: str) -> None:
    """There is no game yet that it could be meant for."""
    found = command(line, Settings(), TOLD, playing=False)
    assert found is not None
    assert reply in found.text
    assert found.settings == Settings()
    assert len(found.text) < 250


@pytest.mark.parametrize("name", ["encoding", "wrap", "pager", "goahead"])
def test_what_has_no_effect_on_a_page_is_neither_promised_nor_kept_there(name: str) -> None:
    """A choice made in vain would hold when the same player logs in by telnet."""
    page = Told(web=True, columns=80, rows=24)
    for line in (f"set {name} auto", f"set {name} off", f"set {name} latin-1"):
        text = answered(line, told=page)
        assert f"{name} has no effect on the page, which " in text
        assert "Nothing was changed." in text
        assert "telnet" in text
        assert chosen(line, told=page) == Settings()
    assert "It can be" not in answered(f"set {name}", told=page)
    assert f"{name} has no effect" in answered("set", Settings(wrap=40), told=page)
    assert f"type for instance: set {name}" not in answered("set", told=page)


def test_why_the_prompt_is_as_it_is_is_said_in_plain_words() -> None:
    """Who chose the screen reader by hand listens, too."""
    assert "prompt is on (no screen reader listens)" in answered("set prompt")
    assert "prompt is off (a screen reader listens)" in answered("set prompt", Settings(screenreader=True))


@pytest.mark.parametrize(
    "told", [Told(screenreader=True, terminal="xterm-256color"), Told(screenreader=True, web=True)]
)
def test_who_listens_is_not_told_of_colours_that_are_not_sent(told: Told) -> None:
    """None are, whatever the client could show; what the player chose is kept for when nobody listens."""
    off = "colours is off (a screen reader listens): "
    assert off in answered("set", told=told)
    assert answered("set colours auto", Settings(colours=256), told).startswith(off)
    still = "colours is 256 (you chose it, but none are sent while a screen reader listens): "
    assert answered("set colours 256", told=told).startswith(still)
    assert still in answered("set", Settings(colours=256), told)
    assert "colours is off (you chose it): " in answered("set", Settings(colours=0), told)
    assert "listens" not in answered("set colours", Settings(colours=256, screenreader=False), told)


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
    taken_back = chosen(f"set {field} auto", settings)
    assert taken_back == msgspec.structs.replace(Settings(), **{field: None})
    assert look_of(TOLD, taken_back) == look_of(TOLD, Settings())
    assert "you chose it" not in answered(f"set {field}", taken_back)


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("set screenreader maybe", "on, off or auto"),
        ("set wrap 19", "a number from 20 to 500"),
        ("set wrap 501", "a number from 20 to 500"),
        ("set wrap -1", "a number from 20 to 500"),
        ("set wrap \u0663\u0663", "a number from 20 to 500"),
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
    assert lines[3].startswith("pager is off (a screen reader listens)")
    assert lines[4].startswith("prompt is off (a screen reader listens)")
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


def test_auto_wins_over_what_was_chosen_before() -> None:
    """Chosen before the login, it holds against what the account keeps; and it is kept as a choice itself."""
    before = Settings(screenreader=True, wrap=60)
    after = merged(before, chosen("set screenreader auto"))
    assert after == Settings(screenreader=None, wrap=60)
    assert kept(msgspec.json.encode(after).decode()) == after
    assert not look_of(TOLD, after).screenreader
    assert merged(after, Settings(screenreader=True)) == before


def test_what_a_page_does_not_say_stays() -> None:
    """And a width that nobody can read is not taken from it."""
    before = Settings(screenreader=True, wrap=60)
    assert merged(before, Settings(links=True)) == Settings(screenreader=True, wrap=60, links=True)
    for width in (-5, 1, 10**9):
        assert merged(before, Settings(wrap=width, pager=False)) == Settings(screenreader=True, wrap=60, pager=False)
