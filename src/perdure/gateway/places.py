"""Places: how many of something an address may have at once, and the IPv6 network that it belongs to."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from perdure.gateway.limits import NETWORK_SHARE, Limits, books, network

NETWORK_PART = 4
"""However much one address may have, a network has at most this part of all places: it cannot keep others out."""


class Full(NamedTuple):
    """Why nobody more may come: `number` are here from the same address, or from the same network."""

    number: int
    whose: str

    def text(self, noun: str, then: str) -> str:
        """What to tell them.

        Args:
            noun: What there is so much of, in the singular.
            then: What to do, with a place for which of those.
        """
        are, which = ("is", "that one") if self.number == 1 else ("are", "one of them")
        plural = "" if self.number == 1 else "s"
        return f"There {are} {self.number} {noun}{plural} from your {self.whose} already. {then.format(which)}"


class Places:
    """Who has how many.

    Args:
        most: Of one address.
    """

    def __init__(self, limits: Limits, most: int) -> None:
        self._limits, self._most = limits, most
        self._most_of_network = min(NETWORK_SHARE * most, max(most, limits.clients_max // NETWORK_PART))
        self._taken: Counter[str] = Counter()
        self._here = 0

    def __len__(self) -> int:
        """How many are taken in all."""
        return self._here

    def full(self, address: str) -> Full | None:
        """Why no more may come from there; None while some may."""
        if not self._limits.limited(address):
            return None
        if self._taken[address] >= self._most:
            return Full(self._most, "address")
        if (wide := network(address)) and self._taken[wide] >= self._most_of_network:
            return Full(self._most_of_network, "network")
        return None

    def take(self, address: str) -> None:
        """One more came from there."""
        self._here += 1
        self._taken.update(books(address))

    def leave(self, address: str) -> None:
        """One from there is gone."""
        self._here -= 1
        for each in books(address):
            self._taken[each] -= 1
            if self._taken[each] <= 0:
                del self._taken[each]
