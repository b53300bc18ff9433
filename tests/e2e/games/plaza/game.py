"""A square in which everybody hears everybody. `me` tells what the game knows of a player's client."""

from collections.abc import Mapping

from perdure import Game, Player, Row, Table, command

MARK = 0


class Speaker(Row):
    """A player's character."""

    said: int = 0


class Plaza(Game):
    speakers: Table[Speaker]

    def join(self, player: Player) -> None:
        self.speakers.setdefault(player.id, Speaker())
        player.tell(f"Welcome to the plaza, {player}.")

    def prompt(self, player: Player) -> str:
        return f"<{self._said(player)}> "

    def gmcp(self, player: Player) -> Mapping[str, object]:
        return {
            "Char.Vitals": {"said": self._said(player)},
            "Room.Info": {"num": 1, "name": "The Plaza", "exits": {}},
        }

    def _said(self, player: Player) -> int:
        speaker = self.speakers.peek(player.id)
        return speaker.said if speaker else 0

    @command("say TEXT", help="Says something.")
    def speak(self, player: Player, text: str) -> None:
        self.speakers[player.id].said += 1
        player.tell(f'You say, "{text}"')
        self.say(f'{player} says, "{text}"', but=player)

    @command("me", help="Tells which edit runs, and what is known of the player's client.")
    def me(self, player: Player) -> None:
        size = f"{player.columns}x{player.rows}"
        player.tell(f"me: mark={MARK} size={size} screenreader={player.screenreader}")

    @command("who", help="Tells who is here.")
    def who(self, player: Player) -> None:
        player.tell(f"here: {', '.join(sorted(one.name for one in self.room.players))}.")
