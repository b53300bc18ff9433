"""Whole conversations between the present program and the one before, in every pairing.

A world of one program alone is the measure: with an older gateway, an older host, or an older successor in it,
players see the same, line by line, and rooms end with the same state.
"""

from __future__ import annotations

import hashlib
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.versions import LINK
from tests.versions.programs import ANN, BOB, NOW, V1, Side, World

SIDES = (NOW, V1)
PAIRINGS = [pairing for pairing in product(SIDES, repeat=3) if pairing != (NOW, NOW, NOW)]
"""(the gateway, the first host, the host that the rooms move to)."""
FROZEN = Path(__file__).parent.parent / "frozen" / "v1"
FROZEN_SHA256 = "2a7c7c3363375b0a25c62de395cc79af8d188aa4e6e9246be826981b77474f79"

Step = tuple[str, str, str]

VERBS = ("say", "say", "say", "go arena", "go hall", "ring", "ask", "mail arena", "mail hall", "forget", "fault", "end")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("types"), st.sampled_from((ANN, BOB)), st.sampled_from(VERBS)),
        st.tuples(
            st.sampled_from(("resizes", "turn", "rest", "move", "crash", "connect")),
            st.sampled_from((ANN, BOB)),
            st.just(""),
        ),
    ),
    max_size=30,
)
EVERYTHING: list[Step] = [
    *(("types", who, verb) for verb in VERBS[:-1] for who in (ANN, BOB)),
    ("rest", "", ""), ("resizes", ANN, ""), ("turn", "", ""), ("connect", "", ""), ("types", ANN, "say"),
    ("rest", "", ""), ("types", BOB, "say"), ("turn", "", ""), ("move", "", ""),
    *(("types", who, verb) for verb in VERBS[:-1] for who in (BOB, ANN)),
    ("rest", "", ""), ("types", ANN, "say"), ("turn", "", ""), ("crash", "", ""), ("types", BOB, "say"),
    ("turn", "", ""), ("turn", "", ""), ("move", "", ""), ("types", ANN, "end"),
]  # fmt: skip


def played(pairing: tuple[Side, ...], steps: list[Step]) -> World:
    """The conversation in one pairing, up to its end."""
    world = World(pairing[0], pairing[1:])
    for number, (what, who, verb) in enumerate(steps):
        match what:
            case "types":
                world.types(who, f"{verb}#{number}")
            case "resizes":
                world.resizes(who)
            case "turn":
                world.pump(1)
            case "rest":
                world.pump()
            case "connect":
                world.connect()
            case _:
                world.move(crash=what == "crash")
    world.settled()
    return world


@pytest.mark.parametrize("pairing", PAIRINGS, ids=lambda sides: "-".join(map(repr, sides)))
def test_a_conversation_is_the_same_in_every_pairing(pairing: tuple[Side, Side, Side]) -> None:
    """Join, every kind of input and output, acknowledgements, a lost link, two moves and a crash (FM-97, FM-21)."""
    measure, world = played((NOW, NOW, NOW), EVERYTHING), played(pairing, EVERYTHING)
    assert world.seen == measure.seen
    moved = [seen[1] for seen in world.seen if isinstance(seen, tuple) and len(seen) == 3 and seen[0] == "hall"]
    assert len(moved) == world.moves == 3
    assert 10 < moved[0] < moved[1] <= moved[2]
    texts = "".join(str(seen[3]) for seen in world.seen if isinstance(seen, tuple) and len(seen) == 4)
    assert all(kind in texts for kind in ("Join", "Resize", "TimerFired", "answer to", "mail 1 from", "fault#"))


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_any_conversation_is_the_same_in_every_pairing(steps: list[Step]) -> None:
    """Moves and crashes at any moment, with anything on the way (FM-97, FM-21)."""
    measure = played((NOW, NOW, NOW), steps)
    for pairing in PAIRINGS:
        assert played(pairing, steps).seen == measure.seen, pairing


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from(PAIRINGS))
def test_every_line_is_heard_once_and_in_order_in_every_pairing(
    steps: list[Step], pairing: tuple[Side, Side, Side]
) -> None:
    """The measure itself keeps the promise: what was typed before the session's end was heard (FM-97)."""
    world = played(pairing, steps)
    for who in (ANN, BOB):
        typed = world.typed[who]
        ends = [index for index, line in enumerate(typed) if line.startswith("end")]
        assert world.heard(who) == (typed[: ends[0] + 1] if ends else typed)


# --- the link -------------------------------------------------------------------------------------


def every_message(side: Side) -> list[Any]:
    """One message of each kind."""
    m, r = side.messages, side.record
    seat = ("hall", 3, ANN, 1)
    return [
        m.GatewayHello(1, 2, "g", 1), m.HostHello(1, 2, "host-1", *side.build),
        *(m.EventSent(*seat, n, body) for n, body in enumerate(
            (r.Join(r.Who("1", "Ann", "admin"), 132, 50), r.Input("say ✓"), r.Resize(80, 24), r.Leave("bye"))
        )),
        m.OutAck("hall", ANN, 1, 7), m.SeatGone("hall", ANN, 1), m.RoomUp("hall", 3, 1, {ANN: (1, 3)}),
        *(m.Out("hall", 3, [(ANN, 1, 8), (BOB, 4, 1)], body) for body in every_output(side)),
        m.Ack(*seat, 3),
    ]  # fmt: skip


def every_output(side: Side) -> list[Any]:
    """One output of each kind."""
    r = side.record
    return [r.Text("hi\n"), r.Go("arena", 3), r.Refused("full", 0), r.End("bye")]


@pytest.mark.parametrize(("writer", "reader"), [(NOW, V1), (V1, NOW)])
def test_every_message_is_read_as_it_was_meant(writer: Side, reader: Side) -> None:
    """A hello, an event or an output may be longer than the reader knows; nothing else differs (FM-97)."""
    data = writer.messages.encode_frames(every_message(writer))
    read = [as_values(message) for message in reader.messages.FrameReader().feed(data)]
    meant = [as_values(message) for message in every_message(writer)]
    for message, original in zip(read, meant, strict=True):
        both = message.keys() & original.keys()
        assert alike({key: message[key] for key in both}, {key: original[key] for key in both})
        assert message.keys() ^ original.keys() <= {"build"}


def as_values(message: Any) -> dict[str, Any]:
    """A message's fields, whichever program's class it is of."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.structs.asdict(message)))
    return found | {"kind": type(message).__name__}


def alike(one: Any, other: Any) -> bool:
    """Whether both say the same, but for trailing fields that one of them lacks and that say nothing in the other."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
        case list() | tuple(), list() | tuple():
            common = min(len(one), len(other))
            return all(map(alike, one[:common], other[:common])) and not any([*one[common:], *other[common:]])
        case _:
            return bool(one == other)


def test_a_prompt_and_a_gmcp_message_are_empty_texts_to_the_program_before() -> None:
    """They keep their numbers, so what is acknowledged is the same; nothing is shown for them (FM-97)."""
    m, r = NOW.messages, NOW.record
    sent = [r.Text("", "20 hp> "), r.Text("", None, ("Char.Vitals", b'{"hp":20}')), r.Text("You wait.\n")]
    data = m.encode_frames([m.Out("hall", 3, [(ANN, 1, at)], output) for at, output in enumerate(sent, 8)])
    read = list(V1.messages.FrameReader().feed(data))
    assert [message.body for message in read] == [V1.record.Text(""), V1.record.Text(""), V1.record.Text("You wait.\n")]
    assert [message.seats for message in read] == [[(ANN, 1, 8)], [(ANN, 1, 9)], [(ANN, 1, 10)]]


def test_who_listens_is_passed_over_by_the_program_before() -> None:
    """It shows everybody the same text, as it did (FM-97)."""
    m, r = NOW.messages, NOW.record
    who, seat = r.Who("1", "Ann"), ("hall", 3, ANN, 1)
    data = m.encode_frames(
        [m.EventSent(*seat, 0, r.Join(who, 132, 50, True)), m.EventSent(*seat, 1, r.Resize(9, 9, True, True))]
    )
    join, resize = (message.body for message in V1.messages.FrameReader().feed(data))
    assert (join.who.name, join.columns, join.rows) == ("Ann", 132, 50)
    assert resize == V1.record.Resize(9, 9)


@pytest.mark.parametrize("side", SIDES)
def test_a_host_that_speaks_only_future_versions_is_refused_and_never_half_accepted(side: Side) -> None:
    """Its rooms get no route, lines stay in their tails, and a host that fits serves all of it (FM-97, FM-31)."""
    world = World(side, (NOW, V1))
    world.types(ANN, "say#1")
    m, future = side.messages, side.messages.VERSION + 1
    routes, tails = dict(world.end.routes), [list(p.tail) for p in world.end.sessions.values()]
    with pytest.raises(side.errors.ProtocolError, match=f"{future} to {future + 1}"):
        world.end.receive("future", m.HostHello(future, future + 1, "host-9"))
    assert (world.end.routes, [list(p.tail) for p in world.end.sessions.values()]) == (routes, tails)
    assert world.out.get("future", []) == []
    world.settled()
    assert world.heard(ANN) == ["say#1"]


@pytest.mark.parametrize("side", SIDES)
def test_a_host_refuses_a_gateway_that_speaks_only_future_versions(side: Side) -> None:
    """Its rooms are not announced to it (FM-97)."""
    world = World(side, (side,))
    world.host.frames()
    m, future = side.messages, side.messages.VERSION + 1
    with pytest.raises(side.errors.ProtocolError, match=f"{future} to {future + 1}"):
        world.host.received(m.encode_frame([m.GatewayHello(future, future + 1, "g", 2)]))
    assert world.host.frames() == b""


def test_the_frozen_program_speaks_the_version_before_ours() -> None:
    """So these tests are about the pairings that are promised (FM-97)."""
    assert V1.messages.VERSION == LINK.lowest == LINK.highest - 1


# --- records and snapshots ------------------------------------------------------------------------


def every_record(side: Side) -> list[Any]:
    """A record for each cause, with something in every field."""
    r, body = side.record, side.body
    causes = [
        r.Started(), *(r.Event(ANN, 1, n, sent.body) for n, sent in enumerate(every_message(side)[2:6])), r.Wake(),
        r.TimerFired("t"), r.Answered(7, "ok", b"\xc3"), r.Mailed("arena", 4, b"\x01"), r.Gone(ANN, 1, "late"),
        r.Closed(), r.Reloaded("abc", {"talk.lines": body.TableSchema(2, {"said": "list[str]"})}),
    ]  # fmt: skip
    return [
        r.Record(
            "hall", 3, 1, c, 1_000 + c, cause, [("talk.lines", ("a", 1), b"\x01\x00\x80"), ("talk.lines", 2, None)],
            [([ANN, BOB], output) for output in every_output(side)],
            [("t", r.Timer(5, "bell", b"\x90", 9)), ("u", None)],
            [(7, r.Request("talk:think", b"\x90", "then", b"\x90", 5, True))],
            [("room:arena", b"\x01")], "RuntimeError: no" if c == 2 else "", bytes(16),
        )
        for c, cause in enumerate(causes)
    ]  # fmt: skip


@pytest.mark.parametrize(("writer", "reader"), [(NOW, V1), (V1, NOW)])
def test_every_record_is_read_as_it_was_meant(writer: Side, reader: Side) -> None:
    """And its digest is over its bytes as they are, so the chain of digests goes on over a move (FM-21)."""
    assert {type(r.cause) for r in every_record(writer)} == set(writer.record.Cause.__args__)
    for mine, theirs in zip(every_record(writer), every_record(reader), strict=True):
        data = writer.record.encode_record(mine)
        assert reader.record.decode_record(data) == theirs
        assert reader.record.digest(data) == writer.record.digest(data)


@pytest.mark.parametrize(("writer", "reader"), [(NOW, V1), (V1, NOW)])
def test_a_snapshot_says_the_same_to_the_other_program(writer: Side, reader: Side) -> None:
    """What one of them does not know, it passes over; what is missing has a default (FM-21)."""
    world = World(writer, (writer,))
    world.types(ANN, "say#1")
    world.settled()
    world.host.base(world.host.ends["hall"].room)
    opened = reader.seal.open_sealed(world.host.bases["hall"], reader.keys, body_bytes_max=1 << 20, room="hall")
    original = writer.seal.open_sealed(world.host.bases["hall"], writer.keys, body_bytes_max=1 << 20)
    assert opened.body == original.body
    theirs, ours = (msgspec.structs.asdict(it.header) for it in (opened, original))
    assert {key: theirs[key] for key in theirs.keys() & ours.keys()} == {
        key: ours[key] for key in theirs.keys() & ours.keys()
    }
    read, meant = reader.body.read_body(opened.body), writer.body.read_body(original.body)
    assert read.tables == meant.tables
    assert read.meta.seats.keys() == {ANN, BOB}
    assert alike(msgspec.to_builtins(read.meta), msgspec.to_builtins(meant.meta))


@pytest.mark.parametrize("side", SIDES)
def test_a_snapshot_of_a_future_format_is_refused_with_its_number(side: Side) -> None:
    """Sealed with our own key, and still not read (FM-21, FM-71)."""
    header = side.header.Header(format=9, game="talk", room="hall", epoch=1, c=0)
    with pytest.raises(side.errors.SnapshotRefused, match="format 9") as refused:
        side.seal.open_sealed(side.seal.seal(header, [], side.keys), side.keys, body_bytes_max=1 << 20)
    assert refused.value.reason == "format"


def test_a_refused_snapshot_names_the_program_that_wrote_it() -> None:
    """So that somebody can fetch that program (FM-21)."""
    header = NOW.header.Header(format=9, game="talk", room="hall", epoch=1, c=0, written_by="Perdure 7.0, build 12")
    with pytest.raises(NOW.errors.SnapshotRefused, match=r"written by Perdure 7\.0, build 12"):
        NOW.seal.open_sealed(NOW.seal.seal(header, [], NOW.keys), NOW.keys, body_bytes_max=1 << 20)


def test_what_is_written_is_what_the_program_before_reads() -> None:
    """Until a copyover has committed, the old program may be the one that goes on (FM-21, FM-31)."""
    assert NOW.header.BODY_FORMAT <= V1.header.BODY_FORMAT
    assert NOW.seal.CONTAINER_FORMAT == V1.seal.CONTAINER_FORMAT
    assert NOW.segments.SEGMENT_FORMAT <= V1.segments.SEGMENT_FORMAT


# --- the frozen copy ------------------------------------------------------------------------------


def test_the_frozen_program_is_what_it_was() -> None:
    """An edit to it would make these tests about nothing; and it has none of the present program in it."""
    together = hashlib.sha256()
    for path in sorted(FROZEN.rglob("*.py")):
        source = path.read_bytes()
        together.update(path.relative_to(FROZEN).as_posix().encode() + b"\0" + source + b"\0")
        assert b"import perdure" not in source
        assert b"from perdure" not in source
    assert together.hexdigest() == FROZEN_SHA256
