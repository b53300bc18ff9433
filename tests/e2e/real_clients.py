"""People's own clients: programs in a terminal whose screen is read, the page in a browser, and one as Mudlet is.

Each notes what it sends and sees as `clients.Client` does, so that the checker may compare them all.
"""

import json
import os
import queue
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pexpect
import pyte
from playwright.sync_api import WebSocket, sync_playwright

from perdure.gateway.telnet.codes import (
    CHARSET,
    DO,
    DONT,
    ECHO,
    EOR,
    EOR_MARK,
    GA,
    GMCP,
    IAC,
    MSSP,
    NAWS,
    NEW_ENVIRON,
    SB,
    SE,
    SGA,
    TTYPE,
    WILL,
    WONT,
)
from tests.e2e.clients import Client
from tests.e2e.server import DEADLINE_S, Server, wait_until
from tests.web.conftest import ARGUMENTS, chromium_path
from tests.web.page import PATIENCE_MS, Browser

T = TypeVar("T")

PATH = f"{os.environ.get('PATH', '')}:/usr/games"
"""Debian puts tt++ where root's PATH does not lead."""


# --- programs in a terminal ---------------------------------------------------------------------------


class TerminalClient(Client):
    """A program in a terminal of its own.

    A line counts as seen when the cursor has gone on from it, and reads as the screen has it.

    Args:
        over: Part of the line by which the program says that the other side ended the connection.
    """

    LINES_MAX = 100_000

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        home: Path,
        *,
        over: str,
        columns: int = 100,
        rows: int = 30,
        encoding: str = "utf-8",
    ) -> None:
        super().__init__(name)
        self._over, self._encoding, self._done = over, encoding, 0
        environ = {**os.environ, "HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8"}
        self._child = pexpect.spawn(command[0], [*command[1:]], env=environ, dimensions=(rows, columns))
        self._screen = pyte.HistoryScreen(columns, rows, history=self.LINES_MAX)
        self._stream = pyte.ByteStream(self._screen)
        if encoding != "utf-8":
            self._stream.select_other_charset("@")
        self._reader = threading.Thread(target=self._read, daemon=True, name=f"terminal-{name}")
        self._reader.start()

    def resize(self, columns: int, rows: int) -> None:
        """As when somebody drags the window's corner. Only rows more or columns fewer keep the screen's lines."""
        self._child.setwinsize(rows, columns)

    def close(self) -> None:
        """End the program."""
        self.left = True
        assert (self._child.pid or 0) > 1
        self._child.terminate(force=True)
        self._reader.join(DEADLINE_S)
        self._child.close(force=True)

    def _write(self, line: str) -> None:
        self._child.send(line.encode(self._encoding) + b"\r")

    def _read(self) -> None:
        with suppress(OSError):  # how a terminal says that its program is gone
            while data := os.read(self._child.child_fd, 1 << 16):
                self._stream.feed(data)
                self._look()
        self._ended()

    def _look(self) -> None:
        """Note the lines that the cursor has left."""
        above, cursor = self._screen.history.top, self._screen.cursor
        while self._done < len(above) + cursor.y:
            row = above[self._done] if self._done < len(above) else self._screen.buffer[self._done - len(above)]
            self._rest = self._text(row)
            self._saw("\n")
            self._done += 1
            if self._over in self.seen[-1].text:
                self._ended()
        self._rest = self._text(self._screen.buffer[cursor.y])[: cursor.x]

    def _text(self, row: Mapping[int, Any]) -> str:
        return "".join(row[column].data for column in range(self._screen.columns)).rstrip()


def tintin(name: str, server: Server, home: Path, *settings: str) -> TerminalClient:
    """TinTin++, as it comes or with some of its settings."""
    host, port = server.address
    home.mkdir(parents=True, exist_ok=True)
    start = home / "start.tin"
    start.write_text("\n".join([*settings, f"#session perdure {host} {port}", ""]))
    program = shutil.which("tt++", path=PATH)
    assert program is not None
    return TerminalClient(name, [program, "-G", str(start)], home, over="#SESSION 'perdure' DIED.")


def inetutils(name: str, server: Server, home: Path, encoding: str = "utf-8") -> TerminalClient:
    """GNU telnet."""
    command = ["telnet", server.address[0], str(server.address[1])]
    return TerminalClient(name, command, home, over="Connection closed by foreign host.", encoding=encoding)


def telnetlib3(name: str, server: Server, home: Path) -> TerminalClient:
    """The client program of telnetlib3."""
    program = str(Path(sys.executable).with_name("telnetlib3-client"))
    command = [program, "--line-mode", server.address[0], str(server.address[1])]
    return TerminalClient(name, command, home, over="Connection closed by foreign host.")


# --- Mudlet -------------------------------------------------------------------------------------------


class Habits(NamedTuple):
    """How a telnet client for MUDs speaks.

    Attributes:
        names: What it answers when it is asked for its terminal type: client, terminal, capabilities.
        environ: Variables that it gives away.
        modules: What it takes by GMCP; without any it refuses GMCP.
        charset: What it agrees to; "" = it refuses CHARSET.
        encoding: Of its text.
    """

    names: Sequence[str]
    environ: Mapping[str, str] = {}
    modules: Sequence[str] = ()
    charset: str = ""
    encoding: str = "utf-8"


MUDLET = Habits(
    names=("MUDLET", "XTERM-256COLOR", "MTTS 2349"),
    environ={"CLIENT_NAME": "MUDLET", "CLIENT_VERSION": "4.17.2", "OSC_HYPERLINKS_SEND": "1"},
    modules=("Char 1", "Char.Login 1", "Comm.Channel 1", "Room 1"),
    charset="UTF-8",
)
LISTENER = Habits(names=("LISTENER", "DUMB", f"MTTS {4 | 64}"), charset="UTF-8")
"""Whose player hears a screen reader."""


class MudClient(Client):
    """A client that negotiates as Mudlet does, and waits for GA or EOR: a line without its end is not shown before.

    Attributes:
        prompt: The last line that was ended by GA or EOR.
        echo: Whether what is typed is shown: off while the server says that it echoes.
        said: (verb, option) of all that the server said about options.
        messages: (package, JSON) of all GMCP messages.
        status: The server's MSSP variables, once it has told them.
    """

    def __init__(
        self, name: str, server: Server, habits: Habits = MUDLET, *, columns: int = 100, rows: int = 30, first: str = ""
    ) -> None:
        super().__init__(name)
        self._habits, self._size = habits, (columns, rows)
        self.prompt = ""
        self.echo = True
        self.said: list[tuple[int, int]] = []
        self.messages: list[tuple[str, Any]] = []
        self.status: dict[str, str] = {}
        self._asked = 0
        self._ours: set[int] = set()
        self._theirs: set[int] = set()
        self._has = {ECHO, SGA, EOR, MSSP, NAWS, TTYPE, NEW_ENVIRON}
        self._has |= {CHARSET} if habits.charset else set()
        self._has |= {GMCP} if habits.modules else set()
        self._socket = socket.create_connection(server.address, timeout=DEADLINE_S)
        self._socket.settimeout(None)
        if first:
            self._send(first.encode())
        self._reader = threading.Thread(target=self._read, daemon=True, name=f"mud-client-{name}")
        self._reader.start()

    # --- what its player does ---

    def resize(self, columns: int, rows: int) -> None:
        """Another window."""
        self._size = columns, rows
        self._send_size()

    def gmcp(self, package: str, data: object) -> None:
        """Send a message."""
        self._tell(GMCP, f"{package} {json.dumps(data)}".encode())

    def wait_gmcp(self, package: str, data: object, since: int = 0) -> None:
        """Wait for such a message, after the first so many ones."""
        wait_until(lambda: (package, data) in self.messages[since:], f"{package} {data} at {self.name}")

    def ask_status(self) -> dict[str, str]:
        """The server's MSSP variables, asked for anew."""
        self.status = {}
        self._theirs.discard(MSSP)
        self._command(DONT, MSSP)
        wait_until(lambda: self.said[-1] == (WONT, MSSP), "the end of the option")
        self._theirs.add(MSSP)
        self._command(DO, MSSP)
        return wait_until(lambda: self.status, "the server's status")

    def close(self) -> None:
        """Drop the connection, without a word."""
        self.left = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(DEADLINE_S)
        self._socket.close()

    def _write(self, line: str) -> None:
        self._send(line.encode(self._habits.encoding) + b"\r\n")

    # --- what it reads ---

    def _read(self) -> None:
        data, shown = b"", b""
        with suppress(OSError):
            while more := self._socket.recv(1 << 16):
                data += more
                while (part := _part(data)) is not None:
                    data = data[len(part) :]
                    if part[0] != IAC:
                        shown = self._show(shown + part)
                    elif part[1] in (GA, EOR_MARK):
                        self.prompt = self._text(shown)
                        shown = self._show(shown + b"\n")
                    elif part[1] == IAC:
                        shown += part[1:]
                    else:
                        self._hear(part)
        self._ended()

    def _show(self, data: bytes) -> bytes:
        """Show whole lines; the rest waits."""
        lines, end, rest = data.rpartition(b"\n")
        self._saw(self._text(lines + end))
        return rest

    def _text(self, data: bytes) -> str:
        return data.decode(self._habits.encoding)

    def _hear(self, part: bytes) -> None:
        if part[1] == SB:
            self._told(part[2], part[3:-2].replace(b"\xff\xff", b"\xff"))
        elif part[1] in (WILL, WONT, DO, DONT):
            self._negotiated(part[1], part[2])

    def _negotiated(self, verb: int, option: int) -> None:
        """Agree to what this client has and refuse everything else; what is so already has no answer (RFC 854)."""
        self.said.append((verb, option))
        if option == ECHO:
            self.echo = verb == WONT
        on, yes, no = (self._theirs, DO, DONT) if verb in (WILL, WONT) else (self._ours, WILL, WONT)
        wanted = verb in (WILL, DO) and option in self._has
        if wanted != (option in on):
            self._command(yes if wanted else no, option)
        elif verb in (WILL, DO) and not wanted:
            self._command(no, option)
        on.add(option) if wanted else on.discard(option)
        if (verb, option) == (DO, NAWS):
            self._send_size()
        if (verb, option) == (WILL, GMCP) and wanted:
            self.gmcp("Core.Hello", {"client": "Mudlet", "version": "4.17.2"})
            self.gmcp("Core.Supports.Set", list(self._habits.modules))

    def _told(self, option: int, body: bytes) -> None:
        """A subnegotiation."""
        if option == TTYPE:
            names = self._habits.names
            self._tell(TTYPE, b"\0" + names[min(self._asked, len(names) - 1)].encode())
            self._asked += 1
        elif option == NEW_ENVIRON:
            pairs = (f"\0{name}\1{value}" for name, value in self._habits.environ.items())
            self._tell(NEW_ENVIRON, b"\0" + "".join(pairs).encode())
        elif option == CHARSET and body[:1] == b"\1":
            self._tell(CHARSET, b"\2" + self._habits.charset.encode())
        elif option == GMCP:
            package, _, data = body.decode().partition(" ")
            self.messages.append((package, json.loads(data) if data else None))
        elif option == MSSP:
            told = [variable.split("\2") for variable in body.decode().split("\1")[1:]]
            self.status = {name: values[-1] for name, *values in told}

    def _send_size(self) -> None:
        if NAWS in self._ours:
            self._tell(NAWS, b"".join(number.to_bytes(2, "big") for number in self._size))

    def _tell(self, option: int, body: bytes) -> None:
        self._send(bytes((IAC, SB, option)) + body.replace(b"\xff", b"\xff\xff") + bytes((IAC, SE)))

    def _command(self, verb: int, option: int) -> None:
        self._send(bytes((IAC, verb, option)))

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # the end of the connection is noted by the reader
            self._socket.sendall(data)


def _part(data: bytes) -> bytes | None:
    """The first part of a stream: text, or one whole command; None if it has not wholly come."""
    if data[:1] != bytes((IAC,)):
        return data[: data.index(IAC)] if IAC in data else data or None
    if len(data) < 2:
        return None
    if data[1] == SB:
        end = data.find(bytes((IAC, SE)))
        return data[: end + 2] if end >= 0 else None
    count = 3 if data[1] in (WILL, WONT, DO, DONT) else 2
    return data[:count] if len(data) >= count else None


# --- the page -----------------------------------------------------------------------------------------

LINES = """() => {
  const lines = document.querySelector("#lines"), texts = [];
  let line = window.seenLine ? window.seenLine.nextElementSibling : lines.firstElementChild;
  for (; line; line = line.nextElementSibling) { texts.push(line.textContent); window.seenLine = line; }
  return texts;
}"""
"""The lines since the last look. It sees a line once, so the game has to send whole ones."""
LOOK_S = 0.03


class PageClient(Client):
    """The page in a Chromium of its own, which lives in a thread of its own.

    Attributes:
        loads, connections: How often a page was loaded, and a WebSocket opened.
        window: Columns and rows that the page told last.
    """

    def __init__(self, name: str, server: Server, **context: Any) -> None:
        super().__init__(name)
        self.loads = self.connections = 0
        self.window = (0, 0)
        self._server, self._context = server, context
        self._orders: queue.SimpleQueue[Callable[[Browser], None] | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"page-{name}")
        self._thread.start()
        self._opened.result(4 * PATIENCE_MS / 1000)

    def ask(self, question: Callable[[Browser], T]) -> T:
        """Its answer, given in the browser's thread."""
        answer: Future[T] = Future()

        def order(browser: Browser) -> None:
            try:
                answer.set_result(question(browser))
            except Exception as error:  # noqa: BLE001  (whoever asked is told)
                answer.set_exception(error)

        self._orders.put(order)
        return answer.result(2 * PATIENCE_MS / 1000)

    def resize(self, columns: int, rows: int) -> None:
        """Another window, in pixels."""
        self.ask(lambda browser: browser.page.set_viewport_size({"width": columns, "height": rows}))

    def close(self) -> None:
        """Close the browser."""
        self.left = True
        self._orders.put(None)
        self._thread.join(DEADLINE_S)

    def _write(self, line: str) -> None:
        self._orders.put(lambda browser: browser.types(line))

    def _run(self) -> None:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
            try:
                page = chromium.new_context(**self._context).new_page()
                page.on("load", lambda _: self._loaded())
                page.on("websocket", self._connected)
                browser = Browser(page, tuple(self._server.ask("status")["listening"]["web"][0]))
                browser.opens()
                self._opened.set_result(None)
                self._obey(browser)
            except Exception as error:  # the player, who waits for the page, is told
                if self._opened.done():
                    raise
                self._opened.set_exception(error)
            finally:
                chromium.close()

    def _obey(self, browser: Browser) -> None:
        while True:
            with suppress(queue.Empty):
                if (order := self._orders.get(timeout=LOOK_S)) is None:
                    return
                order(browser)
            for line in browser.page.evaluate(LINES):
                self._saw(f"{line}\n")
            self._rest = browser.page.locator("#prompt").text_content() or ""

    def _loaded(self) -> None:
        self.loads += 1

    def _connected(self, connection: WebSocket) -> None:
        self.connections += 1
        connection.on("framesent", self._told)

    def _told(self, message: str | bytes) -> None:
        told = json.loads(message)
        if "columns" in told:
            self.window = told["columns"], told["rows"]


# --- all of them --------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """A kind of client.

    Attributes:
        opens: Opens one, for the player of this name.
        missing: Why it cannot be had here; "" if it can.
        listens: Its player hears a screen reader, and the client says so.
        encoding: In which it speaks.
        narrow: To what its window may be resized; for the page in pixels.
    """

    opens: Callable[[str, Server, Path], "TerminalClient | MudClient | PageClient"]
    missing: str = ""
    listens: bool = False
    encoding: str = "utf-8"
    narrow: tuple[int, int] = (90, 30)


def _missing(program: str, path: str | None = None) -> str:
    return "" if shutil.which(program, path=path) else f"needs {program}"


KINDS: Mapping[str, Kind] = {
    "tintin": Kind(tintin, _missing("tt++", PATH)),
    "tintin-listening": Kind(
        lambda *who: tintin(*who, "#config {SCREEN READER} {ON}", "#config {CHARSET} {ISO1}"),
        _missing("tt++", PATH),
        listens=True,
        encoding="latin-1",
    ),
    "telnetlib3": Kind(telnetlib3),
    "inetutils": Kind(inetutils, _missing("telnet")),
    "chromium": Kind(
        lambda name, server, home: PageClient(name, server),
        "" if chromium_path() else "needs Chromium",
        narrow=(360, 640),
    ),
    "mudlet": Kind(lambda name, server, home: MudClient(name, server)),
    "listener": Kind(lambda name, server, home: MudClient(name, server, LISTENER), listens=True),
}
