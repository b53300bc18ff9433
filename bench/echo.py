"""One line from a player to the room and back: through gateway, link, host and journal."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, cast

from bench.load import LoadClient
from bench.processes import Cpu, server
from bench.projects import project
from bench.report import Goal, Report, main, number

GOAL_PER_S = 15_000.0
GOAL_P50_MS = 0.3
WEB = 100


class Echo(asyncio.Protocol):
    """The control run: a server that answers, and does nothing else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


async def serve_echo(fd: int) -> None:
    """Answer on an inherited listener until ended."""
    server = await asyncio.get_running_loop().create_server(Echo, sock=socket.socket(fileno=fd))
    await server.serve_forever()


@contextlib.contextmanager
def plain_echo() -> Iterator[tuple[int, dict[str, int]]]:
    """(port, processes) of a plain uvloop echo server."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        fd = listener.fileno()
        code = f"from bench.echo import serve_echo; import uvloop; uvloop.run(serve_echo({fd}))"
        process = subprocess.Popen([sys.executable, "-c", code], pass_fds=(fd,))
        try:
            yield listener.getsockname()[1], {"echo": process.pid}
        finally:
            process.kill()
            process.wait()


def converse(
    port: int, pids: dict[str, int], count: int, seconds: float, *, guests: bool, web: bool = False
) -> dict[str, Any]:
    """`count` clients speak as fast as they are answered."""
    with LoadClient() as load:
        load.order("connect", port=port, count=count, guests=guests, web=web)
        load.order("converse", verb="e", seconds=seconds / 4)
        cpu = Cpu(pids)
        result: dict[str, Any] = load.order("converse", verb="e", seconds=seconds)
        return result | {"cores": cpu.shares()}


def row_of(name: str, result: dict[str, Any]) -> list[str]:
    """One line of the table."""
    cores = ", ".join(f"{process} {share:.2f}" for process, share in result["cores"].items() if share >= 0.005)
    p10, p50, p90, p99 = (number(result[key] * 1e3) for key in ("p10_s", "p50_s", "p90_s", "p99_s"))
    return [name, number(result["per_s"]), f"{p50} ({p10}–{p90})", p99, f"{result['client_core']:.2f}", cores]


def measure(short: bool) -> Report:
    """1, 100 and 1,000 clients, each with one line on its way."""
    seconds = 2.0 if short else 8.0
    rows, results = [], {}
    for count in (1, 100, 1000):
        with plain_echo() as (port, pids):
            results["plain", count] = converse(port, pids, count, seconds / 2, guests=False)
        rows.append(row_of(f"plain echo, {count:,}", results["plain", count]))
    with project(web=True) as folder, server(folder) as running:
        for count in (1, 100, 1000):
            results["perdure", count] = converse(running.port, running.pids(), count, seconds, guests=True)
            rows.append(row_of(f"Perdure, {count:,}", results["perdure", count]))
        web = converse(running.web_port, running.pids(), WEB, seconds, guests=True, web=True)
        results["web", WEB] = web
        rows.append(row_of(f"Perdure, {WEB:,} by WebSocket", web))
    wrong = sum(result["wrong"] for result in results.values())
    per_s, p50_ms = results["perdure", 1000]["per_s"], results["perdure", 1]["p50_s"] * 1e3
    figures = {f"{kind}_{count}_per_s": result["per_s"] for (kind, count), result in results.items()}
    figures |= {f"{kind}_{count}_p50_ms": result["p50_s"] * 1e3 for (kind, count), result in results.items()}
    figures |= {f"{kind}_{count}_client_core": result["client_core"] for (kind, count), result in results.items()}
    return Report(
        "echo",
        "A line and its answer, durability `process`, in ms: median (10th–90th percentile)",
        ["server, clients", "lines/s", "ms", "99th", "client's core", "the server's cores"],
        rows,
        f"a plain TCP echo of uvloop {version('uvloop')} in one process, under the same load client.",
        [Goal("G14", "lines per second, 1,000 clients on two cores", f"≥ {GOAL_PER_S:,.0f}/s",
              f"{number(per_s)}/s (the load client takes {results['perdure', 1000]['client_core']:.2f} of a core)",
              per_s >= GOAL_PER_S),
         Goal("G14", "one client, p50", f"≤ {GOAL_P50_MS} ms", f"{number(p50_ms)} ms", p50_ms <= GOAL_P50_MS)],
        [
            "Guests in one room, by telnet; each sends a line, waits for its answer, sends the next. By WebSocket:",
            "with the subprotocol `perdure`, whose messages are JSON; the client acknowledges every sixteenth answer.",
            "The load client is one more process on the same cores.",
            f"Answers that were lost, doubled or out of order: {wrong}.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
