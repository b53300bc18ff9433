"""Telnet's numbers, and the table by which options are negotiated."""

from __future__ import annotations

from typing import Literal

IAC, DONT, DO, WONT, WILL, SB, GA = 255, 254, 253, 252, 251, 250, 249
EL, EC, AYT, IP, BRK, NOP, SE, EOR_MARK = 248, 247, 246, 244, 243, 241, 240, 239  # RFC 854, RFC 885
ECHO, SGA, TTYPE, EOR, NAWS = 1, 3, 24, 25, 31  # RFC 857, 858, 1091, 885, 1073
NEW_ENVIRON, CHARSET, MSSP, GMCP = 39, 42, 70, 201  # RFC 1572, RFC 2066, and two that MUDs agreed upon

Q = Literal["no", "yes", "want-yes"]
"""RFC 1143, section 7, of which we need what never takes an offer back. An option that is not listed is "no"."""

# (state, the peer says yes?) -> (state, answer). For an offer of what is off, `Negotiation` decides.
RECEIVED: dict[tuple[Q, bool], tuple[Q, bool | None]] = {
    ("no", False): ("no", None),
    ("yes", True): ("yes", None),
    ("yes", False): ("no", False),
    ("want-yes", True): ("yes", None),
    ("want-yes", False): ("no", None),
}
