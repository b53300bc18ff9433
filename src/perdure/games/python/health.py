"""Which handlers of a game keep failing, and are disabled until their code changes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Mapping

from perdure.room.program import Faulted

FAULTS_MAX = 3
"""So many faults within the window disable a handler."""
WINDOW_US = 600_000_000
"""Ten minutes."""


class Health:
    """Faults of one generation of a game, over all its rooms.

    Attributes:
        faults: Handler -> how often it has faulted.
        disabled: Handlers that are not called any more, in the order in which that happened.
    """

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.disabled: list[str] = []
        self._recent: dict[str, deque[int]] = {}

    def book(self, handler: str, now_us: int) -> bool:
        """Count a fault of `handler`. Returns whether it was the one that disables it."""
        self.faults[handler] += 1
        recent = self._recent.setdefault(handler, deque(maxlen=FAULTS_MAX))
        recent.append(now_us)
        if handler in self.disabled or len(recent) < FAULTS_MAX or now_us - recent[0] > WINDOW_US:
            return False
        self.disabled.append(handler)
        return True

    def carried(self, modules: Container[str]) -> Health:
        """What the next generation begins with: what is known of the modules whose code stays as it is."""
        kept = Health()
        kept.faults.update({handler: count for handler, count in self.faults.items() if _module(handler) in modules})
        kept.disabled += [handler for handler in self.disabled if _module(handler) in modules]
        kept._recent = {name: recent.copy() for name, recent in self._recent.items() if _module(name) in modules}
        return kept

    def known(self) -> dict[str, Faulted]:
        """All of it, as `learn` takes it."""
        return {
            handler: Faulted(self.faults[handler], list(recent), handler in self.disabled)
            for handler, recent in self._recent.items()
        }

    def learn(self, known: Mapping[str, Faulted]) -> None:
        """Go on with what another host knows of the same handlers, too; it may say so once for each room that comes."""
        for handler, theirs in known.items():
            recent = Counter(self._recent.get(handler, ())) | Counter(theirs.recent_us)
            self.faults[handler] = max(self.faults[handler], theirs.count)
            self._recent[handler] = deque(sorted(recent.elements()), FAULTS_MAX)
            if theirs.disabled and handler not in self.disabled:
                self.disabled.append(handler)


def _module(handler: str) -> str:
    return handler.partition(".")[0]
