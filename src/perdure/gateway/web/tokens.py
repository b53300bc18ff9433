"""Reconnect tokens: what a web page shows to go on with its session after a loss of network.

A session's tokens are numbered. Token n is valid until a later one was used or confirmed: the answer that
carried the later one may have been lost on its way. From then on whoever shows token n has a copy of what the
player's page has replaced, so the session has to end (rule G7 of docs/protocols.md).

Only digests are kept: what this process's memory or a dump of it shows is no token. A session remembers its last
`RETIRED_MAX` replaced tokens; an older one is as unknown as any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

TOKEN_BYTES = 16
"""128 bits: not to be guessed, so looking a digest up needs no constant time."""
OPEN_MAX = 8
"""Valid tokens of a session: a page that loses each answer is given one at every try. The unused oldest give way."""
RETIRED_MAX = 64


class Issued(NamedTuple):
    """A new token of a session, number n; `token` is 32 hexadecimal digits and is kept nowhere else."""

    n: int
    token: str


class Use(NamedTuple):
    """Token n of the session was shown and is good; `next` is to be sent to the client in its place."""

    session: str
    n: int
    next: Issued


class Replayed(NamedTuple):
    """A replaced token of the session was shown: end the session."""

    session: str


class _Chain:
    """A session's tokens: digest by number."""

    def __init__(self) -> None:
        self.last = self.floor = 0
        self.digests: dict[int, bytes] = {}


class Tokens:
    """All sessions' tokens.

    Args:
        entropy: Gives that many random bytes, as `secrets.token_bytes` does.
    """

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._chains: dict[str, _Chain] = {}
        self._owners: dict[bytes, tuple[str, int]] = {}

    def __len__(self) -> int:
        """How many digests are kept."""
        return len(self._owners)

    def issue(self, session: str) -> Issued:
        """One more token for the session; the others stay what they are."""
        chain = self._chains.setdefault(session, _Chain())
        token = self._entropy(TOKEN_BYTES).hex()
        chain.last += 1
        chain.digests[chain.last] = _digest(token)
        self._owners[chain.digests[chain.last]] = session, chain.last
        opened = [n for n in chain.digests if n > max(chain.floor, 1)]
        for n in opened[: max(0, len(opened) - (OPEN_MAX - 1))]:
            self._drop(chain, n)
        return Issued(chain.last, token)

    def used(self, token: str) -> Use | Replayed | None:
        """Somebody shows a token. None: nobody's, or of a session that is over."""
        found = self._owners.get(_digest(token))
        if found is None:
            return None
        session, n = found
        if n < self._chains[session].floor:
            return Replayed(session)
        self._retire_below(session, n)
        return Use(session, n, self.issue(session))

    def confirmed(self, session: str, n: int) -> None:
        """The client has stored token n: those before it are replaced. An n that was not issued changes nothing."""
        if (chain := self._chains.get(session)) is not None and n in chain.digests:
            self._retire_below(session, n)

    def forget(self, session: str) -> None:
        """The session is over, or another connection has taken it over: none of its tokens is known any more."""
        if (chain := self._chains.pop(session, None)) is not None:
            for digest in chain.digests.values():
                del self._owners[digest]

    def _retire_below(self, session: str, n: int) -> None:
        chain = self._chains[session]
        chain.floor = max(chain.floor, n)
        retired = [m for m in chain.digests if m < chain.floor]
        for m in retired[: max(0, len(retired) - RETIRED_MAX)]:
            self._drop(chain, m)

    def _drop(self, chain: _Chain, n: int) -> None:
        del self._owners[chain.digests.pop(n)]


def _digest(token: str) -> bytes:
    """Of what was shown, whatever it is."""
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16).digest()
