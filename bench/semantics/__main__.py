"""What a reload means, with Perdure and with other tools, by running all cases of tests/reload_cases.

    python -m bench.semantics                   the table
    python -m bench.semantics -v held_function  some cases, with all that was seen
    python -m bench.semantics --write           the table in docs/reference/reload-semantics.md, written anew

Each tool plays each case in a process of its own. The others live in an environment that the script makes, in
build/reload-peers; making it needs the package index, once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.__main__ import ROOT, filled
from bench.processes import end
from bench.report import unwind_on_sigterm
from bench.semantics.page import PAGE, sections
from tests.reload_cases.case import Case, find, names

ENVIRONMENT = ROOT / "build" / "reload-peers"
PEERS = {"IPython": "ipython==9.18.1", "jurigged": "jurigged==0.6.1"}
"""Newest releases when the page was written."""
TOOLS = ("importlib", "autoreload", "jurigged", "perdure")
HANGS_S = 15.0
"""A case takes a fraction of a second; the machine may be busy."""


def environment() -> Path:
    """The Python of the environment that has the other tools; made if it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    made = ENVIRONMENT / "installed.txt"
    wanted = "\n".join(PEERS.values())
    if not made.exists() or made.read_text() != wanted:
        print(f"Making {ENVIRONMENT} with {', '.join(PEERS.values())}", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", *PEERS.values()], check=True, stdout=sys.stderr)
        made.write_text(wanted)
    return python


def run(python: Path, tool: str, name: str) -> dict[str, Any]:
    """One case with one tool: its verdict and what was seen."""
    process = subprocess.Popen(
        [python, "-m", "bench.semantics.one", tool, name],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, errors = process.communicate(timeout=HANGS_S)
    except subprocess.TimeoutExpired:
        return {"verdict": "hangs"}
    finally:
        end(process)
    if process.returncode:
        return {"verdict": "process ends", "told": errors.decode().splitlines()[-1:]}
    answer: dict[str, Any] = json.loads(output)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.semantics")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="folders of tests/reload_cases; none: all")
    parser.add_argument("-v", "--verbose", action="store_true", help="what was seen, too")
    parser.add_argument("--write", action="store_true", help=f"write the tables of {PAGE.relative_to(ROOT)} anew")
    arguments = parser.parse_args()
    if arguments.write and arguments.cases:
        parser.error("--write plays all cases, so that all rows are of the same versions")
    unwind_on_sigterm()
    found = [find(name) for name in arguments.cases or names()]
    alone = [one for one in found if isinstance(one.case, Case)]
    python = environment()
    pairs = [(one, tool) for one in alone for tool in TOOLS]

    def answer(pair: tuple[Any, str]) -> dict[str, Any]:
        one, tool = pair
        return run(Path(sys.executable) if tool == "perdure" else python, tool, one.name)

    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(((one.name, tool) for one, tool in pairs), pool.map(answer, pairs), strict=True))
    for one in alone:
        print(f"{one.name:28} " + " ".join(f"{answers[one.name, tool]['verdict']:20}" for tool in TOOLS))
        if arguments.verbose:
            for tool in TOOLS:
                print(f"    {tool}: {answers[one.name, tool]}")
    if arguments.write:
        verdicts = {key: value["verdict"] for key, value in answers.items()}
        PAGE.write_text(filled(PAGE.read_text(), sections(found, verdicts, PEERS)))


if __name__ == "__main__":
    main()
