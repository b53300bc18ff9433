"""What may be asked of a reload, and what is nonsense: checked the same way for the command line and the socket."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from perdure.errors import ContractError
from perdure.movement.wording import unknown

WATCH_S_MAX = 3600.0
"""A canary that watches for longer would not be remembered by whoever asked for it."""


class ReloadOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reload as it is asked for.

    Attributes:
        game: Its id; "" is the only game that there is.
        module: Only this module (or data file) of what lies on disk, "" for all of it.
        generation: Stored code to go to instead, by its id; "" for what lies on disk.
        atomic: The first failure ends it, and nothing changes.
        dry_run: Do everything but the swap, on copies.
        allow_destructive: Also where something in rows is lost.
        drop_orphans: Forget timers whose handler is gone.
        canary: Percent of the rooms that try it first; None for all at once.
        watch_s: For how long those are watched; None without a canary.
    """

    game: str = ""
    module: str = ""
    generation: str = ""
    atomic: bool = False
    dry_run: bool = False
    allow_destructive: bool = False
    drop_orphans: bool = False
    canary: float | None = None
    watch_s: float | None = None


def order_of(params: object) -> ReloadOrder:
    """The order in the params of a request.

    Raises:
        ContractError: A parameter is unknown or of another type, or they contradict each other.
    """
    try:
        order = msgspec.convert(params, ReloadOrder)
    except msgspec.ValidationError as error:
        raise ContractError(f"reload: {error}. Nothing was changed.") from None
    check(order)
    return order


def params_of(order: ReloadOrder) -> dict[str, Any]:
    """The params of a request for the order."""
    return msgspec.structs.asdict(order)


def check(order: ReloadOrder) -> None:
    """Make sure that the order makes sense.

    Raises:
        ContractError: It does not; the message says what to do.
    """
    check_canary(order.canary, order.watch_s)
    if order.canary is not None and order.dry_run:
        raise ContractError("A dry run changes no room, so there is no canary to watch. Ask for one of them.")


def check_canary(canary: float | None, watch_s: float | None) -> None:
    """Make sure that a canary has a share of the rooms, and a time in which it is watched; both None is no canary.

    Raises:
        ContractError: It has not; the message says what to do.
    """
    if canary is None and watch_s is None:
        return
    if canary is None:
        raise ContractError("Only a canary is watched. Say in how many percent of the rooms: --canary 10 --watch 60")
    if watch_s is None:
        raise ContractError("A canary has to be watched. Say for how many seconds: --canary 10 --watch 60")
    if not 1 <= canary <= 99:
        raise ContractError(
            f"A canary of {canary:g} percent compares nothing: some rooms have to move, and some to stay. "
            "Give a number from 1 to 99."
        )
    if not 0 < watch_s <= WATCH_S_MAX:
        raise ContractError(f"A canary is watched for up to {WATCH_S_MAX:g} seconds, not for {watch_s:g}.")


def split_target(target: str, games: Collection[str]) -> tuple[str, str]:
    """The game and the module in GAME[.MODULE]; a game's id may have dots itself, so the longest that fits is meant.

    Raises:
        ContractError: No game fits; the message has the nearest.
    """
    parts = target.split(".")
    beginnings = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    for game in beginnings:
        if game in games:
            return game, target[len(game) + 1 :]
    raise ContractError(unknown("game", target, games, beginnings))


def check_game(game: str, known: Collection[str]) -> None:
    """Make sure that there is such a game.

    Raises:
        ContractError: There is not, or none was named and there are several; the message has the nearest name.
    """
    if not game:
        raise ContractError(f"Which game? There are {', '.join(sorted(known))}. Nothing was changed.")
    if game not in known:
        raise ContractError(unknown("game", game, known, [game]))


def check_module(module: str, game: str, known: Collection[str]) -> None:
    """Make sure that the game has, or had, a module (or data file) of this name.

    Args:
        known: Names of what lies on disk and of what runs.

    Raises:
        ContractError: It has not; the message has the nearest name.
    """
    if module and module not in known:
        raise ContractError(unknown("module", module, known, [module], of=game))
