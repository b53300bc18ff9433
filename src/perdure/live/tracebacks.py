"""Tracebacks for authors: their own frames only, printed from the source that ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType


def format_error(error: BaseException, texts: Mapping[str, str]) -> str:
    """The error as a traceback of the author's frames.

    Args:
        error: As caught.
        texts: File -> the text that ran; frames in other files are left out.
    """
    return "\n".join(_lines(error, texts, set()))


def innermost(error: BaseException, texts: Mapping[str, str]) -> tuple[str, int] | None:
    """File and line of the last call in the author's files that led to the error; None where there is none."""
    found, frame = None, error.__traceback__
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        found = (file, frame.tb_lineno) if file in texts else found
        frame = frame.tb_next
    return found


def _lines(error: BaseException, texts: Mapping[str, str], seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        yield from _lines(cause, texts, seen)
        yield ""
        yield "which led to:" if error.__cause__ else "while that was handled:"
        yield ""
    frames = list(_frames(error.__traceback__, texts))
    if frames:
        yield "Traceback (the game's frames, the last call last):"
        yield from frames
    if isinstance(error, SyntaxError):
        yield f'  File "{error.filename}", line {error.lineno}'
    yield _said(error)
    yield from getattr(error, "__notes__", ())


def _said(error: BaseException) -> str:
    name = type(error).__qualname__
    try:
        return f"{name}: {error}" if str(error) else name
    except Exception:  # noqa: BLE001  (the edge to game code: an author's __str__ may raise, too)
        return name


def _frames(frame: TracebackType | None, texts: Mapping[str, str]) -> Iterator[str]:
    while frame is not None:
        code = frame.tb_frame.f_code
        if code.co_filename in texts:
            yield f'  File "{code.co_filename}", line {frame.tb_lineno}, in {code.co_name}'
            lines = texts[code.co_filename].splitlines()
            if 0 < frame.tb_lineno <= len(lines):
                yield f"    {lines[frame.tb_lineno - 1].strip()}"
        frame = frame.tb_next
