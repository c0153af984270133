"""The server process starts, stops, and starts again with all of its data."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import ssl
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sandbox.server import serve
from sandbox.server.temporary import running_server
from tests.sandbox.serving import Aistor, Aws, Stack, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "planted-secret-0123456789abcdef"  # noqa: S105 - planted to be looked for


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether a condition becomes true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def fill(stack: Stack) -> dict[str, Any]:
    """One resource of each kind that must survive, and its expected content."""
    bucket, admin = stack.bucket(ObjectLockEnabledForBucket=True), stack.admin
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    admin.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 3}}]
    admin.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    versions = [
        admin.put_object(Bucket=bucket, Key="key", Body=body, ChecksumAlgorithm="CRC32")["VersionId"]
        for body in (b"one", b"two")
    ]
    admin.put_object(
        Bucket=bucket, Key="tagged", Body=b"", Tagging="a=b", Metadata={"m": "n"}, ChecksumAlgorithm="CRC32"
    )
    admin.upload_fileobj(io.BytesIO(b"x" * (9 << 20)), bucket, "large")
    upload = admin.create_multipart_upload(Bucket=bucket, Key="unfinished")["UploadId"]
    part = {"Bucket": bucket, "Key": "unfinished", "UploadId": upload}
    etag = admin.upload_part(**part, PartNumber=1, Body=b"part", ChecksumAlgorithm="CRC32")["ETag"]
    return {"bucket": bucket, "versions": versions, "rules": rules, "lock": lock, "part": part, "etag": etag}


def check(stack: Stack, wanted: dict[str, Any]) -> None:
    """Check that all data is unchanged."""
    bucket, admin = wanted["bucket"], stack.admin
    first = admin.get_object(Bucket=bucket, Key="key", VersionId=wanted["versions"][0])
    done = {"Parts": [{"PartNumber": 1, "ETag": wanted["etag"]}]}
    admin.complete_multipart_upload(**wanted["part"], MultipartUpload=done)

    assert admin.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == wanted["lock"]
    assert admin.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == wanted["rules"]
    assert (first["Body"].read(), first["ObjectLockMode"]) == (b"one", "GOVERNANCE")
    assert admin.get_object(Bucket=bucket, Key="key")["Body"].read() == b"two"
    assert admin.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert admin.head_object(Bucket=bucket, Key="tagged")["Metadata"] == {"m": "n"}
    assert admin.get_object(Bucket=bucket, Key="large")["Body"].read() == b"x" * (9 << 20)
    assert admin.get_object(Bucket=bucket, Key="unfinished")["Body"].read() == b"part"
    target = {"Bucket": bucket, "Key": "key", "VersionId": wanted["versions"][0]}
    assert refused(admin.delete_object, **target)[0] in (400, 403)


def test_aistor_comes_back_with_everything(tmp_path: Path) -> None:
    """After a restart, port, authority and administrator are the same, and objects, rules, users and keys exist."""
    with running_server("aistor", tmp_path) as server:
        stack = Aistor(server)
        with stack.cleanup:
            wanted = fill(stack)
            stack.iam.add_user("somebody", "secret-of-somebody")
            key = stack.iam.add_service_account("somebody")["credentials"]

    assert not (tmp_path / "server.json").exists()
    with running_server("aistor", tmp_path) as again:
        stack = Aistor(again)
        with stack.cleanup:
            assert (again.endpoint, again.ca_bundle, again.admin) == (server.endpoint, server.ca_bundle, server.admin)
            check(stack, wanted)
            assert stack.iam.info_service_account(key["accessKey"])["parentUser"] == "somebody"
            assert refused(stack.client("somebody", "wrong-secret").list_buckets) == (403, "SignatureDoesNotMatch")
            assert refused(stack.client(key["accessKey"], key["secretKey"]).list_buckets) == (403, "AccessDenied")


def test_aws_comes_back_with_everything_after_a_kill(tmp_path: Path) -> None:
    """Changes from some seconds before a SIGKILL survive it, including IAM users, keys and policies."""
    with running_server("aws", tmp_path) as server:
        stack = Aws(server)
        with stack.cleanup:
            wanted = fill(stack)
            user = stack.user({"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"})
            key = user._request_signer._credentials
            stack.admin.put_object(Bucket=wanted["bucket"], Key="last-of-all", Body=b"", ChecksumAlgorithm="CRC32")
            snapshot = tmp_path / "store.pickle"

            assert within(6, lambda: snapshot.exists() and b"last-of-all" in snapshot.read_bytes())
            os.kill(server.pid, signal.SIGKILL)
    with running_server("aws", tmp_path) as again:
        stack = Aws(again)
        with stack.cleanup:
            check(stack, wanted)
            assert "Buckets" in stack.client(key.access_key, key.secret_key).list_buckets()


def test_damaged_snapshot_is_set_aside(tmp_path: Path) -> None:
    """With an unreadable snapshot, the server starts empty, renames the file, and logs it."""
    (tmp_path / "store.pickle").touch(0o600)
    (tmp_path / "store.pickle").write_bytes(b"\x80\x05nonsense")
    with running_server("aistor", tmp_path) as server:
        stack = Aistor(server)
        with stack.cleanup:
            assert stack.admin.list_buckets()["Buckets"] == []

    assert len(list(tmp_path.glob("store.damaged-*"))) == 1
    assert "cannot read the snapshot" in (tmp_path / "serve.log").read_text()


def test_files_are_private_and_hold_no_secret_but_their_own(tmp_path: Path) -> None:
    """Every file has mode 0600; only admin.json holds a secret, the administrator's."""
    (tmp_path / "admin.json").touch(0o600)
    (tmp_path / "admin.json").write_text(json.dumps({"user": "planted-admin", "password": SECRET}))
    with running_server("aistor", tmp_path) as server:
        stack = Aistor(server)
        with stack.cleanup:
            stack.bucket()
            refused(stack.client("planted-admin", "wrong").list_buckets)
            state = json.loads((tmp_path / "server.json").read_text())
    files = [file for file in tmp_path.rglob("*") if file.is_file()]

    assert server.admin.user == "planted-admin"
    assert (state["cloud"], state["plugin"], state["region"]) == ("aistor", "minio", "us-west-2")
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert [file.name for file in files if SECRET.encode() in file.read_bytes()] == ["admin.json"]


def test_second_server_of_a_folder_waits_and_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers never share a folder: the second one fails with a message, and the first one continues."""
    monkeypatch.setattr(serve, "_PATIENCE", 0.2)
    with running_server("aws", tmp_path) as server:
        with pytest.raises(RuntimeError, match="another server uses"), serve._alone(tmp_path):
            pass
        stack = Aws(server)
        with stack.cleanup:
            assert "Buckets" in stack.admin.list_buckets()
    with serve._alone(tmp_path):
        assert (tmp_path / "serve.lock").exists()


def test_port_is_the_same_after_a_restart_under_connections(tmp_path: Path) -> None:
    """A connection that the server closed keeps the port of a listener without SO_REUSEADDR for a minute."""
    with running_server("aistor", tmp_path) as server:
        client = http.client.HTTPSConnection(
            urlsplit(server.endpoint).netloc, context=ssl.create_default_context(cafile=server.ca_bundle), timeout=10
        )
        client.request("GET", "/")
        client.getresponse().read()
        before = server.endpoint
    client.close()

    with running_server("aistor", tmp_path) as server:
        assert server.endpoint == before


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_plugin_is_served_beside(tmp_path: Path, cloud: str) -> None:
    """With the plugin, server.json names a port that accepts connections."""
    with running_server(cloud, tmp_path, plugin=True) as server:
        state = json.loads((tmp_path / "server.json").read_text())

        assert state["plugin"] == {"aistor": "minio", "aws": "aws"}[cloud]
        assert server.plugin_port == state["plugin_port"] > 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """When its parent process ends, the server saves and stops by itself."""
    parent = subprocess.Popen(["/bin/sleep", "60"])
    command = [
        sys.executable,
        "-m",
        "sandbox.server.serve",
        "--cloud",
        "aws",
        "--directory",
        str(tmp_path),
        "--no-plugin",
    ]
    server = subprocess.Popen([*command, "--parent-pid", str(parent.pid)])  # noqa: S603 - our own module
    try:
        assert within(30, (tmp_path / "server.json").exists)
        parent.kill()
        parent.wait()
        assert server.wait(15) == 0
        assert not (tmp_path / "server.json").exists()
    finally:
        parent.kill()
        server.kill()
        server.wait()
