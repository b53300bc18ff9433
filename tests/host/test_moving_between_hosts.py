"""Rooms move between two real host processes: every line once and in order, and one owner, whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from perdure.errors import RemoteError, Unavailable
from perdure.games.python.binding import DISABLED
from perdure.games.python.health import FAULTS_MAX
from perdure.host.gateways import OUTBOX_BYTES_MAX, TOO_SLOW
from perdure.ports import Aside
from tests.host.pair import AHEAD_S, HostInTest, Pair, Player, pair_of_hosts, raw_channel, until, until_asked

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


async def test_the_input_that_an_operator_lets_a_room_skip_is_skipped_at_its_new_host(pair: Pair) -> None:
    """(FM-78) What stopped a server must not stop the next one, only because the room moved before it came again."""
    dead = await pair.boot()
    await pair.move("idle1", to=dead)
    await dead.kill()
    session = pair.next_session
    pair.owners.put(Aside("idle1", "its input stopped the server", pair.owner("idle1").from_c, session, 1, 1))
    heir = pair.hosts[0]
    await heir.ask("recover", dead=[dead.incarnation])
    with pytest.raises(RemoteError, match="skip-input"):
        await heir.ask("room.resume", room="idle1")
    await heir.ask("room.resume", room="idle1", skip_input=True)
    await pair.move("idle1")
    ann = await pair.player("idle1")
    assert ann.session == session
    ann.type("say poison", "say food")
    await ann.sees("food")
    assert "poison" not in ann.read
    assert "poison" not in await ann.diary()
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
    assert time.time() + AHEAD_S / 2 < first_s < last_s < time.time() + 2 * AHEAD_S
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


async def test_a_command_that_was_disabled_stays_so_at_its_rooms_new_host(pair: Pair) -> None:
    """(FM-50) A move is no reason to let it fail three times more, and there it is told as at home."""
    ann = await pair.player("play2")
    ann.type(*["fail"] * FAULTS_MAX)
    disabled = 'The command "fail" failed. Nothing of it was kept, and the failure was reported. It is disabled now.'
    await ann.sees(disabled)
    await ann.settled()
    await pair.move("play2")
    read = len(ann.read)
    ann.type("fail")
    await ann.settled()
    await until(lambda: DISABLED in ann.read[read:], "it is disabled")
    (module,) = [each for each in (await pair.home("play2").ask("modules"))["modules"] if each["faults"]]
    assert (module["faults"], len(module["disabled"])) == (FAULTS_MAX, 1)
    await ann.leave()


async def test_a_slow_reader_is_not_forgiven_by_a_move(pair: Pair) -> None:
    """(FM-17) Text that was not read at the old host counts at the new one: the limit is one, not one for each."""
    ann, bob = await pair.player("play4", slow=True), await pair.player("play4")
    size = OUTBOX_BYTES_MAX // 5
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


async def test_a_reload_that_is_asked_for_while_rooms_are_about_to_move_is_refused_until_that_is_over(
    pair: Pair,
) -> None:
    """(FM-51) The copies would follow code that they have not got."""
    home, new = pair.home("play0"), pair.other("play0")
    await pair.prepare("play0", to=new)
    with pytest.raises(RemoteError, match="Rooms are on their way to another host"):
        await home.ask("reload", game="play")
    with pytest.raises(RemoteError, match="movement m is not over yet"):
        await home.ask("movement.open", id="another", rooms=["play0"])
    await pair.finish(home, new)
    assert (await home.ask("reload", game="play"))["aborted"] == ""
    assert await pair.runs("play0") == [home.name]


# -- who may have a room ---------------------------------------------------------------------------------


async def test_a_successor_that_no_gateway_hears_gets_no_room(pair: Pair) -> None:
    """(FM-9) It is alive and deaf: that is noticed before any room stops, and the players stay where they are."""
    ann = await pair.player("play0")
    home = pair.home("play0")
    pair.gateway.accept(False)
    try:
        deaf = await pair.boot()
        with pytest.raises(RemoteError, match="g does not answer the successor"):
            await pair.prepare("play0", to=deaf)
    finally:
        pair.gateway.accept(True)
    await home.ask("movement.close", id="m")
    ann.type("say still here")
    await ann.sees("still here")
    assert await pair.runs("play0") == [home.name]
    await pair.end(deaf)
    await ann.leave()


async def test_a_host_that_is_alive_is_not_recovered_and_one_that_died_is_when_asked_again(pair: Pair) -> None:
    """(FM-31) Whoever asks too early is told so, and is not left to believe that it was done."""
    extra = await pair.boot()
    assert (await pair.move("sure1", to=extra)).rooms == ["sure1"]
    serving = pair.hosts[0]
    with pytest.raises(RemoteError, match=f"{extra.incarnation} still holds its journal"):
        await serving.ask("recover", dead=[extra.incarnation])
    assert await pair.runs("sure1") == [extra.name]
    await extra.kill()
    assert (await serving.ask("recover", dead=[extra.incarnation]))["rooms"] == 1
    assert await pair.runs("sure1") == [serving.name]


async def test_orders_to_recover_that_come_at_once_leave_nothing_out(pair: Pair) -> None:
    """(FM-93) One of them reads the dead host's journal: the other must not go by what has been read so far."""
    dead = await pair.boot()
    await pair.move("play1", to=dead)
    ann = await pair.player("play1")
    ann.type(*["big 100"] * 2000, "say the last")
    await ann.sees("the last")
    await dead.kill()
    orders = [pair.hosts[0].ask("recover", dead=[dead.incarnation]) for _ in range(3)]
    assert sorted(said["rooms"] for said in await asyncio.gather(*orders)) == [0, 0, 1]
    assert (await ann.diary())[-1] == "the last"
    await ann.leave()


async def test_a_room_that_is_discarded_in_the_pause_of_its_move_begins_anew_once(pair: Pair) -> None:
    """(FM-94) The old host's own discard takes the owner row from under both: one branch, told once."""
    ann = await pair.player("play5")
    ann.type("say forget me")
    await ann.sees("forget me")
    old, new = pair.home("play5"), pair.other("play5")
    await pair.prepare("play5", to=new)
    before = pair.owner("play5")
    with new.frozen():
        moving = begun(pair, "play5", new)
        await until_stopped(pair, ann, "play5")
        discarded = await old.ask("room.discard", room="play5")
    moved = await moving
    await pair.finish(old, new)
    assert await pair.runs("play5") == [old.name]
    assert (discarded["branch"], pair.owner("play5").branch) == (before.branch + 1, before.branch + 1)
    assert moved.rooms == []
    ann.type("say anew")
    await ann.sees("anew")
    assert [session for session, _ in pair.gateway.notices] == [ann.session]
    pair.gateway.notices.clear()
    await ann.leave()


async def test_the_host_that_serves_may_decide_about_rooms_that_are_aside_since_an_earlier_one(
    anyio_backend: str,
) -> None:
    """(FM-78) The host before it lets go of the journals of the dead: they hold what such a room is made of."""
    async with pair_of_hosts({"play0": "play", "play1": "play", "play2": "play"}) as pair:
        dead, successor = pair.hosts
        ann, bob = await pair.player("play1"), await pair.player("play2")
        ann.type("say kept")
        bob.type("say gone")
        await ann.sees("kept")
        await bob.sees("gone")
        await dead.kill()
        for room in ("play1", "play2"):
            pair.owners.put(Aside(room, "somebody wants to look at it"))
        old = await pair.boot(serves=True)
        assert await pair.runs("play0") == [old.name]
        await pair.move("play0", to=successor, reload=True)
        await successor.ask("room.resume", room="play1")
        await ann.sees("P1 joins")
        assert "kept" in await ann.diary()
        await successor.ask("room.discard", room="play2")
        bob.type("say anew")
        await bob.sees("anew")
        assert "gone" not in await bob.diary()
        assert await pair.runs("play1") == await pair.runs("play2") == [successor.name]


async def test_no_thread_of_low_weight_works_for_a_host_that_has_rooms(pair: Pair) -> None:
    """It would hold the interpreter and wait for a processor, while players wait for both."""
    host = await pair.boot()
    low = {id: ran_ns for id, (_, nice, ran_ns) in host.threads().items() if nice > 0}
    assert low
    assert host.threads()[host.pid][1] == 0
    await pair.move("play4", to=host)
    ran = {id: host.threads()[id][2] for id in low}
    await pair.move("play5", to=host)
    await pair.move("sure0", to=host)
    threads = host.threads()
    assert {id: threads[id][2] for id in low} == ran
    assert {nice for id, (_, nice, _) in threads.items() if id not in low} == {0}
    await pair.move("play4", "play5", "sure0")
    await pair.end(host)


# -- nonsense --------------------------------------------------------------------------------------------

EVENTS: list[dict[str, Any]] = [
    {},
    {"kind": 7},
    {"kind": "from the future", "room": "play0"},
    {"kind": "mail"},
    {"kind": "mail", "letters": [{"x": 1}]},
    {"kind": "mail", "letters": [["play0", "play1", -1, "not base64!", 0]]},
    {"kind": "mailed", "letter": ["play0", "play1", "one"]},
    {"kind": "step", "room": ["play0"], "step": 3},
    {"kind": "came"},
    {"kind": "answered", "room": "play0", "answer": {"id": "x"}},
    {"kind": "answered", "room": "nowhere", "answer": None},
]
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("offer", {}),
    ("offer", {"room": "play0"}),
    ("offer", {"room": 1, "owner": [], "c": "x", "branch": None, "value": 0, "acknowledged": {}}),
    ("peek", {}),
    ("peek", {"rooms": 3}),
    ("peek", {"rooms": ["nowhere"]}),
    ("from-the-future", {}),
]
ORDERS: list[tuple[str, dict[str, Any]]] = [
    ("movement.open", {}),
    ("movement.open", {"id": "m", "rooms": "all"}),
    ("movement.open", {"id": "m", "rooms": ["nowhere"]}),
    ("movement.prepare", {}),
    ("movement.prepare", {"source": {"incarnation": "host-1-test"}, "rooms": []}),
    ("movement.prepare", {"source": {"incarnation": "../..", "position": [1, 0], "gateways": []}, "rooms": []}),
    ("movement.prepare", {"source": {"incarnation": "x", "position": [1], "gateways": []}, "rooms": [{}]}),
    ("movement.move", {"rooms": ["play0"]}),
    ("movement.move", {"to": "host-9-test", "rooms": ["nowhere"]}),
    ("movement.finish", {"reload": "yes"}),
    ("movement.finish", {"target": ["play"]}),
    ("movement.close", {}),
    ("movement.vetoes", {"rooms": [1]}),
    ("movement.measure", {"clear": 2}),
    ("movement.lock", {"features": "auctions"}),
    ("recover", {"dead": "host-1-test"}),
]


async def test_what_a_neighbour_says_wrongly_ends_its_channel_and_no_host(pair: Pair) -> None:
    """(FM-97) Events that are none, also of a later Perdure, and before anybody said hello."""
    host = pair.home("play0")
    for greets in (True, False):
        for event in EVENTS:
            channel, serving = await raw_channel(pair, host)
            if greets:
                await channel.request("hello", {"incarnation": "stranger", "control": [1, 9]})
            channel.notify({"kind": "came", "room": "play0"})
            channel.notify(event)
            channel.close()
            await serving
    assert (await host.ask("status"))["rooms"] > 0
    assert host.alive


async def test_what_a_neighbour_asks_wrongly_is_refused(pair: Pair) -> None:
    """(FM-97) Each gets an answer that says so, and the channel goes on."""
    host = pair.home("play0")
    channel, serving = await raw_channel(pair, host)
    await channel.request("hello", {"incarnation": "stranger", "control": [1, 9]})
    for method, params in REQUESTS:
        with pytest.raises(RemoteError) as refused:
            await channel.request(method, params)
        assert "internal error" not in str(refused.value)
    channel.close()
    await serving
    assert (await host.ask("status"))["rooms"] > 0


@pytest.mark.parametrize(
    "hello",
    [
        {"incarnation": "stranger", "control": [8, 9]},
        {"incarnation": "stranger"},
        {"incarnation": 3, "control": [1, 2]},
        {"incarnation": "stranger", "control": ["1", "2"]},
        {},
    ],
)
async def test_a_neighbour_that_cannot_be_spoken_to_is_told_and_may_ask_nothing(
    pair: Pair, hello: dict[str, Any]
) -> None:
    """(FM-97) Of a control version that this host does not speak, or of none."""
    host = pair.home("play0")
    channel, serving = await raw_channel(pair, host)
    with pytest.raises(RemoteError) as refused:
        await channel.request("hello", hello)
    assert "internal error" not in str(refused.value)
    with pytest.raises(RemoteError, match="no method 'peek'"):
        await channel.request("peek", {"rooms": ["play0"]})
    channel.close()
    await serving
    assert host.alive


async def test_orders_that_make_no_sense_are_refused_and_change_nothing(pair: Pair) -> None:
    """(FM-93) No movement is left open by one, and the next one that makes sense is done."""
    ann = await pair.player("play0")
    host = pair.home("play0")
    for method, params in ORDERS:
        with pytest.raises(RemoteError) as refused:
            await host.ask(method, **params)
        assert "internal error" not in str(refused.value), (method, params)
    ann.type("say unmoved")
    await ann.sees("unmoved")
    assert (await pair.move("play0")).rooms == ["play0"]
    await ann.leave()


# -- answers ---------------------------------------------------------------------------------------------


async def test_a_question_that_its_room_has_left_behind_is_answered_once_with_its_answer(pair: Pair) -> None:
    """(FM-28) The old host waits for it before it ends, and hands it on."""
    ann = await pair.player("play2")
    gate = pair.gate("left-behind")
    old, new = await pair.boot(), pair.other("play2")
    await pair.move("play2", to=old)
    await pair.prepare("play2", to=new)
    ann.type(f"fetch {gate}")
    await until(lambda: pair.asked(gate), "the function runs")
    assert (await pair.depart("play2", to=new)).kept == {}
    closing = asyncio.get_running_loop().create_task(old.ask("movement.close", id="m", gone=True))
    ann.type("say meanwhile")
    await ann.sees("meanwhile")
    assert not closing.done()
    gate.touch()
    await closing
    await pair.end(old)
    await ann.sees("left-behind fetched")
    assert [line for line in await ann.diary() if line.startswith("left-behind")] == ["left-behind fetched"]
    assert pair.asked(gate) == 1
    await ann.leave()


async def test_a_question_is_interrupted_when_the_host_that_it_was_left_with_dies(pair: Pair) -> None:
    """(FM-28) Nobody knows how far it got, and it is not asked twice."""
    ann = await pair.player("play2")
    gate = pair.gate("lost")
    old, new = await pair.boot(), pair.other("play2")
    await pair.move("play2", to=old)
    await pair.prepare("play2", to=new)
    ann.type(f"fetch {gate}")
    await until(lambda: pair.asked(gate), "the function runs")
    assert (await pair.depart("play2", to=new)).kept == {}
    await old.kill()
    await ann.sees("lost interrupted")
    assert pair.asked(gate) == 1
    await ann.leave()


async def test_a_question_is_interrupted_when_its_host_dies_while_the_room_is_being_committed(pair: Pair) -> None:
    """(FM-28) The room is taken to its end, but nobody is left who could answer it."""
    ann = await pair.player("play2")
    gate = pair.gate("late")
    old, new = await pair.boot(), pair.other("play2")
    await pair.move("play2", to=old)
    await pair.prepare("play2", to=new)
    ann.type(f"fetch {gate}")
    await until(lambda: pair.asked(gate), "the function runs")
    with pair.nothing_commits():
        moving = begun(pair, "play2", new)
        await until_stopped(pair, ann, "play2")
        await asyncio.sleep(0.05)  # the offer is with the new host by now; were it not, the room would be recovered
        await old.kill()
        with pytest.raises(Unavailable):
            await moving
    await until_asked(lambda: answers_for(pair, new, old), "the room is taken")
    await ann.sees("late interrupted")
    assert pair.asked(gate) == 1
    await ann.leave()


async def answers_for(pair: Pair, new: HostInTest, old: HostInTest) -> bool:
    """Whether the new host has the room, which it recovers if it never had its offer."""
    if pair.owner("play2").host == new.incarnation:
        return True
    await new.ask("recover", dead=[old.incarnation])
    return False


async def test_a_question_that_was_asked_after_the_move_is_nobody_elses(pair: Pair) -> None:
    """(FM-28) The end of the old host does not interrupt what it was never asked."""
    ann = await pair.player("play2")
    gate = pair.gate("here")
    old, new = await pair.boot(), pair.other("play2")
    await pair.move("play2", to=old)
    await pair.move("play2", to=new)
    ann.type(f"fetch {gate}")
    await until(lambda: pair.asked(gate), "the function runs")
    await pair.end(old)
    ann.type("say meanwhile")
    await ann.sees("meanwhile")
    gate.touch()
    await ann.sees("here fetched")
    assert [line for line in await ann.diary() if line.startswith("here")] == ["here fetched"]
    await ann.leave()


async def test_a_question_that_may_be_repeated_is_asked_again_at_the_new_host(pair: Pair) -> None:
    """(FM-28) And answered once, whoever is quicker."""
    ann = await pair.player("play2")
    gate = pair.gate("again")
    await pair.prepare("play2", to=pair.other("play2"))
    ann.type(f"refetch {gate}")
    await until(lambda: pair.asked(gate), "the function runs")
    old, new = pair.home("play2"), pair.other("play2")
    assert (await pair.depart("play2", to=new)).kept == {}
    await until(lambda: pair.asked(gate) == 2, "it is asked again")
    await pair.finish(old, new)
    gate.touch()
    await ann.sees("again fetched")
    assert [line for line in await ann.diary() if line.startswith("again")] == ["again fetched"]
    await ann.leave()


# -- whoever dies ----------------------------------------------------------------------------------------


async def check_all_there(pair: Pair, room: str, player: Player, lines: list[str]) -> None:
    """Exactly one host runs the room, it has every line once and in order, and it plays on."""
    player.type("say after")
    await player.sees("after")
    assert len(await pair.runs(room)) == 1
    assert [line for line in await player.diary() if line not in ("held",)][-len(lines) - 1 :] == [*lines, "after"]
    assert numbers(player.read) == list(map(int, lines))
    assert pair.gateway.notices == []
    await player.leave()


@pytest.mark.parametrize(
    ("step", "how"),
    [
        ("prepare", "kill"),
        *((step, how) for step in ("verify", "commit", "route", "release") for how in ("kill", "hang")),
    ],
)
async def test_a_successor_that_dies_or_hangs_at_any_step_costs_nothing(pair: Pair, step: str, how: str) -> None:
    """(FM-31, FM-93) Before the commit the old host goes on, after it one `recover` brings the room back."""
    ann = await pair.player("play4")
    lines = [str(number) for number in range(5)]
    ann.type(*(f"say {line}" for line in lines[:3]))
    old, successor = pair.home("play4"), await pair.boot(fault=f"copyover:{step}={how}")
    if step == "prepare":
        with pytest.raises(Unavailable):
            await pair.prepare("play4", to=successor)
    else:
        await pair.prepare("play4", to=successor)
        await pair.depart("play4", to=successor)
    ann.type(*(f"say {line}" for line in lines[3:]))
    await (successor.kill() if how == "hang" else successor.died())
    await old.ask("recover", dead=[successor.incarnation])
    await old.ask("movement.close", id="m")
    assert await pair.runs("play4") == [old.name]
    await check_all_there(pair, "play4", ann, lines)


async def test_a_successor_that_dies_between_rooms_leaves_each_room_with_one_owner(pair: Pair) -> None:
    """(FM-31) Those that had moved are recovered, the others never left."""
    rooms = ["play0", "play1", "play2"]
    for room in rooms:
        if pair.home(room) is not pair.hosts[0]:
            await pair.move(room, to=pair.hosts[0])
    players = [await pair.player(room) for room in rooms]
    successor = await pair.boot(fault="copyover:route=kill@2")
    await pair.prepare(*rooms, to=successor)
    moved = await pair.depart(*rooms, to=successor)
    assert sorted([*moved.rooms, *moved.kept]) == rooms
    await successor.died()
    for player in players:
        player.type("say 1", "say 2")
    await pair.hosts[0].ask("recover", dead=[successor.incarnation])
    await pair.hosts[0].ask("movement.close", id="m")
    for room, player in zip(rooms, players, strict=True):
        assert await pair.runs(room) == [pair.hosts[0].name]
        await check_all_there(pair, room, player, ["1", "2"])


@pytest.mark.parametrize("both", [False, True], ids=["alone", "both"])
@pytest.mark.parametrize("step", ["stop", "offer", "abort"])
async def test_an_old_host_that_dies_at_any_step_costs_nothing(pair: Pair, step: str, both: bool) -> None:
    """(FM-31, FM-93) Whoever is left, or is started, recovers the room, with what the old host had made durable."""
    ann = await pair.player("play3")
    lines = [str(number) for number in range(5)]
    ann.type(*(f"say {line}" for line in lines[:3]))
    old = await pair.boot(fault=f"copyover:{step}=kill")
    await pair.move("play3", to=old)
    successor = await pair.boot(fault="copyover:verify=hang" if step == "abort" else "")
    await pair.prepare("play3", to=successor)
    with pytest.raises(Unavailable):
        await pair.depart("play3", to=successor)
    ann.type(*(f"say {line}" for line in lines[3:]))
    await old.died()
    if both or step == "abort":
        await successor.kill()
    heir = pair.hosts[0] if both else pair.hosts[1] if step == "abort" else successor
    await heir.ask("recover", dead=[old.incarnation, *([] if successor.alive else [successor.incarnation])])
    assert await pair.runs("play3") == [heir.name]
    await check_all_there(pair, "play3", ann, lines)
