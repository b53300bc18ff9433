"""What a movement cost the players, counted."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.watch import WAITS_MAX, Watch
from perdure.link.gateway import Presence
from perdure.room.record import Input, Join, Resize, Who

ANN, BOB = "g.1.1", "g.1.2"


class Watched:
    """Two sessions with their tails, and a clock that the test moves."""

    def __init__(self, *waiting: str) -> None:
        self.now_s = 100.0
        self.seats = {id: Presence("hall", 1, Join(Who(id, id)), tail=[]) for id in (ANN, BOB)}
        for id in waiting:
            self.seats[id].tail.append((1, Input("before")))
        self.watch = Watch(lambda: self.now_s, [ANN, BOB], self.seats)

    def submits(self, session: str, count: int = 1) -> None:
        for _ in range(count):
            self.seats[session].tail.append((1, Input("x")))
            self.watch.submitted(session)

    def acks(self, session: str, count: int = 1) -> None:
        del self.seats[session].tail[:count]
        self.watch.settled()

    def after(self, seconds: float) -> None:
        self.now_s += seconds

    def report(self, present: Iterable[str] = (ANN, BOB)) -> dict[str, object]:
        return self.watch.report(set(present))


def test_a_line_waits_from_its_submission_to_its_acknowledgement() -> None:
    """Each by itself, in order; the longest is told beside the percentiles."""
    watched = Watched()
    watched.submits(ANN)
    watched.after(0.25)
    watched.submits(ANN)
    watched.submits(BOB)
    watched.acks(BOB)
    watched.after(0.75)
    watched.acks(ANN, 2)
    assert watched.report() == {"kept": 2, "lost": 0, "longest_wait_ms": 1000.0, "waits": {"p50": 750.0, "p99": 1000.0}}


def test_lines_that_wait_at_either_end_count_for_as_long_as_was_watched() -> None:
    """What was typed before the watch began has waited at least since then; what still waits, at least until now."""
    watched = Watched(ANN)
    watched.after(2.0)
    watched.acks(ANN)
    watched.submits(BOB)
    watched.after(3.0)
    assert watched.report()["longest_wait_ms"] == 3000.0
    assert watched.report()["waits"] == {"p50": 3000.0, "p99": 3000.0}


def test_window_sizes_are_no_lines() -> None:
    """Nobody waits for the answer to a window that was drawn wider."""
    watched = Watched()
    watched.seats[ANN].tail.append((1, Resize(80, 24)))
    watched.submits(ANN)
    watched.after(1.0)
    watched.acks(ANN)
    assert watched.report()["longest_wait_ms"] == 1000.0


def test_lines_of_a_session_that_is_over_wait_no_longer() -> None:
    """They belong to nobody."""
    watched = Watched()
    watched.submits(ANN)
    del watched.seats[ANN]
    watched.after(9.0)
    assert watched.report([BOB]) == {"kept": 1, "lost": 0, "longest_wait_ms": 0.0, "waits": {"p50": 0.0, "p99": 0.0}}


def test_who_was_lost_is_not_kept_and_counts_once() -> None:
    """A connection that the gateway broke leaves its session behind; that is no player who stayed."""
    watched = Watched()
    watched.watch.lost(ANN)
    watched.watch.lost(ANN)
    assert watched.report()["kept"] == 1
    assert watched.report()["lost"] == 1


@given(st.lists(st.tuples(st.sampled_from([ANN, BOB]), st.sampled_from(["submit", "ack"]), st.integers(0, 5))))
def test_every_line_is_counted_once(happenings: list[tuple[str, str, int]]) -> None:
    """However acknowledgements are bundled, none waits longer than was watched."""
    watched = Watched()
    began_s, submitted = watched.now_s, 0
    for session, what, number in happenings:
        watched.after(0.1)
        if what == "submit":
            watched.submits(session, number)
            submitted += number
        else:
            watched.acks(session, number)
    report = watched.report()
    assert len(watched.watch._waits_s) == submitted <= WAITS_MAX
    assert report["longest_wait_ms"] <= round((watched.now_s - began_s) * 1e3, 3)  # type: ignore[operator]
