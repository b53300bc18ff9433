"""The telnet wire: what a client told, in which encoding it is spoken to, its prompts, its packages, its state."""

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.gateway.look import (
    MTTS_256,
    MTTS_ANSI,
    MTTS_MNES,
    MTTS_PROXY,
    MTTS_SCREENREADER,
    MTTS_TLS,
    MTTS_TRUECOLOUR,
    MTTS_UTF8,
    MTTS_VT100,
    Settings,
    Told,
    look_of,
)
from perdure.gateway.telnet.codes import (
    AYT,
    CHARSET,
    DO,
    DONT,
    EC,
    ECHO,
    EOR,
    EOR_MARK,
    GA,
    GMCP,
    IAC,
    IP,
    MSSP,
    NAWS,
    NEW_ENVIRON,
    NOP,
    SB,
    SE,
    SGA,
    TTYPE,
    WILL,
    WONT,
)
from perdure.gateway.telnet.state import Typed
from perdure.gateway.telnet.wire import TelnetWire, TelnetWireState
from perdure.gateway.terminal.screen import MORE_PROMPT
from perdure.gateway.wire import (
    ASIDES_PER_LINE,
    Bye,
    ClientEvent,
    Credentials,
    EncodingFellBack,
    Ended,
    Held,
    Interrupt,
    Line,
    Opened,
    PackagesWanted,
    ToldMore,
    Took,
    Wire,
)
from perdure.room.record import Text

PASSWORD = "correct horse"


def command(*codes: int) -> bytes:
    return bytes((IAC, *codes))


def subnegotiation(option: int, body: bytes) -> bytes:
    return command(SB, option) + body.replace(b"\xff", b"\xff\xff") + command(SE)


def status() -> Mapping[str, str | list[str]]:
    return {"NAME": "Dune", "PLAYERS": "3"}


def begun(playing: bool = True) -> TelnetWire:
    """A wire that has made its offers, with somebody who plays."""
    wire = TelnetWire(status)
    wire.begin()
    wire.playing = playing
    wire.data_to_send()
    return wire


def shown(wire: Wire, text: str = "", **other: Any) -> bytes:
    """What the client gets for a text, or for something else, at the end of a burst."""
    wire.show(Held(1, 1, 1, Text(text, **other)))
    wire.end_burst()
    return wire.data_to_send()


def gmcp(message: str) -> bytes:
    return subnegotiation(GMCP, message.encode())


def mtts(value: int) -> bytes:
    """A client with MTTS, as it answers when it is asked for its terminal types."""
    names = [b"MUDLET", b"XTERM-256COLOR", b"MTTS %d" % value, b"MTTS %d" % value]
    return command(WILL, TTYPE) + b"".join(subnegotiation(TTYPE, b"\x00" + name) for name in names)


def environ(**variables: str) -> bytes:
    """IS, with MNES variables."""
    body = "".join(f"\0{name}\1{value}" for name, value in variables.items())
    return command(WILL, NEW_ENVIRON) + subnegotiation(NEW_ENVIRON, b"\0" + body.encode())


def test_somebody_is_there_at_once() -> None:
    """Telnet needs no handshake before a greeting."""
    wire: Wire = TelnetWire(status)
    assert wire.begin() == [Opened()]
    assert wire.data_to_send().startswith(command(DO, NAWS))
    assert (wire.transport, wire.acknowledges, wire.told) == ("telnet", False, Told())


# --- what the client told ---


@pytest.mark.parametrize(
    "value",
    [MTTS_ANSI, MTTS_VT100, MTTS_UTF8, MTTS_256, MTTS_SCREENREADER, MTTS_PROXY, MTTS_TRUECOLOUR, MTTS_MNES, MTTS_TLS],
)
def test_mtts_values_are_what_the_standard_says(value: int) -> None:
    """They add up: ANSI, VT100, UTF-8, 256 colours, listening, proxy, truecolour, MNES, TLS."""
    assert value in (1, 2, 4, 8, 64, 128, 256, 512, 2048)
    wire = begun()
    assert ToldMore() in wire.receive(mtts(value))
    assert wire.told.mtts == value
    assert wire.told.screenreader is (value == 64)


def test_the_names_of_an_mtts_client_are_its_own_and_its_terminals() -> None:
    """First the client, then the terminal, then what it can do (RFC 1091, MTTS)."""
    wire = begun()
    wire.receive(mtts(2349))
    assert (wire.told.client, wire.told.terminal, wire.told.mtts) == ("MUDLET", "XTERM-256COLOR", 2349)


def test_a_client_that_names_its_terminals_anew_has_told_none_until_then() -> None:
    """A wire that moves in between knows no more and no less than one that stays (FM-5)."""
    wire = begun()
    list(wire.receive(command(WILL, TTYPE) + subnegotiation(TTYPE, b"\0VT100") + command(WONT, TTYPE)))
    assert wire.told.terminal == "VT100"
    assert list(wire.receive(command(WILL, TTYPE))) == [ToldMore()]
    assert wire.told.terminal == moved(wire).told.terminal == ""


def test_a_plain_telnet_client_names_only_its_terminal() -> None:
    """Linux telnet says the same name again (RFC 1091)."""
    wire = begun()
    name = subnegotiation(TTYPE, b"\x00xterm-256color")
    assert wire.receive(command(WILL, TTYPE) + name + name) == [ToldMore()]
    assert (wire.told.client, wire.told.terminal) == ("", "xterm-256color")


@pytest.mark.parametrize(
    ("said", "colours"),
    [
        (b"", 16),
        (mtts(MTTS_ANSI), 256),  # its terminal's name says more
        (mtts(MTTS_TRUECOLOUR), 16_777_216),
        (command(WILL, TTYPE) + subnegotiation(TTYPE, b"\0xterm-256color"), 256),
        (command(WILL, TTYPE) + subnegotiation(TTYPE, b"\0xterm-truecolor"), 16_777_216),
        (command(WILL, TTYPE) + subnegotiation(TTYPE, b"\0vt100"), 16),
        (environ(**{"256_COLORS": "1"}), 256),
        (environ(TRUECOLOR="1"), 16_777_216),
        (mtts(MTTS_TRUECOLOUR) + environ(TRUECOLOR="0", TERMINAL_TYPE="XTERM"), 16),
    ],
)
def test_colours_follow_from_mtts_the_terminals_name_or_a_variable(said: bytes, colours: int) -> None:
    """A variable of its own is the newest word."""
    wire = begun()
    wire.receive(said)
    assert look_of(wire.told, wire.settings).colours == colours


def test_mnes_variables_name_the_client_and_what_it_can_do() -> None:
    """CLIENT_NAME, CLIENT_VERSION, TERMINAL_TYPE, MTTS, CHARSET; and Mudlet's for reading aloud and for links."""
    wire = begun()
    wire.receive(environ(CLIENT_NAME="MUDLET", CLIENT_VERSION="4.17", TERMINAL_TYPE="ANSI", MTTS="13", CHARSET="ASCII"))
    assert wire.told == Told(client="MUDLET 4.17", terminal="ANSI", mtts=13, utf8=True, charset="ascii")
    wire.receive(environ(SCREEN_READER="1", OSC_HYPERLINKS_SEND="1"))
    assert (wire.told.screenreader, wire.told.links, wire.told.mtts) == (True, True, 13 | 64)


def test_the_window_is_told_when_it_changes() -> None:
    """NAWS (RFC 1073); 0 is unsaid, so nothing is wrapped to it."""
    wire = begun()
    assert wire.receive(command(WILL, NAWS) + subnegotiation(NAWS, b"\0\x50\0\0") * 2) == [ToldMore()]
    assert (wire.told.columns, wire.told.rows) == (80, 0)
    assert shown(wire, "word " * 20 + "\n").count(b"\r\n") == 2


def test_core_hello_names_the_client_best() -> None:
    """With its version."""
    wire = begun()
    said = mtts(1) + command(DO, GMCP) + gmcp('Core.Hello {"client":"Mudlet","version":"4.17.2"}')
    assert wire.receive(said)[-1] == ToldMore()
    assert wire.told.client == "Mudlet 4.17.2"


def test_what_changes_nothing_is_no_news() -> None:
    """A session is not troubled for a name that repeats."""
    wire = begun()
    hello = gmcp('Core.Hello {"client":"Mudlet"}')
    wire.receive(command(DO, GMCP) + hello)
    assert wire.receive(hello + environ(CLIENT_NAME="MUDLET")) == []


# --- encodings ---


def test_utf8_is_spoken_to_a_client_that_says_nothing() -> None:
    """And understood."""
    wire = begun()
    assert wire.receive("say höhö 猫\r\n".encode()) == [Line("say höhö 猫")]
    assert shown(wire, "höhö 猫\n") == "höhö 猫\r\n".encode()


def test_a_line_that_is_not_utf8_turns_the_session_to_latin_1() -> None:
    """That line is read as Latin-1 already, what follows is written so, and byte 255 is doubled (FM-80, RFC 854)."""
    wire = begun()
    assert wire.receive(b"say h\xf6h\xff\xff\r\n") == [ToldMore(), EncodingFellBack(), Line("say höhÿ")]
    assert wire.told.invalid_utf8
    assert wire.receive("höhö".encode("latin-1") + b"\r\n") == [Line("höhö")]
    assert shown(wire, "höÿ — 猫\n") == b"h\xf6\xff\xff - Mao\r\n"


def test_a_line_of_utf8_turns_the_session_back() -> None:
    """One bad byte in a paste spoils one line; the player is told of the fall-back the first time only (FM-80)."""
    wire = begun()
    assert wire.receive(b"say caf\xe9\r\n")[1:] == [EncodingFellBack(), Line("say café")]
    assert wire.receive(b"look\r\n") == [Line("look")]
    assert wire.told.invalid_utf8
    line = "say Zoë 😀 “all” – of this"
    assert wire.receive(f"{line}\r\n".encode()) == [ToldMore(), Line(line)]
    assert shown(wire, "猫\n") == "猫\r\n".encode()
    assert wire.receive(b"say caf\xe9\r\n") == [ToldMore(), Line("say café")]


@pytest.mark.parametrize("agreed", [command(DO, CHARSET) + subnegotiation(CHARSET, b"\x02ISO-8859-1"), b""])
def test_an_agreed_or_chosen_latin_1_is_read_as_nothing_else(agreed: bytes) -> None:
    """What looks like UTF-8 is not."""
    wire = begun()
    wire.receive(agreed)
    if not agreed:
        wire.settings = Settings(encoding="latin-1")
    assert wire.receive("Ã¶".encode("latin-1") + b"\r\n") == [Line("Ã¶")]


def test_an_encoding_that_is_chosen_anew_forgets_what_was_sent_before() -> None:
    """`set encoding auto` is the way back to where the connection began."""
    wire = begun()
    wire.receive(b"say caf\xe9\r\n")
    wire.expect_utf8()
    assert not wire.told.invalid_utf8
    assert shown(wire, "猫\n") == "猫\r\n".encode()
    assert EncodingFellBack() in wire.receive(b"say caf\xe9\r\n")


def test_latin_1_is_read_as_windows_writes_it_and_written_as_iso_8859_1() -> None:
    """Quotes, dashes and the euro are letters, what has no letter is gone alone, and no C1 control goes out (FM-83)."""
    wire = begun()
    wire.settings = Settings(encoding="latin-1")
    typed = b"say it\x92s \x93fine\x94 \x96 \x9eivot \x80 5 \x81\x8d\x8f\x90\x9drest\r\n"
    assert wire.receive(typed) == [Line("say it’s “fine” – život € 5 rest")]
    sent = shown(wire, "it’s “fine” – život € 5\n")
    assert not any(0x80 <= byte < 0xA0 for byte in sent)
    assert sent.startswith(b'it\'s "fine" - zivot ')


def test_text_is_shown_by_no_event() -> None:
    """A line may be a password, from its bytes to the game (FM-96)."""
    assert "hunter2" not in repr(Line("hunter2", 3)) + repr(Typed(b"hunter2")) + f"{[Line('hunter2')]}"


# --- what is still to be told ---


def settled(wire: Wire) -> bool:
    """Whether nothing is on its way, just now."""
    return wire.settled


def test_a_bare_socket_has_told_all_there_is() -> None:
    """Nothing is on its way from who negotiates nothing."""
    wire = begun()
    assert settled(wire)
    wire.receive(b"guest\r\n")
    assert settled(wire)


def test_a_client_is_settled_once_its_types_and_its_environment_are_there() -> None:
    """Who listens says so by MTTS, which comes last; each answer is waited for, a refusal is one."""
    wire = begun()
    wire.receive(command(WILL, NAWS))
    assert not settled(wire)
    wire.receive(command(WILL, TTYPE) + command(WILL, NEW_ENVIRON))
    for name in (b"TINTIN++", b"xterm", b"MTTS 64"):
        wire.receive(subnegotiation(TTYPE, b"\0" + name))
        assert not settled(wire)
    wire.receive(subnegotiation(TTYPE, b"\0MTTS 64"))
    assert not settled(wire)
    assert not settled(moved(wire))
    wire.receive(subnegotiation(NEW_ENVIRON, b"\0"))
    assert settled(wire)
    assert wire.told.screenreader


def test_a_client_that_refuses_both_is_settled() -> None:
    """There is nothing to wait for, also where it takes its word back."""
    wire = begun()
    wire.receive(command(WONT, TTYPE))
    assert not settled(wire)
    wire.receive(command(WONT, NEW_ENVIRON))
    assert settled(wire)
    wire.receive(command(WILL, TTYPE))
    assert not settled(wire)
    wire.receive(command(WONT, TTYPE))
    assert settled(wire)


@pytest.mark.parametrize("agreed", [command(DO, CHARSET) + subnegotiation(CHARSET, b"\x02UTF-8"), b""])
def test_an_agreed_or_chosen_encoding_outlasts_invalid_bytes(agreed: bytes) -> None:
    """Then they are somebody's mistake, and become U+FFFD."""
    wire = begun()
    wire.receive(agreed)
    wire.data_to_send()
    if not agreed:
        wire.settings = Settings(encoding="utf-8")
    assert wire.receive(b"h\xf6h\r\n")[-1] == Line("h\ufffdh")
    assert shown(wire, "höhö\n") == "höhö\r\n".encode()


@pytest.mark.parametrize(
    ("charset", "written"),
    [(b"UTF-8", "żółw\r\n".encode()), (b"ISO-8859-1", "zólw\r\n".encode("latin-1")), (b"US-ASCII", b"zolw\r\n")],
)
def test_text_is_written_in_the_charset_that_was_agreed(charset: bytes, written: bytes) -> None:
    """RFC 2066; letters that it has not are written with those that it has."""
    wire = begun()
    assert wire.receive(mtts(MTTS_UTF8) + command(DO, CHARSET) + subnegotiation(CHARSET, b"\x02" + charset))
    wire.data_to_send()
    assert shown(wire, "żółw\n") == written


def test_what_the_player_set_counts_more_than_charset_and_that_more_than_mtts() -> None:
    """MTTS 4, then CHARSET, then `set encoding`."""
    wire = begun()
    wire.receive(mtts(MTTS_UTF8) + command(DO, CHARSET) + subnegotiation(CHARSET, b"\x02ISO-8859-1"))
    wire.data_to_send()
    assert shown(wire, "ö\n") == b"\xf6\r\n"
    wire.settings = Settings(encoding="ascii")
    assert shown(wire, "ö\n") == b"o\r\n"
    wire.settings = Settings()
    assert shown(wire, "ö\n") == b"\xf6\r\n"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (mtts(267), b"Zoe - Mao\r\n"),  # TinTin++ after `#config charset ascii`
        (mtts(267 | MTTS_UTF8), "Zoë — 猫\r\n".encode()),
        (environ(MTTS="267"), b"Zoe - Mao\r\n"),
        (mtts(267) + environ(**{"UTF-8": "1"}), "Zoë — 猫\r\n".encode()),
        (environ(**{"UTF-8": "0"}), b"Zoe - Mao\r\n"),
        (environ(SCREEN_READER="1", ANSI="1"), "Zoë — 猫\r\n".encode()),  # a variable of its own is no sum
        (mtts(0), "Zoë — 猫\r\n".encode()),
        (mtts(267) + command(DO, CHARSET) + subnegotiation(CHARSET, b"\x02UTF-8"), "Zoë — 猫\r\n".encode()),
    ],
)
def test_a_client_that_says_it_has_no_utf8_is_sent_ascii_unless_it_agrees_to_more(said: bytes, written: bytes) -> None:
    """MTTS 4, then CHARSET; who does not say has what nearly every client has."""
    wire = begun()
    wire.receive(said)
    wire.data_to_send()
    assert shown(wire, "Zoë — 猫\n") == written
    wire.settings = Settings(encoding="latin-1")
    assert shown(wire, "Zoë — 猫\n") == b"Zo\xeb - Mao\r\n"


def test_a_client_without_utf8_that_types_latin_1_is_sent_latin_1() -> None:
    """What it shows itself to be counts more than what it says."""
    wire = begun()
    wire.receive(mtts(267) + b"say h\xf6h\r\n")
    wire.data_to_send()
    assert shown(wire, "höhö\n") == b"h\xf6h\xf6\r\n"


def test_a_client_set_to_ascii_is_still_understood() -> None:
    """It may type what it cannot show."""
    wire = begun()
    wire.settings = Settings(encoding="ascii")
    assert wire.receive("hö\r\n".encode())[-1] == Line("hö")
    assert wire.receive(b"h\xf6\r\n")[-1] == Line("hö")


# --- prompts ---


def test_a_prompt_ends_with_go_ahead_and_a_text_does_not() -> None:
    """RFC 854, GA: the client may show the unfinished line (FM-6)."""
    wire = begun()
    assert shown(wire, "Rain falls.\n") == b"Rain falls.\r\n"
    assert shown(wire, "", prompt="> ") == b"> " + command(GA)
    assert shown(wire, "Rain falls.\n") == b"\r\nRain falls.\r\n> " + command(GA)


def test_what_follows_a_hidden_line_begins_on_a_new_one() -> None:
    """The client was asked to show nothing of it, so it did not end the prompt's line either (RFC 857)."""
    wire = begun()
    shown(wire, "", prompt="Password: ")
    wire.hide_input(True)
    assert wire.receive(b"secret1\r\n") == [Line("secret1")]
    wire.hide_input(False)
    wire.data_to_send()
    assert shown(wire, "Welcome.\n").startswith(b"\r\nWelcome.\r\n")
    assert wire.receive(b"look\r\n") == [Line("look")]
    assert shown(wire, "Nothing.\n").startswith(b"Nothing.\r\n")


def test_end_of_record_is_sent_instead_where_it_is_negotiated() -> None:
    """RFC 885; and neither where Go Ahead is suppressed (RFC 858)."""
    wire = begun()
    wire.receive(command(DO, EOR))
    assert shown(wire, "", prompt="> ") == b"> " + command(EOR_MARK)
    wire.receive(command(DONT, EOR) + command(DO, SGA))
    wire.data_to_send()
    assert shown(wire, "", prompt=">> ") == b"\r\n>> "


def test_the_mark_can_be_switched_off() -> None:
    """`set goahead off`, for terminals that show it."""
    wire = begun()
    wire.settings = Settings(goahead=False)
    assert shown(wire, "", prompt="> ") == b"> "


def test_a_page_that_enter_brings_ends_with_its_own_prompt() -> None:
    """The line is the pager's and no event, and nobody else would end the burst."""
    wire = begun()
    wire.receive(command(WILL, NAWS) + subnegotiation(NAWS, b"\0\x50\0\x0a"))
    more = MORE_PROMPT.encode() + command(GA)
    assert shown(wire, "".join(f"{n}\n" for n in range(25))).endswith(b"8\r\n" + more)
    assert wire.receive(b"\r\n") == []
    assert wire.data_to_send().endswith(b"17\r\n" + more)
    assert wire.receive(b"look\r\n") == [Line("look")]


def test_only_what_is_no_line_counts_as_an_aside_and_a_page_as_a_lines_worth_of_them() -> None:
    """A line that the pager takes is seen by nobody else who could count it (FM-82)."""
    wire = begun()
    wire.receive(b"look\r\n" + b"north\n" + b"east\r\0")
    assert wire.asides() == 0
    wire.receive(command(WILL, NAWS) + subnegotiation(NAWS, b"\0\x50\0\x0a") + b"sou")
    assert wire.asides() == 3
    wire.receive(b"th\r\n")
    shown(wire, "".join(f"{n}\n" for n in range(25)))
    wire.receive(b"\r\n")
    assert (wire.asides(), wire.asides()) == (ASIDES_PER_LINE, 0)


# --- packages ---


def test_a_package_goes_to_who_supports_it_one_a_message() -> None:
    """GMCP, one package per message; nothing before Core.Supports."""
    wire = begun()
    wire.receive(command(DO, GMCP))
    vitals = ("Char.Vitals", b'{"hp":20}')
    assert shown(wire, gmcp=vitals) == b""
    assert wire.receive(gmcp('Core.Supports.Set ["Char 1"]')) == [PackagesWanted()]
    assert shown(wire, gmcp=vitals) == gmcp('Char.Vitals {"hp":20}')
    assert shown(wire, gmcp=("Room.Info", b"{}")) == b""


def test_a_client_without_gmcp_gets_no_package() -> None:
    """Not even one that always goes out."""
    assert shown(begun(), gmcp=("Core.Goodbye", b'"x"')) == b""


def test_ping_is_answered() -> None:
    """Core.Ping, without a body."""
    wire = begun()
    assert wire.receive(command(DO, GMCP) + gmcp("Core.Ping 120") + gmcp("Core.KeepAlive")) == []
    assert wire.data_to_send() == gmcp("Core.Ping")


def test_credentials_are_an_event_and_never_shown() -> None:
    """The password is in a Secret from its first event on, and nowhere afterwards (FM-96)."""
    wire = begun()
    login = gmcp(f'Char.Login.Credentials {{"account":"Ada","password":"{PASSWORD}"}}')
    wire.receive(command(DO, GMCP) + login[:-5])
    assert PASSWORD not in repr(wire.state())
    (event,) = wire.receive(login[-5:])
    assert isinstance(event, Credentials)
    assert event.password.reveal() == PASSWORD
    assert PASSWORD not in repr(event) + repr(wire.state())
    assert PASSWORD.encode() not in msgspec.json.encode(wire.state()) + msgspec.msgpack.encode(wire.state())


def test_a_goodbye_is_said_in_gmcp_too() -> None:
    """Core.Goodbye; telnet has no word for other notes."""
    wire = begun()
    wire.receive(command(DO, GMCP))
    wire.note(Took(3))
    wire.note(Bye('The "end".'))
    assert wire.data_to_send() == gmcp('Core.Goodbye "The \\"end\\"."')


# --- the rest of telnet ---


def test_status_is_answered_by_the_wire_alone() -> None:
    """MSSP needs no login and no room."""
    wire = begun()
    assert wire.receive(command(DO, MSSP)) == []
    assert wire.data_to_send() == subnegotiation(MSSP, b"\x01NAME\x02Dune\x01PLAYERS\x023")


def test_are_you_there_is_answered_on_a_line_of_its_own() -> None:
    """RFC 854 wants visible evidence; what comes next begins where the cursor stands."""
    wire = begun()
    shown(wire, "", prompt="> ")
    assert wire.receive(command(AYT)) == []
    assert wire.data_to_send() == b"\r\n[Yes]\r\n"
    assert shown(wire, "Rain falls.\n") == b"Rain falls.\r\n> " + command(GA)


def test_hidden_input_is_echo_taken_over() -> None:
    """RFC 857."""
    wire = begun()
    wire.hide_input(True)
    wire.receive(command(DO, ECHO))
    wire.hide_input(False)
    assert wire.data_to_send() == command(WILL, ECHO) + command(WONT, ECHO)


def test_nop_keeps_only_telnet_clients_awake() -> None:
    """RFC 854, NOP."""
    wire = begun()
    wire.keepalive()
    wire.receive(command(WILL, NAWS))
    wire.keepalive()
    assert wire.data_to_send() == command(NOP)


def test_an_interrupt_and_a_broken_bound_are_passed_on() -> None:
    """The gateway knows what to do about them (FM-80)."""
    wire = begun()
    assert wire.receive(command(IP)) == [Interrupt()]
    (event,) = wire.receive(command(SB, NAWS) + b"x" * 9000)
    assert type(event) is Ended
    assert wire.receive(b"look\r\n") == []


def test_what_was_told_is_not_worked_out_again_for_a_line() -> None:
    """It is the same value, line after line: a thousand clients type more often than they resize."""
    wire = begun()
    wire.receive(mtts(2349))
    before = wire.told
    wire.receive(b"look\r\n" * 3)
    assert wire.told is before


# --- whole clients ---

INETUTILS = (
    command(WILL, NAWS) + subnegotiation(NAWS, b"\0d\0\x1e") + command(WILL, TTYPE) + command(WILL, NEW_ENVIRON)
    + command(DONT, EOR) + command(DONT, CHARSET) + command(DONT, MSSP) + command(DONT, GMCP)
    + subnegotiation(TTYPE, b"\0XTERM-256COLOR") + subnegotiation(NEW_ENVIRON, b"\0\0DISPLAY\1localhost:7")
    + subnegotiation(TTYPE, b"\0XTERM-256COLOR") + b"ada\r\n"
)  # fmt: skip
"""Recorded from GNU inetutils telnet 2.4."""
TELNETLIB3 = (
    command(WILL, NAWS) + subnegotiation(NAWS, b"\0Z\0\x19") + command(WILL, TTYPE) + command(WILL, NEW_ENVIRON)
    + command(DO, EOR) + command(DO, CHARSET) + command(DONT, MSSP) + command(DO, GMCP)
    + gmcp('Core.Hello {"client":"telnetlib3","version":"5.0.1"}')
    + gmcp('Core.Supports.Set ["char 1","char.vitals 1","room 1","room.info 1","comm 1","comm.channel 1","group 1"]')
    + subnegotiation(TTYPE, b"\0xterm-256color")
    + subnegotiation(NEW_ENVIRON, b"\0\0LANG\1en_US.utf8\0TERM\1xterm-256color\0LINES\00125\0COLORTERM\1")
    + subnegotiation(CHARSET, b"\2UTF-8") + subnegotiation(TTYPE, b"\0xterm-256color") + b"ada\r\n"
)  # fmt: skip
"""Recorded from telnetlib3 5.0.1."""
MUDLET = (
    mtts(2349) + command(WILL, NAWS) + subnegotiation(NAWS, b"\0\x8c\0\x30") + command(DO, EOR) + command(DO, MSSP)
    + environ(CLIENT_NAME="MUDLET", CHARSET="ASCII", OSC_HYPERLINKS_SEND="1") + command(DO, CHARSET)
    + subnegotiation(CHARSET, b"\2UTF-8") + command(DO, GMCP)
    + gmcp('Core.Hello { "client": "Mudlet", "version": "4.17.2" }')
    + gmcp('Core.Supports.Set [ "Char 1", "Char.Skills 1", "Char.Items 1", "Room 1", "Char.Login 1"]') + b"ada\r\n"
)  # fmt: skip
"""As Mudlet's manual describes it; not recorded."""
TINTIN = (
    command(WILL, NAWS) + subnegotiation(NAWS, b"\0\x50\0\x18") + command(WILL, TTYPE) + command(WILL, NEW_ENVIRON)
    + command(DO, EOR) + command(DO, CHARSET) + command(DONT, GMCP) + subnegotiation(TTYPE, b"\0TINTIN++")
    + subnegotiation(CHARSET, b"\2UTF-8") + subnegotiation(TTYPE, b"\0xterm-256color")
    + subnegotiation(TTYPE, b"\0MTTS 271") + subnegotiation(TTYPE, b"\0MTTS 271")
    + subnegotiation(NEW_ENVIRON, b"\0\0CHARSET\1UTF-8\0CLIENT_NAME\1TinTin++\0CLIENT_VERSION\0012.02.20 "
                                  b"\0MTTS\001783\0TERMINAL_TYPE\1xterm") + b"ada\r\n"
)  # fmt: skip
"""Recorded from TinTin++ 2.02.20, which is silent about MSSP."""
CLIENTS = {
    "inetutils": (INETUTILS, Told(100, 30, terminal="XTERM-256COLOR")),
    "telnetlib3": (TELNETLIB3, Told(90, 25, "telnetlib3 5.0.1", "xterm-256color", charset="utf-8")),
    "mudlet": (MUDLET, Told(140, 48, "Mudlet 4.17.2", "XTERM-256COLOR", 2349, True, "utf-8", links=True)),
    "tintin": (TINTIN, Told(80, 24, "TinTin++ 2.02.20", "xterm", 783, True, "utf-8")),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_real_clients_greeting_is_understood_moved_at_every_byte(name: str) -> None:
    """All that it says of itself is told, however it comes, and its first line is its first line (FM-5)."""
    stream, told = CLIENTS[name]
    alone, carried = begun(), begun()
    expected = alone.receive(stream)
    events: list[ClientEvent] = []
    for byte in stream:
        carried = moved(carried)
        events += carried.receive(bytes((byte,)))
    assert carried.told == alone.told == told
    assert events == expected
    assert events[-1] == Line("ada")
    assert carried.data_to_send() == alone.data_to_send()


# --- any bytes, any boundary ---

PIECES = [
    INETUTILS,
    TELNETLIB3,
    MUDLET,
    TINTIN,
    *(command(verb, option) for verb in (WILL, WONT) for option in (NAWS, TTYPE, NEW_ENVIRON, CHARSET, 34, 86)),
    *(command(verb, option) for verb in (DO, DONT) for option in (ECHO, SGA, EOR, CHARSET, MSSP, GMCP, 34, 86)),
    mtts(2349),
    mtts(MTTS_SCREENREADER),
    environ(CLIENT_NAME="MUDLET", CHARSET="UTF-8", SCREEN_READER="1"),
    subnegotiation(NAWS, b"\0\x50\0\x18"),
    subnegotiation(NAWS, b"\xff\xff\0\x06"),
    subnegotiation(NEW_ENVIRON, b"\x02\0SCREEN_READER\x010"),
    subnegotiation(CHARSET, b"\x02ISO-8859-1"),
    subnegotiation(CHARSET, b"\x01;UTF-8"),
    gmcp('Core.Hello {"client":"Mudlet","version":"4.17"}'),
    gmcp('Core.Supports.Set ["Char 1","Char.Login 1","Room 1"]'),
    gmcp('Core.Supports.Remove ["Room"]'),
    gmcp("Core.Ping 3"),
    gmcp('Char.Login.Credentials {"account":"Ada","password":"correct horse"}'),
    gmcp("Core.Hello {"),
    command(SB, GMCP) + b"\xff\xff\xff",
    command(AYT),
    command(IP),
    command(EC),
    b"look\r\n",
    "say höhö\r\n".encode(),
    b"say h\xf6h\xff\xff\r\n",
    b"\r\n",
    b"\r\0",
    b"\n",
    b"q\n",
    b"\xff",
    b"x" * 3000,
]
STREAMS = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=20).map(b"".join)


def moved(wire: TelnetWire) -> TelnetWire:
    """The wire as another process gets it: through JSON and msgpack."""
    by_json = msgspec.json.decode(msgspec.json.encode(wire.state()), type=TelnetWireState)
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(by_json), type=TelnetWireState)
    return TelnetWire.from_state(state, status)


def comparable(events: list[ClientEvent]) -> list[object]:
    """Secrets are never equal, so that they are compared only here."""
    return [(event.name, event.password.reveal()) if isinstance(event, Credentials) else event for event in events]


def outputs(wire: TelnetWire, *, hidden: bool = False) -> None:
    """Something of each kind for the client; `hidden`: it is asked for a password from here."""
    wire.hide_input(hidden)
    wire.show(Held(1, 1, 1, Text("Rain falls, ü ÿ 猫.\n" * 9)))
    wire.show(Held(2, 1, 2, Text("", gmcp=("Char.Vitals", b"{}"))))
    wire.show(Held(3, 1, 3, Text("", prompt="> ")))
    wire.end_burst()
    wire.keepalive()


@settings(deadline=None)
@given(STREAMS, st.lists(st.integers(min_value=0, max_value=3000), max_size=6), st.booleans())
def test_moving_at_any_byte_changes_no_event_and_no_byte(stream: bytes, cuts: list[int], chosen: bool) -> None:
    """What is told, shown and asked goes on as if nothing had been (FM-5): encoding, pages, prompt, packages, echo."""
    alone, carried = begun(), begun()
    if chosen:
        alone.settings = carried.settings = Settings(encoding="latin-1", colours=256, wrap=40)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    expected: list[ClientEvent] = []
    events: list[ClientEvent] = []
    for (start, end), hidden in zip(itertools.pairwise(edges), itertools.cycle((True, False)), strict=False):
        expected += alone.receive(stream[start:end])
        outputs(alone, hidden=hidden)
        carried = moved(carried)
        events += carried.receive(stream[start:end])
        carried = moved(carried)
        outputs(carried, hidden=hidden)
    assert comparable(events) == comparable(expected)
    assert carried.told == alone.told
    assert carried.state() == alone.state()
    assert carried.data_to_send() == alone.data_to_send()


@settings(deadline=None)
@given(STREAMS, st.lists(st.integers(min_value=0, max_value=3000), max_size=6))
def test_how_much_comes_at_once_changes_no_event_and_no_byte(stream: bytes, cuts: list[int]) -> None:
    """Answers stand where they would have stood, and what is told is what was told by then (FM-5)."""
    alone, carried = begun(), begun()
    events: list[ClientEvent] = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        carried = moved(carried)
        events += carried.receive(stream[start:end])
    assert comparable(events) == comparable(alone.receive(stream))
    assert carried.state() == alone.state()
    assert carried.data_to_send() == alone.data_to_send()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(b"".join))
def test_moving_after_every_single_byte_changes_nothing(stream: bytes) -> None:
    """One byte at a time, each in another process, against all at once (FM-5)."""
    alone, carried = begun(), begun()
    events: list[ClientEvent] = []
    for byte in stream[:600]:
        carried = moved(carried)
        events += carried.receive(bytes((byte,)))
    assert comparable(events) == comparable(alone.receive(stream[:600]))
    assert carried.state() == alone.state()
    assert carried.data_to_send() == alone.data_to_send()


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    """Strangers send anything (FM-80)."""
    wire = begun()
    wire.receive(data)
    outputs(wire)
    wire.data_to_send()


def test_the_exported_state_is_independent_of_the_wire() -> None:
    """Going on with the wire does not change what was exported."""
    wire = begun()
    wire.receive(b"".join(PIECES[:30]))
    state = wire.state()
    kept = msgspec.msgpack.encode(state)
    wire.receive(command(DO, 1) + gmcp('Core.Supports.Add ["IRE 1"]') + b"xyz")
    assert msgspec.msgpack.encode(state) == kept
