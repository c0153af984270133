"""An address may itself be the secret: no part of one that looks so is printed, logged or written down."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.workloads.discovery.test_put import PAGE
from tests.workloads.discovery.web import answer, leading

if TYPE_CHECKING:
    from tests.workloads.discovery.conftest import Finder

PLANTED = ("PLANT1", "PLANT2", "PLANT3", "PLANT4", "PLANT5")
QUERY = "?token=PLANT2&X-Amz-Signature=PLANT3"


def everything(finder: Finder) -> str:
    """All that a run printed, and all that it left on this machine and in the store, except what was fetched."""
    found = [str(finder.printed), finder.errors]
    found += [path.read_text() for path in finder.world.folder.rglob("*.json")]
    client, bucket = finder.world.client, finder.world.bucket
    for one in client.list_objects_v2(Bucket=bucket).get("Contents", []):
        found.append(one["Key"])
        if one["Key"].endswith(".json"):
            found.append(client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode())
    return "\n".join(found)


@pytest.mark.parametrize("case", ["captured", "not found", "no server", "no name", "private"])
def test_query_is_a_secret(finder: Finder, caplog: pytest.LogCaptureFixture, case: str) -> None:
    """Of captured pages, and of ones that fail in each way."""
    caplog.set_level(logging.DEBUG)
    hosts = {"no server": "http://gone.test:9", "no name": "http://nowhere.test", "private": "http://10.0.0.1"}
    finder.names |= {"gone.test": ["127.0.0.1"], "10.0.0.1": ["10.0.0.1"]}
    finder.allowed.add(("127.0.0.1", 9))
    finder.web.routes |= {
        "/a": leading("/b?code=PLANT4&y=2"),
        "/b": answer(PAGE, "200 OK" if case == "captured" else "404 Not Found", Set_Cookie="s=PLANT5"),
    }

    assert finder.put(f"{hosts.get(case, finder.url(''))}/a{QUERY}") == (0 if case == "captured" else 1)

    told = everything(finder) + caplog.text
    assert not [each for each in PLANTED if each in told]
    assert "token=[secret]&X-Amz-Signature=[secret]" in told


@pytest.mark.parametrize(
    "url", ["http://u:PLANT1@page.test/a" + QUERY, "ftp://page.test/PLANT1", "http://h.test:x/PLANT1"]
)
def test_address_that_is_refused(finder: Finder, caplog: pytest.LogCaptureFixture, url: str) -> None:
    """The error says what is wrong with it, and not what it is; nothing is asked and nothing is stored."""
    caplog.set_level(logging.DEBUG)

    assert finder.put(url) == 2

    assert "URL: the address" in finder.errors
    told = everything(finder) + caplog.text
    assert not [each for each in PLANTED if each in told]
    assert not finder.asked
    assert not finder.world.keys()


def test_what_is_no_secret_is_not_touched(finder: Finder) -> None:
    """Other addresses are written down byte for byte."""
    finder.web.routes["/a"] = answer(PAGE)
    for target in ("/a?a=1;b=2", "/a?flag", "/a/%20x", "/a?monkey=1&keyword=%C3%BC"):
        assert finder.put(target) == 0
        assert finder.record()["url"] == finder.url(target)
