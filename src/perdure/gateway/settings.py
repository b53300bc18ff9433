"""The `set` command: what a player chooses about how text is shown.

The server's own are `set`, `set NAME` and `set NAME VALUE` for the names below, where a value is one word; and a
mistyped name, alone (`set wrp`) or with a value that would be right (`set wrapp 40`). Every other line that begins with
`set` (`set trap`, `set link`, `set colour of door to red`) belongs to the game. While logging in there is no game, and
all of them are answered. Every setting may be `auto`: as the client says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from perdure.gateway.look import COLUMNS_MIN, Look, Settings, Told, look_of
from perdure.spelling import LIKE_MIN, meant

COLUMNS_MAX = 500
"""Wider than any window; a longer line is no longer found again by the eye."""

NEAR_MIN = 0.8
"""How like a setting a mistyped one must be, while a game is played that may mean it: `wrapp`, not `trap` or `warp`."""
NEAR_ALONE_MIN = 0.85
"""The same where no value says that it is one: `wrp`, not `lines` or `prop`."""

_WORD_CHARS_MAX = 40
"""Of a wrong name or value, so much is repeated."""


class Reply(NamedTuple):
    """What came of a `set` command.

    Attributes:
        text: What to show.
        settings: From now on.
        encoding: Whether the encoding was chosen, be it the same as before: what the client sent counts no more.
    """

    text: str
    settings: Settings
    encoding: bool = False


class _Setting(NamedTuple):
    """One setting.

    Attributes:
        does: What it is, for people.
        words: Its values as they are typed, and what they mean; the first word of a value is how it is shown.
        shown: The value that holds, out of what follows from everything.
        because: Where the value comes from if the player chose none.
        unheard: What is true instead of a value that the player chose, while a screen reader listens; "" if it holds.
        page: What a page does by itself, so that the setting has no effect there; "" if it has.
        number: Reads values that no table has; None if it is none of those either.
        values: The right values, for people.
    """

    does: str
    words: Mapping[str, Any]
    shown: Callable[[Look], Any]
    because: Callable[[Told, Look], str]
    values: str
    page: str = ""
    unheard: str = ""
    number: Callable[[str], int | None] = lambda _word: None

    def value(self, word: str) -> Any:
        """What a word means; UNSET if it is no value."""
        if word in self.words:
            return self.words[word]
        number = self.number(word)
        return UNSET if number is None else number


def command(line: str, settings: Settings, told: Told, *, playing: bool = True) -> Reply | None:
    """What a line does to the settings; None if it is the game's.

    Args:
        line: As the player typed it.
        settings: What they chose before.
        told: What their client said of itself.
        playing: Whether there is a game that a line could be meant for.
    """
    verb, *words = line.lower().split()[:4] or [""]
    if verb != "set" or (playing and len(words) > 2):
        return None
    if not words:
        return Reply(_all(settings, told), settings)
    name, value = ALIASES.get(words[0], words[0]), " ".join(words[1:])
    if name not in SETTINGS:
        near = _near(words[0], value) if playing else _nearest(words[0], LIKE_MIN)
        return Reply(_no_setting(words[0], near, value), settings) if near or not playing else None
    if not value:
        return Reply(f"{_one(name, settings, told)}{_can_be(name, told)}\n", settings)
    return _changed(name, value, settings, told)


def kept(text: str) -> Settings:
    """The settings that an account keeps; what this version does not understand of them is passed over."""
    try:
        found = msgspec.json.decode(text or "{}", type=dict[str, Any])
    except msgspec.DecodeError:
        return Settings()
    settings = Settings()
    for name in SETTINGS:
        try:
            settings = merged(settings, msgspec.convert({name: found[name]} if name in found else {}, Settings))
        except msgspec.ValidationError:
            continue
    return settings


def merged(settings: Settings, wanted: Settings) -> Settings:
    """The settings with those of `wanted` that are set, to None as well; a width that nobody can read is left out."""
    new = {name: value for name in SETTINGS if (value := getattr(wanted, name)) is not UNSET}
    if not _is_width(new.get("wrap") or 0):
        del new["wrap"]
    return msgspec.structs.replace(settings, **new)


def _all(settings: Settings, told: Told) -> str:
    lines = "".join(f"{_one(name, settings, told)}\n" for name in SETTINGS)
    instance = "set prompt off" if told.web else "set wrap 80"
    return f"{lines}To change one, type for instance: {instance}. With auto it is as your client says.\n"


def _one(name: str, settings: Settings, told: Told) -> str:
    """One setting as a sentence."""
    setting = SETTINGS[name]
    if told.web and setting.page:
        return f"{name} has no effect on the page, which {setting.page}."
    chosen = getattr(settings, name) not in (None, UNSET)
    look = look_of(told, settings)
    because = "you chose it" if chosen else setting.because(told, look)
    if chosen and look.screenreader and getattr(settings, name):
        because += setting.unheard
    return f"{name} is {_value(name, settings, told)} ({because}): {setting.does}."


def _value(name: str, settings: Settings, told: Told) -> str:
    """The value that holds, in the word that is typed for it."""
    setting, chosen = SETTINGS[name], getattr(settings, name)
    value = setting.shown(look_of(told, settings)) if chosen in (None, UNSET) else chosen
    words = (word for word, meant in setting.words.items() if meant == value and type(meant) is type(value))
    return next(words, str(value))


def _can_be(name: str, told: Told) -> str:
    if told.web and SETTINGS[name].page:
        return ELSEWHERE
    return f" It can be {SETTINGS[name].values}."


def _changed(name: str, word: str, settings: Settings, told: Told) -> Reply:
    setting = SETTINGS[name]
    if told.web and setting.page:
        return Reply(f"{_one(name, settings, told)} Nothing was changed.{ELSEWHERE}\n", settings)
    value = setting.value(word)
    if value is UNSET:
        return Reply(
            f"{name} can't be {word[:_WORD_CHARS_MAX]}, so nothing was changed. It can be {setting.values}.\n", settings
        )
    changed: Settings = msgspec.structs.replace(settings, **{name: value})
    if name == "encoding":
        told = msgspec.structs.replace(told, invalid_utf8=False)
    return Reply(f"{_one(name, changed, told)}{_note(name, value, told)}\n", changed, name == "encoding")


def _near(word: str, value: str) -> str:
    """The setting that a line of a game's player must mean; "" if it may mean something of the game's.

    A word alone that begins a setting's name is not mistyped: `link` and `page` are words that a game may have.
    """
    name = _nearest(word, NEAR_MIN if value else NEAR_ALONE_MIN)
    if not value:
        return "" if name.startswith(word) else name
    return name if name and SETTINGS[ALIASES.get(name, name)].value(value) is not UNSET else ""


def _nearest(word: str, like_min: float) -> str:
    return meant(word[:_WORD_CHARS_MAX], [*SETTINGS, *ALIASES], like_min)


def _no_setting(word: str, near: str, value: str) -> str:
    missing = f"There is no setting {word[:_WORD_CHARS_MAX]}."
    if not near:
        return f"{missing} These are there: {', '.join(SETTINGS)}.\n"
    return f"{missing} Did you mean: {f'set {near} {value[:_WORD_CHARS_MAX]}'.strip()}\n"


def _note(name: str, value: object, told: Told) -> str:
    """What else follows from a choice."""
    if name == "screenreader" and value is True:
        return " Drawings and colours are left out, and pager and prompt are off unless you set them."
    if name == "pager" and value is True and not told.rows:
        return " Your client does not say how high its window is, so nothing stops until it does."
    return ""


def _is_width(columns: int) -> bool:
    return columns == 0 or COLUMNS_MIN <= columns <= COLUMNS_MAX


def _width(word: str) -> int | None:
    if not (word.isascii() and word.isdigit() and len(word) < 5):
        return None
    return int(word) if _is_width(int(word)) else None


def _said(what: str, when: bool) -> str:
    return f"your client says {what}" if when else "your client says nothing of it"


def _because_encoding(told: Told, _look: Look) -> str:
    if told.charset is not None:
        return "your client agreed to it"
    if told.invalid_utf8:
        return "your client sent what is not UTF-8"
    if told.utf8 is None:
        return "as nearly every client has it"
    return "your client says that it has it" if told.utf8 else "your client says that it has no UTF-8"


def _because_wrap(told: Told, _look: Look) -> str:
    return f"your client's window has {told.columns} columns" if told.columns else _said("", False)


def _because_pager(told: Told, look: Look) -> str:
    return _because_prompt(told, look) if told.rows else "your client does not say how high its window is"


def _because_prompt(_told: Told, look: Look) -> str:
    return "a screen reader listens" if look.screenreader else "no screen reader listens"


def _because_colours(told: Told, look: Look) -> str:
    if look.screenreader:
        return "a screen reader listens"
    return _said("so", told.web or told.mtts != 0 or told.terminal != "")


ELSEWHERE = " Set it where you log in by telnet."

_FLAG = {"on": True, "off": False, "yes": True, "no": False, "auto": None}
_ON_OFF = "on, off or auto"

SETTINGS: dict[str, _Setting] = {
    "encoding": _Setting(
        "how letters are sent to you and read from you",
        {
            "utf-8": "utf-8",
            "utf8": "utf-8",
            "latin-1": "latin-1",
            "latin1": "latin-1",
            "iso-8859-1": "latin-1",
            "ascii": "ascii",
            "us-ascii": "ascii",
            "auto": None,
        },
        lambda look: look.encoding,
        _because_encoding,
        "utf-8, latin-1, ascii or auto",
        "is always sent UTF-8",
    ),
    "screenreader": _Setting(
        "whether text is written to be listened to",
        _FLAG,
        lambda look: look.screenreader,
        lambda told, _look: _said("so", told.screenreader),
        _ON_OFF,
    ),
    "wrap": _Setting(
        "the column at which long lines wrap",
        {"off": 0, "no": 0, "on": None, "auto": None},
        lambda look: look.columns,
        _because_wrap,
        f"a number from {COLUMNS_MIN} to {COLUMNS_MAX}, off or auto",
        "wraps by itself",
        number=_width,
    ),
    "pager": _Setting(
        "whether a text longer than your window stops at each page",
        _FLAG,
        lambda look: look.rows > 0,
        _because_pager,
        _ON_OFF,
        "scrolls by itself",
    ),
    "prompt": _Setting(
        "whether the game's prompt is shown",
        _FLAG,
        lambda look: look.prompts,
        _because_prompt,
        _ON_OFF,
    ),
    "goahead": _Setting(
        "whether a telnet signal follows each prompt",
        _FLAG,
        lambda look: look.goahead,
        lambda _told, _look: "as most clients need it",
        _ON_OFF,
        "needs no such signal",
    ),
    "colours": _Setting(
        "how many colours you are sent",
        {
            "off": 0,
            "no": 0,
            "0": 0,
            "none": 0,
            "16": 16,
            "256": 256,
            "truecolour": 16_777_216,
            "truecolor": 16_777_216,
            "16777216": 16_777_216,
            "on": None,
            "auto": None,
        },
        lambda look: 0 if look.screenreader else look.colours,
        _because_colours,
        "off, 16, 256, truecolour or auto",
        unheard=", but none are sent while a screen reader listens",
    ),
    "links": _Setting(
        "whether commands in the text can be clicked",
        _FLAG,
        lambda look: look.links,
        lambda told, _look: _said("so", told.links),
        _ON_OFF,
    ),
}
"""Every setting, in the order in which they are listed."""

ALIASES = {
    "screen-reader": "screenreader",
    "sr": "screenreader",
    "go-ahead": "goahead",
    "color": "colours",
    "colors": "colours",
    "colour": "colours",
}
"""Other ways to write their names."""
