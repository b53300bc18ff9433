"""What a room's value has lost since its last record: acknowledged outputs and effects, forgotten seats.

Acknowledgements are not recorded: whoever recovers a room sends what it finds again, and the other side drops
it. A planned move need not: the old owner says what was acknowledged, and the copy is the same value to the byte.
"""

from __future__ import annotations

import msgspec


class Acknowledged(msgspec.Struct, array_like=True, frozen=True):
    """What need not be sent again.

    Attributes:
        seats: Session -> (j, number of the oldest output that is still in its outbox, or of the next one), for the
            seats that are closed or have an outbox. The other seats are open, and everything of theirs was shown.
        effects: Service -> number of the oldest effect that is not acknowledged, or of the next one.
    """

    seats: dict[str, tuple[int, int]]
    effects: dict[str, int]
