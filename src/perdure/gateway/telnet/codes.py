"""Telnet's numbers, and the two tables by which options are negotiated."""

from __future__ import annotations

from typing import Literal

IAC, DONT, DO, WONT, WILL, SB, GA = 255, 254, 253, 252, 251, 250, 249
EL, EC, AYT, IP, BRK, NOP, SE, EOR_MARK = 248, 247, 246, 244, 243, 241, 240, 239  # RFC 854, RFC 885
ECHO, SGA, TTYPE, EOR, NAWS = 1, 3, 24, 25, 31  # RFC 857, 858, 1091, 885, 1073
NEW_ENVIRON, CHARSET, MSSP, GMCP = 39, 42, 70, 201  # RFC 1572, RFC 2066, and two that MUDs agreed upon

Q = Literal["no", "yes", "want-no", "want-no-opposite", "want-yes", "want-yes-opposite"]
"""RFC 1143, section 7: the state and its queue bit in one word. An option that is not listed is "no"."""

# (state, the peer says yes?) -> (state, answer). For an offer of what is off, `_option` decides.
RECEIVED: dict[tuple[Q, bool], tuple[Q, bool | None]] = {
    ("no", False): ("no", None),
    ("yes", True): ("yes", None),
    ("yes", False): ("no", False),
    ("want-no", True): ("no", None),
    ("want-no", False): ("no", None),
    ("want-no-opposite", True): ("yes", None),
    ("want-no-opposite", False): ("want-yes", True),
    ("want-yes", True): ("yes", None),
    ("want-yes", False): ("no", None),
    ("want-yes-opposite", True): ("want-no", False),
    ("want-yes-opposite", False): ("no", None),
}
# (state, we want yes?) -> (state, what to send).
WANTED: dict[tuple[Q, bool], tuple[Q, bool | None]] = {
    ("no", True): ("want-yes", True),
    ("no", False): ("no", None),
    ("yes", True): ("yes", None),
    ("yes", False): ("want-no", False),
    ("want-no", True): ("want-no-opposite", None),
    ("want-no", False): ("want-no", None),
    ("want-no-opposite", True): ("want-no-opposite", None),
    ("want-no-opposite", False): ("want-no", None),
    ("want-yes", True): ("want-yes", None),
    ("want-yes", False): ("want-yes-opposite", None),
    ("want-yes-opposite", True): ("want-yes", None),
    ("want-yes-opposite", False): ("want-yes-opposite", None),
}
