"""What a reference holds and what it takes."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from object_store import Download, ObjectRef

REF = ObjectRef(bucket="probe", key="a/é b", etag="0" * 32, size=5, content_type="text/plain")
JSON = {"bucket": "probe", "key": "a/é b", "etag": "0" * 32, "size": 5, "contentType": "text/plain"}


def test_json_has_exactly_the_published_names() -> None:
    """bucket, key, etag, size, contentType, in text and as a mapping, and back."""
    assert json.loads(REF.model_dump_json()) == JSON
    assert REF.model_dump(mode="json") == JSON
    assert ObjectRef.model_validate_json(json.dumps(JSON)) == REF
    assert ObjectRef.model_validate(JSON) == REF


def test_content_type_may_be_unknown() -> None:
    """A reference from a listing has null there."""
    ref = ObjectRef(bucket="probe", key="k", etag="e", size=0)

    assert json.loads(ref.model_dump_json())["contentType"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"size": -1},
        {"size": "5"},
        {"size": 5.0},
        {"etag": '"quoted"'},
        {"etag": ""},
        {"key": ""},
        {"bucket": ""},
        {"key": None},
        {"contentType": ""},
        {"contentType": 5},
    ],
    ids=str,
)
def test_refuses_what_is_no_reference(change: dict[str, object]) -> None:
    """Unknown names, wrong types, quotes in the etag, nothing where something must be."""
    with pytest.raises(ValidationError):
        ObjectRef.model_validate_json(json.dumps(JSON | change))


@pytest.mark.parametrize("name", ["bucket", "key", "etag", "size"])
def test_refuses_a_reference_with_a_part_missing(name: str) -> None:
    """Only contentType may be left out."""
    with pytest.raises(ValidationError):
        ObjectRef.model_validate({key: value for key, value in JSON.items() if key != name})


def test_is_frozen_and_hashable() -> None:
    """References can be kept in sets, and none changes under its holder."""
    with pytest.raises(ValidationError):
        REF.size = 6  # type: ignore[misc]  # what must fail

    assert len({REF, ObjectRef.model_validate(JSON)}) == 1


def test_repr_of_a_download_leaves_the_body_out() -> None:
    """A log line with a download does not hold the object."""
    assert "secret body" not in repr(Download(ref=REF, body=b"secret body"))
