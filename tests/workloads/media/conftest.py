"""A machine with files of media, and moto's buckets as its store."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from workloads.media.options import PutOptions
from workloads.media.put import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.conftest import World

AT = "2026-11-30T23:30:00-08:00"


@dataclass
class Gallery:
    """A machine with media.

    Attributes:
        world: The machine; its bucket is that of the originals.
        derived: The bucket of what is made of them.
        root: A folder for the files.
        printed: What the last run printed.
        errors: What it said.
    """

    world: World
    derived: str
    root: Path
    capsys: pytest.CaptureFixture[str]
    printed: dict[str, Any] = field(default_factory=dict)
    errors: str = ""

    def config(self) -> Path:
        """Write the configuration."""
        buckets = {"media-raw": self.world.bucket, "media-derived": self.derived}
        self.world.variables = {"S3_BUCKETS": json.dumps(buckets)}
        return self.world.write()

    def put(self, path: Path, **more: Any) -> int:  # noqa: ANN401 - of PutOptions
        """Run `media put --json`."""
        self.capsys.readouterr()
        status = run(PutOptions(self.config(), as_json=True, path=path, **more))
        out, self.errors = self.capsys.readouterr()
        self.printed = json.loads(out) if out else {}
        return status

    def chat(self, path: Path, **more: Any) -> int:  # noqa: ANN401 - of PutOptions
        """Store a file of a chat."""
        return self.put(path, **{"source": "telegram", "at": AT, **more})

    def stored(self, bucket: str = "") -> list[str]:
        """The keys of the media, without receipts."""
        pages = self.world.client.get_paginator("list_objects_v2").paginate(Bucket=bucket or self.world.bucket)
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return sorted(key for key in keys if key.startswith(("chat/", "video/")))

    def file(self, name: str, content: bytes) -> Path:
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def download(self, folder: str = "download", **info: Any) -> Path:  # noqa: ANN401 - what JSON holds
        """Write a whole download."""
        told = {
            "id": "dQw4w9WgXcQ",
            "extractor": "youtube",
            "title": "Never Gonna…",
            "channel": "Rick",
            "duration": 212,
            "webpage_url": "https://youtu.be/dQw4w9WgXcQ",
            "upload_date": "20091025",
            **info,
        }
        stem = f"{folder}/Never Gonna… [{told['id']}]"
        self.file(f"{stem}.mp4", film(212))
        self.file(f"{stem}.webp", b"thumbnail")
        self.file(f"{stem}.info.json", json.dumps({name: v for name, v in told.items() if v is not None}).encode())
        return self.root / folder


def film(seconds: float, *, is_large: bool = False) -> bytes:
    """A file of the MP4 family with a length, and no pictures."""
    length = int(seconds * 1000)
    header = struct.pack(">B3xQQIQ", 1, 0, 0, 1000, length) if is_large else struct.pack(">5I", 0, 0, 0, 1000, length)
    return box(b"ftyp", b"isom") + box(b"mdat", b"x" * 100) + box(b"moov", box(b"mvhd", header + bytes(80)))


def box(kind: bytes, content: bytes) -> bytes:
    """One box."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.fixture(name="gallery")
def _gallery(world: World, capsys: pytest.CaptureFixture[str]) -> Gallery:
    derived = f"{world.bucket}-derived"
    world.client.create_bucket(Bucket=derived)
    root = world.home / "media"
    root.mkdir()
    return Gallery(world, derived, root, capsys)
