"""Ten players in halls whose program is replaced, and what has to hold afterwards."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from perdure.cli.client import Client as Control
from tests.e2e.checker import Report, check
from tests.e2e.clients import Client, LineClient, players
from tests.e2e.programs import HALLS, ROOMS, Halls
from tests.e2e.server import Server, serving, wait_until
from tests.e2e.talk import Talk, talking

COPYOVER_S = 240.0
"""Longest wait for a copyover: a deadline on a machine that is busy with other things, not a figure."""
BUSY = HALLS[:3]
"""Halls with three players each; the tenth walks through them."""
MOVES = tuple(move for hall in BUSY for move in (f"go {hall}", f"say {hall}.{{}}"))


class Played(NamedTuple):
    """Halls with ten players in them.

    Attributes:
        place: Name of a player -> the hall; the last one walks, and has none.
    """

    server: Server
    halls: Halls
    clients: list[Client]
    place: dict[str, str]

    # --- talk ---

    def talking(self, *, pause_s: float = 0.05, seed: int = 1) -> AbstractContextManager[Talk]:
        """Nine players talk inside the block, and the tenth walks and talks. What was said before is forgotten."""
        for client in self.clients:
            for lines in (client.sent, client.seen, client.heard):
                lines.clear()
        return talking(self.clients, move=True, pause_s=pause_s, seed=seed, moves=MOVES)

    def hears(self, listener: str, speaker: str, text: str) -> bool | None:
        """Who is in the same hall, once; the walker hears others by chance, and itself."""
        if listener == speaker:
            return True
        if listener not in self.place:
            return None
        here = self.place.get(speaker) or text.partition(".")[0]
        return self.place[listener] == here

    def checked(self, talk: Talk) -> Report:
        """What the checker says, which must be nothing bad."""
        talk.report_of(self.hears)
        with suppress(AssertionError):
            wait_until(lambda: not check(self.clients, self.hears).complaints, "all speech", look_s=0.1)
        report = check(self.clients, self.hears)
        assert report.complaints == [], report.complaints
        return report

    # --- copyovers ---

    def copyover(self, **order: object) -> dict[str, Any]:
        """The report of a copyover that is asked for on the control socket."""
        with Control(self.server.state) as control:
            report: dict[str, Any] = control.request("copyover", dict(order), timeout_s=COPYOVER_S)
        return report

    def committed(self, **order: object) -> dict[str, Any]:
        """The same, of one that has to succeed with all rooms."""
        report = self.copyover(**order)
        assert (report["outcome"], report["aborted_at"], report["reason"]) == ("committed", None, ""), report
        assert (report["rooms"]["moved"], report["rooms"]["kept"]) == (len(ROOMS), []), report["rooms"]
        assert (report["hash_mismatches"], report["sessions"]["lost"]) == (0, 0), report
        self.check()
        return report

    # --- what has to hold ---

    def rooms(self) -> dict[str, dict[str, Any]]:
        """Every room as some host lists it; each is listed by one."""

        def all_listed() -> list[dict[str, Any]]:
            listed: list[dict[str, Any]] = self.server.ask("rooms")
            return listed if {room["id"] for room in listed} == set(ROOMS) else []

        listed = wait_until(all_listed, "all rooms")
        assert len(listed) == len(ROOMS), listed
        return {room["id"]: room for room in listed}

    def hashes(self) -> dict[str, str]:
        """Hall -> hash of its state; of the tower, which beats, there is none that lasts."""
        return {id: room["state_hash"] for id, room in self.rooms().items() if id in HALLS}

    def owners(self) -> dict[str, tuple[int, str]]:
        """Room -> epoch and host of its owner row."""
        return owners(self.server.state)

    def processes(self) -> dict[str, int]:
        """Name -> pid of all that run."""
        return {one["name"]: one["pid"] for one in self.server.ask("status")["processes"] if one["pid"]}

    def check(self) -> None:
        """One owner for each room, which is the host that lists it; nobody disconnected (FM-31, FM-93)."""
        rooms, rows = self.rooms(), self.owners()
        assert {id: room["epoch"] for id, room in rooms.items()} == {id: epoch for id, (epoch, _) in rows.items()}
        by_host: dict[str, set[str]] = {}
        for id, room in rooms.items():
            by_host.setdefault(room["host"], set()).add(rows[id][1])
        assert all(len(incarnations) == 1 for incarnations in by_host.values()), by_host
        assert [client.name for client in self.clients if client.closed_s] == []

    def program(self, client: int = 0) -> dict[str, str]:
        """What the running game says of itself, to one of the players."""
        one = self.clients[client]
        since = len(one.seen)
        one.send("program")
        number = one.wait_for("program: ", since)
        return dict(pair.split("=", 1) for pair in one.seen[number - 1].text.split()[1:])


def owners(state: Path) -> dict[str, tuple[int, str]]:
    """Room -> epoch and host of its owner row."""
    with closing(sqlite3.connect(f"file:{state / 'owners.db'}?mode=ro", uri=True, timeout=30)) as database:
        rows = database.execute("SELECT room, MAX(epoch), host FROM owner GROUP BY room").fetchall()
    return {room: (epoch, host) for room, epoch, host in rows}


def descendants(pid: int) -> dict[int, str]:
    """Pid -> name of all processes that come from this one."""
    children: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            head, _, tail = Path(f"/proc/{entry}/stat").read_text().rpartition(")")
        except OSError:
            continue
        if tail.split()[0] in "ZX":
            continue
        names[int(entry)] = head.partition("(")[2]
        children.setdefault(int(tail.split()[1]), []).append(int(entry))
    found: dict[int, str] = {}
    waiting = list(children.get(pid, []))
    while waiting:
        one = waiting.pop()
        found[one] = names[one]
        waiting += children.get(one, [])
    return found


def descriptors(pid: int) -> int:
    """How many are open in a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def place_players(clients: Sequence[Client]) -> dict[str, str]:
    """Three players into each of the busy halls; the last one stays where it is."""
    place = {client.name: BUSY[number % len(BUSY)] for number, client in enumerate(clients[:-1])}
    for client in clients[:-1]:
        if place[client.name] != HALLS[0]:
            client.command(f"go {place[client.name]}", f"Welcome to {place[client.name]}")
    return place


@contextmanager
def playing(folder: Path, fault: str = "", state: Path | None = None, **settings: object) -> Iterator[Played]:
    """Ten halls that run, with ten players."""
    halls = Halls(folder / "p", **settings)
    with (
        serving(folder, halls.project, fault, state=state) as server,
        players(server.address, 10, f"Welcome to {HALLS[0]}") as clients,
    ):
        yield Played(server, halls, clients, place_players(clients))


@contextmanager
def visiting(server: Server, name: str, verb: str = "create") -> Iterator[Client]:
    """One more player, in the first hall."""
    client = LineClient(name, server.address)
    try:
        client.log_in(verb)
        client.wait_for(f", {name}.")  # welcome, or welcome back
        yield client
    finally:
        client.close()


def steps_ms(report: Mapping[str, Any]) -> dict[str, float]:
    """Step -> how long it took."""
    return {step["name"]: step["ms"] for step in report["steps"]}


LOOKS = 30
"""A process is at rest when so many looks in a row find the same."""


def at_rest(pid: int) -> int:
    """How many descriptors a process has when nothing opens or closes any: what just ended may still be closing."""
    seen: list[int] = []

    def steady() -> bool:
        seen.append(descriptors(pid))
        return len(seen) >= LOOKS and len(set(seen[-LOOKS:])) == 1

    wait_until(steady, "a steady number of descriptors")
    return seen[-1]
