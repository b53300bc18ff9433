"""Which failure modes have tests that name them: a hook of the documentation site, and a small command.

Tests cite the lines of failure-modes.md in their docstrings: "(FM-17)", "FM-18…20", "(FM-34, FM-35)".
As a hook of mkdocs it adds the column *tests* to the page. As a command it prints what is missing:

    python docs/failure_modes_coverage.py
"""

import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = "failure-modes.md"
LINE = re.compile(r"^\| FM-(\d+) \| (.*) \|$", re.MULTILINE)
# One citation and what continues it: FM-17, FM-18…20, "FM-34, FM-35", "(FM-34, 35)". A bare number after a
# comma counts only if the list goes on or ends right there: "FM-34, 2 hosts" names one line.
CITED = re.compile(r"FM-(\d+)((?:\s*(?:…|\.\.\.?|–)\s*(?:FM-)?\d+|,\s*(?:FM-\d+|\d+(?=[,)…])))*)")
PART = re.compile(r"(…|\.\.\.?|–|,)\s*(?:FM-)?(\d+)")


def numbers(text: str) -> set[int]:
    """Every line that `text` cites; ranges are filled."""
    found: set[int] = set()
    for first, rest in CITED.findall(text):
        last = int(first)
        found.add(last)
        for joint, number in PART.findall(rest):
            ranged = joint != ","
            found.update(range(last, int(number) + 1) if ranged else [int(number)])
            last = int(number)
    return found


def listed(page: str) -> dict[int, str]:
    """Number -> text of every line on the page."""
    return {int(number): text for number, text in LINE.findall(page)}


def covering() -> dict[int, list[str]]:
    """Number -> test files that name it, as paths below tests/, sorted."""
    tests = REPOSITORY / "tests"
    where: dict[int, set[str]] = {}
    for path in tests.rglob("*.py"):
        if path.name == "test_docs.py":  # it speaks of citations and cites nothing
            continue
        if "frozen" in path.relative_to(tests).parts:  # an old program's comments test nothing
            continue
        for number in numbers(path.read_text()):
            where.setdefault(number, set()).add(path.relative_to(tests).as_posix())
    return {number: sorted(files) for number, files in sorted(where.items())}


def with_tests(page: str) -> str:
    """The page with a third column that names the covering test files."""
    covered = covering()

    def row(match: re.Match[str]) -> str:
        number, text = int(match[1]), match[2]
        files = "<br>".join(f"`{name}`" for name in covered.get(number, [])) or "–"
        return f'| <span id="fm-{number}">FM-{number}</span> | {text} | {files} |'

    page = page.replace("| line | what goes wrong |\n|---|---|", "| line | what goes wrong | tests |\n|---|---|---|")
    return LINE.sub(row, page)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return with_tests(markdown) if page.file.src_uri == PAGE else markdown


def main() -> None:
    lines = listed((REPOSITORY / "docs" / PAGE).read_text())
    covered = covering()
    for number, text in lines.items():
        print(f"FM-{number:<3} {', '.join(covered.get(number, [])) or '-':40} {text[:60]}")
    print(f"{len(set(lines) & set(covered))} of {len(lines)} are named by tests.")


if __name__ == "__main__":
    main()
