"""Rooms move between two real host processes: every line once and in order, and one owner, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from perdure.host.host import OUTBOX_BYTES_MAX, TOO_SLOW
from tests.host.pair import AHEAD_S, HostInTest, Pair, Player, pair_of_hosts, until, until_asked

pytestmark = pytest.mark.anyio

TIMES = 50


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pair(anyio_backend: str) -> AsyncIterator[Pair]:
    """One pair for all tests; wherever a room is, a test moves it from there."""
    del anyio_backend
    async with pair_of_hosts() as pair:
        yield pair


async def type_while(player: Player, task: asyncio.Task[Any]) -> int:
    """Type numbered lines until the task is over; how many."""
    count = 0
    while not task.done():
        player.type(f"say {count}")
        count += 1
        await asyncio.sleep(0.001)
    return count


def numbers(lines: list[str]) -> list[int]:
    return [int(line) for line in lines if line.isdecimal()]


def begun(pair: Pair, room: str, to: HostInTest) -> asyncio.Task[Any]:
    """The move of a room that is prepared, while the test goes on."""
    return asyncio.get_running_loop().create_task(pair.depart(room, to=to))


async def until_stopped(pair: Pair, player: Player, room: str) -> None:
    """Wait until the room is on its way: what is typed is held."""
    home = pair.home(room)

    async def holds() -> bool:
        player.type("say held")
        return bool((await home.ask("room.show", room=room))["held"])

    await until_asked(holds, f"{room} is stopped")


# -- moving ----------------------------------------------------------------------------------------------


async def test_a_room_moves_and_is_the_same(pair: Pair) -> None:
    """Hash for hash, at the same callback, under the next epoch, at one host only."""
    ann = await pair.player("play0")
    ann.type("say hello")
    await ann.sees("hello")
    await ann.settled()
    old, new = pair.home("play0"), pair.other("play0")
    before = await old.ask("room.show", room="play0")
    moved = await pair.move("play0")
    assert (moved.rooms, moved.kept) == (["play0"], {})
    after = await new.ask("room.show", room="play0")
    same = ("callback", "branch", "generation", "state_hash", "seats", "tables", "timers", "requests", "effects")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert after["epoch"] == before["epoch"] + 1
    assert await pair.runs("play0") == [new.name]
    await ann.leave()


async def test_lines_typed_while_rooms_move_there_and_back_are_said_once_and_in_order(pair: Pair) -> None:
    """(FM-88, FM-89) The move back is like the first one."""
    ann, bob = await pair.player("play0"), await pair.player("play0")
    said = 0
    for _ in range(2):
        moving = asyncio.get_running_loop().create_task(pair.move("play0"))
        count = await type_while(ann, moving)
        assert (await moving).kept == {}
        said += count
        await until(lambda: len(numbers(bob.read)) == said, "Bob has read everything")  # noqa: B023
        assert numbers(ann.read)[-count:] == numbers(bob.read)[-count:] == list(range(count))
    assert numbers(await ann.diary())[-said:] == numbers(ann.read)
    assert pair.gateway.notices == []
    await ann.leave()
    await bob.leave()


async def test_the_fiftieth_move_is_like_the_first_and_nothing_grows(pair: Pair) -> None:
    """(FM-12, FM-16, FM-30) Descriptors, threads and journals are what they were after ten moves."""
    ann = await pair.player("play0")
    measured = []
    for number in range(TIMES):
        ann.type(f"say {number}")
        assert (await pair.move("play0")).kept == {}
        if number in (9, TIMES - 1):
            measured.append([(h.descriptors(), len(h.threads())) for h in pair.hosts] + [len(pair.journals())])
    await ann.sees(str(TIMES - 1))
    assert numbers(ann.read) == list(range(TIMES))
    assert measured[0] == measured[1]
    await ann.leave()


@pytest.mark.parametrize("game", ["sure", "rare", "loose"])
async def test_a_room_moves_with_its_whole_state_whatever_its_durability(pair: Pair, game: str) -> None:
    """(FM-18, FM-19) Under `power` a sync is in flight, under `checkpoint` and `none` no record was ever written."""
    room = f"{game}0"
    ann = await pair.player(room)
    ann.type("say before")
    await ann.sees("before")
    prepared = await pair.prepare(room, to=pair.other(room))
    assert prepared["refused"] == []
    lines = [str(number) for number in range(20)]
    ann.type(*(f"say {line}" for line in lines))
    old, new = pair.home(room), pair.other(room)
    assert (await pair.depart(room, to=new)).kept == {}
    await pair.finish(old, new)
    await ann.sees("19")
    assert (await ann.diary())[-21:] == ["before", *lines]
    assert (await new.ask("room.show", room=room))["branch"] == 0
    await ann.leave()


async def test_decisions_of_operators_move_with_a_room(pair: Pair) -> None:
    """A paused room is paused at its new host, too, and goes on there with what it held."""
    ann = await pair.player("play1")
    await pair.home("play1").ask("room.pause", room="play1")
    ann.type("say held")
    await pair.move("play1")
    home = pair.home("play1")
    assert (await home.ask("room.show", room="play1"))["paused"]
    assert "held" not in ann.read
    await home.ask("room.continue", room="play1")
    await ann.sees("held")
    assert (await ann.diary()).count("held") == 1
    await ann.leave()


async def test_timers_ring_once_at_their_time_and_the_rooms_clock_does_not_jump(pair: Pair) -> None:
    """(FM-24) One is due in the pause of the move, one long after it."""
    ann = await pair.player("play1")
    old, new = pair.home("play1"), pair.other("play1")
    await pair.prepare("play1", to=new)
    ann.type("version", "timer 0.1", "timer 1.1")
    await ann.settled()
    with pair.nothing_commits():
        moving = begun(pair, "play1", new)
        await until_stopped(pair, ann, "play1")
        await asyncio.sleep(0.12)  # what a timer waits for is time itself
    await moving
    await pair.finish(old, new)
    ann.type("version")
    await ann.sees("timer 0.1 due")
    await ann.sees("timer 1.1 due")
    assert [line for line in await ann.diary() if line.startswith("timer")] == ["timer 0.1 due", "timer 1.1 due"]
    first_s, last_s = (float(line.split()[-1]) for line in ann.read if line.startswith("version"))
    assert 0 < last_s - first_s < AHEAD_S / 2
    await ann.leave()


async def test_mail_between_rooms_of_two_hosts_arrives_once_and_in_order_while_both_move(pair: Pair) -> None:
    """(FM-22) Letters wait, are sent again, and are applied exactly once."""
    ann, bob = await pair.player("play2"), await pair.player("play3")
    count = 0
    for room in ("play2", "play3", "play3", "play2"):
        moving = asyncio.get_running_loop().create_task(pair.move(room))
        while not moving.done():
            ann.type(f"post play3 letter {count}")
            count += 1
            await asyncio.sleep(0.002)
        assert (await moving).kept == {}
    await bob.sees(f"from play2: letter {count - 1}")
    letters = [line for line in await bob.diary() if line.startswith("from")]
    assert letters == [f"from play2: letter {number}" for number in range(count)]

    async def acknowledged() -> bool:
        return not any((await pair.home("play2").ask("room.show", room="play2"))["effects"].values())

    await until_asked(acknowledged, "all letters are acknowledged")
    await ann.leave()
    await bob.leave()


async def test_an_empty_ephemeral_room_ends_after_its_grace_at_its_new_host(pair: Pair) -> None:
    """Nobody is there, it moves, and is forgotten as if it had not."""
    ann = await pair.player("brief0")
    ann.type("say remember")
    await ann.sees("remember")
    await ann.leave()
    await pair.move("brief0")

    async def forgotten() -> bool:
        return not (await pair.home("brief0").ask("room.show", room="brief0"))["tables"]["play.diaries"]

    await until_asked(forgotten, "the room is forgotten")
    bob = await pair.player("brief0")
    assert len(await bob.diary()) == 1
    await bob.leave()


async def test_a_slow_reader_is_not_forgiven_by_a_move(pair: Pair) -> None:
    """(FM-17) Text that was not read at the old host counts at the new one: the limit is one, not one for each."""
    ann, bob = await pair.player("play4"), await pair.player("play4")
    size = OUTBOX_BYTES_MAX // 5
    pair.gateway.slow.add(ann.session)
    for _ in range(2):
        bob.type(*[f"big {size}"] * 3)
        await bob.settled()
        await until(lambda: "x" * size in bob.read, "Bob reads")
        await pair.move("play4")
    await until(lambda: ann.session in pair.gateway.over, "Ann's session ends")
    assert pair.gateway.over[ann.session] == TOO_SLOW
    bob.type("say still here")
    await bob.sees("still here")
    await bob.leave()


# -- code ------------------------------------------------------------------------------------------------


async def test_new_code_that_waits_for_an_idle_room_is_taken_after_the_move(pair: Pair) -> None:
    """(FM-90) The room's new host has the code, too, and gives it to the room when its last player has left."""
    ann = await pair.player("idle0")
    pair.edit("idle", "VERSION = 1", "VERSION = 2")
    old, new = pair.home("idle0"), pair.other("idle0")
    await old.ask("reload", game="idle")
    assert (await old.ask("room.show", room="idle0"))["update_waits"]
    await pair.move("idle0", reload=True)
    assert (await new.ask("room.show", room="idle0"))["update_waits"]
    ann.type("version")
    await until(lambda: any(line.startswith("version 1 ") for line in ann.read), "the old code answers")
    await ann.leave()

    async def taken() -> bool:
        return not (await new.ask("room.show", room="idle0"))["update_waits"]

    await until_asked(taken, "the room takes the new code")
    bob = await pair.player("idle0")
    bob.type("version")
    await until(lambda: any(line.startswith("version 2 ") for line in bob.read), "the new code answers")
    await bob.leave()
