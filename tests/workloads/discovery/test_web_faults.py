"""A web that answers badly, or with another page: each failure is archived with its reason, and no event is printed."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from object_store import EndpointUnreachable, ObjectStore
from tests.workloads.discovery.test_put import PAGE
from tests.workloads.discovery.web import answer, leading
from workloads.discovery.address import Address
from workloads.discovery.reach import Deadline
from workloads.discovery.text import extracted
from workloads.discovery.walls import wall_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.discovery.conftest import Finder
    from tests.workloads.discovery.web import Handler


def test_encoding_that_becomes_large(finder: Finder) -> None:
    """100 MB of zeros as 99 KB of gzip: the bytes are kept, and what comes out of them stops at the limit."""
    coder = zlib.compressobj(9, wbits=31)
    body = b"".join([*(coder.compress(bytes(1_000_000)) for _ in range(100)), coder.flush()])
    assert len(body) < 100_000
    finder.web.routes["/a"] = answer(body, Content_Encoding="gzip")

    assert "decoded it has more than 50000000 bytes" in finder.failed("/a")
    assert finder.body("rawRef") == body
    assert "extractRef" not in finder.printed


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("br", b"\x1b\x00\x00", "encoded as br, which was not asked for"),
        ("gzip, gzip", PAGE, "encoded as gzip, gzip"),
        ("gzip", PAGE, "it is not gzip"),
        ("gzip", gzip.compress(PAGE)[:-5], "ends early, so it is cut"),
        ("x\x1b[31m", PAGE, "encoded as x31m"),
    ],
)
def test_encoding_that_cannot_be_read(finder: Finder, encoding: str, body: bytes, reason: str) -> None:
    """The bytes are kept, and the capture is failed."""
    finder.web.routes["/a"] = answer(body, Content_Encoding=encoding)
    assert reason in finder.failed("/a")
    assert finder.body("rawRef") == body


@pytest.mark.parametrize("status", ["404 Not Found", "503 Busy", "202 Accepted"])
def test_status_that_is_no_page(finder: Finder, status: str) -> None:
    """Only 200 and 203 are a page; the body of another answer is kept with the failure."""
    finder.web.routes["/a"] = answer(PAGE * 20, status, cf_mitigated="challenge")
    assert finder.failed("/a") == f"the server answered {status[:3]}"
    assert finder.body("rawRef") == PAGE * 20
    assert finder.record()["headers"]["cf-mitigated"] == "challenge"


def test_nothing_to_read(finder: Finder) -> None:
    """An answer without a byte."""
    finder.web.routes["/a"] = answer(b"")
    assert finder.failed("/a") == "the answer is empty"


WALLS: dict[str, tuple[str, dict[str, str], bytes]] = {
    "header": ("/a", {"cf-mitigated": "challenge"}, b"<p>" + b"x" * 600),
    "of a firewall": ("/a", {"x-amzn-waf-action": "captcha"}, b"<p>hello"),
    "title": ("/a", {}, b"<title>Just a moment...</title><p>Enable JavaScript and cookies to continue"),
    "script": ("/a", {}, b"<title>page.test</title><p>Wait<script>window._cf_chl_opt={}</script>"),
    "password": ("/a", {}, b"<title>Hello</title><form><input name=u><input type=PASSWORD></form><p>Please sign in"),
    "login": ("/login?next=/a", {}, PAGE),
    "sign_in": ("/users/sign_in", {}, PAGE),
    "wp-login": ("/wp-login.php", {}, PAGE),
    "oauth": ("/oauth2/authorize?x=1", {}, PAGE),
    "host": ("http://login.page.test/", {}, PAGE),
    "no text": ("/a", {}, b"<div id=root></div><script>let a = 1</script>"),
}
LONG = b"<title>Just a moment: how walls work</title><p>_cf_chl_opt px-captcha <input type=password>" + b"word " * 600
NO_WALLS: dict[str, tuple[str, dict[str, str], bytes]] = {
    "long text about walls": ("/a", {}, LONG),
    "path that sounds so": ("/blog/login-pages-explained", {}, PAGE),
    "header of a page": ("/a", {"x-datadome": "protected"}, PAGE),
}


def judged(there: str, headers: dict[str, str], body: bytes, folder: Path) -> str:
    """What an answer is taken for."""
    page = extracted([body.decode()], folder / "text")
    first = Address.parse("http://page.test/a")
    return wall_of(first, first.joined(there), headers, body, page)


@pytest.mark.parametrize("case", WALLS)
def test_wall(tmp_path: Path, case: str) -> None:
    """Challenges, log-ins and pages that scripts would fill, all with 200."""
    assert judged(*WALLS[case], tmp_path)


@pytest.mark.parametrize("case", NO_WALLS)
def test_page_that_is_no_wall(tmp_path: Path, case: str) -> None:
    """What only speaks of them is a page."""
    assert not judged(*NO_WALLS[case], tmp_path)


def test_wall_is_a_failed_capture(finder: Finder) -> None:
    """Its bytes are kept; a log-in that was asked for itself is a page."""
    finder.web.routes |= {"/a": leading("/login?next=%2Fa"), "/login": answer(PAGE)}
    assert finder.failed("/a") == "it leads to a log-in"
    assert finder.body("rawRef") == PAGE
    assert finder.put("/login?next=%2Fa") == 0


@pytest.mark.parametrize("is_large", [False, True], ids=["cut", "60 MB"])
def test_body_that_does_not_come(finder: Finder, *, is_large: bool) -> None:
    """A body that is cut, and one above the default limit, which is not read to its end: nothing of them is kept."""
    sent = []

    def large(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\n")
        for _ in range(60 if is_large else 1):
            handler.wfile.write(bytes(1_000_000))
            sent.append(1_000_000)

    finder.web.routes["/a"] = large
    assert ("more than 50000000 bytes" if is_large else "which is cut") in finder.failed("/a")
    assert "rawRef" not in finder.printed
    assert sum(sent) < 60_000_000


def test_text_that_takes_too_long(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are kept, and the text is given up."""
    begun: list[float] = []

    def deadline(seconds: float) -> Deadline:
        begun.append(seconds)
        return Deadline(seconds if len(begun) == 1 else 0)  # the first one is that of the fetch

    monkeypatch.setattr("workloads.discovery.making.Deadline", deadline)
    finder.web.routes["/a"] = answer(PAGE)
    assert finder.failed("/a") == "its text was not made within 20 seconds"
    assert finder.body("rawRef") == PAGE


def test_failures_are_numbered_and_a_success_counts(finder: Finder) -> None:
    """Each failed call of an event has its record; the next call fetches again, and then the event has its capture."""
    finder.failed("/a")
    finder.failed("/a")
    finder.web.routes["/a"] = answer(PAGE)

    assert finder.put("/a") == 0

    names = [key.rpartition("Z.")[2] for key in finder.world.keys(".json")]
    assert sorted(names) == ["failed.2.json", "failed.json", "meta.json"]
    assert [one["status"] for one in finder.world.receipts()] == ["incomplete", "incomplete", "complete"]


def test_server_that_is_away(finder: Finder) -> None:
    """No name, and no server: failed, with the reason."""
    assert finder.failed("http://nowhere.test/a") == "nowhere.test is not known: Name or service not known"
    finder.names["gone.test"] = ["127.0.0.1"]
    finder.allowed.add(("127.0.0.1", 9))
    assert "cannot be reached: Connection refused" in finder.failed("http://gone.test:9/")


def test_store_that_is_away(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched, nothing is printed, and the step fails."""
    monkeypatch.setattr(finder.world, "endpoint", "http://127.0.0.1:9")
    finder.web.routes["/a"] = answer(PAGE)

    assert finder.put("/a") == 2

    assert not finder.printed
    assert not finder.web.asked


def test_store_that_goes_away(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise if it goes away while the page is fetched: the receipt on this machine says so, no record is left."""
    finder.web.routes["/a"] = answer(PAGE)

    def refuse(*_: object, **__: object) -> None:
        raise EndpointUnreachable("the store is away")

    with monkeypatch.context() as patched:
        status = finder.put(
            "/a", stage=lambda name: patched.setattr(ObjectStore, "upload", refuse) if name == "fetched" else None
        )

    assert status == 2
    assert not finder.printed
    assert finder.world.receipts()[-1]["status"] == "failed"
    assert not finder.world.keys()
    assert finder.put("/a") == 0
