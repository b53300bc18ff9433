"""`perdure reload`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from perdure.cli.options import server_options, state_folder


@click.command()
@click.argument("target", required=False, default="", metavar="[GAME[.MODULE]]")
@click.option("--atomic", is_flag=True, help="All of it or nothing: the first module that fails ends it.")
@click.option("--dry-run", is_flag=True, help="Do everything but the swap, on copies, and tell what would come of it.")
@click.option("--allow-destructive", is_flag=True, help="Also where something in stored rows is lost.")
@click.option("--drop-orphans", is_flag=True, help="Forget timers whose handler is gone, instead of keeping them.")
@click.option("--canary", type=float, metavar="PERCENT", help="Try it in so many of the rooms first, and compare.")
@click.option("--watch", "watch_s", type=float, metavar="SECONDS", help="How long the canary is watched.")
@server_options
@click.pass_context
def reload(context: click.Context, /, target: str, state: Path | None, as_json: bool, **asked: Any) -> None:
    """Bring the code that lies on disk into the running rooms.

    Without GAME: of every game. With MODULE: only that module's file, and what imports it.
    """
    from perdure.cli import reloading  # what a report says: heavier than the rest of the command line

    order = reloading.order_from(**asked)
    context.exit(reloading.reload_games(state_folder(state), target, order, as_json))


COMMANDS = [reload]
