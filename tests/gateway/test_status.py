"""What a server says of itself to lists of games."""

from pathlib import Path

import pytest

import perdure
from perdure.config import Config, Login, Server
from perdure.gateway.status import as_text, variables
from tests.gateway.world import running


def config(name: str = "The Crossing", **mssp: list[str]) -> Config:
    return Config(project=Path(), server=Server(name=name), games={}, rooms={}, login=Login(), mssp=mssp)


def test_what_every_list_of_games_asks_for_is_said() -> None:
    """Name, players, and the Unix time of the start, not the length of the uptime."""
    said = variables(config(), players=3, began_s=1_700_000_000.9, ports=[4000])
    assert (said["NAME"], said["PLAYERS"], said["UPTIME"]) == ("The Crossing", "3", "1700000000")
    assert said["CODEBASE"] == f"Perdure {perdure.__version__}"
    assert said["PORT"] == ["4000"]
    assert (said["UTF-8"], said["GMCP"], said["XTERM 256 COLORS"], said["MCCP"]) == ("1", "1", "1", "0")


def test_a_port_is_said_once_and_none_is_invented() -> None:
    """A name with two addresses has two listeners of one port."""
    assert variables(config(), players=0, began_s=0, ports=[4000, 4000])["PORT"] == ["4000"]
    assert "PORT" not in variables(config(), players=0, began_s=0)


def test_the_operator_adds_variables_and_knows_better() -> None:
    """Behind a proxy the port that players use is another one."""
    said = variables(config(GENRE=["Fantasy"], PORT=["4000", "23"], SSL=["4443"]), players=0, began_s=0, ports=[4000])
    assert (said["GENRE"], said["PORT"], said["SSL"]) == ("Fantasy", ["4000", "23"], "4443")


def test_the_text_form_has_a_variable_on_each_line() -> None:
    """Tabs between its values, and nothing that a name contains breaks a line."""
    text = as_text(variables(config("Two\nlines\tand a tab", PORT=["4000", "23"]), players=0, began_s=0))
    lines = text.splitlines()
    assert lines[:2] == ["", "MSSP-REPLY-START"]
    assert lines[-1] == "MSSP-REPLY-END"
    assert "NAME\tTwo lines and a tab" in lines
    assert "PORT\t4000\t23" in lines


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (b"\xff\xfd\x46", b"\xff\xfa\x46\x01NAME\x02Test\x01"),
        (b"MSSP-REQUEST\r\n", b"MSSP-REPLY-START\r\nNAME\tTest\r\n"),
    ],
)
def test_the_gateway_answers_while_no_host_serves(tmp_path: Path, asked: bytes, name: bytes) -> None:
    """A movement, or a death, is not seen in any list of games; with telnet's option or without."""
    with running(tmp_path) as world:
        player = world.player()
        player.sends(asked)
        player.sees_bytes(name)
        player.sees_bytes(f"PORT\x02{world.address[1]}".encode() if b"\x46" in asked else b"MSSP-REPLY-END")
