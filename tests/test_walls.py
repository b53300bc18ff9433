"""The walls of docs/architecture.md, held: who may import whom, what the pure core may not touch.

The table below is the architecture's picture of the packages as data. Whoever needs a new edge changes
the table in the same commit, and says why in the row or in docs/decisions/.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "src" / "perdure"

# Importable by all: the taxonomy of errors, what the core needs of the world, the table of versions, the marks
# that structured text carries from a game to the gateway, the words of a copyover's announcements, and what a
# mistyped word was meant to be.
COMMON = {"errors", "ports", "versions", "markup", "announcements", "spelling"}
# What the processes share.
SHARED = {"build", "collector", "faults", "config", "control", "control_lines", "logs", "slot"}

# Part of the package -> the parts that it may import, itself aside. A dotted name on the right opens only that
# module; a dotted row narrows what its part may do.
WALLS: dict[str, set[str]] = {
    "errors": set(),
    "ports": {"errors"},
    "versions": set(),
    "markup": set(),
    "announcements": {"markup"},
    "spelling": set(),
    # pure
    "snapshot": COMMON,
    "room": COMMON | {"snapshot"},
    # its gateway's end knows the values that travel, its host's end drives the machine
    "link": COMMON | {"room"},
    "link.gateway": COMMON | {"room.record", "link.messages"},
    "link.messages": COMMON | {"room.record"},
    "movement": COMMON | {"snapshot", "room", "link"},
    # on top of the pure core
    "live": {"errors"},
    "games": COMMON | {"room", "live", "snapshot", "tomlfile"},
    "store": COMMON | {"snapshot", "faults", "names"},
    # SHARED: where a test makes a process fail, its settings, its channel, what it executes just now, its garbage
    "build": set(),
    "collector": set(),
    "faults": {"errors"},
    "config": {"errors", "tomlfile", "announcements"},
    # (of config and games: what people write in TOML, and how it is refused)
    "tomlfile": {"spelling"},
    "control": {"errors", "control_lines"},
    "control_lines": {"errors"},
    "logs": {"errors", "markup"},
    # (what players may be called, and which names look alike: the login and the accounts ask)
    "names": set(),
    "slot": {"errors"},
    # the processes; a gateway knows no game rule, a host holds no player's socket
    "gateway": COMMON | SHARED | {"names", "link.gateway", "link.messages", "room.record", "store"},
    "host": COMMON | SHARED | {"snapshot", "room", "link", "movement", "live", "games", "store"},
    "supervisor": COMMON | SHARED | {"movement", "store", "tomlfile"},
    # who asks the processes, by the control API that everyone uses
    # (`perdure new` lays out the files of a game, and runs none; a movement's report is told in its own words)
    "cli": COMMON | SHARED | {"snapshot", "movement", "store", "supervisor", "games.python.scaffold", "dev"},
    "__main__": {"cli"},
    # all three processes in one, for authors
    "dev": COMMON | SHARED | {"gateway", "host", "store", "supervisor", "logs"},
    "testing": COMMON | SHARED | {"snapshot", "room", "link", "movement", "live", "games", "store"},
    # the author's names: `from perdure import Game`
    "__init__": COMMON | {"games", "room"},
}

PURE = {"snapshot", "room", "link", "movement"}

# What the pure core may take from the standard library: nothing that sees a clock, a file or a thread.
PURE_STDLIB = frozenset(
    """
    __future__ abc base64 binascii bisect codecs collections contextlib copy dataclasses difflib enum
    fractions functools hashlib heapq hmac inspect itertools keyword math numbers operator
    random re reprlib string struct textwrap types typing unicodedata warnings weakref zlib
    """.split()  # noqa: SIM905 - a list of names reads better so
)
PURE_LIBRARIES = {
    "snapshot": {"msgspec", "backports", "compression"},
    "room": {"msgspec", "typing_extensions"},
    "link": {"msgspec"},
    "movement": {"msgspec"},
}

# Formats that run what they read, and what uses them unasked. Value: the parts that may have it nevertheless.
BANNED: dict[str, set[str]] = {
    "pickle": set(),
    "_pickle": set(),
    "cPickle": set(),
    "cloudpickle": set(),
    "dill": set(),
    "shelve": set(),
    "multiprocessing": set(),
    "marshal": {"live"},  # code objects on their way from the compiling helper, never state
}


class Import(NamedTuple):
    """One imported name, and where it stands."""

    importer: str  # a dotted module below perdure: "room.machine"
    target: str  # a dotted module, absolute: "perdure.snapshot.seal", "json"
    place: str

    @property
    def part(self) -> str:
        return self.importer.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.place}: {self.importer} imports {self.target}"


def module_name(path: Path) -> str:
    """`room/machine.py` -> "room.machine", `room/__init__.py` -> "room", the root -> "__init__"."""
    parts = list(path.relative_to(SOURCE).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def sources() -> list[Path]:
    """Every module of the package; templates are a game's text, not ours."""
    return [path for path in sorted(SOURCE.rglob("*.py")) if "templates" not in path.parts]


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """The module that `from X import …` names, relative dots resolved."""
    if not node.level:
        return node.module or ""
    folder = ["perdure", *path.relative_to(SOURCE).parent.parts]
    base = folder[: len(folder) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def is_module(dotted: str) -> bool:
    """Whether a dotted name below perdure is a file or folder of ours."""
    below = SOURCE.joinpath(*dotted.split(".")[1:])
    return below.is_dir() or below.with_suffix(".py").is_file()


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a module, those inside functions and under TYPE_CHECKING included."""
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, path)
            deeper = [f"{base}.{alias.name}" for alias in node.names]
            targets = [name if base.startswith("perdure") and is_module(name) else base for name in deeper]
        else:
            continue
        place = f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for target in dict.fromkeys(targets):
            yield Import(module_name(path), target, place)


def all_imports() -> list[Import]:
    return [found for path in sources() for found in imports_of(path)]


def is_open(edge: Import) -> bool:
    """Whether the table lets this edge of ours through."""
    target = edge.target.removeprefix("perdure").removeprefix(".") or "__init__"
    narrowed = edge.importer in WALLS and "." in edge.importer
    if target.partition(".")[0] == edge.part and not narrowed:
        return True
    allowed = WALLS[edge.importer] if narrowed else WALLS.get(edge.part, set())
    return any(target == name or target.startswith(name + ".") for name in allowed)


def is_version_only(edge: Import) -> bool:
    """The shells and the command line may say which version they are; nobody else imports the root."""
    return edge.target == "perdure" and edge.part not in PURE | {"errors", "ports", "live", "games", "store"}


def test_every_part_of_the_package_has_a_row_in_the_table() -> None:
    """A new package or module at the root declares its neighbours before it has any."""
    parts = {module_name(path).partition(".")[0] for path in sources()}
    assert parts <= set(WALLS), f"no row in WALLS for {sorted(parts - set(WALLS))}: add it, with the reason"
    rows = {row for row in WALLS if not is_module(f"perdure.{row}")} - {"__init__"}
    assert not rows, f"WALLS has rows for what is not there: {sorted(rows)}"


def test_the_architecture_names_every_part_of_the_package() -> None:
    """Its layout has what is there, and nothing that is not."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    layout = page.partition("\nsrc/perdure/\n")[2].partition("\nexamples/")[0]
    named = re.findall(r"^  (\w+)(?:/|\.py)|, (\w+)\.py", layout, re.MULTILINE)
    parts = {module_name(path).partition(".")[0] for path in sources()} - {"__init__"}
    assert sorted(first or further for first, further in named) == sorted(parts)
    inner = re.findall(r"^    (\w+)/", layout, re.MULTILINE)
    assert all((SOURCE / "gateway" / name).is_dir() for name in inner)


def test_imports_follow_the_direction_of_the_architecture() -> None:
    """Each edge between parts of the package stands in the table; the offending ones are printed."""
    ours = [edge for edge in all_imports() if edge.target.partition(".")[0] == "perdure"]
    offending = [str(edge) for edge in ours if not is_open(edge) and not is_version_only(edge)]
    assert not offending, "edges through a wall:\n" + "\n".join(offending)


def test_the_table_itself_has_no_cycle() -> None:
    """If the table allowed a cycle, the imports could have one."""
    done: set[str] = set()

    def visit(part: str, above: tuple[str, ...]) -> None:
        assert part not in above, f"the table allows a cycle: {' -> '.join([*above, part])}"
        if part in done:
            return
        for other in {name.partition(".")[0] for name in WALLS.get(part, ())}:
            visit(other, (*above, part))
        done.add(part)

    for part in WALLS:
        visit(part.partition(".")[0], ())


def reached(part: str) -> set[str]:
    """Every module of ours that importing a part brings along; the root's names for authors aside."""
    edges: dict[str, set[str]] = {}
    for edge in all_imports():
        if edge.target.startswith("perdure."):
            edges.setdefault(edge.importer, set()).add(edge.target.removeprefix("perdure."))
    found = {name for name in edges if name.partition(".")[0] == part}
    ahead = list(found)
    while ahead:
        new = edges.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found


def test_a_gateway_never_meets_a_game() -> None:
    """What holds the players' sockets changes with no game, however far its imports are followed."""
    met = {name for name in reached("gateway") if re.match(r"(room\.machine|games|live|host|movement)\b", name)}
    assert not met


def test_a_host_never_meets_a_players_socket() -> None:
    """Replacing a host moves rooms, not connections."""
    assert not {name for name in reached("host") if name.partition(".")[0] == "gateway"}


def test_the_pure_core_sees_no_clock_file_socket_or_thread() -> None:
    """`snapshot`, `room`, `link` and `movement` get time, entropy and I/O through their constructors only."""
    offending = []
    for edge in all_imports():
        root = edge.target.partition(".")[0]
        if edge.part not in PURE or root == "perdure":
            continue
        allowed = PURE_STDLIB if root in sys.stdlib_module_names else PURE_LIBRARIES[edge.part]
        if root not in allowed:
            offending.append(str(edge))
    assert not offending, "the pure core touches the world:\n" + "\n".join(offending)


def test_the_pure_core_draws_only_from_seeded_generators() -> None:
    """`random.Random(seed)` is data; `random.random()` is the process's own entropy."""
    offending = []
    for path in sources():
        if module_name(path).partition(".")[0] not in PURE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            place = f"{path.relative_to(REPOSITORY)}:{getattr(node, 'lineno', 0)}"
            match node:
                case ast.ImportFrom(module="random", names=names) if {n.name for n in names} != {"Random"}:
                    offending.append(place)
                case ast.Attribute(value=ast.Name(id="random"), attr=name) if name != "Random":
                    offending.append(f"{place}: random.{name}")
                case ast.Call(func=ast.Name(id="Random") | ast.Attribute(attr="Random"), args=[]):
                    offending.append(f"{place}: a generator without a seed")
    assert not offending, "unseeded randomness:\n" + "\n".join(offending)


def test_nothing_is_ever_unpickled() -> None:
    """State outlives code because it is typed data; a format that runs what it reads is in no module (P5)."""
    offending = []
    for edge in all_imports():
        exempt = BANNED.get(edge.target.partition(".")[0])
        if exempt is not None and edge.part not in exempt:
            offending.append(str(edge))
    assert not offending, "banned formats:\n" + "\n".join(offending)


FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.~-])/(work|root|home)/\w"),
    "a package registry or its settings": re.compile(
        r"pypi\.org|pythonhosted\.org|npmjs\.|crates\.io|(?<!no-emit-)index-url|trusted-host"
    ),
    "what lies beside the checkout": re.compile(r"\.\./shared"),
}
MAY_NAME = {"what lies beside the checkout": {".ci/run"}}
ITSELF = "tests/test_walls.py"
TOOLS_FOLDERS = re.compile(r"\.git|\.venv|\.hypothesis|\.perdure|site|dist|build|.*cache|__pycache__|.*\.egg-info")
BINARY = {".pyc", ".so", ".zst", ".snapshot", ".dgld", ".fseq", ".png", ".wasm"}


def repository_files() -> Iterator[Path]:
    """Every text file that a checkout holds; caches and environments aside."""
    for folder, folders, files in os.walk(REPOSITORY):
        here = Path(folder)
        folders[:] = [name for name in folders if not TOOLS_FOLDERS.fullmatch(name)]
        folders[:] = [name for name in folders if not (here / name / "pyvenv.cfg").exists()]
        yield from (here / name for name in files if Path(name).suffix not in BINARY)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names_a_machine_or_a_registry(what: str) -> None:
    """A checkout works wherever it lies, and installs from wherever its user's pip is told to."""
    offending = []
    for path in repository_files():
        name = path.relative_to(REPOSITORY).as_posix()
        text = path.read_bytes().decode("utf-8", "replace")
        excused = name == ITSELF or name in MAY_NAME.get(what, set())
        if not excused and (found := FORBIDDEN[what].search(text)):
            line = text.count("\n", 0, found.start()) + 1
            offending.append(f"{name}:{line}: {found.group()!r}")
    assert not offending, f"{what}:\n" + "\n".join(offending)
