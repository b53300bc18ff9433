"""What may be asked of a copyover, and what is nonsense: one check for the command line, the socket and @copyover."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from perdure.errors import ContractError
from perdure.movement.order import check_canary
from perdure.spelling import NAME_LIKE_MIN, meant

IN_S_MAX = 24 * 3600.0
"""A copyover that is scheduled for later than a day is better asked for on that day."""
BY_CHARS_MAX = 80
PREVIOUS = "previous"

Action = Literal["now", "test", "status", "cancel", "history"]
WORDS = ("now", "test", "status", "cancel", "history")
USAGE = "now, a number of SECONDS, test, status, cancel or history"
HELP_IN_GAME = """\
@copyover            replace the host program now; everybody stays connected
@copyover SECONDS    the same after a countdown
@copyover test       everything except the move: would it work?
@copyover status     what goes on
@copyover cancel     call off what has not begun to move rooms
@copyover history    what came of the earlier ones
More, and its options: perdure copyover --help, in a shell of the server."""
_SAID_IN_GAME = re.compile(r"\bperdure (copyover (?:now|test|status|cancel|history|[0-9]+))\b")


class CopyoverOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A copyover as it is asked for.

    Attributes:
        action: "now" moves the rooms; "test" does everything up to just before the move, and ends the successor.
        in_s: Seconds until it begins, with a countdown; 0 is at once.
        build: What to run instead of [copyover] build, None for that.
        no_build: Build nothing.
        to: Go back to the program of an earlier build: its number, or "previous"; "" for what is configured now.
        partial: Rooms that the new program refuses stay in the old host; without it one of them ends it all.
        canary: Percent of the rooms that move first; None for all at once.
        watch_s: For how long those are watched; None without a canary.
        quiet: Tell players nothing; None as [copyover] quiet says.
        by: Who asked, if it was somebody in a game.
    """

    action: Literal["now", "test"] = "now"
    in_s: float = 0.0
    build: list[str] | None = None
    no_build: bool = False
    to: str = ""
    partial: bool = False
    canary: float | None = None
    watch_s: float | None = None
    quiet: bool | None = None
    by: str = ""


class Asked(NamedTuple):
    """What the words after `copyover` mean."""

    action: Action
    in_s: float = 0.0


def asked(words: Sequence[str]) -> Asked:
    """What somebody asks for who says `copyover WORDS`; nothing is said for "now".

    Raises:
        ContractError: These are not words of it.
    """
    if len(words) > 1:
        raise ContractError(f"Copyover takes one word, not {len(words)}: {USAGE}. Nothing was changed.")
    match word := words[0].lower() if words else "now":
        case "now" | "test" | "status" | "cancel" | "history":
            return Asked(word)
    try:
        in_s = float(word)
    except ValueError:
        near = meant(word, WORDS, NAME_LIKE_MIN)
        hint = f"Did you mean {near}? " if near else ""
        raise ContractError(
            f"There is no copyover {words[0]!r}. {hint}Expected {USAGE}. Nothing was changed."
        ) from None
    _check_in_s(in_s)
    return Asked("now", in_s)


def in_game(text: str) -> str:
    """A text for whoever typed @copyover: it names the commands that can be typed there."""
    return _SAID_IN_GAME.sub(r"@\1", text)


def order_of(params: object) -> CopyoverOrder:
    """The order in the params of a request.

    Raises:
        ContractError: A parameter is unknown or of another type, or they contradict each other.
    """
    try:
        order = msgspec.convert(params, CopyoverOrder)
    except msgspec.ValidationError as error:
        raise ContractError(f"copyover: {error}. Nothing was changed.") from None
    check(order)
    return order


def params_of(order: CopyoverOrder) -> dict[str, Any]:
    """The params of a request for the order."""
    return msgspec.structs.asdict(order)


def check(order: CopyoverOrder) -> None:
    """Make sure that the order makes sense.

    Raises:
        ContractError: It does not; the message says what to do.
    """
    _check_in_s(order.in_s)
    _check_build(order)
    _check_to(order)
    _check_canary(order)
    if order.action == "test" and order.in_s:
        raise ContractError("A test disturbs nobody, so it is not scheduled. Ask for it without a time.")
    if len(order.by) > BY_CHARS_MAX:
        raise ContractError(f"A name of {len(order.by)} characters is no name; at most {BY_CHARS_MAX}.")


def _check_in_s(in_s: float) -> None:
    if not 0 <= in_s <= IN_S_MAX:
        raise ContractError(
            f"A copyover in {in_s:g} seconds cannot be scheduled. Give from 0 to {IN_S_MAX:g}. Nothing was changed."
        )


def _check_build(order: CopyoverOrder) -> None:
    if order.build is None:
        return
    if order.no_build:
        raise ContractError("Either something is built or nothing is: give --build or --no-build, not both.")
    if not order.build or not order.build[0] or any("\0" in word for word in order.build):
        raise ContractError("There is nothing to run in --build. Give a command, or --no-build.")


def _check_to(order: CopyoverOrder) -> None:
    if not order.to:
        return
    if order.to != PREVIOUS and not (order.to.isascii() and order.to.isdecimal() and int(order.to) > 0):
        raise ContractError(
            f"--to {order.to!r} is no build. Give the number of one in `perdure copyover history`, or: --to {PREVIOUS}"
        )
    if order.build is not None:
        raise ContractError(
            "An earlier program is started as it was, so nothing is built for it: give --to or --build."
        )


def _check_canary(order: CopyoverOrder) -> None:
    check_canary(order.canary, order.watch_s)
    if order.canary is None:
        return
    if order.action == "test":
        raise ContractError("A test moves no room, so there is no canary to watch. Ask for one of them.")
    if order.partial:
        raise ContractError("A canary goes on to all rooms, or back: it cannot be partial. Ask for one of them.")
