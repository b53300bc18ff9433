"""One answer from those of several hosts; the rest of it is in test_hosts_of_a_server."""

import pytest

from perdure.errors import ProtocolError
from perdure.movement.report import (
    Failed,
    Generations,
    Migration,
    Orphan,
    PauseMs,
    RefusedRoom,
    ReloadReport,
    Rooms,
    Step,
    exit_code,
)
from perdure.supervisor.merging import added_up, merged


def test_modules_and_generations_say_whose_they_are() -> None:
    """Two hosts may run different code of one game."""
    one = {"modules": [{"module": "a", "faults": 1}], "generations": [{"id": "x", "rooms": 2}]}
    two = {"modules": [{"module": "a", "faults": 0}], "generations": [{"id": "y", "rooms": 1}]}
    assert merged("modules", {"host-1": one, "host-2": two}) == {
        "modules": [{"module": "a", "faults": 1, "host": "host-1"}, {"module": "a", "faults": 0, "host": "host-2"}],
        "generations": [{"id": "x", "rooms": 2, "host": "host-1"}, {"id": "y", "rooms": 1, "host": "host-2"}],
    }


@pytest.mark.parametrize(
    ("method", "answer"),
    [("rooms", None), ("rooms", ["world"]), ("rooms", {"id": "world"}), ("modules", []), ("modules", {"modules": []})],
)
def test_an_answer_of_another_shape_is_named(method: str, answer: object) -> None:
    """Of a host that is broken; nobody is shown half of a list as the whole."""
    with pytest.raises(ProtocolError, match="host-2 answered what no host answers"):
        merged(method, {"host-1": merged(method, {}), "host-2": answer})


def test_one_report_of_a_reload_has_what_came_of_it_in_each_host() -> None:
    """Rooms, rows and reasons are added up, and what is the same everywhere is said once."""
    failed = Failed("places", "/srv/mud/places.py", 12, "invalid syntax")
    one = ReloadReport(
        "mud",
        refreshed=["talk"],
        failed=[failed],
        rooms=Rooms(9),
        pause_ms=PauseMs(0.1, 0.4),
        migrations=[Migration("mug", 1, 2, rows=3)],
        generation=Generations("a", "b"),
        steps=[Step("swap", 2.0)],
    )
    other = ReloadReport(
        "mud",
        refreshed=["talk", "games"],
        failed=[failed],
        rooms=Rooms(1, [RefusedRoom("arena", "no way back")]),
        pause_ms=PauseMs(0.2, 0.3),
        migrations=[Migration("mug", 1, 2, rows=4, failed=1, error="no sips"), Migration("bet", 1, 2)],
        generation=Generations("0", "b"),
        steps=[Step("build", 1.0), Step("swap", 0.5)],
        waiting=["inn"],
        orphans=[Orphan("arena", "explode")],
    )
    both = added_up([one, other])
    assert both.generation == Generations("a", "b")
    assert (both.refreshed, both.failed) == (["talk", "games"], [failed])
    assert both.rooms == Rooms(10, [RefusedRoom("arena", "no way back")])
    assert both.pause_ms == PauseMs(0.2, 0.4)
    assert both.migrations == [Migration("mug", 1, 2, 7, failed=1, error="no sips"), Migration("bet", 1, 2)]
    assert both.steps == [Step("swap", 2.5), Step("build", 1.0)]
    assert (both.waiting, both.orphans) == (["inn"], [Orphan("arena", "explode")])
    assert exit_code(both) == 5
