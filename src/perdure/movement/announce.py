"""What players are told of a copyover, and when: a table of texts, a countdown, and how a text is filled in.

A copyover tells players little. One that begins at once says one line before (`opening`) and one line after:
``done``, or why nothing came of it. One that is scheduled counts down in between (`due`). A quiet one says
nothing at all, and so does a phase whose text is "".

A text may name ``{when}``, ``{seconds}``, ``{reason}``, ``{build}`` and ``{server}``, and colours; a brace itself is
``{{`` or ``}}``. `perdure.announcements` has these words, and `perdure.config` refuses a text with others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from perdure.announcements import COLOURS, Phase, parts
from perdure.movement.wording import counted

TEMPLATES: Mapping[Phase, str] = {
    "announce": "{yellow}{server} will be renewed {when}. You stay connected; just play on.{reset}",
    "minute": "{yellow}{server} will be renewed {when}.{reset}",
    "seconds": "{yellow}{server} will be renewed {when}.{reset}",
    "building": "{yellow}A new version of {server} is being built. You stay connected; just play on.{reset}",
    "build_failed": "{yellow}The new version of {server} could not be built. Nothing has changed.{reset}",
    "vetoed": "{yellow}{server} will be renewed later: {reason}.{reset}",
    "done": "{green}{server} was renewed: build {build}.{reset}",
    "cancelled": "{green}{server} will not be renewed now.{reset}",
    "failed": "{yellow}The new version of {server} did not take over. You play on as before.{reset}",
    "recovered": "{yellow}{server} was interrupted, and is back.{reset}",
}
"""What is said unless perdure.toml has another text."""

UNITS = ((3600, "hour"), (60, "minute"), (1, "second"))
MINUTES_MAX = 5
LAST_SECONDS = (30, 10, 5, 4, 3, 2, 1)


class Due(NamedTuple):
    """A line of the countdown that is to be said now.

    Attributes:
        phase: ``minute`` or ``seconds``.
        seconds: How many are left, by the text.
    """

    phase: Phase
    seconds: int


COUNTDOWN: tuple[Due, ...] = (
    *(Due("minute", 60 * minutes) for minutes in range(MINUTES_MAX, 0, -1)),
    *(Due("seconds", seconds) for seconds in LAST_SECONDS),
)


def opening(in_s: float, *, builds: bool) -> Phase:
    """The one phase that a copyover begins with; whoever hears it hears no other before the countdown.

    Args:
        in_s: Seconds until it moves rooms, 0 for at once.
        builds: Whether a build command runs first.
    """
    return "building" if builds and in_s <= 0 else "announce"


def due(before_s: float, now_s: float) -> list[Due]:
    """The lines of the countdown that have become due between two looks at the clock: at most one.

    What should have been said meanwhile, by a process that stood still, is not true any more, and is left out.

    Args:
        before_s: Seconds that were left at the look before (or when it was announced: that text is not repeated).
        now_s: Seconds that are left now.
    """
    return [line for line in COUNTDOWN if now_s <= line.seconds < before_s][-1:]


def told(phase: Phase, values: Mapping[str, object], texts: Mapping[str, str]) -> str:
    """What players read in this phase, with SGR and without a line's end; "" = nothing.

    Args:
        values: See `render`.
        texts: The texts of perdure.toml, by phase; the others are `TEMPLATES`.
    """
    return render(texts.get(phase, TEMPLATES[phase]), values)


def render(template: str, values: Mapping[str, object]) -> str:
    """A text that was checked, filled in. A colour that is left on is switched off at the end.

    Args:
        values: By placeholder; one that is not there is left out, and seconds are rounded. What comes from elsewhere,
            such as a reason, is told in one line, without what controls a terminal and without a dot at its end.
    """
    seconds = round(float(str(values.get("seconds", 0))))
    words = {**values, "seconds": seconds, "when": _when(seconds)}
    text, colour = "", "reset"
    for literal, name in parts(template):
        text += literal
        if name is None:
            continue
        if name in COLOURS:
            text, colour = f"{text}\x1b[{COLOURS[name]}m", name
        else:
            text += _plain(words.get(name, ""))
    return text if colour == "reset" else f"{text}\x1b[0m"


def _plain(value: object) -> str:
    line = " ".join(str(value).split())
    return "".join(char for char in line if char.isprintable()).removesuffix(".")


def _when(seconds: int) -> str:
    if seconds <= 0:
        return "now"
    size, noun = next(unit for unit in UNITS if seconds % unit[0] == 0)
    return f"in {counted(seconds // size, noun)}"
