"""The event log: numbers, bounds, torn lines, full disks, and how people read it."""

import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.supervisor import events
from perdure.supervisor.events import TEXT_CHARS_MAX, Event, EventLog, read_events, sentence


def log(folder: Path, **options: int) -> EventLog:
    made = EventLog(folder, lambda: "2026-01-01T00:00:00.000Z", **options)
    opened.append(made)
    return made


opened: list[EventLog] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No test leaves a file open."""
    yield
    while opened:
        opened.pop().close()


def test_numbers_go_on_over_restarts_and_turned_over_files(tmp_path: Path) -> None:
    """seq rises by one, always; two files bound the disk."""
    for _ in range(5):
        made = log(tmp_path, bytes_max=2000)
        for _ in range(40):
            made.emit("test", text="x" * 50)
    numbers = [event["seq"] for event in read_events(tmp_path)]
    assert numbers == list(range(numbers[0], 201))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 5000


@pytest.mark.parametrize(
    "rest", [b"", b"\n", b'{"seq": 99', b"\xff\xfe", b'{"seq": "x", "kind": "y"}\n', b"[]\n", b"{}"]
)
def test_a_torn_or_foreign_end_costs_only_itself(tmp_path: Path, rest: bytes) -> None:
    """The next event has a line of its own (FM-35)."""
    log(tmp_path).emit("one")
    with (tmp_path / events.FILE_NAME).open("ab") as file:
        file.write(rest)
    log(tmp_path).emit("two")
    assert [(event["seq"], event["kind"]) for event in read_events(tmp_path)] == [(1, "one"), (2, "two")]


def test_followers_hear_each_event_until_they_leave(tmp_path: Path) -> None:
    """And only from then on."""
    made, heard = log(tmp_path), list[Event]()
    made.emit("before")
    leave = made.follow(heard.append)
    made.emit("during")
    leave()
    leave()
    made.emit("after")
    assert [event["kind"] for event in heard] == ["during"]


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond 4 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_loses_lines_and_says_how_many(
    tmp_path: Path, full_disk: None, request: pytest.FixtureRequest
) -> None:
    """The log goes on in memory, and the first line that can be written names the gap (FM-35)."""
    made, heard = log(tmp_path, bytes_max=6000), list[Event]()
    made.follow(heard.append)
    for _ in range(100):
        made.emit("test", text="x" * 100)
    assert len(heard) == 100
    written = len(list(read_events(tmp_path)))
    assert 0 < written < 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    made.emit("again")
    kinds = [(event["kind"], event.get("count")) for event in read_events(tmp_path)]
    assert kinds[-2:] == [("events-lost", 100 - written), ("again", None)]


def test_a_strangers_text_is_bounded_and_may_not_pose_as_a_field(tmp_path: Path) -> None:
    """seq, at and kind are the log's own."""
    event = log(tmp_path).emit("fault", error="x" * 10_000, seq=5, at="never", kind="x", self="y")
    assert (event["seq"], event["at"], event["kind"]) == (1, "2026-01-01T00:00:00.000Z", "fault")
    assert len(event["error"]) == TEXT_CHARS_MAX


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.text())), st.text())
def test_any_event_is_one_harmless_line_for_people(fields: Event, kind: str) -> None:
    """Whatever a child notifies, and whatever strangers typed (FM-83)."""
    line = sentence({**fields, "seq": 1, "at": "", "kind": kind})
    assert not any(ord(character) < 32 and character != "\t" for character in line)
    assert "\x1b" not in line
    assert msgspec.json.encode(line)


def test_a_fault_says_what_failed_and_where() -> None:
    """The command and the place, as far as they are known; events of earlier versions have neither."""
    fault = {"seq": 1, "at": "", "kind": "fault", "room": "main", "error": "KeyError: 1"}
    place = {"file": "/inn/game.py", "line": 31, "undone": True}
    assert sentence(fault) == "a callback in room main faulted and was undone: KeyError: 1"
    said = sentence({**fault, **place, "handler": "inn.die", "command": "die"})
    assert said == 'the command "die" (inn.die) in room main faulted at /inn/game.py:31 and was undone: KeyError: 1'
    said = sentence({**fault, **place, "handler": "inn.prompt", "command": "", "undone": False})
    assert said == "inn.prompt in room main faulted at /inn/game.py:31: KeyError: 1"


def test_what_is_disabled_reads_how_it_comes_back() -> None:
    """The rule is that of `docs/how-to/operate.md`: with the code, not with any reload."""
    disabled = {
        "seq": 1,
        "at": "",
        "kind": "disabled",
        "game": "inn",
        "handler": "inn.die",
        "command": "die",
        "faults": 3,
    }
    back = "failed 3 times in ten minutes. It comes back when its code changes: mend it, and reload"
    assert sentence(disabled) == f'the command "die" of inn is off, as inn.die {back}'
    assert sentence({**disabled, "command": ""}) == f"inn.die of inn is off: it {back}"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rooms": 1, "new": 1}, "host-1 has 1 new room; it took 9.5 ms"),
        ({"rooms": 2, "new": 2}, "host-1 has 2 new rooms; it took 9.5 ms"),
        ({"rooms": 1, "new": 0}, "host-1 has 1 room again, 1 record after their bases; it took 9.5 ms"),
        ({"rooms": 2}, "host-1 has 2 rooms again, 1 record after their bases; it took 9.5 ms"),
        ({"rooms": 2, "new": 1}, "host-1 has 2 rooms again, 1 of them new, 1 record after their bases; it took 9.5 ms"),
        ({"rooms": 0, "new": 0, "aside": ["pit", "well"]}, "host-1 has no room; it took 9.5 ms; aside: pit, well"),
    ],
)
def test_a_first_start_does_not_read_as_a_recovery(fields: Event, said: str) -> None:
    """And one is no plural; events of earlier versions do not say what is new."""
    event = {"seq": 1, "at": "", "kind": "recovered", "name": "host-1", "records": 1, "aside": [], "all_ms": 9.5}
    assert sentence({**event, **fields}) == said


def kinds_told() -> set[str]:
    """Every kind that this program's source emits by name, but for what hosts tell each other and for `durable`,
    which no log has."""
    folder = Path(events.__file__).parent.parent
    texts = [
        file.read_text()
        for part in ("supervisor", "host", "gateway", "movement")
        for file in folder.glob(f"{part}/**/*.py")
    ]
    found = {kind for text in texts for kind in re.findall(r'emit\("([a-z-]+)"|"kind": "([a-z-]+)"', text)}
    return {a or b for a, b in found} - {"durable", "step", "mail", "mailed", "came", "answered"}


def test_every_kind_has_its_sentence() -> None:
    """What people read is no list of fields; programs read the fields (`--json`)."""
    table = Path(__file__).parents[2].joinpath("docs/reference/control.md").read_text().partition("## Events")[2]
    documented = {kind for row in re.findall(r"^\| (`.+?`) \|", table, re.M) for kind in re.findall("`([a-z-]+)`", row)}
    assert len(kinds_told()) > 25
    assert len(documented) > 25
    assert (kinds_told() | documented) - events.KINDS == set()


def test_the_start_and_the_end_of_a_server_are_sentences() -> None:
    """With lists as people write them."""
    at = {"seq": 1, "at": ""}
    assert sentence({**at, "kind": "started", "version": "0.1.0", "pid": 7}) == "Perdure 0.1.0 starts to serve (pid 7)"
    assert sentence({**at, "kind": "stopping", "reason": "SIGTERM"}) == "the server stops: SIGTERM"
    assert sentence({**at, "kind": "leftovers", "pids": [7, 8]}).endswith("were ended first (pids 7, 8)")
    assert sentence({**at, "kind": "events-lost", "count": 1}) == "1 event could not be written here"
    died = {
        **at,
        "kind": "died-executing",
        "room": "pit",
        "c": 9,
        "how": "killed by SIGKILL",
        "session": "g.1.2",
        "n": 3,
    }
    assert sentence(died).startswith("its host died in callback 9 of room pit on input 3 of session g.1.2 (killed")
    assert sentence({**died, "n": -1}).startswith("its host died in callback 9 of room pit (killed")
    assert sentence({**at, "kind": "resumed", "room": "pit", "skipped": True}).endswith(
        "without the input that stopped its host"
    )


def test_an_event_of_another_form_is_shown_as_it_is() -> None:
    """A field that is missing, or no number, is no reason to show nothing."""
    assert sentence({"seq": 1, "at": "", "kind": "recovered", "name": "host-1"}) == "recovered name=host-1"
    assert sentence({"seq": 1, "at": "", "kind": "events-lost", "count": "x"}) == "events-lost count=x"


def test_known_kinds_read_as_sentences() -> None:
    """With the note, where there is one."""
    event = {
        "seq": 1,
        "at": "",
        "kind": "exited",
        "name": "gateway",
        "how": "killed by SIGKILL",
        "note": "its sessions end",
    }
    assert sentence(event) == "gateway was killed by SIGKILL. its sessions end"
    assert sentence({"seq": 1, "at": "", "kind": "odd", "a": 1}) == "odd a=1"
