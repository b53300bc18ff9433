"""What is searched: small worlds, each with the troubles that could break one family of promises.

`SMALL` is for every run of the tests, `LARGE` for a soak. The numbers of states are those when they were chosen.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.sim.parts import Swap
from tests.sim.world import Player, Scenario

ONE_GATEWAY = (("g", 1),)
TWO_GATEWAYS = (("g", 1), ("h", 1))
GATEWAY_AGAIN = (("g", 1), ("g", 2))
ONE_HOST = (("A", 0), ("B", 0))
TWO_HOSTS = (("A", 0), ("B", 1))


def alone(*lines: str, room: str = "A") -> tuple[Player, ...]:
    """One player."""
    return (Player("g.1.1", 0, room, lines),)


def pair(first: tuple[str, ...], second: tuple[str, ...], gateways: tuple[tuple[str, int], ...]) -> tuple[Player, ...]:
    """Two players, each behind their own gateway, or both behind the only one."""
    if len(gateways) == 1:
        return Player("g.1.1", 0, "A", first), Player("g.1.2", 0, "A", second)
    (name, epoch), (other, other_epoch) = gateways
    return Player(f"{name}.{epoch}.1", 0, "A", first), Player(f"{other}.{other_epoch}.1", 1, "A", second)


SMALL: Mapping[str, Scenario] = {
    # a host dies, and the one that recovers its room dies as well: 34,000
    "crashes": Scenario(alone("a", "b"), hosts=3, crashes=2),
    # a room moves, while either side may die: 59,000; there and back: 87,000
    "move and crash": Scenario(alone("a"), hosts=3, moves=1, crashes=1),
    "moves and crash": Scenario(alone(), hosts=3, moves=2, crashes=1),
    "move and crashes": Scenario(alone(), hosts=4, moves=1, crashes=2),
    "moves": Scenario(alone("a"), hosts=2, moves=2),
    # its copy was made at any of its callbacks; or is not what it should be
    "move, ahead": Scenario(alone("a", "b"), hosts=2, moves=1, ahead=True),
    "move, flaw": Scenario(alone("a"), hosts=2, moves=1, flaws=1),
    # a player goes to another room and types ahead: 31,000
    "go and crash": Scenario(alone("a", "go B", "b"), rooms=ONE_HOST, hosts=2, crashes=1),
    # somebody else sends a player away, who has typed ahead
    "sent away": Scenario(pair(("a", "b"), ("send B",), ONE_GATEWAY), rooms=ONE_HOST, hosts=2),
    # a player goes while a room moves
    "go and move": Scenario(alone("go B"), rooms=ONE_HOST, hosts=2, moves=1),
    # two gateways hear the same
    "two gateways and crash": Scenario(pair((), (), TWO_GATEWAYS), TWO_GATEWAYS, hosts=2, crashes=1),
    # a gateway dies, and its next incarnation begins: 18,000 to 25,000
    "gateway again": Scenario(pair(("a", "b"), ("c",), GATEWAY_AGAIN), GATEWAY_AGAIN, hosts=2),
    "gateway again and crash": Scenario(pair(("a",), ("c",), GATEWAY_AGAIN), GATEWAY_AGAIN, hosts=2, crashes=1),
    "gateway again and go": Scenario(pair(("go B",), ("c",), GATEWAY_AGAIN), GATEWAY_AGAIN, TWO_HOSTS, hosts=2),
    "gateway again and break": Scenario(pair((), ("c",), GATEWAY_AGAIN), GATEWAY_AGAIN, breaks=1),
    "gateway again and move": Scenario(pair((), (), GATEWAY_AGAIN), GATEWAY_AGAIN, hosts=2, moves=1),
    # history is lost: 21,000 to 110,000
    "loss": Scenario(alone("a", "b"), hosts=2, losses=1),
    "losses": Scenario(alone(), hosts=3, losses=2),
    "go and loss": Scenario(alone("go B"), rooms=ONE_HOST, hosts=2, losses=1),
    "move and loss": Scenario(alone(), hosts=3, moves=1, losses=1),
    "two players and loss": Scenario(pair((), (), ONE_GATEWAY), hosts=2, losses=1),
    # a link breaks
    "break": Scenario(alone("a", "b"), breaks=1),
    "break and crash": Scenario(alone("a"), hosts=2, crashes=1, breaks=1),
    "break and move": Scenario(alone("a"), hosts=2, moves=1, breaks=1),
    "break and go": Scenario(alone("a", "go B", "b"), rooms=ONE_HOST, breaks=2),
    # bases are stored between the records; of both rooms of a player who goes and comes back: 86,000
    "base and crashes": Scenario(alone("a"), hosts=3, crashes=2, bases=1),
    "base, go, return and crash": Scenario(alone("go B", "go A"), rooms=ONE_HOST, hosts=2, crashes=1, bases=1),
    "base and loss": Scenario(alone("a"), hosts=2, losses=1, bases=1),
    # players read slowly
    "slow and crash": Scenario(alone("a"), hosts=2, crashes=1, slow=True),
    "slow, break and go": Scenario(alone("a", "go B"), rooms=ONE_HOST, breaks=1, slow=True),
    "slow and loss": Scenario(alone("a"), hosts=2, losses=1, slow=True),
    # sessions end
    "quit": Scenario(alone("quit"), hosts=2, moves=1, crashes=1),
    "quit and moves": Scenario(alone("quit"), hosts=2, moves=2),
    "end": Scenario(alone("a", "end", "b"), hosts=2, crashes=1),
    # the game fails, or refuses
    "fault": Scenario(alone("fault", "b"), hosts=2, crashes=1),
    "refused": Scenario(alone("a", room="closed"), rooms=(("A", 0), ("closed", 0)), hosts=2, crashes=1),
    # a room takes other code, and the host dies: 1,000 to 29,000
    "swap and crash": Scenario(alone("a", "b"), hosts=2, crashes=1, swaps=(Swap("2"),)),
    "swaps and crash": Scenario(alone("a"), hosts=2, crashes=1, swaps=(Swap("3"), Swap("1"))),
    "swaps and crashes": Scenario(alone(), hosts=3, crashes=2, swaps=(Swap("3"), Swap("2")), late=True),
    "swap, base and crashes": Scenario(alone(), hosts=3, crashes=2, bases=1, swaps=(Swap("2"),), late=True),
    "swap and loss": Scenario(alone("a"), hosts=2, losses=1, swaps=(Swap("2"),)),
    "swap and break": Scenario(alone("a"), breaks=1, swaps=(Swap("2"),)),
    "swap, go and crash": Scenario(alone("go B"), rooms=ONE_HOST, hosts=2, crashes=1, swaps=(Swap("3"),)),
    # the room moves as well: 27,000
    "swaps and move": Scenario(alone("a"), hosts=2, moves=1, swaps=(Swap("2"), Swap("1"))),
    # there and back, and rows of several versions: 34,000
    "swaps, two players": Scenario(pair(("a",), (), ONE_GATEWAY), swaps=(Swap("3"), Swap("2"), Swap("1"))),
    # a timer waits for code that has its handler: 25,000; or is dropped
    "swaps, timer and crash": Scenario(alone("ring"), hosts=2, crashes=1, swaps=(Swap("2"), Swap("1"))),
    "swap, timer dropped": Scenario(alone("ring"), hosts=2, crashes=1, swaps=(Swap("2", drop_orphans=True),)),
    # a field goes, with a word that it is meant
    "swap, field gone": Scenario(alone("a"), hosts=2, crashes=1, bases=1, swaps=(Swap("moodless", may_lose=True),)),
}

LARGE: Mapping[str, Scenario] = {
    "go, return and crash": Scenario(alone("go B", "go A", "a"), rooms=ONE_HOST, hosts=2, crashes=1),
    "two gateways, a line and crash": Scenario(pair(("a",), (), TWO_GATEWAYS), TWO_GATEWAYS, hosts=2, crashes=1),
    "line, quit": Scenario(alone("a", "quit"), hosts=2, moves=1, crashes=1),
    "swaps, two lines": Scenario(pair(("a",), ("b",), ONE_GATEWAY), swaps=(Swap("3"), Swap("2"), Swap("1"))),
    "moves, two lines": Scenario(alone("a", "b"), hosts=2, moves=2),
    "go and moves": Scenario(alone("go B"), rooms=ONE_HOST, hosts=2, moves=2),
    "gateway again and move, a line": Scenario(pair(("a",), ("c",), GATEWAY_AGAIN), GATEWAY_AGAIN, hosts=2, moves=1),
    "moves and flaw": Scenario(alone("a"), hosts=2, moves=2, flaws=1),
    "move, crash, two lines": Scenario(alone("a", "b"), hosts=3, moves=1, crashes=1),
    "moves and crash, a line": Scenario(alone("a"), hosts=3, moves=2, crashes=1),
    "go, move and crash": Scenario(alone("go B"), rooms=TWO_HOSTS, hosts=3, moves=1, crashes=1),
    "go and crashes": Scenario(alone("go B", "b"), rooms=TWO_HOSTS, hosts=4, crashes=2),
    "two gateways and move": Scenario(pair(("a",), (), TWO_GATEWAYS), TWO_GATEWAYS, hosts=2, moves=1),
    "sent away and crash": Scenario(pair(("a", "b"), ("send B",), ONE_GATEWAY), rooms=ONE_HOST, hosts=2, crashes=1),
    "losses, a line": Scenario(alone("a"), hosts=3, losses=2),
    "move and loss, a line": Scenario(alone("a"), hosts=3, moves=1, losses=1),
    "swaps and crashes, a line": Scenario(
        alone("a"), hosts=3, crashes=2, bases=1, swaps=(Swap("3"), Swap("2")), late=True
    ),
    "swaps, two players and crash": Scenario(
        pair(("a",), (), ONE_GATEWAY), hosts=2, crashes=1, swaps=(Swap("3"), Swap("1"))
    ),
    "swap, go, return and crash": Scenario(
        alone("go B", "go A"), rooms=ONE_HOST, hosts=2, crashes=1, swaps=(Swap("3"),)
    ),
    "swaps, timer and crashes": Scenario(alone("ring"), hosts=3, crashes=2, swaps=(Swap("2"), Swap("1")), late=True),
    "swap, move and crash": Scenario(alone("a"), hosts=3, moves=1, crashes=1, swaps=(Swap("2"),)),
}

ENDLESS: Mapping[str, Scenario] = {
    # too large to search: walked at random
    "everything": Scenario(
        (
            Player("g.1.1", 0, "A", ("a", "go B", "b", "go A", "c", "fault", "d")),
            Player("g.1.2", 0, "B", ("e", "send A", "f", "quit")),
            Player("h.1.1", 1, "A", ("h", "send B", "i", "go A", "j", "end")),
            Player("g.2.1", 2, "A", ("k", "go B", "l")),
        ),
        (("g", 1), ("h", 1), ("g", 2)),
        TWO_HOSTS, hosts=9, crashes=5, moves=5, breaks=3, bases=5, slow=True, ahead=True,
    ),
    "everything, and losses": Scenario(
        (
            Player("g.1.1", 0, "A", ("a", "go B", "b", "go A", "c")),
            Player("h.1.1", 1, "A", ("h", "send B", "i", "quit")),
            Player("g.2.1", 2, "B", ("k", "go A", "l")),
        ),
        (("g", 1), ("h", 1), ("g", 2)),
        TWO_HOSTS, hosts=8, crashes=2, moves=3, losses=4, breaks=2, bases=3, slow=True,
        swaps=(Swap("3"), Swap("1"), Swap("2")),
    ),
    "everything, and swaps": Scenario(
        (
            Player("g.1.1", 0, "A", ("a", "ring", "go B", "b", "go A", "ring", "fault", "d")),
            Player("h.1.1", 1, "A", ("h", "send B", "ring", "go A", "j", "quit")),
            Player("g.2.1", 2, "B", ("k", "go A", "ring", "l")),
        ),
        (("g", 1), ("h", 1), ("g", 2)),
        TWO_HOSTS, hosts=8, crashes=5, moves=3, breaks=1, bases=2, slow=True, late=True, ahead=True, flaws=1,
        swaps=(
            Swap("2"), Swap("3"), Swap("1"), Swap("moodless", may_lose=True), Swap("3"), Swap("2"), Swap("1"),
            Swap("2", drop_orphans=True), Swap("moodless", may_lose=True), Swap("1"),
        ),
    ),
}  # fmt: skip

ALL: Mapping[str, Scenario] = {**SMALL, **LARGE, **ENDLESS}
