"""What stands beside the text: each player's prompt and GMCP packages, as the game's hooks give them.

At the end of a callback the hooks are called for everybody whom it may concern, and what differs from what was
sent last goes out with the callback's other outputs. What was sent last is memory of this binding and no state: after
a movement or a reload it is empty, everything is sent once more, and the gateway passes over what its client has.

A hook that raises fails alone: nothing of it is sent to that player, and it counts as that hook's fault, once for
each callback. Only one that is cut for taking too long ends the callback, as the budget is the callback's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import CodeType
from typing import Any, NamedTuple

from perdure.errors import GameError
from perdure.games.python.api import Module, Player
from perdure.games.python.collect import Collected
from perdure.games.python.gmcp import encoded
from perdure.room.callback import Blamed, Callback, Fault
from perdure.room.program import Overrun
from perdure.room.record import Text

PROMPT_CHARS_MAX = 1000
"""A prompt stands on one line, and is sent with every change of it."""

Known = dict[str, str | bytes]
"""What was sent to a session last: package -> JSON; "" -> the prompt."""


class Hook(NamedTuple):
    """A `prompt` or `gmcp` of a module: its name as handlers are named, and the method."""

    handler: str
    method: Callable[[Player], object]


NO_PROMPT = Hook("", lambda player: "")  # noqa: ARG005  (a hook's signature)


class Standing:
    """The prompts and packages of one room's players.

    Attributes:
        running: The hook that runs, "" between them.
    """

    def __init__(
        self,
        prompt: Hook | None,
        gmcp: Sequence[Hook],
        disabled: Sequence[str],
        book: Callable[[str, BaseException], Blamed],
    ) -> None:
        """Args:
        disabled: Handlers that are not called; the caller changes it.
        book: Counts a fault of a hook, and says what it means.
        """
        self._prompt, self._gmcp, self._disabled, self._book = prompt, gmcp, disabled, book
        self._sent: dict[str, Known] = {}
        self._owners: dict[str, str] = {}
        self._updated: list[str] = []
        self._failed: set[str] = set()
        self.running = ""

    @classmethod
    def of(
        cls,
        collected: Collected,
        modules: Mapping[str, Module],
        disabled: Sequence[str],
        book: Callable[[str, BaseException], Blamed],
        prompted: bool,
    ) -> Standing | None:
        """That of a room with these modules; None for a game without such hooks.

        Args:
            prompted: Whether earlier code may have shown prompts, which are to be taken back.
        """
        gmcp = [Hook(f"{part.name}.gmcp", modules[part.name].gmcp) for part in collected.parts if "gmcp" in part.hooks]
        name = collected.parts[-1].name
        game: Any = modules[name]
        prompt = Hook(f"{name}.prompt", game.prompt) if prompted or collected.prompts else None
        return cls(prompt, gmcp, disabled, book) if prompt or gmcp else None

    def begin(self) -> None:
        """A callback begins."""
        self._updated.clear()
        self._failed.clear()
        self.running = ""

    def update(self, callback: Callback, players: Iterable[Player]) -> None:
        """Call the hooks for these players, and send them what has changed."""
        gmcp: dict[Text, list[str]] = {}
        prompts: dict[Text, list[str]] = {}
        prompt = self._prompt
        if prompt and prompt.handler in self._disabled:
            prompt = NO_PROMPT  # what it said last would stay, and be wrong
        hooks = [hook for hook in self._gmcp if hook.handler not in self._disabled]
        for player in players:
            session = player._session
            self._updated.append(session)
            known = self._sent.setdefault(session, {})
            for hook in hooks:
                for package, body in self._try(hook, self._packages, player, known, callback).items():
                    known[package] = body
                    gmcp.setdefault(Text("", None, (package, body)), []).append(session)
            if prompt is not None:
                for text in self._try(prompt, _line, player, known, callback).values():
                    known[""] = text
                    prompts.setdefault(Text("", text), []).append(session)
        for output, sessions in (*gmcp.items(), *prompts.items()):
            callback.output(sessions, output)

    def undo(self) -> None:
        """The callback was undone: what it would have sent goes out another time."""
        for session in self._updated:
            self._sent.pop(session, None)

    def forget(self, session: str) -> None:
        """The session comes or goes: its client has nothing from this room that would still hold."""
        self._sent.pop(session, None)

    def _try(
        self,
        hook: Hook,
        function: Callable[[Hook, Player, Known], dict[str, Any]],
        player: Player,
        known: Known,
        callback: Callback,
    ) -> dict[str, Any]:
        """What has changed; nothing if the hook raises."""
        self.running = hook.handler
        try:
            return function(hook, player, known)
        except (Overrun, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  (the edge to game code: even sys.exit() is a fault like any other)
            if hook.handler not in self._failed:
                self._failed.add(hook.handler)
                callback.faults.append(Fault(error, self._book(hook.handler, error)))
            return {}

    def _packages(self, hook: Hook, player: Player, known: Known) -> dict[str, bytes]:
        given = hook.method(player)
        if not isinstance(given, Mapping):
            raise _mistaken(hook, f'returned {given!r:.80}. Return packages: {{"Char.Vitals": {{"hp": 20}}}}')
        changed: dict[str, bytes] = {}
        for package, data in given.items():
            before: Any = known.get(package)
            try:
                body = encoded(package, data, before)
            except GameError as error:
                raise _mistaken(hook, f"returned what cannot be sent: {error.message.rstrip('.')}") from None
            owner = self._owners.setdefault(package, hook.handler)
            if owner != hook.handler:
                raise _mistaken(hook, f"gives {package}, which {owner} gives. One module gives a package")
            if body != before:
                changed[package] = body
        return changed


def _line(hook: Hook, player: Player, known: Known) -> dict[str, str]:
    given = hook.method(player)
    if not isinstance(given, str):
        raise _mistaken(hook, f'returned {given!r:.80}. Return a text, "" for no prompt')
    if given == known.get(""):
        return {}
    if "\n" in given or "\r" in given or len(given) > PROMPT_CHARS_MAX:
        raise _mistaken(hook, f"returned {given!r:.80}. A prompt is one line of at most {PROMPT_CHARS_MAX} characters")
    given.encode()  # half of a surrogate pair is the author's mistake, here and not in the journal
    return {"": given}


def _mistaken(hook: Hook, what: str) -> GameError:
    """An error about what a hook returned, with the place where it stands."""
    code: CodeType | None = getattr(hook.method, "__code__", None)
    file, line = (code.co_filename, code.co_firstlineno) if code else ("", 0)
    return GameError(f"{hook.handler} {what}.", file=file, line=line)
