"""Logs: JSON lines that drive no terminal."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from perdure import logs


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder with this process's logs in it."""
    with contextlib.closing(logs.setup("gateway", tmp_path)):
        yield tmp_path
    structlog.reset_defaults()


def lines(state: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (state / "logs" / "gateway.jsonl").read_text().splitlines()]


def test_each_event_is_one_line_of_json(state: Path) -> None:
    """Level, time and whatever was given; objects as text."""
    structlog.get_logger().info("entered", name="Ada", n=3, path=state, seats=[1, ("a", None)])
    (line,) = lines(state)
    assert isinstance(line.pop("at"), str)
    assert line == {
        "event": "entered",
        "level": "info",
        "name": "Ada",
        "n": 3,
        "path": str(state),
        "seats": [1, ["a", None]],
    }


def test_player_text_in_a_log_cannot_drive_a_terminal(state: Path) -> None:
    """Escapes, C1 and bidi controls are stripped, in keys and nested values too (FM-83)."""
    structlog.get_logger().info("\x1b[2Jsaid", name="A\x9bda\u202e", deep={"\x07k": ["\x1b]0;x\x07"]})
    (line,) = lines(state)
    assert (line["event"], line["name"], line["deep"]) == ("[2Jsaid", "Ada", {"k": ["]0;x"]})


def test_the_level_changes_while_running(state: Path) -> None:
    """Loggers that exist already follow."""
    log = structlog.get_logger()
    log.debug("one")
    logs.set_level("debug")
    log.debug("two")
    logs.set_level("error")
    log.warning("three")
    assert [line["event"] for line in lines(state)] == ["two"]


def test_an_unknown_level_is_refused_by_name(tmp_path: Path) -> None:
    """The message lists the levels."""
    with pytest.raises(ValueError, match="'loud'; there are debug, info"):
        logs.setup("gateway", tmp_path, "loud")


def test_exceptions_are_logged_as_text(state: Path) -> None:
    """With the traceback, on the one line."""
    try:
        raise KeyError("lamp")
    except KeyError:
        structlog.get_logger().exception("broke")
    (line,) = lines(state)
    assert "KeyError: 'lamp'" in str(line["exception"])


def test_a_long_log_turns_itself_over(tmp_path: Path) -> None:
    """An output flood does not fill the disk (FM-59)."""
    path = tmp_path / "gateway.jsonl"
    file = logs.LogFile(path, bytes_max=100)
    with contextlib.closing(file):
        for number in range(100):
            file.msg(f"line {number:04}")
    assert path.stat().st_size <= 120
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["gateway.jsonl", "gateway.jsonl.1"]
    assert path.read_text().endswith("line 0099\n")


def test_a_full_disk_loses_log_lines_and_nothing_else() -> None:
    """A log never stops a server (FM-35)."""
    file = logs.LogFile(Path("/dev/full"))
    file.msg("lost")
    assert file.lost == 1
    file.close()


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.tuples(inner)))
def test_anything_can_be_made_printable(value: object) -> None:
    """The result encodes as JSON and holds no control character."""
    text = json.dumps(logs.printable(value), ensure_ascii=False)
    assert "\x1b" not in text
    assert "\\u001b" not in text
    assert "\u202e" not in text
