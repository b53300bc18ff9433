"""What a module's body leaves behind is named, with the line and with what to do."""

import pytest

from tests.live.games import Playing

THREAD = """
import threading
stop = threading.Event()
threading.Thread(target=stop.wait, args=(20,), name="world clock", daemon=True).start()
"""


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("guests = {}", 1, "guests can be changed"),
        ("import collections\nqueue = collections.deque()", 2, "queue"),
        ("_cache: dict[str, int] = {}", 1, "_cache"),
        ("import atexit\ndef bye(): ...\nHOOK = atexit.register(bye)", 3, "atexit"),
        (THREAD, 4, "the thread 'world clock' is started"),
    ],
)
def test_what_a_reload_cannot_carry_over_is_named(text, line, part):
    """Every time that the module is executed, and not when it is shared (FM-49)."""
    playing = Playing({"talk.py": "", "weather.py": ""})
    built = playing.edit({"talk.py": text})
    try:
        assert [(warned.module, warned.line) for warned in built.warnings] == [("talk", line)]
        assert part in built.warnings[0].message
        assert built.warnings[0].file == "/games/mud/talk.py"
        assert not playing.edit({"weather.py": "N = 1"}).warnings
    finally:
        if "stop" in text:
            playing.value("talk", "stop").set()
        if "HOOK" in text:
            __import__("atexit").unregister(playing.value("talk", "HOOK"))
        playing.end()


@pytest.mark.parametrize(
    "text",
    [
        "GUESTS = {}",
        "guests = ()",
        "__all__ = ['f']\ndef f(): ...",
        "from .items import names",
        "def f():\n    guests = []",
        "from concurrent.futures import ThreadPoolExecutor as P\nPOOL = P(1)\nPOOL.submit(int).result()",
    ],
)
def test_what_reloads_well_is_not_named(text):
    """Constants, locals, what is imported, a pool's workers."""
    playing = Playing({"talk.py": "", "items.py": "NAMES = names = ('sword',)"})
    assert not playing.edit({"talk.py": text}).warnings
    playing.end()


def test_a_list_that_other_modules_enter_themselves_into_is_named_when_it_grows():
    """It is in a module that is shared, and holds what was removed (FM-47)."""
    registry = "commands = []\ndef command(f):\n    commands.append(f)\n    return f"
    playing = Playing({"registry.py": registry, "talk.py": "from .registry import command\n@command\ndef say(): ..."})
    built = playing.edit({"talk.py": "from .registry import command\n@command\ndef shout(): ..."})
    ((module, _, line, message),) = built.warnings
    assert (module, line) == ("registry", 1)
    assert "commands was changed by loading another module" in message
    playing.end()
