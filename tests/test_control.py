"""The control channel: requests, answers and notifications in both directions, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import control
from perdure.control import Channel, Handler, open_channel_fd, open_channel_socket
from perdure.control_lines import (
    EXIT_CONFIG,
    EXIT_INTERNAL,
    EXIT_NO_SERVER,
    EXIT_REFUSED,
    EXIT_TAKEN,
    EXIT_USAGE,
    AnswerError,
    Line,
    LineReader,
    encode_line,
    exit_code,
)
from perdure.errors import (
    ConfigError,
    ContractError,
    PerdureError,
    ProtocolError,
    RemoteError,
    StorageError,
    Unavailable,
)

DEADLINE_S = 60.0


@asynccontextmanager
async def pair(
    left: Mapping[str, Handler], right: Mapping[str, Handler]
) -> AsyncIterator[tuple[Channel, Channel, asyncio.Queue[dict[str, Any]]]]:
    """Two channels that face each other, both served; the queue has what was notified to the right one."""
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    ours, theirs = socket.socketpair()
    one = await open_channel_fd(ours.detach(), left, lambda event: None)
    other = await open_channel_socket(theirs, right, events.put_nowait)
    serving = [asyncio.create_task(channel.serve()) for channel in (one, other)]
    try:
        yield one, other, events
    finally:
        one.close()
        other.close()
        await asyncio.wait(serving, timeout=DEADLINE_S)


async def double(params: dict[str, Any]) -> Any:
    return params["x"] * 2


def test_both_ends_ask_and_answer_at_the_same_time() -> None:
    """A channel has no client and no server."""

    async def main() -> None:
        async with pair({"double": double}, {"double": double}) as (one, other, _):
            answers = await asyncio.gather(
                *(one.request("double", {"x": x}) for x in range(200)),
                *(other.request("double", {"x": str(x)}) for x in range(200)),
            )
            assert answers == [x * 2 for x in range(200)] + [str(x) * 2 for x in range(200)]

    asyncio.run(main())


def test_an_answer_that_is_nothing_is_an_answer() -> None:
    """null is a result like any other."""

    async def nothing(params: dict[str, Any]) -> None:
        assert params == {}

    async def main() -> None:
        async with pair({}, {"nothing": nothing}) as (one, _, _):
            assert await one.request("nothing") is None

    asyncio.run(main())


def test_a_slow_handler_holds_up_nobody() -> None:
    """A second request is answered while the first one still works."""

    async def main() -> None:
        release = asyncio.Event()

        async def slow(params: dict[str, Any]) -> str:
            await release.wait()
            return "slow"

        async with pair({}, {"slow": slow, "double": double}) as (one, _, _):
            waiting = asyncio.create_task(one.request("slow", timeout_s=DEADLINE_S))
            assert await one.request("double", {"x": 1}) == 2
            release.set()
            assert await waiting == "slow"

    asyncio.run(main())


def test_errors_cross_the_channel_with_their_words_and_exit_code() -> None:
    """What a process says about a failure is what the command's user reads."""

    async def refuses(params: dict[str, Any]) -> None:
        raise ConfigError("line 3 is wrong; fix it")

    async def breaks(params: dict[str, Any]) -> None:
        raise KeyError("x")

    async def main() -> None:
        reported: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
        async with pair({}, {"refuses": refuses, "breaks": breaks}) as (one, _, _):
            with pytest.raises(RemoteError, match="line 3 is wrong; fix it") as caught:
                await one.request("refuses")
            assert caught.value.exit == EXIT_CONFIG
            with pytest.raises(RemoteError, match="internal error in breaks: KeyError") as caught:
                await one.request("breaks")
            assert caught.value.exit == EXIT_INTERNAL
            with pytest.raises(RemoteError, match="no method 'stpo'; there are breaks, refuses") as caught:
                await one.request("stpo")
            assert caught.value.exit == EXIT_USAGE
        assert reported == ["breaks: KeyError: 'x'"]

    asyncio.run(main())


def test_notifications_arrive_in_order() -> None:
    """A notification has no answer, but a place in the order."""

    async def main() -> None:
        async with pair({}, {}) as (one, _, events):
            for number in range(100):
                one.notify({"kind": "test", "number": number})
            assert [(await events.get())["number"] for _ in range(100)] == list(range(100))

    asyncio.run(main())


def test_a_request_fails_when_the_peer_dies_before_it_answers() -> None:
    """Nobody waits for a process that is gone (FM-36)."""

    async def main() -> None:
        async def never(params: dict[str, Any]) -> None:
            other.close()
            await asyncio.Event().wait()

        async with pair({}, {"never": never}) as (one, other, _):
            with pytest.raises(Unavailable, match="is gone"):
                await one.request("never", timeout_s=DEADLINE_S)
            with pytest.raises(Unavailable, match="is gone"):
                await one.request("never", timeout_s=DEADLINE_S)

    asyncio.run(main())


def test_a_request_without_an_answer_ends_at_its_deadline() -> None:
    """A process that is alive but deaf costs its caller a bounded time (FM-40)."""

    async def main() -> None:
        async def never(params: dict[str, Any]) -> None:
            await asyncio.Event().wait()

        async with pair({}, {"never": never}) as (one, _, _):
            with pytest.raises(Unavailable, match=r"never: no answer within 0\.01 s"):
                await one.request("never", timeout_s=0.01)

    asyncio.run(main())


def test_a_peer_that_does_not_read_is_closed_before_it_costs_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspended `events -f` cannot make the supervisor grow (FM-59)."""
    monkeypatch.setattr(control, "BACKLOG_BYTES_MAX", 100_000)

    async def main() -> None:
        ours, theirs = socket.socketpair()
        channel = await open_channel_socket(ours, {}, lambda event: None)
        serving = asyncio.create_task(channel.serve())
        for _ in range(1000):
            channel.notify({"text": "x" * 10_000})
        await asyncio.wait_for(serving, DEADLINE_S)
        channel.notify({"text": "said to nobody"})
        theirs.close()

    asyncio.run(main())


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b"{}\n", b'{"id": "x"}\n', b'{"id": 1}\n', b"\xff\n"])
def test_a_peer_that_breaks_the_protocol_is_closed(line: bytes) -> None:
    """What is no line of the protocol is an error with a name, and the end of that connection only."""

    async def main() -> None:
        ours, theirs = socket.socketpair()
        channel = await open_channel_socket(ours, {}, lambda event: None)
        asking = asyncio.create_task(channel.request("anything"))
        serving = asyncio.create_task(channel.serve())
        await asyncio.sleep(0)
        theirs.sendall(line)
        with pytest.raises(ProtocolError):
            await asyncio.wait_for(serving, DEADLINE_S)
        with suppress(Unavailable):
            await asking
        theirs.close()

    asyncio.run(main())


LINES = st.lists(
    st.one_of(
        st.builds(Line, id=st.integers(0, 99), method=st.text(), params=st.dictionaries(st.text(), st.text())),
        st.builds(Line, id=st.integers(0, 99), result=st.none() | st.integers(0) | st.text()),
        st.builds(Line, id=st.integers(0, 99), error=st.builds(AnswerError, st.text(), st.integers(0, 8))),
        st.builds(Line, event=st.dictionaries(st.text(), st.booleans(), min_size=1)),
    )
)


@given(LINES, st.integers(1, 64))
def test_lines_survive_any_cut_of_the_stream(lines: list[Line], size: int) -> None:
    """Where the socket cuts the bytes makes no difference."""
    data = b"".join(map(encode_line, lines))
    reader = LineReader()
    received = [line for at in range(0, len(data), size) for line in reader.feed(data[at : at + size])]
    assert received == lines


@given(st.binary(max_size=200))
def test_any_bytes_are_lines_or_a_protocol_error(data: bytes) -> None:
    """The reader raises nothing else."""
    with suppress(ProtocolError):
        LineReader().feed(data)


@pytest.mark.parametrize(
    ("error", "exit"),
    [
        (ConfigError("x"), EXIT_CONFIG),
        (ContractError("x"), EXIT_REFUSED),
        (Unavailable("x", op="control:connect"), EXIT_NO_SERVER),
        (Unavailable("x", op="listen:telnet"), EXIT_TAKEN),
        (StorageError("x", op="store:append"), EXIT_INTERNAL),
        (RemoteError("x", exit=5), 5),
        (PerdureError("x"), EXIT_INTERNAL),
    ],
)
def test_exit_codes_follow_from_who_must_act(error: PerdureError, exit: int) -> None:
    """Scripts tell the cases apart without reading the words."""
    assert exit_code(error) == exit
