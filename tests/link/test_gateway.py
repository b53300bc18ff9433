"""The gateway's end of the link, rule by rule (G1 to G6)."""

from __future__ import annotations

import pytest

from perdure.errors import ProtocolError
from perdure.link.gateway import HISTORY_LOST, TAIL_EVENTS_MAX, GatewayEnd
from perdure.link.messages import (
    Ack,
    EventSent,
    GatewayHello,
    HostHello,
    Message,
    Out,
    OutAck,
    RoomUp,
    SeatGone,
)
from perdure.room.record import End, EventBody, Go, Input, Join, Leave, Output, Refused, Resize, Text, Who

ANN = "g.1.1"
JOIN = Join(Who("1", "Ann"))


class Gateway(GatewayEnd):
    """A gateway's end that remembers what it did. `slow` = the client's socket takes nothing yet."""

    def __init__(self, *, slow: bool = False) -> None:
        self.slow = slow
        self.sent: list[tuple[object, Message]] = []
        self.lines: list[str] = []
        self.told: list[str] = []
        self.ended: list[tuple[str, str]] = []
        super().__init__(
            "g",
            1,
            fallback="hall",
            send=lambda link, message: self.sent.append((link, message)),
            show=self._shows,
            notify=lambda session, text: self.told.append(text),
            over=lambda session, reason: self.ended.append((session, reason)),
        )

    def _shows(self, session: str, j: int, m: int, text: Text) -> None:
        self.lines.append(text.text)
        if not self.slow:
            self.shown(session, j, m)

    def says(self) -> list[tuple[object, Message]]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        return sent

    def up(self, seats: dict[str, tuple[int, int]] | None = None, *, room: str = "hall", link: str = "A",
           epoch: int = 1, branch: int = 0) -> list[Message]:  # fmt: skip
        """A host announces a room; what the gateway answers."""
        self.sent.clear()
        self.receive(link, RoomUp(room, epoch, branch, seats or {}))
        return [message for _, message in self.says()]

    def out(self, m: int, body: Output, *, j: int = 1, room: str = "hall", epoch: int = 1) -> list[Message]:
        """An output arrives; what the gateway answers."""
        self.sent.clear()
        self.receive("A", Out(room, epoch, [(ANN, j, m)], body))
        return [message for _, message in self.says()]

    def ack(self, n: int, *, j: int = 1, room: str = "hall", epoch: int = 1) -> None:
        """Events are acknowledged."""
        self.receive("A", Ack(room, epoch, ANN, j, n))

    def tail(self) -> list[int]:
        """Numbers in Ann's tail."""
        return [n for n, _ in self.sessions[ANN].tail]


def entered(*, slow: bool = False, joined: bool = True) -> Gateway:
    """A gateway at which Ann has entered the hall; its host has acknowledged that."""
    gateway = Gateway(slow=slow)
    gateway.up()
    gateway.enter(ANN, "hall", JOIN)
    if joined:
        gateway.ack(0)
    gateway.says()
    return gateway


def event(n: int, body: EventBody, *, j: int = 1, room: str = "hall", epoch: int = 1) -> EventSent:
    """An event of Ann's."""
    return EventSent(room, epoch, ANN, j, n, body)


# --- G1, G2, G6: the tail ---


def test_events_are_numbered_kept_and_sent_to_the_route() -> None:
    """G1: what a player does is remembered before it is sent."""
    gateway = entered()
    gateway.submit(ANN, Input("a"))
    gateway.submit(ANN, Resize(100, 40))
    assert gateway.says() == [("A", event(1, Input("a"))), ("A", event(2, Resize(100, 40)))]
    assert gateway.tail() == [1, 2]


def test_events_wait_while_nobody_runs_the_room() -> None:
    """G6: there is no hold; the tail waits, and everything is sent when a host announces the room."""
    gateway = Gateway()
    gateway.enter(ANN, "hall", JOIN)
    gateway.submit(ANN, Input("a"))
    assert gateway.says() == []
    assert gateway.up(epoch=4) == [event(0, JOIN, epoch=4), event(1, Input("a"), epoch=4)]


def test_a_full_tail_says_so_until_an_acknowledgement() -> None:
    """G1: the client is not read meanwhile; nothing is dropped."""
    gateway = entered()
    for _ in range(TAIL_EVENTS_MAX):
        assert not gateway.full(ANN)
        gateway.submit(ANN, Input("a"))
    assert gateway.full(ANN)
    gateway.ack(1)
    assert not gateway.full(ANN)


def test_an_acknowledgement_drops_the_tail_up_to_it() -> None:
    """G2."""
    gateway = entered()
    for _ in range(3):
        gateway.submit(ANN, Input("a"))
    gateway.ack(2)
    assert gateway.tail() == [3]
    gateway.ack(1)
    assert gateway.tail() == [3]


def test_an_acknowledgement_of_another_seat_room_or_epoch_drops_nothing() -> None:
    """G2: only for the current seat, only from the owner."""
    gateway = entered()
    gateway.submit(ANN, Input("a"))
    gateway.ack(1, j=2)
    gateway.ack(1, room="arena")
    gateway.up({ANN: (1, 0)}, link="B", epoch=2)
    gateway.ack(1, epoch=1)
    gateway.receive("A", Ack("hall", 2, "g.1.9", 1, 1))
    assert gateway.tail() == [1]


# --- G3: outputs ---


def test_an_output_is_shown_once_in_order_and_acknowledged() -> None:
    """G3 and I4."""
    gateway = entered()
    assert gateway.out(1, Text("a")) == [OutAck("hall", ANN, 1, 1)]
    assert gateway.out(2, Text("b")) == [OutAck("hall", ANN, 1, 2)]
    assert gateway.out(1, Text("a")) == [OutAck("hall", ANN, 1, 2)]
    assert gateway.lines == ["a", "b"]


def test_an_output_is_acknowledged_when_it_has_left() -> None:
    """G3: what the socket has not taken stays in the room's outbox (FM-17)."""
    gateway = entered(slow=True)
    assert gateway.out(1, Text("a")) == []
    assert gateway.out(2, Text("b")) == []
    assert gateway.out(1, Text("a")) == []
    gateway.shown(ANN, 1, 2)
    gateway.shown(ANN, 1, 1)
    gateway.shown("g.1.9", 1, 1)
    assert gateway.says() == [("A", OutAck("hall", ANN, 1, 2))]
    assert gateway.out(2, Text("b")) == [OutAck("hall", ANN, 1, 2)]
    assert gateway.lines == ["a", "b"]


def test_a_gap_in_the_outputs_is_a_protocol_error() -> None:
    """G3: the host broke the protocol, and its link is to be closed."""
    gateway = entered()
    with pytest.raises(ProtocolError, match="output 2 of seat"):
        gateway.out(2, Text("b"))
    assert gateway.lines == []


def test_an_output_of_a_seat_that_is_not_current_is_acknowledged_and_not_shown() -> None:
    """G3: so the room's outbox drains."""
    gateway = entered()
    gateway.out(1, Go("arena", 0))
    assert gateway.out(2, Text("late")) == [OutAck("hall", ANN, 1, 2)]
    gateway.receive("A", Out("hall", 1, [("g.1.9", 1, 5)], Text("who?")))
    assert gateway.says() == [("A", OutAck("hall", "g.1.9", 1, 5))]
    assert gateway.lines == []


def test_an_output_of_an_owner_that_is_over_is_ignored() -> None:
    """G3: neither shown nor acknowledged; the new owner sends it again."""
    gateway = entered()
    gateway.up({ANN: (1, 0)}, link="B", epoch=2)
    assert gateway.out(1, Text("a"), epoch=1) == []
    assert gateway.lines == []


def test_an_output_that_was_never_announced_is_a_protocol_error() -> None:
    """G3: of an unknown room or a future epoch."""
    gateway = entered()
    for room, epoch in (("arena", 1), ("hall", 2)):
        with pytest.raises(ProtocolError, match="never announced"):
            gateway.out(1, Text("a"), room=room, epoch=epoch)


def test_one_message_reaches_many_seats() -> None:
    """A broadcast crosses the link once for each gateway."""
    gateway = entered()
    gateway.enter("g.1.2", "hall", JOIN)
    gateway.receive("A", Out("hall", 1, [(ANN, 1, 1), ("g.1.2", 1, 1)], Text("all")))
    assert gateway.lines == ["all", "all"]


# --- G4: announcements ---


def test_an_announcement_takes_the_route_and_gets_the_rest_of_the_tail() -> None:
    """G4: what was applied is dropped, the rest is sent again, to the new owner."""
    gateway = entered()
    for text in "abc":
        gateway.submit(ANN, Input(text))
    gateway.lost("A")
    assert gateway.up({ANN: (1, 2)}, link="B", epoch=2) == [event(3, Input("c"), epoch=2)]
    gateway.submit(ANN, Input("d"))
    assert gateway.says() == [("B", event(4, Input("d"), epoch=2))]


def test_an_announcement_of_an_earlier_epoch_is_ignored() -> None:
    """G4 and P6: a stale owner gets neither the route nor events."""
    gateway = entered()
    gateway.up({ANN: (1, 0)}, link="B", epoch=3)
    assert gateway.up({ANN: (1, 0)}, link="A", epoch=2) == []
    gateway.submit(ANN, Input("a"))
    assert gateway.says() == [("B", event(1, Input("a"), epoch=3))]


def test_a_lost_link_is_no_route_and_other_links_stay() -> None:
    """Nothing is sent into it; a later loss of an old link does not take the new route away."""
    gateway = entered()
    gateway.lost("A")
    gateway.submit(ANN, Input("a"))
    assert gateway.says() == []
    gateway.up({ANN: (1, 1)}, link="B", epoch=2)
    gateway.lost("A")
    gateway.submit(ANN, Input("b"))
    assert [link for link, _ in gateway.says()] == ["B"]


def test_a_join_that_was_not_acknowledged_is_sent_again() -> None:
    """G4: the room never had the seat."""
    gateway = entered(joined=False)
    gateway.submit(ANN, Input("a"))
    assert gateway.up(link="B", epoch=2) == [event(0, JOIN, epoch=2), event(1, Input("a"), epoch=2)]
    assert gateway.told == []


def test_seats_that_are_not_here_are_gone() -> None:
    """G4: sessions that ended, moved on, or are in a later seat elsewhere (FM-92)."""
    gateway = entered()
    gateway.out(1, Go("arena", 0))
    said = gateway.up({ANN: (1, 0), "g.1.9": (4, 2)}, link="B", epoch=2)
    assert said == [SeatGone("hall", ANN, 1), SeatGone("hall", "g.1.9", 4)]


@pytest.mark.parametrize("seats", [{}, {ANN: (1, 0)}, {ANN: (1, 1)}])
def test_lost_history_is_told_and_the_seat_begins_anew(seats: dict[str, tuple[int, int]]) -> None:
    """G4, a higher branch: the next j, join and rest of the tail from 0, outputs from 1 (FM-94)."""
    gateway = entered()
    gateway.submit(ANN, Input("a"))
    gateway.submit(ANN, Input("b"))
    gateway.ack(1)
    gateway.out(1, Text("x"))
    assert gateway.up(seats, link="B", epoch=2, branch=1)[:2] == [
        event(0, JOIN, j=2, epoch=2),
        event(1, Input("b"), j=2, epoch=2),
    ]
    assert gateway.told == [HISTORY_LOST]
    gateway.receive("B", Out("hall", 2, [(ANN, 2, 1)], Text("y")))
    assert gateway.lines == ["x", "y"]


def test_a_missing_seat_is_lost_history_on_any_branch() -> None:
    """G4: the room knew the player and does not any more."""
    gateway = entered()
    assert gateway.up(link="B", epoch=2) == [event(0, JOIN, j=2, epoch=2)]
    assert gateway.told == [HISTORY_LOST]


def test_a_seat_that_had_not_begun_loses_nothing_to_a_higher_branch() -> None:
    """G4: its join is sent again, or was applied; the player is told nothing."""
    for seats, first in (({}, 0), ({ANN: (1, 0)}, 1)):
        gateway = entered(joined=False)
        gateway.submit(ANN, Input("a"))
        said = gateway.up(seats, link="B", epoch=2, branch=1)
        assert [message.n for message in said if isinstance(message, EventSent)] == list(range(first, 2))
        assert (gateway.told, gateway.sessions[ANN].j) == ([], 1)


def test_a_shown_output_begins_a_seat() -> None:
    """G4: its number must not be taken for the lost one (FM-94)."""
    gateway = entered(joined=False)
    gateway.out(1, Text("x"))
    assert gateway.up(link="B", epoch=2, branch=1) == [event(0, JOIN, j=2, epoch=2)]


# --- G5: transfers, refusals, ends ---


def test_a_go_moves_what_was_typed_ahead() -> None:
    """G5: events beyond `through`, renumbered; earlier ones belong to the old room (FM-95)."""
    gateway = entered()
    gateway.up(room="arena", link="B", epoch=7)
    for text in "abc":
        gateway.submit(ANN, Input(text))
    gateway.says()
    gateway.receive("A", Out("hall", 1, [(ANN, 1, 1)], Go("arena", 1)))
    assert gateway.says() == [
        ("A", OutAck("hall", ANN, 1, 1)),
        *[
            ("B", event(n, body, j=2, room="arena", epoch=7))
            for n, body in ((0, JOIN), (1, Input("b")), (2, Input("c")))
        ],
    ]
    gateway.submit(ANN, Input("d"))
    assert gateway.tail() == [0, 1, 2, 3]


def test_a_go_into_a_room_that_is_down_waits_there() -> None:
    """G6: join and lines are sent when the target is announced."""
    gateway = entered()
    gateway.out(1, Go("arena", 0))
    gateway.submit(ANN, Input("a"))
    said = gateway.up(room="arena", link="B", epoch=7)
    assert [(m.j, m.n) for m in said if isinstance(m, EventSent)] == [(2, 0), (2, 1)]


def test_the_next_room_knows_the_latest_window_size() -> None:
    """A resize is an event, and part of every later join (FM-7)."""
    gateway = entered()
    gateway.submit(ANN, Resize(132, 50))
    gateway.ack(1)
    gateway.out(1, Go("hall", 1))
    assert gateway.sessions[ANN].tail == [(0, Join(JOIN.who, 132, 50))]


def test_a_refused_player_comes_to_the_fallback_room() -> None:
    """G5: with the reason, and with what was typed ahead."""
    gateway = Gateway()
    gateway.up(room="arena")
    gateway.enter(ANN, "arena", JOIN)
    gateway.submit(ANN, Input("a"))
    gateway.out(1, Refused("The arena is full.", 0), room="arena")
    assert gateway.told == ["The arena is full."]
    assert (gateway.sessions[ANN].room, gateway.tail()) == ("hall", [0, 1])


def test_a_player_whom_the_fallback_refuses_is_sent_away() -> None:
    """There is nowhere else to go."""
    gateway = entered()
    gateway.out(1, Refused("Closed.", 0))
    assert gateway.ended == [(ANN, "Closed.")]
    assert gateway.sessions == {}


def test_an_end_ends_the_session_with_its_reason() -> None:
    """The room hears that the seat is gone."""
    gateway = entered()
    assert gateway.out(1, End("enough")) == [OutAck("hall", ANN, 1, 1), SeatGone("hall", ANN, 1)]
    assert gateway.ended == [(ANN, "enough")]


def test_a_leave_is_an_event_and_the_session_is_over_when_it_is_known() -> None:
    """What was typed before it is applied first; leaving twice is leaving once."""
    gateway = entered()
    gateway.submit(ANN, Input("a"))
    gateway.leave(ANN, "quit")
    gateway.leave(ANN, "quit")
    assert gateway.sessions[ANN].tail == [(1, Input("a")), (2, Leave("quit"))]
    gateway.ack(1)
    assert gateway.ended == []
    gateway.says()
    gateway.ack(2)
    assert gateway.ended == [(ANN, "")]
    assert gateway.says() == [("A", SeatGone("hall", ANN, 1))]


def test_an_announcement_may_be_the_end_of_a_session_that_leaves() -> None:
    """The leave was applied, its acknowledgement was lost."""
    gateway = entered()
    gateway.leave(ANN, "quit")
    said = gateway.up({ANN: (1, 1)}, link="B", epoch=2)
    assert gateway.ended == [(ANN, "")]
    assert set(said) == {SeatGone("hall", ANN, 1)}


# --- hellos ---


def test_a_gateway_says_who_it_is_first() -> None:
    """Name and epoch; a higher epoch means that its earlier sessions are gone."""
    gateway = Gateway()
    gateway.connected("A")
    assert [(link, type(message)) for link, message in gateway.says()] == [("A", GatewayHello)]


def test_what_a_host_left_in_an_earlier_link_is_ignored() -> None:
    """It connected again before the end of the old link was read: that link's announcement takes no route (FM-92)."""
    gateway = entered()
    gateway.receive("A", HostHello(1, 1, "host-1"))
    gateway.receive("A2", HostHello(1, 1, "host-1"))
    gateway.submit(ANN, Input("a"))
    assert gateway.says() == []
    assert gateway.up({ANN: (1, 0)}, link="A2") == [event(1, Input("a"))]
    assert gateway.up({ANN: (1, 0)}, link="A") == []
    gateway.lost("A")
    gateway.submit(ANN, Input("b"))
    assert gateway.says() == [("A2", event(2, Input("b")))]


def test_a_room_has_the_build_of_the_host_that_runs_it() -> None:
    """It changes with the route, and nothing of a link that ended is kept."""
    gateway = entered()
    gateway.receive("A", HostHello(1, 2, "host-1", "1"))
    gateway.receive("B", HostHello(1, 2, "host-2", "2"))
    gateway.up()
    assert (gateway.build("hall"), gateway.build("nowhere")) == ("1", "")
    gateway.up(link="B", epoch=2)
    gateway.lost("A")
    assert gateway.build("hall") == "2"
    gateway.lost("B")
    assert gateway.build("hall") == ""


def test_a_host_of_the_version_before_has_no_build() -> None:
    """Its hello ends where it always did (FM-97)."""
    gateway = entered()
    gateway.receive("A", HostHello(1, 1, "host-1"))
    gateway.up()
    assert gateway.build("hall") == ""


def test_a_link_that_ended_may_be_followed_by_another_of_the_same_name() -> None:
    """Nothing is held against a link once its end was seen."""
    gateway = entered()
    for host in ("host-1", "host-1"):
        gateway.receive("A", HostHello(1, 1, host))
        assert gateway.up({ANN: (1, 0)}) == []
        gateway.lost("A")
    gateway.receive("B", HostHello(1, 1, "host-1"))
    gateway.up({ANN: (1, 0)}, link="B")
    gateway.submit(ANN, Input("a"))
    assert [link for link, _ in gateway.says()] == ["B"]


def test_a_host_of_another_version_or_with_a_gateways_message_is_refused() -> None:
    """Its link is closed (FM-97)."""
    gateway = Gateway()
    gateway.receive("A", HostHello(1, 9, "h"))
    with pytest.raises(ProtocolError, match="versions"):
        gateway.receive("A", HostHello(8, 9, "h"))
    with pytest.raises(ProtocolError, match="only gateways send"):
        gateway.receive("A", OutAck("hall", ANN, 1, 1))
