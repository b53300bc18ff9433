"""What runs where: Perdure's processes need Linux; the pure core and its tests run anywhere."""

import gc
import sys
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says how busy the machine is, and nothing of what is tested.
hypothesis.settings.register_profile("perdure", deadline=None)
hypothesis.settings.load_profile("perdure")

PURE = {"conftest.py", "games", "link", "live", "room", "sim", "snapshot", "testing", "test_walls.py"}

if sys.platform != "linux":
    collect_ignore = sorted(entry.name for entry in Path(__file__).parent.iterdir() if entry.name not in PURE)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported here stays, so garbage is looked for neither meanwhile nor, later on, in it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of tests that drive whole servers come first: a long one that is left over at the end would run alone."""
    items.sort(key=lambda item: item.path.parent.name not in ("web", "e2e"))
