"""TOML that people wrote: read, checked against types, and refused with the line and the nearest valid word.

A scanner of our own finds the line of each key, since `tomllib` does not tell. It reads only what `tomllib` has
accepted, so it need not know what is wrong, only where things stand.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from perdure.spelling import NAME_LIKE_MIN, meant

Path: TypeAlias = tuple[str | int, ...]
"""Keys from the outermost table inwards; in arrays, numbers from 0."""

NAMES_SHOWN = 12


class TomlFile:
    """One file's tables, and where in it everything stands.

    Attributes:
        tables: What `tomllib` read.

    Args:
        text: The file.
        error: Makes the error to raise from a 1-based line and a message.
    """

    def __init__(self, text: str, error: Callable[[int, str], Exception]) -> None:
        self._error = error
        try:
            self.tables = tomllib.loads(text)
            self._lines = _Scanner(text.replace("\r\n", "\n")).lines()
        except tomllib.TOMLDecodeError as wrong:
            found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", str(wrong))
            line = int(found[1]) if found and found[1] else max(1, len(text.splitlines()))
            raise error(line, f"not TOML: {wrong}.") from None
        except (RecursionError, ValueError) as wrong:  # nested a thousand times; a number of five thousand digits
            raise error(1, f"not TOML that can be read: {wrong}.") from None

    def line(self, path: Path) -> int:
        """1-based line of the key, or of the nearest table around it that the file has; else 1."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def error(self, path: Path, what: str, expected: str = "") -> Exception:
        """The error about a key, to be raised: what is wrong, and what would be right."""
        text = f"{what}; {expected}" if expected else what
        return self._error(self.line(path), f"{_shown(path)}{text.removesuffix('.')}.")

    def convert(self, form: Any, path: Path = ()) -> Any:
        """The value at `path` as `form`; a table that is missing counts as empty.

        Types are those of msgspec. Tables become structs, named tuples, dataclasses or dicts, whose keys are checked.
        """
        value: Any = self.tables
        for part in path:
            value = value.get(part, {}) if isinstance(value, dict) else value
        return self._convert(value, form, path)

    def check_keys(self, path: Path, table: Mapping[str, Any], known: Iterable[str]) -> None:
        """Refuse a key that is not known, with the nearest that is."""
        names = list(known)
        for key in table:
            if key not in names:
                raise self.error((*path, key), "no such key", nearest(None, key, names))

    def _convert(self, value: Any, form: Any, path: Path) -> Any:
        plain = _without_notes(form)
        origin, args = typing.get_origin(plain) or plain, typing.get_args(plain)
        if origin in (typing.Union, types.UnionType):
            return self._one_of(value, form, args, path)
        if (fields := _fields(plain)) is not None:
            return self._record(value, plain, fields, path)
        if origin is dict and args:
            table = self._table(value, path)
            keys = {key: self._leaf(key, args[0], (*path, key), strict=False) for key in table}
            built = {keys[key]: self._convert(inner, args[1], (*path, key)) for key, inner in table.items()}
            return self._leaf(built, form, path) if plain is not form else built
        if origin in (list, tuple, set, frozenset) and args and isinstance(value, list):
            each = args if origin is tuple and Ellipsis not in args else (args[0],) * len(value)
            pairs = zip(value, each, strict=False)
            items = [self._convert(item, inner, (*path, index)) for index, (item, inner) in enumerate(pairs)]
            return self._leaf(items + value[len(items) :], form, path)
        return self._leaf(value, form, path)

    def _record(self, value: Any, cls: Any, fields: dict[str, _Field], path: Path) -> Any:
        """A table as an instance of a class with fields."""
        table = self._table(value, path)
        self.check_keys(path, table, fields)
        for name, field in fields.items():
            if field.required and name not in table:
                raise self.error(path, f"the key {name} is missing", f"add, for example: {name} = {_example(field)}")
        values = {
            fields[key].attribute: self._convert(inner, fields[key].form, (*path, key)) for key, inner in table.items()
        }
        try:
            return cls(**values)
        except (TypeError, ValueError) as wrong:  # what a class's own check says of the values
            raise self.error(path, str(wrong)) from wrong

    def _one_of(self, value: Any, form: Any, choices: tuple[Any, ...], path: Path) -> Any:
        """A value of one of several types; if only one of them can be meant, it is that one. TOML has no null."""
        there = [choice for choice in choices if choice is not types.NoneType]
        if len(there) > 1 and isinstance(value, dict | list):
            there = [choice for choice in there if _takes(choice, value)]
        if len(there) == 1:
            return self._convert(value, there[0], path)
        return self._leaf(value, form, path)

    def _table(self, value: Any, path: Path) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(path, f"{value!r} is not a table", f"expected [{'.'.join(map(str, path))}]")
        return value

    def _leaf(self, value: Any, form: Any, path: Path, *, strict: bool = True) -> Any:
        try:
            return msgspec.convert(value, form, strict=strict)
        except msgspec.ValidationError as wrong:
            words = [] if _without_notes(form) is bool else _words(form)
            hint = nearest(None, str(value), words) if words else _plainly(str(wrong))
            raise self.error(path, f"{value!r} does not fit", hint) from None


class _Field(NamedTuple):
    """A field of a class, under the name that a file has for it."""

    attribute: str
    form: Any
    required: bool


def _fields(cls: Any) -> dict[str, _Field] | None:
    """Of a struct, a named tuple or a dataclass; None for any other type."""
    if not isinstance(cls, type):
        return None
    if issubclass(cls, msgspec.Struct):
        fields = msgspec.structs.fields(cls)
        return {field.encode_name: _Field(field.name, field.type, field.required) for field in fields}
    if issubclass(cls, tuple) and hasattr(cls, "_field_defaults"):
        hints = typing.get_type_hints(cls, include_extras=True)
        return {name: _Field(name, hints[name], name not in cls._field_defaults) for name in hints}
    if dataclasses.is_dataclass(cls):
        hints = typing.get_type_hints(cls, include_extras=True)
        missing = dataclasses.MISSING
        return {
            field.name: _Field(field.name, hints[field.name], field.default is field.default_factory is missing)
            for field in dataclasses.fields(cls)
            if field.init
        }
    return None


def _without_notes(form: Any) -> Any:
    return typing.get_args(form)[0] if typing.get_origin(form) is typing.Annotated else form


def _takes(form: Any, value: Any) -> bool:
    """Whether a table, or an array, can be of this type."""
    plain = _without_notes(form)
    origin = typing.get_origin(plain) or plain
    if isinstance(value, dict):
        return origin is dict or _fields(plain) is not None
    return origin in (list, tuple, set, frozenset)


_PLAIN_TYPES = {
    "str": "a text in quotes",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "object": "a table",
    "array": "a list in brackets",
}
_EXAMPLES = {str: '"…"', int: "1", float: "1.0", bool: "true"}


def _example(field: _Field) -> str:
    plain = _without_notes(field.form)
    words = _words(plain)
    return f'"{words[0]}"' if words else _EXAMPLES.get(plain, "…")


def _words(form: Any) -> list[str]:
    """All values of a type, as a file spells them, if they are few; else nothing."""
    plain = _without_notes(form)
    origin, args = typing.get_origin(plain), typing.get_args(plain)
    if origin is Literal:
        return [str(value) for value in args]
    if plain is bool:
        return ["true", "false"]
    if isinstance(plain, type) and issubclass(plain, Enum):
        return [str(member.value) for member in plain]
    if origin in (typing.Union, types.UnionType):
        words = [_words(choice) for choice in args if choice is not type(None)]
        return [word for some in words for word in some] if all(words) else []
    return []


def _plainly(message: str) -> str:
    """What msgspec expected, without its words for types, and without null, which nobody can write."""
    hint = message.partition(", got ")[0].partition(" - at")[0].replace("`", "")
    hint = hint.replace(" | null", "").replace(" | ", " or ")
    for word, plain in _PLAIN_TYPES.items():
        hint = re.sub(rf"\b{word}\b", plain, hint)
    return hint[0].lower() + hint[1:]


def nearest(kind: str | None, given: str, known: Iterable[Any]) -> str:
    """What would have been right, the nearest valid word first."""
    names = sorted(str(name) for name in known)
    near = meant(given, names, NAME_LIKE_MIN)
    hint = f"did you mean {near}? " if near else ""
    among = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
    return f"{hint}expected {kind} ({among})" if kind else f"{hint}expected one of {among}"


def _shown(path: Path) -> str:
    """`creatures.wolf.drops[0]: `, nothing for the whole file."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"{text.removeprefix('.')}: " if path else ""


class _Scanner:
    """Finds where the keys of valid TOML stand."""

    BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
    SPACE = re.compile(r"[ \t]*")
    BARE = re.compile(r"[A-Za-z0-9_-]+")
    SCALAR = re.compile(r"[^,\]}#\n]*")
    STRINGS = re.compile(
        r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|"(?:[^"\\\n]|\\.)*"|' + r"'''(?:[^']|'(?!''))*'{3,5}|'[^'\n]*'", re.DOTALL
    )

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.found: dict[Path, int] = {}
        self.arrays: dict[Path, int] = {}
        self.counted, self.count = 0, 1

    def lines(self) -> dict[Path, int]:
        """Path -> 1-based line on which it is first named."""
        table: Path = ()
        self.skip(self.BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(self.BLANK)
        return self.found

    def header(self) -> Path:
        is_array = self.text.startswith("[[", self.at)
        line = self.line()
        self.at += 2 if is_array else 1
        path: Path = ()
        parts = self.key()
        for part in parts[:-1]:
            path = self.inside((*path, part), line)
        path = (*path, parts[-1])
        self.at += 2 if is_array else 1
        if not is_array:
            return self.inside(path, line)
        self.found.setdefault(path, line)
        self.arrays[path] = self.arrays.get(path, -1) + 1
        return self.inside(path, line)

    def inside(self, path: Path, line: int) -> Path:
        """The table of this name; in an array of tables, the last one."""
        self.found.setdefault(path, line)
        if path in self.arrays:
            path = (*path, self.arrays[path])
            self.found.setdefault(path, line)
        return path

    def pair(self, table: Path) -> None:
        line, path = self.line(), table
        for part in self.key():
            path = (*path, part)
            self.found.setdefault(path, line)
        self.at += 1  # "="
        self.skip(self.SPACE)
        self.value(path)

    def value(self, path: Path) -> None:
        start = self.text[self.at : self.at + 1]
        if start in ("[", "{"):
            self.container(path, is_table=start == "{")
        else:
            self.skip(self.STRINGS if start in ("'", '"') else self.SCALAR)

    def container(self, path: Path, *, is_table: bool) -> None:
        """An array, or a table in one line, with all that is in it."""
        self.at += 1
        index = 0
        self.skip(self.BLANK)
        while self.text[self.at] not in "]}":
            if is_table:
                self.pair(path)
            else:
                self.found[*path, index] = self.line()
                self.value((*path, index))
                index += 1
            self.skip(self.BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self.skip(self.BLANK)
        self.at += 1

    def key(self) -> list[str]:
        """The parts of a dotted key; ends at "=" or "]"."""
        parts = []
        while True:
            self.skip(self.SPACE)
            quoted = self.text[self.at] in "'\""
            part = self.skip(self.STRINGS if quoted else self.BARE)
            parts.append(_unquoted(part) if quoted else part)
            self.skip(self.SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match is not None, "tomllib accepted this text"
        self.at = match.end()
        return match[0]

    def line(self) -> int:
        self.count += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.count


def _unquoted(text: str) -> str:
    (key,) = tomllib.loads(f"{text} = 0")
    return key
