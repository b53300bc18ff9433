"""One answer from those of several hosts; the rest of it is in test_hosts_of_a_server."""

import pytest

from perdure.errors import ProtocolError
from perdure.supervisor.merging import merged


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
