"""The stub of Typesense exports what it has, and has the faults that a test orders."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from sandbox.otel_events import document, three_days
from sandbox.typesense import ExportFault, RunningTypesense, running_typesense

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = three_days(date(2026, 11, 1), rows=500)
DOCUMENTS = [document(row) for day in EVENTS.days() for row in EVENTS.of_day(day).values()]


@pytest.fixture(name="typesense")
def _typesense() -> Iterator[RunningTypesense]:
    """A stub with a collection of events."""
    with running_typesense(otel_events=DOCUMENTS) as server:
        yield server


def get(server: RunningTypesense, path: str, key: str | None = None) -> tuple[int, bytes]:
    """An answer to the key, or to another."""
    request = urllib.request.Request(  # noqa: S310 - the stub's own URL
        f"{server.endpoint}/collections/{path}", headers={"X-TYPESENSE-API-KEY": server.key if key is None else key}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - likewise
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def exported(server: RunningTypesense, filter_by: str = "") -> bytes:
    """The body of an export."""
    status, body = get(server, f"otel_events/documents/export?filter_by={quote(filter_by)}")
    assert status == 200
    return body


def test_export_has_each_document(typesense: RunningTypesense) -> None:
    """One line for each, in the same order each time, without an end of the last; the collection says how many."""
    body = exported(typesense)

    assert [json.loads(line.decode("utf-8", "surrogateescape")) for line in body.split(b"\n")] == DOCUMENTS
    assert exported(typesense) == body
    assert json.loads(get(typesense, "otel_events")[1])["num_documents"] == len(DOCUMENTS)


def test_document_is_as_typesense_has_it() -> None:
    """Times are numbers, success is a truth value, what is missing is left out, and nothing says when it came."""
    row = next(row for row in EVENTS.rows if row["sessionId"] is None)
    held = document(row)

    assert isinstance(held["timestamp"], int)
    assert isinstance(held["success"], bool)
    assert held["date"] == row["timestamp"]
    assert not {"sessionId", "received_at"} & held.keys()


@pytest.mark.parametrize("form", ["timestamp:>={} && timestamp:<{}", "timestamp:[{}..{}]"])
def test_export_of_a_day(typesense: RunningTypesense, form: str) -> None:
    """A filter takes the documents of a day, in each of the two ways to write it."""
    start, end = 1793577600000, 1793664000000  # 2026-11-02
    lines = exported(typesense, form.format(start, end if "<" in form else end - 1)).split(b"\n")

    assert {json.loads(line.decode("utf-8", "surrogateescape"))["id"] for line in lines} == set(
        EVENTS.of_day("2026-11-02")
    )
    assert exported(typesense, "timestamp:<0") == b""
    assert typesense.filters[-1] == "timestamp:<0"


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("otel_events", "wrong", 401),
        ("otel_events/documents/export", "", 401),
        ("missing", None, 404),
        ("missing/documents/export", None, 404),
        ("otel_events/documents/export?filter_by=source:=worker", None, 400),
    ],
)
def test_refusals(typesense: RunningTypesense, path: str, key: str | None, status: int) -> None:
    """A wrong key, an unknown collection, and a filter that it cannot apply are refused."""
    assert get(typesense, path, key)[0] == status


def test_export_ends_early(typesense: RunningTypesense) -> None:
    """Whole lines, then a whole end: only the collection's number tells."""
    whole = exported(typesense)
    typesense.order(ExportFault(ends_after=700))

    assert exported(typesense) == b"\n".join(whole.split(b"\n")[:700])
    assert json.loads(get(typesense, "otel_events")[1])["num_documents"] == len(DOCUMENTS)


def test_last_line_is_torn(typesense: RunningTypesense) -> None:
    """The last line is no JSON."""
    typesense.order(ExportFault(tears=True))
    lines = exported(typesense).split(b"\n")

    assert len(lines) == len(DOCUMENTS)
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[-1])


def test_empty_line_follows(typesense: RunningTypesense) -> None:
    """The last line has an end, and an empty one follows."""
    whole = exported(typesense)
    typesense.order(ExportFault(empty_line=True))

    assert exported(typesense) == whole + b"\n\n"


def test_collection_changes_its_number(typesense: RunningTypesense) -> None:
    """The number before an export differs from the one after it, until another fault is ordered."""
    typesense.order(ExportFault(counts=(900, 901)))
    said = [json.loads(get(typesense, "otel_events")[1])["num_documents"] for _ in range(3)]

    assert said == [900, 901, 901]
    typesense.order(ExportFault())
    assert json.loads(get(typesense, "otel_events")[1])["num_documents"] == len(DOCUMENTS)
