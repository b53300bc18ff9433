"""SGR: how it is read, brought down, and closed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.look import Colours, Look
from perdure.gateway.terminal.render import render
from perdure.gateway.terminal.sgr import FOR_PLAYERS, RESET, SGR, TRUECOLOUR, Style, closed

PARAMETERS = st.text("0123456789;:", max_size=30) | st.lists(
    st.sampled_from(["0", "1", "22", "38", "48", "58", "5", "2", "4:3", "38:2::1:2:3", "255", "256", "31", "107", ""])
).map(";".join)
COLOURS = st.sampled_from([0, 16, 256, TRUECOLOUR])


def turned(parameters: str, colours: Colours) -> str:
    return Style(colours).turn(parameters)


@pytest.mark.parametrize(
    ("parameters", "true", "of_256", "of_16"),
    [
        ("38;2;255;0;0", "38;2;255;0;0", "38;5;196", "91"),
        ("48;2;255;0;0", "48;2;255;0;0", "48;5;196", "101"),
        ("38:2::255:0:0", "38;2;255;0;0", "38;5;196", "91"),
        ("38:2:1:255:0:0", "38;2;255;0;0", "38;5;196", "91"),
        ("38:2:255:0:0", "38;2;255;0;0", "38;5;196", "91"),
        ("38;5;196", "38;5;196", "38;5;196", "91"),
        ("38:5:196", "38;5;196", "38;5;196", "91"),
        ("38;5;3", "38;5;3", "38;5;3", "33"),
        ("48;5;11", "48;5;11", "48;5;11", "103"),
        ("38;2;128;128;128", "38;2;128;128;128", "38;5;244", "90"),
        ("38;2;0;0;0", "38;2;0;0;0", "38;5;16", "30"),
        ("1;38;2;0;205;0;4", "1;38;2;0;205;0;4", "1;38;5;40;4", "1;32;4"),
        ("31", "31", "31", "31"),
        ("97;44", "97;44", "97;44", "97;44"),
        ("4:3", "4", "4", "4"),
    ],
)
def test_colours_come_down_to_what_the_client_shows(parameters: str, true: str, of_256: str, of_16: str) -> None:
    """Truecolour becomes the nearest of 256 or of 16; both written forms are understood."""
    assert turned(parameters, TRUECOLOUR) == f"\x1b[{true}m"
    assert turned(parameters, 256) == f"\x1b[{of_256}m"
    assert turned(parameters, 16) == f"\x1b[{of_16}m"
    assert turned(parameters, 0) == ""


@pytest.mark.parametrize(
    "parameters",
    ["10", "53", "99", "38", "38;5", "38;5;256", "38;2;1;2;999", "38;7;1", "58;2;1;2;3", "38:9:1", "4:0", "31:4"],
)
def test_what_is_not_understood_is_left_out(parameters: str) -> None:
    """Fonts, overlines, underlines' colours and broken colours never reach a client, which may take them for others."""
    assert turned(parameters, TRUECOLOUR) == ""


def test_the_arguments_of_a_colour_are_not_taken_for_codes() -> None:
    """A client without the colour would blink at the 5 of 38;5;n."""
    assert turned("58;5;7;1", 16) == "\x1b[1m"
    assert turned("38;5;300;1", 16) == "\x1b[1m"


def test_what_is_on_is_known_at_every_place() -> None:
    """Whoever cuts a text ends it before the cut and begins it again behind."""
    style = Style()
    style.limited("\x1b[1;31mbold red \x1b[44mon blue \x1b[22mnot bold")
    assert (style.end, style.begin) == (RESET, "\x1b[31;44m")
    style.turn("")
    assert (style.end, style.begin) == ("", "")


def test_what_ends_nothing_is_left_out() -> None:
    """Each text stands alone, so a reset at its beginning is a waste."""
    assert Style().limited("\x1b[0m\x1b[39mplain\x1b[0;1m bold") == "plain\x1b[1m bold"


def test_what_a_text_leaves_on_ends_before_its_last_line_ends() -> None:
    """A background that is on at a line's end would fill the next line."""
    style = Style()
    assert closed(style.limited("\x1b[41mred\n\n"), style) == "\x1b[41mred\x1b[0m\n\n"


@given(PARAMETERS, COLOURS)
def test_any_parameters_give_sgr_or_nothing(parameters: str, colours: Colours) -> None:
    """Reading never fails, and what comes out is read as the same again."""
    style, again = Style(colours), Style(colours)
    shown = style.turn(parameters)
    assert SGR.sub("", shown) == ""
    assert again.limited(shown) == shown
    assert again.on == style.on


def test_what_comes_out_longer_than_it_went_in_is_still_read() -> None:
    """38:2:::: is shorter than 38;2;0;0;0: beyond what one sequence may hold there are several."""
    shown = turned(";".join(["38:2::::"] * 7), TRUECOLOUR)
    assert shown == "\x1b[38;2;0;0;0m" * 7
    assert render("\x1b[" + ";".join(["38:2::::"] * 7) + "mwo\n", Look(columns=20, colours=TRUECOLOUR)) == (
        f"{shown}wo\x1b[0m\r\n"
    )


@given(st.lists(PARAMETERS))
def test_begin_and_end_are_what_is_on_and_off(sequences: list[str]) -> None:
    """Begun again, the same is on; ended, nothing is."""
    style = Style(16, FOR_PLAYERS)
    for parameters in sequences:
        style.turn(parameters)
    assert style.on.keys() <= FOR_PLAYERS
    again = Style(16, FOR_PLAYERS)
    again.limited(style.begin)
    assert again.on == style.on
    again.limited(style.end)
    assert not again.on
