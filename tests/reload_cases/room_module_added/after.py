# file: bank.py
from perdure import Module, Row, Table, command


class Account(Row):
    coins: int = 0


class Bank(Module):
    accounts: Table[Account]

    def start(self):
        self.accounts["vault"] = Account(100)
        self.say("A bank opens.")

    @command("rob")
    def rob(self, player):
        player.tell(f"{self.accounts['vault'].coins} coins.")
# file: game.py
from perdure import Game


class World(Game):
    pass
