"""Metadata and etags come back unchanged, or are refused before anything is sent."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

import object_store
from object_store import MULTIPART_THRESHOLD, ObjectStore
from object_store.metadata import check_metadata

if TYPE_CHECKING:
    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer

_names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=20).filter(
    lambda name: not name.startswith("-") and not name.endswith("-")
)
_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40).filter(
    lambda value: value == value.strip()
)


@given(metadata=st.dictionaries(_names, _values, max_size=5))
@example_settings(max_examples=30)
def test_metadata_comes_back_as_given(store: ObjectStore, bucket: str, metadata: dict[str, str]) -> None:
    """Names and values are the same by every way of reading."""
    store.upload(bucket, "k", b"x", metadata=metadata)

    assert metadata == store.stat(bucket, "k").metadata
    assert metadata == store.fetch(bucket, "k").metadata
    assert metadata == store.stream(bucket, "k").metadata


def test_metadata_goes_with_a_body_in_parts(store: ObjectStore, bucket: str) -> None:
    """An upload in parts has them too."""
    store.upload(bucket, "k", bytes(MULTIPART_THRESHOLD + 1), metadata={"run": "7"})

    assert store.stat(bucket, "k").metadata == {"run": "7"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"A": "b"},
        {"a_b": "c"},
        {"": "c"},
        {"-a": "c"},
        {"a": ""},
        {"a": " b"},
        {"a": "b\n"},
        {"a": "é"},
        {"a": 1},
        {1: "a"},
        ["a"],
        {"a": "x" * 2048},
    ],
)
def test_what_would_not_come_back_is_refused(scripted: ScriptedServer, metadata: Any) -> None:  # noqa: ANN401  # any
    """Upper case, white space at the ends, other scripts and more than 2 KB are refused; nothing is sent."""
    with pytest.raises(object_store.InvalidMetadata, match="legal: names of a-z"):
        check_metadata("probe", "k", metadata)

    assert scripted.seen == []


class TestEtag:
    """Reading on the condition that the object is the intended one."""

    def test_the_object_that_is_meant_is_read(self, store: ObjectStore, bucket: str) -> None:
        """With its own etag every way of reading works."""
        ref = store.upload(bucket, "e", b"first")

        assert store.download(bucket, "e", etag=ref.etag) == b"first"
        assert b"".join(store.stream(bucket, "e", etag=ref.etag)) == b"first"

    def test_another_object_is_stale(self, store: ObjectStore, bucket: str) -> None:
        """After the object was replaced, every way of reading refuses the old etag."""
        ref = store.upload(bucket, "e", b"first")
        store.upload(bucket, "e", b"second")

        for read in (store.download, store.fetch, store.stream):
            with pytest.raises(object_store.StaleReference, match=ref.etag):
                read(bucket, "e", etag=ref.etag)

    def test_a_server_that_knows_no_condition_is_not_believed(
        self, scripted: ScriptedServer, store_at: MakeStore, answer: type[Answer]
    ) -> None:
        """The answer of such a server has its own etag, which is compared."""
        scripted.always(
            answer(body=b"1", headers={"ETag": '"other"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"})
        )

        with pytest.raises(object_store.StaleReference, match="its etag is 'other'"):
            store_at(scripted.endpoint).download("probe", "k", etag="mine")
