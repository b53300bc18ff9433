"""The three subprotocols of mudstandards.org, as clients that other people wrote speak them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.look import Settings
from perdure.gateway.web.mudstandards import MUDSTANDARDS, MudSpeech
from perdure.gateway.web.speech import Broken
from perdure.gateway.wire import (
    LINE_BYTES_MAX,
    Bye,
    Credentials,
    Ended,
    Line,
    LineTooLong,
    Opened,
    PackagesWanted,
    ToldMore,
)
from perdure.room.record import Text
from tests.gateway.web.pair import Pair, held

TERMINAL, GMCP, JSON = MUDSTANDARDS


@pytest.mark.parametrize("subprotocol", MUDSTANDARDS)
def test_somebody_is_there_at_once_and_text_is_binary(subprotocol: str) -> None:
    """The banner does not wait for the client: ANSI text in UTF-8, lines with CR LF, the prompt behind them."""
    pair = Pair(subprotocol)
    assert pair.events == [Opened()]
    assert not pair.wire.acknowledges
    pair.wire.show(held(1, Text("Grüß dich.\n\x1b[31mRed\x1b[0m\n")))
    pair.wire.show(held(2, Text("", prompt="Name: ")))
    pair.wire.end_burst()
    received = pair.gets()
    assert all(isinstance(message, bytes) for message in received)
    text = b"".join(received).decode()
    assert text.startswith("Grüß dich.\r\n\x1b[31mRed\x1b[")
    assert text.endswith("Name: ")


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("look", ["look"]),
        ("look\r\n", ["look"]),
        ("look\n", ["look"]),
        ("look\r\0", ["look"]),
        ("", [""]),
        ("\r\n", [""]),
        ("north\nsouth", ["north", "south"]),
        ("north\r\n\r\nsouth\r\n", ["north", "", "south"]),
        ("sag grüß", ["sag grüß"]),
    ],
)
def test_a_message_is_one_line_or_several(message: str, lines: list[str]) -> None:
    """Its end ends the last line, so that clients with and without line ends mean the same."""
    for subprotocol in MUDSTANDARDS:
        assert Pair(subprotocol).says(message.encode()) == [Line(line) for line in lines]
    assert Pair(TERMINAL).says(message) == [Line(line) for line in lines]


def test_a_line_beyond_its_cap_is_dropped_whole() -> None:
    """Nothing of it is kept; the others are."""
    message = b"look\n" + b"x" * (LINE_BYTES_MAX + 1) + b"\nnorth"
    assert Pair(TERMINAL).says(message) == [Line("look"), LineTooLong(), Line("north")]


def test_text_that_is_not_utf_8_ends_the_connection() -> None:
    """The subprotocols are UTF-8 by their definition."""
    pair = Pair(GMCP)
    [ended] = pair.says(b"gr\xfc\xdf")
    assert isinstance(ended, Ended)
    assert pair.closed is not None
    assert pair.closed[0] == 1007


def test_a_client_that_cannot_say_its_window_is_never_paged_nor_wrapped() -> None:
    """It has its own scrollback; a player who wants lines to wrap here says so."""
    pair = Pair(TERMINAL)
    pair.wire.playing = True
    pair.wire.show(held(1, Text("".join(f"line {n}\n" for n in range(100)) + "word " * 40 + "\n")))
    pair.wire.end_burst()
    assert b"".join(pair.gets()).endswith(b"word " * 40 + b"\r\n")
    pair.wire.settings = Settings(wrap=20)
    pair.wire.show(held(2, Text("word " * 40 + "\n")))
    assert max(map(len, b"".join(pair.gets()).split(b"\r\n"))) <= 20


def talked(subprotocol: str, package: str, body: str = "") -> str:
    """A GMCP message as the client of this subprotocol sends it."""
    if subprotocol == GMCP:
        return f"{package} {body}".strip()
    return json.dumps({"proto": "gmcp", "id": package, "data": body})


@pytest.mark.parametrize("subprotocol", [GMCP, JSON])
def test_gmcp_goes_in_text_messages(subprotocol: str) -> None:
    """Hello, Supports, Ping and Credentials are understood; packages go out as they are supported."""
    pair = Pair(subprotocol)
    assert pair.says(talked(subprotocol, "Core.Hello", '{"client":"Telix","version":"2"}')) == [ToldMore()]
    assert pair.wire.told.client == "Telix 2"
    pair.wire.show(held(1, Text("", gmcp=("Char.Vitals", b'{"hp":1}'))))
    assert pair.gets() == []
    assert pair.says(talked(subprotocol, "Core.Supports.Set", '["Char 1"]')) == [PackagesWanted()]
    pair.wire.show(held(2, Text("", gmcp=("Char.Vitals", b'{"hp":2}'))))
    pair.wire.show(held(3, Text("", gmcp=("Room.Info", b'{"num":3}'))))
    expected = 'Char.Vitals {"hp":2}' if subprotocol == GMCP else talked(JSON, "Char.Vitals", '{"hp":2}')
    [vitals] = pair.gets()
    assert vitals == expected if subprotocol == GMCP else json.loads(vitals) == json.loads(expected)
    assert pair.says(talked(subprotocol, "Core.Ping")) == []
    [ping] = pair.gets()
    assert "Core.Ping" in ping
    [credentials] = pair.says(talked(subprotocol, "Char.Login.Credentials", '{"account":"Ada","password":"hunter22"}'))
    assert isinstance(credentials, Credentials)
    assert (credentials.name, credentials.password.reveal()) == ("Ada", "hunter22")


def test_the_data_of_an_envelope_may_be_json_itself() -> None:
    """The page says a string with JSON in it; clients that send an object are understood as well."""
    pair = Pair(JSON)
    assert pair.says('{"proto":"GMCP","id":"Core.Hello","data":{"client":"x","version":"1"}}') == [ToldMore()]
    assert pair.wire.told.client == "x 1"


@pytest.mark.parametrize(
    "message",
    [
        '{"proto":"telnet_31","id":"NAWS","data":"AFAAGA=="}',
        '{"proto":"gmcp"}',
        '{"id":"Core.Ping"}',
        '{"proto":"gmcp","id":"Core.Hello","data":"{"}',
        '{"proto":"gmcp","id":"Core.Hello","data":' + "[" * 3000 + "]" * 3000 + "}",
        "[" * 16000,
        "look",
        "",
    ],
)
def test_an_envelope_that_means_nothing_here_is_passed_over(message: str) -> None:
    """Other protocols, and what is no envelope, change nothing."""
    pair = Pair(JSON)
    assert pair.says(message) == []
    assert pair.gets() == []
    assert pair.is_open


@pytest.mark.parametrize(("subprotocol", "count"), [(TERMINAL, 0), (GMCP, 1), (JSON, 1)])
def test_the_end_has_a_word_where_gmcp_is_spoken(subprotocol: str, count: int) -> None:
    """Core.Goodbye says why; the close code is 4001 for all."""
    pair = Pair(subprotocol)
    pair.wire.note(Bye("You play from elsewhere now."))
    pair.wire.close()
    received = pair.gets()
    assert len(received) == count
    assert all("Core.Goodbye" in message for message in received)
    assert pair.closed == (4001, "You play from elsewhere now.")


def test_texts_and_gmcp_keep_their_order() -> None:
    """What the room said first arrives first."""
    pair = Pair(GMCP)
    pair.says('Core.Supports.Set ["Char 1"]')
    pair.wire.show(held(1, Text("It bites.\n")))
    pair.wire.show(held(2, Text("", gmcp=("Char.Vitals", b'{"hp":3}'))))
    pair.wire.show(held(3, Text("You bleed.\n")))
    assert pair.gets() == [b"It bites.\r\n", 'Char.Vitals {"hp":3}', b"You bleed.\r\n"]


@given(st.sampled_from(MUDSTANDARDS), st.lists(st.text(max_size=80) | st.binary(max_size=80), max_size=20))
def test_no_message_raises_anything_but_broken(subprotocol: str, messages: list[str | bytes]) -> None:
    """Whatever is said (FM-79)."""
    speech = MudSpeech(subprotocol, "")
    speech.begin()
    codes = set()
    for message in messages:
        try:
            speech.receive(message)
        except Broken as broken:
            codes.add(broken.code)
        speech.end_burst()
        speech.take()
    assert codes <= {1007}
