"""One case with one tool, in this process: ``python -m bench.semantics.one TOOL CASE``; prints one JSON object.

What the tool or the game prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from bench.semantics.peers import TOOLS
from tests.reload_cases.case import Case, find
from tests.reload_cases.playing import Tool, play, verdict


def tool_named(name: str, case: Case) -> Tool:
    if name == "perdure":
        from tests.reload_cases.ours import Perdure  # the environment of the others has nothing of it

        return Perdure(case.body_s, holds=bool(case.hold) and case.says_so)
    return TOOLS[name]()


def main() -> None:
    tool, name = sys.argv[1:]
    found = find(name)
    says = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="perdure-case-") as folder:
        played = play(found, Path(folder), tool_named(tool, found.case))
    says.write(json.dumps({"verdict": verdict(found.case, played), **vars(played)}) + "\n")
    says.flush()


if __name__ == "__main__":
    main()
