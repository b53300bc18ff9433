"""How text is shown to a client: what it told of itself, what its player chose, and what follows from both."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar, Union

import msgspec
from msgspec import UNSET, UnsetType

Encoding = Literal["utf-8", "latin-1", "ascii"]
Colours = Literal[0, 16, 256, 16_777_216]
T = TypeVar("T")
Choice = Union[T, UnsetType, None]  # noqa: UP007 - an alias with a parameter
"""What a player chose: a value; None = as the client says; UNSET = nothing, so what they chose before holds."""

MTTS_ANSI, MTTS_VT100, MTTS_UTF8, MTTS_256, MTTS_SCREENREADER = 1, 2, 4, 8, 64
MTTS_PROXY, MTTS_TRUECOLOUR, MTTS_MNES, MTTS_TLS = 128, 256, 512, 2048
"""What a client can do, as the Mud Terminal Type Standard adds it up."""

COLUMNS_MIN = 20
"""A narrower window is not wrapped to: every other word would be cut."""


class Told(msgspec.Struct, frozen=True):
    """What a client has told of itself so far.

    Attributes:
        columns, rows: Its window in characters; 0 = it did not say.
        client, terminal: Names, printable ASCII; "" = it did not say.
        mtts: The sum of its MTTS values; 0 = it did not say.
        utf8: Whether it said by MTTS that it has UTF-8; None = it did not say.
        charset: What was agreed upon by CHARSET; None = nothing was.
        screenreader: Whether it said that its player listens.
        links: Whether it shows OSC 8 links that send a command.
        invalid_utf8: The last that it sent beyond ASCII was not UTF-8.
        web: It is a page, which wraps, scrolls and colours by itself.
    """

    columns: int = 0
    rows: int = 0
    client: str = ""
    terminal: str = ""
    mtts: int = 0
    utf8: bool | None = None
    charset: Encoding | None = None
    screenreader: bool = False
    links: bool = False
    invalid_utf8: bool = False
    web: bool = False


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a player chose with `set`, kept on the account, as JSON. None and UNSET: as the client says.

    Attributes:
        encoding: Of what the client sends and is sent.
        screenreader: Whether text is written to be listened to.
        wrap: Columns at which text wraps; 0 = not at all.
        pager: Whether a text longer than the window stops at each page.
        prompt: Whether the game's prompt is shown.
        goahead: Whether prompts end with a telnet EOR or GA.
        colours: How many colours the client shows.
        links: Whether links are sent as links.
    """

    encoding: Choice[Encoding] = UNSET
    screenreader: Choice[bool] = UNSET
    wrap: Choice[int] = UNSET
    pager: Choice[bool] = UNSET
    prompt: Choice[bool] = UNSET
    goahead: Choice[bool] = UNSET
    colours: Choice[Colours] = UNSET
    links: Choice[bool] = UNSET


class Look(NamedTuple):
    """How text is shown to a client. Hashable: what is rendered once for a look serves all who share it.

    Attributes:
        columns: Where lines wrap; 0 = they do not.
        rows: Lines of a page; 0 = no pager.
        encoding, colours: Of the client; no colours = no SGR at all.
        links: Whether links are sent as OSC 8; else as their text.
        screenreader: Whether text is written to be listened to.
        prompts: Whether the game's prompts are shown.
        goahead: Whether prompts end with EOR or GA.
    """

    columns: int = 0
    rows: int = 0
    encoding: Encoding = "utf-8"
    colours: Colours = 16
    links: bool = False
    screenreader: bool = False
    prompts: bool = True
    goahead: bool = True


def look_of(told: Told, settings: Settings) -> Look:
    """What follows for a client that told this of itself, with a player who chose that."""
    screenreader = _chosen(settings.screenreader, told.screenreader)
    columns = _chosen(settings.wrap, 0 if told.web else told.columns)
    pager = _chosen(settings.pager, not (screenreader or told.web))
    return Look(
        columns=columns if columns >= COLUMNS_MIN else 0,
        rows=told.rows if pager else 0,
        encoding=_chosen(settings.encoding, _encoding(told)),
        colours=_chosen(settings.colours, _colours(told)),
        links=_chosen(settings.links, told.links),
        screenreader=screenreader,
        prompts=_chosen(settings.prompt, not screenreader),
        goahead=_chosen(settings.goahead, True),
    )


def _encoding(told: Told) -> Encoding:
    """What was agreed upon, else what the client has shown itself to be, else what it says, else UTF-8.

    A client that is wrongly sent ASCII reads what it is sent, one that is wrongly sent UTF-8 does not: so a sum of MTTS
    without UTF-8 is believed, and a client that says no sum has what nearly every client has.
    """
    if told.charset is not None:
        return told.charset
    if told.invalid_utf8:
        return "latin-1"
    return "ascii" if told.utf8 is False else "utf-8"


def _colours(told: Told) -> Colours:
    """Sixteen colours for a client that does not say: there is hardly one without."""
    if told.web or told.mtts & MTTS_TRUECOLOUR or "TRUECOLOR" in told.terminal.upper():
        return 16_777_216
    if told.mtts & MTTS_256 or "256" in told.terminal:
        return 256
    return 0 if told.terminal.lower() == "dumb" else 16


def _chosen(choice: Choice[T], otherwise: T) -> T:
    return otherwise if choice is None or choice is UNSET else choice
