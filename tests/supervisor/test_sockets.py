"""Listening sockets: every address of a name, one port, modes and long paths."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.config import Address
from perdure.errors import ConfigError, Unavailable
from perdure.supervisor.sockets import Kind, Listeners, SocketFolder


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    made = Listeners()
    yield made
    made.close()


def test_a_name_is_listened_on_at_each_of_its_addresses_and_one_port(listeners: Listeners) -> None:
    """`localhost` may be 127.0.0.1 and ::1; a player's telnet tries either."""
    listeners.open("telnet", Address("localhost", 0))
    assert len({address.port for address in listeners.addresses("telnet")}) == 1
    for address in listeners.addresses("telnet"):
        socket.create_connection(address, timeout=10).close()


def test_telnet_and_the_web_are_listened_on_apart(listeners: Listeners) -> None:
    """Each with its own port; either may be missing."""
    listeners.open("telnet", Address("127.0.0.1", 0))
    assert listeners.addresses("web") == []
    listeners.open("web", Address("127.0.0.1", 0))
    ((_, telnet),), ((_, web),) = listeners.addresses("telnet"), listeners.addresses("web")
    assert telnet != web
    assert listeners.fds("web") == [listeners.web[0].fileno()]


@pytest.mark.parametrize("kind", ["telnet", "web"])
def test_a_taken_port_is_explained_and_nothing_stays_open(listeners: Listeners, kind: Kind) -> None:
    """Who has it, and how to choose another."""
    if kind == "web":
        listeners.open("telnet", Address("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{port} is already in use.*--{kind} 127") as caught:
            listeners.open(kind, Address("127.0.0.1", port))
    assert caught.value.op == f"listen:{kind}"
    assert listeners.telnet == listeners.web == []


@pytest.mark.parametrize(
    ("telnet", "web"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0")]
)
def test_one_port_for_both_is_said_to_be_that(listeners: Listeners, telnet: str, web: str) -> None:
    """Nobody else has it, and who looks for its owner finds none: also where one of them is on every address."""
    listeners.open("telnet", Address(telnet, 0))
    port = listeners.addresses("telnet")[0].port
    with pytest.raises(
        ConfigError, match=rf"^telnet and web cannot both be on port {port}.*--web .*:{port + 1} "
    ) as caught:
        listeners.open("web", Address(web, port))
    assert "in use" not in str(caught.value)
    assert listeners.telnet == listeners.web == []


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_of_somebody_else_is_a_configuration_error(listeners: Listeners, host: str) -> None:
    """It names the address."""
    with pytest.raises(ConfigError, match=host.replace(".", r"\.")):
        listeners.open("telnet", Address(host, 0))


def test_a_port_is_free_again_at_once(listeners: Listeners) -> None:
    """A restart does not wait for TIME_WAIT."""
    listeners.open("telnet", Address("127.0.0.1", 0))
    address = listeners.addresses("telnet")[0]
    with socket.create_connection(address, timeout=10):
        accepted, _ = listeners.telnet[0].accept()
        accepted.close()
    listeners.close()
    listeners.open("telnet", address)


@pytest.mark.parametrize("depth", [0, 10])
def test_a_socket_is_the_owners_alone_however_deep_its_folder_lies(tmp_path: Path, depth: int) -> None:
    """Mode 0600; a path beyond 107 bytes goes through the folder's descriptor."""
    deep = tmp_path.joinpath(*["a-long-folder-name"] * depth)
    deep.mkdir(parents=True, exist_ok=True)
    folder = SocketFolder(deep)
    (deep / "control.sock").touch()
    with folder.listen("control.sock"), socket.socket(socket.AF_UNIX) as client:
        assert stat.S_IMODE((deep / "control.sock").stat().st_mode) == 0o600
        assert len(folder.address("control.sock").encode()) <= 107
        client.connect(folder.address("control.sock"))
    folder.remove("control.sock")
    folder.remove("control.sock")
    assert not (deep / "control.sock").exists()
    folder.close()
