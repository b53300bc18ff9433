"""The control channel between the present program and the one before, over real sockets and in lines."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.versions.programs import NOW, V1, Side

DEADLINE_S = 60.0
PAIRS = [(NOW, V1), (V1, NOW)]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=6), JSON, max_size=4)


@pytest.mark.parametrize("pair", PAIRS)
@given(id=st.integers(1, 2**31), method=st.text(max_size=12), value=OBJECTS)
def test_every_line_is_read_as_it_was_meant(
    pair: tuple[Side, Side], id: int, method: str, value: dict[str, Any]
) -> None:
    """Requests, answers, errors and notifications, whatever they carry (FM-97)."""
    writer, reader = (side.module("control_lines") for side in pair)
    lines = [
        writer.Line(id=id, method=method, params=value),
        writer.Line(id=id, result=value),
        writer.Line(id=id, result=None),
        writer.Line(id=id, error=writer.AnswerError(method, 3)),
        writer.Line(event=value),
    ]
    read = reader.LineReader().feed(b"".join(writer.encode_line(line) for line in lines))
    assert [msgspec.to_builtins(line) for line in read] == [msgspec.to_builtins(line) for line in lines]


async def double(params: dict[str, Any]) -> Any:
    return {"twice": params["x"] * 2, "a field of tomorrow": [1, 2]}


@pytest.mark.parametrize("pair", PAIRS)
def test_both_ask_answer_and_notify_each_other(pair: tuple[Side, Side]) -> None:
    """A host of one version under a supervisor of the other: both directions of one channel (FM-97)."""

    async def talk() -> None:
        control = [side.module("control") for side in pair]
        heard: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        ends = socket.socketpair()
        channels = [
            await module.open_channel_socket(end, {"double": double}, lambda event, i=i: heard.put_nowait((i, event)))
            for i, (module, end) in enumerate(zip(control, ends, strict=True))
        ]
        serving = [asyncio.create_task(channel.serve()) for channel in channels]
        for i, channel in enumerate(channels):
            assert (await channel.request("double", {"x": 21}))["twice"] == 42
            with pytest.raises(pair[i].errors.RemoteError, match=r"no method 'movement\.prepare'"):
                await channel.request("movement.prepare", {"rooms": []})
            channel.notify({"kind": "ready", "link": [1, 2]})
            assert await heard.get() == (1 - i, {"kind": "ready", "link": [1, 2]})
        for channel in channels:
            channel.close()
        await asyncio.wait(serving)

    asyncio.run(asyncio.wait_for(talk(), DEADLINE_S))
