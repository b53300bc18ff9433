"""A shop with a till that is never empty, and shelves that are."""

from perdure import Module, Player, Row, Table, command, every, on

from .items import KINDS, Items, hand
from .places import Did, Forgotten, Places

SHOP = "shop"
SHELF = {"apple": 4, "pot of soup": 2, "rusty sword": 1}
FIRST_COINS = 10


class Purse(Row):
    """A player's money. Keyed by the player's id."""

    coins: int = FIRST_COINS


class Stock(Row):
    """How many things of a kind are for sale. Keyed by the kind."""

    count: int


class Shop(Module):
    purses: Table[Purse]
    stock: Table[Stock]

    def start(self) -> None:
        self.restock()

    @every(minutes=10)
    def restock(self) -> None:
        for kind, count in SHELF.items():
            self.stock[kind] = Stock(count)

    @command("list", help="See what the shop has.")
    def offer(self, player: Player) -> None:
        self.enter(player)
        lines = [f"{kind}, {KINDS[kind].price} coins" for kind, stock in self.stock.scan() if stock.count]
        player.tell("\n".join(["For sale:", *lines]) if lines else "Sold out. Come back in ten minutes.")
        self.room.emit(Did(player.id, "list"))

    @command("buy ITEM", help="Buy something in the shop.")
    def buy(self, player: Player, item: str) -> None:
        self.enter(player)
        kind = next((k for k in self.stock if item.lower() in (k, *k.split())), None)
        stock = self.stock[kind] if kind else None
        if kind is None or stock is None or not stock.count:
            self.refuse(f"There is no {item} for sale.")
        stock.count -= 1
        self.pay(player, KINDS[kind].price)
        self.room[Items].make(kind, hand(player))
        player.tell(f"You buy the {kind} for {KINDS[kind].price} coins.")

    @command("sell ITEM", help="Sell something in the shop, at half its price.")
    def sell(self, player: Player, item: str) -> None:
        self.enter(player)
        things = self.room[Items].things
        kind = things.pop(self.room[Items].carried(player, item)).kind
        price = max(1, KINDS[kind].price // 2)
        self.purses[player.id].coins += price
        self.stock.setdefault(kind, Stock(0)).count += 1
        player.tell(f"You get {price} for the {kind}.")

    @command("pay COUNT to WHOM", help="Give coins to somebody here.")
    def give_coins(self, player: Player, count: int, whom: Player) -> None:
        if count < 1:
            self.refuse("Nothing changes hands.")
        if whom not in self.room[Places].around(player):
            self.refuse(f"{whom} is not with you.")
        self.pay(player, count)
        self.purses[whom.id].coins += count
        player.tell(f"You pay {whom} {count} coins.")
        whom.tell(f"{player} pays you {count} coins.")

    @command("coins", "purse", help="Count your money.")
    def money(self, player: Player) -> None:
        player.tell(f"You have {self.purses[player.id].coins} coins.")

    def pay(self, player: Player, coins: int) -> None:
        """Take coins from a player, or refuse: then nothing of the whole command has happened."""
        purse = self.purses[player.id]
        if purse.coins < coins:
            self.refuse(f"That takes {coins} coins, and you have {purse.coins}.")
        purse.coins -= coins

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        self.purses.pop(event.player, None)

    def enter(self, player: Player) -> None:
        """Make sure that the player is in the shop."""
        if self.room[Places].place_of(player) != SHOP:
            self.refuse("The shop is in the world, east of the square.")
