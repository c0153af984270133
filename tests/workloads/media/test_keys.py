"""Keys of media: one for one content in one place, legal for every server, and the name comes back."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from object_store.keys import check_key_of_put
from object_store.metadata import check_metadata
from workloads.media.keys import SEGMENT_BYTES, chat_key, derived_key, name_decoded, name_encoded, segment, video_key

SHA, OTHER = "0123456789abcdef" * 4, "f" * 64
NAMES = (
    "包天宇 72  2026.pdf",
    "Silk road  Self driving.mp4",
    "ß.jpg",
    "trailing ",
    "a%20b.pdf",
    ".",
    "..",
    "a/b\\c\n.jpg",
)


def test_keys_are_as_documented() -> None:
    """The event's day in UTC, the content's first 16 digits, the source's own id; nothing of a run."""
    when = datetime.fromisoformat("2026-11-30T20:00:00-08:00")
    assert chat_key("telegram", when, SHA, "image.jpg") == "chat/telegram/2026/12/01/0123456789abcdef/image.jpg"
    key = video_key("youtube", "dQw4", SHA, "日本.mp4")
    assert key == "video/youtube/dQw4/0123456789abcdef/日本.mp4"
    assert derived_key(key, OTHER, "t.md") == "video/youtube/dQw4/0123456789abcdef/ffffffffffffffff/t.md"


def test_equal_names_do_not_meet() -> None:
    """Two files of one name, and two videos of one title."""
    when = datetime.fromisoformat("2026-11-30T00:00:00Z")
    assert chat_key("telegram", when, SHA, "image.jpg") != chat_key("telegram", when, OTHER, "image.jpg")
    assert video_key("youtube", "a", SHA, "x.mp4") != video_key("youtube", "b", SHA, "x.mp4")


@given(some.sampled_from(NAMES) | some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_every_name_is_legal(name: str) -> None:
    """The segment is one that every server takes, has at most 200 bytes, and the metadata gives the name back."""
    one = segment(name)
    assert len(one.encode()) <= SEGMENT_BYTES
    check_key_of_put("b-b", video_key(name, name, SHA, name))
    assert one.count("/") == 0
    if len(name.encode()) <= 250:
        check_metadata("b-b", "k", {"name": name_encoded(name)})
    assert name_decoded(name_encoded(name)) == name


@pytest.mark.parametrize(
    ("name", "end"), [("日" * 83 + ".mp4", "日.mp4"), ("x" * 300, "x"), ("x" * 300 + ".info.json", ".json")]
)
def test_long_names_keep_their_suffix(name: str, end: str) -> None:
    """Consumers need it; a sign is not cut in two."""
    one = segment(name)
    assert one.endswith(end)
    assert SEGMENT_BYTES - 3 <= len(one.encode()) <= SEGMENT_BYTES
