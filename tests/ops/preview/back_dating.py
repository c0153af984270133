"""Objects with a past: the objects of an embedded server get the ages that a test needs.

The rule: the server stops, its snapshot is changed, and it starts again on the same port, so that clients and keys stay
valid. Run as a program, it changes a stopped server's folder: `python tests/ops/preview/back_dating.py FOLDER` with a
JSON list of `Moment` on its input. It is a separate process, because moto's state belongs to the process.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.s3.models import FakeKey

from sandbox.server.moto_store import ACCOUNT, REGION, bucket
from sandbox.server.snapshot import Snapshot
from sandbox.server.temporary import RunningServer, running_server

ROOT = Path(__file__).parents[3]
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Moment:
    """When a version or a delete marker was written.

    Attributes:
        bucket: Its bucket.
        key: Its key.
        iso: The moment, with its time zone.
        version_id: Which version; None in a bucket without versions.
        copies: Create this many copies, with the keys `KEY-0000` and on, in a bucket without versions.
    """

    bucket: str
    key: str
    iso: str
    version_id: str | None = None
    copies: int = 0


class Past:
    """The content written to a running server, and the times that it shall have."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - a boto3 client
        """Use this client for all writes."""
        self.client = client
        self.moments: list[Moment] = []

    def put(self, bucket_name: str, key: str, size_bytes: int, moment: datetime, *, copies: int = 0) -> None:
        """Write an object, or another version of one."""
        made = self.client.put_object(Bucket=bucket_name, Key=key, Body=b"x" * size_bytes)
        self.moments.append(Moment(bucket_name, key, moment.isoformat(), made.get("VersionId"), copies))

    def delete(self, bucket_name: str, key: str, moment: datetime) -> None:
        """Write a delete marker on top of the versions."""
        made = self.client.delete_object(Bucket=bucket_name, Key=key)
        self.moments.append(Moment(bucket_name, key, moment.isoformat(), made["VersionId"]))


@contextmanager
def back_dated(server: RunningServer, cloud: str, moments: Sequence[Moment]) -> Iterator[RunningServer]:
    """Stop a server without clients, change its objects, and run it again for the duration of the block."""
    folder = Path(server.ca_bundle).parent
    os.kill(server.pid, signal.SIGTERM)
    _wait_until_free(folder)
    back_date(folder, moments)
    with running_server(cloud, folder) as again:
        assert again.endpoint == server.endpoint, "a client still held a connection, so the port was taken"
        yield again


def back_date(folder: Path, moments: Sequence[Moment]) -> None:
    """Change a stopped server's folder."""
    said = json.dumps([asdict(moment) for moment in moments])
    subprocess.run([sys.executable, __file__, str(folder)], input=said, text=True, check=True, cwd=ROOT)  # noqa: S603 - our own interpreter and file


def _wait_until_free(folder: Path) -> None:
    """A server holds this lock until it has saved its state and ended."""
    deadline = time.monotonic() + STOP_SECONDS
    with (folder / "serve.lock").open("rb") as lock:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)
            else:
                return
    raise TimeoutError(f"the server of {folder} did not stop within {STOP_SECONDS:.0f} s")


def _main(folder: Path) -> None:
    snapshot = Snapshot(folder)
    minio_iam = snapshot.load()
    for raw in json.load(sys.stdin):
        _set(Moment(**raw))
    snapshot.write(snapshot.capture(minio_iam))


def _set(moment: Moment) -> None:
    # moto's times are in UTC, without a time zone.
    modified = datetime.fromisoformat(moment.iso).astimezone(UTC).replace(tzinfo=None)
    found = bucket(moment.bucket)
    assert found is not None, moment.bucket
    versions = found.keys.getlist(moment.key)
    one = next(one for one in versions if moment.version_id in (None, str(one.version_id)))
    one.last_modified = modified
    for number in range(moment.copies):
        like = FakeKey(f"{moment.key}-{number:04}", one.value, ACCOUNT, REGION, etag=one.etag)
        like.bucket_name, like.last_modified = moment.bucket, modified
        found.keys[like.name] = like


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
