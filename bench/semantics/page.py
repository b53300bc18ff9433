"""The tables of docs/reference/reload-semantics.md."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from bench.__main__ import ROOT
from perdure import __version__
from tests.reload_cases.case import Case, Found, Part
from tests.reload_cases.rooms import RoomCase

PAGE = ROOT / "docs" / "reference" / "reload-semantics.md"
COLUMNS = {
    "importlib": "importlib.reload",
    "autoreload": "%autoreload 2",
    "jurigged": "jurigged",
    "perdure": "Perdure",
}


def sections(
    found: Sequence[Found], verdicts: Mapping[tuple[str, str], str], versions: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(marker, text) for each part of the page that is made by running the cases.

    Args:
        verdicts: (case, tool) -> word.
        versions: The other tools, as they were installed.
    """
    return [
        ("versions", _versions(versions)),
        ("cases", "\n".join(_table(found, verdicts))),
        ("rooms", "\n".join(_rooms(found))),
        ("about", "\n".join(_about(found))),
    ]


def _versions(versions: Mapping[str, str]) -> str:
    others = ", ".join(f"{name} {pin.partition('==')[2]}" for name, pin in versions.items())
    return f"{datetime.now(UTC):%Y-%m-%d}; Python {platform.python_version()}, {others}, Perdure {__version__}"


def _table(found: Sequence[Found], verdicts: Mapping[tuple[str, str], str]) -> Iterator[str]:
    yield f"| | {' | '.join(COLUMNS.values())} |"
    yield f"|---|{'---|' * len(COLUMNS)}"
    for part in Part:
        yield f"| **{part.value}** |{' |' * len(COLUMNS)}"
        for one in found:
            if isinstance(one.case, Case) and one.case.part is part:
                cells = (verdicts[one.name, tool] for tool in COLUMNS)
                yield f"| {one.case.row} | {' | '.join(cells)} |"


def _rooms(found: Sequence[Found]) -> Iterator[str]:
    yield "| | with Perdure |"
    yield "|---|---|"
    for one in found:
        if isinstance(one.case, RoomCase):
            yield f"| {one.case.row} | {one.case.holds} |"


def _about(found: Sequence[Found]) -> Iterator[str]:
    for one in found:
        yield f"- **{one.case.row}** (`{one.name}`): {one.about}"
