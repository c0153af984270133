"""What a reference holds and accepts."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from object_store import Download, InvalidReference, ObjectRef, parse_uri
from object_store.reference import json_schema

REF = ObjectRef(bucket="probe", key="a/é b", etag="0" * 32, size=5, content_type="text/plain")
JSON = {"bucket": "probe", "key": "a/é b", "etag": "0" * 32, "size": 5, "contentType": "text/plain"}


def test_json_has_exactly_the_published_names() -> None:
    """They are bucket, key, etag, size and contentType, in text and as a mapping, in both directions."""
    assert json.loads(REF.model_dump_json()) == JSON
    assert REF.model_dump(mode="json") == JSON
    assert ObjectRef.model_validate_json(json.dumps(JSON)) == REF
    assert ObjectRef.model_validate(JSON) == REF


def test_content_type_may_be_unknown() -> None:
    """A reference from a listing has null as content type."""
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
    """Unknown names, wrong types, quotes in the etag and empty required fields are refused."""
    with pytest.raises(ValidationError):
        ObjectRef.model_validate_json(json.dumps(JSON | change))


@pytest.mark.parametrize("name", ["bucket", "key", "etag", "size"])
def test_refuses_a_reference_with_a_part_missing(name: str) -> None:
    """Only contentType may be left out."""
    with pytest.raises(ValidationError):
        ObjectRef.model_validate({key: value for key, value in JSON.items() if key != name})


def test_is_frozen_and_hashable() -> None:
    """References can be kept in sets, and none can change."""
    with pytest.raises(ValidationError):
        REF.size = 6  # type: ignore[misc]  # what must fail

    assert len({REF, ObjectRef.model_validate(JSON)}) == 1


def test_repr_of_a_download_leaves_the_body_out() -> None:
    """A log line with a download does not hold the object."""
    assert "secret body" not in repr(Download(ref=REF, body=b"secret body"))


class TestParse:
    """JSON and URIs from other programs are read strictly."""

    GOOD: ClassVar = {"bucket": "probe", "key": "a/b", "etag": "e", "size": 1, "contentType": "text/plain"}

    def test_text_bytes_and_what_was_read_already_are_taken(self) -> None:
        """All three forms give the same reference, and it can read its own JSON."""
        text = json.dumps(self.GOOD)

        refs = {ObjectRef.parse(text), ObjectRef.parse(text.encode()), ObjectRef.parse(self.GOOD)}

        assert len(refs) == 1
        assert ObjectRef.parse(refs.pop().model_dump_json()).content_type == "text/plain"

    @pytest.mark.parametrize("name", ["bucket", "key", "etag", "size"])
    def test_missing_field_is_named(self, name: str) -> None:
        """InvalidReference names the field."""
        content = {key: value for key, value in self.GOOD.items() if key != name}

        with pytest.raises(InvalidReference, match=f"{name}: Field required"):
            ObjectRef.parse(content)

    @pytest.mark.parametrize(
        "change",
        [
            {"url": "x"},
            {"content_type": "text/plain"},
            {"size": "1"},
            {"size": -1},
            {"size": 1.5},
            {"size": True},
            {"etag": ""},
            {"etag": '"e"'},
            {"bucket": None},
            {"key": ""},
        ],
    )
    def test_other_fields_and_types_are_refused(self, change: dict[str, Any]) -> None:
        """Nothing is converted and nothing is ignored, as the published schema says."""
        content = self.GOOD | change

        with pytest.raises(InvalidReference, match="not a reference"):
            ObjectRef.parse(content)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content, json_schema())

    @pytest.mark.parametrize("content", ["", "[]", "null", "{", b"\xff", "5"])
    def test_what_is_no_object_is_refused(self, content: str | bytes) -> None:
        """Broken JSON is refused too."""
        with pytest.raises(InvalidReference, match="not a reference"):
            ObjectRef.parse(content)

    def test_schema_takes_what_is_written(self) -> None:
        """A reference with and without content type is legal by the schema."""
        for ref in (ObjectRef.parse(self.GOOD), ObjectRef(bucket="probe", key="k", etag="e", size=0)):
            jsonschema.validate(ref.model_dump(mode="json"), json_schema())

    @given(key=st.text(min_size=1, max_size=50))
    def test_uri_leads_back(self, key: str) -> None:
        """For any key nothing is escaped or lost."""
        ref = ObjectRef(bucket="probe", key=key, etag="e", size=1)

        assert parse_uri(ref.uri) == ("probe", key)

    @pytest.mark.parametrize(
        "uri", ["", "probe/k", "s3:/probe/k", "s3://probe", "s3://probe/", "s3:///k", "s3://A/k", 5]
    )
    def test_what_is_no_uri_is_refused(self, uri: Any) -> None:  # noqa: ANN401  # any
        """InvalidReference says what is wrong."""
        with pytest.raises(InvalidReference, match=r"s3://BUCKET/KEY|bucket name"):
            parse_uri(uri)
