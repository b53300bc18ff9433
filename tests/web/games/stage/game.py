"""One street with a lantern. Everybody hears everybody."""

from collections.abc import Mapping

from perdure import Game, Player, Row, Table, bold, color, command, linked

EXITS = {"street": {"north": "inn", "arena": "street"}, "inn": {"south": "street", "down": "inn"}}
SHORT = {"north": "n"}
NAMES = {"street": "The Street", "inn": "The Leaking Ladle"}


class Actor(Row):
    """A player's character."""

    place: str = "street"
    hp: int = 20


class Stage(Game):
    actors: Table[Actor]

    def join(self, player: Player) -> None:
        self.actors.setdefault(player.id, Actor())
        self.look(player)

    def prompt(self, player: Player) -> str:
        actor = self.actors.peek(player.id)
        return f"\x1b[36m{actor.hp} hp\x1b[0m> " if actor else ""

    def gmcp(self, player: Player) -> Mapping[str, object]:
        actor = self.actors.peek(player.id) or Actor()
        return {
            "Char.Vitals": {"hp": actor.hp, "maxhp": 20, "coins": 7},
            "Room.Info": {
                "num": 1,
                "name": NAMES[actor.place],
                "area": "Stage",
                "exits": dict.fromkeys((SHORT.get(exit, exit) for exit in EXITS[actor.place]), 1),
            },
            "Room.Players": [{"name": str(other), "fullname": f"{other} the Actor"} for other in self.room.players],
        }

    @command("look")
    def look(self, player: Player) -> None:
        actor = self.actors[player.id]
        exits = ", ".join(linked(exit, send=exit) for exit in EXITS[actor.place])
        lantern = linked("lantern", send="examine lantern")
        player.tell(f"{bold(NAMES[actor.place])}\nA {lantern} hangs here.\nExits: {exits}.")

    @command("examine THING")
    def examine(self, player: Player, thing: str) -> None:
        player.tell(f"You look at the {thing}.")

    def input(self, player: Player, line: str) -> bool:
        actor = self.actors[player.id]
        ways = {SHORT.get(exit, exit): exit for exit in EXITS[actor.place]}
        line = ways.get(line, line)
        if line not in EXITS[actor.place]:
            return False
        actor.place = EXITS[actor.place][line]
        self.look(player)
        return True

    @command("say TEXT")
    def speak(self, player: Player, text: str) -> None:
        player.tell(f'You say, "{text}"')
        self.say(f'{player} says, "{text}"', but=player)

    @command("hp HP")
    def hurt(self, player: Player, hp: int) -> None:
        self.actors[player.id].hp = hp
        player.tell(f"You have {hp}.")

    @command("burst COUNT")
    def burst(self, player: Player, count: int) -> None:
        for number in range(1, count + 1):
            player.tell(f"line {number} of {count}")

    @command("costume")
    def costume(self, player: Player) -> None:
        player.tell(f"A {linked(bold(color('hat', 'red')), send='wear hat')} and a {linked('coat', send='wear coat')}.")
        player.tell("  wear HAT                   Put on what covers a head, a whole one if need be.")
        player.tell("   an indented line that is longer than a phone is wide, and so goes on below itself")
        player.tell("short")

    @command("rainbow")
    def rainbow(self, player: Player) -> None:
        named = [f"\x1b[{code}mnamed {n}\x1b[0m" for n, code in enumerate([*range(30, 38), *range(90, 98)])]
        player.tell(" ".join(named))
        player.tell(
            "\x1b[38;5;208mindexed\x1b[0m \x1b[38;2;255;255;120mtrue\x1b[0m \x1b[41mpaper\x1b[0m \x1b[7minverse\x1b[0m "
            "\x1b[1mbold \x1b[4mand under\x1b[22mlined\x1b[0m plain"
        )
