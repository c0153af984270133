"""Each event against its golden files: as it is sent today, with references, and with both while the shim lasts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as some

from model.problems import InvalidInputError
from object_store import ObjectRef, identity_of
from object_store.payload import IDENTITY_EXPRESSION
from tests.workloads.events.expression import evaluated
from workloads.events.event import Event, Form
from workloads.events.models import BODY_BYTES, BY_NAME, MODELS

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
REF = {"bucket": "b-b", "key": "a/k.pdf", "etag": "e-1", "size": 3, "contentType": "application/pdf"}


def golden(name: str, kind: str) -> dict[str, Any]:
    """A golden event."""
    found: dict[str, Any] = json.loads((GOLDEN / f"{name.replace('/', '.')}.{kind}.json").read_bytes())
    return found


def accepted(data: dict[str, Any], name: str) -> bool:
    """Whether the JSON Schema of an event accepts its data."""
    return jsonschema.Draft202012Validator(BY_NAME[name].json_schema()).is_valid(data)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_files(path: Path) -> None:
    """Each is read, is told apart, goes out as it came, and its schema accepts it."""
    text = path.read_text()
    event = Event.parse(text)
    kind = path.stem.rpartition(".")[2]

    assert json.loads(event.to_text()) == json.loads(text)
    assert event.data.model_dump(mode="json", exclude_unset=True) == event.given
    assert accepted(dict(event.given), event.name)
    shims = any(place.shims for place in event.data.PLACES)
    assert (
        event.form()
        == {
            "before": Form.PATH if shims else Form.NEITHER,
            "after": Form.REFERENCE,
            "both": Form.BOTH,
        }[kind]
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.NAME)
def test_every_event_has_its_golden_files(model: Any) -> None:  # noqa: ANN401 - a class of models
    """Old and new; all references are in the new one, and none is in the old one."""
    refs = {place.ref for place in model.PLACES}
    assert refs <= golden(model.NAME, "after")["data"].keys()
    assert not refs & golden(model.NAME, "before")["data"].keys()
    for name in (model.NAME, *model.ALIASES):
        assert Event.of(name, golden(model.NAME, "after")["data"]).name == name


@given(
    name=some.sampled_from([model.NAME for model in MODELS]),
    kind=some.sampled_from(["before", "after"]),
    more=some.dictionaries(
        some.text(min_size=1, max_size=8).map(lambda text: f"x{text}"),
        some.recursive(
            some.none() | some.booleans() | some.integers(-(2**63), 2**64 - 1)
            | some.floats(allow_nan=False, allow_infinity=False) | some.text(max_size=9),
            lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=3), inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_unknown_fields_come_back(name: str, kind: str, more: dict[str, Any]) -> None:
    """Fields of other producers keep value, type and digits, through text and through the model; none is added."""
    data = {**golden(name, kind)["data"], **more}
    event = Event.parse(json.dumps({"name": name, "data": data, "ts": 1764500000000}))

    back = json.loads(event.to_text())
    assert back == {"name": name, "data": data, "ts": 1764500000000}
    assert json.dumps(back["data"], sort_keys=True) == json.dumps(data, sort_keys=True)
    assert event.data.model_dump(mode="json", exclude_unset=True).keys() == data.keys()
    assert accepted(data, name)


def test_numbers_and_null_stay() -> None:
    """A number above 2^53 and `1.0` keep their digits; null stays null, and what is missing stays missing."""
    data = '{"nasPath": null, "filePath": "/x", "n": 9007199254740993, "f": 1.0}'
    out = Event.parse(f'{{"name": "docs/ingest.requested", "data": {data}}}').to_text()
    assert '"nasPath": null' in out
    assert "9007199254740993" in out
    assert '"f": 1.0' in out
    assert "objectRef" not in out
    assert accepted(json.loads(data), "docs/ingest.requested")


UNTYPED = {name: value for name, value in REF.items() if name != "contentType"}
DOCUMENT = "docs/ingest.completed"
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "null": ({"objectRef": None}, "objectRef: is null; leave it out"),
    "base64": ({"objectRef": "JVBERi0xLjQK" * 99}, "objectRef: is text, and not a reference: if it is the body,"),
    "address": ({"objectRef": "s3://b/k"}, "objectRef: is text"),
    "other name": ({"objectRef": {**REF, "url": "u"}}, "objectRef.url: Extra inputs"),
    "python's name": ({"objectRef": {**UNTYPED, "content_type": "t"}}, "objectRef.content_type: Extra inputs"),
    "type missing": ({"objectRef": UNTYPED}, "objectRef.contentType"),
    "type null": ({"objectRef": {**REF, "contentType": None}}, "objectRef.contentType"),
    "size as text": ({"objectRef": {**REF, "size": "3"}}, "objectRef.size"),
    "body beside it": ({"objectRef": REF, "body": "x" * (BODY_BYTES + 1)}, "'body' holds a body: store it"),
    "body below": ({"objectRef": REF, "a": {"b": ["data:image/png;base64,iVBOR"]}}, "'a' holds a body"),
    "body in a path": ({"nasPath": "x" * (BODY_BYTES + 1)}, "'nasPath' holds a body"),
    "nothing": ({"nasPath": ""}, "has none of objectRef, nasPath"),
    "null for both": ({"nasPath": None}, "has none of objectRef, nasPath"),
    "required today": ({"objectRef": REF, "title": None}, "title: Input should be a valid string"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused(case: str) -> None:
    """Bodies, half references and null for one; the message has the field and no value."""
    more, text = WRONG[case]
    data = {name: value for name, value in golden(DOCUMENT, "before")["data"].items() if name != "nasPath"} | more

    with pytest.raises(InvalidInputError) as refused:
        Event.of(DOCUMENT, data)

    assert text in str(refused.value)
    assert "schemas/events/docs.ingest.completed.schema.json" in str(refused.value)
    assert "JVBERi" not in str(refused.value)
    if "body" not in case:
        assert not accepted(data, DOCUMENT)


def test_texts_of_today_may_be_long() -> None:
    """A transcript of an hour in a field that has one today is legal; beside a reference, `text` is a body."""
    long = "word " * BODY_BYTES
    assert Event.of("media/processed", {**golden("media/processed", "both")["data"], "transcript": long})
    requested = golden("pipeline/transcript.requested", "before")["data"]
    assert Event.of("pipeline/transcript.requested", {**requested, "text": long})
    with pytest.raises(InvalidInputError, match="'text' holds a body beside objectRef"):
        Event.of("pipeline/transcript.requested", {**requested, "text": long, "objectRef": REF})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "has no name and data"),
        ('{"name": "media/received"}', "has no name and data"),
        ('{"name": "media/recieved", "data": {}}', 'write: "name": "media/received"'),
        ('{"name": "media/received", "name": "x", "data": {}}', "appears twice"),
        (b"\xff", "is not UTF-8"),
        (" " * 2**21, "has more than"),
    ],
)
def test_what_is_no_event(text: str | bytes, says: str) -> None:
    """The message says what is wrong, and what to write."""
    with pytest.raises(InvalidInputError, match=says):
        Event.parse(text)


def test_references_are_added() -> None:
    """An event of today gets its references, and keeps the rest; another field is refused by name."""
    event = Event.of("media/received", golden("media/received", "before")["data"], {"id": "e-1"})
    ref = ObjectRef.parse(REF)

    completed = event.completed({"": ref})

    assert completed.to_dict() == {"name": "media/received", "data": {**event.given, "objectRef": REF}, "id": "e-1"}
    assert completed.payload() == {"objectRef": REF, "filePath": "/tmp/joelclaw-media/image.jpg"}  # noqa: S108 - of a golden file
    with pytest.raises(InvalidInputError, match=r"--field: media/received has no reference 'infoRef'"):
        event.completed({"infoRef": ref})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.NAME)
def test_what_an_event_still_needs(model: Any) -> None:  # noqa: ANN401 - a class of models
    """Each field that is required today, by the name that JSON has; with them the event is whole."""
    data = golden(model.NAME, "before")["data"]
    needs = Event.needs(model.NAME, {place.ref: REF for place in model.PLACES})

    assert list(needs) == model.json_schema().get("required", [])
    for name in needs:
        assert Event.needs(model.NAME, {key: value for key, value in data.items() if key != name}) == (name,)
    assert Event.needs(model.NAME, data) == ()


def test_what_is_there_is_proved_first() -> None:
    """A wrong reference is refused, however much of the event is missing: of it, a missing name is wrong as well."""
    with pytest.raises(InvalidInputError, match=r"rawRef\.contentType: Field required"):
        Event.needs("discovery/captured", {"rawRef": UNTYPED})


class TestIdentity:
    """The idempotency expression for the owner's functions, evaluated."""

    PATH = "/Volumes/three-body/books/a.pdf"

    @pytest.mark.parametrize(
        "data",
        [
            {"objectRef": REF},
            {"objectRef": REF, "idempotencyKey": "k"},
            {"nasPath": PATH, "idempotencyKey": "k"},
            {"filePath": PATH},
            {"nasPath": "", "filePath": PATH, "idempotencyKey": "k"},
            {"nasPath": None, "filePath": PATH},
            {"objectRef": REF, "nasPath": PATH, "idempotencyKey": "k"},
        ],
    )
    def test_is_the_adapters(self, data: dict[str, Any]) -> None:
        """By reference, by path and by both it is what `identity_of` says."""
        Event.of("docs/ingest.requested", data)
        assert evaluated(IDENTITY_EXPRESSION, data) == identity_of(data)

    @given(
        refs=some.lists(
            some.builds(
                lambda bucket, key, etag: {**REF, "bucket": bucket, "key": key, "etag": etag},
                some.sampled_from(["b-a", "b-b"]),
                some.text(some.characters(codec="ascii", categories=["L", "N"], include_characters="/ ::"), min_size=1),
                some.text(some.sampled_from("ab0-"), min_size=1, max_size=4),
            ),
            min_size=2,
            max_size=4,
            unique_by=lambda ref: (ref["bucket"], ref["key"], ref["etag"]),
        ),
        paths=some.fixed_dictionaries(
            {}, optional={name: some.sampled_from(["", None, "/x", "::"]) for name in ("nasPath", "filePath")}
        ),
        key=some.sampled_from([{}, {"idempotencyKey": "k"}, {"idempotencyKey": ""}]),
    )
    def test_by_every_form(self, refs: list[dict[str, Any]], paths: dict[str, Any], key: dict[str, Any]) -> None:
        """Of each event it is the adapter's; a path beside a reference changes nothing, another reference does."""
        by_reference = [evaluated(IDENTITY_EXPRESSION, {"objectRef": ref, **key}) for ref in refs]
        both = [{"objectRef": ref, **paths, **key} for ref in refs]

        assert [evaluated(IDENTITY_EXPRESSION, data) for data in both] == by_reference
        assert [identity_of(data) for data in both] == by_reference
        assert len(set(by_reference)) == len(refs)
        if any(paths.values()):
            by_path = evaluated(IDENTITY_EXPRESSION, {**paths, **key})
            assert by_path == identity_of({**paths, **key})
            assert by_path not in by_reference
            today = f"{paths.get('nasPath') or paths.get('filePath')}::{key.get('idempotencyKey')}"
            assert not key.get("idempotencyKey") or by_path == today

    def test_references_do_not_collapse(self) -> None:
        """Two objects with one key of their sender are two; the same one again is the same, with a path or without."""
        first = {"objectRef": REF, "idempotencyKey": "k"}
        again, other = {**first, "nasPath": self.PATH}, {**first, "objectRef": {**REF, "etag": "e-2"}}
        assert evaluated(IDENTITY_EXPRESSION, first) == evaluated(IDENTITY_EXPRESSION, again)
        assert evaluated(IDENTITY_EXPRESSION, first) != evaluated(IDENTITY_EXPRESSION, other)

    def test_path_and_key_are_as_today(self) -> None:
        """An event of today has the identity that docs-ingest gives it today."""
        data = {"nasPath": self.PATH, "idempotencyKey": "k"}
        assert evaluated(IDENTITY_EXPRESSION, data) == f"{self.PATH}::k"
