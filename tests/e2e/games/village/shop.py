"""Data: what things cost stands in a TOML file."""

from typing import NamedTuple

from perdure import Module, Player, command, data

from .words import MARK as WORDS
from .words import polish

MARK = 0


class Ware(NamedTuple):
    """What can be had."""

    price: int
    about: str = ""


WARES = data("wares.toml", dict[str, Ware])

# halfway


class Shop(Module):
    @command("price WARE", help="Tells what something costs.")
    def price(self, player: Player, ware: str) -> None:
        if ware not in WARES:
            self.refuse("There is none.")
        player.tell(f"{polish(ware)} costs {WARES[ware].price}, at {WORDS} words.")
