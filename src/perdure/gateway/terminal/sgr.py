"""SGR, the escape sequences that colour and weigh text: read, brought down to a client's colours, and closed.

A sequence is read into steps (what it ends, what it begins), each of which is either written anew in the form
that most clients know, or left out. What a step begins stays on in `Style.on` until something ends it, so that
whoever cuts a text knows what to close before the cut and what to begin again behind it.

Sources: ECMA-48 §8.3.117; ITU-T T.416 §13.1.8 for colours with colons; xterm's ctlseqs for both forms in use.
Left out as hardly shown by any client, or shown differently: fonts, frames, overlines, underlines' colours.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from perdure.gateway.look import Colours

PARAMETERS_CHARS_MAX = 64
SGR = re.compile(rf"\x1b\[([0-9;:]{{0,{PARAMETERS_CHARS_MAX}}})m")
"""One sequence; group 1 is its parameters."""
RESET = "\x1b[0m"

RGB = tuple[int, int, int]
TRUECOLOUR: Colours = 16_777_216

FOREGROUND, BACKGROUND, UNDERLINE_COLOUR = 38, 48, 58
BLINK, RAPID_BLINK, INVERSE, CONCEAL = 5, 6, 7, 8
_ATTRIBUTES = frozenset({1, 2, 3, 4, BLINK, RAPID_BLINK, INVERSE, CONCEAL, 9, 21})
FOR_PLAYERS = frozenset({1, 3, 4, FOREGROUND, BACKGROUND})
"""What players may put into others' terminals: weight, slant, underline and colours."""
FOR_GAMES = _ATTRIBUTES | {FOREGROUND, BACKGROUND}

_ENDS: dict[int, frozenset[int]] = {
    22: frozenset({1, 2}),
    23: frozenset({3}),
    24: frozenset({4, 21}),
    25: frozenset({BLINK, RAPID_BLINK}),
    27: frozenset({INVERSE}),
    28: frozenset({CONCEAL}),
    29: frozenset({9}),
    39: frozenset({FOREGROUND}),
    49: frozenset({BACKGROUND}),
}
"""Code -> what it ends."""

_CUBE = (0, 95, 135, 175, 215, 255)
_BASIC: tuple[RGB, ...] = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
"""xterm's sixteen. Other clients' are close enough to find the nearest by."""


class Step(NamedTuple):
    """What one code of a sequence does: what it ends, what it begins (0 = nothing), and how it is written."""

    ends: frozenset[int]
    begins: int
    code: str


class Style:
    """What is on at a place of a text that is read from its beginning.

    Args:
        colours: How many the client shows; none = no SGR at all.
        kept: What may be begun.

    Attributes:
        on: What is on, and how it was begun.
    """

    def __init__(self, colours: Colours = TRUECOLOUR, kept: frozenset[int] = FOR_GAMES) -> None:
        self.on: dict[int, str] = {}
        self._colours: Colours = colours
        self._kept = kept

    def turn(self, parameters: str) -> str:
        """Go past a sequence; what the client is sent for it, "" for nothing. What ends nothing is left out."""
        codes = []
        for step in _steps(parameters, self._colours):
            if step.begins in self._kept:
                self.on[step.begins] = step.code
                codes.append(step.code)
            elif self.on.keys() & step.ends:
                self.on = {begun: code for begun, code in self.on.items() if begun not in step.ends}
                codes.append(step.code)
        return _written(codes)

    def limited(self, text: str) -> str:
        """`text` with each of its sequences turned."""
        if "\x1b" not in text:
            return text
        return SGR.sub(lambda found: self.turn(found[1]), text)

    @property
    def begin(self) -> str:
        """What begins again all that is on, after a reset."""
        return _written(list(self.on.values()))

    @property
    def end(self) -> str:
        """What ends all that is on."""
        return RESET if self.on else ""


def closed(text: str, style: Style) -> str:
    """`text`, read with `style`, with what it left on ended, before the line ends behind it."""
    if not style.on:
        return text
    body = text.rstrip("\n")
    return f"{body}{style.end}{text[len(body) :]}"


def _written(codes: list[str]) -> str:
    """One sequence of these codes, or several where one would be longer than any that is read."""
    joined = ";".join(codes)
    if len(joined) > PARAMETERS_CHARS_MAX:
        return "".join(f"\x1b[{code}m" for code in codes)
    return f"\x1b[{joined}m" if codes else ""


@lru_cache(maxsize=1024)
def _steps(parameters: str, colours: Colours) -> tuple[Step, ...]:
    """What a sequence does, for a client of so many colours."""
    return tuple(_read(iter(parameters.split(";")), colours)) if colours else ()


def _read(fields: Iterator[str], colours: Colours) -> Iterator[Step]:
    for field in fields:
        number, colon, rest = field.partition(":")
        code = int(number or "0")
        if code in (FOREGROUND, BACKGROUND, UNDERLINE_COLOUR):
            value = _with_colons(rest) if colon else _with_semicolons(fields)
            if value is not None and code != UNDERLINE_COLOUR:
                yield Step(frozenset(), code, _colour(code, value, colours))
        elif colon:
            if code == 4:  # 4:0 is no underline, 4:1 to 4:5 are kinds of one
                yield Step(_ENDS[24], 0, "24") if rest == "0" else Step(frozenset(), 4, "4")
        elif code == 0:
            yield Step(FOR_GAMES, 0, "0")
        elif code in _ATTRIBUTES:
            yield Step(frozenset(), code, str(code))
        elif code in _ENDS:
            yield Step(_ENDS[code], 0, str(code))
        elif 30 <= code <= 37 or 90 <= code <= 97:
            yield Step(frozenset(), FOREGROUND, str(code))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            yield Step(frozenset(), BACKGROUND, str(code))


def _with_semicolons(fields: Iterator[str]) -> int | RGB | None:
    """The colour of 38;5;n or 38;2;r;g;b, taken from the fields behind the 38.

    None if it is none; then nothing is known of the fields behind it either, and none is left.
    """
    match next(fields, ""):
        case "5":
            return _value("5", list(islice(fields, 1)))
        case "2":
            return _value("2", list(islice(fields, 3)))
    deque(fields, maxlen=0)
    return None


def _with_colons(rest: str) -> int | RGB | None:
    """The colour of 38:5:n, 38:2::r:g:b (T.416, with a colour space) or 38:2:r:g:b (as often written)."""
    kind, *values = rest.split(":")
    if kind == "2" and len(values) > 3:
        values = values[1:4]
    return _value(kind, values)


def _value(kind: str, values: list[str]) -> int | RGB | None:
    if any(":" in value or int(value or "0") > 255 for value in values):
        return None
    match kind, [int(value or "0") for value in values]:
        case "5", [index]:
            return index
        case "2", [red, green, blue]:
            return red, green, blue
    return None


def _colour(ground: int, value: int | RGB, colours: Colours) -> str:
    """How a colour is written for a client of so many colours."""
    if colours == 16:
        index = _nearest_basic(_rgb(value)) if not isinstance(value, int) or value >= 16 else value
        return str(index + (30 if index < 8 else 82) + (10 if ground == BACKGROUND else 0))
    if isinstance(value, int):
        return f"{ground};5;{value}"
    if colours == 256:
        return f"{ground};5;{_nearest_of_256(value)}"
    return f"{ground};2;{';'.join(map(str, value))}"


def _rgb(value: int | RGB) -> RGB:
    """A colour's red, green and blue; of an index from 16 on, those of xterm's cube and greys."""
    if not isinstance(value, int):
        return value
    if value >= 232:
        grey = 8 + 10 * (value - 232)
        return grey, grey, grey
    return _CUBE[(value - 16) // 36], _CUBE[(value - 16) // 6 % 6], _CUBE[(value - 16) % 6]


def _nearest_of_256(rgb: RGB) -> int:
    """The nearest of the cube and the greys; the sixteen below them look different everywhere."""
    red, green, blue = (min(range(6), key=lambda level: abs(_CUBE[level] - part)) for part in rgb)
    cube = 16 + 36 * red + 6 * green + blue
    grey = 232 + min(max(round((sum(rgb) / 3 - 8) / 10), 0), 23)
    return min(cube, grey, key=lambda index: _distance(_rgb(index), rgb))


def _nearest_basic(rgb: RGB) -> int:
    return min(range(16), key=lambda index: _distance(_BASIC[index], rgb))


def _distance(one: RGB, other: RGB) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
