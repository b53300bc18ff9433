"""TOML that people wrote: each key's line is found, and each mistake is answered with what would be right."""

import enum
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from perdure.tomlfile import Path, TomlFile, nearest


class Refused(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"{line}: {message}")


def read(text: str) -> TomlFile:
    return TomlFile(text, Refused)


def refusal(text: str, form: Any) -> str:
    with pytest.raises(Refused) as caught:
        read(text).convert(form)
    return str(caught.value)


LINES = """\
# comment with = and [brackets]
top = 1
"quoted = [key]" = "value # no comment"
dotted.inner.key = 'a'

[creatures]
wolf = { hp = 8, drops = ["fur", "tooth"], "bite" = { damage = 2 } }

[creatures.bear]
hp = 16
text = \"\"\"
hp = 17
[creatures.goose]
\"\"\"
drops = [
    "fur",
    # a comment
    { kind = "claw", count = 4 },
]
when = 2026-11-21 10:00:00

[[places]]
name = "town"

[[places.exits]]
to = "meadow"

[[places.exits]]
to = "inn"

[[places]]
name = "inn"

[places.owner]
name = "Ada"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("quoted = [key]",), 3),
        (("dotted", "inner", "key"), 4),
        (("creatures",), 6),
        (("creatures", "wolf", "drops", 1), 7),
        (("creatures", "wolf", "bite", "damage"), 7),
        (("creatures", "bear"), 9),
        (("creatures", "bear", "hp"), 10),
        (("creatures", "bear", "text"), 11),
        (("creatures", "bear", "drops", 0), 16),
        (("creatures", "bear", "drops", 1), 18),
        (("creatures", "bear", "drops", 1, "count"), 18),
        (("creatures", "bear", "when"), 20),
        (("places", 0, "name"), 23),
        (("places", 0, "exits", 0, "to"), 26),
        (("places", 0, "exits", 1, "to"), 29),
        (("places", 1, "name"), 32),
        (("places", 1, "owner", "name"), 35),
        (("creatures", "goose"), 6),
        (("creatures", "bear", "hp", "missing"), 10),
        (("nowhere",), 1),
    ],
)
def test_each_key_has_its_line(path: Path, line: int) -> None:
    """Wherever TOML lets it stand; what is not there has the line of the nearest table around it."""
    assert read(LINES).line(path) == line
    assert read(LINES.replace("\n", "\r\n")).line(path) == line


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path in a value, the arrays' numbers included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from paths(item, (*path, key))


KEYS = st.text(st.sampled_from("ab-_1.=\"'[]#{},\\\n é"), min_size=1, max_size=4)
SCALARS = st.one_of(
    st.integers(),
    st.booleans(),
    st.text(st.sampled_from("ab\"'[]#{},=\\\n é"), max_size=8),
    st.datetimes().map(lambda moment: moment.replace(microsecond=0)),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


def quoted(text: str, dice: int) -> str:
    """A string in one of the forms that TOML has for it."""
    basic = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    if dice % 3 == 1 and "'" not in text and "\n" not in text:
        return f"'{text}'"
    return f'"""\n{basic}"""' if dice % 3 == 2 else f'"{basic}"'


def written(value: Any, dice: int) -> str:
    """A value as TOML in one line or several."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value, dice)
    if isinstance(value, list):
        gap = "\n # [a = 1\n " if dice % 2 else ""
        return f"[{gap}{', '.join(written(item, dice + 1) for item in value)}{gap}]"
    if isinstance(value, dict):
        pairs = (f"{quoted(key, dice % 2)} = {written(item, dice + 1)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return str(value)


@given(
    tables=st.lists(st.tuples(KEYS, st.booleans(), st.dictionaries(KEYS, VALUES, max_size=4)), max_size=4),
    dice=st.integers(0, 5),
)
def test_whatever_tomllib_reads_is_found(tables: list[tuple[str, bool, dict[str, Any]]], dice: int) -> None:
    """Each key and element has a line, on or after that of what it stands in, and nothing else has one."""
    text = "# begin\n"
    for number, (name, is_array, table) in enumerate(tables):
        head = f"{quoted(name, dice % 2)}.t{number}"
        text += f"[[{head}]]\n[[ {head} ]] # second\n" if is_array else f"[ {head} ]\n"
        text += "".join(f"{quoted(key, dice % 2)} = {written(value, dice)} # = 3\n" for key, value in table.items())
    file = read(text)
    there = list(paths(file.tables))
    assert set(file._lines) == set(there)
    assert all(file.line(path) >= file.line(path[:-1]) for path in there)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    """A scanner that only knows valid TOML never meets anything else."""
    with suppress(Refused):
        read(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "[" * 300 + "]" * 300, "a = " + "9" * 5000])
def test_monstrous_values_are_read_or_refused(text: str) -> None:
    """A recursion limit is not the author's business."""
    with suppress(Refused):
        assert read(text).line(("a",)) == 1


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Drop(msgspec.Struct, frozen=True):
    kind: str
    count: Annotated[int, Meta(ge=1)] = 1


class Breed(msgspec.Struct, frozen=True, rename={"walks": "walks-like"}):
    hp: int
    size: Size = Size.SMALL
    mood: Literal["calm", "angry"] = "calm"
    speed: float = 1.0
    drops: tuple[Drop, ...] = ()
    pair: tuple[int, str] = (0, "")
    rider: Drop | None = None
    walks: str = "walks"

    def __post_init__(self) -> None:
        if self.hp > 1000:
            raise ValueError("no creature has more than 1000 hp")


def test_tables_become_what_the_type_says() -> None:
    """Structs in dicts, in tuples, optional ones, renamed fields, enums and whole numbers where a number is meant."""
    text = """
[wolf]
hp = 8
size = "large"
mood = "angry"
speed = 2
drops = [{ kind = "fur" }, { kind = "tooth", count = 4 }]
pair = [1, "x"]
rider = { kind = "goblin" }
walks-like = "a wolf"
"""
    wolf = Breed(8, Size.LARGE, "angry", 2.0, (Drop("fur"), Drop("tooth", 4)), (1, "x"), Drop("goblin"), walks="a wolf")
    found = read(text).convert(dict[str, Breed])
    assert found == {"wolf": wolf}
    assert isinstance(found["wolf"].speed, float)


class Place(NamedTuple):
    name: str
    exits: dict[int, str] | None = None


def test_a_list_of_names_that_is_cut_says_so() -> None:
    """Nobody takes the first dozen for all that there are."""
    names = [f"room-{number:02}" for number in range(13)]
    assert nearest("a room", "room-0x", names).endswith("room-10, room-11, …)")
    assert nearest("a room", "room-0x", names[:12]).endswith("room-10, room-11)")


@dataclass(frozen=True)
class Town:
    places: list[Place]
    coins: int = 0


def test_named_tuples_and_dataclasses_are_read_as_structs_are() -> None:
    """By the names of their fields, with their defaults; keys of dicts may be numbers."""
    town = read('[[places]]\nname = "inn"\nexits = { 1 = "meadow" }').convert(Town)
    assert town == Town([Place("inn", {1: "meadow"})])
    assert refusal("coins = 1", Town) == "1: the key places is missing; add, for example: places = …."
    assert refusal('[[places]]\nnam = "inn"', Town).startswith("2: places[0].nam: no such key; did you mean name?")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hp = 'many'", "3: wolf.hp: 'many' does not fit; expected a whole number."),
        ("hp = 1\nsped = 2", "4: wolf.sped: no such key; did you mean speed? expected one of drops, hp, mood,"),
        (
            "hp = 1\nmood = 'angr'",
            "4: wolf.mood: 'angr' does not fit; did you mean angry? expected one of angry, calm.",
        ),
        (
            "hp = 1\nsize = 'smal'",
            "4: wolf.size: 'smal' does not fit; did you mean small? expected one of large, small.",
        ),
        ("speed = 1", "2: wolf: the key hp is missing; add, for example: hp = 1."),
        (
            "hp = 1\ndrops = [\n{ kind = 'a' },\n{ kind = 'b', count = 0 }]",
            "6: wolf.drops[1].count: 0 does not fit; exp",
        ),
        ("hp = 1\ndrops = [3]", "4: wolf.drops[0]: 3 is not a table; expected [wolf.drops.0]."),
        ("hp = 1\ndrops = 3", "4: wolf.drops: 3 does not fit; expected a list in brackets."),
        ("hp = 1\npair = [1]", "4: wolf.pair: [1] does not fit; expected a list in brackets of length 2."),
        ("hp = 1\nrider = { knd = 'x' }", "4: wolf.rider.knd: no such key; did you mean kind?"),
        ("hp = 2000", "2: wolf: no creature has more than 1000 hp."),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_would_be_right(line: str, message: str) -> None:
    """Where it stands, what it is, and the nearest valid word."""
    assert refusal(f"# creatures\n[wolf]\n{line}\n", dict[str, Breed]).startswith(message)


class Camp(msgspec.Struct):
    fire: Drop | None = None
    owner: str | None = None
    sign: int | str | None = None
    tents: list[int] | dict[str, int] | None = None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fire = 3", "1: fire: 3 is not a table; expected [fire]."),
        ("fire = [3]", "1: fire: [3] is not a table; expected [fire]."),
        ("owner = 3", "1: owner: 3 does not fit; expected a text in quotes."),
        ("sign = 1.5", "1: sign: 1.5 does not fit; expected a whole number or a text in quotes."),
        ("tents = 3", "1: tents: 3 does not fit; expected a table or a list in brackets."),
        ("tents = ['a']", "1: tents[0]: 'a' does not fit; expected a whole number."),
    ],
)
def test_nobody_is_told_to_write_null(text: str, message: str) -> None:
    """TOML has none: what may be left out is written like any other, or left out."""
    assert refusal(text, Camp) == message
    assert read("").convert(Camp) == Camp()


def test_a_value_where_tables_are_expected_is_refused() -> None:
    """`wolf = 3` in a file of breeds."""
    assert refusal("wolf = 3", dict[str, Breed]) == "1: wolf: 3 is not a table; expected [wolf]."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nb = \n", "2: not TOML: Invalid value"),
        ("a = 1\na = 2\n", "2: not TOML: Cannot overwrite a value"),
        ("a = 1\nb = [1,\n", "2: not TOML"),
    ],
)
def test_what_is_no_toml_is_refused_with_its_line(text: str, message: str) -> None:
    """At the end of the file, if that is where something is missing."""
    assert message in refusal(text, dict[str, Any])
