"""The telnet machine: options, lines and bounds, without a socket."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway import telnet
from perdure.gateway.telnet import (
    AYT,
    DO,
    DONT,
    EC,
    ECHO,
    EL,
    EOR,
    GA,
    IAC,
    IP,
    NAWS,
    RECEIVED,
    SB,
    SE,
    SGA,
    TTYPE,
    WANTED,
    WILL,
    WONT,
    Ended,
    Interrupt,
    Line,
    LineTooLong,
    Telnet,
    TelnetState,
    TerminalType,
    WindowSize,
)

LINEMODE = 34


def command(*codes: int) -> bytes:
    return bytes((IAC, *codes))


def subnegotiation(option: int, body: bytes) -> bytes:
    return command(SB, option) + body.replace(b"\xff", b"\xff\xff") + command(SE)


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
    assert Telnet().receive(b"look" + end + b"go north" + end) == [Line("look"), Line("go north")]


def test_an_empty_line_is_a_line() -> None:
    """Games page with the return key alone."""
    assert Telnet().receive(b"\r\n\r\n") == [Line(""), Line("")]


def test_nul_is_ignored_and_invalid_utf8_is_replaced() -> None:
    """Neither reaches a game (FM-80)."""
    assert Telnet().receive(b"a\x00b\xc3(\xff\xff\n") == [Line("ab\ufffd(\ufffd")]


@pytest.mark.parametrize("erase", [b"\x08", b"\x7f", command(EC)])
def test_erasing_takes_back_one_character_not_one_byte(erase: bytes) -> None:
    """Backspace after a two-byte character removes both bytes; at the start of a line it does nothing."""
    assert Telnet().receive(erase + "ö€é".encode() + erase + erase + b"x\n") == [Line("öx")]


def test_erase_line_forgets_the_line() -> None:
    """RFC 854, EL."""
    assert Telnet().receive(b"drop all" + command(EL) + b"look\n") == [Line("look")]


def test_a_line_beyond_the_cap_is_refused_whole() -> None:
    """64 KiB without a line end become one refusal, never pieces of a line (FM-80)."""
    machine = Telnet()
    events = [event for _ in range(64) for event in machine.receive(b"x" * 1024)]
    assert events == []
    assert len(machine.state().line) <= telnet.LINE_BYTES_MAX
    assert machine.receive(b"tail\nlook\n") == [LineTooLong(), Line("look")]


def test_a_line_of_exactly_the_cap_is_taken() -> None:
    """The cap counts bytes without the line end."""
    full = "x" * telnet.LINE_BYTES_MAX
    assert Telnet().receive(full.encode() + b"\n") == [Line(full)]


def test_interrupt_process_is_an_event_and_keeps_the_line() -> None:
    """Control-C of a line-mode client."""
    assert Telnet().receive(b"lo" + command(IP) + b"ok\n") == [Interrupt(), Line("look")]


def test_are_you_there_is_answered() -> None:
    """RFC 854 wants visible evidence."""
    machine = Telnet()
    machine.receive(command(AYT))
    assert b"Yes" in machine.data_to_send()


# --- options ---


def test_the_first_offers_ask_for_size_and_terminal_and_offer_end_of_record() -> None:
    """SGA is not offered: Linux telnet would leave line mode for it."""
    machine = Telnet()
    machine.begin()
    assert machine.data_to_send() == command(DO, NAWS) + command(DO, TTYPE) + command(WILL, EOR)


def test_an_agreed_option_is_not_acknowledged_again() -> None:
    """The Q method answers a change only, so two sides can't loop (FM-80)."""
    machine = begun()
    for _ in range(5):
        machine.receive(command(WILL, NAWS) + command(DO, EOR))
    assert machine.data_to_send() == b""


def test_an_unknown_option_is_refused_each_time_it_is_offered() -> None:
    """RFC 854: what is not understood is declined."""
    machine = begun()
    machine.receive(command(DO, LINEMODE) + command(WILL, LINEMODE) + command(WONT, 99) + command(DONT, 99))
    assert machine.data_to_send() == command(WONT, LINEMODE) + command(DONT, LINEMODE)


def test_window_sizes_are_events_when_they_change() -> None:
    """NAWS, with a doubled 255 and the sizes clamped; 0 means unsaid (RFC 1073)."""
    machine = begun()
    machine.receive(command(WILL, NAWS))
    assert machine.receive(subnegotiation(NAWS, bytes((0, 255, 0, 50))) * 2) == [WindowSize(255, 50)]
    assert machine.receive(subnegotiation(NAWS, b"\xff\xff\x00\x00")) == [WindowSize(telnet.SIZE_MAX, 24)]


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x50\x00", b"\x00\x50\x00\x18\x00"])
def test_a_window_size_of_the_wrong_length_is_ignored(body: bytes) -> None:
    """No bytes make the machine raise (FM-80)."""
    machine = begun()
    assert machine.receive(command(WILL, NAWS) + subnegotiation(NAWS, body)) == []


def test_a_subnegotiation_that_was_not_agreed_is_ignored() -> None:
    """A size without WILL NAWS, a terminal type that nobody asked for."""
    machine = Telnet()
    assert machine.receive(subnegotiation(NAWS, b"\x00\x50\x00\x18") + subnegotiation(TTYPE, b"\x00x")) == []


def test_terminal_types_are_asked_for_until_one_repeats() -> None:
    """MTTS: client name, terminal, capabilities, then the last again (RFC 1091)."""
    machine = begun()
    machine.receive(command(WILL, TTYPE))
    send = subnegotiation(TTYPE, b"\x01")
    names = ["MUDLET", "XTERM-256COLOR", "MTTS 2349"]
    for name in names:
        assert machine.data_to_send() == send
        assert machine.receive(subnegotiation(TTYPE, b"\x00" + name.encode())) == [TerminalType(name)]
    machine.receive(subnegotiation(TTYPE, b"\x00MTTS 2349"))
    assert machine.data_to_send() == send
    assert machine.state().names == names


def test_endless_different_terminal_types_are_not_asked_for() -> None:
    """A client that always has another name is asked a bounded number of times (FM-80)."""
    machine = begun()
    machine.receive(command(WILL, TTYPE))
    for number in range(20):
        machine.receive(subnegotiation(TTYPE, b"\x00T%d" % number))
    assert len(machine.state().names) == telnet.NAMES_MAX


def test_a_terminal_type_cannot_carry_escapes() -> None:
    """It is shown to operators (FM-83)."""
    machine = begun()
    machine.receive(command(WILL, TTYPE))
    assert machine.receive(subnegotiation(TTYPE, b"\x00\x1b[2Jxterm\x07")) == [TerminalType("[2Jxterm")]


def test_hiding_input_takes_the_echo_over_and_gives_it_back() -> None:
    """Passwords are typed with echo off."""
    machine = Telnet()
    machine.hide_input(True)
    machine.receive(command(DO, ECHO))
    machine.hide_input(False)
    assert machine.data_to_send() == command(WILL, ECHO) + command(WONT, ECHO)


def test_a_change_of_mind_waits_for_the_answer_to_the_first_request() -> None:
    """Without the queue bit of RFC 1143 the two sides end up disagreeing."""
    machine = Telnet()
    machine.hide_input(True)
    machine.hide_input(False)
    assert machine.data_to_send() == command(WILL, ECHO)
    machine.receive(command(DO, ECHO))
    assert machine.data_to_send() == command(WONT, ECHO)
    machine.receive(command(DONT, ECHO))
    assert machine.data_to_send() == b""
    assert machine.state().us == {}


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        (b"", command(GA)),
        (command(DO, SGA), b""),
        (command(DO, EOR), command(telnet.EOR_MARK)),
        (command(DO, SGA) + command(DO, EOR), command(telnet.EOR_MARK)),
        (command(DONT, EOR), command(GA)),
    ],
)
def test_a_burst_ends_with_the_mark_that_was_agreed(said: bytes, mark: bytes) -> None:
    """A prompt without its mark is never shown by strict clients."""
    machine = begun()
    machine.receive(said)
    machine.data_to_send()
    machine.end_burst()
    assert machine.data_to_send() == mark


def test_the_q_tables_know_every_state() -> None:
    """A state without a row would raise on some byte."""
    states = {state for state, _ in WANTED}
    assert {after for after, _ in (*WANTED.values(), *RECEIVED.values())} <= states
    assert set(RECEIVED) == {(state, yes) for state in states for yes in (True, False)} - {("no", True)}


# --- bounds ---


def test_an_option_storm_is_answered_a_bounded_number_of_times_and_ended() -> None:
    """A peer that toggles an option for ever is disconnected (FM-80)."""
    machine = begun()
    events = machine.receive((command(WILL, NAWS) + command(WONT, NAWS)) * 10_000)
    assert [type(event) for event in events] == [Ended]
    assert len(machine.data_to_send()) <= 3 * telnet.COMMANDS_MAX
    assert machine.receive(b"look\n" + command(DO, EOR)) == []
    assert machine.data_to_send() == b""


def test_options_between_lines_are_no_storm() -> None:
    """A long visit changes options now and then."""
    machine = begun()
    for _ in range(telnet.COMMANDS_MAX):
        machine.receive(command(WILL, NAWS) + command(WONT, NAWS) + b"look\n")
    assert machine.receive(b"look\n") == [Line("look")]


@pytest.mark.parametrize("filler", [b"x" * 100, b"\xff\xff" * 50])
def test_an_endless_subnegotiation_is_ended_at_the_cap(filler: bytes) -> None:
    """8 KiB and no more are kept (FM-80)."""
    machine = begun()
    events = machine.receive(command(SB, NAWS))
    sent = 0
    while not events and sent < 100_000:
        events = machine.receive(filler)
        sent += len(filler)
        assert len(machine.state().subnegotiation) <= telnet.SUBNEGOTIATION_BYTES_MAX + 1
    assert [type(event) for event in events] == [Ended]


def test_a_command_inside_a_subnegotiation_ends_it() -> None:
    """A client that forgot IAC SE does not lose its following lines."""
    machine = begun()
    assert machine.receive(command(SB, NAWS) + b"junk" + command(WILL, NAWS) + b"look\n") == [Line("look")]


# --- any bytes, any boundary ---

PIECES = st.sampled_from(
    [
        command(WILL, NAWS),
        command(WONT, NAWS),
        command(WILL, TTYPE),
        command(DO, ECHO),
        command(DONT, ECHO),
        command(DO, SGA),
        command(DO, EOR),
        command(SB, NAWS) + b"\x00\x50\x00\x18" + command(SE),
        command(SB, TTYPE) + b"\x00xterm" + command(SE),
        command(SB, TTYPE) + b"\x00a\xff\xffb" + command(SE),
        command(SB),
        command(SE),
        command(AYT),
        command(IP),
        command(EC),
        b"\r\n",
        b"\r\x00",
        b"\n",
        b"\x08",
        b"\xff",
        "say höho".encode(),
        b"x" * 3000,
    ]
)
STREAMS = st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=30).map(b"".join)


@given(st.binary(max_size=2000))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    """Strangers send anything (FM-80)."""
    machine = begun()
    machine.receive(data)
    machine.data_to_send()


@given(STREAMS, st.lists(st.integers(min_value=0, max_value=4000), max_size=8))
def test_exporting_and_importing_at_any_byte_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    """A machine carried over by its state gives the same events and bytes as one left alone."""
    alone, carried = begun(), begun()
    expected = alone.receive(stream)
    events = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        carried = Telnet.from_state(carried.state())
        events += carried.receive(stream[start:end])
    assert events == expected
    assert carried.state() == alone.state()
    assert carried.data_to_send() == alone.data_to_send()


@given(STREAMS)
def test_the_exported_state_is_independent_of_the_machine(stream: bytes) -> None:
    """Going on with the machine does not change what was exported."""
    machine = begun()
    state = machine.state()
    machine.receive(stream)
    assert state == begun().state()
    assert isinstance(state, TelnetState)
