"""Every rule of the protocol is needed: without it, the search finds an execution that breaks a promise.

Each patch here removes one rule from the code; its head says which, and the scenario that misses it. A patch that
no longer applies is to be written anew for the code as it is.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

CURES = sorted(Path(__file__).parent.glob("*.patch"))
REPOSITORY = Path(__file__).resolve().parents[2]
SEARCH_S_MAX = 120
VIOLATED = 3


Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def searches(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Path, Future[Done]]]:
    """The searches of all patches that are to be tested, as many at a time as there are processors."""
    chosen = [cure for item in request.session.items if isinstance(cure := _params(item).get("cure"), Path)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {cure: pool.submit(_search, cure, tmp_path_factory.mktemp(cure.stem)) for cure in chosen}
        pool.shutdown(cancel_futures=True)


def _params(item: pytest.Item) -> Mapping[str, object]:
    """What a test is called with."""
    return getattr(getattr(item, "callspec", None), "params", {})


def _search(cure: Path, folder: Path) -> Done:
    """Search the patch's scenario in a copy of the code without its rule."""
    scenario = cure.read_text().splitlines()[1].removeprefix("Scenario: ")
    for part in ("src/perdure", "tests/sim"):
        shutil.copytree(REPOSITORY / part, folder / part)
    subprocess.run(["git", "apply", str(cure)], cwd=folder, check=True, env={**os.environ, "GIT_DIR": "none"})
    return subprocess.run(
        [sys.executable, "-m", "tests.sim", scenario],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SEARCH_S_MAX,
        check=False,
    )


@pytest.mark.parametrize("cure", CURES, ids=lambda cure: cure.stem)
def test_the_search_fails_without_the_rule(cure: Path, searches: Mapping[Path, Future[Done]]) -> None:
    """I1 to I6 are kept by the rules, not by luck."""
    rule = cure.read_text().splitlines()[0]
    done = searches[cure].result()
    assert done.returncode == VIOLATED, f"without this nothing breaks: {rule}\n{done.stdout}\n{done.stderr}"
    assert "after:" in done.stdout
