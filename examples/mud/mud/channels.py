"""Channels: talking to everybody, in whichever room of the server they are.

What is said is an event: emitted here, and mailed to the other rooms. So one handler tells it, wherever it was said.
"""

from perdure import Event, Module, Player, Row, Table, color, command, on

from .places import ROOMS, Did, Forgotten
from .words import listing

CHANNELS = {"chat": "talk about anything", "trade": "what you have, and what you want for it"}


class Quiet(Row):
    """The channels that a player does not want to hear. Keyed by the player's id; no row, and they hear all."""

    channels: list[str]


class Aired(Event):
    """Somebody has said something on a channel."""

    channel: str
    talker: str
    text: str


class Channels(Module):
    quiet: Table[Quiet]

    def join(self, player: Player) -> None:
        self.introduce(player)

    def rejoin(self, player: Player) -> None:
        self.introduce(player)

    def introduce(self, player: Player) -> None:
        """Let a client know which channels there are."""
        player.send("Comm.Channel.List", [{"name": c, "caption": c.title(), "command": c} for c in CHANNELS])

    @command("chat TEXT", help="Say something to everybody, wherever they are.")
    def chat(self, player: Player, text: str) -> None:
        self.air(player, "chat", text)

    @command("trade TEXT", help="Tell everybody what you sell or look for.")
    def trade(self, player: Player, text: str) -> None:
        self.air(player, "trade", text)

    def air(self, player: Player, channel: str, text: str) -> None:
        """Say something on a channel, in all rooms."""
        if not self.hears(player, channel):
            self.refuse(f"You have switched {channel} off. To hear and be heard: channels {channel} on")
        said = Aired(channel, player.name, text)
        self.room.emit(said)
        for room in ROOMS:
            if room != self.room.id:
                self.room.mail(room, said)
        self.room.emit(Did(player.id, "chat"))

    @on(Aired)
    def tell(self, said: Aired) -> None:
        """Tell everybody in this room who wants to hear it."""
        listeners = [player for player in self.room.players if self.hears(player, said.channel)]
        self.say(f"{color(f'[{said.channel}]', 'cyan')} {said.talker}: {said.text}", to=listeners)
        for player in listeners:
            player.send("Comm.Channel.Text", {"channel": said.channel, "talker": said.talker, "text": said.text})

    @command("channels [CHANNEL SWITCH]", "channel", help="See the channels; switch one: channels trade off")
    def channels(self, player: Player, channel: str = "", switch: str = "") -> None:
        channel, switch = channel.lower(), switch.lower()
        if channel:
            if channel not in CHANNELS or switch not in ("on", "off"):
                self.refuse(f"The channels are {', '.join(CHANNELS)}; each can be switched on or off.")
            self.turn(player, channel, switch == "on")
        states = [f"{name} is {'on' if self.hears(player, name) else 'off'}" for name in CHANNELS]
        player.tell(listing(player, "Channels", states))
        self.room.emit(Did(player.id, "channels"))

    def hears(self, player: Player, channel: str) -> bool:
        """Whether a player has the channel on."""
        row = self.quiet.peek(player.id)
        return row is None or channel not in row.channels

    def turn(self, player: Player, channel: str, on: bool) -> None:
        """Switch a channel on or off for a player."""
        row = self.quiet.setdefault(player.id, Quiet([]))
        row.channels = [name for name in row.channels if name != channel] + ([] if on else [channel])

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        self.quiet.pop(event.player, None)
