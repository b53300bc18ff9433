"""Imports of a game's modules mean their own generation, as far as Python's rules go."""

import pytest

from perdure.errors import GameError
from perdure.live.loader import load
from tests.live.games import Playing, game


def test_a_package_bound_to_a_name_shows_the_modules_of_its_own_generation():
    """The package's own code is unchanged and shared; what lies in it differs (FM-45)."""
    files = {
        "shop/__init__.py": "OWNER = 'Bo'",
        "shop/goods.py": "MUG = 1",
        "talk.py": "import mud.shop\nfrom . import shop\ndef mugs(): return mud.shop.goods.MUG, shop.goods.MUG",
    }
    playing = Playing(files)
    old = playing.generation
    old.hold()
    playing.edit({"shop/goods.py": "MUG = 2"})
    assert vars(old.modules["talk"])["mugs"]() == (1, 1)
    assert playing.value("talk", "mugs")() == (2, 2)
    assert old.modules["shop"] is playing.generation.modules["shop"]
    assert playing.value("talk", "shop").OWNER == "Bo"
    assert {"OWNER", "goods"} <= set(dir(playing.value("talk", "shop")))
    old.release()
    playing.end()


def test_an_import_in_a_function_means_the_generation_of_the_function():
    """However late it runs (FM-48)."""
    playing = Playing({"talk.py": "def n():\n    from .items import N\n    return N", "items.py": "N = 1"})
    old, late = playing.generation, playing.value("talk", "n")
    old.hold()
    playing.edit({"items.py": "N = 2"})
    assert (late(), playing.value("talk", "n")()) == (1, 2)
    old.release()
    playing.end()


@pytest.mark.parametrize(
    "talk",
    [
        "import importlib\ndef n(): return importlib.import_module('.items', __package__).N",
        "from importlib import import_module\ndef n(): return import_module('mud.items').N",
        "def n(): return __import__('mud.items', fromlist=['N']).N",
        "def n(): return __import__(f'{__package__}.items', fromlist=['N']).N",
        "import importlib.util, importlib\ndef n(): return importlib.import_module(__package__ + '.items').N",
    ],
)
def test_an_import_by_a_computed_name_means_the_generation_of_the_function(talk):
    """As plug-in systems do it (FM-45)."""
    playing = Playing({"talk.py": talk, "items.py": "N = 1"})
    old, late = playing.generation, playing.value("talk", "n")
    old.hold()
    playing.edit({"items.py": "N = 2"})
    assert (late(), playing.value("talk", "n")()) == (1, 2)
    old.release()
    playing.end()


def test_a_package_uses_what_it_imported_from_by_name():
    """Python makes an imported module a name of its package."""
    generation = load(
        game({"shop/__init__.py": "from .goods import MUG\nMUGS = [MUG, goods.MUG]", "shop/goods.py": "MUG = 1"})
    )
    assert vars(generation.modules["shop"])["MUGS"] == [1, 1]
    generation.release()


def test_a_star_import_brings_what_python_would_bring():
    """`__all__` if there is one, modules in it included; else what has no underscore."""
    files = {
        "items.py": "SWORD = 1\n_SECRET = 2",
        "shop/__init__.py": "__all__ = ['goods', 'OWNER']\nOWNER = 'Bo'\nDEBT = 3",
        "shop/goods.py": "MUG = 1",
        "talk.py": "from .items import *\nfrom .shop import *\nNAMES = sorted(n for n in dir() if n[0] != '_')",
    }
    generation = load(game(files))
    assert vars(generation.modules["talk"])["NAMES"] == ["OWNER", "SWORD", "goods"]
    generation.release()


def test_a_package_may_compute_its_names():
    """A module's `__getattr__` (PEP 562), from inside and outside of the package."""
    computed = """
        def __getattr__(name):
            if name == "MUG":
                return 1
            raise AttributeError(name)
    """
    talk = """
        from .shop import MUG
        from . import shop
        SAME = shop.MUG, hasattr(shop, "goods"), hasattr(shop, "PLATE")
    """
    files = {"shop/__init__.py": computed, "shop/goods.py": "", "talk.py": talk}
    generation = load(game(files))
    assert vars(generation.modules["talk"])["SAME"] == (1, True, False)
    generation.release()


def test_an_attribute_set_on_a_package_is_the_packages():
    """Not the view's."""
    files = {"shop/__init__.py": "", "shop/goods.py": "", "talk.py": "from . import shop\nshop.OWNER = 'Bo'"}
    generation = load(game(files))
    assert vars(generation.modules["shop"])["OWNER"] == "Bo"
    generation.release()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"talk.py": "from .items import SHIELD", "items.py": ""}, "cannot import name 'SHIELD' from 'mud.items'"),
        ({"talk.py": "from . import swords"}, "this game has no module swords; it has talk"),
        ({"talk.py": "from .shop import mugs", "shop/goods.py": ""}, "this game has no module shop.mugs; it has"),
        ({"talk.py": "import mud.swords"}, "this game has no module swords"),
        ({"talk.py": "from ... import swords"}, "leads out of the game"),
        ({"a.py": "from .b import B\nA = 1", "b.py": "from .a import A\nB = 1"}, "circular import"),
    ],
)
def test_an_import_that_finds_nothing_says_what_there_is(files, message):
    """By the names that the author knows (FM-44)."""
    with pytest.raises(GameError) as error:
        load(game(files))
    assert message in error.value.message
    assert "perdure_games" not in error.value.message
    assert error.value.line == 1


def test_an_optional_module_may_be_missing_and_come_later():
    """`except ImportError` is no failure; once the module is there its importer sees it (FM-45)."""
    playing = Playing({"talk.py": "try:\n    from . import items\nexcept ImportError:\n    items = None"})
    assert playing.value("talk", "items") is None
    playing.edit({"items.py": "N = 1"})
    assert playing.value("talk", "items").N == 1
    playing.edit({"items.py": None})
    assert playing.value("talk", "items") is None
    playing.end()
