"""The checker itself: it complains of whatever could go wrong, and of nothing else."""

from dataclasses import dataclass, field

from tests.e2e.checker import check
from tests.e2e.clients import Line, Strip


@dataclass
class Played:
    """A transcript made by hand; a line is sent or seen each second."""

    name: str
    sent: list[Line] = field(default_factory=list)
    seen: list[Line] = field(default_factory=list)
    closed_s: float | None = None

    def says(self, *texts: str) -> "Played":
        self.sent += [Line(float(at), f"say {text}") for at, text in enumerate(texts)]
        return self

    def sees(self, *texts: str) -> "Played":
        self.seen += [Line(float(at), text) for at, text in enumerate(texts)]
        return self


def ada() -> Played:
    echoes = (f'You say, "{n}"' for n in (1, 2, 3))
    return Played("Ada").says("1", "2", "3").sees("Welcome", *echoes)


def bob(*numbers: int) -> Played:
    return Played("Bob").sees(*(f'Ada says, "{n}"' for n in numbers))


def complaints(*played: Played) -> list[str]:
    return check(played).complaints


def test_whole_transcripts_raise_no_complaint() -> None:
    """Other text between the lines is no speech."""
    report = check([ada(), bob(1, 2, 3)])
    assert report.complaints == []
    assert (report.lines, report.heard) == (3, 6)


def test_a_lost_line_is_noticed() -> None:
    assert complaints(ada(), bob(1, 3)) == ["Bob, listening to Ada: lost 1 (2)"]


def test_a_doubled_line_is_noticed() -> None:
    """Also when it comes again much later: then it is out of order as well."""
    assert complaints(ada(), bob(1, 2, 2, 3)) == ["Bob, listening to Ada: doubled 1 (2)"]
    assert len(complaints(ada(), bob(1, 2, 3, 1))) == 2


def test_reordered_lines_are_noticed() -> None:
    assert complaints(ada(), bob(1, 3, 2)) == ["Bob, listening to Ada: out of order: 1 (2)"]


def test_a_lost_echo_is_noticed() -> None:
    """The speaker sees each line once, too."""
    deaf = Played("Ada").says("1", "2").sees('You say, "1"')
    assert complaints(deaf) == ["Ada, listening to Ada: lost 1 (2)"]


def test_words_that_nobody_said_are_noticed() -> None:
    """Neither unknown texts nor unknown speakers pass."""
    assert complaints(ada(), bob(1, 2, 3, 4)) == ["Bob, listening to Ada: never said to them: 1 (4)"]
    assert complaints(ada().sees('Eve says, "1"')) == ["Ada heard Eve, who is not here"]


def test_a_disconnect_is_noticed() -> None:
    gone = bob(1, 2, 3)
    gone.closed_s = 9.0
    assert complaints(ada(), gone) == ["Bob was disconnected"]


def test_gaps_and_ways_are_measured() -> None:
    """The longest silence between two lines of speech, and the longest wait for one's own."""
    quiet = Played("Ada").says("1", "2")
    quiet.seen = [Line(0.5, 'You say, "1"'), Line(7.5, 'You say, "2"')]
    report = check([quiet])
    assert (report.gap_s, report.echo_s) == (7.0, 6.5)


def test_who_is_elsewhere_must_not_hear_and_who_moves_may() -> None:
    """A rule says for each line whether a listener must, may, or must not hear it."""
    must_not = check([ada(), bob(1)], lambda listener, speaker, text: listener == speaker)
    assert must_not.complaints == ["Bob, listening to Ada: never said to them: 1 (1)"]
    may = check([ada(), bob(1, 3)], lambda listener, speaker, text: True if listener == speaker else None)
    assert may.complaints == []


def test_telnet_commands_are_no_text() -> None:
    """GA, EOR, negotiations and subnegotiations go, in pieces of any size; a doubled 255 is one."""
    stream = b"Name: \xff\xf9\xff\xfb\x01yes\xff\xef\xff\xfa\x18\x01\xff\xff\xff\xf0 \xff\xff\r\n"
    strip = Strip()
    assert b"".join(strip.feed(bytes([byte])) for byte in stream) == b"Name: yes \xff\r\n"
    assert Strip().feed(stream) == b"Name: yes \xff\r\n"
