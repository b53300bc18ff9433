"""The session outlives its connections: nothing is lost, doubled or out of order, and the player is told."""

import itertools
import socket
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.server import Server, project
from tests.web.net import Net
from tests.web.page import Browser, Friend


class Restarted(Server):
    """A server that serves its page on the same port at each start."""

    def command(self) -> list[str]:
        at = super().command()
        at[at.index("--web") + 1] = "{}:{}".format(*self.web)
        return at

    @property
    def web(self) -> tuple[str, int]:
        """A port that was free at first."""
        if not hasattr(self, "_web"):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self._web: tuple[str, int] = free.getsockname()
        return self._web


def test_a_short_loss_of_network_costs_nothing(ada: Browser, net: Net, friend: Friend, name: str) -> None:
    """What others say meanwhile comes once, with its number; what was typed is sent once, in order."""
    bob = friend(f"{name}bob")
    ada.types("say before")
    ada.sees('You say, "before"')
    net.cut()
    expect(ada.page.locator("#trouble")).to_contain_text("You stay in the game")
    bob.types("say one", "say two", "say three")
    bob.sees('You say, "three"')
    ada.types("say four", "say five")
    expect(ada.page.locator(".typed.waiting")).to_have_count(2)
    net.heal()
    ada.sees('You say, "five"')
    ada.state("open")
    expect(ada.page.locator("#trouble")).to_be_hidden()
    expect(ada.page.locator(".typed.waiting")).to_have_count(0)
    said = [line for line in ada.lines if "say" in line or "away" in line]
    assert said[said.index('You say, "before"') + 1 :] == [
        "say four", "say five",
        "3 lines while you were away",
        f'{name}bob says, "one"', f'{name}bob says, "two"', f'{name}bob says, "three"',
        'You say, "four"', 'You say, "five"',
    ]  # fmt: skip
    bob.sees(f'{name} says, "five"')
    assert bob.text.count(f'{name} says, "four"') == bob.text.count(f'{name} says, "five"') == 1
    assert "3 lines while you were away." in ada.heard


def test_no_more_lines_wait_than_the_server_takes_at_once(ada: Browser, net: Net) -> None:
    """A hundred lines wait; what is beyond them stays in the field, and nothing is lost without a word."""
    net.cut()
    ada.state("waiting")
    ada.types(*[f"say {n}" for n in range(101)])
    assert ada.value == "say 100"
    net.heal()
    ada.sees('You say, "99"')
    assert [line for line in ada.lines if "You say" in line] == [f'You say, "{n}"' for n in range(100)]
    ada.presses("Enter")
    ada.sees('You say, "100"')


def test_a_network_that_falls_silent_is_noticed(tab: Callable[..., Browser], net: Net, name: str) -> None:
    """No packet says that the network is gone: a line without an answer does, and it is sent again (FM-92)."""
    ada = tab()
    ada.page.clock.install()
    ada.opens().logs_in(name)
    net.silence()
    ada.types("say hello")
    ada.page.clock.fast_forward(10_000)
    ada.state("waiting")
    net.heal()
    ada.sees('You say, "hello"')
    ada.state("open")
    assert ada.count('You say, "hello"') == 1


def test_a_quiet_network_is_asked(tab: Callable[..., Browser], net: Net, name: str) -> None:
    """When nobody says anything, the page asks: an answer keeps it open, and without one it connects anew (FM-92)."""
    ada = tab()
    ada.page.clock.install()
    ada.opens().logs_in(name)
    for _ in range(3):
        ada.page.clock.fast_forward(40_000)
        expect(ada.page.locator("#state-text")).to_have_text("Connected")
    net.silence()
    ada.page.clock.fast_forward(40_000)
    ada.page.clock.fast_forward(10_000)
    ada.state("waiting")
    net.heal()
    ada.state("open")


def test_a_reload_of_the_page_goes_on_with_the_session(ada: Browser) -> None:
    """The last lines come back and are not read out again; nobody logs in anew."""
    ada.types("say one", "say two")
    ada.sees('You say, "two"')
    before = ada.stored("sessionStorage")["perdure.session"]
    ada.page.reload()
    ada.sees('You say, "two"')
    expect(ada.page.locator("#place-name")).to_have_text("The Street")
    expect(ada.page.locator("#prompt")).to_have_text("20 hp> ")
    assert ada.count('You say, "one"') == ada.count('You say, "two"') == 1
    assert not [line for line in ada.heard if "one" in line or "away" in line]
    assert ada.stored("sessionStorage")["perdure.session"] != before
    ada.types("say three")
    ada.sees('You say, "three"')


SILENT_AT_LAST = """() => {
  const later = window.setTimeout;
  window.setTimeout = (does, ms, ...rest) => ms < 1000 ? 0 : later(does, ms, ...rest);  // the page goes before that
  addEventListener("beforeunload", () => { WebSocket.prototype.send = () => {}; });  // behind the page's own
}"""


def test_a_browser_that_sends_nothing_once_the_page_goes_reads_nothing_twice(ada: Browser) -> None:
    """Firefox is one: what was just shown is no news after a reload."""
    ada.page.evaluate(SILENT_AT_LAST)
    ada.types("say one")
    ada.sees('You say, "one"')
    ada.page.reload()
    ada.sees('You say, "one"')
    ada.state("open")
    expect(ada.page.locator("#prompt")).to_have_text("20 hp> ")
    assert not [line for line in ada.heard if "one" in line or "away" in line]


REPEATED = """() => {
  window.repeated = 0;
  window.due = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data, isTrusted }) => {
        if (!isTrusted || JSON.parse(data).serial === undefined) return;
        window.due += 1;
        setTimeout(() => {
          this.dispatchEvent(new MessageEvent("message", { data }));
          window.repeated += 1;
          window.due -= 1;
        });
      });
    }
  };
}"""
"""Whatever the server has numbered comes once more, some of it behind what followed."""


def test_what_comes_once_more_is_shown_once(tab: Callable[..., Browser], name: str) -> None:
    """A server that cannot know what was shown says it again: the page tells by the number, for eyes and ears."""
    ada = tab()
    ada.page.add_init_script(f"({REPEATED})()")
    ada.opens().logs_in(name)
    ada.types("say one", "say two")
    ada.sees('You say, "two"')
    ada.page.wait_for_function("() => window.repeated > 4 && window.due === 0")
    for said in ("Welcome to Test.", "The Street", 'You say, "one"', 'You say, "two"'):
        assert ada.count(said) == sum(said in line for line in ada.heard) == 1


def test_a_reload_shows_what_was_typed_where_it_was_typed(ada: Browser, net: Net) -> None:
    """Answers without their questions would be riddles; what still waits comes last."""
    ada.types("say one", "hp 5", "say two")
    ada.sees('You say, "two"')
    told = [line for line in ada.lines if "Welcome" not in line]
    shown = told[told.index("say one") :]
    ada.page.reload()
    ada.sees('You say, "two"')
    ada.state("open")
    assert ada.lines[-len(shown) :] == shown
    ada.types("quit")
    ada.state("stopped")
    assert "perdure.typed" not in ada.stored("sessionStorage")


def test_many_reloads_are_as_one(ada: Browser) -> None:
    """Each token serves once; the numbers of lines go on (FM-13)."""
    for round in range(5):
        ada.types(f"say round {round}")
        ada.sees(f'You say, "round {round}"')
        ada.page.reload()
        ada.sees(f'You say, "round {round}"')
    assert [line for line in ada.lines if "You say" in line] == [f'You say, "round {round}"' for round in range(5)]


def test_a_page_whose_session_is_played_elsewhere_stops(ada: Browser, name: str, tab: Callable[..., Browser]) -> None:
    """It says so, and does not fight for the session."""
    other = tab().opens().logs_in(name, create=False)
    expect(ada.page.locator("#trouble")).to_contain_text("another connection")
    ada.state("stopped")
    other.types("say here")
    other.sees('You say, "here"')
    assert "perdure.session" not in ada.stored("sessionStorage")
    ada.page.get_by_role("button", name="Play again").click()
    expect(ada.page.locator("#prompt")).to_contain_text("Name")
    expect(ada.page.locator("#input")).to_be_focused()  # and not nothing, with the button gone
    other.state("open")


def test_a_duplicated_tab_takes_the_session_over(ada: Browser) -> None:
    """Browsers copy sessionStorage with the tab: the copy plays on, and the first one stops without a fight (FM-13)."""
    kept = ada.stored("sessionStorage")["perdure.session"]
    copy = Browser(ada.page.context.new_page(), ada.address)
    copied = f"{{copied: 1, 'perdure.session': {kept!r}}}"
    copy.page.add_init_script(f"sessionStorage.copied ?? Object.assign(sessionStorage, {copied})")
    copy.page.goto(ada.page.url)
    expect(copy.page.locator("#place-name")).to_have_text("The Street")
    ada.state("stopped")
    copy.types("say I am the copy")
    copy.sees('You say, "I am the copy"')
    copy.page.reload()
    copy.state("open")
    assert copy.errors == []


def test_quitting_ends_it(ada: Browser) -> None:
    """After the goodbye, which is said once, nothing connects by itself, and the panes are empty."""
    ada.types("quit")
    ada.state("stopped")
    assert ada.count("Goodbye.") == 1
    expect(ada.page.locator("#trouble-text")).to_have_text("This visit is over.")
    expect(ada.page.locator("#panes")).to_be_hidden()
    assert "perdure.session" not in ada.stored("sessionStorage")


def test_a_page_waits_for_a_server_that_stopped(tmp_path: Path, tab: Callable[..., Browser], name: str) -> None:
    """It says so, playing or not, keeps no session that is over, and is back by itself on the same port."""
    game = Path(__file__).parent / "games" / "stage"
    server = Restarted(tmp_path, project(tmp_path / "p", {"stage": game}, {"stage": "stage"}, "stage"))
    try:
        server.start()
        ada, stranger = tab(server.web).opens().logs_in(name), tab(server.web).opens()
        assert server.stop() == 0
        for page in (ada, stranger):
            expect(page.page.locator("#trouble")).to_contain_text("The server is stopping.")
            expect(page.page.locator("#trouble")).to_contain_text("comes back by itself")
            page.state("waiting")
        assert "perdure.session" not in ada.stored("sessionStorage")
        expect(ada.page.locator("#panes")).to_be_hidden()
        server.start()
        for page in (ada, stranger):
            page.state("open")
            expect(page.page.locator("#trouble")).to_be_hidden()
            expect(page.page.locator("#prompt")).to_contain_text("Name")
            expect(page.page.locator(".notice")).to_have_count(1)  # a rule between the two visits
        ada.logs_in(name, create=False)
    finally:
        server.cleanup()


NOTE_TRIES = """() => {
  window.tries = [];
  window.failed = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      window.tries.push(performance.now() / 1000);
      this.addEventListener("close", () => (window.failed += 1));
    }
  };
}"""
"""When the page opens a socket, in seconds on its own clock; and how many of them are closed."""


def test_the_page_tries_often_at_first(tab: Callable[..., Browser], net: Net) -> None:
    """For a minute at least every four seconds, then less often (FM-92)."""
    page = tab()
    page.page.clock.install()
    page.opens()
    page.page.evaluate(NOTE_TRIES)
    page.page.clock.pause_at(page.page.evaluate("() => Date.now() + 1"))  # from here it goes by these steps alone
    net.cut()
    page.state("waiting")
    for _ in range(200):
        page.page.wait_for_function("() => window.failed === window.tries.length")  # that takes real time
        page.page.clock.run_for(500)
    tries = page.page.evaluate("() => window.tries")
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert max(pauses[: len(pauses) // 2]) < 4.5
    assert max(pauses) > 8
    net.heal()


def test_lines_for_a_session_that_is_over_are_named(
    ada: Browser, net: Net, stage: tuple[str, int], name: str, tab: Callable[..., Browser]
) -> None:
    """Who was away for too long is told which lines did not arrive, and that the visit is over."""
    net.cut()
    ada.state("waiting")
    ada.types("say lost")
    other = tab(stage).opens().logs_in(name, create=False)
    other.types("quit")
    other.state("stopped")
    net.heal()
    expect(ada.page.locator(".typed.unsent")).to_have_text(["say lost"])
    ada.sees("1 line was not sent.")
    expect(ada.page.locator("#prompt")).to_contain_text("Name")


def test_nothing_typed_before_the_login_is_sent_to_another_visit(tab: Callable[..., Browser], net: Net) -> None:
    """Half a login is no login: what cannot be sent stays in the field."""
    page = tab().opens()
    net.cut()
    page.state("waiting")
    page.types("Nobody")
    assert page.value == "Nobody"
    net.heal()
    page.state("open")
    assert page.value == "Nobody"
