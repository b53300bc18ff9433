"""What is captured of a game's folder, and what is refused by name."""

import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import GameError, StorageError
from perdure.live.sources import Source, Sources, _is_being_written, _place, capture, pack, unpack


def written(folder: Path, **files: str) -> Path:
    """A folder with these files; `__` in a name is a slash."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_modules_are_found_by_looking(tmp_path):
    """Files and folders are modules; tests, hidden files and folders without modules are not."""
    game = written(tmp_path / "mud", items="x = 1", zoo__cat="", test_items="", conftest="", tests__test_x="")
    (game / ".hidden.py").write_text("")
    (game / "maps").mkdir()
    (game / "maps" / "town.txt").write_text("")
    sources = capture(game)
    assert sorted(sources.modules) == ["", "items", "zoo", "zoo.cat"]
    assert sources.name == "mud"


def test_equal_code_is_an_equal_generation_wherever_it_lies(tmp_path):
    """A generation is the hash of names and bytes, and of nothing else."""
    here, there = written(tmp_path / "a" / "mud", items="x = 1"), written(tmp_path / "b" / "mud", items="x = 1")
    assert capture(here).generation == capture(there).generation
    (there / "items.py").write_text("x = 2")
    assert capture(here).generation != capture(there).generation
    (there / "items.py").rename(there / "things.py")
    (there / "things.py").write_text("x = 1")
    assert capture(here).generation != capture(there).generation


def test_a_captured_file_may_change_without_changing_what_was_captured(tmp_path):
    """A half-written file cannot get into a generation that was captured before (FM-43)."""
    game = written(tmp_path / "mud", items="x = 1")
    sources = capture(game)
    (game / "items.py").write_text("x = ")
    assert sources.modules["items"].data == b"x = 1"


@pytest.mark.parametrize("name", ["random", "zoo__types", "perdure"])
def test_a_module_named_like_a_standard_one_is_refused_by_name(tmp_path, name):
    """`import random` must never be a riddle."""
    with pytest.raises(GameError, match=rf"{name.rpartition('__')[2]}\.py: is named like .*Rename it"):
        capture(written(tmp_path / "mud", **{name: ""}, items="x = 1"))


def test_a_name_that_python_cannot_import_is_refused(tmp_path):
    """The message offers one that it can."""
    with pytest.raises(GameError, match="Rename it, to my_items"):
        capture(written(tmp_path / "mud", **{"my-items": "x = 1"}))


def test_a_file_and_a_folder_of_one_name_are_refused(tmp_path):
    """Which of them an import would mean, nobody could tell."""
    with pytest.raises(GameError, match="both a file and a folder"):
        capture(written(tmp_path / "mud", items="x = 1", items__sword=""))


def test_a_path_without_a_game_is_refused(tmp_path):
    """Nothing there, an empty folder, a file that is no Python."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    for path in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "notes.txt"):
        with pytest.raises(GameError, match=r"no game|no Python modules"):
            capture(path)


def test_a_dangling_link_is_no_module(tmp_path):
    """Editors leave such links beside files that are open (FM-43)."""
    game = written(tmp_path / "mud", items="x = 1")
    (game / "locked.py").symlink_to(tmp_path / "nowhere")
    assert sorted(capture(game).modules) == ["", "items"]


def test_a_link_that_leads_back_up_is_not_followed(tmp_path):
    """Else a game would be in itself, forty times over."""
    game = written(tmp_path / "mud", items="x = 1", zoo__cat="")
    (game / "zoo" / "again").symlink_to(game)
    (game / "self").symlink_to(game)
    assert sorted(capture(game).modules) == ["", "items", "zoo", "zoo.cat"]


def test_a_link_gives_the_game_its_own_name(tmp_path):
    """Releases are often switched by a link."""
    written(tmp_path / "2026-11", items="x = 1")
    (tmp_path / "mud").symlink_to(tmp_path / "2026-11")
    assert capture(tmp_path / "mud").name == "mud"


def pausing(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """Let the first pause of a capture be the moment at which somebody else acts."""
    acts = [then]
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: acts.pop()() if acts else time.sleep(0.001))
    monkeypatch.setattr("perdure.live.sources.time", clock)


def test_a_file_that_is_being_written_is_waited_for(tmp_path, monkeypatch):
    """Half of a file never gets into a generation while its writer is at work (FM-43)."""
    game = written(tmp_path / "mud", items="x = 1")
    writer = (game / "items.py").open("w")
    writer.write("x = ")
    writer.flush()

    def finish() -> None:
        writer.write("2")
        writer.close()

    pausing(monkeypatch, finish)
    assert capture(game, wait_s=30).modules["items"].data == b"x = 2"


def test_what_changed_while_the_folder_was_read_is_read_again(tmp_path, monkeypatch):
    """Two files that were saved together are captured together, also one that is new (FM-43)."""
    game = written(tmp_path / "mud", items="x = 1", zoo="y = 1")
    writer = (game / "zoo.py").open("w")

    def save_all() -> None:
        (game / "items.py").write_text("x = 2")
        (game / "new.py").write_text("z = 2")
        writer.write("y = 2")
        writer.close()

    pausing(monkeypatch, save_all)
    sources = capture(game, wait_s=30)
    assert {name: source.data for name, source in sources.modules.items() if name} == {
        "items": b"x = 2",
        "new": b"z = 2",
        "zoo": b"y = 2",
    }


def test_a_writer_that_never_ends_is_not_waited_for_for_ever(tmp_path):
    """After the bound the file is taken as it is; what is wrong with it will be reported as of any other file."""
    game = written(tmp_path / "mud", items="x = 1")
    with (game / "items.py").open("a"):
        assert capture(game, wait_s=0).modules["items"].data == b"x = 1"


def test_a_writer_who_comes_while_a_file_is_read_waits_and_harms_nobody(tmp_path):
    """The kernel holds up an open() for writing while we read, and the signal that it sends us is one we survive."""
    path = tmp_path / "items.py"
    path.write_text("x = 1")
    ear, bell = socket.socketpair()
    bell.setblocking(False)
    handler_before = signal.signal(signal.SIGURG, lambda *_: None)
    # Only a descriptor tells of every signal: one that comes just before a wait on a lock does not end that wait.
    bell_before = signal.set_wakeup_fd(bell.fileno())
    try:
        with path.open("rb") as reader:
            assert not _is_being_written(reader.fileno())
            writer = threading.Thread(target=path.write_text, args=("x = 2",), daemon=True)
            writer.start()
            assert select.select([ear], [], [], 30)[0]
            assert reader.read() == b"x = 1"
        writer.join(30)
        assert path.read_text() == "x = 2"
    finally:
        signal.set_wakeup_fd(bell_before)
        signal.signal(signal.SIGURG, handler_before)
        ear.close()
        bell.close()


def test_data_files_belong_to_the_game(tmp_path):
    """TOML files anywhere in the folder; not the project's own, not hidden ones, not those of tests."""
    game = written(tmp_path / "mud", items="x = 1", tests__test_x="")
    for name in ("creatures", "maps/town", "perdure", "pyproject", ".hidden", "tests/case", "venv/lib/other"):
        (game / name).parent.mkdir(parents=True, exist_ok=True)
        (game / f"{name}.toml").write_text("a = 1")
    (game / "venv" / "pyvenv.cfg").write_text("")
    sources = capture(game)
    assert sorted(sources.data) == ["/creatures.toml", "/maps/town.toml"]
    assert sources.data["/maps/town.toml"] == ("/maps/town.toml", game / "maps" / "town.toml", b"a = 1", False)
    assert list(sources.everything) == ["", "items", "/creatures.toml", "/maps/town.toml"]
    assert sources.texts[str(game / "creatures.toml")] == "a = 1"


def test_changed_data_is_another_generation(tmp_path):
    """What a game reads at load is part of what it is."""
    game = written(tmp_path / "mud", items="x = 1")
    before = capture(game).generation
    (game / "creatures.toml").write_text("a = 1")
    assert capture(game).generation != before


def test_a_folder_of_data_alone_makes_no_package(tmp_path):
    """Also where a folder of modules lies in it, as before."""
    game = written(tmp_path / "mud", items="x = 1", data__zoo__cat="")
    (game / "data" / "town.toml").write_text("")
    assert sorted(capture(game).everything) == ["", "/data/town.toml", "items"]


def test_a_game_of_one_file_has_the_data_files_that_it_names(tmp_path):
    """What else lies beside it is none of its business."""
    (tmp_path / "tavern.py").write_text("drinks = data('drinks.toml', dict[str, int])")
    (tmp_path / "drinks.toml").write_text("ale = 1")
    (tmp_path / "other.toml").write_text("")
    assert sorted(capture(tmp_path / "tavern.py").everything) == ["", "/drinks.toml"]


def test_replacing_gives_sources_with_some_others(tmp_path):
    """A module back to what it was, one left out, a new data file; the rest is shared."""
    game = written(tmp_path / "mud", items="x = 1", pets="y = 1", zoo__cat="z = 1")
    sources = capture(game)
    older = sources.modules["items"]._replace(data=b"x = 0")
    town = Source("/town.toml", game / "town.toml", b"", False)
    other = sources.replaced({"items": older, "pets": None, "/town.toml": town})
    assert list(other.everything) == ["", "items", "zoo", "zoo.cat", "/town.toml"]
    assert other.modules["items"].data == b"x = 0"
    assert other.generation != sources.generation
    back = other.replaced({"items": sources.modules["items"], "pets": sources.modules["pets"], "/town.toml": None})
    assert back.generation == sources.generation
    assert list(back.modules) == list(sources.modules)


NAMES = st.lists(st.sampled_from(["items", "zoo", "cat"]), min_size=1, max_size=3)


@given(
    modules=st.dictionaries(NAMES.map(".".join), st.tuples(st.binary(max_size=50), st.booleans()), max_size=6),
    data=st.dictionaries(NAMES.map(lambda parts: f"/{'/'.join(parts)}.toml"), st.binary(max_size=50), max_size=4),
    root=st.sampled_from(["/games/mud", "/games/Straße", "/games/\udcff"]),
)
def test_stored_sources_come_back_as_they_were(modules, data, root):
    """Names, bytes, places and the generation; this is what a host starts with after a crash."""
    sources = Sources(
        Path(root),
        {
            name: Source(name, _place(Path(root), name, folder), text, folder)
            for name, (text, folder) in modules.items()
        },
        {name: Source(name, _place(Path(root), name, False), text, False) for name, text in data.items()},
    )
    again = unpack(pack(sources), sources.generation, sources.root.parent)
    assert again.everything == sources.everything
    assert (again.root, again.generation) == (sources.root, sources.generation)


def test_stored_sources_know_their_places(tmp_path):
    """Paths are not stored, they follow from the names: tracebacks after a restart name the author's files."""
    game = written(tmp_path / "mud", __init__="", items="x = 1", zoo__cat="")
    (game / "maps").mkdir()
    (game / "maps" / "town.toml").write_text("")
    (tmp_path / "tavern.py").write_text("'drinks.toml'")
    (tmp_path / "drinks.toml").write_text("")
    for path in (game, tmp_path / "tavern.py"):
        sources = capture(path)
        assert unpack(pack(sources), sources.generation, sources.root.parent).everything == sources.everything


@given(cut=st.integers(min_value=0), flip=st.integers(min_value=0))
def test_damaged_stored_sources_are_refused(cut, flip):
    """Truncated or altered, they never run (P2)."""
    sources = Sources(Path("/games/mud"), {"": Source("", Path("/games/mud/__init__.py"), b"x = 1", True)})
    packed = bytearray(pack(sources))
    damaged = [bytes(packed[: cut % len(packed)])]
    packed[flip % len(packed)] ^= 1
    damaged.append(bytes(packed))
    for data in damaged:
        with pytest.raises(StorageError, match=f"generation {sources.generation} are damaged"):
            unpack(data, sources.generation, sources.root.parent)
