"""`discovery put` on a web that answers well: what is archived, and what is printed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from typing import TYPE_CHECKING

import pytest

from object_store import resolve
from tests.workloads.discovery.ending import AT
from tests.workloads.discovery.web import answer, leading
from tests.workloads.events.test_events import golden
from workloads.discovery.put import PutOptions, run
from workloads.events.event import Event, Form

if TYPE_CHECKING:
    from tests.workloads.discovery.conftest import Finder

PAGE = b"<!doctype html><title>A find</title><meta charset=utf-8><h1>A find</h1><p>Text of the page, k\xc3\xa4se.</p>"
TEXT = "# A find\n\nText of the page, käse.\n"


def test_page_is_archived(finder: Finder) -> None:
    """Bytes as they came, the text, and the record; the printed event leads to the bytes."""
    finder.web.routes["/a"] = answer(PAGE, kind="text/html; charset=utf-8", ETag='"x"', Set_Cookie="s=PLANT5")

    assert finder.put("/a") == 0

    printed = finder.printed
    assert (printed["status"], printed["kind"], printed["title"]) == ("captured", "page", "A find")
    assert printed["event"] == {
        "name": "discovery/captured",
        "data": {"rawRef": printed["rawRef"], "extractRef": printed["extractRef"]},
    }
    whole = {**golden("discovery/captured", "before")["data"], **printed["event"]["data"]}
    assert Event.of("discovery/captured", whole).form("rawRef") == Form.REFERENCE
    assert printed["eventNeeds"] == ["vaultPath", "topic", "slug", "site", "visibility", "finalLink"]
    assert printed["rawRef"].keys() == {"bucket", "key", "etag", "size", "contentType"}
    assert printed["rawRef"]["contentType"] == "text/html"
    with finder.world.store() as store, resolve({"objectRef": printed["event"]["data"]["rawRef"]}, store) as copy:
        assert copy.path.read_bytes() == PAGE
    assert finder.body("extractRef").decode() == TEXT
    record = finder.record()
    assert record["answers"] == [{"url": finder.url("/a"), "address": "127.0.0.1", "status": 200}]
    assert record["text"] == {"charset": "utf-8", "charset_found": "header", "replaced": 0, "characters": 24}
    assert record["headers"]["etag"] == '"x"'
    assert "set-cookie" not in record["headers"]
    assert record["raw"]["stored"]["sha256"] == hashlib.sha256(PAGE).hexdigest()
    assert printed["rawRef"]["key"].startswith("v1/2026/11/30/")
    (receipt,) = finder.world.receipts()
    assert (receipt["kind"], receipt["status"]) == ("discovery.put", "complete")


def test_request_has_nothing_to_tell(finder: Finder) -> None:
    """No cookie, no user, no place that led there; the target is sent byte for byte."""
    for target in ("/p?a=1;b=2", "/p?flag", "/p/%20x", "/p?q=%7E~!$'()*,[]{}|^`", "/p?"):
        finder.web.routes["/p"] = answer(PAGE)
        assert finder.put(target) == 0
        assert finder.web.asked[-1] == target
        assert finder.printed["url"] == finder.url(target)
    assert finder.web.heads[0].keys() == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}


def test_second_call_gives_the_same(finder: Finder) -> None:
    """Of one event: nothing is fetched, nothing is stored, and the same is printed, also if the page has changed."""
    finder.web.routes["/a"] = answer(PAGE)
    assert finder.put("/a") == 0
    first, keys = finder.printed, finder.world.keys()
    finder.web.routes["/a"] = answer(PAGE + b"<p>more")

    assert finder.put("/a") == 0

    assert (finder.printed, finder.world.keys()) == (first, keys)
    assert finder.web.asked == ["/a"]


def test_other_machine_gives_the_same(finder: Finder) -> None:
    """Also with another state, and long after: the keys are made of the event."""
    finder.web.routes["/a"] = answer(PAGE)
    assert finder.put("/a") == 0
    first = finder.printed
    finder.world.folder, finder.world.name = finder.world.folder.with_name("two"), "two"

    assert finder.put("/a") == 0

    assert finder.printed == first
    assert finder.web.asked == ["/a"]
    (receipt,) = finder.world.receipts()
    assert receipt["notes"] == [f"archived by an earlier call, {finder.record()['run']}"]


def test_same_bytes_are_one_object(finder: Finder) -> None:
    """Two events of one day for one address: two records, and one object of bytes and text each."""
    finder.web.routes["/a"] = answer(PAGE)
    assert finder.put("/a") == 0
    first = finder.printed
    assert finder.put("/a", at="2026-11-30T05:00:00+01:00") == 0  # the same moment
    assert finder.put("/a", at="2026-11-30T06:00:00Z") == 0

    assert finder.printed["rawRef"] == first["rawRef"]
    assert finder.printed["metaRef"] != first["metaRef"]
    assert len(finder.world.keys()) == 4


def test_other_bytes_are_another_object(finder: Finder) -> None:
    """The page of a later event has its own key, and the first one stays as it was."""
    finder.web.routes["/a"] = answer(PAGE)
    assert finder.put("/a") == 0
    first = finder.printed["rawRef"]
    finder.web.routes["/a"] = answer(PAGE + b"<p>more")

    assert finder.put("/a", at="2026-11-30T06:00:00Z") == 0

    assert finder.printed["rawRef"]["key"] != first["key"]
    finder.printed["rawRef"] = first
    assert finder.body("rawRef") == PAGE


@pytest.mark.parametrize("damage", ["gone", "replaced", "record", "copied"])
def test_capture_that_was_damaged_is_made_again(finder: Finder, damage: str) -> None:
    """A record whose bytes are gone or replaced, or that is none or of another event, does not count: fetched again."""
    finder.web.routes["/a"] = answer(PAGE)
    assert finder.put("/a") == 0
    one = finder.printed["metaRef" if damage == "record" else "rawRef"]
    client = finder.world.client
    if damage == "gone":
        client.delete_object(Bucket=one["bucket"], Key=one["key"])
    elif damage == "copied":  # the record of another event
        assert finder.put("/a", at="2026-11-30T05:00:00Z") == 0
        there, one = finder.printed["metaRef"], finder.printed["metaRef"]
        key = one["key"].replace("/050000.", "/040000.")
        client.copy_object(Bucket=one["bucket"], Key=key, CopySource={"Bucket": there["bucket"], "Key": there["key"]})
    else:
        client.put_object(Bucket=one["bucket"], Key=one["key"], Body=b"{}")

    assert finder.put("/a") == 0

    assert finder.body("rawRef") == PAGE
    assert finder.printed["metaRef"]["key"].endswith(".meta.2.json")


def test_chain_is_recorded(finder: Finder) -> None:
    """Each answer of it is in the record, with what looks like a secret hidden; relative ones lead on."""
    finder.web.routes |= {
        "/a": leading("/b?code=PLANT4&x=1", "301 Moved Permanently"),
        "/b": leading("c", "307 Temporary Redirect"),
        "/c": answer(PAGE),
    }

    assert finder.put("/a") == 0

    shown = [(one["url"].removeprefix(finder.url("")), one["status"]) for one in finder.record()["answers"]]
    assert shown == [("/a", 301), ("/b?code=[secret]&x=1", 302 + 5), ("/c", 200)]
    assert finder.web.asked == ["/a", "/b?code=PLANT4&x=1", "/c"]


def test_body_with_an_encoding(finder: Finder) -> None:
    """The archived bytes are those on the wire, and the text is that of the page."""
    body = gzip.compress(PAGE, mtime=0)
    finder.web.routes["/a"] = answer(body, Content_Encoding="gzip")

    assert finder.put("/a") == 0

    assert finder.body("rawRef") == body
    assert finder.printed["rawRef"]["key"].endswith("/raw.html.gz")
    assert finder.printed["rawRef"]["contentType"] == "application/gzip"
    assert finder.body("extractRef").decode() == TEXT
    assert finder.record()["headers"]["content-encoding"] == "gzip"


def test_chunks(finder: Finder) -> None:
    """A body in chunks is whole with its last one, also after an answer that only announced it."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (PAGE[:9], PAGE[9:]))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    finder.web.routes["/a"] = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head + chunks + b"0\r\n\r\n"

    assert finder.put("/a") == 0
    assert finder.body("rawRef") == PAGE


@pytest.mark.parametrize(
    ("kind", "body", "raw", "extract"),
    [
        ("application/json", b'{"a": 1}', "raw.json", '{"a": 1}'),
        ("text/plain; charset=latin-1", b"k\xe4se", "raw.txt", "käse"),
        ("application/pdf", b"%PDF-1.7", "raw.pdf", None),
        ("", PAGE, "raw.html", TEXT),
        ("nonsense\tx/\x7f", b"\x00\x01", "raw.bin", None),
    ],
)
def test_kinds_of_content(finder: Finder, kind: str, body: bytes, raw: str, extract: str | None) -> None:
    """What is text has an extract, what is none says so, and a page is one without a header, too."""
    finder.web.routes["/a"] = answer(body, kind=kind)

    assert finder.put("/a") == 0

    assert finder.printed["rawRef"]["key"].endswith(f"/{raw}")
    assert ("extractRef" in finder.printed) == (extract is not None)
    if extract is not None:
        assert finder.body("extractRef").decode() == extract
    else:
        assert "is not text" in finder.printed["notes"][0]


@pytest.mark.parametrize(
    ("at", "said"),
    [("yesterday", "is not a time"), ("2026-11-30T04:00:00", "is not a time"), ("2999-01-01", "is to come")],
)
def test_time_that_is_none(finder: Finder, at: str, said: str) -> None:
    """The event's time is asked for, with its zone, and nothing is fetched without it."""
    assert finder.put("/a", at=at) == 2
    assert f"--at: {at!r} {said}" in finder.errors.replace("\n", " ")
    assert not finder.web.asked


def test_time_to_the_millisecond(finder: Finder) -> None:
    """Two events in one second are two captures."""
    finder.web.routes["/a"] = answer(PAGE)
    for at in ("2026-11-30T04:00:00.001Z", "2026-11-30T04:00:00.002Z"):
        assert finder.put("/a", at=at) == 0
    assert len(finder.world.keys(".meta.json")) == 2


def test_address_from_standard_input(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads it there, so that no list of processes shows it."""
    finder.web.routes["/a"] = answer(PAGE)
    monkeypatch.setattr("sys.stdin", io.StringIO(finder.url("/a?token=PLANT2") + "\n"))
    options = PutOptions(finder.config(), as_json=True, url="-", at=AT)

    assert run(options, reach=finder.reach()) == 0

    out = finder.capsys.readouterr().out
    assert json.loads(out)["url"] == finder.url("/a?token=[secret]")


def test_lines_for_a_person(finder: Finder) -> None:
    """Without --json: status, places and the receipt."""
    finder.web.routes["/a"] = answer(PAGE)
    assert run(PutOptions(finder.config(), url=finder.url("/a"), at=AT), reach=finder.reach()) == 0

    lines = finder.capsys.readouterr().out.splitlines()
    assert lines[0] == f"captured: {finder.url('/a')}"
    assert [line.split(":")[0] for line in lines] == ["captured", "raw", "extract", "meta", "complete"]
