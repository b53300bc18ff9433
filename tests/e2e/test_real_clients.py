"""People's own clients, each through a login, a reload and a copyover; and a party of them that goes on for long.

One server plays a story with a client of every kind that this machine has; the tests look at what each of them saw.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import NamedTuple

import pytest
from playwright.sync_api import expect

from tests.e2e.checker import Report
from tests.e2e.clients import PASSWORD
from tests.e2e.plaza import Plaza, asks_me, plaza
from tests.e2e.real_clients import (
    KINDS,
    LISTENER,
    MudClient,
    PageClient,
    TerminalClient,
    inetutils,
)
from tests.e2e.server import wait_until
from tests.e2e.talk import talking
from tests.web.page import PHONE, Browser

SOAK_S = float(os.environ.get("PERDURE_SOAK_SECONDS", "120"))
SEED = int(os.environ.get("PERDURE_SEED", "1"))
MOVEMENTS = 20
"""Copyovers, and as many reloads."""
TYPED_ME = re.compile(r"(<[^>]*> )?me")
"""How a client shows what was typed behind the game's prompt."""
AnyClient = TerminalClient | MudClient | PageClient


# --- the story ----------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """A client as the game and the server know it.

    Attributes:
        mark: Number of the edit that told.
        told: By the game: the window, and whether the player listens.
        reported: By the server: the client's name and encoding, its window.
    """

    mark: int
    told: str
    reported: Mapping[str, object]

    def of_window(self, size: tuple[int, int]) -> "Seen":
        """The same in another window."""
        columns, rows = size
        told = re.sub(r"size=\d+x\d+", f"size={columns}x{rows}", self.told)
        return self._replace(told=told, reported={**self.reported, "columns": columns, "rows": rows})


class Chapters(NamedTuple):
    """What became of one client.

    Attributes:
        secret: Typed at both prompts for a new password.
        at_prompt, after_move: The text of the client when the copyover that met it there began, and was over.
        first, reloaded, moved: Seen before the reload, behind it, and behind a second copyover and a kill.
        closed: Whether it was disconnected at any time.
    """

    client: AnyClient
    secret: str
    at_prompt: str
    after_move: str
    first: Seen
    reloaded: Seen
    moved: Seen
    closed: bool


class Story(NamedTuple):
    """What a server has gone through with them.

    Attributes:
        statuses: The server's MSSP variables before, in the middle of, and behind a copyover.
        uptimes_s: As the server's MSSP has it, at the same three times.
        leaks: The files that had a secret when all were typed: a copyover drops what its hosts wrote.
    """

    place: Plaza
    of: Mapping[str, Chapters]
    statuses: Sequence[Mapping[str, str]]
    uptimes_s: Sequence[float]
    leaks: Sequence[Path]


def is_seen(place: Plaza, client: AnyClient) -> Seen:
    """As it is known now."""
    mark, told = asks_me(client)
    session = place.session(client)
    return Seen(mark, told, {key: session[key] for key in ("client", "encoding", "columns", "rows", "transport")})


def resizes(place: Plaza, client: AnyClient, size: tuple[int, int]) -> None:
    """Its window is another one, and the server knows."""

    def window() -> tuple[int, int]:
        session = place.session(client)
        return session["columns"], session["rows"]

    before = window()
    client.resize(*size)
    wait_until(lambda: window() != before, f"{client.name}'s other window")


def begins(client: AnyClient) -> None:
    """Make a character, up to the prompt for its password."""
    client.wait_for("Name:")
    client.send(client.name)
    client.wait_for("Make a new one of this name?")
    client.send("yes")
    client.wait_for("New password:")


def play_story(place: Plaza, clients: Mapping[str, AnyClient]) -> Story:
    """All of it."""
    mudlet = clients["mudlet"]
    assert isinstance(mudlet, MudClient)
    secrets = {label: f"Sesame-{label}-4711" for label in clients}
    for client in clients.values():
        begins(client)
    at_prompt = {label: client.text for label, client in clients.items()}
    place.copyover()
    after_move = {label: client.text for label, client in clients.items()}
    for label, client in clients.items():
        client._write(secrets[label])
        client.wait_for("The same again:")
        client._write(secrets[label])
        client.wait_for("Welcome to the plaza,")
        client.command("say in the open", "You say")
    assert place.server.files_with(b"in the open")
    leaks = [path for secret in secrets.values() for path in place.server.files_with(secret.encode())]
    first = {label: is_seen(place, client) for label, client in clients.items()}
    place.edit()
    reloaded = {label: is_seen(place, client) for label, client in clients.items()}
    statuses, uptimes_s = [], []

    def ask_status() -> None:
        statuses.append(mudlet.ask_status())
        uptimes_s.append(time.time() - float(statuses[-1]["UPTIME"]))

    ask_status()
    with place.moving():
        ask_status()
        for label, client in clients.items():
            resizes(place, client, KINDS[label].narrow)
            client.send(f"say on the way, naïve {label}")
    ask_status()
    place.kill_host()
    for label, client in clients.items():
        client.send(f"say behind a kill, naïve {label}")
    of = {}
    for label, client in clients.items():
        for other in clients.values():
            client.wait_for('You say, "behind' if other is client else f'{other.name} says, "behind')
        seen = is_seen(place, client)
        of[label] = Chapters(
            client, secrets[label], at_prompt[label], after_move[label], first[label], reloaded[label], seen,
            client.closed_s is not None,
        )  # fmt: skip
    return Story(place, of, statuses, uptimes_s, leaks)


def named(label: str) -> str:
    """A name for the player with this kind of client."""
    return "".join(filter(str.isalpha, label.title()))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, once; its server and clients go on to run."""
    folder = tmp_path_factory.mktemp("r")
    with plaza(folder) as place, ExitStack() as opened:
        clients: dict[str, AnyClient] = {}
        for label, kind in KINDS.items():
            if not kind.missing:
                clients[label] = kind.opens(named(label), place.server, folder / label)
                opened.callback(clients[label].close)
        yield play_story(place, clients)


@pytest.fixture(params=KINDS)
def chapters(story: Story, request: pytest.FixtureRequest) -> Chapters:
    """Of each kind of client that this machine has."""
    if KINDS[request.param].missing:
        pytest.skip(KINDS[request.param].missing)
    return story.of[request.param]


def test_a_copyover_while_a_password_is_asked_shows_nothing(chapters: Chapters) -> None:
    """The prompt stays, what is typed behind it stays unseen, and it is the password (FM-1, FM-5, FM-29, FM-96)."""
    assert chapters.after_move == chapters.at_prompt
    client = chapters.client
    assert chapters.secret not in client.text
    if isinstance(client, PageClient):
        kept = client.ask(lambda browser: str((browser.stored("sessionStorage"), browser.stored("localStorage"))))
        assert chapters.secret not in kept


def test_what_is_typed_is_shown_again_behind_a_password(chapters: Chapters) -> None:
    """The terminal's own echo, or the page's, or Mudlet's, is on (FM-5)."""
    client = chapters.client
    if isinstance(client, MudClient):
        assert client.echo
    else:
        assert any(TYPED_ME.fullmatch(line.text) for line in client.seen)


def test_a_reload_a_copyover_and_a_kill_cost_a_client_nothing(chapters: Chapters, story: Story) -> None:
    """It sees the new text; its connection stays; every line came once, in its client's encoding (FM-5, FM-46)."""
    assert not chapters.closed
    assert (chapters.first.mark, chapters.reloaded.mark, chapters.moved.mark) == (0, 1, 1)
    for where in ("on the way", "behind a kill"):
        said = [text for _, text in chapters.client.heard if text.startswith(where)]
        assert sorted(said) == sorted(f"{where}, naïve {label}" for label in story.of)


def test_a_client_stays_what_it_said_it_is(chapters: Chapters, request: pytest.FixtureRequest) -> None:
    """Window, encoding, name and a listening player, before and behind reload and copyover (FM-5, FM-7)."""
    label = request.node.callspec.params["chapters"]
    assert chapters.first[1:] == chapters.reloaded[1:]
    assert chapters.moved.reported["encoding"] == KINDS[label].encoding
    assert chapters.first.told.endswith(f"screenreader={KINDS[label].listens}")
    assert chapters.moved.told.endswith(f"screenreader={KINDS[label].listens}")
    size = "{columns}x{rows}".format(**chapters.moved.reported)
    assert chapters.moved.told.startswith(f"size={size} ")
    assert chapters.moved.told != chapters.first.told
    for key in ("client", "encoding", "transport"):
        assert chapters.moved.reported[key] == chapters.first.reported[key]
    if label != "chromium":
        assert chapters.first.told.startswith("size=100x30 ")
        assert size == "{}x{}".format(*KINDS[label].narrow)


@pytest.mark.skipif(bool(KINDS["tintin"].missing), reason=KINDS["tintin"].missing)
def test_tintin_tells_its_variables(story: Story) -> None:
    """By NEW-ENVIRON, as its version is in no terminal type; there its name is in capital letters."""
    assert re.match(r"TinTin\+\+ \d", str(story.of["tintin"].first.reported["client"]))


def test_listeners_are_shown_no_prompts(chapters: Chapters, request: pytest.FixtureRequest) -> None:
    """Before and behind every movement: what is not read out is not sent (FM-29)."""
    prompts = [line.text for line in chapters.client.seen if line.text.startswith("<")]
    assert bool(prompts) is not KINDS[request.node.callspec.params["chapters"]].listens


def test_prompts_end_with_a_go_ahead_behind_a_movement(story: Story) -> None:
    """A client that waits for it shows the prompt, in the login and in the game (FM-6)."""
    mudlet = story.of["mudlet"].client
    assert isinstance(mudlet, MudClient)
    mudlet.command("say again", 'You say, "again"')
    wait_until(lambda: mudlet.prompt == "<4> ", "the prompt behind it")


def test_packages_flow_behind_a_movement(story: Story) -> None:
    """What is as it was is not sent again; what changes is (FM-5, FM-88)."""
    mudlet = story.of["mudlet"].client
    assert isinstance(mudlet, MudClient)
    assert mudlet.messages[0][0] == "Char.Login.Default"
    assert [data for package, data in mudlet.messages if package == "Room.Info"] == [
        {"num": 1, "name": "The Plaza", "exits": {}}
    ]
    since = len(mudlet.messages)
    said = max(data["said"] for package, data in mudlet.messages if package == "Char.Vitals")
    mudlet.send("say for my vitals")
    mudlet.wait_gmcp("Char.Vitals", {"said": said + 1}, since)


def test_nothing_is_negotiated_anew(story: Story) -> None:
    """Beside what it asked itself and the echo at the password, Mudlet heard each offer once (FM-5, FM-29)."""
    mudlet = story.of["mudlet"].client
    assert isinstance(mudlet, MudClient)
    others = [said for said in mudlet.said if said[1] not in (1, 70)]
    assert len(others) == len(set(others))


def test_status_is_told_during_a_movement_and_uptime_goes_on(story: Story) -> None:
    """To lists of games it is one server, since it was started."""
    began = {status["UPTIME"] for status in story.statuses}
    assert len(began) == 1
    assert {status["PLAYERS"] for status in story.statuses} == {str(len(story.of))}
    assert story.uptimes_s == sorted(story.uptimes_s)


def test_mudlet_logs_in_by_itself(story: Story) -> None:
    """Name and password by its timer, before anything is asked; or as one message of GMCP."""
    chapters, server = story.of["mudlet"], story.place.server
    name = chapters.client.name
    typed = MudClient(name, server, first=f"{name}\r\n{chapters.secret}\r\n")
    try:
        typed.wait_for(f"Welcome back, {name}.")
        typed.command("say by timer", 'You say, "by timer"')
        chapters.client.wait_closed()
        told = MudClient(name, server)
        try:
            told.wait_gmcp("Char.Login.Default", {"type": ["password-credentials"]})
            told.gmcp("Char.Login.Credentials", {"account": name, "password": chapters.secret})
            told.wait_for(f"Welcome back, {name}.")
            told.wait_gmcp("Char.Login.Result", {"success": True})
            told.command("say by message", 'You say, "by message"')
            told.wait_gmcp("Room.Info", {"num": 1, "name": "The Plaza", "exits": {}})
        finally:
            told.close()
    finally:
        typed.close()


@pytest.mark.skipif(bool(KINDS["inetutils"].missing), reason=KINDS["inetutils"].missing)
def test_a_terminal_that_writes_latin_1_is_read_and_written_so(story: Story, tmp_path: Path) -> None:
    """From its first such line on, and behind a movement; the others see the same letters (FM-5, FM-80)."""
    place, other = story.place, story.of["listener"].client
    old = inetutils("Jürgen", place.server, tmp_path, "latin-1")
    try:
        old.wait_for("Name:")
        old.send(f"create Jürgen {PASSWORD}")
        old.wait_for("Welcome to the plaza, Jürgen.")
        place.copyover()
        old.command("say Größe", 'You say, "Größe"')
        other.wait_for('Jürgen says, "Größe"')
        other.send("say Äpfel")
        old.wait_for('says, "Äpfel"')
        assert place.session(old)["encoding"] == "latin-1"
        old.send("quit")
        old.wait_closed()
    finally:
        old.close()
    again = inetutils("Jürgen", place.server, tmp_path, "latin-1")
    try:
        again.wait_for("Name:")
        again.send("Jürgen")
        again.wait_for("Password:")
        again.send(PASSWORD)
        again.wait_for("Welcome to the plaza, Jürgen.")
        assert PASSWORD not in again.text
    finally:
        again.close()


def test_what_was_typed_unseen_is_in_no_file_of_the_server(story: Story) -> None:
    """By terminals, the page and Mudlet's message: not in journal, bases, logs, events or databases (FM-96)."""
    server = story.place.server
    assert story.leaks == []
    events = server.cli("events", "-n", "1000", "--json").out
    for chapters in story.of.values():
        assert server.files_with(chapters.secret.encode()) == []
        assert chapters.secret not in events


# --- a party ------------------------------------------------------------------------------------------


class Party(NamedTuple):
    """What four players went through together.

    Attributes:
        pauses_ms: Of the plaza, in each copyover.
        talk: What the checker says of all lines.
    """

    pauses_ms: Sequence[float]
    reloads: int
    talk: Report

    def __str__(self) -> str:
        return (
            f"{len(self.pauses_ms)} copyovers and {self.reloads} reloads under a Mudlet, a TinTin++, a listener and a "
            f"phone; longest pause {max(self.pauses_ms):.1f} ms; {self.talk}"
        )


def celebrate(folder: Path, count: int, until_s: float, seed: int, *, pause_s: float) -> Party:
    """Players with clients of four kinds talk through so many copyovers and reloads, or as many as time allows."""
    random, began_s = Random(seed), time.monotonic()
    pauses_ms: list[float] = []
    with plaza(folder) as place, ExitStack() as opened:

        def comes(client: AnyClient) -> AnyClient:
            opened.callback(client.close)
            return client

        phone = PageClient("Phone", place.server, **PHONE)
        guests = [
            comes(MudClient("Mudlet", place.server)),
            comes(KINDS["tintin"].opens("Tintin", place.server, folder / "tintin")),
            comes(MudClient("Listener", place.server, LISTENER, columns=72)),
            comes(phone),
        ]
        for guest in guests:
            guest.wait_for("Name:")
            guest.log_in()
            guest.wait_for("Welcome to the plaza,")
        before = {guest.name: is_seen(place, guest) for guest in guests}
        with talking(guests, pause_s=pause_s, seed=seed, behind_max=20) as talk:
            while len(pauses_ms) < count and time.monotonic() - began_s < until_s:
                newcomer = begun(comes, place, len(pauses_ms))
                for movement in random.sample(("copyover", "reload"), 2):
                    if movement == "copyover":
                        pauses_ms.append(place.copyover()["pause_ms"]["max"])
                    else:
                        place.edit()
                    talk.go_on(rounds=1)
                enters(newcomer)
            talk.go_on(rounds=2)
        report = talk.report()
        assert report.complaints == []
        before["Phone"] = before["Phone"].of_window(phone.window)  # panes came, and left fewer rows to the text
        for guest in guests:
            assert is_seen(place, guest) == before[guest.name]._replace(mark=place.mark), guest.name
        assert (phone.loads, phone.connections) == (1, 1)
        phone.ask(undisturbed)
        assert place.server.stop() == 0
        return Party(pauses_ms, place.mark, report)


def undisturbed(browser: Browser) -> None:
    """Nothing on the page asks for a click, and whoever types goes on to type."""
    browser.state("open")
    expect(browser.page.locator("#trouble")).to_be_hidden()
    assert browser.focus == "input"


def begun(comes: Callable[[AnyClient], AnyClient], place: Plaza, number: int) -> MudClient:
    """Somebody whose new password is asked for."""
    newcomer = MudClient("New" + ascii_lowercase[number % 26] * (1 + number // 26), place.server)
    comes(newcomer)
    begins(newcomer)
    return newcomer


def enters(newcomer: MudClient) -> None:
    """They type it, unseen; and go, so that nobody more listens."""
    assert not newcomer.echo
    newcomer._write(PASSWORD)
    newcomer.wait_for("The same again: ")
    newcomer._write(PASSWORD)
    newcomer.wait_for("Welcome to the plaza,")
    wait_until(lambda: newcomer.echo, "the echo")
    newcomer.send("quit")
    newcomer.wait_closed()
    newcomer.close()


COMPANY = pytest.mark.skipif(
    bool(KINDS["tintin"].missing or KINDS["chromium"].missing),
    reason=KINDS["tintin"].missing or KINDS["chromium"].missing,
)


@COMPANY
def test_a_party_of_all_kinds_goes_on_through_copyovers_and_reloads(tmp_path: Path) -> None:
    """No line lost, doubled or out of order for any of them, modes kept, no click on the page (FM-5, FM-6, FM-30)."""
    print(celebrate(tmp_path, 2, 600.0, SEED, pause_s=0.1))  # noqa: T201  (shown when it fails)


@pytest.mark.soak
@COMPANY
def test_a_party_goes_on_through_twenty_copyovers_and_twenty_reloads(tmp_path: Path) -> None:
    """The first, the second and the twentieth alike; or as many as PERDURE_SOAK_SECONDS allow (FM-12, FM-30)."""
    print("\n" + str(celebrate(tmp_path, MOVEMENTS, SOAK_S, SEED, pause_s=0.2)))  # noqa: T201  (the soak's figures)
