"""Every rule of the protocol is needed: without it, the search finds an execution that breaks a promise.

Each patch here removes one rule from the code; its head says which, and the scenario that misses it. A patch that
no longer applies is to be written anew for the code as it is.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CURES = sorted(Path(__file__).parent.glob("*.patch"))
REPOSITORY = Path(__file__).resolve().parents[2]
SEARCH_S_MAX = 120
VIOLATED = 3


@pytest.mark.parametrize("cure", CURES, ids=lambda cure: cure.stem)
def test_the_search_fails_without_the_rule(cure: Path, tmp_path: Path) -> None:
    """I1 to I6 are kept by the rules, not by luck."""
    rule, scenario = cure.read_text().splitlines()[:2]
    for part in ("src/perdure", "tests/sim"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    subprocess.run(["git", "apply", str(cure)], cwd=tmp_path, check=True, env={**os.environ, "GIT_DIR": "none"})
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim", scenario.removeprefix("Scenario: ")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'src'}{os.pathsep}{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SEARCH_S_MAX,
        check=False,
    )
    assert done.returncode == VIOLATED, f"without this nothing breaks: {rule}\n{done.stdout}\n{done.stderr}"
    assert "after:" in done.stdout
