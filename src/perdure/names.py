"""Names of players: which may be had, and which of them look alike (UTS #39).

A name is compared in two ways. `folded` says which spellings are one name: those that differ in case, or in
how accents are encoded. `skeleton` says which names look like one: each character gives way to the plainest
one that it can be mistaken for, by the Unicode Consortium's confusables.txt (UTS #39, 4), so that ``раураl`` in
Cyrillic and ``paypal`` have one skeleton, and so have ``B0b`` and ``Bob``, ``Ian`` and ``lan``, ``Torn`` and ``Tom``.

The data come from the library confusable-homoglyphs, whose JSON has Scripts.txt of Unicode 15.0 and confusables.txt
with all characters up to Unicode 14, but each of its pairs in both directions, right-to-left ones between marks.
`_prototypes` undoes both. Where two characters are each other's only partners it cannot know which of them the
Consortium maps to which; it takes the one with the lower code point, which makes other skeletons than the
Consortium's and the same look-alikes.

Skeletons are stored, so the library is pinned to a version: other data come with a migration that forgets them.
The data take some 50 ms to load. They are 1 MiB, and 6 MiB while they are worked out, of which the process keeps some
4 in all. Nothing is loaded before a name is judged or compared: a login to an account does neither.

Names that differ in an accent are two: UTS #39 keeps accents, and so do the languages in which they make another
name. Who reads in ASCII cannot tell Zoë from Zoe, and is told so by the documentation.

Known limits: look-alikes are those of the table. It has nothing for ``vv`` and ``w``, or for ``Аdа`` in a font
without Cyrillic. Names that a game writes in capitals may look alike though these do not: ``ian`` and ``lan``.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cache
from itertools import chain, pairwise
from typing import NamedTuple

import msgspec

CHARS_MIN, CHARS_MAX = 2, 20
RULE = (
    f"A name has {CHARS_MIN} to {CHARS_MAX} characters: letters of one script, digits, and single - ' or _ between "
    "them, with a letter first."
)

COMMANDS = (
    *("connect", "login", "create", "new", "register", "who", "quit", "exit", "logout", "bye"),
    *("help", "set", "settings"),
    *("yes", "no", "mssp-request"),
)
"""What a player types to the server itself; such a name could not log in by itself."""
TITLES = (
    *("admin", "administrator", "builder", "moderator", "operator", "owner", "root", "staff", "sysop"),
    *("perdure", "server", "system", "gateway", "all", "everyone", "everybody", "anyone", "nobody", "noone"),
    *("somebody", "someone", "me", "myself", "self", "you", "yourself", "player", "unknown"),
)
"""What would speak with the server's voice, or means somebody else in a game; only an operator gives such a name."""

_GUEST = re.compile(r"guest[lo2-9]*")
"""Skeletons of ``Guest1``, ``Guest20``, …: those who play without an account are called so."""

SCRIPTS = frozenset(
    """
    LATIN GREEK CYRILLIC ARMENIAN GEORGIAN HEBREW ARABIC THAANA ETHIOPIC
    DEVANAGARI BENGALI GURMUKHI GUJARATI ORIYA TAMIL TELUGU KANNADA MALAYALAM SINHALA
    THAI LAO TIBETAN MYANMAR KHMER HAN HIRAGANA KATAKANA BOPOMOFO HANGUL
    """.split()  # noqa: SIM905 - a list of names reads better so
)
"""Scripts in everyday use (UAX #31, table 5). Others have few fonts and many look-alikes."""
SYSTEMS = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
"""Ways of writing that use several scripts, and count as one (UTS #39, 5.1)."""

_PUNCTUATION = "-'_"
_SOUND_MARK = "\u30fc"
"""ー lengthens a vowel in Japanese. Unicode counts it to no script, and nobody else uses it."""
_COMPATIBLE = frozenset("\u0e33\u0eb3")
"""The vowels am of Thai and Lao: written in every other name, and yet not what NFKC makes of them."""
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f").union(map(chr, range(0xFE00, 0xFE10)))
"""Letters and marks that show nothing (Default_Ignorable_Code_Point)."""


def canonical(name: str) -> str:
    """The name as it is kept: in NFC, with the plain apostrophe where a phone typed ’."""
    return unicodedata.normalize("NFC", name.replace("\u2019", "'"))


def folded(name: str) -> str:
    """What all spellings of one name have in common (Unicode 3.13, canonical caseless matching)."""
    decomposed = unicodedata.normalize("NFD", canonical(name))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", decomposed.casefold()))


def skeleton(name: str) -> str:
    """What all names that look like this one have in common; not for showing.

    UTS #39, 4: NFD, each character replaced by its prototype, NFD; then casefold, since an account's name is one in
    any case, and ``B0b`` (prototype ``BOb``) is to be ``bob``. Case counts until then, as it does for the eye: I looks
    like l, i does not.
    """
    prototypes = _prototypes()
    shown = unicodedata.normalize("NFD", canonical(name))
    plain = "".join(prototypes.get(char, char) for char in shown)
    return unicodedata.normalize("NFD", plain).casefold()


def problem(name: str, *, by_operator: bool = False, unsaid: bool = False) -> str:
    """Why nobody may have this name, with what would do; "" if somebody may.

    Args:
        name: In canonical form; another one is refused.
        by_operator: An operator gives the name, and may give titles.
        unsaid: The name is not to be repeated: it may be a password that was typed at the wrong moment.
    """
    why = _form_problem(name) or _script_problem(name) or _reserved_problem(name, by_operator)
    if unsaid:
        why = why.format(name="it")
        return why[:1].upper() + why[1:]
    return why.format(name=name)


def _form_problem(name: str) -> str:
    """As the others below: a sentence with a place for the name."""
    if not CHARS_MIN <= len(name) <= CHARS_MAX or len(folded(name)) > CHARS_MAX or name != canonical(name):
        return RULE
    if not _FORM.fullmatch("".join(map(_kind, name))):
        return RULE
    return "" if name.isascii() else _marks_problem(name)


_FORM = re.compile("lm*(?:lm*|0|p(?=[l0]))*")
"""Kinds of characters in a name, in order: `l`etter, `m`ark, 0 for a digit, `p`unctuation."""


def _kind(char: str) -> str:
    """l, m, 0 or p, or x for what no name has.

    What NFKC changes is another spelling of a plainer character: fullwidth, mathematical, a ligature, a superscript.
    """
    if char.isascii():
        return "l" if char.isalpha() else "0" if char.isdigit() else "p" if char in _PUNCTUATION else "x"
    if char in _INVISIBLE or (unicodedata.normalize("NFKC", char) != char and char not in _COMPATIBLE):
        return "x"
    category = unicodedata.category(char)
    return "l" if category[0] == "L" else "m" if category in ("Mn", "Mc") else "x"


def _marks_problem(name: str) -> str:
    """Too many marks on one letter climb into the line above; the same one twice looks like one (UTS #39, 5.4)."""
    decomposed = unicodedata.normalize("NFD", name)
    twice = any(a == b and unicodedata.category(a) == "Mn" for a, b in pairwise(decomposed))
    kinds = "".join(_mark_kind(char) for char in name)
    if twice or re.search("iii|[im]{5}", kinds):
        return f"{{name}} has too many accents on one letter. {RULE}"
    return ""


def _mark_kind(char: str) -> str:
    """i for a non-spacing mark that any script may use, m for one of a script that needs it, else a space."""
    if unicodedata.category(char) != "Mn":
        return " "
    return "i" if _script(char) == "INHERITED" else "m"


def _script_problem(name: str) -> str:
    if name.isascii():
        return ""
    used = {_script(char) for char in name if _kind(char) in "lm"} - {"INHERITED"}
    if "COMMON" in used:
        return RULE
    if unknown := used - SCRIPTS:
        return f"Names can't be written in {_listed(unknown)} here: too few could read them. {RULE}"
    if len(used) > 1 and not any(used <= system for system in SYSTEMS):
        return f"A name is written in one script, and {{name}} mixes {_listed(used)}. Choose another name."
    return ""


def _listed(scripts: set[str]) -> str:
    return " and ".join(sorted(script.replace("_", " ").title() for script in scripts))


def _reserved_problem(name: str, by_operator: bool) -> str:
    key, plain = skeleton(name), folded(name)
    taken = _reserved(COMMANDS) if by_operator else _reserved(COMMANDS + TITLES)
    if key in taken or plain in taken or _GUEST.fullmatch(key):
        return "{name} is a word that the server needs itself, or looks like one. Choose another name."
    return ""


@cache
def _reserved(words: tuple[str, ...]) -> frozenset[str]:
    """The words, and their skeletons in every case that people write them in."""
    return frozenset({*words, *(skeleton(form) for word in words for form in (word, word.title(), word.upper()))})


# --- Unicode's data ---


class _Confusable(msgspec.Struct, gc=False):
    c: str


class _Scripts(msgspec.Struct):
    """Scripts.txt as the library keeps it: ranges of (first, last, number of the script, number of the category)."""

    iso_15924_aliases: list[str]
    code_points_ranges: list[tuple[int, int, int, int]]


class _Ranges(NamedTuple):
    firsts: list[int]
    lasts: list[int]
    scripts: list[str]


@cache
def _prototypes() -> dict[str, str]:
    """Each confusable character, with what stands for it and all that look like it, in NFD.

    Read from one text, once all that it was worked out with is gone: what is made amid 6 MiB of other objects keeps
    most of their memory, since Python gives it back by the MiB.
    """
    items = "\0".join(chain.from_iterable(_worked_out().items())).split("\0")
    return dict(zip(items[::2], items[1::2], strict=True))


def _worked_out() -> dict[str, str]:
    data = msgspec.json.decode(_file("confusables.json"), type=dict[str, list[_Confusable]])
    partners: dict[str, set[str]] = {}
    for char, found in data.items():
        partners.setdefault(_undirected(char), set()).update(_undirected(other.c) for other in found)
    direct = {char: _direct(char, others, partners) for char, others in partners.items() if len(char) == 1}
    return {char: plain for char in direct if (plain := _settled(char, direct)) != char}


def _direct(char: str, others: set[str], partners: dict[str, set[str]]) -> str:
    """What the character is mapped to; itself if others are mapped to it.

    Every character of the table has exactly one prototype, and no prototype has one: so several characters are never
    a prototype's own, and a character with several partners is theirs.
    """
    if sequence := next((other for other in others if len(other) > 1), ""):
        return sequence
    if len(others) > 1:
        return char
    (other,) = others
    return other if len(partners[other]) > 1 else min(char, other)


def _settled(char: str, direct: dict[str, str]) -> str:
    """The prototype whose own characters stand for themselves."""
    text = char
    while (further := unicodedata.normalize("NFD", "".join(direct.get(c, c) for c in text))) != text:
        text = further
    return text


def _undirected(text: str) -> str:
    return text.replace("\u200e", "")


@cache
def _ranges() -> _Ranges:
    data = msgspec.json.decode(_file("categories.json"), type=_Scripts)
    ranges = sorted(data.code_points_ranges)
    scripts = [data.iso_15924_aliases[script] for _, _, script, _ in ranges]
    return _Ranges([first for first, *_ in ranges], [last for _, last, *_ in ranges], scripts)


def _script(char: str) -> str:
    """The script's name in capitals: LATIN, COMMON, INHERITED, …; UNKNOWN for what Unicode 15.0 had not."""
    if char == _SOUND_MARK:
        return "KATAKANA"
    ranges, code = _ranges(), ord(char)
    at = bisect_right(ranges.firsts, code) - 1
    return ranges.scripts[at] if at >= 0 and code <= ranges.lasts[at] else "UNKNOWN"


def _file(name: str) -> bytes:
    from importlib.resources import files  # its own 10 ms are paid by those who look at names

    return files("confusable_homoglyphs").joinpath(name).read_bytes()
