"""The server speaks TLS with the sandbox's own authority, keeps connections, and accepts requests of real clients."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import pytest
from obstore.store import S3Store

if TYPE_CHECKING:
    from tests.sandbox.serving import Stack


def store_of(stack: Stack, bucket: str) -> S3Store:
    """An obstore client with the administrator's key."""
    server = stack.server
    return S3Store(
        bucket,
        endpoint=server.endpoint,
        access_key_id=server.admin.user,
        secret_access_key=server.admin.password,
        region=server.region,
        virtual_hosted_style_request=False,
        checksum_algorithm="SHA256",
        client_options={"root_certificate": Path(server.ca_bundle).read_bytes()},
    )


def test_only_the_sandbox_authority_is_good_enough(stack: Stack) -> None:
    """A client connects with the authority's certificate, and fails without it."""
    host = urlsplit(stack.server.endpoint).netloc
    untrusting = http.client.HTTPSConnection(host, context=ssl.create_default_context(), timeout=10)
    with pytest.raises(ssl.SSLCertVerificationError):
        untrusting.request("GET", "/")
    untrusting.close()
    trusting = http.client.HTTPSConnection(
        host, context=ssl.create_default_context(cafile=stack.server.ca_bundle), timeout=10
    )
    trusting.request("GET", "/")

    assert trusting.getresponse().status == 403
    trusting.close()


def test_connection_is_kept(stack: Stack) -> None:
    """Many requests, including refused ones and ones with bodies, use one connection."""
    context = ssl.create_default_context(cafile=stack.server.ca_bundle)
    connection = http.client.HTTPSConnection(urlsplit(stack.server.endpoint).netloc, context=context, timeout=10)
    connection.connect()
    kept = connection.sock
    for method, body in (("GET", None), ("PUT", b"x" * 100_000), ("HEAD", None), ("DELETE", None)) * 3:
        connection.request(method, "/bucket/key", body)
        connection.getresponse().read()

        assert connection.sock is kept
    connection.close()


def test_silent_client_stops_nobody(stack: Stack) -> None:
    """The server answers other clients while a silent client holds a connection."""
    parts = urlsplit(stack.server.endpoint)
    with socket.create_connection((parts.hostname or "", parts.port or 0)):
        assert "Buckets" in stack.admin.list_buckets()


def test_obstore_with_many_requests_at_once(stack: Stack) -> None:
    """Sixteen concurrent clients write, read, list and delete without a failure."""
    store = store_of(stack, stack.bucket())

    async def all_at_once() -> list[bytes]:
        limit = asyncio.Semaphore(16)

        async def one(number: int) -> bytes:
            async with limit:
                await obstore.put_async(store, f"p/{number:03}", str(number).encode())
                return bytes(await (await obstore.get_async(store, f"p/{number:03}")).bytes_async())

        return await asyncio.gather(*(one(number) for number in range(100)))

    assert asyncio.run(all_at_once()) == [str(number).encode() for number in range(100)]
    listed = obstore.list(store, prefix="p/").collect()
    assert len(listed) == 100
    obstore.delete(store, [one["path"] for one in listed])
    assert obstore.list(store).collect() == []


def test_multipart_of_both_clients_arrives_whole(stack: Stack, tmp_path: Path) -> None:
    """12 MB in parts, with checksums, by obstore and by boto3, into a bucket with default retention."""
    bucket = stack.bucket(ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    stack.admin.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    content = os.urandom(12 << 20)
    (tmp_path / "content").write_bytes(content)
    store = store_of(stack, bucket)
    obstore.put(store, "by-obstore", content, chunk_size=5 << 20)
    stack.admin.upload_file(str(tmp_path / "content"), bucket, "by-boto3")
    for key in ("by-obstore", "by-boto3"):
        assert bytes(obstore.get(store, key).bytes()) == content
        assert stack.admin.get_object(Bucket=bucket, Key=key)["Body"].read() == content
        assert stack.admin.head_object(Bucket=bucket, Key=key)["ObjectLockMode"] == "GOVERNANCE"


def test_metadata_and_ranges(stack: Stack) -> None:
    """Content type and metadata come back, and a range returns exactly its part of the object."""
    bucket = stack.bucket()
    stack.admin.put_object(Bucket=bucket, Key="k", Body=b"0123456789", ContentType="text/plain", Metadata={"a": "b"})
    got = stack.admin.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")

    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"234", "text/plain", {"a": "b"})
