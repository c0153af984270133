"""The TypeScript package with the file that `keys deliver` writes for `worker`, on both deployed stacks."""

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from object_store import ObjectRef, ObjectStore, StoreConfig
from tests.e2e.conftest import delivered
from tests.typescript.fixtures import typescript
from trials.typescript_package import Package, bare

if TYPE_CHECKING:
    from trials.checkout import Checkout

#: What leads to the sandbox in place of AWS.
ELSEWHERE = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE")
__all__ = ["typescript"]
pytestmark = pytest.mark.e2e


def test_delivered_file_is_enough(
    checkout: "Checkout",
    stack: str,
    typescript: Package,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`node --env-file` reads it: the package does what is granted, and puts once where the server refuses more."""
    with delivered(checkout, stack, "worker", "media-raw", tmp_path, monkeypatch) as variables:
        buckets = json.loads(variables["S3_BUCKETS"] or "")
        raw, derived = buckets["media-raw"], buckets["media-derived"]
        steps: list[dict[str, Any]] = [
            {"do": "upload", "bucket": raw, "key": "chat/a.txt", "body": {"text": "a"}},
            {"do": "upload", "bucket": raw, "key": "chat/a.txt", "body": {"text": "b"}},
            {"do": "download", "bucket": raw, "key": "chat/a.txt"},
            {"do": "upload", "bucket": derived, "key": "chat/a.txt", "body": {"pattern": 9_000_000}},
            {"do": "delete", "bucket": derived, "key": "chat/a.txt"},
            {"do": "delete", "bucket": raw, "key": "chat/a.txt"},
            {"do": "head", "bucket": raw.replace("media-raw", "vault-backups"), "key": "x"},
        ]
        ran = subprocess.run(  # noqa: S603 - node
            [
                typescript.node,
                f"--env-file={tmp_path / 'delivered.env'}",
                str(typescript.folder / "build" / "test" / "driver.js"),
            ],
            input="".join(json.dumps(step) + "\n" for step in steps),
            env=bare(os.environ) | {name: os.environ[name] for name in ELSEWHERE if name in os.environ},
            capture_output=True,
            text=True,
            check=True,
        )
        results = [json.loads(line) for line in ran.stdout.splitlines()]
        is_once = raw in (variables.get("S3_WRITE_ONCE") or "").split(",")
        with ObjectStore(StoreConfig.from_environment()) as store:
            assert store.download(raw, "chat/a.txt") == (b"a" if is_once else b"b")
    errors = [result.get("error") for result in results]
    assert errors == [None, "AlreadyExists" if is_once else None, None, None, None, "AccessDenied", "AccessDenied"]
    assert ObjectRef.parse(json.dumps(results[0]["ref"])).size == 1
