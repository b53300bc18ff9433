"""The subprotocol perdure: what is said in each message, in both directions."""

import json
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.look import Settings, Told
from perdure.gateway.web import perdure
from perdure.gateway.web.perdure import PROBLEMS_MAX, PerdureSpeech
from perdure.gateway.web.speech import Broken
from perdure.gateway.web.tokens import Replayed, Tokens, Use
from perdure.gateway.wire import (
    LINE_BYTES_MAX,
    Acked,
    Bye,
    ClientEvent,
    Confirmed,
    Interrupt,
    Line,
    LineTooLong,
    Misnumbered,
    Note,
    Opened,
    Refused,
    Resumed,
    SettingsWanted,
    Token,
    ToldMore,
    Took,
)
from perdure.markup import link
from perdure.room.record import Text
from tests.gateway.web.pair import Pair, held

HELLO = {"type": "hello", "columns": 100, "rows": 30, "screenreader": False, "client": "perdure web 1"}
HOLDS = {"type": "settings", "screenreader": False, "prompt": True, "links": True, "colours": 16_777_216}


def greeted(**hello: Any) -> Pair:
    """A client that has said hello, and has read what came."""
    pair = Pair("perdure")
    pair.says({**HELLO, **hello})
    pair.gets()
    return pair


def shown(pair: Pair, text: Text, serial: int = 1) -> Any:
    """The one message that a text is."""
    pair.wire.show(held(serial, text))
    pair.wire.end_burst()
    [message] = pair.gets()
    return message


# --- hello ---


def test_the_server_says_hello_first_and_the_client_opens_with_its_own() -> None:
    """Nobody is there before the client's hello; what holds for it is said at once."""
    pair = Pair("perdure")
    assert pair.gets() == [{"type": "hello", "protocol": 1, "server": "The Tavern"}]
    assert pair.events == []
    assert pair.says(HELLO) == [Opened()]
    assert pair.gets() == [HOLDS]
    assert pair.wire.told == Told(100, 30, "perdure web 1", charset="utf-8", links=True, web=True)


def test_a_client_shows_its_token_and_what_it_has() -> None:
    """Both are for the gateway to judge (FM-13)."""
    pair = Pair("perdure")
    token = "0123456789abcdef" * 2
    assert pair.says({**HELLO, "token": token, "last": 41}) == [Opened("", token, 41)]


def test_everything_in_a_hello_but_its_type_may_be_left_out() -> None:
    """A client of ten lines is a client; a window of unreasonable size is made reasonable."""
    pair = Pair("perdure")
    assert pair.says('{"type":"hello"}') == [Opened()]
    wide = greeted(columns=100_000, rows=70_000, client="ünprintable\x07 " + "x" * 100, screenreader=True)
    assert (wide.wire.told.columns, wide.wire.told.rows, wide.wire.told.screenreader) == (1000, 1000, True)
    assert wide.wire.told.client == ("nprintable " + "x" * 100)[:64]


@pytest.mark.parametrize(
    "first",
    [
        '{"type":"line","n":1,"text":"look"}',
        '{"type":"hello","columns":"wide"}',
        '{"type":"hello","token":"' + "0" * 65 + '"}',
        "look",
        "",
    ],
)
def test_whoever_does_not_say_hello_is_not_served(first: str) -> None:
    """Before the hello, what is not one closes the connection with a reason."""
    pair = Pair("perdure")
    pair.says(first)
    assert pair.closed is not None
    assert pair.closed[0] == 1008
    assert not any(isinstance(event, Opened) for event in pair.events)


# --- what the client says ---


@pytest.mark.parametrize(
    ("message", "events"),
    [
        ({"type": "line", "n": 1, "text": "say hi"}, [Line("say hi", 1)]),
        ({"type": "line", "n": 7, "text": ""}, [Line("", 7)]),
        ({"type": "line", "n": 2, "text": "x" * LINE_BYTES_MAX}, [Line("x" * LINE_BYTES_MAX, 2)]),
        ({"type": "confirm", "n": 2}, [Confirmed(2)]),
        ({"type": "interrupt"}, [Interrupt()]),
        ({"type": "resize", "columns": 40, "rows": 20}, [ToldMore()]),
        ({"type": "resize", "columns": 100, "rows": 30}, []),
        ({"type": "settings", "screenreader": True}, [SettingsWanted(Settings(screenreader=True))]),
        ({"type": "settings", "screenreader": None}, [SettingsWanted(Settings(screenreader=None))]),
        ({"type": "settings", "prompt": False, "colours": 0}, [SettingsWanted(Settings(prompt=False, colours=0))]),
        ({"type": "interrupt", "of": "a later version"}, [Interrupt()]),
    ],
)
def test_each_message_of_the_client_is_one_event(message: dict[str, Any], events: list[ClientEvent]) -> None:
    """Members that are not known are passed over."""
    pair = greeted()
    assert pair.says(message) == events
    assert "problem" not in [each["type"] for each in pair.gets()]


def test_an_acknowledgement_is_of_what_was_given() -> None:
    """A client cannot acknowledge what it does not have; after a resumption it has what it had."""
    pair = greeted()
    pair.wire.show(held(5, Text("hello\n")))
    assert pair.says({"type": "ack", "serial": 5}) == [Acked(5)]
    assert pair.says({"type": "ack", "serial": 4}) == [Acked(4)]
    assert pair.says({"type": "ack", "serial": 6}) == []
    assert pair.gets()[-1]["type"] == "problem"
    pair = greeted(token="0" * 32, last=9)
    assert pair.says({"type": "ack", "serial": 9}) == []
    pair.wire.note(Resumed(0, 0))
    assert pair.says({"type": "ack", "serial": 9}) == [Acked(9)]


@pytest.mark.parametrize(
    "message",
    [
        "look",
        "",
        "null",
        "[]",
        '"line"',
        "{}",
        '{"type":"shout","text":"hi"}',
        '{"type":7}',
        '{"type":"line","n":1}',
        '{"type":"line","n":0,"text":"x"}',
        '{"type":"line","n":1.5,"text":"x"}',
        '{"type":"line","n":9007199254740992,"text":"x"}',
        '{"type":"line","n":"1","text":"x"}',
        '{"type":"line","n":1,"text":7}',
        '{"type":"line","n":1,"text":"\\ud800"}',
        '{"type":"line","n":1,"text":"two\\nlines"}',
        '{"type":"line","n":1,"text":"two\\rlines"}',
        '{"type":"line","n":1,"text":"' + "é" * 2049 + '"}',
        '{"type":"ack","serial":-1}',
        '{"type":"resize","columns":-1,"rows":5}',
        '{"type":"settings","colours":17}',
        '{"type":"hello"}',
        '{"type":"interrupt","x":' + "[" * 8000 + "]" * 8000 + "}",
        "[" * 16000,
        '{"type":"line","n":' + "9" * 16000 + ',"text":""}',
        '\ufeff{"type":"interrupt"}',
    ],
)
def test_what_is_not_understood_is_a_problem_and_nothing_of_it_is_done(message: str) -> None:
    """Wrong types, wrong numbers, nesting without end: answered, and the connection goes on (FM-79)."""
    pair = greeted()
    assert pair.says(message) in ([], [LineTooLong(1)])
    [problem] = pair.gets()
    assert problem["type"] == "problem"
    assert problem["reason"].endswith(".")
    assert len(problem["reason"]) < 300
    assert pair.says({"type": "line", "n": 2, "text": "look"}) == [Line("look", 2)]


def test_a_line_that_is_not_taken_is_named() -> None:
    """The client does not send it again."""
    pair = greeted()
    pair.says({"type": "line", "n": 3, "text": "x" * (LINE_BYTES_MAX + 1)})
    [problem] = pair.gets()
    assert problem["n"] == 3
    assert str(LINE_BYTES_MAX) in problem["reason"]


def test_a_client_that_is_never_understood_is_let_go() -> None:
    """Problems are bounded (FM-79)."""
    pair = greeted()
    for _ in range(PROBLEMS_MAX):
        pair.says("what?")
        assert pair.is_open
    pair.says("what?")
    assert pair.closed is not None
    assert pair.closed[0] == 1008


def test_a_binary_message_closes_the_connection() -> None:
    """The subprotocol has text messages only."""
    pair = greeted()
    pair.says(b"look")
    assert pair.closed is not None
    assert pair.closed[0] == 1003


# --- what the client is given ---


def test_a_text_is_parts_with_links_as_they_are() -> None:
    """SGR and line ends stay in the parts; a link is an object; nothing wraps (FM-83)."""
    pair = greeted()
    text = f"You see a {link('door', send='open door')}.\n\x1b[1mBold\x1b[0m\x1b]0;title\x07\u202e end\n"
    message = shown(pair, Text(text))
    assert message["type"] == "text"
    assert message["parts"][:2] == ["You see a ", {"text": "door", "send": "open door"}]
    rest = "".join(message["parts"][2:])
    assert rest.startswith(".\n")
    assert "title" not in rest
    assert "\u202e" not in rest
    assert shown(pair, Text("x" * 5000 + "\n"), 2)["parts"] == ["x" * 5000 + "\n"]


def test_each_thing_that_is_held_is_one_message_with_its_serial() -> None:
    """Serials have no gaps for the client, also where it sees nothing of a text."""
    pair = greeted()
    pair.wire.show(held(7, Text("hello\n"), again=True))
    pair.wire.show(held(8, Text("")))
    pair.wire.show(held(9, Text("", prompt="<20 hp> ")))
    pair.wire.show(held(10, Text("", gmcp=("Char.Vitals", b'{"hp":20,"of":"100%"}'))))
    assert pair.gets() == [
        {"type": "text", "serial": 7, "parts": ["hello\n"], "again": True},
        {"type": "text", "serial": 8, "parts": []},
        {"type": "prompt", "serial": 9, "text": "<20 hp> "},
        {"type": "gmcp", "serial": 10, "package": "Char.Vitals", "data": {"hp": 20, "of": "100%"}},
    ]
    assert shown(pair, Text("", gmcp=("Comm.Quiet", b"")), 11)["data"] is None


def test_what_has_no_serial_is_left_to_the_note() -> None:
    """A page could not tell whether it has it; the reason of the goodbye says the same."""
    pair = greeted()
    pair.wire.show(held(0, Text("Your character is now played from another connection.\n")))
    pair.wire.note(Bye("Your character is now played from another connection."))
    assert [message["type"] for message in pair.gets()] == ["bye"]


def test_a_games_prompt_is_empty_for_whoever_does_not_want_it() -> None:
    """A listener has no prompt while playing, unless they chose one; the login always asks (FM-29)."""
    pair = greeted(screenreader=True)
    assert shown(pair, Text("", prompt="Password: "))["text"] == "Password: "
    pair.wire.playing = True
    assert shown(pair, Text("", prompt="<20 hp> "), 2) == {"type": "prompt", "serial": 2, "text": ""}
    pair.wire.settings = Settings(prompt=True)
    pair.gets()
    assert shown(pair, Text("", prompt="<20 hp> "), 3)["text"] == "<20 hp> "


def test_whoever_listens_gets_text_to_listen_to() -> None:
    """No colours and no drawing reach a screen reader."""
    pair = greeted(screenreader=True)
    message = shown(pair, Text("\x1b[31m┌────┐\nHello\n----------\n"))
    assert "".join(message["parts"]) == "Hello\n"


@pytest.mark.parametrize(
    ("note", "message"),
    [
        (Took(5), {"type": "took", "n": 5}),
        (Token(2, "ab" * 16, "Ada"), {"type": "token", "n": 2, "token": "ab" * 16, "name": "Ada"}),
        (Resumed(3, 5), {"type": "resumed", "missed": 3, "took": 5}),
        (Refused("Log in again."), {"type": "refused", "reason": "Log in again."}),
        (
            Misnumbered(5, 3),
            {
                "type": "problem",
                "reason": "Line 5 came before line 3, so it was not taken. Lines are sent in order.",
                "n": 5,
                "due": 3,
            },
        ),
        (Bye('You "left".'), {"type": "bye", "reason": 'You "left".'}),
    ],
)
def test_each_note_is_a_message(note: Note, message: dict[str, Any]) -> None:
    """Told beside the texts, without a serial."""
    pair = greeted()
    pair.wire.note(note)
    assert pair.gets() == [message]


def test_the_page_hides_what_is_typed_while_a_password_is_asked() -> None:
    """Echo off, and on again (FM-96)."""
    pair = greeted()
    pair.wire.hide_input(True)
    pair.wire.hide_input(False)
    assert pair.gets() == [{"type": "echo", "on": False}, {"type": "echo", "on": True}]


def test_the_page_is_told_what_holds_when_that_changes() -> None:
    """Settings of the account, and those typed with `set`, reach the page's own switches; no news is not said."""
    pair = greeted()
    pair.wire.settings = Settings(screenreader=True)
    assert pair.gets() == [{**HOLDS, "screenreader": True, "prompt": False}]
    pair.wire.settings = Settings(screenreader=True, wrap=40)
    assert pair.gets() == []


def test_a_settings_message_is_always_answered() -> None:
    """An empty one asks; a choice is answered once it is made, even if nothing came of it."""
    pair = greeted()
    assert pair.says({"type": "settings"}) == []
    assert pair.gets() == [HOLDS]
    assert pair.says({"type": "settings", "links": True}) == [SettingsWanted(Settings(links=True))]
    assert pair.gets() == []
    pair.wire.settings = Settings(links=True)
    assert pair.gets() == [HOLDS]


def test_a_token_of_the_page_leads_back_to_its_session_once_replaced_never_again() -> None:
    """Through the wire: resume, lose the answer, resume again, confirm; the old token then ends the session (FM-13)."""
    tokens = Tokens(random.Random(1).randbytes)
    first = tokens.issue("g.1.1")

    def resumes(token: str) -> Use | Replayed | None:
        pair = Pair("perdure")
        [opened] = pair.says({**HELLO, "token": token, "last": 3})
        assert isinstance(opened, Opened)
        return tokens.used(opened.token)

    lost, again = resumes(first.token), resumes(first.token)
    assert isinstance(lost, Use)
    assert isinstance(again, Use)
    pair = greeted()
    pair.wire.note(Token(again.next.n, again.next.token, "Ada"))
    [message] = pair.gets()
    [confirmed] = pair.says({"type": "confirm", "n": message["n"]})
    assert isinstance(confirmed, Confirmed)
    tokens.confirmed("g.1.1", confirmed.n)
    assert resumes(first.token) == Replayed("g.1.1")
    assert isinstance(resumes(again.next.token), Use)


def documented(heading: str) -> list[dict[str, Any]]:
    """The messages of a table of the reference, as examples."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "web-protocol.md").read_text()
    section = page.split(f"### {heading}\n")[1].split("\n### ")[0]
    spelled = re.findall(r"^\| `(\{.*?\})` \|", section, re.MULTILINE)
    return [json.loads(each.replace("[…]", "[]").replace("{…}", "{}")) for each in spelled]


def test_the_reference_has_every_message_as_it_is() -> None:
    """What a client is told to send is understood, and what it is told to expect is what comes."""
    pair = Pair("perdure")
    sent = documented("From the client")
    assert {message["type"] for message in sent} == {
        "hello", "line", "ack", "confirm", "resize", "settings", "interrupt",
    }  # fmt: skip
    for message in sent:
        pair.wire.show(held(message.get("serial", 1), Text("hello\n")))
        pair.says(message)
    pair.wire.settings = Settings(screenreader=True)
    assert "problem" not in [message["type"] for message in pair.gets()]
    pair = Pair("perdure")
    pair.says(HELLO)
    pair.says("what?")
    pair.says({"type": "line", "n": 3, "text": "two\nlines"})
    for serial, text in enumerate((Text("", prompt="> "), Text("", gmcp=("A.B", b"{}"))), 5):
        pair.wire.show(held(serial, text))
    pair.wire.show(held(7, Text("hello\n"), again=True))
    pair.wire.hide_input(True)
    for note in (Took(1), Token(1, "…", "Ada"), Resumed(3, 5), Refused("…"), Bye("…")):
        pair.wire.note(note)
    came = {message["type"]: set(message) for message in pair.gets()}
    assert came == {message["type"]: set(message) for message in documented("From the server")}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TYPES = ["hello", "line", "ack", "confirm", "resize", "settings", "interrupt", "no such"]
MEMBERS = ["n", "text", "serial", "columns", "rows", "token", "last", "client", "screenreader", "colours"]


@given(
    st.lists(
        st.text(max_size=60)
        | JSON.map(json.dumps)
        | st.builds(
            lambda type, members: json.dumps({"type": type, **members}),
            st.sampled_from(TYPES),
            st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=5),
        ),
        max_size=20,
    )
)
def test_no_message_raises_anything_but_broken(messages: list[str]) -> None:
    """Whatever is said, before and after the hello; what it answers can be encoded (FM-79)."""
    for greeting in (True, False):
        speech = PerdureSpeech("The Tavern", "")
        speech.begin()
        if greeting:
            speech.receive('{"type":"hello"}')
        codes = set()
        for message in messages:
            try:
                speech.receive(message)
            except Broken as broken:
                codes.add(broken.code)
        assert codes <= {1008}
        assert all(isinstance(json.loads(each), dict) for each in speech.take())


def test_a_line_is_shown_by_no_repr() -> None:
    """It may be a password, also where a message is not understood (FM-96)."""
    line = msgspec.json.decode('{"type":"line","n":3,"text":"hunter2"}', type=perdure._Line)
    assert "hunter2" not in repr(line)


def test_a_page_has_told_all_there_is() -> None:
    """It says hello with it."""
    assert Pair("perdure").wire.settled
