"""The door: counting addresses, and what it does when accepting itself fails."""

import asyncio
import contextlib
import errno
import socket
from typing import Any

import pytest

from perdure.gateway import door
from perdure.gateway.door import Door, Limits, counted_address


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1/64"),
    ],
)
def test_an_ipv6_user_is_a_whole_network(peer: str, counted: str) -> None:
    """Each of them has 2**64 addresses to connect from (FM-82)."""
    assert counted_address(peer) == counted


class Exhausted(socket.socket):
    """A listener that has no descriptor left for the first connection."""

    tries = 0

    def accept(self) -> Any:
        self.tries += 1
        if self.tries == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_a_process_without_descriptors_rests_and_accepts_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection waits in the listener, and the loop does not spin on it (FM-8)."""
    monkeypatch.setattr(door, "RETRY_S", 0.01)

    async def run() -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        admitted: asyncio.Future[str] = loop.create_future()

        def admit(sock: socket.socket, address: str) -> None:
            sock.close()
            admitted.set_result(address)

        listener = Exhausted()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        it = Door(loop, [listener], Limits(), admit)
        it.open()
        with contextlib.closing(socket.create_connection(listener.getsockname())):
            address = await asyncio.wait_for(admitted, 20)
        it.close()
        return address, listener.tries

    address, tries = asyncio.run(run())
    assert address == "127.0.0.1"
    assert tries <= 3
