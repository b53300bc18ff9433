"""The words that players type: finding a command, suggesting one, helping. What a player may not use does not exist."""

from __future__ import annotations

from collections.abc import Mapping

from perdure.games.python.api import Player
from perdure.games.python.collect import Command
from perdure.games.python.patterns import Token, tokens
from perdure.ports import ROLES
from perdure.spelling import meant

SERVERS = {"quit": "Leave the game.", "set": "Show or change how text is sent to you."}
"""What the gateway takes for itself; players look for it in the game's help."""
ABOUT = {**SERVERS, "help": "See what you can type, or what one word does: help quit"}
"""Words that have help and are no command of a game."""


class Words:
    """The commands of a game, by the words that they begin with."""

    def __init__(self, commands: Mapping[tuple[str, ...], Command]) -> None:
        self._commands = commands

    def find(self, player: Player, line: str) -> tuple[Command | None, list[Token]]:
        """The command with the most leading words that `line` begins with, and the words behind them."""
        words = tokens(line)
        if not line[0].isalnum() and (line[0],) in self._commands and len(words[0].text) > 1:
            words = [Token(line[0], 0), *(Token(t.text, t.start + 1) for t in tokens(line[1:]))]
        typed = tuple(word.text.casefold() for word in words)
        for count in range(len(typed), 0, -1):
            command = self._commands.get(typed[:count])
            if command is not None and _may(player, command):
                return command, words[count:]
        return None, words

    def unknown(self, player: Player, words: list[Token]) -> str:
        """The answer to a line that is no command: help, or the nearest word that is one."""
        typed = words[0].text.casefold()
        if typed in ("help", "?"):
            return self._help(player, tuple(word.text.casefold() for word in words[1:]))
        known = [" ".join(key) for key, command in self._commands.items() if _may(player, command)]
        near = meant(typed, ["help", *known])
        return f"Huh? Did you mean '{near}'?" if near else "Huh? Type 'help' for what you can do."

    def _help(self, player: Player, words: tuple[str, ...]) -> str:
        if not words:
            usages = {c.pattern.usage: c.help for c in self._commands.values() if _may(player, c)}
            return "\n".join(["You can type:", *_items([*sorted(usages.items()), *SERVERS.items()], player)])
        command = self._commands.get(words)
        if command is not None and _may(player, command):
            usage, *lines = _about(command)
        elif len(words) == 1 and words[0] in ABOUT:
            usage, *lines = words[0], ABOUT[words[0]]
        else:
            return f"There is no command '{' '.join(words)}'. Type 'help' for what you can do."
        indent = "" if player.screenreader else "  "
        return "\n".join([usage, *(f"{indent}{line}" for line in lines)])


def _items(usages: list[tuple[str, str]], player: Player) -> list[str]:
    """Each usage with its word of help: in columns, or as a sentence for those who listen or whose window is narrow.

    Narrow is one in which a row would wrap: it would go on below the usages, and the columns be none.
    """
    width = max(len(usage) for usage, _ in usages)
    rows = [f"  {usage:{width}}  {text}".rstrip() for usage, text in usages]
    if player.screenreader or max(map(len, rows)) > player.columns:
        return [f"{usage}: {text}" if text else usage for usage, text in usages]
    return rows


def _about(command: Command) -> list[str]:
    """Usage, help, aliases, and the author's docstring."""
    others = [" ".join(key) for key in command.words if key != command.pattern.leading]
    also = [f"Also: {', '.join(others)}"] if others else []
    return [command.pattern.usage, command.help or "No help yet.", *also, *command.doc.splitlines()]


def _may(player: Player, command: Command) -> bool:
    return ROLES.index(player.role) >= ROLES.index(command.role) if player.role in ROLES else command.role == "player"
