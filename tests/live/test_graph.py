"""Dependencies are what stands in the sources, and keys are equal exactly where code and all it sees are."""

import pytest

from perdure.live.graph import components_of
from tests.live.games import graph

SHOP = {"items.py": "", "shop/__init__.py": "", "shop/goods.py": "", "shop/prices.py": ""}


@pytest.mark.parametrize(
    ("statement", "needed"),
    [
        ("from . import items", "items"),
        ("from .items import SWORD", "items"),
        ("from mud import items", "items"),
        ("from mud.items import SWORD", "items"),
        ("import mud.items as items", "items"),
        ("def f():\n    from . import items", "items"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .items import SWORD", "items"),
        ("try:\n    from . import items\nexcept ImportError:\n    items = None", "items"),
        ("from .items import *", "items"),
        ("from .shop.goods import MUG", "shop.goods"),
        ("from .shop import goods, MUG", "shop shop.goods"),
        ("from . import shop", "shop shop.goods shop.prices"),
        ("from .shop import *", "shop shop.goods shop.prices"),
        ("import mud.shop as shop", "shop shop.goods shop.prices"),
        ("from . import CONSTANT", "/"),
        ("import mud.items", "/ items shop shop.goods shop.prices talk"),
        (
            "import importlib\nimportlib.import_module('.items', __package__)",
            "/ items shop shop.goods shop.prices talk",
        ),
        ("import items", ""),
        ("import json, os.path\nfrom collections import deque", ""),
        ("from .nowhere import x", ""),
    ],
)
def test_a_module_depends_on_what_its_import_statements_reach(statement, needed):
    """Wherever they stand; whoever binds a package may reach all below it (FM-45)."""
    found = graph({**SHOP, "talk.py": statement}).dependencies["talk"]
    assert {name or "/" for name in found} == set(needed.split())


def test_relative_imports_inside_of_a_package_count_from_it():
    """One dot is the package, two the one around it; a package's own code is in the package."""
    found = graph(
        {
            "items.py": "",
            "shop/__init__.py": "from . import goods\nfrom .. import items",
            "shop/goods.py": "from . import prices\nfrom ..items import SWORD",
            "shop/prices.py": "",
        }
    ).dependencies
    assert found["shop"] == {"shop.goods", "items"}
    assert found["shop.goods"] == {"shop.prices", "items"}


def test_a_name_that_a_package_gives_another_meaning_is_the_packages():
    """`from .goods import goods` in its `__init__`: who asks the package gets the function."""
    files = {"shop/goods.py": "def goods(): ...", "talk.py": "from .shop import goods"}
    plain = graph({**files, "shop/__init__.py": "from . import goods"}).dependencies["talk"]
    hidden = graph({**files, "shop/__init__.py": "from .goods import goods"}).dependencies["talk"]
    assert plain == {"shop.goods"}
    assert hidden == {"shop", "shop.goods"}


def test_a_module_depends_on_the_data_files_that_it_names():
    """By their paths in the game, as string literals."""
    files = {"creatures.py": "from perdure import data\nKINDS = data('wolves.toml', dict)", "talk.py": ""}
    found = graph({**files, "wolves.toml": "", "maps/town.toml": ""}).dependencies
    assert found["creatures"] == {"/wolves.toml"}
    assert not found["talk"]


def test_what_is_needed_comes_first_and_cycles_are_together():
    """The order of loading; the same for the same game."""
    needed = {"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": [], "e": ["e", "a"]}
    assert components_of(needed) == [("d",), ("b", "c"), ("a",), ("e",)]


def test_a_chain_of_imports_may_be_long():
    """No recursion: a game has up to 2,000 modules."""
    needed = {f"m{number:04}": [f"m{number + 1:04}"] for number in range(2000)} | {"m2000": []}
    assert components_of(needed)[0] == ("m2000",)


BEFORE = {
    "items.py": "PRICE = 10",
    "shop.py": "from .items import PRICE\nfrom . import talk",
    "talk.py": "from . import shop",
    "game.py": "from .shop import PRICE",
    "weather.py": "SUN = 'weather.toml'",
    "weather.toml": "",
}


@pytest.mark.parametrize(
    ("changes", "other"),
    [
        ({}, ""),
        ({"items.py": "PRICE = 12"}, "items shop talk game"),
        ({"talk.py": "from . import shop  # loud"}, "shop talk game"),
        ({"game.py": "from .shop import PRICE as X"}, "game"),
        ({"weather.toml": "sun = 1"}, "weather"),
        ({"snow.py": ""}, ""),
    ],
)
def test_a_key_changes_exactly_with_what_a_module_may_see(changes, other):
    """Its own source, what it depends on however far away, and its import cycle (FM-45)."""
    before, after = graph(BEFORE).keys, graph({**BEFORE, **changes}).keys
    assert {name for name in before if before[name] != after[name]} == set(other.split())
