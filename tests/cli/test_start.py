"""`perdure run` before anything runs: what is refused, and in which words."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.cli import start
from perdure.errors import ConfigError
from perdure.store.files import StateDir
from tests.cli.conftest import perdure


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "game").mkdir()
    (tmp_path / "perdure.toml").write_text('[games.game]\npath = "game"\n[rooms]\nworld = "game"\n')
    return tmp_path


def test_a_folder_without_a_project_says_what_to_do(tmp_path: Path) -> None:
    """Exit 7, and the command that makes a project."""
    done = perdure("run", tmp_path)
    assert done.code == 7
    assert f"no perdure.toml in {tmp_path}" in done.err
    assert "perdure new NAME" in done.err


def test_a_wrong_key_is_named_with_its_line(project: Path) -> None:
    """The message of `config`, unwrapped."""
    with (project / "perdure.toml").open("a") as file:
        file.write("[login]\nrom = 1\n")
    done = perdure("run", project)
    assert done.code == 7
    assert f"{project}/perdure.toml:6: login.rom: no such key; did you mean room?" in done.err


def test_a_port_in_use_is_exit_8(project: Path) -> None:
    """The address, who may have it, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = perdure("run", project, "--telnet", address, "--web", "127.0.0.1:0")
    assert done.code == 8
    assert f"{address} is already in use, so nothing was started" in done.err


def test_a_port_of_the_web_page_in_use_is_exit_8(project: Path) -> None:
    """Another address may be named, or none."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = perdure("run", project, "--telnet", "127.0.0.1:0", "--web", address)
    assert done.code == 8
    assert f"{address} is already in use, so nothing was started" in done.err
    assert "--web" in done.err


@pytest.mark.parametrize("option", ["--telnet", "--web"])
@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:x", "203.0.113.1:0"])
def test_an_address_that_is_none_of_ours_is_exit_7(project: Path, option: str, address: str) -> None:
    """Before anything is started."""
    done = perdure("run", project, "--telnet", "127.0.0.1:0", "--web", "", option, address)
    assert done.code == 7
    assert "Traceback" not in done.err


@pytest.mark.parametrize("how", ["run", "dev"])
def test_telnet_cannot_be_switched_off(project: Path, how: str) -> None:
    """The web page can; so that no server is without a door, and an empty word never means a port."""
    done = perdure(how, project, "--telnet", "", "--web", "")
    assert done.code == 7
    assert "there is always one. Nothing was started." in done.err


def test_a_second_run_on_one_state_is_exit_8(project: Path) -> None:
    """The first one goes on."""
    state = StateDir.open(project / ".perdure")
    done = perdure("run", project, "--telnet", "127.0.0.1:0", "--web", "")
    state.close()
    assert done.code == 8
    assert "in use" in done.err


def test_a_state_folder_of_a_newer_version_is_exit_7(project: Path) -> None:
    """Untouched, and the way out is named."""
    StateDir.open(project / ".perdure").close()
    (project / ".perdure" / "VERSION").write_text('{"format": 99, "perdure": "9.0"}')
    done = perdure("run", project, "--telnet", "127.0.0.1:0", "--web", "")
    assert done.code == 7
    assert "99" in done.err


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_refused_with_the_way_that_works(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container on macOS, WSL on Windows."""
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(ConfigError, match=r"need Linux.*container.*WSL"):
        start.check_linux()


def test_completion_comes_from_click() -> None:
    """As docs/reference/cli.md says."""
    done = perdure("ignored", _PERDURE_COMPLETE="bash_source")
    assert "complete" in done.out or done.code == 0
    assert subprocess.run(["bash", "-n"], input=done.out, text=True, check=False).returncode == 0
