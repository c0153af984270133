"""A store that cuts listings short, whose key expires, or whose bucket others change: nothing is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from object_store import body
from sandbox.otel_events import three_days
from tests.workloads.conftest import SECRET
from tests.workloads.otel.conftest import FIRST, NOW, days
from tests.workloads.test_listings import CUT, cut_on_second_page
from trials.faults import Hook, On, Request, Response
from trials.faulty_proxy import FaultyProxy
from workloads.archive import clock
from workloads.context import OTEL
from workloads.scrubbing import ScrubOptions
from workloads.scrubbing import run as scrub

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]
EVENTS = three_days(FIRST, rows=10, longest=10_000)


@pytest.fixture(name="filled")
def _filled(exporter: Exporter) -> Exporter:
    """Three days in slices of 20 rows."""
    exporter.more = {"slice_rows": 20}
    exporter.insert(EVENTS)
    return exporter


def complete(exporter: Exporter, folder: Path) -> None:
    """The same command completes the days: a reader gets every row once, and nothing is missing."""
    assert exporter.export(last=str(LAST)) == 0
    assert exporter.gaps(last=str(LAST)) == 0
    status, found = exporter.restored(folder / "back", FIRST, LAST)
    assert (status, set(found)) == (0, {row["id"] for row in EVENTS.rows})


def test_listing_of_many_pages(
    filled: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All pages count; a listing that is cut short is an error, never "nothing is missing", and changes nothing."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")
    complete(filled, tmp_path)
    before = filled.commits()
    endpoint = filled.world.endpoint
    for how in CUT:
        filled.world.endpoint = endpoint
        with cut_on_second_page(filled.world, how) as proxy:
            filled.world.endpoint = proxy.endpoint_plain
            capsys.readouterr()
            assert filled.gaps(last=str(LAST)) == 2, how
            assert filled.export(last=str(LAST)) == 2, how
            assert filled.restored(tmp_path / "cut", FIRST, FIRST)[0] == 2, how
            assert filled.query("SELECT count() FROM otel_events", FIRST, FIRST) == 2, how
            assert capsys.readouterr().out == "", how
            assert not (tmp_path / "cut").exists(), how
    assert filled.commits() == before


def test_key_that_expires(filled: Exporter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named as that, and not asked for with more tries; what was committed stays, and a new key goes on.

    https://github.com/open-telemetry/opentelemetry-collector/issues/15102
    """
    endpoint = filled.world.endpoint

    def denied(code: str) -> Hook:
        said = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
        refusal = Response(403, (("Content-Type", "application/xml"),), said)
        return Hook(when=On(path=r"/v1/|^/[^/]*$", skip=12), answering=lambda _: refusal)

    stored = 0
    for code in ("ExpiredToken", "InvalidAccessKeyId"):
        with FaultyProxy(endpoint, None, denied(code), plain=True) as proxy:
            filled.world.endpoint = proxy.endpoint_plain
            assert filled.export(last=str(LAST)) == 2
            refused = len(proxy.requests) - 12
        said = capsys.readouterr().err + json.dumps(filled.world.receipts()[-1])
        assert code in said
        assert "Check AWS_ACCESS_KEY_ID" in said
        assert SECRET not in said
        assert refused < 10
        filled.world.endpoint = endpoint
        assert len(filled.commits()) > stored
        stored = len(filled.commits())

    before = filled.commits()
    complete(filled, tmp_path)
    assert filled.commits()[: len(before)] == before


@pytest.mark.parametrize("is_taken", [True, False])
def test_upload_that_was_aborted_meanwhile(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_taken: bool
) -> None:
    """NoSuchUpload at its end is no success, also if other bytes lie at the key: no commit ever refers to them.

    https://github.com/aws/aws-cli/issues/987
    """
    monkeypatch.setattr(body, "MULTIPART_THRESHOLD", 1000)
    exporter.insert(EVENTS)
    client, bucket = exporter.world.client, exporter.world.bucket
    foreign: dict[str, bytes] = {}

    def aborted(_: Request) -> Response:
        (one,) = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
        key, upload = one["Key"], one["UploadId"]
        size = sum(part["Size"] for part in client.list_parts(Bucket=bucket, Key=key, UploadId=upload)["Parts"])
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        if is_taken:
            foreign[key] = b"x" * size
            client.put_object(Bucket=bucket, Key=key, Body=foreign[key])
        said = b"<Error><Code>NoSuchUpload</Code><Message>The upload does not exist.</Message></Error>"
        return Response(404, (("Content-Type", "application/xml"),), said)

    world = exporter.world
    hook = Hook(when=On(method="POST", query="uploadId=", times=1), answering=aborted)
    with FaultyProxy(world.endpoint, None, hook, plain=True) as proxy:
        away = replace(exporter, world=replace(world, endpoint=proxy.endpoint_plain))
        assert away.export(last=str(LAST)) == 2
    assert exporter.commits() == []
    assert len(foreign) == is_taken

    complete(exporter, tmp_path)

    assert not foreign.keys() & {one["part"]["stored"]["key"] for one in exporter.commits()}
    for key, content in foreign.items():
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == content


def test_old_part_that_is_damaged(filled: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`scrub` reads parts of a month ago back and names the damaged one; the next export stores its slice again."""
    assert filled.export(last=str(LAST)) == 0
    key = filled.world.keys(".ndjson.gz")[0]
    content = bytearray(filled.world.client.get_object(Bucket=filled.world.bucket, Key=key)["Body"].read())
    content[len(content) // 2] ^= 1
    filled.world.client.put_object(Bucket=filled.world.bucket, Key=key, Body=bytes(content))
    monkeypatch.setattr(clock, "now_utc", lambda: NOW + timedelta(days=40))

    assert scrub(ScrubOptions(filled.config(), quiet=True), OTEL) == 1

    proven: Any = filled.world.receipts()[-1]["proven"]
    assert "was replaced" in proven[key]
    complete(filled, tmp_path)
    assert scrub(ScrubOptions(filled.config(), quiet=True), OTEL) == 0
