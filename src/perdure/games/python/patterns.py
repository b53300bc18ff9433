"""Patterns of commands: the usage is the parser.

``give [COUNT] ITEM to WHOM``: lower-case words are literal, upper-case words are parameters, brackets
mark what may be left out. A line is matched with as few words for each text as will do, from left to
right; the last text takes the rest of the line as it was typed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

Kind = Literal["str", "int", "float", "Player"]

_TOKEN = re.compile(r"\S+")
DIGITS_MAX = 18
"""Of a number, or of either part of it: so many fit into 64 bits, which is what rows and messages can hold."""
_INT = re.compile(rf"[+-]?[0-9]{{1,{DIGITS_MAX}}}")
_FLOAT = re.compile(rf"[+-]?[0-9]{{0,{DIGITS_MAX}}}(\.[0-9]{{0,{DIGITS_MAX}}})?")
_NAMES: Mapping[str, str] = {"int": "a whole number", "float": "a number"}


class Word(NamedTuple):
    """A literal word."""

    text: str


class Param(NamedTuple):
    """A parameter; `shown` is its name in the usage."""

    name: str
    shown: str
    kind: Kind
    optional: bool


class Group(NamedTuple):
    """What stands in brackets."""

    parts: tuple[Word | Param, ...]


Part = Word | Param | Group


class Token(NamedTuple):
    """A typed word and where it begins in the line."""

    text: str
    start: int


class PatternError(Exception):
    """A pattern is not one; the text says why."""


class Unfit(Exception):
    """A line does not fit; the text is for the player, without the usage."""


def tokens(line: str) -> list[Token]:
    """The words of a line."""
    return [Token(match.group(), match.start()) for match in _TOKEN.finditer(line)]


class Pattern:
    """A parsed pattern.

    Attributes:
        usage: As written.
        leading: The literal words at its start, in lower case.
        parts: What follows them.
    """

    def __init__(self, usage: str, kind_of: Callable[[str], Kind]) -> None:
        """Args:
        usage: The pattern's text.
        kind_of: Parameter name (lower case) -> its kind; may raise `PatternError`.
        """
        self.usage = usage
        parts = list(_parsed(usage, kind_of))
        count = 0
        while count < len(parts) and isinstance(parts[count], Word):
            count += 1
        self.leading = tuple(part.text for part in parts[:count] if isinstance(part, Word))
        self.parts: tuple[Part, ...] = tuple(parts[count:])
        if not self.leading:
            raise PatternError("must begin with the command's word, in lower case")

    @property
    def params(self) -> list[Param]:
        """All parameters, in order."""
        found: list[Param] = []
        for part in self.parts:
            found += [p for p in (part.parts if isinstance(part, Group) else (part,)) if isinstance(p, Param)]
        return found

    def match(self, line: str, words: list[Token]) -> dict[str, str | int | float]:
        """Parameter name -> value for what was typed after the leading words; players are still text.

        Raises:
            Unfit: It does not fit.
        """
        typed = _Typed(line, words)
        if (found := typed.fit(self.parts, 0, _number)) is not None:
            return found
        if (loose := typed.fit(self.parts, 0, _anything)) is not None:
            for param in self.params:
                if param.name in loose and _number(param.kind, str(loose[param.name])) is None:
                    raise Unfit(_misfit(param, str(loose[param.name])))
        raise Unfit("")


def _number(kind: Kind, text: str) -> str | int | float | None:
    """The value of one word, None if it is not of this kind."""
    if kind == "int":
        return int(text) if _INT.fullmatch(text) else None
    if kind == "float":
        fits = _FLOAT.fullmatch(text) and any(c.isdigit() for c in text)
        return float(text) if fits and math.isfinite(float(text)) else None
    return text


def _misfit(param: Param, text: str) -> str:
    """Why this is no number, for the player who typed it."""
    if text.isascii() and text.strip("+-").replace(".", "", 1).isdigit() and len(text) > DIGITS_MAX:
        return f"{param.shown} has at most {DIGITS_MAX} digits."
    return f'{param.shown} is {_NAMES[param.kind]}, and "{text[:DIGITS_MAX]}" is not.'


def _anything(kind: Kind, text: str) -> str:  # noqa: ARG001  (the signature of _number)
    return text


Values = dict[str, str | int | float]


class _Typed:
    """A typed line, tried against the parts of a pattern with backtracking."""

    def __init__(self, line: str, words: list[Token]) -> None:
        self.line, self.words = line, words

    def fit(
        self, parts: tuple[Part, ...], at: int, value: Callable[[Kind, str], str | int | float | None]
    ) -> Values | None:
        """The values if `parts` fit the words from number `at` on, else None."""
        if not parts:
            return {} if at == len(self.words) else None
        part, rest = parts[0], parts[1:]
        if isinstance(part, Group):
            with_it = self.fit((*part.parts, *rest), at, value)
            return self.fit(rest, at, value) if with_it is None else with_it
        if at == len(self.words):
            return None
        if isinstance(part, Word):
            return self.fit(rest, at + 1, value) if self.words[at].text.casefold() == part.text else None
        for end in self._ends(part, rest, at):
            taken = value(part.kind, self._text(at, end))
            if taken is not None and (found := self.fit(rest, end, value)) is not None:
                return {part.name: taken, **found}
        return None

    def _ends(self, param: Param, rest: tuple[Part, ...], at: int) -> Iterator[int]:
        """Where a parameter that begins at word `at` may end, the nearest first."""
        if param.kind != "str":
            yield at + 1
        elif not rest:
            yield len(self.words)
        else:
            yield from range(at + 1, len(self.words) + 1)

    def _text(self, at: int, end: int) -> str:
        last = self.words[end - 1]
        return self.line[self.words[at].start : last.start + len(last.text)]


def _parsed(usage: str, kind_of: Callable[[str], Kind]) -> Iterator[Part]:
    group: list[Word | Param] | None = None
    for text in re.findall(r"[\[\]]|[^\s\[\]]+", usage):
        if text == "[" and group is None:
            group = []
        elif text == "]" and group:
            yield Group(tuple(group))
            group = None
        elif text in "[]":
            raise PatternError("has brackets that do not match")
        elif group is None:
            yield _part(text, kind_of, optional=False)
        else:
            group.append(_part(text, kind_of, optional=True))
    if group is not None:
        raise PatternError("has brackets that do not match")


def _part(text: str, kind_of: Callable[[str], Kind], *, optional: bool) -> Word | Param:
    if text == text.casefold():
        return Word(text)
    if text == text.upper() and text.isidentifier():
        return Param(text.lower(), text, kind_of(text.lower()), optional)
    raise PatternError(f"has the word {text}: write a literal word in lower case, a parameter in UPPER case")
