"""The worker of docs/adapter.md does what it says, as it is written there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import object_store
from tests.object_store.conftest import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

PAGE = Path(__file__).parents[2] / "docs" / "adapter.md"
BUCKET = "joelclaw-local-usw2-media-derived"


@pytest.fixture(autouse=True)
def _environment(moto_endpoint: str, admin: S3Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (
        ("S3_ENDPOINT", moto_endpoint),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ):
        monkeypatch.setenv(name, value)
    admin.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    object_store.default_store.cache_clear()
    yield
    object_store.default_store().close()
    object_store.default_store.cache_clear()
    admin.delete_bucket(Bucket=BUCKET)


def test_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], admin: S3Client
) -> None:
    """It stores, resolves, reads and removes; it has no more than 20 lines."""
    section = PAGE.read_text("utf-8").partition("## A worker\n")[2]
    example = section.partition("```python\n")[2].partition("```\n")[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.mp4").write_bytes(b"a talk")
    names: dict[str, Any] = {}

    exec(compile(example, PAGE.name, "exec"), names)  # noqa: S102  # our own text is what is tested

    assert len(example.splitlines()) <= 20
    assert capsys.readouterr().out.startswith(f"6 bytes by objectRef of s3://{BUCKET}/2026/11/talk.mp4 ")
    assert (tmp_path / "copy.mp4").read_bytes() == b"a talk"
    assert (names["length"], names["keys"]) == (6, ["2026/11/talk.mp4"])
    assert names["url"].startswith("http://127.0.0.1:")
    assert "Contents" not in admin.list_objects_v2(Bucket=BUCKET)
