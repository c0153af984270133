"""An address is sent byte for byte, known by what is asked for, and shown without what looks like a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.discovery.address import SECRET, Address, AddressError

#: What is given, and what is shown; the same where nothing looks like a secret.
SHOWN = {
    "https://h.test/a?token=PLANT2&x=1&X-Amz-Signature=PLANT3": f"https://h.test/a?token={SECRET}&x=1&X-Amz-Signature={SECRET}",
    "https://h.test/cb?code=PLANT4;state=PLANT4": f"https://h.test/cb?code={SECRET};state={SECRET}",
    "https://h.test/#access_token=PLANT2&a=1": f"https://h.test/#access_token={SECRET}&a=1",
    "https://hooks.slack.com/services/T01/B02/PLANT2": f"https://hooks.slack.com/services/T01/B02/{SECRET}",
    "https://discord.com/api/webhooks/12/PLANT2?wait=1": f"https://discord.com/api/webhooks/12/{SECRET}?wait=1",
    "https://api.telegram.org/bot12:PLANT2/getMe": f"https://api.telegram.org/bot12:{SECRET}/getMe",
    "https://h.test/;jsessionid=PLANT2?a": f"https://h.test/;jsessionid={SECRET}?a",
    **{
        same: same
        for same in (
            "https://h.test/?a=1;b=2", "https://h.test/?flag", "https://h.test/%20x/%7E", "https://h.test/a?",
            "http://h.test:8080/a//b/../c?q=a+b%2Bc&keyword=x&monkey=1#part", "http://[2606:4700::1111]/", "https://h.test/?",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize(("given_text", "shown"), SHOWN.items())
def test_what_is_shown(given_text: str, shown: str) -> None:
    """Values that look like secrets are hidden, and nothing else of an address changes."""
    address = Address.parse(given_text)
    assert address.shown == shown
    assert address.sent == given_text.partition("#")[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://u:PLANT1@h.test/", "user or a password"),
        ("http://PLANT1@h.test/", "user or a password"),
        ("http://h.test\\@PLANT1.test/", "user or a password"),
        ("ftp://PLANT1.test/", "is not http"),
        ("PLANT1", "is not http"),
        ("", "is not http"),
        ("http:///PLANT1", "no host"),
        ("http://[PLANT1]/", "no host"),
        ("http://h.test:0/PLANT1", "a port"),
        ("http://h.test:99999/PLANT1", "a port"),
        ("http://h.test:x/PLANT1", "no host"),
        ("http://h.test/PLANT1\r\nHost: x", "control character"),
        ("http://h\x00.test/PLANT1", "control character"),
        ("http://h.test/\udcffPLANT1", "control character"),
        ("http://h..test/PLANT1", "whose name is none"),
        ("http://%31.test/PLANT1", "whose name is none"),
        ("http://h.test/" + "PLANT1" * 2000, "more than 8192 bytes"),
    ],
)
def test_what_is_no_address(text: str, said: str) -> None:
    """The error says why, and holds nothing of it."""
    with pytest.raises(AddressError, match=said) as caught:
        Address.parse(text)
    assert "PLANT1" not in str(caught.value)


def test_identity_is_that_of_what_is_asked_for() -> None:
    """Case of the host, the usual port and the fragment do not matter; path and query do."""
    one = Address.parse("HTTPS://H.test:443/a?b#c").identity
    assert one == Address.parse("https://h.test./a?b").identity
    others = (
        "http://h.test/a?b",
        "https://h.test/A?b",
        "https://h.test/a?B",
        "https://h.test/a",
        "https://h.test:444/a?b",
    )
    assert len({one, *(Address.parse(other).identity for other in others)}) == 6


def test_names_and_paths_beyond_ascii() -> None:
    """A name is asked for as IDNA has it, and a path is sent in UTF-8; what was encoded stays as it was."""
    address = Address.parse("https://bücher.test/ä b%20c?ü=1")
    assert (address.host, address.target) == ("xn--bcher-kva.test", "/%C3%A4%20b%20c?%C3%BC=1")


@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("/b?", "http://h.test/b?"),
        ("b;c?x", "http://h.test/a/b;c?x"),
        ("?q", "http://h.test/a/x?q"),
        ("//o.test", "http://o.test/"),
        ("https://o.test?a=1;b=2#f", "https://o.test/?a=1;b=2#f"),
        (" ../b ", "http://h.test/b"),
    ],
)
def test_where_an_answer_leads(location: str, there: str) -> None:
    """Relative to the address that was asked, otherwise byte for byte."""
    assert Address.parse("http://h.test/a/x").joined(location).shown == there


@given(st.text())
def test_any_text(text: str) -> None:
    """It is an address, or refused; what is sent is one line of ASCII."""
    for given_text in (text, f"http://h.test/{text}", f"http://{text}/"):
        try:
            address = Address.parse(given_text)
        except AddressError:
            continue
        assert address.sent.isascii()
        assert address.sent.isprintable()
        assert " " not in address.sent
        assert Address.parse(address.sent).sent == address.sent
