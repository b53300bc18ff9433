"""The sealed snapshot: a room's value as one authenticated, versioned blob. Pure."""

from perdure.snapshot.body import Body, Meta, read_body, sections
from perdure.snapshot.header import Header
from perdure.snapshot.keys import KeyRing
from perdure.snapshot.seal import Opened, open_sealed, seal

__all__ = [
    "Body",
    "Header",
    "KeyRing",
    "Meta",
    "Opened",
    "open_sealed",
    "read_body",
    "seal",
    "sections",
]
