"""One host process as the supervisor sees it: its program, its slot, what it said of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from perdure.errors import ProtocolError
from perdure.supervisor.build import Build
from perdure.supervisor.deaths import DeathRecord, DeathWatch
from perdure.supervisor.instance import Instance, State
from perdure.supervisor.processes import Exit
from perdure.supervisor.programs import Program

CODE_S = 10.0
Role = Literal["serve", "empty"]
"""What a host does at its start: recover and claim every room whose owner is dead, or take nothing."""


class Ready(msgspec.Struct, frozen=True):
    """What a host says of itself when it is ready; hosts of the version before say nothing.

    Attributes:
        version, python, exe: Perdure's version, Python's, and the real path of the interpreter.
        source: Hash of everything that decides how it behaves (`perdure.build`).
        program: The same without the games' code, which may change while it runs.
        link, snapshot, journal, control: Lowest and highest version of each that it speaks (`perdure.versions`).
        generations: Game -> id of the code that it was to run.
    """

    version: str = ""
    source: str = ""
    program: str = ""
    python: str = ""
    exe: str = ""
    link: list[int] = []
    snapshot: list[int] = []
    journal: list[int] = []
    control: list[int] = []
    generations: dict[str, str] = {}


class Game(msgspec.Struct):
    """A game in a host's answer to `games`, with the code that its new rooms get."""

    game: str
    generation: str


def ready_of(said: dict[str, Any]) -> Ready:
    """What a `ready` notification says.

    Raises:
        ProtocolError: A field is not what it must be.
    """
    try:
        return msgspec.convert(said, Ready)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"its notification `ready` does not fit: {error}") from error


class HostInstance:
    """A host over all its incarnations; `Hosts` makes and ends them.

    Attributes:
        name: ``host-N``; never that of another host of this server.
        program: What every incarnation runs.
        role: What the next incarnation does at its start.
        first: What only the boot document of the first incarnation says.
        loads: Whether the next incarnation loads what lies on disk; else it is told what to load later.
        draining: Whether it served before another one did.
        ready: What the newest incarnation said of itself.
        build: What the newest incarnation is; number 0 until it said.
        watch: Its executing slot.
        instance: Its process; `Hosts` sets it.
        task: Ends when there will be no further incarnation.
        on_death: Awaited when it died without an order, before it is decided who takes its rooms: whoever is
            moving rooms settles there who serves (`Hosts.serve`). It must not wait for `Hosts.end`.
        takes: Dead incarnations of which the newest incarnation takes the rooms at its start.
    """

    instance: Instance
    task: asyncio.Task[None]

    def __init__(self, name: str, program: Program, role: Role, record: DeathRecord) -> None:
        self.name, self.program, self.role = name, program, role
        self.first: dict[str, Any] = {}
        self.loads = True
        self.draining = False
        self.ready, self.build = Ready(), Build(0, "")
        self.watch = DeathWatch(record=record)
        self.on_death: Callable[[Exit], Awaitable[None]] | None = None
        self.takes: frozenset[str] = frozenset()

    @property
    def incarnation(self) -> str:
        """The newest one's id, which owner rows and journals carry; "" before the first."""
        return self.instance.process.incarnation if self.instance.process is not None else ""

    @property
    def state(self) -> str:
        """For people: starting, running, draining, restarting, stopping or stopped."""
        running = self.instance.state is State.RUNNING
        return "draining" if running and self.draining else str(self.instance.state)

    async def code(self) -> dict[str, str]:
        """Game -> id of the code that serves in it now.

        Raises:
            PerdureError: It did not say, or not so that it can be understood.
        """
        games = await self.ask("games", timeout_s=CODE_S)
        try:
            return {game.game: game.generation for game in msgspec.convert(games, list[Game])}
        except msgspec.ValidationError as error:
            raise ProtocolError(f"{self.name} answered games with what cannot be understood: {error}") from error

    async def ask(self, method: str, params: dict[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any:
        """Send a request to the host; see `Instance.ask`."""
        return await self.instance.ask(method, params, timeout_s=timeout_s)
