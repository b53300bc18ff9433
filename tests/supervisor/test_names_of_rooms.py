"""A room's name that is none, with several hosts: real processes, fake hosts."""

import json

import pytest

from perdure.errors import RemoteError
from tests.supervisor.conftest import Server, child


def host(*rooms: str) -> list[str]:
    """A host with these rooms, which knows no other."""
    listed = {"result": [{"id": room, "game": "game", "epoch": 1} for room in rooms]}
    refused = json.dumps({"error": {"message": "There is no such room here.", "exit": 4}})
    refuses = (["answer", method, refused] for method in ("room.show", "room.pause"))
    return child(["answer", "rooms", json.dumps(listed)], *refuses, "ready")


@pytest.mark.parametrize("method", ["room.move", "room.show", "room.pause"])
def test_a_wrong_name_gets_the_nearest_room_of_all_hosts(server: Server, method: str) -> None:
    """The room that was meant may be in another host than the one that would have been asked."""
    server.start(child("ready"), host("inn"), host("arena"))
    server.wait_ready()
    server.ask("host.start")
    with pytest.raises(RemoteError, match=r"no room 'aren'\. Did you mean arena\? There are arena, inn\.") as refused:
        server.ask(method, room="aren", host="host-2")
    assert refused.value.exit == 4
    with pytest.raises(RemoteError, match=r"no host 'host-22'\. Did you mean host-2\?") as refused:
        server.ask("room.move", room="arena", host="host-22")
    assert refused.value.exit == 4
