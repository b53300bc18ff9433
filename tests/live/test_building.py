"""What of an edit can serve does; what cannot keeps its last good code, and the report says why."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from perdure.errors import GameError
from perdure.live.building import Builder, Built
from perdure.live.compiling import compile_here
from perdure.live.generation import Generation
from tests.live.games import MUD, Playing, building, game, loaded


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """Whatever is built here, nothing of a failed attempt stays in `sys.modules` (FM-44)."""
    before = loaded()
    yield
    assert loaded() == before


def told(built: Built[Any]) -> dict[str, Any]:
    """The lists that are not empty, without messages."""
    lists = {
        "refreshed": built.refreshed,
        "added": built.added,
        "removed": built.removed,
        "failed": [(failed.module, failed.line) for failed in built.failed],
        "held": [held.module for held in built.held],
    }
    return {name: found for name, found in lists.items() if found}


GAME = {
    "items.py": "SWORD = 1",
    "shop.py": "from .items import SWORD\nOFFER = SWORD * 2",
    "talk.py": "from . import shop\ndef offer(): return shop.OFFER",
    "weather.py": "SUN = 1",
}


def test_an_edit_executes_what_it_concerns():
    """The edited module and what sees it, however far away (FM-45)."""
    playing = Playing(GAME)
    assert told(playing.built) == {"added": ["", "items", "shop", "talk", "weather"]}
    assert told(playing.edit({"items.py": "SWORD = 5"})) == {"refreshed": ["items", "shop", "talk"]}
    assert playing.value("talk", "offer")() == 10
    playing.end()


def test_the_same_sources_are_the_same_generation():
    """Nothing is executed, nothing changes hands."""
    playing = Playing(GAME)
    before = playing.generation
    assert told(playing.edit({})) == {}
    assert playing.generation is before
    assert before.uses == 1
    playing.end()


CASES: dict[str, tuple[dict[str, str | None], dict[str, Any], str]] = {
    "a syntax error": ({"items.py": "SWORD = "}, {"failed": [("items", 1)]}, "invalid syntax"),
    "an error halfway": (
        {"items.py": "SWORD = 2\nAXE = SWORD / 0"},
        {"failed": [("items", 2)]},
        "ZeroDivisionError: division by zero",
    ),
    "an exit": ({"items.py": "raise SystemExit(1)"}, {"failed": [("items", 1)]}, "SystemExit"),
    "an interrupt": ({"items.py": "raise KeyboardInterrupt"}, {"failed": [("items", 1)]}, "KeyboardInterrupt"),
    "an exception beside the tree": (
        {"items.py": "class E(BaseException): ...\nraise E"},
        {"failed": [("items", 2)]},
        "E",
    ),
    "a multi-line message": ({"items.py": "raise ValueError('a\\nb')"}, {"failed": [("items", 1)]}, "ValueError: a b"),
    "an error that cannot speak": (
        {"items.py": "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E"},
        {"failed": [("items", 3)]},
        "E: it cannot say more",
    ),
    "a new module": (
        {"swords.py": "x", "weather.py": "SUN = 2"},
        {"refreshed": ["weather"], "failed": [("swords", 1)]},
        "NameError",
    ),
    "its importers unchanged": ({"items.py": "AXE = 1"}, {"held": ["items"]}, "shop does not load with the new one"),
    "it was removed": ({"items.py": None}, {"held": ["items"]}, "this game has no module items"),
    "importer and imported": (
        {"items.py": "SWORD = '", "shop.py": "from .items import AXE\nOFFER = AXE"},
        {"failed": [("items", 1), ("shop", 1)]},
        "unterminated",
    ),
    "one of a cycle": (
        {"items.py": "from . import shop\nSWORD = 1", "shop.py": "from . import items\nx"},
        {"failed": [("shop", 2)], "held": ["items"]},
        "'x' is not defined",
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("atomic", [False, True])
def test_what_does_not_load_keeps_its_last_good_code(case, atomic):
    """It is named with its line, in one line, and everything else is as it would be without it (FM-42, FM-44)."""
    changes, expected, message = CASES[case]
    playing = Playing(GAME)
    before = playing.generation
    built = playing.edit(changes, atomic=atomic)
    if not atomic:
        assert told(built) == expected
    assert playing.value("talk", "offer")() == 2
    assert vars(playing.generation.modules["items"])["SWORD"] == 1
    assert (playing.generation is before) == (atomic or not built.refreshed)
    messages = [failed.message for failed in built.failed] + [held.because for held in built.held]
    assert any(message in line for line in messages), messages
    assert all("\n" not in line and "perdure_games" not in line for line in messages)
    for failed in built.failed:
        assert failed.file == str(MUD / f"{failed.module}.py")
    playing.end()


def test_atomic_means_all_or_nothing():
    """A good edit beside a broken one is held, and the report says so."""
    playing = Playing(GAME)
    built = playing.edit({"items.py": "x", "weather.py": "SUN = 2"}, atomic=True)
    assert told(built) == {"failed": [("items", 1)], "held": ["weather"]}
    assert built.held[0].because == "items does not load, and it is all or nothing"
    playing.end()


def test_an_edit_whose_other_half_is_broken_is_held():
    """To a fixpoint: what is put back may not load with another edit, so that is put back, too (FM-42)."""
    playing = Playing({"items.py": "SWORD = 1", "talk.py": "from .items import SWORD", "weather.py": ""})
    built = playing.edit({"items.py": "AXE = 1", "talk.py": "from .items import AXE\nx", "weather.py": "SUN = 1"})
    assert told(built) == {"refreshed": ["weather"], "failed": [("talk", 2)], "held": ["items"]}
    playing.end()


def test_a_failure_names_what_was_put_back_below_it():
    """Else it would seem to be the author's mistake."""
    playing = Playing(GAME)
    built = playing.edit({"items.py": "AXE = ", "shop.py": "from .items import AXE\nOFFER = AXE"})
    assert "(with the last good code of items)" in built.failed[1].message
    playing.end()


def test_the_first_build_is_strict():
    """There is nothing to fall back to."""
    with pytest.raises(GameError) as error:
        building().build(None, game({"items.py": "x"}))
    assert (error.value.file, error.value.line) == (str(MUD / "items.py"), 1)
    with pytest.raises(GameError, match="never closed"):
        building().build(None, game({"items.py": "x = ("}))


def test_a_mended_module_is_live_with_the_next_build():
    """A failed attempt is no obstacle (FM-89)."""
    playing = Playing(GAME)
    playing.edit({"items.py": "SWORD = "})
    assert told(playing.edit({"items.py": "SWORD = 3"})) == {"refreshed": ["items", "shop", "talk"]}
    assert playing.value("talk", "offer")() == 6
    playing.end()


def test_a_removed_module_is_gone_and_can_return():
    """It is no module of the new generation, and out of `sys.modules` (FM-47)."""
    playing = Playing({"items.py": "SWORD = 1", "talk.py": ""})
    assert told(playing.edit({"items.py": None})) == {"removed": ["items"]}
    assert "items" not in playing.generation.modules
    assert told(playing.edit({"items.py": "SWORD = 1"})) == {"added": ["items"]}
    playing.end()


def test_a_cycle_that_loads_only_from_one_end_loads():
    """Who imports first is chance; in a program it is whoever comes first."""
    files = {"a.py": "from . import b\ndef f(): return b.g()", "b.py": "from .a import f\ndef g(): return 1"}
    swapped = {"a.py": "from .b import g\ndef f(): return g()", "b.py": "from . import a\ndef g(): return 1"}
    for game_files in (files, swapped):
        playing = Playing(game_files)
        assert playing.value("a", "f")() == 1
        assert playing.generation.modules.keys() == {"", "a", "b"}
        playing.end()


def test_a_cycle_follows_pythons_rules_for_modules_that_are_half_there():
    """An error in one that the other catches is an error when its own turn comes."""
    playing = Playing({"a.py": "N = 1", "b.py": "N = 2"})
    broken = {"a.py": "try:\n    from . import b\nexcept NameError:\n    b = None", "b.py": "from . import a\nx"}
    assert told(playing.edit(broken)) == {"failed": [("b", 2)], "held": ["a"]}
    assert told(playing.edit({"b.py": "from . import a\nx = a.b"})) == {"refreshed": ["a", "b"]}
    assert playing.value("a", "b").x is playing.generation.modules["b"]
    playing.end()


# -- bodies that do not end ---------------------------------------------------------------------------


def test_a_body_that_does_not_end_is_cut():
    """Also one that swallows every exception; the place where it was is named (FM-50)."""
    playing = Playing({"items.py": "", "talk.py": ""}, building(0.1))
    endless = "while True:\n    try:\n        while True: pass\n    except:\n        pass"
    built = playing.edit({"items.py": endless, "talk.py": "N = 1"})
    ((module, file, line, message),) = built.failed
    assert (module, file) == ("items", str(MUD / "items.py"))
    assert 1 <= line <= 5
    assert "longer than 0.1 s and was cut" in message
    assert built.refreshed == ["talk"]
    playing.end()


def checking(check: Callable[[Generation], Any]) -> Builder[Any]:
    return Builder(compile_here, check)


# -- checks -------------------------------------------------------------------------------------------


class Commands:
    """A check as a game's would be: every module has a list of words, and no word may be bound twice."""

    def __init__(self) -> None:
        self.checked: list[Generation] = []

    def __call__(self, generation: Generation) -> dict[str, str]:
        self.checked.append(generation)
        bound: dict[str, str] = {}
        for name, module in generation.modules.items():
            for word in vars(module).get("WORDS", ()):
                if word == "?":
                    raise GameError("a word that is none")
                if word in bound:
                    file, other = (str(generation.sources.modules[each].path) for each in (name, bound[word]))
                    raise GameError(f"{word} is bound twice: here and at {other}:1", file=file, line=1)
                bound[word] = name
        return bound


def test_what_the_check_refuses_counts_against_the_module_that_it_names():
    """The product is that of what serves in the end, and refused generations are retired (FM-47)."""
    check = Commands()
    builder = checking(check)
    playing = Playing({"a.py": "WORDS = ['look']", "b.py": "WORDS = ['say']"}, builder)
    built = playing.edit({"b.py": "WORDS = ['look']", "c.py": "WORDS = ['hit']"})
    assert told(built) == {"added": ["c"], "failed": [("b", 1)]}
    assert built.product == {"look": "a", "say": "b", "hit": "c"}
    assert [generation.alive for generation in check.checked] == [False, False, True]
    playing.end()


def test_what_the_check_refuses_without_a_culprit_holds_all_changes():
    """It is reported as the game's."""
    playing = Playing({"a.py": "WORDS = []", "b.py": ""}, checking(Commands()))
    built = playing.edit({"a.py": "WORDS = ['?']", "b.py": "N = 1"})
    assert told(built) == {"failed": [("", 0)], "held": ["a", "b"]}
    assert built.failed[0].message == "a word that is none"
    playing.end()


def test_an_unchanged_module_that_the_check_names_holds_the_other_place_that_is_named():
    """A word that a new module binds as well: everything else is live."""
    playing = Playing({"b.py": "WORDS = ['say']", "c.py": ""}, checking(Commands()))
    built = playing.edit({"a.py": "WORDS = ['say']", "c.py": "N = 1"})
    assert told(built) == {"refreshed": ["c"], "held": ["a"]}
    assert built.held[0].because.startswith("b does not load with the new one: say is bound twice")
    playing.end()


def test_an_unchanged_module_that_the_check_names_holds_what_it_needs():
    """The nearest that changed, and not what has nothing to do with it."""

    def check(generation: Generation) -> None:
        if vars(generation.modules["b"])["N"] > 1:
            raise GameError("too many", file=str(MUD / "b.py"), line=1)

    playing = Playing(
        {"b.py": "from .c import N", "c.py": "from .d import N", "d.py": "N = 1"}, Builder(compile_here, check)
    )
    built = playing.edit({"d.py": "N = 2", "a.py": "N = 2"})
    assert told(built) == {"added": ["a"], "held": ["d"]}
    playing.end()


def test_what_the_check_refuses_at_first_is_not_loaded():
    """There is nothing to fall back to, and nothing stays (FM-44)."""
    for text, message in (("WORDS = ['?']", "a word that is none"), ("WORDS = [[]]", "TypeError: unhashable")):
        with pytest.raises(GameError, match=message):
            checking(Commands()).build(None, game({"a.py": text}))


def test_an_error_of_the_check_itself_names_the_games_line():
    """Code of a game that runs in it may raise anything (FM-50)."""

    def check(generation: Generation) -> None:
        vars(generation.modules["a"])["f"]()

    playing = Playing({"a.py": "def f(): ..."}, checking(check))
    built = playing.edit({"a.py": "def f():\n    return 1 / 0"})
    assert told(built) == {"failed": [("a", 2)]}
    playing.end()


# -- data ---------------------------------------------------------------------------------------------

CREATURES = """
    from tomllib import loads
    FILE = __loader__.data["/" + "wolves.toml"]
    KINDS = loads(FILE.data.decode())
    if KINDS.get("legs") != 4:
        from perdure.errors import GameError
        raise GameError("legs: a wolf has 4", file=str(FILE.path), line=1)
"""


def test_a_data_file_is_a_dependency_like_a_module():
    """Its user is executed anew; a mistake in it is the data file's, and it keeps its last good text."""
    playing = Playing({"creatures.py": CREATURES, "wolves.toml": "legs = 4", "talk.py": ""})
    assert told(playing.edit({"wolves.toml": "legs = 4\nteeth = 42"})) == {"refreshed": ["creatures", "wolves.toml"]}
    assert playing.value("creatures", "KINDS")["teeth"] == 42
    built = playing.edit({"wolves.toml": "legs = 5", "talk.py": "N = 1"})
    assert told(built) == {"refreshed": ["talk"], "failed": [("wolves.toml", 1)]}
    assert built.failed[0].file == str(MUD / "wolves.toml")
    assert told(playing.edit({"wolves.toml": None})) == {"held": ["wolves.toml"]}
    playing.end()


def test_a_module_that_asks_more_of_unchanged_data_has_failed_itself():
    """Although the error names the data file."""
    playing = Playing({"creatures.py": CREATURES, "wolves.toml": "legs = 4"})
    assert told(playing.edit({"creatures.py": CREATURES.replace("!= 4", "!= 5")})) == {"failed": [("creatures", 1)]}
    playing.end()
