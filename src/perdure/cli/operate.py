"""Commands for a running server, all through its control socket."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from perdure.cli.client import Client
from perdure.cli.options import server_options, state_folder
from perdure.cli.show import copyover_state, duration, print_fields, print_json, print_table, size
from perdure.config import Address
from perdure.errors import Unavailable
from perdure.movement.wording import counted
from perdure.supervisor.plain import plain

STOP_TIMEOUT_S = 60.0
HOST_TIMEOUT_S = 330.0
"""Longest wait for a host that starts or stops; the supervisor's own patience is shorter, and says more."""
MOVE_TIMEOUT_S = 600.0
"""Longest wait for a room that moves: another host loads its code and a copy of it first."""
FOLLOWED_FIRST = 10


def ask(state: Path | None, method: str, **params: Any) -> Any:
    """One request to the server that is meant."""
    with Client(state_folder(state)) as client:
        return client.request(method, params)


@click.command()
@click.option("--detail", is_flag=True, help="Also rooms and sessions.")
@server_options
def status(detail: bool, state: Path | None, as_json: bool) -> None:
    """How the server is: its processes, and its last recovery."""
    with Client(state_folder(state)) as client:
        found = client.request("status")
        if detail:
            found["rooms"], found["sessions"] = client.request("rooms"), client.request("sessions")
    if as_json:
        print_json(found)
        return
    build, up = found["build"], duration(found["uptime_s"])
    click.echo(f"Perdure {plain(found['version'])}, build {build['number']} ({plain(build['source'])}), up {up}")
    for host, port in found["listening"]["telnet"]:
        click.echo(f"telnet {plain(host)} {port}")
    for host, port in found["listening"]["web"]:
        click.echo(f"web    http://{plain(Address(host, port))}/")
    click.echo(f"state  {plain(found['state_dir'])}\n")
    _print_processes(found["processes"])
    if found["copyover"]["state"] != "idle":
        click.echo(f"\n{copyover_state(found['copyover'])}")
    _print_recovery(found["last_recovery"])
    if detail:
        click.echo()
        _print_rooms(found["rooms"])
        click.echo()
        _print_sessions(found["sessions"])


def _print_processes(processes: list[dict[str, Any]]) -> None:
    rows = (
        [p["name"], _state(p), p["pid"] or "", p["build"], duration(p["uptime_s"]), size(p["rss_bytes"]), p["fds"]]
        for p in processes
    )
    print_table(["PROCESS", "STATE", "PID", "BUILD", "UP", "MEMORY", "FDS"], rows, empty="no processes")


def _state(process: dict[str, Any]) -> str:
    """Which of several hosts is the one that serves, too."""
    return "serving" if process.get("serves") and process["state"] == "running" else str(process["state"])


def _print_recovery(last: dict[str, Any] | None) -> None:
    if not last:
        return
    aside = last.get("aside") or []
    rooms, records = counted(last["rooms"], "room"), counted(last["records"], "record")
    text = f"\nlast recovery: {rooms}, {records}, {last['all_ms']:.0f} ms"
    click.echo(text + (f"; aside: {plain(', '.join(aside))} (perdure rooms --aside)" if aside else ""))


@click.command()
@server_options
def sessions(state: Path | None, as_json: bool) -> None:
    """The players' sessions."""
    found = ask(state, "sessions")
    print_json(found) if as_json else _print_sessions(found)


def _print_sessions(found: list[dict[str, Any]]) -> None:
    rows = (
        [
            *(s["id"], s["stage"], s.get("name", ""), s["account"], s.get("room", ""), s["transport"], s["address"]),
            *(s["client"], s["encoding"], f"{s['columns']}x{s['rows']}" if s["columns"] else ""),
            *(s["in_unacked"], s["out_bytes"]),
        ]
        for s in found
    )
    headings = ["SESSION", "STAGE", "NAME", "ACCOUNT", "ROOM", "BY", "ADDRESS", "CLIENT", "ENCODING", "WINDOW"]
    headings += ["IN UNACKED", "OUT BYTES"]
    print_table(headings, rows, empty="Nobody is connected.")


@click.command()
@click.option("--aside", is_flag=True, help="Only the rooms that wait for an operator's decision, and why.")
@server_options
def rooms(aside: bool, state: Path | None, as_json: bool) -> None:
    """The rooms."""
    found = ask(state, "rooms", aside=aside)
    if as_json:
        print_json(found)
    elif aside:
        rows = ([a["room"], a["c"], a["session"], a["n"] if a["n"] >= 0 else "", a["reason"]] for a in found)
        print_table(["ROOM", "CALLBACK", "SESSION", "INPUT", "REASON"], rows, empty="No room is aside.")
        if found:
            click.echo("\nDecide: perdure room resume ROOM [--skip-input], or: perdure room discard ROOM")
    else:
        _print_rooms(found)


def _print_rooms(found: list[dict[str, Any]]) -> None:
    several = len({r.get("host", "") for r in found}) > 1
    headings = ["ROOM", *(["HOST"] if several else []), "GAME", "CALLBACK", "SEATS"]
    headings += ["P50 MS", "P99 MS", "FAULTS", "DURABILITY", ""]
    rows = (
        [
            *(r["id"], *([r.get("host", "")] if several else []), r["game"], r["callback"], r["seats"]),
            *(f"{r['tick_ms']['p50']:.2f}", f"{r['tick_ms']['p99']:.2f}", r["faults"], r["durability"]),
            "paused" if r["paused"] else "",
        ]
        for r in found
    )
    print_table(headings, rows, empty="No room runs. Was one put aside? perdure rooms --aside")


@click.group()
def room() -> None:
    """Look at a room, pause or move it, decide what becomes of it."""


def _on_room(state: Path | None, as_json: bool, method: str, name: str, done: str, **params: Any) -> None:
    found = ask(state, method, room=name, **params)
    if as_json:
        print_json(found)
    else:
        click.echo(done.format(room=plain(name)))


@room.command()
@click.argument("room")
@server_options
def show(room: str, state: Path | None, as_json: bool) -> None:
    """Everything that is known of a room."""
    found = ask(state, "room.show", room=room)
    if as_json:
        print_json(found)
        return
    lists = {name: value for name, value in found.items() if isinstance(value, list)}
    print_fields((name, _short(value)) for name, value in found.items() if name not in lists)
    for name, rows in lists.items():
        click.echo(f"\n{plain(name)}")
        headings = list(rows[0]) if rows and isinstance(rows[0], dict) else [""]
        cells = ([row[h] for h in headings] if isinstance(row, dict) else [row] for row in rows)
        print_table([plain(h).upper() for h in headings], cells, empty="none")


def _short(value: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in value.items()) if isinstance(value, dict) else str(value)


@room.command()
@click.argument("room")
@server_options
def pause(room: str, state: Path | None, as_json: bool) -> None:
    """Run nothing in the room; its players wait and lose nothing."""
    _on_room(state, as_json, "room.pause", room, "{room} is paused. One step: perdure room step {room}")


@room.command()
@click.argument("room")
@server_options
def step(room: str, state: Path | None, as_json: bool) -> None:
    """Run one callback of a paused room."""
    found = ask(state, "room.step", room=room)
    if as_json:
        print_json(found)
    else:
        ran = "One callback ran" if found.get("ran", True) else "Nothing waited to be run"
        click.echo(f"{ran}. {plain(room)} is paused.")


@room.command(name="continue")
@click.argument("room")
@server_options
def go_on(room: str, state: Path | None, as_json: bool) -> None:
    """End the pause."""
    _on_room(state, as_json, "room.continue", room, "{room} runs.")


@room.command()
@click.argument("room")
@click.option("--skip-input", is_flag=True, help="Step over the input that killed its host twice.")
@server_options
def resume(room: str, skip_input: bool, state: Path | None, as_json: bool) -> None:
    """Bring back a room that was put aside."""
    _on_room(state, as_json, "room.resume", room, "{room} runs again.", skip_input=skip_input)


@room.command()
@click.argument("room")
@click.argument("host")
@server_options
@click.pass_context
def move(context: click.Context, /, room: str, host: str, state: Path | None, as_json: bool) -> None:
    """Move the room to another host; its players stay in it."""
    from perdure.movement.room_move_report import decode, exit_code, line

    with Client(state_folder(state)) as client:
        answer = client.request("room.move", {"room": room, "host": host}, timeout_s=MOVE_TIMEOUT_S)
    report = decode(answer)
    print_json(answer) if as_json else click.echo(plain(line(report)))
    context.exit(exit_code(report))


@room.command()
@click.argument("room")
@click.option("--yes", is_flag=True, help="Do not ask.")
@server_options
def discard(room: str, yes: bool, state: Path | None, as_json: bool) -> None:
    """Give up a room's state and start it anew."""
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("There is no terminal to ask on, and all state is lost by this. Say it: --yes")
        click.confirm(f"All that happened in {plain(room)} is lost. Go on?", abort=True)
    _on_room(state, as_json, "room.discard", room, "{room} starts anew.")


@click.group()
def host() -> None:
    """Start a further host, or end one that has no rooms. `perdure status` lists them."""


@host.command(name="start")
@server_options
def start_host(state: Path | None, as_json: bool) -> None:
    """Start one more host, as `[host] command` says now. It has no rooms until some are moved to it."""
    with Client(state_folder(state)) as client:
        found = client.request("host.start", timeout_s=HOST_TIMEOUT_S)
    name = plain(found.get("name", ""))
    print_json(found) if as_json else click.echo(f"{name} runs. Move a room to it: perdure room move ROOM {name}")


@host.command(name="stop")
@click.argument("host")
@server_options
def stop_host(host: str, state: Path | None, as_json: bool) -> None:
    """End a host that has no rooms and does not serve."""
    with Client(state_folder(state)) as client:
        found = client.request("host.stop", {"host": host}, timeout_s=HOST_TIMEOUT_S)
    print_json(found) if as_json else click.echo(f"{plain(host)} has ended.")


@click.command()
@server_options
def modules(state: Path | None, as_json: bool) -> None:
    """The games' modules, with their commands and faults."""
    found = ask(state, "modules")
    if as_json:
        print_json(found)
        return
    rows = (
        [
            *(m.get("game", ""), m["module"], _listed(m["commands"]), m["faults"]),
            _listed(m["disabled"]) if m["disabled"] else "",
        ]
        for m in found["modules"]
    )
    print_table(["GAME", "MODULE", "COMMANDS", "FAULTS", "DISABLED"], rows, empty="No module is loaded.")
    click.echo()
    loaded = ([g.get("game", ""), g["id"], g["rooms"], "" if g["alive"] else "retired"] for g in found["generations"])
    print_table(["GAME", "GENERATION", "ROOMS", ""], loaded, empty="No generation is loaded.")


def _listed(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on as they happen.")
@click.option("--since", type=int, default=0, metavar="SEQ", help="Only events after this number.")
@click.option("-n", "--limit", type=click.IntRange(1), default=None, help="At most so many of the past ones.")
@server_options
def events(follow: bool, since: int, limit: int | None, state: Path | None, as_json: bool) -> None:
    """What happened to the server. Without -f this needs no server."""
    from perdure.supervisor.events import sentence

    folder = state_folder(state)
    if follow:
        found = _follow(folder, since, limit or (0 if since else FOLLOWED_FIRST))
    elif folder.is_dir():
        found = iter(_past(folder, since, limit or 0))
    else:
        raise Unavailable(f"There is no state folder {folder}.", op="control:connect")
    for event in found:
        if as_json:
            print_json(event)
        else:
            click.echo(f"{event['seq']:>6}  {plain(event.get('at', ''))}  {sentence(event)}")
        if follow:
            sys.stdout.flush()


def _past(folder: Path, since: int, limit: int) -> list[dict[str, Any]]:
    """What the files have; 0 is no limit."""
    from perdure.supervisor.events import read_events

    return list(read_events(folder, since))[-limit:]


def _follow(folder: Path, since: int, limit: int) -> Iterator[dict[str, Any]]:
    with Client(folder) as client:
        newest = client.request("events", {"follow": True})[-1:]
        past = _past(folder, since, limit)
        yield from past
        last = max((event["seq"] for event in (*past, *newest)), default=0)
        yield from (event for event in client.events() if event["seq"] > last)
    click.echo("The server ended.", err=True)


@click.command(name="log-level")
@click.argument("level", type=click.Choice(["debug", "info", "warning", "error"]))
@server_options
def log_level(level: str, state: Path | None, as_json: bool) -> None:
    """Log more, or less, from now on."""
    found = ask(state, "log-level", level=level)
    print_json(found) if as_json else click.echo(f"All processes log {level} and above.")


@click.command()
@click.option("--now", is_flag=True, help="Kill everything at once; what was acknowledged is in the journal.")
@server_options
def stop(now: bool, state: Path | None, as_json: bool) -> None:
    """Save, say goodbye to the players, and end the server."""
    with Client(state_folder(state)) as client:
        client.request("stop", {"now": now})
        if not as_json:
            click.echo("Stopping …", err=True)
        if not client.wait_end(STOP_TIMEOUT_S):
            raise Unavailable(
                f"The server has not ended within {STOP_TIMEOUT_S:g} s and goes on trying. See: perdure events. "
                "To kill it: perdure stop --now",
                op="control:stop",
            )
    print_json({"stopped": True}) if as_json else click.echo("Stopped.")


COMMANDS = [status, sessions, rooms, room, host, modules, events, log_level, stop]
