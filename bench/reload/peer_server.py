"""The other tools, driven as their users drive them: ``PYTHON peer_server.py TOOL FOLDER``.

Runs under the Python of an environment that has the tools and nothing of Perdure's. It serves a line protocol on a port
that it prints first: each line is answered with what `leaf.value()` returns, and the line. Orders on its standard
input, one JSON object per line, save and reload many times in a row, for the memory of it.

    importlib   watchfiles tells what was saved, importlib.reload loads it
    jurigged    its own watcher patches the functions in place
    uvicorn     (not here: it is started by its command, on `APPLICATION`)
"""

import asyncio
import importlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

APPLICATION = """
import leaf


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    elif scope["type"] == "http":
        body = f"v={leaf.value()}; {scope['query_string'].decode()}\\n".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
"""


def anonymous_bytes() -> int:
    """This process's memory that is no file's."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


class Importlib:
    """The modules that were saved are reloaded, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.leaf = importlib.import_module("leaf")

    async def watch(self) -> None:
        """For ever."""
        watchfiles: Any = importlib.import_module("watchfiles")
        async for changes in watchfiles.awatch(self.folder, debounce=10, step=5):
            for _, path in changes:
                if Path(path).stem in sys.modules:
                    self.reload()

    def reload(self) -> None:
        """The one module that is edited here."""
        importlib.reload(self.leaf)


class Jurigged:
    """As in its documentation: watch the folder, then import."""

    def __init__(self, folder: Path) -> None:
        jurigged: Any = importlib.import_module("jurigged")
        self.watcher = jurigged.watch(str(folder / "*.py"), logger=lambda _: None)
        self.leaf = importlib.import_module("leaf")

    async def watch(self) -> None:
        """It has a thread for that."""

    def reload(self) -> None:
        """What its watcher does when it is told of a file."""
        self.watcher.refresh(self.leaf.__file__)


TOOLS: dict[str, Callable[[Path], Any]] = {"importlib": Importlib, "jurigged": Jurigged}


async def _serve(tool: Any, folder: Path) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(f"v={tool.leaf.value()}; {line.decode()}".encode())
        writer.close()

    watching = asyncio.create_task(tool.watch())
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        print(json.dumps(_grow(tool, folder, **order)), flush=True)
    watching.cancel()


def _grow(tool: Any, folder: Path, sources: str, warm_up: int, count: int, sample: int) -> list[tuple[int, int]]:
    """Reload that many times, VALUE in the sources counted; (number, memory in bytes) of every `sample` of them."""
    found = []
    for number in range(warm_up + count):
        if number >= warm_up and number % sample == 0:
            found.append((number, anonymous_bytes()))
        (folder / "leaf.py").write_text(sources.replace("VALUE", str(1_000_000 + number)))
        tool.reload()
    return found


if __name__ == "__main__":
    tool_name, folder_name = sys.argv[1:]
    sys.path.insert(0, folder_name)
    sys.dont_write_bytecode = True
    asyncio.run(_serve(TOOLS[tool_name](Path(folder_name)), Path(folder_name)))
