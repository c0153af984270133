"""A machine with transcripts, and moto's buckets as its store.

The policies of the plan are in the end-to-end test, on the two deployed stacks: a server with them costs seconds.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from object_store import ObjectStore, StoreConfig
from tests.running_stores import any_store, aws_store, store
from workloads.sessions.archive import ArchiveOptions
from workloads.sessions.archive import run as archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

__all__ = ["any_store", "aws_store", "store"]
SECRET = "planted/workload+secret=nobody-may-see"  # noqa: S105 - planted, to be searched for
KEY = "AKIATESTTESTTESTTEST"


@pytest.fixture(name="endpoint", scope="session")
def _endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(name="client", scope="session")
def _client(endpoint: str) -> Iterator[S3Client]:
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )
    yield client
    client.close()


@dataclass
class World:
    """A machine with a home folder, a store, and a configuration.

    Attributes:
        home: The home folder.
        folder: Everything else of the machine.
        bucket: The bucket of the sessions.
        client: A client other than the adapter.
        endpoint: Where the store is.
        name: The machine's name.
        sources: The sources by name.
        variables: Further variables of the delivered file.
        more: Further keys of the configuration.
    """

    home: Path
    folder: Path
    bucket: str
    client: S3Client
    endpoint: str
    name: str = "box"
    sources: dict[str, str | None] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)

    def write(self, **more: object) -> Path:
        """Write the configuration and the delivered file; return the configuration's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        variables = {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "S3_ENDPOINT": self.endpoint,
            "S3_BUCKETS": json.dumps({"session-archive": self.bucket}),
            **self.variables,
        }
        env = self.folder / "archiver.env"
        env.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
        off = dict.fromkeys(
            (
                "pi-agent-sessions", "pi-run-history", "pi-notes-events", "claude-projects", "codex-sessions",
                "codex-archived-sessions", "codex-session-index", "joelclaw-runs-dev", "joelclaw-outbox",
                "joelclaw-gateway-sessions",
            )
        )  # fmt: skip
        content = {
            "machine": self.name,
            "state": str(self.folder / "state"),
            "receipts": str(self.folder / "receipts"),
            "store": {"variables": str(env)},
            "sessions": {"sources": {**off, **self.sources}, **more},
            **self.more,
        }
        path = self.folder / "workloads.yaml"
        path.write_text(json.dumps(content))
        return path

    def archive(self, *meant: str, stage: Callable[[str], None] | None = None, **more: object) -> int:
        """Run `sessions archive`."""
        return archive(ArchiveOptions(config=self.write(**more), quiet=True, meant=meant), stage=stage)

    def keys(self, suffix: str = "") -> list[str]:
        """The keys in the bucket, except receipts."""
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [one["Key"] for one in found if one["Key"].endswith(suffix) and not one["Key"].startswith("receipts/")]

    def receipts(self) -> list[dict[str, object]]:
        """The local receipts, the oldest first."""
        return [
            json.loads(path.read_bytes())
            for path in sorted((self.folder / "receipts").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        ]

    def store(self) -> ObjectStore:
        """The adapter."""
        return ObjectStore(
            StoreConfig(endpoint=self.endpoint, region="us-east-1", access_key_id=KEY, secret_access_key=SECRET)
        )


@pytest.fixture(name="world")
def _world(tmp_path: Path, client: S3Client, endpoint: str, request: pytest.FixtureRequest) -> World:
    """A machine whose one source is `home/s`."""
    bucket = f"b-{abs(hash((request.node.nodeid, time.time_ns()))) % 10**12}"
    client.create_bucket(Bucket=bucket)
    home = tmp_path / "home"
    (home / "s").mkdir(parents=True)
    return World(home, tmp_path / "box", bucket, client, endpoint, sources={"s": str(home / "s")})


@pytest.fixture(name="notes")
def _notes(world: World) -> World:
    """A machine whose vault is `home/Vault`, with the key of `vault-backup` alone."""
    world.variables = {"S3_BUCKETS": json.dumps({"vault-backups": world.bucket})}
    world.more = {"vault": {"path": str(world.home / "Vault")}}
    return world


def old(path: Path, days: float = 3.0) -> Path:
    """A file that was last written some days ago."""
    when = time.time() - days * 86400
    os.utime(path, (when, when))
    return path
