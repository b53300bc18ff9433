"""A simple fight: a round every two seconds, until somebody has enough."""

from perdure import Module, Player, Row, Table, Veto, color, command, on

from .creatures import BREEDS, Creatures, Slain
from .items import KINDS, Eaten, Items, hand
from .places import PLACES, Forgotten, Places

HP_MAX = 20
ROUND_S = 2.0
SAFE = {"world": "inn", "arena": "benches"}


class Health(Row):
    """How a player is. Keyed by the player's id."""

    hp: int = HP_MAX


class Fight(Row):
    """Whom a player is fighting. Keyed by the player's id."""

    breed: str
    timer: str


class Combat(Module):
    health: Table[Health]
    fights: Table[Fight]

    @command("attack CREATURE", "kill", "fight", help="Start a fight. To end it, walk away.")
    def attack(self, player: Player, creature: str) -> None:
        place = self.room[Places].place_of(player)
        if not self.room[Creatures].here(creature, place):
            self.refuse(f"There is no {creature} here.")
        if locked := self.room.locked("fights"):
            self.refuse(locked)
        if player.id in self.fights:
            self.refuse(f"You are fighting the {self.fights[player.id].breed} already.")
        breed = creature.lower().removeprefix("the ")
        self.fights[player.id] = Fight(breed, self.room.after(ROUND_S, self.round, player.id))
        player.tell(f"You go for the {breed}!")
        self.say(f"{player} goes for the {breed}!", to=self.room[Places].around(player))

    def veto_copyover(self) -> Veto | None:
        """Whoever fights wants to see each blow when it falls. A fight is over in a few rounds."""
        if not self.fights:
            return None
        return Veto(f"a fight is going on in the {self.room.id}", seconds=5 * ROUND_S)

    def round(self, player_id: str) -> None:
        """One exchange of blows, if both are still there."""
        fight = self.fights.pop(player_id, None)
        player = self.room.players.get(player_id)
        if fight is None or player is None:
            return
        place = self.room[Places].place_of(player)
        creature = self.room[Creatures].here(fight.breed, place)
        if creature is None:
            player.tell(f"You have lost sight of the {fight.breed}.")
            return
        blow = self.room.random.randint(1, 3) + self.weapon(player)
        creature.hp -= blow
        player.tell(f"You hit the {fight.breed} for {blow}.")
        if creature.hp <= 0:
            player.tell(color(f"The {fight.breed} is dead.", "green"))
            self.say(f"{player} has slain the {fight.breed}.", to=self.room[Places].around(player))
            self.room.emit(Slain(fight.breed, place))
            return
        self.suffer(player, fight.breed)

    def stop(self, player_id: str) -> None:
        """End a player's fight, if there is one."""
        fight = self.fights.pop(player_id, None)
        if fight:
            self.room.cancel(fight.timer)

    def suffer(self, player: Player, breed: str) -> None:
        """The creature hits back."""
        blow = self.room.random.randint(1, BREEDS[breed].damage)
        health = self.health[player.id]
        health.hp -= blow
        player.tell(f"The {breed} hits you for {blow}. {max(health.hp, 0)} of {HP_MAX} left.")
        if health.hp > 0:
            self.fights[player.id] = Fight(breed, self.room.after(ROUND_S, self.round, player.id))
            return
        health.hp = HP_MAX
        safe = SAFE[self.room.id]
        player.tell(color(f"Everything goes dark. You wake up at {PLACES[safe].title}.", "red"))
        self.say(f"{player} is carried away.", to=self.room[Places].around(player))
        self.room[Places].put(player, safe)

    def weapon(self, player: Player) -> int:
        """What the best weapon adds that a player carries."""
        return max((KINDS[item.kind].damage for _, item in self.room[Items].at(hand(player))), default=0)

    @command("health", "hp", help="See how you are.")
    def how(self, player: Player) -> None:
        player.tell(f"You have {self.health[player.id].hp} of {HP_MAX}.")

    def gmcp(self, player: Player) -> dict[str, object]:
        """How a player is, for clients that draw it."""
        health = self.health.peek(player.id)
        return {"Char.Vitals": {"hp": health.hp, "maxhp": HP_MAX}} if health else {}

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        self.stop(event.player)
        self.health.pop(event.player, None)

    @on(Eaten)
    def heal(self, event: Eaten) -> None:
        health = self.health[event.player]
        health.hp = min(health.hp + event.heals, HP_MAX)
