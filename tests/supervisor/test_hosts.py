"""The hosts of a server, as a copyover uses them: who serves, who takes whose rooms, what an end leaves."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from perdure.control_lines import EXIT_REFUSED
from perdure.errors import ContractError, Unavailable
from perdure.supervisor.events import read_events
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.processes import Exit
from tests.supervisor.apart import World, apart
from tests.supervisor.conftest import alive, child

READY = child("ready")


def kill(host: HostInstance) -> None:
    assert host.instance.process is not None
    host.instance.process.kill()


def boots(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def names(state: Path, kind: str) -> list[str]:
    return [event["name"] for event in read_events(state) if event["kind"] == kind]


def recovers(state: Path) -> list[Any]:
    file = state / "asked"
    lines = map(json.loads, file.read_text().splitlines()) if file.exists() else []
    return [params for method, params in lines if method == "recover"]


# --- who serves ---


async def replaced(world: World) -> tuple[list[str], list[str]]:
    hosts = world.hosts
    old, new = hosts.serving, await hosts.start(hosts.program(), niced=True, target={"mud": "abc"})
    hosts.serve(new)
    states = [old.state, new.state]
    kill(old)
    await world.until(lambda: recovers(world.state), "the request for the old host's rooms")
    kill(new)
    await world.until(lambda: len(boots(world.state / "new")) == 2, "the restart")
    await world.until(lambda: new.state == "running", "the new host")
    return states, [host.name for host in hosts.all]


def test_the_serving_host_is_started_again_as_what_it_was(tmp_path: Path) -> None:
    """After a copyover that is the new program; the old one is not started again (FM-53)."""
    state = tmp_path / "state"
    new = child(["boots", state / "new"], ["record", state / "asked"], "ready")
    states, left = apart(replaced, tmp_path, READY, new)
    assert states == ["draining", "running"]
    assert left == ["host-2"]
    first, second = boots(state / "new")
    assert (first["role"], first["niced"], first["target"]) == ("empty", True, {"mud": "abc"})
    assert (second["role"], second["niced"], second["target"]) == ("serve", False, None)
    assert names(state, "host-lost") == ["host-1"]
    assert names(state, "restarting") == ["host-2"]
    assert len(recovers(state)) == 1


async def back(world: World) -> tuple[str, list[str]]:
    hosts = world.hosts
    old, new = hosts.serving, await hosts.start(hosts.program())
    hosts.serve(new)
    hosts.serve(old)
    await hosts.end(new)
    return old.state, [host.name for host in hosts.all]


def test_an_aborted_copyover_leaves_the_old_host_as_it_was(tmp_path: Path) -> None:
    """It serves, and is not draining."""
    assert apart(back, tmp_path, READY, READY) == ("running", ["host-1"])


async def settled_at_its_death(world: World) -> tuple[str, str]:
    hosts = world.hosts
    new = await hosts.start(hosts.program())

    async def some_rooms_are_its_own(exit: Exit) -> None:
        assert exit.signal == 9
        hosts.serve(new)

    new.on_death = some_rooms_are_its_own
    kill(new)
    await world.until(lambda: len(boots(world.state / "new")) == 2, "the restart")
    await world.until(lambda: new.state == "running", "the new host")
    return hosts.serving.name, hosts.named("host-1").state


def test_a_successor_that_dies_with_rooms_of_its_own_is_started_again(tmp_path: Path) -> None:
    """Whoever moves the rooms says so when it died; nobody has taken them by then."""
    new = child(["boots", tmp_path / "state" / "new"], "ready")
    assert apart(settled_at_its_death, tmp_path, READY, new) == ("host-2", "draining")
    assert [boot["role"] for boot in boots(tmp_path / "state" / "new")] == ["empty", "serve"]
    assert not names(tmp_path / "state", "host-lost")


# --- beginning and ending ---


async def too_slow(world: World) -> str:
    hosts = world.hosts
    try:
        await hosts.start(hosts.program(), timeout_s=0.5)
    except Unavailable as error:
        return f"{[host.name for host in hosts.all]} {error}"
    return "started"


def test_a_host_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A successor that hangs at its start changes nothing (FM-31)."""
    said = apart(too_slow, tmp_path, READY, child(["print", "importing"], "hang"))
    assert said.startswith("['host-1'] host-2 took too long before it was ready")
    assert said.endswith("importing")


async def cancelled(world: World) -> list[Any]:
    hosts = world.hosts
    starting = asyncio.create_task(hosts.start(hosts.program()))
    file = world.state / "pid"
    await world.until(lambda: file.exists() and file.read_text(), "the child")
    starting.cancel()
    await asyncio.wait([starting])
    pid = json.loads(file.read_text())[1]
    return [starting.cancelled(), alive(pid), [host.name for host in hosts.all]]


def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    """At whatever moment the order comes (FM-38, FM-41)."""
    slow = child(["session", tmp_path / "state" / "pid"], "deny", "hang")
    assert apart(cancelled, tmp_path, READY, slow) == [True, False, ["host-1"]]


async def many(world: World) -> tuple[list[int], str]:
    hosts, descriptors = world.hosts, []
    for _ in range(12):
        host = await hosts.start(hosts.program())
        await hosts.end(host)
        await hosts.end(host)  # one that is gone is fine
        descriptors.append(len(os.listdir("/proc/self/fd")))
    try:
        hosts.named("host-2")
    except ContractError as error:
        return descriptors, str(error)
    return descriptors, "it is there"


def test_the_twelfth_host_leaves_no_more_than_the_second(tmp_path: Path) -> None:
    """No descriptor and no name stays behind (FM-16, FM-30)."""
    descriptors, error = apart(many, tmp_path, *[READY] * 13)
    assert len(set(descriptors)) == 1
    assert error.startswith("There is no host 'host-2'")


async def closed(world: World) -> str:
    await world.hosts.close(asyncio.Event())
    try:
        await world.hosts.start(world.hosts.program())
    except Unavailable as error:
        return str(error)
    return "started"


def test_nothing_is_started_once_the_server_stops(tmp_path: Path) -> None:
    """No respawn between the order and the end (FM-58)."""
    assert "stopping, so no host was started" in apart(closed, tmp_path, READY, READY)


# --- what hosts say and ask ---


async def asked(world: World) -> list[Any]:
    hosts = world.hosts

    async def copyover(params: dict[str, Any]) -> Any:
        if params["words"] == ["now"]:
            return {"text": f"{params['by']} may"}
        raise ContractError("not now")

    hosts.handlers["copyover"] = copyover
    host = await hosts.start(hosts.program())
    files = [world.state / name for name in ("yes", "no", "unknown")]
    await world.until(lambda: all(file.exists() and file.read_text() for file in files), "the answers")
    return [[json.loads(file.read_text()) for file in files], host.ready.version, host.ready.link, host.build.number]


def test_a_host_may_ask_what_somebody_serves(tmp_path: Path) -> None:
    """Requests go both ways on its channel; and what its `ready` said is kept."""
    state = tmp_path / "state"
    ready = json.dumps({"version": "9.9", "link": [1, 2], "source": "aaaaaaaaaaaa"})
    host = child(
        ["ready", ready],
        ["ask", "copyover", '{"words": ["now"], "by": "Ada"}', state / "yes"],
        ["ask", "copyover", '{"words": ["test"], "by": "Ada"}', state / "no"],
        ["ask", "dance", "{}", state / "unknown"],
    )
    (yes, no, unknown), version, link, build = apart(asked, tmp_path, READY, host)
    assert yes["result"] == {"text": "Ada may"}
    assert no["error"] == {"message": "not now", "exit": EXIT_REFUSED}
    assert "no method 'dance'" in unknown["error"]["message"]
    assert (version, link, build) == ("9.9", [1, 2], 2)


async def traceback(world: World) -> str:
    try:
        await world.hosts.start(world.hosts.program())
    except Unavailable as error:
        return str(error)
    return "started"


def test_of_a_traceback_the_error_is_told(tmp_path: Path) -> None:
    """It goes into one line of a report."""
    wrong = [sys.executable, "-c", "import perdure_of_nowhere"]
    said = apart(traceback, tmp_path, READY, wrong)
    assert said.endswith("ModuleNotFoundError: No module named 'perdure_of_nowhere'")
    assert "Traceback" not in said
