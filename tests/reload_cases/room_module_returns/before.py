# file: bank.py
from perdure import Module, Row, Table, command


class Account(Row):
    coins: int = 0


class Bank(Module):
    accounts: Table[Account]

    @command("deposit")
    def deposit(self, player):
        account = self.accounts.setdefault(player.id, Account())
        account.coins += 5
        player.tell(f"{account.coins} coins.")
# file: game.py
from perdure import Game


class World(Game):
    pass
