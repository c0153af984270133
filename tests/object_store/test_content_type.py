"""The content type that a key stands for."""

from __future__ import annotations

import pytest

from object_store.content_type import guess_content_type


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("2026/talk.mp4", "video/mp4"),
        ("book.PDF", "application/pdf"),
        ("book.epub", "application/epub+zip"),
        ("a.md", "text/markdown"),
        ("session.jsonl", "application/x-ndjson"),
        ("day.jsonl.gz", "application/gzip"),
        ("a.tar.bz2", "application/x-bzip2"),
        ("a.tar.xz", "application/x-xz"),
        ("a.Z", "application/x-compress"),
        ("a.txt.br", "application/octet-stream"),
        ("a.json.zst", "application/zstd"),
        ("no-suffix", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("dir.json/file", "application/octet-stream"),
        ("data:text/html,x", "application/octet-stream"),
        ("a b?x#y.json", "application/json"),
    ],
)
def test_last_suffix_decides(key: str, content_type: str) -> None:
    """Only the suffix of the last segment counts, in any case; a compressed file has the type of its compression."""
    assert guess_content_type(key) == content_type
