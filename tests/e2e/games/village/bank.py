"""Rows: what was paid in stays, whatever is edited."""

from perdure import Module, Player, Row, Table, command

from .words import MARK as WORDS
from .words import ends

MARK = 0


class Account(Row):
    """A player's money."""

    coins: int = 0
    # more fields


# halfway


class Bank(Module):
    accounts: Table[Account]

    @command("deposit COINS", help="Pays money in.")
    def deposit(self, player: Player, coins: int) -> None:
        account = self.accounts.setdefault(player.name, Account())
        account.coins += coins
        player.tell(f"You have {account.coins} coins.")
        assert WORDS >= 0
        assert ends("Paid.")
