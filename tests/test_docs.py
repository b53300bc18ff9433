"""What the documentation says about itself and about the tests is true."""

import importlib
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import failure_modes_coverage as coverage  # from docs/: a hook of the site, in no package
import msgspec
import pytest

import perdure
from perdure import cli, config, control_lines
from perdure.testing import Perdure

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"

FAILURE_MODES = 97
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    """Every page for people, those beside the code included."""
    return sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, spelled as the site spells them."""
    titles = HEADING.findall(FENCE.sub("", page.read_text()))
    kept = (re.sub(r"[^\w\s-]", "", title).strip().lower() for title in titles)
    return {re.sub(r"[-\s]+", "-", title) for title in kept}


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each fenced block of a language."""
    text = page.read_text()
    for match in FENCE.finditer(text):
        if match[2] == language:
            yield text.count("\n", 0, match.start()) + 1, textwrap.dedent(match[3])


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Each relative link names a file that is there, and a heading that it has."""
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: no such heading"


def test_the_site_lists_every_page() -> None:
    """A page that the navigation does not name is found by nobody."""
    named = set(re.findall(r": ([\w/-]+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(), re.MULTILINE))
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert named == there


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_examples_compile(page: Path) -> None:
    """Python in the documentation is Python, and configuration is TOML."""
    for line, text in blocks(page, "python"):
        compile("\n" * line + text, str(page), "exec")
    for _, text in blocks(page, "toml"):
        tomllib.loads(text)


def test_the_game_of_the_readme_passes_its_test(
    perdure: Perdure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the README shows is a game, and the test below it passes."""
    (_, game), (_, its_test) = blocks(REPOSITORY / "README.md", "python")
    (tmp_path / "tavern_of_the_readme.py").write_text(game)
    monkeypatch.syspath_prepend(tmp_path)
    code = dict(vars(importlib.import_module("tavern_of_the_readme")))
    exec(its_test, code)
    code["test_a_mug_runs_dry"](perdure)


def test_the_reference_has_every_name_of_the_authors_api() -> None:
    """Every name that games import, and every public member of what they reach, is on the page."""
    page = (DOCS / "reference" / "author-api.md").read_text()
    reached = (perdure.Game, perdure.Module, perdure.Player, perdure.Players, perdure.Room, perdure.Answer)
    members = {name for kind in reached for name in (*vars(kind), *kind.__annotations__) if not name.startswith("_")}
    missing = {name for name in members | set(perdure.__all__) if not re.search(rf"\b{name}\b", page)}
    assert not missing


def test_failure_modes_are_numbered_without_gaps() -> None:
    """The numbers are cited for ever, so none is missing, doubled or renumbered."""
    cited = coverage.LINE.findall((DOCS / coverage.PAGE).read_text())
    assert [int(number) for number, _ in cited] == list(range(1, FAILURE_MODES + 1))


def test_tests_cite_only_failure_modes_that_exist() -> None:
    """A test that names FM-n covers a line of the page."""
    unknown = {number: files for number, files in coverage.covering().items() if number > FAILURE_MODES}
    assert not unknown


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("(FM-17)", {17}),
        ("FM-18…20 and FM-3", {18, 19, 20, 3}),
        ("(FM-34, 35) (FM-40, FM-41)", {34, 35, 40, 41}),
        ("FM-78, 3 hosts", {78}),
        ("FM-53...55", {53, 54, 55}),
    ],
)
def test_citations_are_read_as_they_are_written(text: str, cited: set[int]) -> None:
    """Ranges are filled, lists are followed, and a number that belongs to the sentence is left alone."""
    assert coverage.numbers(text) == cited


def test_the_page_of_failure_modes_names_its_tests() -> None:
    """The column is made from the tests, so it can't outrun them."""
    page = coverage.with_tests((DOCS / coverage.PAGE).read_text())
    assert page.count("| line | what goes wrong | tests |") == page.count("|---|---|---|")
    assert page.count('<span id="fm-') == FAILURE_MODES


def test_one_version_everywhere() -> None:
    """The package, its metadata and the changelog speak of the same release."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == perdure.__version__
    assert f"## {perdure.__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_every_dependency_is_pinned_with_hashes_and_has_its_reason() -> None:
    """Nothing is installed that is not in constraints.txt; nothing is depended on without a reason."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    pins = (REPOSITORY / "constraints.txt").read_text()
    reasons = (DOCS / "decisions" / "0002-libraries.md").read_text().lower()
    for requirement in [*project["dependencies"], *extras]:
        name = re.split(r"[^\w.-]", requirement)[0].lower()
        pinned = re.search(rf"^{re.sub(r'[._]', '-', name)}==\S+.*\\\n    --hash=sha256:", pins, re.MULTILINE)
        assert pinned, f"{name} is not pinned with hashes: make constraints"
        assert name.removeprefix("types-") in reasons, f"{name} has no reason in docs/decisions/0002"


def test_every_key_of_perdure_toml_is_documented_with_its_default() -> None:
    """The reference has a row for each key, and the default that the code has."""
    page = (DOCS / "reference" / "perdure-toml.md").read_text()
    tables = (config.Server, config.Game, config.Login, config.Host, config.Copyover)
    for section in (*tables, config.Web, config.Text, config.Limits, config.Gmcp):
        for field in msgspec.structs.fields(section):
            row = re.search(rf"^\| `{field.name}` \| ([^|]+) \|", page, re.MULTILINE)
            assert row, f"{section.__name__}.{field.name} has no row"
            if field.default not in ("", None, msgspec.NODEFAULT):
                shown = row[1].strip("`")
                assert tomllib.loads(f"value = {shown}")["value"] == field.default


def test_the_example_of_perdure_toml_is_one(tmp_path: Path) -> None:
    """What people copy from the reference loads."""
    ((_, text),) = blocks(DOCS / "reference" / "perdure-toml.md", "toml")
    (tmp_path / "mud").mkdir()
    (tmp_path / "welcome.txt").write_text("Welcome.")
    (tmp_path / "perdure.toml").write_text(text)
    loaded = config.load(tmp_path)
    assert loaded.server.banner == "Welcome."
    assert loaded.rooms == {"world": "mud", "arena": "mud"}


def test_every_exit_code_is_documented() -> None:
    """The table of exit codes has those of the code, no more and no less."""
    page = (DOCS / "reference" / "json.md").read_text()
    table = page.partition("## Exit codes")[2].partition("## ")[0]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert documented == {value for name, value in vars(control_lines).items() if name.startswith("EXIT_")}


def test_ctrl_c_has_its_exit_code_in_every_list() -> None:
    """A script that is interrupted sees it as any other."""
    code = control_lines.EXIT_INTERRUPTED
    for page in ("reference/json.md", "how-to/copyover.md"):
        assert f"\n| {code} |" in (DOCS / page).read_text(), page
    assert f"{code} Ctrl-C" in cli.EPILOG


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_tables_are_whole(page: Path) -> None:
    """A blank line inside of one ends it, and its last rows are shown as text: each table has a head."""
    lines = FENCE.sub("", page.read_text()).splitlines()
    begins = [at for at, line in enumerate(lines) if line.lstrip().startswith("|") and not lines[at - 1].strip()]
    headless = [lines[at] for at in begins if not re.match(r"\s*\|[-:| ]+\|$", lines[at + 1])]
    assert not headless


def commands(group: click.Group, above: str = "perdure") -> Iterator[tuple[str, click.Command]]:
    """("perdure room show", its command), for each that does something."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")
        else:
            yield f"{above} {name}", command


def test_every_command_and_option_is_documented() -> None:
    """The reference has each command of the installed program, with the options that are its own; and no other."""
    page = (DOCS / "reference" / "cli.md").read_text()
    known = dict(commands(cli.perdure))
    for name, command in known.items():
        row = re.search(rf"^\| `{name}\b[^|]*(?:\\\|[^|]*)*` \|.*$", page, re.MULTILINE)
        assert row, f"{name} has no row"
        own = {max(option.opts, key=len) for option in command.params if isinstance(option, click.Option)}
        missing = [option for option in own - {"--state", "--json"} if option not in row[0]]
        assert not missing, f"{name}: {missing}"
    for documented in re.findall(r"^\| `(perdure(?: [a-z-]+)+)", page, re.MULTILINE):
        assert any(re.match(rf"{name}\b", documented) for name in known), f"there is no {documented}"
