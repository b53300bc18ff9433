"""The telnet machine: options, lines and bounds, without a socket."""

import itertools
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.gateway.telnet.codes import (
    AYT,
    CHARSET,
    DO,
    DONT,
    EC,
    ECHO,
    EL,
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
    RECEIVED,
    SB,
    SE,
    SGA,
    TTYPE,
    WILL,
    WONT,
    Q,
)
from perdure.gateway.telnet.machine import SUBNEGOTIATION_BYTES_MAX, Telnet
from perdure.gateway.telnet.negotiation import COMMANDS_MAX, NAMES_MAX, STATUS_COMMANDS, SUBNEGOTIATIONS_MAX
from perdure.gateway.telnet.state import AreYouThere, Changed, Gmcp, StatusAsked, TelnetEvent, TelnetState, Typed
from perdure.gateway.wire import LINE_BYTES_MAX, SIZE_MAX, Ended, Interrupt, LineTooLong

LINEMODE, STATUS, TIMING_MARK, MCCP2, MCCP3, MSP, MXP, ZMP, ATCP = 34, 5, 6, 86, 87, 90, 91, 93, 200


def command(*codes: int) -> bytes:
    return bytes((IAC, *codes))


def subnegotiation(option: int, body: bytes) -> bytes:
    return command(SB, option) + body.replace(b"\xff", b"\xff\xff") + command(SE)


def said(machine: Telnet, data: bytes) -> list[TelnetEvent]:
    """All that `data` means."""
    return list(machine.receive(data))


def size(machine: Telnet) -> tuple[int, int]:
    return machine.state().columns, machine.state().rows


def begun() -> Telnet:
    """A machine that has made its offers."""
    machine = Telnet()
    machine.begin()
    machine.data_to_send()
    return machine


# --- lines ---


@pytest.mark.parametrize("end", [b"\r\n", b"\r\x00", b"\n", b"\r"])
def test_every_line_end_that_clients_use_ends_exactly_one_line(end: bytes) -> None:
    """CR LF and CR NUL (RFC 854), LF of netcat, bare CR of old clients."""
    assert said(Telnet(), b"look" + end + b"go north" + end) == [Typed(b"look"), Typed(b"go north")]


def test_an_empty_line_is_a_line() -> None:
    """Games page with the return key alone."""
    assert said(Telnet(), b"\r\n\r\n") == [Typed(b""), Typed(b"")]


def test_nul_is_ignored_and_other_bytes_are_kept() -> None:
    """No game sees a NUL; what the others mean is for the wire to know (FM-80)."""
    assert said(Telnet(), b"a\x00b\xc3(\xff\xff\n") == [Typed(b"ab\xc3(\xff")]


@pytest.mark.parametrize("erase", [b"\x08", b"\x7f", command(EC)])
def test_erasing_takes_back_one_character_not_one_byte(erase: bytes) -> None:
    """Backspace after a two-byte character removes both bytes; at the start of a line it does nothing."""
    assert said(Telnet(), erase + "ö€é".encode() + erase + erase + b"x\n") == [Typed("öx".encode())]


def test_erasing_takes_back_one_byte_of_a_client_that_has_no_utf8() -> None:
    """The pound sign of Latin-1 could be the end of a sequence, but nothing in front of it begins one."""
    assert said(Telnet(), b"a\xa3\x08b\xc3\x08c\x08\x08\x08\x08d\n") == [Typed(b"d")]
    assert said(Telnet(), b"\xa3\xa3\xa3\x08\n") == [Typed(b"\xa3\xa3")]


def test_erase_line_forgets_the_line() -> None:
    """RFC 854, EL."""
    assert said(Telnet(), b"drop all" + command(EL) + b"look\n") == [Typed(b"look")]


def test_a_line_beyond_the_cap_is_refused_whole() -> None:
    """64 KiB without a line end become one refusal, never pieces of a line (FM-80)."""
    machine = Telnet()
    events = [event for _ in range(64) for event in said(machine, b"x" * 1024)]
    assert events == []
    assert len(machine.state().line) <= LINE_BYTES_MAX
    assert said(machine, b"tail\nlook\n") == [LineTooLong(), Typed(b"look")]


def test_a_line_of_exactly_the_cap_is_taken() -> None:
    """The cap counts bytes without the line end."""
    full = "x" * LINE_BYTES_MAX
    assert said(Telnet(), full.encode() + b"\n") == [Typed(full.encode())]


def test_interrupt_process_is_an_event_and_keeps_the_line() -> None:
    """Control-C of a line-mode client."""
    assert said(Telnet(), b"lo" + command(IP) + b"ok\n") == [Interrupt(), Typed(b"look")]


def test_are_you_there_is_an_event_and_keeps_the_line() -> None:
    """Where the cursor stands is for the wire to know."""
    machine = Telnet()
    assert said(machine, b"lo" + command(AYT) + b"ok\n") == [AreYouThere(), Typed(b"look")]
    assert machine.data_to_send() == b""


# --- options ---


def test_the_first_offers_ask_what_the_client_is_and_say_what_we_can_do() -> None:
    """SGA is not offered: Linux telnet would leave line mode for it. RFC 1073, 1091, 1572, 885, 2066."""
    machine = Telnet()
    machine.begin()
    asked = command(DO, NAWS) + command(DO, TTYPE) + command(DO, NEW_ENVIRON)
    assert machine.data_to_send() == asked + b"".join(command(WILL, each) for each in (EOR, CHARSET, MSSP, GMCP))


def test_an_agreed_option_is_not_acknowledged_again() -> None:
    """The Q method answers a change only, so two sides can't loop (FM-80)."""
    machine = begun()
    for _ in range(5):
        said(machine, command(WILL, NAWS) + command(DO, EOR))
    assert machine.data_to_send() == b""


def test_an_unknown_option_is_refused_each_time_it_is_offered() -> None:
    """RFC 854: what is not understood is declined."""
    machine = begun()
    said(machine, command(DO, 98) + command(WILL, 98) + command(WONT, 99) + command(DONT, 99))
    assert machine.data_to_send() == command(WONT, 98) + command(DONT, 98)


@pytest.mark.parametrize("option", [LINEMODE, STATUS, TIMING_MARK, MCCP2, MCCP3, MSP, MXP, ZMP, ATCP])
def test_linemode_compression_and_what_else_we_do_not_speak_is_refused_without_a_loop(option: int) -> None:
    """DO is answered by WONT and WILL by DONT, refusals by nothing, and no subnegotiation of it is read (FM-80).

    LINEMODE is RFC 1184, STATUS 859, TIMING-MARK 860. Compressed, a client's half-read stream could not be moved.
    """
    machine = begun()
    assert said(machine, command(DO, option) + subnegotiation(option, b"\x01\x03") + command(WILL, option)) == []
    assert machine.data_to_send() == command(WONT, option) + command(DONT, option)
    assert said(machine, command(DONT, option) + command(WONT, option) + b"look\r\n") == [Typed(b"look")]
    assert machine.data_to_send() == b""


def test_window_sizes_are_events_when_they_change() -> None:
    """NAWS, with a doubled 255 and the sizes clamped; 0 means unsaid (RFC 1073)."""
    machine = begun()
    said(machine, command(WILL, NAWS))
    assert said(machine, command(SB, NAWS) + b"\x00\xff\xff\x00\x32" + command(SE)) == [Changed()]
    assert size(machine) == (255, 50)
    assert said(machine, subnegotiation(NAWS, bytes((0, 255, 0, 50)))) == []
    assert said(machine, subnegotiation(NAWS, b"\xff\xff\x00\x00")) == [Changed()]
    assert size(machine) == (SIZE_MAX, 0)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x50\x00", b"\x00\x50\x00\x18\x00"])
def test_a_window_size_of_the_wrong_length_is_ignored(body: bytes) -> None:
    """No bytes make the machine raise (FM-80)."""
    machine = begun()
    assert said(machine, command(WILL, NAWS) + subnegotiation(NAWS, body)) == []


def test_a_subnegotiation_that_was_not_agreed_is_ignored() -> None:
    """A size without WILL NAWS, a terminal type that nobody asked for."""
    machine = Telnet()
    assert said(machine, subnegotiation(NAWS, b"\x00\x50\x00\x18") + subnegotiation(TTYPE, b"\x00x")) == []


def test_terminal_types_are_asked_for_until_one_repeats() -> None:
    """MTTS: client name, terminal, capabilities, then the last again (RFC 1091)."""
    machine = begun()
    said(machine, command(WILL, TTYPE))
    send = subnegotiation(TTYPE, b"\x01")
    names = ["MUDLET", "XTERM-256COLOR", "MTTS 2349"]
    for name in names:
        assert machine.data_to_send() == send
        assert said(machine, subnegotiation(TTYPE, b"\x00" + name.encode())) == [Changed()]
    said(machine, subnegotiation(TTYPE, b"\x00MTTS 2349"))
    assert machine.data_to_send() == send
    assert machine.state().names == names


def test_endless_different_terminal_types_are_not_asked_for() -> None:
    """A client that always has another name is asked a bounded number of times (FM-80)."""
    machine = begun()
    said(machine, command(WILL, TTYPE))
    for number in range(20):
        said(machine, subnegotiation(TTYPE, b"\x00T%d" % number))
    assert len(machine.state().names) == NAMES_MAX


def test_a_terminal_type_cannot_carry_escapes() -> None:
    """It is shown to operators (FM-83)."""
    machine = begun()
    said(machine, command(WILL, TTYPE))
    assert said(machine, subnegotiation(TTYPE, b"\x00\x1b[2Jxterm\x07")) == [Changed()]
    assert machine.state().names == ["[2Jxterm"]


def test_hiding_input_takes_the_echo_over_and_gives_it_back() -> None:
    """Passwords are typed with echo off."""
    machine = Telnet()
    machine.hide_input(True)
    said(machine, command(DO, ECHO))
    machine.hide_input(False)
    assert machine.data_to_send() == command(WILL, ECHO) + command(WONT, ECHO)


def test_a_client_that_never_answers_gets_its_echo_back_after_each_password() -> None:
    """Some obey WILL ECHO without a word: they are blind until WONT comes, and need another WILL the next time."""
    machine = Telnet()
    for _ in range(2):
        machine.hide_input(True)
        said(machine, b"correct horse\r\n")
        machine.hide_input(False)
        assert machine.data_to_send() == command(WILL, ECHO) + command(WONT, ECHO)


def test_nobody_is_promised_an_echo_but_while_input_is_hidden() -> None:
    """PuTTY asks for it on connecting: its players would type blind, as nothing is ever echoed (RFC 857)."""
    machine = begun()
    said(machine, command(DO, ECHO))
    assert machine.data_to_send() == command(WONT, ECHO)
    machine.hide_input(True)
    said(machine, command(DO, ECHO) * 2)
    assert machine.data_to_send() == command(WILL, ECHO)
    machine.hide_input(False)
    said(machine, command(DONT, ECHO))
    assert machine.data_to_send() == command(WONT, ECHO)


class EchoingClient:
    """A client that shows what is typed unless the server echoes, far away: what is sent waits until it is delivered.

    Args:
        asks: It asks for an echo at once, and takes the next word for the answer, as PuTTY does.
        agrees: Whether it lets the server echo.
        answers: Whether it says so.
    """

    def __init__(self, *, asks: bool, agrees: bool, answers: bool) -> None:
        self.agrees, self._asking, self._answers = agrees, asks, answers
        self.blind = False
        self.said = command(DO, ECHO) if asks else b""

    def hears(self, verb: int) -> None:
        asked, self._asking = self._asking, False
        before, self.blind = self.blind, verb == WILL and self.agrees
        if self._answers and not asked and (self.blind != before or (verb == WILL and not self.agrees)):
            self.said += command(DO if self.blind else DONT, ECHO)


@given(
    st.lists(st.sampled_from(["hide", "show", "to client", "to server"]), max_size=30),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_however_late_answers_come_the_client_is_blind_exactly_while_input_is_hidden(
    steps: list[str], asks: bool, agrees: bool, answers: bool
) -> None:
    """Both sides settle, without a loop: no answer can turn what was said last around (FM-80, FM-96)."""
    machine, client, hidden, heard = Telnet(), EchoingClient(asks=asks, agrees=agrees, answers=answers), False, b""
    for step in [*steps, *["to client", "to server"] * 40]:
        heard += machine.data_to_send()
        if step in ("hide", "show"):
            hidden = step == "hide"
            machine.hide_input(hidden)
        elif step == "to client" and heard:
            client.hears(heard[1])
            heard = heard[3:]
        elif step == "to server" and client.said:
            assert said(machine, client.said[:3]) == []
            client.said = client.said[3:]
    assert not machine.data_to_send() + heard + client.said
    assert client.blind is (hidden and agrees)


@pytest.mark.parametrize(
    ("options", "mark"),
    [
        (b"", command(GA)),
        (command(DO, SGA), b""),
        (command(DO, EOR), command(EOR_MARK)),
        (command(DO, SGA) + command(DO, EOR), command(EOR_MARK)),
        (command(DONT, EOR), command(GA)),
    ],
)
def test_a_prompt_ends_with_the_mark_that_was_agreed(options: bytes, mark: bytes) -> None:
    """Without it strict clients do not show the prompt (FM-6). RFC 885, else RFC 854, unless RFC 858."""
    machine = begun()
    said(machine, options)
    machine.data_to_send()
    machine.end_prompt()
    assert machine.data_to_send() == mark


def test_the_q_table_knows_every_state() -> None:
    """A state without a row would raise on some byte."""
    states = get_args(Q)
    assert {after for after, _ in RECEIVED.values()} <= set(states)
    assert set(RECEIVED) == {(state, yes) for state in states for yes in (True, False)} - {("no", True)}


# --- environment (RFC 1572) ---

VAR, VALUE, ESC, USERVAR = b"\x00", b"\x01", b"\x02", b"\x03"
IS, INFO = b"\x00", b"\x02"


def test_a_client_with_an_environment_is_asked_for_all_of_it() -> None:
    """SEND without names, but with both kinds, without which TinTin++ says nothing (RFC 1572)."""
    machine = begun()
    said(machine, command(WILL, NEW_ENVIRON))
    assert machine.data_to_send() == bytes.fromhex("fffa 27 01 00 03 fff0")


def test_variables_of_either_kind_are_kept_and_what_is_private_is_not() -> None:
    """Only what says how to show text: no user's name, no display, no path."""
    machine = begun()
    said(machine, command(WILL, NEW_ENVIRON))
    body = IS + VAR + b"CLIENT_NAME" + VALUE + b"MUDLET" + USERVAR + b"MTTS" + VALUE + b"2349" + VAR + b"USER"
    body += VALUE + b"ada" + USERVAR + b"SCREEN_READER" + VALUE + VAR + b"CHARSET"
    assert said(machine, subnegotiation(NEW_ENVIRON, body)) == [Changed()]
    assert machine.state().environ == {"CLIENT_NAME": "MUDLET", "MTTS": "2349", "SCREEN_READER": ""}


def test_info_changes_a_variable_or_takes_it_back() -> None:
    """A name without a VALUE is not defined any more; the same again is no news."""
    machine = begun()
    said(machine, command(WILL, NEW_ENVIRON))
    said(machine, subnegotiation(NEW_ENVIRON, IS + VAR + b"CHARSET" + VALUE + b"ASCII" + VAR + b"MTTS" + VALUE + b"1"))
    change = subnegotiation(NEW_ENVIRON, INFO + VAR + b"CHARSET" + VALUE + b"UTF-8" + VAR + b"MTTS")
    assert said(machine, change) == [Changed()]
    assert said(machine, change) == []
    assert machine.state().environ == {"CHARSET": "UTF-8"}


def test_escaped_and_unprintable_bytes_of_a_value_are_read_and_dropped() -> None:
    """ESC stands before a byte that would mean something; values are shown to operators (FM-83)."""
    machine = begun()
    said(machine, command(WILL, NEW_ENVIRON))
    body = IS + VAR + b"CLIENT_NAME" + VALUE + b"a" + ESC + VALUE + b"b\xff\x1b[2J" + ESC + ESC + b"x" * 100
    said(machine, subnegotiation(NEW_ENVIRON, body))
    (name,) = machine.state().environ.values()
    assert name.startswith("ab[2Jxxx")
    assert len(name) <= 64


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x01", b"\x05x", IS + b"junk", IS + VALUE + b"x", IS + ESC, IS + VAR])
def test_an_environment_that_makes_no_sense_is_ignored(body: bytes) -> None:
    """No bytes make the machine raise (FM-80)."""
    machine = begun()
    assert said(machine, command(WILL, NEW_ENVIRON) + subnegotiation(NEW_ENVIRON, body)) == []


def test_an_environment_that_nobody_agreed_upon_is_ignored() -> None:
    """IS without WILL."""
    machine = begun()
    assert said(machine, subnegotiation(NEW_ENVIRON, IS + VAR + b"MTTS" + VALUE + b"1")) == []


# --- character sets (RFC 2066) ---

REQUEST, ACCEPTED, REJECTED, TTABLE_IS, TTABLE_REJECTED = (bytes((code,)) for code in (1, 2, 3, 4, 5))


def test_a_client_that_takes_charset_is_offered_ours_best_first() -> None:
    """DO CHARSET from the client allows us to request."""
    machine = begun()
    said(machine, command(DO, CHARSET))
    assert machine.data_to_send() == bytes.fromhex("fffa 2a 01") + b";UTF-8;ISO-8859-1;US-ASCII" + command(SE)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [(b"UTF-8", "utf-8"), (b"utf-8", "utf-8"), (b"ISO-8859-1", "latin-1"), (b"US-ASCII", "ascii"), (b"KOI8-R", None)],
)
def test_what_the_client_accepts_is_agreed(name: bytes, encoding: str | None) -> None:
    """Names are compared without case; one that was not offered agrees upon nothing."""
    machine = begun()
    said(machine, command(DO, CHARSET))
    events = said(machine, subnegotiation(CHARSET, ACCEPTED + name))
    assert events == ([] if encoding is None else [Changed()])
    assert machine.state().charset == encoding


def test_a_rejected_offer_and_an_answer_to_none_agree_upon_nothing() -> None:
    """ACCEPTED counts once, after a REQUEST."""
    machine = begun()
    said(machine, command(DO, CHARSET) + subnegotiation(CHARSET, REJECTED))
    assert said(machine, subnegotiation(CHARSET, ACCEPTED + b"UTF-8")) == []
    assert machine.state().charset is None


@pytest.mark.parametrize(
    ("listed", "answer", "encoding"),
    [
        (b";KOI8-R;iso-8859-1;UTF-8", ACCEPTED + b"iso-8859-1", "latin-1"),
        (b" UTF-8", ACCEPTED + b"UTF-8", "utf-8"),
        (b"[TTABLE]\x01;UTF-8", ACCEPTED + b"UTF-8", "utf-8"),
        (b";KOI8-R", REJECTED, None),
        (b"[TTABLE]", REJECTED, None),
        (b"", REJECTED, None),
    ],
)
def test_a_clients_own_request_is_answered(listed: bytes, answer: bytes, encoding: str | None) -> None:
    """The first that we speak, as the client wrote it; a translation table is never wanted."""
    machine = begun()
    said(machine, command(DONT, CHARSET) + command(WILL, CHARSET))
    assert machine.data_to_send() == command(DO, CHARSET)
    said(machine, subnegotiation(CHARSET, REQUEST + listed))
    assert machine.data_to_send() == subnegotiation(CHARSET, answer)
    assert machine.state().charset == encoding


def test_of_two_requests_that_cross_the_clients_is_rejected() -> None:
    """RFC 2066: else both sides would wait, or switch in opposite ways."""
    machine = begun()
    said(machine, command(DO, CHARSET) + command(WILL, CHARSET))
    machine.data_to_send()
    said(machine, subnegotiation(CHARSET, REQUEST + b";ISO-8859-1") + subnegotiation(CHARSET, ACCEPTED + b"UTF-8"))
    assert machine.data_to_send() == subnegotiation(CHARSET, REJECTED)
    assert machine.state().charset == "utf-8"


def test_a_translation_table_is_rejected() -> None:
    """TTABLE-IS is answered by TTABLE-REJECTED."""
    machine = begun()
    said(machine, command(DO, CHARSET))
    machine.data_to_send()
    said(machine, subnegotiation(CHARSET, TTABLE_IS + b"\x01;x;y"))
    assert machine.data_to_send() == subnegotiation(CHARSET, TTABLE_REJECTED)


# --- status and packages ---


def test_status_is_told_to_who_asks_for_it() -> None:
    """MSSP: VAR 1, VAL 2; a list is several values, and the marks cannot be part of one."""
    machine = begun()
    assert said(machine, command(DO, MSSP)) == [StatusAsked()]
    machine.send_status({"NAME": "D\u00fcn\x01\x02\x00e", "PORT": ["4000", "8080"], "EMPTY": ""})
    told = b"\x01NAME\x02D\xc3\xbcne\x01PORT\x024000\x028080\x01EMPTY\x02"
    assert machine.data_to_send() == command(SB, MSSP) + told + command(SE)


def test_status_that_is_asked_for_again_and_again_is_a_storm() -> None:
    """The answer is longer than the question, so it counts for more (FM-80)."""
    machine = begun()
    events = said(machine, (command(DO, MSSP) + command(DONT, MSSP)) * 100)
    assert type(events.pop()) is Ended
    assert 0 < len(events) <= COMMANDS_MAX // STATUS_COMMANDS


def test_a_gmcp_message_is_a_package_and_its_json() -> None:
    """Only after DO GMCP; a doubled 255 is one byte."""
    machine = begun()
    message = subnegotiation(GMCP, b'Core.Hello {"client":"x"}')
    assert said(machine, message) == []
    assert said(machine, command(DO, GMCP) + message) == [Gmcp("Core.Hello", b'{"client":"x"}')]
    assert said(machine, subnegotiation(GMCP, b"Core.Ping") + subnegotiation(GMCP, b"")) == [Gmcp("Core.Ping", b"")]


def test_gmcp_is_sent_to_who_agreed_to_it() -> None:
    """One package a message."""
    machine = begun()
    machine.send_gmcp("Char.Vitals", b'{"hp":20}')
    assert machine.data_to_send() == b""
    said(machine, command(DO, GMCP))
    machine.send_gmcp("Char.Vitals", b'{"hp":20}')
    machine.send_gmcp("Core.Ping", b"")
    assert machine.data_to_send() == (
        bytes.fromhex("fffa c9")
        + b'Char.Vitals {"hp":20}'
        + command(SE)
        + command(SB, GMCP)
        + b"Core.Ping"
        + command(SE)
    )


def test_a_password_in_a_message_is_not_shown_and_not_kept() -> None:
    """Half of it may be in an exported state, for who goes on reading; after that nothing of it is (FM-96)."""
    machine = begun()
    login = subnegotiation(GMCP, b'Char.Login.Credentials {"account":"Ada","password":"correct horse"}')
    said(machine, command(DO, GMCP) + login[:-3])
    assert b"correct" in machine.state().subnegotiation
    assert "correct" not in repr(machine.state())
    (event,) = said(machine, login[-3:])
    assert "correct" not in repr(event)
    assert b"correct" not in msgspec.msgpack.encode(machine.state())


# --- keepalive ---


def test_only_a_client_that_negotiated_is_kept_awake_by_nop() -> None:
    """RFC 854, NOP; a bare socket would take it for text. A refusal is telnet, too."""
    machine = begun()
    said(machine, b"look\r\n")
    machine.keepalive()
    assert machine.data_to_send() == b""
    said(machine, command(DONT, EOR))
    machine.keepalive()
    assert machine.data_to_send() == command(NOP)


def test_text_with_byte_255_is_doubled() -> None:
    """RFC 854; Latin-1 has it."""
    machine = begun()
    machine.send_data("\u00ff\u00fe".encode("latin-1"))
    assert machine.data_to_send() == b"\xff\xff\xfe"


# --- bounds ---


def test_an_option_storm_is_answered_a_bounded_number_of_times_and_ended() -> None:
    """A peer that toggles an option for ever is disconnected (FM-80)."""
    machine = begun()
    events = said(machine, (command(WILL, NAWS) + command(WONT, NAWS)) * 10_000)
    assert [type(event) for event in events] == [Ended]
    assert len(machine.data_to_send()) <= 3 * COMMANDS_MAX
    assert said(machine, b"look\n" + command(DO, EOR)) == []
    assert machine.data_to_send() == b""


@pytest.mark.parametrize("code", [AYT, IP])
def test_questions_and_interrupts_without_end_are_a_storm(code: int) -> None:
    """Each is answered with text (FM-80)."""
    events = said(begun(), command(code) * 10_000)
    assert type(events.pop()) is Ended
    assert len(events) <= COMMANDS_MAX


def test_options_between_lines_are_no_storm() -> None:
    """A long visit changes options now and then."""
    machine = begun()
    for _ in range(COMMANDS_MAX):
        said(machine, command(WILL, NAWS) + command(WONT, NAWS) + b"look\n")
    assert said(machine, b"look\n") == [Typed(b"look")]


def test_time_gives_a_quiet_client_its_commands_back() -> None:
    """Who types nothing for a night and resizes, or pings, is no storm: the bounds are rates."""
    machine = begun()
    for _ in range(8):
        assert Ended not in {type(event) for event in said(machine, command(WILL, 99) * COMMANDS_MAX)}
        machine.keepalive()


def test_subnegotiations_beyond_their_number_are_passed_over_until_the_next_line() -> None:
    """A client that pings without end costs us no more answers; it stays connected (FM-80)."""
    machine = begun()
    ping = subnegotiation(GMCP, b"Core.Ping")
    events = said(machine, command(DO, GMCP) + ping * (SUBNEGOTIATIONS_MAX + 100))
    assert events == [Gmcp("Core.Ping", b"")] * SUBNEGOTIATIONS_MAX
    assert said(machine, b"look\n" + ping) == [Typed(b"look"), Gmcp("Core.Ping", b"")]


@pytest.mark.parametrize("filler", [b"x" * 100, b"\xff\xff" * 50])
def test_an_endless_subnegotiation_is_ended_at_the_cap(filler: bytes) -> None:
    """8 KiB and no more are kept (FM-80)."""
    machine = begun()
    events = said(machine, command(SB, NAWS))
    sent = 0
    while not events and sent < 100_000:
        events = said(machine, filler)
        sent += len(filler)
        assert len(machine.state().subnegotiation) <= SUBNEGOTIATION_BYTES_MAX + 1
    assert [type(event) for event in events] == [Ended]


def test_a_command_inside_a_subnegotiation_ends_it() -> None:
    """A client that forgot IAC SE does not lose its following lines."""
    machine = begun()
    assert said(machine, command(SB, NAWS) + b"junk" + command(WILL, NAWS) + b"look\n") == [Typed(b"look")]


# --- any bytes, any boundary ---

PIECES = st.sampled_from(
    [
        *(command(verb, option) for verb in (WILL, WONT) for option in (NAWS, TTYPE, NEW_ENVIRON, CHARSET)),
        *(command(verb, option) for verb in (DO, DONT) for option in (ECHO, SGA, EOR, CHARSET, MSSP, GMCP)),
        *(command(verb, option) for verb in (DO, WILL) for option in (LINEMODE, MCCP2)),
        command(SB, NAWS) + b"\x00\x50\x00\x18" + command(SE),
        command(SB, TTYPE) + b"\x00xterm" + command(SE),
        command(SB, TTYPE) + b"\x00MTTS 2349" + command(SE),
        command(SB, TTYPE) + b"\x00a\xff\xffb" + command(SE),
        command(SB, NEW_ENVIRON) + b"\x00\x00MTTS\x0113\x03CHARSET\x01UTF\x02\x02-8" + command(SE),
        command(SB, NEW_ENVIRON) + b"\x02\x00MTTS" + command(SE),
        command(SB, CHARSET) + b"\x01;KOI8-R;UTF-8" + command(SE),
        command(SB, CHARSET) + b"\x02ISO-8859-1" + command(SE),
        command(SB, CHARSET) + b"\x03" + command(SE),
        command(SB, GMCP) + b'Core.Hello {"client":"x"}' + command(SE),
        command(SB, GMCP) + b"Core.Ping 1" + command(SE),
        command(SB),
        command(SE),
        command(NOP),
        command(AYT),
        command(IP),
        command(EC),
        b"\r\n",
        b"\r\x00",
        b"\n",
        b"\x08",
        b"\xff",
        "say höho".encode(),
        b"say h\xf6ho\r\n",
        b"x" * 3000,
    ]
)
STREAMS = st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=30).map(b"".join)


def moved(machine: Telnet) -> Telnet:
    """The machine as another process gets it: through JSON and msgpack."""
    by_json = msgspec.json.decode(msgspec.json.encode(machine.state()), type=TelnetState)
    return Telnet.from_state(msgspec.msgpack.decode(msgspec.msgpack.encode(by_json), type=TelnetState))


@given(st.binary(max_size=2000))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    """Strangers send anything (FM-80)."""
    machine = begun()
    said(machine, data)
    machine.data_to_send()


@settings(deadline=None)
@given(STREAMS, st.lists(st.integers(min_value=0, max_value=4000), max_size=8))
def test_exporting_and_importing_at_any_byte_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    """A machine carried over by its state gives the same events and bytes as one left alone (FM-5)."""
    alone, carried = begun(), begun()
    expected = said(alone, stream)
    events: list[TelnetEvent] = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        carried = moved(carried)
        events += said(carried, stream[start:end])
    assert events == expected
    assert carried.state() == alone.state()
    assert carried.data_to_send() == alone.data_to_send()


@given(STREAMS)
def test_the_exported_state_is_independent_of_the_machine(stream: bytes) -> None:
    """Going on with the machine does not change what was exported."""
    machine = begun()
    state = machine.state()
    said(machine, stream)
    assert state == begun().state()
