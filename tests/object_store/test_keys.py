"""Which bucket names and keys are accepted."""

from __future__ import annotations

import pytest

from object_store import InvalidKey
from object_store.keys import check_bucket, check_key


@pytest.mark.parametrize("bucket", ["abc", "a" * 63, "joelclaw-dev-usw2-media-raw", "9.8", "a.b-c"])
def test_takes_every_name_that_a_bucket_can_have(bucket: str) -> None:
    """3 to 63 lower-case letters, digits, hyphens and dots."""
    check_bucket(bucket)


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "a b",
        " a ",
        "a+b%2F",
        "é/中/😀",
        "x" * 1024,
        "é" * 512,
        "...",
        "a./.b",
        "a/ . b",
        "?#&=;:@$,",
        "\x85",
    ],
)
def test_takes_every_key_that_comes_back_as_given(key: str) -> None:
    """Nothing is refused without need: spaces, signs, any script, three dots and 1024 bytes are accepted."""
    check_key("probe", key)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "is empty"),
        ("x" * 1025, "has 1025 bytes"),
        ("é" * 513, "has 1026 bytes"),
        ("/a", "slash"),
        ("a/", "slash"),
        ("/", "slash"),
        ("a//b", "empty segment"),
        (".", "segment"),
        ("a/../b", "segment"),
        ("../b", "segment"),
        ("a/./b", "segment"),
        ("a/ .. /b", "segment"),
        ("a\\..\\b", "backslash"),
        ("a\\b", "backslash"),
        ("a\nb", "control"),
        ("a\x00b", "control"),
        ("a\x7fb", "control"),
        ("\ud800", "surrogate"),
    ],
    ids=repr,
)
def test_refuses_what_a_server_would_change(key: str, fault: str) -> None:
    """The message says what is wrong and what is legal."""
    with pytest.raises(InvalidKey, match=f"{fault}.*legal: 1 to 1024 bytes") as refused:
        check_key("probe", key)

    assert refused.value.bucket == "probe"


@pytest.mark.parametrize("key", [None, 5, b"bytes"], ids=repr)
def test_refuses_what_is_not_text(key: object) -> None:
    """The message names the type of the key."""
    with pytest.raises(InvalidKey, match=f"is {type(key).__name__}, not str"):
        check_key("probe", key)  # type: ignore[arg-type]  # what must fail


def test_shows_only_the_beginning_of_an_endless_key() -> None:
    """A key of a megabyte does not fill the log."""
    with pytest.raises(InvalidKey) as refused:
        check_key("probe", "x" * 1_000_000)

    assert len(str(refused.value)) < 2000
