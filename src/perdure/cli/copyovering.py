"""What `perdure copyover` asks of a server, what it shows while it waits, and what came of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from perdure.cli.client import Client
from perdure.cli.show import copyover_state, print_json, print_table
from perdure.control_lines import EXIT_INTERRUPTED, EXIT_OK
from perdure.errors import ContractError, RemoteError, Unavailable
from perdure.movement.copyover_order import Action, CopyoverOrder, asked, check, params_of
from perdure.movement.copyover_report import CopyoverReport, decode, exit_code, lines, named
from perdure.movement.report import encode
from perdure.supervisor.events import sentence
from perdure.supervisor.history import FILE_NAME as HISTORY
from perdure.supervisor.history import read_history
from perdure.supervisor.plain import plain

COPYOVER_TIMEOUT_S = 3600.0
"""Longest silence of a server in a copyover, its build command included; countdown and watch come on top."""
REPORTS = ("copyover", "copyover-failed")
"""Events that have the whole report, which the answer has as well."""
PROGRESS = "copyover-"
"""How the kinds of the events begin that a copyover leaves on its way."""


class Asked(NamedTuple):
    """What the command line says."""

    action: Action
    order: CopyoverOrder


def asked_for(words: Sequence[str], options: Mapping[str, Any]) -> Asked:
    """The order that words and options make.

    Raises:
        UsageError: They are none, or contradict each other.
    """
    try:
        action, in_s = asked(words)
        if action not in ("now", "test"):
            _no_options(action, options)
            return Asked(action, CopyoverOrder())
        order = CopyoverOrder(
            **{**options, "build": _argv(options["build"]), "quiet": options["quiet"] or None},
            action=action,
            in_s=in_s,
        )
        check(order)
    except ContractError as error:
        raise click.UsageError(str(error)) from None
    return Asked(action, order)


def _no_options(action: str, options: Mapping[str, Any]) -> None:
    given = [f"--{name.removesuffix('_s').replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise ContractError(f"{', '.join(given)}: these say how to copy over, and `copyover {action}` does not.")


def _argv(command: str | None) -> list[str] | None:
    """The words of --build, as a shell would split them; no shell runs it."""
    if command is None:
        return None
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ContractError(f"--build {command!r} cannot be split into words: {error}.") from None


# --- now, SECONDS, test ---


def copy_over(state: Path, order: CopyoverOrder, as_json: bool) -> int:
    """Ask for it, show how it goes on standard error, then the report; returns the exit code."""
    with Client(state) as client:
        client.request("events", {"follow": True}, on_event=_ignore)
        timeout_s = COPYOVER_TIMEOUT_S + order.in_s + (order.watch_s or 0.0)
        try:
            answer = client.request("copyover", params_of(order), timeout_s=timeout_s, on_event=_show_progress)
        except KeyboardInterrupt:
            click.echo(
                "\nThe copyover goes on without you. How it is: perdure copyover status. "
                "Call it off: perdure copyover cancel",
                err=True,
            )
            return EXIT_INTERRUPTED
    report = decode(answer)
    if as_json:
        print_json(answer)
    else:
        for line in lines(report):
            click.echo(plain(line))
    return exit_code(report)


def _show_progress(event: dict[str, Any]) -> None:
    if not event["kind"].startswith(PROGRESS) or event["kind"] in REPORTS:
        return
    wait_s = event.get("in_s")
    when = f". Rooms move in {wait_s:g} s at the earliest; to call it off: perdure copyover cancel" if wait_s else ""
    click.echo(f"{sentence(event)}{when}", err=True)


def _ignore(event: dict[str, Any]) -> None:
    """What happened before it was asked for is no progress of it."""
    del event


# --- status, cancel, history ---


def show_status(state: Path, _: CopyoverOrder, as_json: bool) -> int:
    """One line: what goes on."""
    with Client(state) as client:
        found = client.request("copyover.status")
    print_json(found) if as_json else click.echo(copyover_state(found))
    return EXIT_OK


def cancel(state: Path, _: CopyoverOrder, as_json: bool) -> int:
    """Call it off; the server says so if it is too late."""
    with Client(state) as client:
        found = client.request("copyover.cancel")
    print_json(found) if as_json else click.echo(
        f"Copyover {plain(found.get('cancelled', ''))} is called off, and the old program serves on. "
        "What came of it: perdure copyover history"
    )
    return EXIT_OK


HEADINGS = ["NR", "WHEN", "BY", "BUILD", "OUTCOME", "ROOMS", "PAUSE MS", "FREEZE MS"]


def show_history(state: Path, _: CopyoverOrder, as_json: bool) -> int:
    """What came of the earlier ones, the oldest first; needs no server."""
    try:
        with Client(state) as client:
            found = client.request("copyover.history")
    except (Unavailable, RemoteError):  # RemoteError: `perdure dev` runs there, which keeps none of its own
        if not os.access(state / HISTORY, os.R_OK):
            raise
        found = [encode(report) for report in read_history(state)]
    if as_json:
        print_json(found)
        return EXIT_OK
    rows = [_row(decode(report)) for report in found]
    print_table(HEADINGS, rows, empty="There was no copyover yet. Would it work? perdure copyover test")
    return EXIT_OK


def _row(report: CopyoverReport) -> list[Any]:
    build, who = report.build, f"canary of {report.of}" if report.of else report.by or report.trigger
    silent = report.cancelled or not report.aborted_at
    return [
        *(report.id, report.at[:19].replace("T", " "), who),
        *(f"{build.from_} → {build.to or '–'}", named(report) if silent else f"{named(report)} at {report.aborted_at}"),
        _rooms(report),
        *(f"{report.pause_ms.max:.1f}" if report.pause_ms.max else "–",),
        *(f"{report.freeze_ms:.1f}" if report.freeze_ms else "–",),
    ]


def _rooms(report: CopyoverReport) -> str:
    """How many moved of how many; of a test, how many would."""
    rooms = report.rooms
    if report.outcome == "tested":
        return f"{rooms.proved} proved"
    of = rooms.moved + len(rooms.kept) or rooms.proved
    return f"{rooms.moved} of {of}" if of else "–"


RUN: Mapping[Action, Callable[[Path, CopyoverOrder, bool], int]] = {
    "now": copy_over,
    "test": copy_over,
    "status": show_status,
    "cancel": cancel,
    "history": show_history,
}
