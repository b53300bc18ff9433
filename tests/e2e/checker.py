"""What players said, against what players heard. It knows nothing of the server, only what the sockets carried."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

GAP_S_MAX = 3.0
SAID = re.compile(r'(?:<[^>]*> )*(?:You say|(\w+) says), "(.*)"')
"""A line of speech: who (None: the listener), what. Prompts may stand before it: where one typed behind a prompt, the
server counts on the line end that the typist's own screen shows, and these clients have none."""


class Stamped(Protocol):
    @property
    def at_s(self) -> float: ...
    @property
    def text(self) -> str: ...


class Transcript(Protocol):
    """One player's connection: `sent` and `seen` in order; `closed_s` if the other side ended it."""

    @property
    def name(self) -> str: ...
    @property
    def sent(self) -> Sequence[Stamped]: ...
    @property
    def seen(self) -> Sequence[Stamped]: ...
    @property
    def closed_s(self) -> float | None: ...


Hears = Callable[[str, str, str], bool | None]
"""(listener, speaker, text) -> whether the listener must hear it once: True, False (never), None (at most once)."""


def everybody(listener: str, speaker: str, text: str) -> bool | None:
    """All are in one place."""
    return True


@dataclass
class Report:
    """What was found.

    Attributes:
        lines: Said.
        heard: Said, times those who heard it.
        gap_s: The longest silence that a listener sat through between two lines of speech.
        echo_s: The longest time from saying something to hearing oneself.
        complaints: What is wrong, in words; empty for nothing.
    """

    lines: int = 0
    heard: int = 0
    gap_s: float = 0.0
    echo_s: float = 0.0
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.lines} lines said, {self.heard} heard, longest gap {self.gap_s:.2f} s, "
            f"longest way to the echo {self.echo_s:.2f} s, {len(self.complaints)} complaints"
        )


def check(transcripts: Sequence[Transcript], hears: Hears = everybody) -> Report:
    """Compare, listener by listener and speaker by speaker. Speech begins with ``say ``, and every text is unique."""
    report = Report()
    said = {one.name: _said(one) for one in transcripts}
    for speaker, texts in said.items():
        report.lines += len(texts)
        report.complaints += (f"{speaker} said {text!r} twice: the test is wrong" for text in _doubled(texts))
    for one in transcripts:
        if one.closed_s is not None:
            report.complaints.append(f"{one.name} was disconnected")
        heard = _heard(one)
        report.heard += len(heard)
        for speaker, texts in said.items():
            got = [text for _, who, text in heard if who == speaker]
            report.complaints += _compare(one.name, speaker, texts, got, hears)
        strangers = {who for _, who, _ in heard} - said.keys()
        report.complaints += (f"{one.name} heard {who}, who is not here" for who in sorted(strangers))
        times_s = [at_s for at_s, _, _ in heard]
        report.gap_s = max([report.gap_s, *(later - earlier for earlier, later in pairwise(times_s))])
        report.echo_s = max([report.echo_s, *_echoes_s(one, heard)])
    return report


def _said(one: Transcript) -> list[str]:
    return [line.text.removeprefix("say ") for line in one.sent if line.text.startswith("say ")]


def _heard(one: Transcript) -> list[tuple[float, str, str]]:
    matches = [(line.at_s, SAID.fullmatch(line.text)) for line in one.seen]
    return [(at_s, match[1] or one.name, match[2]) for at_s, match in matches if match]


def _doubled(texts: Sequence[str]) -> list[str]:
    return [text for text, count in Counter(texts).items() if count > 1]


def _compare(listener: str, speaker: str, said: list[str], got: list[str], hears: Hears) -> list[str]:
    """What is wrong with what one listener heard of one speaker."""
    rule = {text: hears(listener, speaker, text) for text in said}
    counts = Counter(got)
    here = f"{listener}, listening to {speaker}:"
    lost = [text for text in said if rule[text] and not counts[text]]
    foreign = [text for text in counts if rule.get(text) is False or text not in rule]
    complaints = [f"{here} lost {_some(lost)}"] if lost else []
    complaints += [f"{here} never said to them: {_some(foreign)}"] if foreign else []
    complaints += [f"{here} doubled {_some(doubled)}"] if (doubled := _doubled(got)) else []
    place = {text: number for number, text in enumerate(said)}
    known = [text for text in got if text in place]
    late = [b for a, b in pairwise(known) if place[b] < place[a]]
    complaints += [f"{here} out of order: {_some(late)}"] if late else []
    return complaints


def _some(texts: Sequence[str]) -> str:
    return f"{len(texts)} ({', '.join(texts[:5])}{', …' if len(texts) > 5 else ''})"


def _echoes_s(one: Transcript, heard: list[tuple[float, str, str]]) -> list[float]:
    first: dict[str, float] = {}
    for at_s, who, text in heard:
        if who == one.name:
            first.setdefault(text, at_s)
    said = [(line.at_s, line.text.removeprefix("say ")) for line in one.sent if line.text.startswith("say ")]
    return [first[text] - at_s for at_s, text in said if text in first]
