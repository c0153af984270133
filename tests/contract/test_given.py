"""The contract and the table of differences on a server that is not ours: one sentence for each lack, nothing left.

The rule: rclone's `serve s3` is that server, because its wheel is at hand (`tests.clients.stock`). It has neither
conditional writes, nor a list of uploads, nor object lock.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.stub import ANY, Stubber

from docs.differences import main
from sandbox.progress import Progress
from tests.clients.stock import NoClientsError, find_clients
from trials.servers import LeftBehindError, given_server, made_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ENVIRON = dict(os.environ)
KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "of-nobody-of-nobody"}


@dataclass(frozen=True)
class Foreign:
    """A running server.

    Attributes:
        endpoint: Its URL.
        folder: Where it keeps its buckets, one folder each.
    """

    endpoint: str
    folder: Path


def free_port() -> int:
    """A port on which nothing listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module", name="foreign")
def _foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """A server without a cache, so that it sees what it holds."""
    try:
        rclone = find_clients(ENVIRON, Progress()) / "rclone"
    except NoClientsError as reason:
        pytest.skip(str(reason))
    folder, port = tmp_path_factory.mktemp("foreign"), free_port()
    command = [str(rclone), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", ",".join(KEYS.values())]
    with subprocess.Popen(  # noqa: S603 - a wheel with a pinned hash
        [*command, "--config", os.devnull, str(folder)], stderr=subprocess.DEVNULL, env={"HOME": str(folder.parent)}
    ) as process:
        try:
            for _ in range(200):
                with closing(socket.socket()) as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield Foreign(f"http://127.0.0.1:{port}", folder)
        finally:
            process.kill()


def contract(endpoint: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the contract on an endpoint."""
    return subprocess.run(  # noqa: S603 - this interpreter
        [
            *(sys.executable, "-m", "pytest", "tests/contract/test_contract.py", "-q", "-n", "0"),
            # A test that hangs says where.
            *("-p", "no:cacheprovider", "-o", "faulthandler_timeout=60", "--endpoint", endpoint, *options),
        ],
        cwd=ROOT,
        env={"PATH": os.defpath, "HOME": ENVIRON.get("HOME", "/"), **KEYS},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_lack_is_one_sentence(foreign: Foreign) -> None:
    """A fact that does not hold is named with the server's answer, without a traceback; what was made is removed."""
    done = contract(foreign.endpoint, "-k", "object_lock or if_absent_meets_an_object or missing_object")

    sentences = [line for line in done.stdout.splitlines() if "does not hold this" in line]
    failed = re.findall(r"^FAILED ", done.stdout, re.MULTILINE)
    assert done.returncode == 1, done.stdout[-2000:]
    assert len(sentences) == len(failed) > 1
    assert sentences[0] == (
        f"{foreign.endpoint} does not hold this: The object is unchanged, and no upload is left behind. "
        "(Failed: DID NOT RAISE AlreadyExists)"
    )
    assert "makes no bucket with object lock" in done.stdout
    assert "Traceback" not in done.stdout
    assert ".py:" not in "".join(sentences)
    assert list(foreign.folder.iterdir()) == []


def test_table(foreign: Foreign, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The table has the server's column; a question that it cannot be asked, and a bucket that it keeps, are said."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)

    assert main(["--endpoint", foreign.endpoint]) == 0

    said = capsys.readouterr().out
    assert said.splitlines()[0].endswith(f"| {foreign.endpoint} |")
    assert "not asked: PutObjectLockConfiguration answers" in said
    left = {one.name for one in foreign.folder.iterdir()}
    assert left == set(re.findall(r"bucket (\S+) is left behind: its removal answers BucketNotEmpty", said))


def test_nothing_listens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A dead endpoint is one line, for both."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)

    status, done = main(["--endpoint", endpoint]), contract(endpoint)

    said = capsys.readouterr()
    line = f"--endpoint: no S3 server answers at {endpoint}: "
    assert (status, said.out, said.err.count("\n")) == (1, "", 1)
    assert said.err.startswith(line)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert [one for one in (done.stdout + done.stderr).splitlines() if one.strip()] == [f"ERROR: {said.err.strip()}"]


def test_key_that_makes_no_bucket(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A credential that the server refuses is one line, too."""
    for name, value in (KEYS | {"AWS_SECRET_ACCESS_KEY": "another"}).items():
        monkeypatch.setenv(name, value)

    assert main(["--endpoint", foreign.endpoint]) == 1

    said = capsys.readouterr().err
    assert said.startswith(f"--endpoint: this credential makes no bucket at {foreign.endpoint}: ")
    assert said.count("\n") == 1


def test_region_that_the_server_does_not_name() -> None:
    """Ceph RGW refuses each region as a constraint; the bucket is made without one.

    Its removal passes over what the server does not know, takes out empty folders, and says by name what stays.
    """
    given = given_server("http://127.0.0.1:1", None, KEYS)
    with closing(given.client()) as client, Stubber(client) as server:
        server.add_client_error("create_bucket", "InvalidLocationConstraint", http_status_code=400)
        server.add_response("create_bucket", {})
        for operation in ("list_multipart_uploads", "list_object_versions", "list_objects_v2"):
            server.add_client_error(operation, "NotImplemented", http_status_code=501)
        server.add_response("list_objects_v2", {"CommonPrefixes": [{"Prefix": "empty/"}]})
        server.add_response("list_objects_v2", {})
        server.add_response("delete_object", {}, {"Bucket": ANY, "Key": "empty/"})
        server.add_client_error("delete_bucket", "BucketNotEmpty", http_status_code=409)

        with (
            pytest.raises(LeftBehindError, match=r"^bucket contract-\w+ is left behind: .* BucketNotEmpty$"),
            made_bucket(given, client),
        ):
            pass

        server.assert_no_pending_responses()
