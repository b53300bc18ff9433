"""One room's move from its owner to another host: what each side may do at each step, without input or output.

    old owner A    running ── stop ──> stopped ── B says that it has it ──> gone
                      ^                   │
                      └── abort: CAS won ─┴─ abort: CAS lost ──> gone
    successor B    copy ── the offer fits ──> verified ── commit: CAS won ──> ours
                      └── it does not ──────────┴── commit: CAS lost ──> dropped

Both sides compare-and-set the same row, `expected`, so exactly one of commit and abort wins, whatever the other
believes. A side that does not learn how its own ended reads the row: `decide`. There is nothing to negotiate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from perdure.ports import Claim, Owner
from perdure.room.acknowledged import Acknowledged
from perdure.room.program import Faulted

ANSWER_S = 0.25
"""T of the protocol: without an answer for so long the old owner aborts."""

Decided = Literal["open", "ours", "theirs"]


class Offer(msgspec.Struct, frozen=True):
    """A stopped room, as its owner offers it.

    Attributes:
        room: Which.
        owner: Its owner row, which either side will compare.
        c, branch: Where its history stands.
        value: Hash of the room's whole value, `Room.value_hash`.
        acknowledged: What no record says: which outputs and effects need not be sent again.
        paused: Whether an operator holds it.
        skip: The input that an operator lets it step over: (c, session, j, n); None for none.
        replayed: Session -> text in its outbox that counts against nobody, for its owner took it over unread.
        segment, end: Up to where the owner's journal has its records.
        program: Hash of the program that the owner is, without the games; "" for one that does not say.
        faulted: Handlers of the room's game that have failed in it; see `faulted_in`.
    """

    room: str
    owner: Owner
    c: int
    branch: int
    value: str
    acknowledged: Acknowledged
    paused: bool = False
    skip: tuple[int, str, int, int] | None = None
    replayed: dict[str, int] = {}
    segment: int = 0
    end: int = 0
    program: str = ""
    faulted: dict[str, Faulted] = {}

    @property
    def claim(self) -> Claim:
        """What commit and abort both compare and set."""
        return Claim(self.room, self.owner, self.c, self.branch)

    def faulted_in(self, program: str) -> Mapping[str, Faulted]:
        """What a host that is this program is to know of the handlers: in another one they begin well.

        A handler is disabled until its code changes. The program below it is a part of that: perhaps it was replaced
        because a library failed, and a handler that still fails is disabled again.
        """
        return self.faulted if program == self.program else {}


def decide(row: Owner | None, expected: Owner, host: str) -> Decided:
    """What an owner row says of a move to or from `host`: not decided yet, or whose the room is."""
    if row == expected:
        return "open"
    return "ours" if row is not None and row.host == host and row.epoch == expected.epoch + 1 else "theirs"


class Leaving:
    """The old owner's side of one room's move.

    Attributes:
        stage: running, stopped or gone. Only a running room runs callbacks and appends records.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.stage: Literal["running", "stopped", "gone"] = "running"
        self.offer: Offer | None = None

    def stop(self, offer: Offer) -> None:
        """From here nothing runs and nothing is appended, until it is decided whose the room is."""
        assert self.stage == "running"
        self.stage, self.offer = "stopped", offer

    def released(self) -> None:
        """The successor says that the room is its own: the copy here is dropped."""
        assert self.stage == "stopped"
        self.stage = "gone"

    def abort(self) -> Claim:
        """The claim that takes the room back; call `aborted` with the row that it leads to."""
        assert self.stage == "stopped"
        assert self.offer is not None
        return self.offer.claim

    def aborted(self, row: Owner | None) -> Decided:
        """Go on as the owner row says; "open" means that the claim has not been made."""
        assert self.offer is not None
        decided = decide(row, self.offer.owner, self.host)
        if decided != "open":
            self.stage = "running" if decided == "ours" else "gone"
        return decided


class Arriving:
    """The successor's side of one room's move.

    Attributes:
        stage: copy, verified, ours or dropped. Only a room that is ours runs.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.stage: Literal["copy", "verified", "ours", "dropped"] = "copy"
        self.offer: Offer | None = None

    def verify(self, offer: Offer, c: int, value: str) -> str:
        """Compare the copy with the offer; returns why it is not the same, "" if it is.

        Args:
            c, value: Of the copy, after all records up to the offer.
        """
        assert self.stage == "copy"
        problem = ""
        if c != offer.c:
            problem = f"the copy stands at callback {c}, the room at {offer.c}"
        elif value != offer.value:
            problem = f"the copy's value {value[:12]} is not the room's {offer.value[:12]}"
        self.stage, self.offer = ("dropped" if problem else "verified"), offer
        return problem

    def commit(self) -> Claim:
        """The claim that makes the room ours; call `committed` with the row that it leads to."""
        assert self.stage == "verified"
        assert self.offer is not None
        return self.offer.claim

    def committed(self, row: Owner | None) -> Decided:
        """Go on as the owner row says; "open" means that the claim has not been made."""
        assert self.offer is not None
        decided = decide(row, self.offer.owner, self.host)
        if decided != "open":
            self.stage = "ours" if decided == "ours" else "dropped"
        return decided
