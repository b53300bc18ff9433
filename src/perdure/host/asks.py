"""Questions to the outside: blocking or async work off the loop, whose answer is an input of the room."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec

from perdure.errors import one_line
from perdure.host.running import HostedProgram
from perdure.room.record import Answered, Request

THREADS_MAX = 8
"""Blocking questions that are being worked on at the same time; further ones wait, within their timeout."""


class Asked(NamedTuple):
    """Which request of which room is being worked on."""

    room: str
    id: int
    idempotent: bool


class Asks:
    """Works on requests and hands in their answers.

    Args:
        loop: Where async functions run, and where answers are handed in.
        answer: Called on the loop with (room, answer), exactly once for each request.
        services: Name -> async function of the room and the arguments; what a host itself is asked.
        released: Called when a function has let go of its code.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        answer: Callable[[str, Answered], None],
        services: Mapping[str, Callable[..., Awaitable[Any]]],
        released: Callable[[], None],
    ) -> None:
        self._loop, self._answer, self._services, self._released = loop, answer, services, released
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="perdure-ask")
        self._tasks: dict[asyncio.Task[None], Asked] = {}
        self._closed = False

    def ask(self, room: str, id: int, request: Request, program: HostedProgram) -> None:
        """Begin to work on a request. Its function is the one of `program`, whatever code the room runs meanwhile."""
        program.hold()  # from here: the room may go on with other code before the task begins
        task = self._loop.create_task(self._work(room, id, request, program))
        self._tasks[task] = Asked(room, id, request.idempotent)
        task.add_done_callback(partial(self._worked, program))

    def interrupted(self, room: str, id: int) -> None:
        """Answer a request that was in flight when its host died and may not be asked twice."""
        self._loop.call_soon(self._answer, room, Answered(id, "interrupted"))

    def works_on(self, room: str, id: int) -> bool:
        """Whether the answer to this request of the room comes from here."""
        return any(asked.room == room and asked.id == id for asked in self._tasks.values())

    async def settled(self, timeout_s: float) -> None:
        """Wait until no request that may not be asked twice is being worked on, for at most so long."""
        working = [task for task, asked in self._tasks.items() if not asked.idempotent]
        if working:
            await asyncio.wait(working, timeout=timeout_s)

    def close(self) -> None:
        """Stop working; what is in flight is asked again, or answered `interrupted`, by the next host."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _work(self, room: str, id: int, request: Request, program: HostedProgram) -> None:
        if request.function in self._services:
            service = partial(self._services[request.function], room)
            self._answer(room, await self._answered(id, request, service))
            return
        self._answer(room, await self._answered(id, request, partial(self._call, program, request.function)))

    def _worked(self, program: HostedProgram, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._let_go(program)

    async def _answered(self, id: int, request: Request, call: Callable[..., Awaitable[Any]]) -> Answered:
        try:
            async with asyncio.timeout(request.timeout_us / 1e6):
                value = await call(*msgspec.msgpack.decode(request.args))
            return Answered(id, "ok", msgspec.msgpack.encode(value))
        except TimeoutError:
            return Answered(id, "timeout")
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # the edge to the author's function: even its sys.exit() is an answer
            if self._closed:
                raise
            return Answered(id, "error", msgspec.msgpack.encode(one_line(error)))

    async def _call(self, program: HostedProgram, name: str, *args: Any) -> Any:
        function = program.resolve(name)
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        work = self._threads.submit(function, *args)
        program.hold()  # until the function returns, also when nobody waits for the answer any more
        work.add_done_callback(lambda _: self._released_soon(program))
        return await asyncio.wrap_future(work)

    def _released_soon(self, program: HostedProgram) -> None:
        with suppress(RuntimeError):  # the loop is over, and the process with it
            self._loop.call_soon_threadsafe(self._let_go, program)

    def _let_go(self, program: HostedProgram) -> None:
        program.release()
        self._released()
