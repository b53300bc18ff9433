"""A player who types all the time, in a process of its own: a line, its answer, a millisecond's rest, the next line.

It reads orders from its standard input, one JSON object per line. While it types it notes when each answer came, and
says at once when an answer shows a value (``v=VALUE;``) that was not there before. It survives that its
connection ends: it connects again, says the line once more, and counts that.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from itertools import pairwise
from typing import Any, Self

from bench.orders import Ordered

ANSWER = re.compile(rb"(?:v=(\w+); )?=(\d+);")
WAIT_S = 60.0
REST_S = 0.001
ANSWER_S = 30.0
"""A line without an answer for so long is a defect."""


class Connection:
    """The player's socket.

    Attributes:
        drops: How often the server closed it.
    """

    def __init__(self, port: int, guest: bool) -> None:
        self.drops = 0
        self.data = b""
        self._port, self._guest = port, guest
        self._connect()

    def exchange(self, line: str, number: int) -> tuple[str, float]:
        """Say a line; the value in its answer, and when that came."""
        deadline_s = time.monotonic() + ANSWER_S
        while True:
            try:
                self.sock.sendall(line.replace("NUMBER", str(number)).encode())
                return self.hear(number)
            except (ConnectionError, TimeoutError):
                if time.monotonic() > deadline_s:
                    raise
                self.drops += 1
                self._connect_again(deadline_s)

    def hear(self, number: int = -1) -> tuple[str, float]:
        """Wait for the answer of this number, or for any."""
        while True:
            while found := ANSWER.search(self.data):
                self.data = self.data[found.end() :]
                if number in (-1, int(found[2])):
                    return (found[1] or b"").decode(), time.monotonic()
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionResetError
            self.data += data

    def _connect(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self._port), WAIT_S)
        self.sock.settimeout(WAIT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        if self._guest:
            self.sock.sendall(b"guest\r\n")
            while b"in r0" not in self.data:
                self.data += self.sock.recv(65536)

    def _connect_again(self, deadline_s: float) -> None:
        self.sock.close()
        while True:
            try:
                return self._connect()
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(REST_S)


def _order_waits() -> bool:
    return bool(select.select([0], [], [], 0)[0])


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _type(connection: Connection, line: str, keys: int) -> dict[str, Any]:
    """Until the next order. KEY in the line goes through the numbers below `keys`, in no order that repeats soon."""
    times_s: list[float] = []
    before, number = "", 0
    while not _order_waits():
        number += 1
        value, at_s = connection.exchange(line.replace("KEY", str(number * 7919 % keys)), number)
        times_s.append(at_s)
        if value != before:
            before = value
            _say({"seen": value, "at_s": at_s})
        time.sleep(REST_S)
    return {"times_s": times_s, "drops": connection.drops}


def _listen(connection: Connection) -> dict[str, Any]:
    times_s: list[float] = []
    while not _order_waits():
        if select.select([0, connection.sock.fileno()], [], [])[0] == [connection.sock.fileno()]:
            times_s.append(connection.hear()[1])
    return {"times_s": times_s, "drops": connection.drops}


def main() -> None:
    """Follow orders until there are no more. The order `stop` ends what goes on; its answer is what was noted."""
    connection: Connection | None = None
    with open(0, "rb", buffering=0) as orders:  # unbuffered, so that select sees the next
        while order := orders.readline():
            what, arguments = json.loads(order)
            if what == "connect":
                connection = Connection(**arguments)
                _say({"result": None})
            elif what == "once":
                assert connection is not None
                _say({"result": connection.exchange(**arguments)})
            elif what != "stop":
                assert connection is not None
                _say({"result": (_type if what == "type" else _listen)(connection, **arguments)})


class Typist(Ordered):
    """The typist as the measurement sees it; a context manager.

    Args:
        guest: Whether it is Perdure's telnet, where one says who one is.
    """

    def __init__(self, port: int, *, guest: bool = True) -> None:
        super().__init__("bench.reload.typist", bufsize=0)
        self._port, self._guest = port, guest
        self._data = b""

    def __enter__(self) -> Self:
        super().__enter__()
        self.give("connect", port=self._port, guest=self._guest)
        assert "result" in self._next(WAIT_S)
        return self

    def once(self, line: str) -> None:
        """Type one line, and wait for its answer."""
        self.give("once", line=line, number=0)
        assert "result" in self._next(WAIT_S)

    def begin(self, line: str, keys: int = 1) -> str:
        """Type this line again and again; NUMBER in it is counted, KEY varies. Returns the first value seen."""
        self.give("type", line=line, keys=keys)
        return str(self._next(WAIT_S)["seen"])

    def begin_listening(self) -> None:
        """Only note what comes."""
        self.give("listen")

    def stop(self) -> dict[str, Any]:
        """Stop; ``{times_s, drops}``: when each answer came, and how often the connection ended."""
        self.give("stop")
        while "result" not in (said := self._next(WAIT_S)):
            pass
        result: dict[str, Any] = said["result"]
        return result

    def seen(self, value: str, timeout_s: float) -> float | None:
        """When this value was seen first; None if it was not within the time."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            said = self._next(left_s, may_wait=True)
            if said.get("seen") == value:
                return float(said["at_s"])
        return None

    def _next(self, timeout_s: float, *, may_wait: bool = False) -> dict[str, Any]:
        assert self._process.stdout is not None
        deadline_s = time.monotonic() + timeout_s
        while b"\n" not in self._data:
            ready = select.select([self._process.stdout], [], [], max(0.0, deadline_s - time.monotonic()))[0]
            if not ready:
                if may_wait:
                    return {}
                raise RuntimeError(f"the typist said nothing for {timeout_s:g} s")
            data = self._process.stdout.read(1 << 20)
            if not data:
                raise RuntimeError("the typist ended")
            self._data += data
        line, _, self._data = self._data.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said


def gaps_s(times_s: list[float]) -> list[float]:
    """The times between one answer and the next."""
    return [after - before for before, after in pairwise(times_s)]


def longest_gap_s(times_s: list[float], begin_s: float, end_s: float) -> float:
    """The longest time without an answer of those that reach into the span."""
    between = [(a, b) for a, b in pairwise(times_s) if b >= begin_s and a <= end_s]
    return max((b - a for a, b in between), default=0.0)


if __name__ == "__main__":
    main()
