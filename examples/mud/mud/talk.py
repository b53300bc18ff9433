"""Talking: to those around, to one person, and without words."""

from perdure import Module, Player, Row, Table, command, on

from .places import Did, Forgotten, Places


class LastHeard(Row):
    """Who last spoke to a player in private. Keyed by the player's id."""

    teller: str


class Talk(Module):
    heard: Table[LastHeard]

    @command("say TEXT", "'", help="Say something to everybody around you.")
    def speak(self, player: Player, text: str) -> None:
        player.tell(f'You say, "{text}"')
        self.say(f'{player} says, "{text}"', to=self.room[Places].around(player))
        self.room.emit(Did(player.id, "say"))

    @command("tell WHOM TEXT", "whisper", help="Say something to one person in this part of the world.")
    def tell(self, player: Player, whom: Player, text: str) -> None:
        player.tell(f'You tell {whom}, "{text}"')
        whom.tell(f'{player} tells you, "{text}"')
        whom.send("Comm.Channel.Text", {"channel": "tell", "talker": player.name, "text": text})
        self.heard[whom.id] = LastHeard(player.id)

    @command("reply TEXT", "r", help="Answer whoever told you something last.")
    def reply(self, player: Player, text: str) -> None:
        last = self.heard.get(player.id) or self.refuse("Nobody has told you anything.")
        whom = self.room.players.get(last.teller) or self.refuse("They are not here any more.")
        self.tell(player, whom, text)

    @command("emote TEXT", ":", help="Do something, in words: emote yawns.")
    def emote(self, player: Player, text: str) -> None:
        self.say(f"{player} {text}", to=[player, *self.room[Places].around(player)])

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        self.heard.pop(event.player, None)
