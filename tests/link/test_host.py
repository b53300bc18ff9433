"""The host's end of the link, rule by rule (H1 to H5)."""

from __future__ import annotations

import pytest

from perdure.link.host import HostEnd, gateway_of
from perdure.link.messages import Ack, EventSent, Message, Out, OutAck, RoomUp, SeatGone
from perdure.room.callback import Callback
from perdure.room.machine import Room
from perdure.room.record import Cause, End, Event, EventBody, Go, Gone, Input, Join, Leave, Mailed, Output, Text, Who
from perdure.room.seats import Stage
from perdure.room.tables import Table
from tests.room.rooms import SEED, Game, Thing

ANN, BOB = "g.1.1", "h.1.1"
JOIN = Join(Who("1", "Ann"))
HELLO = RoomUp("hall", 1, 0, {})


def echo(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
    """Everybody hears every line; ``go`` moves and ``end`` ends who says it."""
    if isinstance(cause, Event) and isinstance(cause.body, Input):
        callback.output(list(callback.seats), Text(cause.body.line))
        if cause.body.line == "go":
            callback.output([cause.session], Go("arena", -1))
        if cause.body.line == "end":
            callback.output([cause.session], End("enough"))


class Host(HostEnd):
    """A host's end whose causes run at once; their records become durable when the test says."""

    def __init__(self, *gateways: str, durable: bool = True) -> None:
        super().__init__(Room.new("hall", Game(echo), seed=SEED, clock_us=0), self._sends)
        self.said: list[tuple[object, Message]] = []
        self.pending = 0
        for gateway in gateways:
            self.run(self.gateway_up(gateway, 1, gateway.upper()))
        if durable:
            self.says()

    def _sends(self, link: object, message: Message) -> None:
        self.said.append((link, message))

    def run(self, causes: list[Cause]) -> list[Cause]:
        for cause in causes:
            ran = self.room.run(cause, 0)
            if ran.record is not None:
                self.ran(ran)
                self.pending += 1
        return causes

    def gets(self, n: int, body: EventBody, *, session: str = ANN, j: int = 1, link: str = "G", epoch: int = 1) -> int:
        """An event arrives; how many causes ran."""
        return len(self.run(self.event(link, EventSent("hall", epoch, session, j, n, body))))

    def says(self) -> list[tuple[object, Message]]:
        """All that waits becomes durable; what was sent since the last call."""
        while self.pending:
            self.pending -= 1
            self.durable()
        said, self.said = self.said, []
        return said

    def outbox(self, session: str = ANN) -> list[Output]:
        return [output for _, output in self.room.seats[session].outbox]


def joined(*, n: int = 0) -> Host:
    """Ann has joined, and said n lines."""
    host = Host("g")
    host.gets(0, JOIN)
    for number in range(1, n + 1):
        host.gets(number, Input(str(number)))
    host.says()
    return host


# --- H1 ---


def test_events_are_applied_in_order_and_once() -> None:
    """H1: n = applied + 1 runs; a gap is ignored, neither acknowledged nor applied."""
    host = joined(n=1)
    assert host.gets(3, Input("c")) == 0
    assert host.says() == []
    assert host.gets(2, Input("b")) == 1
    assert host.room.seats[ANN].applied == 2


def test_an_applied_event_is_acknowledged_again() -> None:
    """H1: with the latest number, so that the tail forgets all of it."""
    host = joined(n=2)
    assert host.gets(1, Input("1")) == 0
    assert host.says() == [("G", Ack("hall", 1, ANN, 1, 2))]
    assert host.gets(0, JOIN) == 0
    assert host.says() == [("G", Ack("hall", 1, ANN, 1, 2))]


def test_an_acknowledgement_given_again_waits_for_the_journal() -> None:
    """H1, from durable state: the event may be applied and not durable yet."""
    host = joined()
    host.gets(1, Input("a"))
    host.gets(1, Input("a"))
    assert host.said == []
    assert [message for _, message in host.says() if isinstance(message, Ack)] == [Ack("hall", 1, ANN, 1, 1)] * 2


def test_events_without_a_seat_are_ignored() -> None:
    """H1: only a join makes one."""
    host = Host("g")
    assert host.gets(1, Input("a")) == 0
    assert host.says() == []


def test_an_older_seat_is_replaced_and_ends_first() -> None:
    """H1: the player was elsewhere meanwhile; the game hears that the old seat is gone."""
    host = joined(n=1)
    assert host.gets(0, JOIN, j=3) == 2
    assert (host.room.seats[ANN].j, host.room.seats[ANN].applied) == (3, 0)
    assert host.gets(0, JOIN, j=2) == 0


def test_a_closed_older_seat_is_replaced_without_a_callback() -> None:
    """H1: it has ended already."""
    host = joined()
    host.gets(1, Input("go"))
    assert host.gets(0, JOIN, j=3) == 1


def test_an_event_of_an_earlier_ownership_is_ignored() -> None:
    """H1: it may have been applied elsewhere, in a seat that is forgotten now."""
    host = joined()
    host.room.epoch = 3
    assert host.gets(1, Input("a"), epoch=1) == 0
    assert host.says() == []
    assert host.gets(1, Input("a"), epoch=3) == 1


def test_an_event_from_a_link_that_is_not_the_gateways_is_ignored() -> None:
    """H1: what a dead gateway left in its link would make ghosts (FM-53)."""
    host = Host("g")
    host.run(host.gateway_up("g", 2, "G2"))
    assert host.gets(0, JOIN, link="G") == 0
    assert host.room.seats == {}


# --- H2 ---


def test_nothing_is_released_before_it_is_durable() -> None:
    """H2 and I3: outputs, then the acknowledgement, in the order of the records."""
    host = joined()
    host.gets(1, Input("a"))
    host.gets(2, Input("b"))
    assert host.said == []
    host.durable()
    first = [("G", Out("hall", 1, [(ANN, 1, 1)], Text("a"))), ("G", Ack("hall", 1, ANN, 1, 1))]
    assert host.said == first
    host.durable()
    host.pending = 0
    assert host.says() == [*first, ("G", Out("hall", 1, [(ANN, 1, 2)], Text("b"))), ("G", Ack("hall", 1, ANN, 1, 2))]


def test_a_room_is_quiescent_when_nothing_waits_for_the_journal() -> None:
    """Only then may it be captured (FM-18, FM-19)."""
    host = joined()
    host.gets(1, Input("a"))
    waiting = host.quiescent
    host.says()
    assert (waiting, host.quiescent) == (False, True)


def test_a_callback_without_an_event_acknowledges_nothing() -> None:
    """Mail, timers and wakes have no tail."""
    host = joined()
    host.run([Mailed("x", 1, b"")])
    assert host.says() == []


def test_an_announcement_waits_for_the_journal() -> None:
    """H2: it says what was applied, and that must be durable."""
    host = joined()
    host.gets(1, Input("a"))
    host.gateway_lost("G")
    host.run(host.gateway_up("g", 1, "G2"))
    assert host.said == []
    assert host.says() == [
        ("G2", RoomUp("hall", 1, 0, {ANN: (1, 1)})),
        ("G2", Out("hall", 1, [(ANN, 1, 1)], Text("a"))),
    ]


def test_an_announcement_to_a_link_that_is_gone_is_not_made() -> None:
    """The gateway said hello again, on another link, before the first answer was out."""
    host = joined()
    host.gets(1, Input("a"))
    for link in ("G2", "G3"):
        host.run(host.gateway_up("g", 1, link))
    assert {link for link, _ in host.says()} == {"G3"}


# --- H3, H4 ---


def test_outputs_stay_until_they_are_acknowledged() -> None:
    """H3."""
    host = joined(n=3)
    host.outack(OutAck("hall", ANN, 1, 2))
    assert host.outbox() == [Text("3")]
    host.outack(OutAck("hall", ANN, 2, 3))
    host.outack(OutAck("hall", "g.1.9", 1, 3))
    assert host.outbox() == [Text("3")]


def test_a_gateway_that_says_hello_gets_its_seats_and_their_outboxes() -> None:
    """H4: the room first, then every output again, in order; other gateways' seats are not its business."""
    host = Host("g", "h")
    host.gets(0, JOIN)
    host.gets(0, JOIN, session=BOB, link="H")
    host.gets(1, Input("a"))
    host.gets(2, Input("b"))
    host.says()
    host.gateway_lost("G")
    host.gets(1, Input("c"), session=BOB, link="H")
    assert {link for link, _ in host.says()} == {"H"}
    host.run(host.gateway_up("g", 1, "G2"))
    assert host.says() == [
        ("G2", RoomUp("hall", 1, 0, {ANN: (1, 2)})),
        *[("G2", Out("hall", 1, [(ANN, 1, m)], Text(text))) for m, text in ((1, "a"), (2, "b"), (3, "c"))],
    ]


def test_one_output_crosses_each_link_once() -> None:
    """Two gateways, each with its own seats."""
    host = Host("g", "h")
    host.gets(0, JOIN)
    host.gets(0, JOIN, session="g.1.2")
    host.gets(0, JOIN, session=BOB, link="H")
    host.says()
    host.gets(1, Input("a"))
    assert [pair for pair in host.says() if isinstance(pair[1], Out)] == [
        ("G", Out("hall", 1, [(ANN, 1, 1), ("g.1.2", 1, 1)], Text("a"))),
        ("H", Out("hall", 1, [(BOB, 1, 1)], Text("a"))),
    ]


# --- H5 and ends ---


def test_a_seat_that_moved_takes_no_events_and_goes_with_its_last_acknowledgement() -> None:
    """H5."""
    host = joined()
    host.gets(1, Input("go"))
    host.says()
    assert host.gets(2, Input("late")) == 0
    assert host.says() == []
    host.outack(OutAck("hall", ANN, 1, 1))
    assert host.room.seats[ANN].stage is Stage.MOVED
    host.outack(OutAck("hall", ANN, 1, 2))
    assert host.room.seats == {}


def test_a_seat_that_left_goes_when_the_gateway_forgets_it() -> None:
    """Its leave is acknowledged again until then."""
    host = joined()
    host.gets(1, Leave())
    host.says()
    assert host.gets(1, Leave()) == 0
    assert host.says() == [("G", Ack("hall", 1, ANN, 1, 1))]
    assert host.gone(SeatGone("hall", ANN, 1)) == []
    assert host.room.seats == {}


def test_an_open_seat_that_the_gateway_forgot_ends_with_a_callback() -> None:
    """The game must know; another seat's end is not this one's."""
    host = joined()
    assert host.gone(SeatGone("hall", ANN, 2)) == []
    assert host.gone(SeatGone("hall", "g.1.9", 1)) == []
    assert host.run(host.gone(SeatGone("hall", ANN, 1))) == [Gone(ANN, 1)]
    assert host.room.seats == {}


# --- gateways that die ---


def test_a_gateway_that_begins_anew_ends_its_earlier_seats() -> None:
    """Sessions end with their gateway; only its own."""
    host = Host("g", "h")
    host.gets(0, JOIN)
    host.gets(0, JOIN, session=BOB, link="H")
    host.says()
    assert host.run(host.gateway_up("g", 2, "G2")) == [Gone(ANN, 1)]
    assert host.says() == [("G2", HELLO)]
    assert list(host.room.seats) == [BOB]


def test_the_hello_of_an_earlier_incarnation_is_ignored() -> None:
    """It was left in a link that nobody is behind any more."""
    host = Host("g")
    host.run(host.gateway_up("g", 2, "G2"))
    host.says()
    assert host.gateway_up("g", 1, "G1") == []
    assert host.says() == []
    assert host.gets(0, JOIN, session="g.2.1", link="G2") == 1


def test_seats_wait_for_a_gateway_that_is_lost_and_end_when_it_is_dead() -> None:
    """The link may come back within the grace."""
    host = joined()
    host.gateway_lost("G")
    assert list(host.room.open) == [ANN]
    assert host.gateway_dead("h") == []
    assert host.run(host.gateway_dead("g")) == [Gone(ANN, 1)]


def test_the_end_of_a_seat_that_had_to_wait_is_due_once_and_for_that_seat_only() -> None:
    """While a room is paused its gateway may say twice that a seat is gone, and the player may come back (FM-88)."""
    host = joined()
    first, second = host.gone(SeatGone("hall", ANN, 1)), host.gone(SeatGone("hall", ANN, 1))
    assert host.still_due(first[0])
    host.run(first)
    assert not host.still_due(second[0])
    host.gets(0, JOIN, j=2)
    assert not host.still_due(second[0])
    host.gets(1, Input("go"), j=2)
    assert not host.still_due(Gone(ANN, 2))
    assert host.still_due(Mailed("x", 1, b""))


def test_a_session_names_its_gateway_and_epoch() -> None:
    """GATEWAY.EPOCH.NUMBER."""
    assert gateway_of("gateway.12.7") == ("gateway", 12)
    with pytest.raises(ValueError, match="unpack"):
        gateway_of("nonsense")
