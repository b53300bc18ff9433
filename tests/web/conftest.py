"""A browser, a server whose game shows everything, and a network between them."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import sync_playwright

from tests.e2e.server import project, serving
from tests.gateway.web.client import WebClient
from tests.web.net import Net
from tests.web.page import PASSWORD, Browser, Friend

UNWANTED = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup")
"""Suggestions below the address bar: two pages of the browser's own in each window, which cost more than ours."""
PLAYWRIGHTS = (
    "AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay", "MediaRouter",
    "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch", "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
)  # fmt: skip
"""What playwright switches off itself: the last such argument is the one that counts."""
ARGUMENTS = [
    "--no-sandbox",  # tests may run as root
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--disable-features={','.join((*UNWANTED, *PLAYWRIGHTS))}",
]  # fmt: skip
_suffixes = map("".join, itertools.product(ascii_lowercase, repeat=2))


def chromium_path() -> str | None:
    """The machine's own Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """A running Chromium; without one these tests are passed over.

    Of each file its own: while playwright is there, its loop is taken for one that runs in this thread, and the
    next file's tests might want to run theirs.
    """
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Where the page of a server is, with a game that shows everything."""
    folder = tmp_path_factory.mktemp("web")
    game = Path(__file__).parent / "games" / "stage"
    with serving(folder, project(folder / "p", {"stage": game}, {"stage": "stage"}, "stage")) as server:
        host, port = server.ask("status")["listening"]["web"][0]
        yield host, port


@pytest.fixture
def net(stage: tuple[str, int]) -> Iterator[Net]:
    """The network to the server."""
    net = Net(stage)
    yield net
    net.close()


@pytest.fixture
def name() -> str:
    """A name that nobody has."""
    return f"Ada{next(_suffixes)}"


@pytest.fixture
def friend(stage: tuple[str, int]) -> Iterator[Friend]:
    """Lets others come."""
    clients: list[WebClient] = []

    def come(name: str, *, create: bool = True) -> WebClient:
        client = WebClient(stage)
        clients.append(client)
        client.logs_in(name, PASSWORD, create=create)
        return client

    yield come
    for client in clients:
        client.socket.sock.close()


@pytest.fixture
def tab(chromium: Chromium, net: Net) -> Iterator[Callable[..., Browser]]:
    """Opens tabs, each in a browser profile of its own; none of them may have complained."""
    tabs: list[Browser] = []

    def open_tab(address: tuple[str, int] = net.address, **context: Any) -> Browser:
        permissions = ["clipboard-read", "clipboard-write"]
        browser = Browser(chromium.new_context(permissions=permissions, **context).new_page(), address)
        tabs.append(browser)
        return browser

    yield open_tab
    for browser in tabs:
        browser.page.context.close()
    assert [error for browser in tabs for error in browser.errors] == []


@pytest.fixture
def ada(tab: Callable[..., Browser], name: str) -> Browser:
    """A player who plays."""
    return tab().opens().logs_in(name)
