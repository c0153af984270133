"""A machine that consumes events, with a NAS, and moto's buckets as its store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from workloads.events.resolve import ResolveOptions
from workloads.events.resolve import run as resolve
from workloads.events.shims import ShimsOptions
from workloads.events.shims import run as shims

if TYPE_CHECKING:
    from pathlib import Path

    from object_store import ObjectRef
    from tests.workloads.conftest import World

REQUESTED = "docs/ingest.requested"
EXPORTED = "/volume1/joelclaw"


@dataclass
class Consumer:
    """A machine that consumes events.

    Attributes:
        world: The machine; its bucket is that of the documents.
        receipts: The bucket of the receipts.
        nas: Where the NAS is mounted.
        folder: The folder of this machine that events may name.
        to: Where bytes go.
        more: Further settings of `events`.
        printed: What the last command printed.
        errors: What it said.
    """

    world: World
    receipts: str
    nas: Path
    folder: Path
    to: Path
    capsys: pytest.CaptureFixture[str]
    more: dict[str, object] = field(default_factory=dict)
    printed: dict[str, Any] = field(default_factory=dict)
    errors: str = ""

    def config(self) -> Path:
        """Write the configuration."""
        self.world.variables = {
            "S3_BUCKETS": json.dumps({"docs-raw": self.world.bucket, "media-derived": self.receipts})
        } | self.world.variables
        events = {"mounts": {EXPORTED: str(self.nas)}, "folders": [str(self.folder)], **self.more}
        self.world.more = {"events": events}
        return self.world.write()

    def store(self, body: bytes, key: str = "docs/a/A Book.pdf") -> dict[str, Any]:
        """Store bytes; their reference."""
        with self.world.store() as store:
            ref: ObjectRef = store.upload(self.world.bucket, key, body, "application/pdf")
        return ref.model_dump(mode="json")

    def resolve(self, data: dict[str, Any], name: str = REQUESTED, **more: Any) -> int:  # noqa: ANN401 - of ResolveOptions
        """Run `events resolve --json` for an event."""
        file = self.world.home / "event.json"
        file.write_text(json.dumps({"name": name, "data": data, "id": "e-1"}))
        options = ResolveOptions(self.config(), **{"as_json": True, "event": str(file), "to": self.to, **more})
        return self._ran(resolve(options))

    def shims(self, since: str = "", event: str = "") -> int:
        """Run `events shims --json`."""
        return self._ran(shims(ShimsOptions(self.config(), as_json=True, since=since, event=event)))

    def row(self, event: str = REQUESTED) -> dict[str, Any]:
        """What `shims` printed of an event."""
        (found,) = [one for one in self.printed["shims"] if one["event"] == event]
        return dict(found)

    def counts(self, event: str = REQUESTED) -> tuple[int, int, int, int]:
        """By reference, by path, by both, and how many of them failed."""
        row = self.row(event)
        return row["byReference"], row["byPath"], row["byBoth"], row["failed"]

    def _ran(self, status: int) -> int:
        out, self.errors = self.capsys.readouterr()
        self.printed = json.loads(out) if out else {}
        return status

    def uses(self) -> dict[str, dict[str, Any]]:
        """The receipts in the store."""
        client = self.world.client
        found = client.list_objects_v2(Bucket=self.receipts).get("Contents", [])
        return {
            one["Key"]: json.loads(client.get_object(Bucket=self.receipts, Key=one["Key"])["Body"].read())
            for one in found
        }

    def unsent(self) -> list[Path]:
        """The receipts that this machine still has."""
        return sorted(self.world.folder.glob(f"state/events/{self.receipts}/uses/*"))

    def left(self) -> list[str]:
        """What is in the folder of the bytes."""
        return sorted(path.name for path in self.to.parent.iterdir())


@pytest.fixture(name="consumer")
def _consumer(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Consumer:
    receipts = f"{world.bucket}-derived"
    world.client.create_bucket(Bucket=receipts)
    for name in ("nas", "folder", "out"):
        (tmp_path / name).mkdir()
    capsys.readouterr()
    return Consumer(world, receipts, tmp_path / "nas", tmp_path / "folder", tmp_path / "out/file", capsys)
