"""What travels in telnet's subnegotiations: NAWS, TTYPE, CHARSET, NEW-ENVIRON, MSSP. Bytes in, values out.

No bytes make a function here raise; what makes no sense is passed over. Names and values that a client sends are
cut to printable ASCII: operators and games see them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from perdure.gateway.look import (
    MTTS_256,
    MTTS_ANSI,
    MTTS_SCREENREADER,
    MTTS_TRUECOLOUR,
    MTTS_UTF8,
    MTTS_VT100,
    Encoding,
    Told,
)
from perdure.gateway.wire import SIZE_MAX

NAME_CHARS_MAX = 40
"""Of a terminal type (RFC 1091)."""
VALUE_CHARS_MAX = 64
"""Of an environment variable's value."""

CHARSETS: dict[str, Encoding] = {
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "ISO-8859-1": "latin-1",
    "ISO_8859-1": "latin-1",
    "ISO8859-1": "latin-1",
    "LATIN-1": "latin-1",
    "LATIN1": "latin-1",
    "US-ASCII": "ascii",
    "ASCII": "ascii",
}
"""Names of character sets that we speak: IANA's, and how clients write them."""
CHARSET_REQUEST = b"\x01;UTF-8;ISO-8859-1;US-ASCII"
"""REQUEST, the separator, and what we offer, best first (RFC 2066)."""
CHARSET_REJECTED = b"\x03"
CHARSET_ACCEPTED = b"\x02"

ENVIRON_SEND_ALL = b"\x01\x00\x03"
"""SEND VAR USERVAR, without names: all of both kinds (RFC 1572). TinTin++ 2.02 leaves a SEND without kinds unanswered,
and of several names it answers the first alone."""
VARIABLES = frozenset(
    {
        *("CLIENT_NAME", "CLIENT_VERSION", "TERMINAL_TYPE", "MTTS", "CHARSET"),  # MNES
        *("ANSI", "VT100", "UTF-8", "256_COLORS", "TRUECOLOR", "SCREEN_READER", "OSC_HYPERLINKS_SEND"),  # Mudlet's
    }
)
"""What is kept of a client's environment; its user's name, paths and displays are none of our business."""
_BITS = {
    "ANSI": MTTS_ANSI,
    "VT100": MTTS_VT100,
    "UTF-8": MTTS_UTF8,
    "256_COLORS": MTTS_256,
    "SCREEN_READER": MTTS_SCREENREADER,
    "TRUECOLOR": MTTS_TRUECOLOUR,
}

_environ = re.compile(rb"([\x00\x01\x03])((?:[^\x00-\x03]|\x02.)*)", re.DOTALL)
_escaped = re.compile(rb"\x02(.)", re.DOTALL)
_mtts = re.compile(r"MTTS ([0-9]{1,9})", re.IGNORECASE)
_unreadable = bytes(range(32)) + bytes(range(127, 256))
_mssp_marks = b"\x00\x01\x02\xff"


def printable(name: bytes, chars_max: int) -> str:
    """The printable ASCII of what a client called something."""
    return name[:chars_max].translate(None, _unreadable).decode("ascii")


def window_size(body: bytes) -> tuple[int, int] | None:
    """Columns and rows; 0 where the client does not say (RFC 1073). None if that is no window size."""
    if len(body) != 4:
        return None
    return min(int.from_bytes(body[:2], "big"), SIZE_MAX), min(int.from_bytes(body[2:], "big"), SIZE_MAX)


def charset_chosen(body: bytes) -> tuple[bytes, Encoding] | None:
    """The first of the sets that a REQUEST lists, as it is written there, which we speak; None for none of them.

    Args:
        body: What follows the REQUEST. An offered translation table is passed over: we need none (RFC 2066).
    """
    if body.startswith(b"[TTABLE]"):
        body = body[len(b"[TTABLE]") + 1 :]
    for name in body[1:].split(body[:1]) if body else []:
        if (encoding := charset_named(name)) is not None:
            return name, encoding
    return None


def charset_named(name: bytes | str) -> Encoding | None:
    """The encoding of a character set's name; None if we do not speak it."""
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    return CHARSETS.get(text.strip().upper())


def environ_variables(body: bytes) -> Iterator[tuple[str, str | None]]:
    """(name, value) of what is worth keeping of an IS or INFO; None for what the client has not (RFC 1572).

    VAR and USERVAR are not told apart: MNES uses the one and others the other, for the same names.
    """
    name: str | None = None
    for kind, quoted in _environ.findall(body):
        text = printable(_escaped.sub(rb"\1", quoted), VALUE_CHARS_MAX)
        if kind == b"\x01":
            if name is not None:
                yield name, text
            name = None
            continue
        if name is not None:
            yield name, None
        name = text.upper() if text.upper() in VARIABLES else None
    if name is not None:
        yield name, None


def status_body(variables: Mapping[str, str | list[str]]) -> bytes:
    """Variables as MSSP writes them: VAR 1, VAL 2, a list as several values; its marks cannot be part of either."""
    parts = []
    for name, value in variables.items():
        parts.append(b"\x01" + _status_text(name))
        parts += [b"\x02" + _status_text(each) for each in ([value] if isinstance(value, str) else value)]
    return b"".join(parts)


def told_of(
    size: tuple[int, int],
    names: list[str],
    environ: Mapping[str, str],
    charset: Encoding | None,
    *,
    client: str = "",
    invalid_utf8: bool = False,
) -> Told:
    """What a telnet client has told of itself.

    Args:
        size: Columns and rows.
        names: Terminal types in the order in which they were named.
        environ: Variables by `environ_variables`.
        charset: Agreed upon by CHARSET; it overrides the variable of that name.
        client: Of GMCP's Core.Hello, which says it best.
        invalid_utf8: Whether the last that it sent beyond ASCII was not UTF-8.
    """
    mtts, utf8 = _capabilities(names, environ)
    named = [name for name in names if not _mtts.fullmatch(name)]
    # By MTTS the first name is the client's and the second the terminal's; others name terminals alone (RFC 1091).
    standard = len(named) < len(names)
    at = 1 if standard else 0
    variable = f"{environ.get('CLIENT_NAME', '')} {environ.get('CLIENT_VERSION', '')}".strip()
    return Told(
        columns=size[0],
        rows=size[1],
        client=client or variable or (named[0] if standard and named else ""),
        terminal=environ.get("TERMINAL_TYPE", "") or (named[at] if len(named) > at else ""),
        mtts=mtts,
        utf8=utf8,
        charset=charset or charset_named(environ.get("CHARSET", "")),
        screenreader=bool(mtts & MTTS_SCREENREADER),
        links=environ.get("OSC_HYPERLINKS_SEND", "0") not in ("", "0"),
        invalid_utf8=invalid_utf8,
    )


def _capabilities(names: list[str], environ: Mapping[str, str]) -> tuple[int, bool | None]:
    """The MTTS sum of both sources, and whether UTF-8 is in it; None if neither a sum nor a variable says.

    A variable of its own is newer, and may also take back.
    """
    found = [int(match[1]) for name in names if (match := _mtts.fullmatch(name))]
    if environ.get("MTTS", "").isdecimal():
        found.append(int(environ["MTTS"][:9]))
    mtts = found[-1] if found else 0
    for name, bit in _BITS.items():
        if name in environ:
            mtts = mtts & ~bit if environ[name] in ("", "0") else mtts | bit
    return mtts, bool(mtts & MTTS_UTF8) if any(found) or "UTF-8" in environ else None


def _status_text(text: str) -> bytes:
    return text.encode("utf-8", "replace").translate(None, _mssp_marks)
