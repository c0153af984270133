"""A machine with a folder of documents, and moto's buckets as its store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from workloads.documents.backfill import BackfillOptions
from workloads.documents.backfill import run as backfill
from workloads.documents.put import PutOptions
from workloads.documents.put import run as put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.workloads.conftest import World


@dataclass
class Library:
    """A machine with documents.

    Attributes:
        world: The machine; its bucket is that of the originals.
        derived: The bucket of what is made of them.
        root: The folder of the documents.
        printed: What the last run printed, line by line or whole.
        out: The same as it was printed.
        errors: What it said.
    """

    world: World
    derived: str
    root: Path
    capsys: pytest.CaptureFixture[str]
    printed: list[dict[str, Any]] = field(default_factory=list)
    out: str = ""
    errors: str = ""

    def config(self) -> Path:
        """Write the configuration."""
        self.world.variables = {"S3_BUCKETS": json.dumps({"docs-raw": self.world.bucket, "docs-derived": self.derived})}
        return self.world.write()

    def add(self, path: str, content: bytes = b"") -> Path:
        """Write a document; without content, one of its own."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content or f"content of {path}".encode())
        return file

    def backfill(self, shard: str = "", stage: Callable[[str], None] | None = None) -> int:
        """Run `documents backfill --json`."""
        self.capsys.readouterr()
        status = backfill(BackfillOptions(self.config(), as_json=True, root=self.root, shard=shard), stage=stage)
        self.out, self.errors = self.capsys.readouterr()
        self.printed = [json.loads(line) for line in self.out.splitlines()]
        return status

    def put(self, file: Path, **more: Any) -> int:  # noqa: ANN401 - of PutOptions
        """Run `documents put --json`."""
        self.capsys.readouterr()
        status = put(PutOptions(self.config(), as_json=True, file=file, **more))
        out, self.errors = self.capsys.readouterr()
        self.printed = [json.loads(out)] if out else []
        return status

    def stored(self, bucket: str = "") -> dict[str, str]:
        """The etags of the documents by their keys; in a versioned bucket each would have one version."""
        client = self.world.client
        found: dict[str, str] = {}
        for page in client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket or self.world.bucket, Prefix="docs/"
        ):
            found |= {one["Key"]: one["ETag"] for one in page.get("Contents", [])}
        return found

    def names(self) -> list[str]:
        """The last segments of the keys."""
        return sorted(key.rpartition("/")[2] for key in self.stored())

    def problems(self) -> list[str]:
        """Those of the last receipt."""
        found: list[str] = self.source()["problems"]
        return found

    def source(self) -> dict[str, Any]:
        """The source of the last receipt."""
        sources: Any = self.world.receipts()[-1]["sources"]
        found: dict[str, Any] = sources[0]
        return found


@pytest.fixture(name="library")
def _library(world: World, capsys: pytest.CaptureFixture[str]) -> Library:
    derived = f"{world.bucket}-derived"
    world.client.create_bucket(Bucket=derived)
    root = world.home / "books"
    root.mkdir()
    return Library(world, derived, root, capsys)
