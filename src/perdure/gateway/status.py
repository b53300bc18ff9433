"""What a server says of itself to whoever asks, such as a list of games: the Mud Server Status Protocol's variables.

The names are those of https://mudhalla.net/tintin/protocols/mssp/. The gateway answers, so there is an answer while
rooms move, too, and the uptime is not cut by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import perdure
from perdure.config import Config

ALWAYS: Mapping[str, str | list[str]] = {
    "FAMILY": "Custom",
    "CRAWL DELAY": "-1",
    "CHARSET": ["ASCII", "ISO-8859-1", "UTF-8"],
    "ANSI": "1",
    "UTF-8": "1",
    "XTERM 256 COLORS": "1",
    "XTERM TRUE COLORS": "1",
    "GMCP": "1",
    "MCCP": "0",
    "MCP": "0",
    "MSDP": "0",
    "MSP": "0",
    "MXP": "0",
    "PUEBLO": "0",
    "SSL": "0",
    "VT100": "0",
}
"""What every gateway can do, and cannot. A crawl delay of -1 leaves it to the one who asks."""


def variables(config: Config, *, players: int, began_s: float, ports: Sequence[int] = ()) -> dict[str, str | list[str]]:
    """Each variable's value, or its values, of which the last is the most important.

    Args:
        config: Its `mssp` adds variables, and has the last word but for players and uptime.
        players: How many play.
        began_s: When the server began, in Unix time.
        ports: Of telnet.
    """
    own: dict[str, str | list[str]] = {"NAME": config.server.name, "CODEBASE": f"Perdure {perdure.__version__}"}
    if ports:
        own["PORT"] = [str(port) for port in dict.fromkeys(ports)]
    said = {name: values if len(values) > 1 else values[0] for name, values in config.mssp.items()}
    return {**own, "PLAYERS": str(players), "UPTIME": str(int(began_s)), **ALWAYS, **said}


def as_text(variables: Mapping[str, str | list[str]]) -> str:
    """The same as the answer to a line MSSP-REQUEST: for those who ask without telnet's options."""
    lines = [
        "\t".join([name, *map(_on_one_line, [value] if isinstance(value, str) else value)])
        for name, value in variables.items()
    ]
    return "\n".join(["", "MSSP-REPLY-START", *lines, "MSSP-REPLY-END", ""])


def _on_one_line(value: str) -> str:
    return " ".join(value.split())
