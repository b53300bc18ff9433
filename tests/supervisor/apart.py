"""`Hosts` in a process of its own, whose children are nobody else's; the test sees what a scenario returns."""

import asyncio
import multiprocessing
import os
import traceback
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from perdure.config import load
from perdure.ports import Aside, Owner
from perdure.supervisor.events import EventLog, utc_now
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.processes import Processes
from perdure.supervisor.settings import Settings
from perdure.supervisor.sockets import SocketFolder
from tests.supervisor.conftest import DEADLINE_S

T = TypeVar("T")


class NoFacts:
    """Nobody owns a room, and what is put aside is not kept."""

    def gateway_epoch(self, name: str) -> int:
        raise AssertionError("there is no gateway")

    def put(self, aside: Aside) -> None:
        pass

    def read(self, room: str) -> Owner | None:
        return None


class World(NamedTuple):
    """What a scenario has: the hosts, of which the first is starting, and the state folder."""

    hosts: Hosts
    state: Path

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Look again and again until `condition` is true."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.005)  # the scenario fails as `what` is not seen, by its deadline


Scenario = Callable[[World], Awaitable[T]]


def apart(scenario: Scenario[T], folder: Path, *hosts: list[str]) -> T:
    """Run the scenario with these commands of host-1, host-2 and so on; its value must be picklable."""
    state = folder / "state"
    state.mkdir()
    (folder / "game").mkdir()
    (folder / "perdure.toml").write_text('[games.game]\npath = "game"\n[rooms]\nworld = "game"\n')
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_main, args=(scenario, folder, hosts, theirs))
    process.start()
    theirs.close()
    try:
        assert ours.poll(2 * DEADLINE_S), "the scenario does not end"
        ok, value = ours.recv()
    finally:
        process.kill()
        process.join()
    assert ok, value
    return value  # type: ignore[no-any-return]


def _main(scenario: Scenario[Any], folder: Path, commands: tuple[list[str], ...], told: Connection) -> None:
    try:
        told.send((True, asyncio.run(_play(scenario, folder, commands))))
    except BaseException:  # noqa: BLE001 - the edge of this process: whatever it is, the test tells
        told.send((False, traceback.format_exc()))


async def _play(scenario: Scenario[T], folder: Path, commands: tuple[list[str], ...]) -> T:
    state = folder / "state"
    (state / "logs").mkdir()
    names = {f"host-{number}": command for number, command in enumerate(commands, 1)}
    settings = Settings(config=load(folder), state=state, commands=names, environ=dict(os.environ))
    sockets, events = SocketFolder(state), EventLog(state, utc_now)
    hosts = Hosts(settings, NoFacts(), events=events, processes=Processes(), folder=sockets, fault=lambda _: None)
    hosts.open()
    await hosts.serving.instance.ready.wait()
    hurry = asyncio.Event()
    try:
        return await scenario(World(hosts, state))
    finally:
        await hosts.close(hurry)
        events.close()
