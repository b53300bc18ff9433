"""Sessions and their stages: who is connected, who plays, who is away, who is leaving.

A session begins with its connection. Once its player is known it outlives connections: a dropped player
is link-dead until somebody logs in to the account again, a page comes back with its token, or the time is
over. The stages are one table; a happening that it does not list cannot occur.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal

import msgspec

from perdure.gateway.client import Client
from perdure.gateway.login import Dialogue
from perdure.gateway.look import Look, Settings, Told, look_of
from perdure.gateway.wire import Held
from perdure.room.record import Text, Who

Stage = Literal["greeting", "login", "playing", "link-dead", "leaving", "over"]
Happening = Literal["line", "entered", "handed-over", "taken-over", "dropped", "left", "ended"]

MOVES: dict[tuple[Stage, Happening], Stage] = {
    # The first line came; the client was lost before it.
    ("greeting", "line"): "login",
    ("greeting", "dropped"): "over",
    # The player is known: this session plays, or gives its connection to the account's older one.
    ("login", "entered"): "playing",
    ("login", "handed-over"): "over",
    ("login", "dropped"): "over",
    # left: a Leave is on its way to the room. ended: the room knows, or said End.
    ("playing", "taken-over"): "playing",
    ("playing", "dropped"): "link-dead",
    ("playing", "left"): "leaving",
    ("playing", "ended"): "over",
    ("link-dead", "taken-over"): "playing",
    ("link-dead", "left"): "leaving",
    ("link-dead", "ended"): "over",
    ("leaving", "dropped"): "leaving",
    ("leaving", "ended"): "over",
}

NOTICES_MAX = 64
"""Texts outside the numbering that wait for a session; more are not kept."""
HISTORY_BYTES_MAX = 64 * 1024
"""Shown texts kept for a page that is loaded anew (rule G7)."""
PACKAGES_MAX = 32
"""GMCP packages whose value is kept for clients that come later."""
EVENT_PACKAGES = "Comm."
"""GMCP packages that begin so are said once; of all others the last value holds."""


class Session:
    """One player's presence.

    Attributes:
        id: ``GATEWAY.EPOCH.N``.
        began_s: When it connected, on the loop's clock.
        stage: Changed by `happened` only.
        client: The connection, if there is one.
        dialogue: The login dialogue.
        entering: Id of the account that logged in, from when its password was right; "" for a guest.
        who: The player, once they play.
        address: From where the player came in; their session counts there until it is over.
        settings: What the player chose.
        resumable: Whether a page has a token for it.
        bye: Why its client should not connect again by itself once the session is over; "" if it may.
        farewell: What its player is told behind the room's last words, once; "" for nothing.
        resize_due: Whether the room is to hear of the window once it has taken the last it heard of.
        anew: Whether the room is yet to hear that a client goes on here which shows nothing so far.
        awaits: Whether a client goes on here which waits for the room to show where it is: the prompt comes with that.
        prompt: The room's, as it stands; "" for none.
        taken: The client's own number of its last line that was taken.
        held: What to show, oldest first; held_bytes is its size.
        deadline: The timer of the present stage.
    """

    def __init__(self, id: str, client: Client, dialogue: Dialogue, began_s: float) -> None:
        self.id, self.began_s = id, began_s
        self.stage: Stage = "greeting"
        self.client: Client | None = client
        self.dialogue = dialogue
        self.entering = ""
        self.who: Who | None = None
        self.address = ""
        self.settings = Settings()
        self.resumable = False
        self.bye = "Goodbye."
        self.farewell = ""
        self.resize_due = self.anew = self.awaits = False
        self.taken = 0
        self.held: deque[Held] = deque()
        self.held_bytes = 0
        self.deadline: asyncio.TimerHandle | None = None
        self._serial = self._j = 0
        self._notices = 0
        self._history: deque[Held] = deque()
        self._history_bytes = 0
        self._packages: dict[str, bytes] = {}
        self.prompt = ""
        self._told = Told()

    def happened(self, happening: Happening) -> Stage:
        """Go to the stage that follows, and return it."""
        self.stage = MOVES[self.stage, happening]
        return self.stage

    @property
    def guest(self) -> bool:
        """Whether its player has no account."""
        return self.who is None or self.who.id.startswith("guest:")

    # --- what its clients are like ---

    @property
    def told(self) -> Told:
        """What its client has told of itself; while there is none, what the last one did."""
        if self.client is not None:
            self._told = self.client.wire.told
        return self._told

    @property
    def look(self) -> Look:
        """How text is shown to it."""
        return look_of(self.told, self.settings)

    @property
    def screenreader(self) -> bool:
        """Whether its player listens to the text."""
        return self.look.screenreader

    def attach(self, client: Client) -> None:
        """Go on with this client, on which the player's settings hold from here."""
        self.client = client
        self.dress()

    def dress(self) -> None:
        """Let the client's wire know the settings, and whether a game is played."""
        if self.client is not None:
            self.client.wire.settings = self.settings
            self.client.wire.playing = self.stage in ("playing", "link-dead")

    # --- what is shown ---

    def hold(self, j: int, m: int, text: Text) -> None:
        """Keep something to show. A GMCP value that stands already is not told again, but counts as shown."""
        if m:
            if j != self._j:
                self._seated(j)
            text = self._news(text)
        elif text.text and self._notices >= NOTICES_MAX:
            return
        self._append(j, m, text)

    def take(self) -> Held:
        """The oldest thing to show."""
        held = self.held.popleft()
        self.held_bytes -= held.size_bytes
        self._notices -= held.notice
        return held

    def put_back(self, unsent: list[Held], rest: str = "") -> None:
        """Things that were taken but did not reach a client, oldest first, before all others.

        Args:
            rest: What the client had not yet been shown of a long text; it goes before them.
        """
        again = [held for held in unsent if not held.again]
        self.held.extendleft(reversed(again))
        self.held_bytes += sum(held.size_bytes for held in again)
        if rest:
            self.put_first(Text(rest))
        self._notices += sum(held.notice for held in again)

    def shown(self, held: Held) -> None:
        """The client has it. A page that is loaded anew may want it again."""
        if not self.resumable or not held.text.text or held.again:
            return
        self._history.append(msgspec.structs.replace(held, again=True))
        self._history_bytes += held.size_bytes
        while self._history_bytes > HISTORY_BYTES_MAX:
            self._history_bytes -= self._history.popleft().size_bytes

    def received(self, serial: int) -> list[Held]:
        """The client has everything up to this serial: it need not be shown. Returns what that was."""
        done: list[Held] = []
        while self.held and self.held[0].serial <= serial:
            done.append(self.take())
        return done

    def forget_history(self) -> None:
        """What was shown so far was shown to another client."""
        self._history.clear()
        self._history_bytes = 0

    def history(self) -> list[Held]:
        """The last things that were shown, for a page that has nothing of the session."""
        return list(self._history)

    def put_first(self, text: Text) -> None:
        """Show this before all that is held. It has a number once `follow` has given all of them new ones."""
        held = Held(0, 0, 0, text)
        self.held.appendleft(held)
        self.held_bytes += held.size_bytes
        self._notices += 1

    def follow(self, other: Session) -> None:
        """Take over the numbers of a session whose client goes on here: what is held comes after all it was given."""
        self.taken = other.taken
        self._serial = max(self._serial, other._serial)
        for at, held in enumerate(self.held):
            self._serial += 1
            self.held[at] = msgspec.structs.replace(held, serial=self._serial)

    def stand(self) -> list[Text]:
        """The prompt and the GMCP values as they stand, for a client that has heard nothing of them."""
        values = [Text("", gmcp=(package, value)) for package, value in self._packages.items()]
        return [*values, Text("", prompt=self.prompt)]

    def set_deadline(self, deadline: asyncio.TimerHandle | None) -> None:
        """Replace the stage's timer."""
        if self.deadline is not None:
            self.deadline.cancel()
        self.deadline = deadline

    def _append(self, j: int, m: int, text: Text) -> None:
        self._serial += 1
        held = Held(self._serial, j, m, text)
        self._notices += held.notice
        self.held.append(held)
        self.held_bytes += held.size_bytes

    def _seated(self, j: int) -> None:
        """Another seat begins to say something: what the room before it left standing holds no more."""
        self._j = j
        self._packages.clear()
        if self.prompt:
            self.prompt = ""
            self._append(0, 0, Text("", prompt=""))

    def _news(self, text: Text) -> Text:
        """What of a room's output is new to this session; remembers what stands."""
        if text.prompt is not None and self.stage == "leaving":
            return Text("")  # nobody is asked for anything any more
        if text.prompt is not None:
            self.prompt = text.prompt
        if text.gmcp is None or text.gmcp[0].startswith(EVENT_PACKAGES):
            return text
        package, value = text.gmcp
        if self._packages.get(package) == value:
            return Text("")
        if package in self._packages or len(self._packages) < PACKAGES_MAX:
            self._packages[package] = value
        return text
