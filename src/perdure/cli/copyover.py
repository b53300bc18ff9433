"""`perdure copyover`: its words and options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from perdure.cli.options import server_options, state_folder


class _Copyover(click.Command):
    """A command that takes a number with a minus for a number, to say what is wrong with it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, list(args))
        except click.NoSuchOption:
            number = next((word for word in args if re.fullmatch(r"-[0-9.]+", word)), "")
            if not number:
                raise
            raise click.UsageError(
                f"A copyover in {number} seconds would have begun already. Give 0 or more: perdure copyover 60", ctx
            ) from None


@click.command(cls=_Copyover)
@click.argument("words", nargs=-1, metavar="[now|SECONDS|test|status|cancel|history]")
@click.option("--build", metavar="CMD", help="Run this first, instead of [copyover] build. Without a shell.")
@click.option("--no-build", is_flag=True, help="Build nothing first.")
@click.option("--to", default="", metavar="BUILD", help="Go back to this build, or to the previous one: --to previous")
@click.option("--partial", is_flag=True, help="Rooms that the new program refuses stay in the old host.")
@click.option("--canary", type=float, metavar="PERCENT", help="Move so many of the rooms first, and compare.")
@click.option("--watch", "watch_s", type=float, metavar="SECONDS", help="How long the canary is watched.")
@click.option("--quiet", is_flag=True, help="Tell players nothing.")
@server_options
@click.pass_context
def copyover(
    context: click.Context, /, words: tuple[str, ...], state: Path | None, as_json: bool, **options: Any
) -> None:
    """Replace the host program under the running players. Or look at how that goes.

    \b
    now       at once; this is meant without a word, too
    SECONDS   after a countdown
    test      everything except the move: would it work?
    status    what goes on
    cancel    call off what has not begun to move rooms
    history   what came of the earlier ones
    """
    from perdure.cli import copyovering  # what a report says: heavier than the rest of the command line

    asked = copyovering.asked_for(words, options)
    context.exit(copyovering.RUN[asked.action](state_folder(state), asked.order, as_json))


COMMANDS = [copyover]
