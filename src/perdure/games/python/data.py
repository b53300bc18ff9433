"""Data files of a game: TOML, read when a module is loaded, and reloaded as code is.

What is read are the bytes that were captured with the module's generation, so code and data always fit each
other. The loader knows which module depends on which file from the file's name, which therefore stands in the
module as a text in quotes.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeVar

import msgspec

from perdure.errors import GameError
from perdure.live.loader import Loader
from perdure.tomlfile import TomlFile, nearest

T = TypeVar("T")


def data(file: str, form: type[T]) -> T:
    """The game's data file `file`, checked and converted: ``KINDS = data("creatures.toml", dict[str, Kind])``.

    Called where a module is loaded, outside all functions. Once the file changes, the module is loaded again.

    Args:
        file: Path of a ``.toml`` file below the game's folder, written out in quotes in the module.
        form: What it must fit: a dict, or a named tuple or a frozen struct or dataclass, of plain types and of these.

    Raises:
        GameError: The file does not fit (its line, what is wrong, the nearest valid name), or the call does not.
    """
    caller = sys._getframe(1)
    _check_call(file, form, caller)
    path, text = _found(file, caller)

    def error(line: int, message: str) -> GameError:
        return GameError(message, file=str(path), line=line)

    try:
        toml = TomlFile(text.decode(), error)
    except UnicodeDecodeError as wrong:
        raise error(text.count(b"\n", 0, wrong.start) + 1, "is not UTF-8. Save the file as UTF-8.") from None
    converted: T = toml.convert(form)
    return converted


def _check_call(file: str, form: Any, caller: FrameType) -> None:
    if caller.f_code.co_name != "<module>":
        what = "data is read while a module is loaded. Move this line out of the function, to the top of the module"
        raise _misused(what, caller)
    if not file.endswith(".toml") or file.startswith("/") or ".." in Path(file).parts:
        raise _misused(f"{file!r} names no .toml file below the game's folder", caller)
    if file not in set(_texts(caller.f_code)):
        raise _computed(file, caller)
    if (changeable := next(_changeable(form), None)) is not None:
        raise _misused(
            f"a {changeable.__name__} could be changed while the game runs, and the next reload would forget it. "
            f"Derive it from NamedTuple, or make it frozen: class {changeable.__name__}(Struct, frozen=True)",
            caller,
        )


def _misused(what: str, caller: FrameType) -> GameError:
    return GameError(f"{what}.", file=caller.f_code.co_filename, line=caller.f_lineno)


def _computed(file: str, caller: FrameType) -> GameError:
    return _misused(
        f'the name of a data file is written out where it is read, data("{file}", …), since that is how it is '
        "known which modules to load again when the file changes",
        caller,
    )


def _texts(code: CodeType) -> Iterator[str]:
    """The string constants of a module outside its functions."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple):
            yield from (text for text in constant if isinstance(text, str))


def _changeable(form: Any, seen: tuple[Any, ...] = ()) -> Iterator[type]:
    """The classes in a type whose instances do not stay as they are."""
    if form in seen:
        return
    inner = [*typing.get_args(form)]
    if isinstance(form, type) and issubclass(form, msgspec.Struct):
        if not form.__struct_config__.frozen:
            yield form
        inner += [field.type for field in msgspec.structs.fields(form)]
    elif isinstance(form, type) and hasattr(form, "__dataclass_params__"):
        if not form.__dataclass_params__.frozen:
            yield form
        inner += typing.get_type_hints(form).values()
    elif isinstance(form, type) and issubclass(form, tuple):
        inner += typing.get_type_hints(form).values()
    for other in inner:
        yield from _changeable(other, (*seen, form))


def _found(file: str, caller: FrameType) -> tuple[Path, bytes]:
    """Where the file lies, and what was captured of it."""
    loader = getattr(caller.f_globals.get("__spec__"), "loader", None)
    if not isinstance(loader, Loader):
        return _on_disk(file, caller)
    if f"/{file}" in loader.data:
        captured = loader.data[f"/{file}"]
        return captured.path, captured.data
    parts = loader.source.name.split(".") if loader.source.name else []
    root = loader.source.path.parents[max(0, len(parts) - (not loader.source.is_package))]
    raise _missing(file, root, caller)


def _on_disk(file: str, caller: FrameType) -> tuple[Path, bytes]:
    """For a game that was imported in the ordinary way, as a test does: its outermost folder that has the file."""
    here = Path(caller.f_code.co_filename).parent
    depth = len((caller.f_globals.get("__package__") or "game").split("."))
    folders = [here, *here.parents][:depth]
    for folder in reversed(folders):
        if (folder / file).is_file():
            return folder / file, (folder / file).read_bytes()
    raise _missing(file, folders[-1], caller)


def _missing(file: str, root: Path, caller: FrameType) -> GameError:
    if (root / file).is_file():  # but nobody could see that it would be needed: "creatures" + ".toml"
        return _computed(file, caller)
    there = [path.relative_to(root).as_posix() for path in sorted((root / file).parent.glob("[!.]*.toml"))]
    hint = nearest("a data file there", file, there) if there else "expected a path from the game's folder"
    return _misused(f"there is no {file} in the game; {hint}", caller)
