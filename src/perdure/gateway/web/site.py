"""The static files of the web page, and every other answer in HTTP.

The files are read once, when the gateway starts. A path is looked up as it was written: nothing of a request is
ever a path of the file system. Each answer ends its connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from websockets.http11 import Request

PAGE = Path(__file__).parent.parent / "page"
"""The page that comes with Perdure."""
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
"""Of the files that are served; those with other endings are not."""
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'"
)
"""No script, style or connection but our own, nothing inline, in nobody's frame, and no text becomes markup."""
EVERY_ANSWER = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Connection": "close",
}


class File(NamedTuple):
    """A file as it is served."""

    content_type: str
    etag: str
    body: bytes


class Site:
    """Files by path, as in ``/style.css``."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self.files = dict(files)

    @classmethod
    def read(cls, folder: Path = PAGE) -> Site:
        """The files of a folder; its index.html is also ``/``.

        Raises:
            OSError: A file cannot be read, or there is no index.html.
        """
        files = {}
        for path in [folder / "index.html", *folder.rglob("*")]:
            if path.suffix in CONTENT_TYPES:
                body = path.read_bytes()
                etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
                files[f"/{path.relative_to(folder).as_posix()}"] = File(CONTENT_TYPES[path.suffix], etag, body)
        return cls({"/": files["/index.html"], **files})

    def answer(self, request: Request) -> bytes:
        """The answer to a GET; whoever asked with HEAD is sent the head of it."""
        file = self.files.get(request.path.partition("?")[0])
        if file is None:
            return refusal(404, "There is no such page here. The game is at /.")
        headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Content-Type": file.content_type}
        if _knows(request, file.etag):
            return _answer(304, headers)
        headers["Content-Length"] = str(len(file.body))
        return _answer(200, headers, file.body)


def refusal(status: int, text: str, headers: Mapping[str, str] | None = None) -> bytes:
    """An answer of one sentence for a person."""
    body = f"{text}\n".encode()
    plain = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    return _answer(status, {**(headers or {}), **plain}, body)


def _knows(request: Request, etag: str) -> bool:
    """Whether the client has the file already (RFC 9110, section 13.1.2; the weak comparison)."""
    named = ",".join(request.headers.get_all("If-None-Match")).split(",")
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in named)


def _answer(status: int, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in {**EVERY_ANSWER, **headers}.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
