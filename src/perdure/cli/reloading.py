"""What `perdure reload` asks of a server, what it shows while it waits, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from perdure.cli.client import Client
from perdure.cli.show import print_json
from perdure.control_lines import EXIT_OK, EXIT_PARTIAL
from perdure.errors import ContractError
from perdure.movement.order import ReloadOrder, check, params_of, split_target
from perdure.movement.report import decode, exit_code, lines
from perdure.supervisor.events import sentence
from perdure.supervisor.plain import plain

RELOAD_TIMEOUT_S = 600.0
"""Longest wait for a reload, and for those before it; a canary's watch comes on top."""


def order_from(**asked: Any) -> ReloadOrder:
    """The order that the options make.

    Raises:
        UsageError: They contradict each other.
    """
    order = ReloadOrder(**asked)
    try:
        check(order)
    except ContractError as error:
        raise click.UsageError(str(error)) from None
    return order


def reload_games(state: Path, target: str, asked: ReloadOrder, as_json: bool) -> int:
    """Reload what is meant, one game after the other; returns the exit code.

    Args:
        target: GAME, GAME.MODULE, or "" for every game.
        asked: What holds for each of them.
    """
    with Client(state) as client:
        games = [str(listed["game"]) for listed in client.request("games")]
        meant = [split_target(target, games)] if target else [(game, "") for game in games]
        return combined([_reload(client, game, module, asked, as_json) for game, module in meant])


def combined(codes: Sequence[int]) -> int:
    """One exit code for the reloads of several games: theirs where they agree, else that it is partly done."""
    if not codes:
        return EXIT_OK
    return codes[0] if len(set(codes)) == 1 else EXIT_PARTIAL


def _reload(client: Client, game: str, module: str, asked: ReloadOrder, as_json: bool) -> int:
    def show_progress(event: dict[str, Any]) -> None:
        if event["kind"] == "canary" and event.get("game") == game:
            click.echo(sentence(event), err=True)

    params = {**params_of(asked), "game": game, "module": module}
    if asked.canary is not None:
        client.request("events", {"follow": True}, on_event=show_progress)
    timeout_s = RELOAD_TIMEOUT_S + (asked.watch_s or 0.0)
    answer = client.request("reload", params, timeout_s=timeout_s, on_event=show_progress)
    report = decode(answer)
    if as_json:
        print_json(answer)
    else:
        for line in lines(report):
            click.echo(plain(line))
    return exit_code(report)
