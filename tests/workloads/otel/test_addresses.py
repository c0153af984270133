"""What a URL of ClickHouse or Typesense may be."""

from __future__ import annotations

import pytest

from workloads.otel.addresses import is_plain_url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8123",
        "https://click.example/path",
        "http://[::1]:8123",
        "http://bücher.example",
    ],
)
def test_url_of_a_server(url: str) -> None:
    """A host, perhaps with a port and a path."""
    assert is_plain_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host",
        "http://",
        "http://host:abc",
        "http://host:99999",
        "http://host:0",
        "http://[::1",
        f"http://{'a' * 64}.example",
        "http://.:8123",
        "http://a b:8123",
        "http://host/\x01",
        "http://host\n:8123",
        "http://user@host",
        "http://:secret@host",
        "http://host?query=1",
        "http://host#part",
        "host:8123",
    ],
)
def test_url_that_is_none(url: str) -> None:
    """What the HTTP client would end with a traceback for, and what has a password in it."""
    assert not is_plain_url(url)
