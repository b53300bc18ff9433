"""What the core and the shells need of the world, as protocols.

`store/` implements them on files and SQLite, `testing/` in memory with placed failures. Every
implementation raises `StorageError` (nothing of the operation is visible) unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, get_args

import msgspec


class Clock(Protocol):
    """The world's time. Rooms never see it directly: `room.now` rises strictly and never goes back."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch. May jump in either direction."""
        ...


class Owner(msgspec.Struct, array_like=True, frozen=True):
    """An owner row.

    Attributes:
        epoch: Only rising; the fencing token.
        host: Incarnation id of the owning host process.
        from_c: Callback number at which this ownership began; earlier owners' records beyond it are void.
        branch: The room's branch of history under this ownership.
    """

    epoch: int
    host: str
    from_c: int
    branch: int


class Claim(msgspec.Struct, frozen=True):
    """One room to be taken: see `Owners.claim`."""

    room: str
    expected: Owner | None
    from_c: int
    branch: int


class Owners(Protocol):
    """Owner rows: who may run which room. Durable and atomic between processes."""

    def read(self, room: str) -> Owner | None:
        """The current owner row, None for a room that nobody ever owned."""
        ...

    def history(self, room: str) -> list[Owner]:
        """All owner rows of the room, by rising epoch."""
        ...

    def rooms(self) -> dict[str, Owner]:
        """Every room that was ever owned, with its current row."""
        ...

    def claim(self, room: str, expected: Owner | None, host: str, from_c: int, branch: int) -> Owner:
        """Take the room by compare-and-set; the new row's epoch is one higher (1 for the first).

        Raises:
            ClaimLost: The row is not `expected`; it is unchanged.
        """
        ...

    def claim_all(self, claims: Sequence[Claim], host: str) -> list[Owner]:
        """Take all of these rooms or none, in one durable step; the new rows, in the order of `claims`.

        Raises:
            ClaimLost: A row is another than expected; all are unchanged.
        """
        ...


class Aside(msgspec.Struct, frozen=True):
    """A room that was put aside, and why.

    Attributes:
        room: Which.
        reason: One line for people.
        c, session, j, n: The executing slot that was seen twice; n is -1 when the reason is damage.
        since_us: When, wall clock.
    """

    room: str
    reason: str
    c: int = 0
    session: str = ""
    j: int = 0
    n: int = -1
    since_us: int = 0


class AsideList(Protocol):
    """Rooms that are put aside until an operator decides. Durable."""

    def put(self, aside: Aside) -> None: ...
    def remove(self, room: str) -> None: ...
    def all(self) -> dict[str, Aside]: ...


class GenerationList(Protocol):
    """Which generation of each game's code serves, and which did before. Durable."""

    def generations(self, game: str) -> list[str]:
        """Their ids, the one that serves first."""
        ...

    def set_generation(self, game: str, id: str) -> None: ...
    def forget_generation(self, game: str, id: str) -> None: ...
    def trial(self, game: str) -> str:
        """The generation that was tried last, "" for none."""
        ...

    def set_trial(self, game: str, id: str) -> None:
        """Put a generation on trial, and behind those that serve or did."""
        ...


class Blobs(Protocol):
    """Durable, create-only objects by key (``room/epoch/c``, ``_code/id``); keys are made of [a-z0-9._-/] and %XX."""

    def put(self, key: str, data: bytes) -> None:
        """Store durably, contents and name. An existing key with the same bytes is fine, else StorageError."""
        ...

    def get(self, key: str) -> bytes:
        """The object's bytes. StorageError when there is none."""
        ...

    def list(self, prefix: str) -> list[str]:
        """All keys below the folder `prefix`, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Forget the object; a missing one is fine."""
        ...


class Journal(Protocol):
    """One host incarnation's append-only log of records. One writer."""

    def append(self, room: str, c: int, record: bytes) -> None:
        """Append so that the record survives this process (not: a power loss). Order is kept.

        Raises:
            StorageError: Nothing was appended; with `retry` it may work later (disk full).
        """
        ...

    def sync(self) -> None:
        """Make everything appended so far survive a power loss. Blocks.

        Raises:
            StorageError: Fail-stop: never retried, the journal takes no more.
        """
        ...

    def based(self, room: str, c: int) -> None:
        """The room's records up to c are no longer needed; segments without needed records are removed."""
        ...

    def position(self) -> tuple[int, int]:
        """Up to where there are records: the newest segment's number and an offset in it; (0, 0) for none."""
        ...

    def keep(self, on: bool) -> None:
        """While on, records that nobody needs any more stay: somebody follows them."""
        ...

    def close(self, clean: bool = False) -> None:
        """Write no more; `clean` marks an ordered stop, after which nothing needs recovery."""
        ...


PASSWORD_CHARS_MIN = 6
PASSWORD_CHARS_MAX = 128
"""Bounds of a new password, in the login dialogue and on the command line."""


Role = Literal["player", "builder", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each role may do what those before it may."""


class AccountRow(msgspec.Struct, frozen=True):
    """An account as others may see it.

    Attributes:
        id: Stable, never reused.
        name: As its owner spells it; unique without regard to case.
        role: player, builder or admin.
        disabled: Whether logging in is refused.
        settings: What its player chose with `set`, as JSON; "" for nothing.
    """

    id: str
    name: str
    role: str
    disabled: bool
    settings: str = ""


class Accounts(Protocol):
    """Accounts. Calls block; never made on an event loop's thread."""

    def find(self, name: str) -> AccountRow | None:
        """The account of this name, in whatever case and form of Unicode."""
        ...

    def alike(self, name: str) -> AccountRow | None:
        """The account whose name looks like this one, which may be its own."""
        ...

    def password_hash(self, id: str) -> str: ...
    def create(self, name: str, password_hash: str, role: str) -> AccountRow:
        """Raises ContractError when the name is taken, or looks like one that is."""
        ...

    def set_role(self, name: str, role: str) -> AccountRow: ...
    def set_disabled(self, name: str, disabled: bool) -> AccountRow: ...
    def set_password_hash(self, name: str, password_hash: str) -> AccountRow: ...
    def set_settings(self, id: str, settings: str) -> None:
        """Keep what the player of account `id` chose. Raises ContractError when there is no such account."""
        ...

    def all(self) -> list[AccountRow]: ...


FaultPoint = Callable[[str], None]
"""Called with a fault point's name; returns, or fails as a test arranged."""
