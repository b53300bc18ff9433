"""The static files: exactly those of the page's folder, with headers that keep a browser from doing anything else."""

from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from perdure.gateway.web.site import PAGE, Site, refusal
from tests.gateway.web.pair import parsed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = tmp_path / "page"
    (page / "parts").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>")
    (page / "style.css").write_text("a{}")
    (page / "parts" / "main.js").write_text("1;")
    (page / "notes.txt").write_text("not for players")
    (tmp_path / "secret.js").write_text("secret")
    return page


def get(site: Site, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return parsed(site.answer(Request(path, named)))


def test_the_folders_files_are_served_with_their_types(folder: Path) -> None:
    """Only those with a known ending; / is the index."""
    site = Site.read(folder)
    assert set(site.files) == {"/", "/index.html", "/style.css", "/parts/main.js"}
    for path, type in [("/", "text/html"), ("/style.css", "text/css"), ("/parts/main.js?v=1", "text/javascript")]:
        status, headers, body = get(site, path)
        assert status == 200
        assert headers["content-type"] == f"{type}; charset=utf-8"
        assert headers["content-length"] == str(len(body))


def test_nothing_else_can_be_reached(folder: Path) -> None:
    """A path is looked up as it was written, never in the file system."""
    site = Site.read(folder)
    for path in ("/notes.txt", "/../secret.js", "/%2e%2e/secret.js", "//index.html", "/index.html/", "", "*", "/play"):
        assert get(site, path)[0] == 404, path


def test_the_files_are_those_of_the_start(folder: Path) -> None:
    """What changes on disk later, or vanishes, changes nothing."""
    site = Site.read(folder)
    (folder / "index.html").unlink()
    assert get(site, "/")[2] == b"<!doctype html>"


def test_a_folder_without_an_index_is_no_page(tmp_path: Path) -> None:
    """That is an error of the installation, and said at the start."""
    with pytest.raises(FileNotFoundError):
        Site.read(tmp_path)


def test_a_browser_that_has_the_file_is_not_sent_it_again(folder: Path) -> None:
    """ETag and If-None-Match, in the forms that browsers and proxies send."""
    site = Site.read(folder)
    etag = get(site, "/")[1]["etag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        status, headers, body = get(site, "/", If_None_Match=sent)
        assert (status, body, headers["etag"]) == (304, b"", etag), sent
    assert get(site, "/", If_None_Match='"other"')[0] == 200
    assert get(site, "/style.css", If_None_Match=etag)[0] == 200
    (folder / "index.html").write_text("<!doctype html><p>new")
    assert get(Site.read(folder), "/", If_None_Match=etag)[0] == 200


def test_every_answer_keeps_the_browser_to_this_page(folder: Path) -> None:
    """Own scripts and styles only, nothing inline, in no other site's frame, no guessing of types."""
    for answer in (Site.read(folder).answer(Request("/", Headers())), refusal(404, "Nothing here.")):
        headers = parsed(answer)[1]
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_that_comes_with_perdure_needs_nothing_from_elsewhere() -> None:
    """It is served whole, and its files name no other host and have nothing inline."""
    site = Site.read()
    assert PAGE.is_dir()
    html = site.files["/"].body.decode()
    assert "http:" not in html
    assert "https:" not in html
    assert "<style" not in html
    assert " style=" not in html
    assert "<script>" not in html
    assert not [word for word in html.split() if word.startswith(("onclick=", "onload=", "onsubmit="))]
