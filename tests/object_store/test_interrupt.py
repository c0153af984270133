"""A command that a signal ends: its exit status says so, nothing half is left, and a second run completes.

The moment is the number of the request on which the signal comes, not a time.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from object_store import PART_SIZE, ObjectStore
from object_store.partials import PARTIAL_PREFIX
from tests.sizes import sized
from trials.faults import Hook, On, Request
from trials.faulty_proxy import FaultyProxy
from trials.servers import Server, keys_of, made_bucket, remove_objects, uploads_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[2]
END_SECONDS = 120
LARGE = os.urandom(1000) * (5 * PART_SIZE // 2 // 1000)
FILES = {f"{number}/f": b"%d" % number * 50_000 for number in range(6)}
# The requests of each operation, from which the moments are drawn.
REQUESTS = {"put": 5, "get": 1, "put folder": 7, "get folder": 7}
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
MOMENTS = [
    (operation, random.Random(seed).randrange(REQUESTS[operation]), SIGNALS[seed % 3], seed)  # noqa: S311 - no secret
    for seed in range(sized(4, 30))
    for operation in (list(REQUESTS)[seed % 4],)
]


@pytest.fixture(name="place")
def _place(server: Server, witness: S3Client) -> Iterator[str]:
    with made_bucket(server, witness) as name:
        yield name
        remove_objects(witness, name, "")


def _command(operation: str, place: str, folder: Path) -> list[str]:
    """The command line, and what it needs on either side."""
    where = f"s3://{place}/{operation.replace(' ', '-')}"
    return {
        "put": ["put", str(folder / "large"), where],
        "get": ["get", where, str(folder / "down")],
        "put folder": ["put", str(folder / "files"), f"{where}/", "--jobs", "2"],
        "get folder": ["get", f"{where}/", str(folder / "down"), "--jobs", "2"],
    }[operation]


def _prepared(operation: str, place: str, folder: Path, direct: ObjectStore) -> None:
    (folder / "large").write_bytes(LARGE)
    for name, body in FILES.items():
        (folder / "files" / name).parent.mkdir(parents=True)
        (folder / "files" / name).write_bytes(body)
    if operation == "get":
        direct.upload(place, "get", LARGE)
        (folder / "down").write_bytes(b"old")
    if operation == "get folder":
        direct.upload_dir(folder / "files", place, "get-folder")


def _environment(proxy: FaultyProxy, server: Server) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "S3_ENDPOINT": proxy.endpoint,
        "S3_CA_BUNDLE": proxy.ca_bundle,
        "AWS_REGION": server.config.region,
        "AWS_ACCESS_KEY_ID": server.config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.config.secret_access_key,
    }


def _is_done(operation: str, place: str, folder: Path, direct: ObjectStore) -> bool:
    if operation == "put":
        return direct.download(place, "put") == LARGE
    if operation == "get":
        return (folder / "down").read_bytes() == LARGE
    if operation == "put folder":
        return {ref.key.removeprefix("put-folder/"): ref.size for ref in direct.list(place, "put-folder/")} == {
            name: len(body) for name, body in FILES.items()
        }
    return {name: (folder / "down" / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize(("operation", "moment", "number", "seed"), MOMENTS)
def test_signal_leaves_nothing_half(  # fixtures
    server: Server, witness: S3Client, place: str, tmp_path: Path, operation: str, moment: int, number: int, seed: int
) -> None:
    """SIGTERM and SIGINT abort the upload and leave no temporary file. After SIGKILL both may be there, and no half."""
    del seed
    with ObjectStore(server.config) as direct:
        _prepared(operation, place, tmp_path, direct)
        process: subprocess.Popen[bytes] | None = None

        def end(request: Request) -> Request:
            assert process is not None
            process.send_signal(number)
            return request

        with FaultyProxy(str(server.config.endpoint), str(server.config.ca_bundle)) as proxy:
            proxy.faults = (Hook(rewriting=end, when=On(skip=moment, times=1)),)
            process = subprocess.Popen(  # noqa: S603  # this interpreter, on a module of this checkout
                [sys.executable, "-m", "object_store", *_command(operation, place, tmp_path)],
                env=_environment(proxy, server),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            output, _ = process.communicate(timeout=END_SECONDS)
            killed = number == signal.SIGKILL

            assert process.returncode == (-number if killed else 128 + number), output
            assert output == (b"" if killed else b"interrupted\n")
            assert killed or uploads_of(witness, place, "") == []
            assert killed or not [path for path in tmp_path.rglob("*") if path.name.startswith(PARTIAL_PREFIX)]
            for key in keys_of(witness, place, "put"):
                body = LARGE if key == "put" else FILES[key.removeprefix("put-folder/")]
                assert direct.download(place, key) == body
            for path in (tmp_path / "down").rglob("*") if operation == "get folder" else ():
                if path.is_file() and not path.name.startswith(PARTIAL_PREFIX):
                    assert path.read_bytes() == FILES[str(path.relative_to(tmp_path / "down"))]
            if operation == "get":
                assert (tmp_path / "down").read_bytes() in {b"old", LARGE}

            proxy.faults = ()
            subprocess.run(  # noqa: S603  # likewise
                [sys.executable, "-m", "object_store", *_command(operation, place, tmp_path)],
                env=_environment(proxy, server),
                check=True,
                capture_output=True,
            )
        assert _is_done(operation, place, tmp_path, direct)
        assert not [path for path in tmp_path.rglob("*") if path.name.startswith(PARTIAL_PREFIX)]
