"""Sessions that go on with another connection: what it is told, what it has had, and what holds from there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.gateway.look import Settings
from perdure.gateway.settings import kept
from perdure.link.messages import EventSent, OutAck
from perdure.room.record import End, Go, Input, Leave, Resize, Text
from tests.gateway.web.client import WebClient
from tests.gateway.web.world import Web
from tests.gateway.world import Player, running

NAWS_80X25 = b"\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x19\xff\xf0"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with running(tmp_path) as world:
        web = Web(world)
        yield web
        web.finish()


def goes_on(web: Web, name: str = "Ada") -> WebClient:
    """A page whose player logs in to a session that plays."""
    page = web.page()
    page.logs_in(name, "secret1")
    return page


def texts(page: WebClient, *, again: bool | None = None) -> list[str]:
    """Every text of the page's present connection; `again`: only those that are marked so, or only the others."""
    return [
        "".join(message["parts"])
        for message in page.messages
        if message["type"] == "text" and again in (None, message.get("again", False))
    ]


def packages(page: WebClient) -> list[tuple[str, Any]]:
    return [(message["package"], message["data"]) for message in page.messages if message["type"] == "gmcp"]


# --- a login takes a session over ---


def test_a_page_that_logs_in_gets_what_was_kept_from_another_client(web: Web) -> None:
    """The texts have new serials, behind those that the page has: none is dropped as one that it had (FM-13)."""
    telnet, joined = web.world.enters(web.host)
    telnet.drops()
    web.world.wait_until(lambda: web.world.stages() == ["link-dead"], "the loss is noticed")
    for m, text in enumerate(("One.\n", "Two.\n", "Three.\n"), start=1):
        web.host.tells(joined, m, text)
    page = goes_on(web)
    assert page.sees("Three.\n").endswith("Welcome back, Ada.\nOne.\nTwo.\nThree.\n")
    assert page.doubled == 0
    assert web.host.expect(OutAck, m=3).session == joined.session


def prompts(web: Web) -> tuple[Player, EventSent, EventSent]:
    """A terminal that logs in to a session with a prompt; its seat, and what the room is asked for it."""
    _, joined = web.world.enters(web.host)
    web.host.tells(joined, 1, Text("A bar.\n"))
    web.host.tells(joined, 2, Text("", prompt="HP 7> "))
    web.host.expect(OutAck, m=2)
    again = web.world.player()
    again.types("connect Ada secret1")
    asked = web.host.expect(EventSent, body=Resize(80, 24, False, True))
    again.sees("Welcome back, Ada.\r\n")
    return again, joined, asked


def test_a_terminal_that_logs_in_has_its_prompt_once_behind_what_the_room_shows(web: Web) -> None:
    """Drawn at once as well, it would stand between the welcome and the room, and be asked twice (FM-6)."""
    again, joined, asked = prompts(web)
    web.world.asks("notice", room="world", text="Soup is ready.")
    again.sees("Soup is ready.\r\n")
    web.host.tells(joined, 3, "A bar again.\n")
    web.host.acks(asked)
    assert again.sees("HP 7> ") == "A bar again.\r\nHP 7> "
    again.sees_bytes(b"HP 7> \xff\xf9")
    assert again.raw.count(b"HP 7> ") == 1


def test_whoever_types_before_the_room_has_answered_has_a_prompt_behind_the_reply(web: Web) -> None:
    """A room that moves answers later, and the gateway goes on meanwhile (FM-6)."""
    again, _, asked = prompts(web)
    again.types("set wrap 60")
    assert again.sees("HP 7> ").endswith("\r\nHP 7> ")
    web.host.acks(asked)


def test_a_page_that_logs_in_has_its_own_lines_taken(web: Web) -> None:
    """They are numbered by this page; what an older one had typed is nothing to it (rule G7)."""
    older, _joined = web.plays()
    older.types(*(f"line {n}" for n in range(30)))
    older.waits_until_taken(31)
    for n in range(1, 31):
        web.host.acks(web.host.expect(EventSent, n=n))
    page = goes_on(web)
    page.types("look", "north")
    page.waits_until_taken(3)
    bodies = [web.host.expect(EventSent, n=n).body for n in (31, 32, 33)]
    assert bodies == [Resize(80, 24, anew=True), Input("look"), Input("north")]


def test_the_room_hears_that_a_window_is_empty_but_not_of_a_page_that_comes_back(web: Web) -> None:
    """Who logs in again sees where they are; a page with a token is shown its last texts (FM-7, FM-15)."""
    page, joined = web.plays()
    web.host.tells(joined, 1, "The square.\n")
    page.sees("The square.\n")
    page.settles()
    page.reloads()
    page.types("look")
    looks = web.host.expect(EventSent, n=1)
    assert looks.body == Input("look")
    web.host.acks(looks)
    for n in (2, 3):
        telnet = web.world.player()
        telnet.types("connect Ada secret1")
        telnet.sees("Welcome back, Ada.")
        again = web.host.expect(EventSent, n=n)
        assert (again.session, again.body) == (joined.session, Resize(80, 24, anew=True))
        web.host.acks(again)
        telnet.drops()
        web.world.wait_until(lambda: web.world.stages() == ["link-dead"], "the loss is noticed")


def test_a_room_that_is_behind_hears_of_the_empty_window_later(web: Web) -> None:
    """It hears of one size at a time, and of this when it has taken the one before (FM-7)."""
    telnet, _joined = web.world.enters(web.host)
    telnet.sends(NAWS_80X25)
    size = web.host.expect(EventSent, n=1)
    assert size.body == Resize(80, 25)
    again = web.world.player()
    again.types("connect Ada secret1", "look")
    assert web.host.expect(EventSent, n=2).body == Input("look")
    web.host.acks(size)
    assert web.host.expect(EventSent, n=3).body == Resize(80, 24, anew=True)


def test_what_was_set_before_the_login_holds_in_the_session_that_goes_on(web: Web) -> None:
    """Who needs a screen reader mode says so first, and must not lose it; the account keeps it."""
    page, _joined = web.plays()
    page.settles()
    assert page.settings["screenreader"] is False
    telnet = web.world.player()
    telnet.types("set screenreader on", "set wrap 60", "connect Ada secret1")
    telnet.sees("Welcome back, Ada.")
    (session,) = web.world.asks("sessions")
    assert (session["transport"], session["screenreader"]) == ("telnet", True)

    def stands() -> Settings:
        found = web.world.accounts.find("Ada")
        assert found is not None
        return kept(found.settings)

    web.world.wait_until(lambda: (stands().screenreader, stands().wrap) == (True, 60), "the account keeps it")


def test_who_goes_on_with_a_session_is_told_how_things_stand(web: Web) -> None:
    """The prompt and the values that the client before had been told: nobody tells them again (FM-6)."""
    telnet, joined = web.world.enters(web.host)
    web.host.tells(joined, 1, Text("", gmcp=("Char.Vitals", b'{"hp":7}')))
    web.host.tells(joined, 2, Text("", prompt="<7 hp> "))
    telnet.sees("<7 hp>")
    page = goes_on(web)
    while not page.gmcp or page.prompt != "<7 hp> ":
        page.waits_for("gmcp", "prompt")
    assert page.gmcp["Char.Vitals"] == {"hp": 7}


def test_many_notices_do_not_keep_from_telling_how_things_stand(web: Web) -> None:
    """Only texts are counted among what waits for an absent player, neither prompts nor packages."""
    telnet, joined = web.world.enters(web.host)
    web.host.tells(joined, 1, Text("", gmcp=("Char.Vitals", b'{"hp":7}')))
    web.host.tells(joined, 2, Text("", prompt="<7 hp> "))
    telnet.sees("<7 hp>")
    telnet.drops()
    web.world.wait_until(lambda: web.world.stages() == ["link-dead"], "the loss is noticed")
    for n in range(100):
        web.world.asks("notice", room="world", text=f"Notice {n}.")
    page = goes_on(web)
    while not page.gmcp or page.prompt != "<7 hp> ":
        page.waits_for("gmcp", "prompt")
    assert "Notice 0." in page.text
    assert "Notice 99." not in page.text


def test_what_a_long_text_has_left_goes_on_with_the_session(web: Web) -> None:
    """The pages that the player did not get to are shown by the next connection, each line once (FM-13)."""
    telnet, joined = web.world.enters(web.host)
    telnet.sends(NAWS_80X25)
    web.host.acks(web.host.expect(EventSent, n=1))
    web.host.tells(joined, 1, "".join(f"Line {n}.\n" for n in range(60)))
    telnet.sees("[more:")
    seen = telnet.text.count("Line ")
    assert 10 < seen < 60
    page = goes_on(web)
    web.host.tells(joined, 2, "After.\n")
    page.sees("Welcome back, Ada.\n")
    page.sees("After.\n")
    assert [line for line in page.text.splitlines() if line.startswith("Line ")] == [
        f"Line {n}." for n in range(seen, 60)
    ]


@pytest.mark.parametrize("end", ["lost", "closed"])
def test_what_a_long_text_has_left_waits_for_who_was_lost_in_it(web: Web, end: str) -> None:
    """However the connection ended (FM-13, FM-92)."""
    telnet, joined = web.world.enters(web.host)
    telnet.sends(NAWS_80X25)
    web.host.acks(web.host.expect(EventSent, n=1))
    web.host.tells(joined, 1, "".join(f"Line {n}.\n" for n in range(60)))
    telnet.sees("[more:")
    seen = telnet.text.count("Line ")
    if end == "lost":
        telnet.drops()
    else:
        telnet.sends(b"\xff\xfa\x18" + b"x" * 100_000)  # a bound that is broken
        telnet.is_closed()
    web.world.wait_until(lambda: web.world.stages() == ["link-dead"], "the end is noticed")
    web.host.tells(joined, 2, "After.\n")
    again = web.world.player()
    again.types("connect Ada secret1")
    again.sees("Welcome back, Ada.")
    lines = again.sees("After.").split("\r\n")
    assert [line for line in lines if line.startswith("Line ")] == [f"Line {n}." for n in range(seen, 60)]


def test_what_a_long_text_has_left_is_turned_page_by_page_wherever_its_player_goes_on(web: Web) -> None:
    """From terminal to terminal, each page is shown once and none is passed over; the room has long been done (G3)."""
    terminal, joined = web.world.enters(web.host)
    terminal.sends(NAWS_80X25)
    web.host.acks(web.host.expect(EventSent, n=1))
    web.host.tells(joined, 1, "".join(f"Line {n}.\n" for n in range(90)))
    web.host.expect(OutAck, m=1)
    seen: list[str] = []
    for n in range(2, 5):
        terminal.sees("[more:")
        seen += re.findall(r"Line (\d+)\.", terminal.text)
        terminal = web.world.player()
        terminal.sends(NAWS_80X25 + b"connect Ada secret1\r\n")
        terminal.sees("Welcome back, Ada.")
        web.host.acks(web.host.expect(EventSent, n=n))
    terminal.sees("Line 89.")
    seen += re.findall(r"Line (\d+)\.", terminal.text)
    assert seen == [str(n) for n in range(90)]


@pytest.mark.parametrize("end", ["quit", "End", "typed at a page"])
def test_last_words_do_not_stop_at_pages(web: Web, end: str) -> None:
    """The connection ends behind them: nobody could turn the pages (FM-13)."""
    telnet, joined = web.world.enters(web.host)
    telnet.sends(NAWS_80X25)
    web.host.acks(web.host.expect(EventSent, n=1))
    words = "".join(f"Line {n}.\n" for n in range(60))
    if end == "quit":
        telnet.types("quit")
        leave = web.host.expect(EventSent, n=2)
        web.host.tells(joined, 1, words)
        web.host.acks(leave)
    else:
        web.host.tells(joined, 1, words)
        telnet.sees("[more:")
        if end == "typed at a page":
            telnet.types("")
            telnet.sees("[more:")
        web.host.tells(joined, 2, End("The world ends."))
    telnet.is_closed()
    assert re.findall(r"Line (\d+)\.", telnet.text) == [str(n) for n in range(60)]
    assert telnet.text.count("[more:") == {"quit": 0, "End": 1, "typed at a page": 2}[end]


# --- a page comes back with its token ---


def test_who_comes_back_while_they_leave_is_refused_and_greeted(web: Web) -> None:
    """The room has the Leave: the old visit cannot be gone on with, the new one waits for its end (FM-13)."""
    page, _joined = web.plays()
    page.types("quit")
    leave = web.host.expect(EventSent, n=1)
    assert leave.body == Leave("quit")
    page.drops()
    web.world.wait_until(lambda: web.world.asks("sessions")[0]["transport"] == "", "the loss is noticed")
    assert web.world.stages() == ["leaving"]
    page.connects()
    assert page.refused
    page.types("connect Ada secret1")
    page.sees("Your last visit is just ending.")
    web.host.acks(leave)
    web.host.joined()
    page.waits_for("token")
    assert web.world.stages() == ["playing"]


def test_who_comes_back_to_what_is_over_is_refused_and_greeted(web: Web) -> None:
    """Its page may still be reading the last words when it loses the network (FM-13)."""
    page, joined = web.plays()
    token = page.token
    web.host.tells(joined, 1, End("The world ends."))
    page.waits_for("bye")
    page.drops()
    page.token, page.bye = token, ""
    page.connects()
    assert page.refused
    page.logs_in("Ada", "secret1")
    assert web.host.joined().session != joined.session


def test_only_what_a_page_was_shown_is_shown_to_it_again(web: Web) -> None:
    """Somebody who logged in from elsewhere in between had the rest: a hole in it would be unseen (rule G7)."""
    page, joined = web.plays()
    web.host.tells(joined, 1, "To the first page.\n")
    page.sees("To the first page.\n")
    page.settles()
    telnet = web.world.player()
    telnet.types("connect Ada secret1")
    telnet.sees("Welcome back")
    web.host.tells(joined, 2, "To the terminal.\n")
    telnet.sees("To the terminal.")
    page = goes_on(web)
    web.host.tells(joined, 3, "To the second page.\n")
    page.sees("To the second page.\n")
    page.settles()
    page.reloads()
    web.host.tells(joined, 4, "News.\n")
    page.sees("News.\n")
    assert [text for text in texts(page, again=True) if text.startswith("To ")] == ["To the second page.\n"]


def test_what_is_shown_again_looks_as_the_player_chose(web: Web) -> None:
    """Who listens is not read the drawings, at a reload neither (FM-7)."""
    page, joined = web.plays()
    page.sends("settings", screenreader=True)
    web.host.acks(web.host.expect(EventSent, n=1))
    web.host.tells(joined, 1, "\x1b[31m+------+\x1b[0m\n| Inn  |\nA word.\n")
    page.sees("A word.\n")
    page.settles()
    (first,) = [text for text in texts(page) if "A word." in text]
    assert "+---" not in first
    page.reloads()
    page.sees("A word.\n")
    assert [text for text in texts(page, again=True) if "A word." in text] == [first]
    assert page.settings["screenreader"] is True


def test_what_is_shown_again_is_no_news_for_the_next_connection(web: Web) -> None:
    """A page that is loaded twice in a row gets each of its last texts once (FM-13)."""
    page, joined = web.plays()
    web.host.tells(joined, 1, "Old.\n")
    page.sees("Old.\n")
    page.settles()
    page.acks = False
    for _ in range(3):
        page.reloads()
        page.sees("Old.\n")
    page.settles()
    web.host.tells(joined, 2, "News.\n")
    page.sees("News.\n")
    assert [texts(page).count(text) for text in ("Old.\n", "News.\n")] == [1, 1]
    assert page.doubled == 0


def test_a_page_that_is_lost_again_in_its_last_texts_gets_the_rest_of_them(web: Web) -> None:
    """It says what it has of them; what it had all along is not shown again (rule G7)."""
    page, joined = web.plays()
    for m in range(1, 7):
        web.host.tells(joined, m, f"Old {m}.\n")
    page.sees("Old 6.\n")
    page.settles()
    page.acks = False
    page.reloads()
    page.sees("Old 6.\n")
    third = next(message["serial"] for message in page.messages if message.get("parts") == ["Old 3.\n"])
    page.drops()
    page.last, page.text, page._seen, page.acks = third, "", 0, True  # as if the network had been gone so early
    page.connects()
    web.host.tells(joined, 7, "News.\n")
    page.sees("News.\n")
    assert [text for text in texts(page) if text] == ["Old 4.\n", "Old 5.\n", "Old 6.\n", "News.\n"]
    assert texts(page, again=True) == ["Old 4.\n", "Old 5.\n", "Old 6.\n"]
    page.settles()
    page.drops()
    page.connects()
    web.host.tells(joined, 8, "More news.\n")
    page.sees("More news.\n")
    assert texts(page, again=True) == []


def test_what_a_room_said_of_the_player_holds_until_they_leave_it(web: Web) -> None:
    """At another seat nothing of it stands, and the same value is told there anew (FM-6)."""
    page, joined = web.plays()
    web.host.tells(joined, 1, Text("", gmcp=("Room.Info", b'{"id":1}')))
    web.host.tells(joined, 2, Text("", gmcp=("Char.Vitals", b'{"hp":7}')))
    web.host.tells(joined, 3, Go("world", 0))
    second = web.host.expect(EventSent, j=2, n=0)
    web.host.acks(second)
    web.host.tells(second, 1, Text("", gmcp=("Char.Vitals", b'{"hp":7}')))
    web.host.tells(second, 2, "The arena.\n")
    page.sees("The arena.\n")
    assert packages(page).count(("Char.Vitals", {"hp": 7})) == 2
    page.settles()
    page.reloads()
    web.host.tells(second, 3, "News.\n")
    page.sees("News.\n")
    assert packages(page) == [("Char.Vitals", {"hp": 7})]


def test_a_value_that_stands_is_not_told_again_but_acknowledged(web: Web) -> None:
    """Else the room would keep it, and all that follows, for ever; what is said once is said every time."""
    page, joined = web.plays()
    for m in range(1, 4):
        web.host.tells(joined, m, Text("", gmcp=("Char.Vitals", b'{"hp":7}')))
    while texts(page).count("") < 2:  # what is not told again is an empty text: serials have no gaps
        page.waits_for("text")
    assert web.host.expect(OutAck, m=3).j == joined.j
    for m in range(4, 7):
        web.host.tells(joined, m, Text("", gmcp=("Comm.Channel.Text", b'{"text":"Hi"}')))
    web.host.tells(joined, 7, Text("", gmcp=("Char.Vitals", b'{"hp":6}')))
    web.host.tells(joined, 8, "Done.\n")
    page.sees("Done.\n")
    assert [data["hp"] for package, data in packages(page) if package == "Char.Vitals"] == [7, 6]
    assert sum(package == "Comm.Channel.Text" for package, _ in packages(page)) == 3
