"""An account that is disabled: what its player does ends, wherever they are."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from perdure.errors import ContractError
from perdure.gateway import reception
from perdure.gateway.players import DISABLED
from perdure.link.messages import EventSent
from perdure.ports import AccountRow
from perdure.room.record import Leave
from tests.gateway.web.world import Web
from tests.gateway.world import PATIENCE_S, Host, MemoryAccounts, World, quick_hash, running

WILL_TTYPE = b"\xff\xfb\x18"


class SlowlyRead(MemoryAccounts):
    """Accounts of which a row takes its time once it is read: it is given out at each `give`, and `read` says so."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.give = threading.Semaphore(0), threading.Semaphore(0)

    def find(self, name: str) -> AccountRow | None:
        row = super().find(name)
        self.read.release()
        assert self.give.acquire(timeout=PATIENCE_S)
        return row


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as it:
        yield it


def disables(world: World, name: str = "Ada") -> int:
    """Disable the account as the command does; how many sessions ended."""
    ended: int = world.asks("sessions.end", account=world.accounts.set_disabled(name, True).id)["ended"]
    return ended


def leaves(host: Host) -> None:
    host.acks(host.expect(EventSent, body=Leave("disabled")))


def test_who_plays_is_told_and_leaves_and_nobody_else_does(world: World) -> None:
    """The last line says why; the room hears it like any other departure."""
    host = world.host()
    ada, _ = world.enters(host, "Ada")
    bob, joined = world.enters(host, "Bob")
    assert disables(world) == 1
    leaves(host)
    assert ada.is_closed().endswith(DISABLED.replace("\n", "\r\n"))
    host.tells(joined, 1, "Ada leaves.\n")
    bob.sees("Ada leaves.")
    assert world.stages() == ["playing"]
    again = world.player()
    again.types("connect Ada secret1")
    again.sees("Ada may not log in at present.")


def test_who_is_away_does_not_come_back(world: World) -> None:
    """A session waits for its player, and would go on with whoever logs in (FM-14)."""
    host = world.host()
    ada, _ = world.enters(host)
    ada.drops()
    world.wait_until(lambda: world.stages() == ["link-dead"], "Ada is away")
    assert disables(world) == 1
    leaves(host)
    world.wait_until(lambda: world.stages() == [], "the session is over")


def test_a_page_is_told_and_stays_away(world: World) -> None:
    """It would come back by its token, without a password (FM-14)."""
    web = Web(world)
    page, _ = web.plays()
    assert disables(world) == 1
    leaves(web.host)
    page.sees(DISABLED)
    assert page.is_closed() == 4001
    assert page.bye == DISABLED.strip()
    web.finish()


def test_who_is_just_being_let_in_is_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their password was right, and the game waits for their client to say what it is."""
    monkeypatch.setattr(reception, "SETTLE_S", 3600.0)
    world.account("Ada")
    player = world.player()
    player.sends(WILL_TTYPE + b"connect Ada secret1\r\n")
    world.wait_until(
        lambda: any(session.entering for session in world.gateway.sessions.values()), "the password was right"
    )
    assert disables(world) == 1
    assert DISABLED.strip() in player.is_closed()
    assert world.stages() == []


def test_who_is_let_in_at_that_moment_does_not_stay(tmp_path: Path) -> None:
    """Their account was looked at before it was disabled, and the gateway hears of that before it has the answer."""
    accounts = SlowlyRead()
    with running(tmp_path, accounts=accounts) as world:
        host = world.host()
        ada = accounts.create("Ada", quick_hash("secret1"), "player")
        player = world.player()
        player.types("connect Ada secret1")
        assert accounts.read.acquire(timeout=PATIENCE_S)
        accounts.give.release()
        assert accounts.read.acquire(timeout=PATIENCE_S)  # as it is once the password was right
        accounts.rows["ada"] = msgspec.structs.replace(ada, disabled=True)
        ended = world.later("sessions.end", account=ada.id)
        assert world.asks("status")["sessions"] == 0
        accounts.give.release()
        assert ended.result(PATIENCE_S) == {"ended": 1}
        host.joined()
        leaves(host)
        assert DISABLED.strip() in player.is_closed()


def test_who_waits_for_the_end_of_their_last_visit_is_not_let_in(world: World) -> None:
    """The visit that is ending goes on doing so, and is not counted."""
    host = world.host()
    ada, _ = world.enters(host)
    ada.types("quit")
    left = host.expect(EventSent, body=Leave("quit"))
    again = world.player()
    again.types("connect Ada secret1")
    again.sees("Your last visit is just ending.")
    assert disables(world) == 1
    assert DISABLED.strip() in again.is_closed()
    host.acks(left)
    ada.is_closed()
    assert world.stages() == []


def test_nobody_ends_where_nobody_plays(world: World) -> None:
    """Somebody at the login has no account yet; what is no account's id is refused."""
    world.account("Ada")
    world.player()
    assert disables(world) == 0
    assert world.stages() == ["greeting"]
    with pytest.raises(ContractError, match="id of an account"):
        world.asks("sessions.end", account="")
