"""The faulty proxy: without a fault it changes nothing, and each fault does what it declares."""

import http.client
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)

from trials.faults import (
    AcceptBadLinks,
    DropHeader,
    Fault,
    Gone,
    Hook,
    IgnoreHeader,
    On,
    Request,
    ResetAnswer,
    ResetRequest,
    Response,
    SlowDown,
    Stall,
    TruncateAnswer,
    WrongEtag,
    expired_link,
    keys_of,
)
from trials.faulty_proxy import FaultyProxy, shut_endpoint
from trials.stores import Store

BODY = b"0123456789" * 10_000


@dataclass
class Way:
    """The worker's connection to a store, through a proxy with these faults."""

    store: Store
    proxy: FaultyProxy
    client: Any
    bucket: str
    cleanup: ExitStack = field(default_factory=ExitStack)

    def put(self, key: str = "k", body: bytes = BODY, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's arguments
        """Put an object through the proxy."""
        done: dict[str, Any] = self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **more)
        return done

    def get(self, key: str = "k") -> bytes:
        """Get an object through the proxy."""
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def exists(self, key: str = "k") -> bool:
        """Whether the store itself has the object."""
        return "Contents" in self.store.client.list_objects_v2(Bucket=self.bucket, Prefix=key)

    def link(self, operation: str = "get_object", seconds: int = 60) -> str:
        """A presigned URL for the proxy."""
        parameters = {"Bucket": self.bucket, "Key": "k"}
        url: str = self.client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)
        return url

    def fetch(self, url: str, method: str = "GET") -> int:
        """The status code of an unchanged request."""
        parts = urlsplit(url)
        if parts.scheme == "http":
            connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        else:
            context = ssl.create_default_context(cafile=self.proxy.ca_bundle)
            connection = http.client.HTTPSConnection(parts.netloc, timeout=20, context=context)
        try:
            connection.request(method, f"{parts.path}?{parts.query}")
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()


Open = Callable[..., Way]


@pytest.fixture(name="way")
def _way(any_store: Store) -> Iterator[Open]:
    """Open a connection to either store; objects in the bucket are removed at the end."""
    bucket = any_store.plan.bucket("scratch").name
    with ExitStack() as stack:

        def opened(*faults: Fault, plain: bool = False, endpoint: str | None = None, timeout: float = 20) -> Way:
            proxy = stack.enter_context(
                FaultyProxy(any_store.server.endpoint, any_store.server.ca_bundle, *faults, plain=plain)
            )
            pair = any_store.target.credentials["worker"]
            client = boto3.session.Session().client(
                "s3",
                endpoint_url=endpoint or proxy.endpoint,
                region_name=any_store.server.region,
                aws_access_key_id=pair.access_key_id,
                aws_secret_access_key=pair.secret_access_key.get_secret_value(),
                verify=proxy.ca_bundle,
                config=Config(
                    s3={"addressing_style": "path"},
                    signature_version="s3v4",
                    retries={"total_max_attempts": 1},
                    read_timeout=timeout,
                ),
            )
            stack.callback(client.close)
            return Way(any_store, proxy, client, bucket)

        yield opened
    for held in any_store.client.list_objects_v2(Bucket=bucket).get("Contents", []):
        any_store.client.delete_object(Bucket=bucket, Key=held["Key"])


def code_of(call: Callable[[], object]) -> str:
    """The code of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call()
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_without_a_fault_nothing_changes(way: Open) -> None:
    """Signatures stay valid, large bodies and unusual keys pass, presigned URLs work, refusals keep their code."""
    by = way()
    large = BODY * 120
    by.put("a b+ü%/x", large, Metadata={"m": "v"}, ChecksumAlgorithm="SHA256")

    assert by.get("a b+ü%/x") == large
    assert by.client.head_object(Bucket=by.bucket, Key="a b+ü%/x")["Metadata"] == {"m": "v"}
    by.put()
    assert by.fetch(by.link()) == 200
    assert by.fetch(by.link()[:-1] + "x") == 403
    assert code_of(lambda: by.client.get_bucket_policy(Bucket=by.bucket)) == "AccessDenied"
    assert [request.count for request in by.proxy.requests] == list(range(1, len(by.proxy.requests) + 1))


def test_nobody_listens(way: Open) -> None:
    """Connections to a closed endpoint are refused."""
    by = way(endpoint=shut_endpoint())

    with pytest.raises(EndpointConnectionError):
        by.get()


def test_gone(way: Open) -> None:
    """The server answers, stops at the second put, and refuses connections from then on."""
    by = way(Gone(when=On("PUT", skip=1)))
    by.put()

    # Which of the two the client library reports depends on what it was doing when the server stopped.
    with pytest.raises((ConnectionClosedError, SSLError)):
        by.put("second")
    with pytest.raises(EndpointConnectionError):
        by.get()
    assert not by.exists("second")


def test_reset_while_sending(way: Open) -> None:
    """The put fails and the store has no object."""
    by = way(ResetRequest(when=On("PUT")))

    with pytest.raises((ConnectionClosedError, SSLError)):
        by.put(body=BODY * 120)
    assert not by.exists()


def test_reset_while_answering(way: Open) -> None:
    """A put is done although its answer is lost; a get is truncated in the middle, over TLS without a proper end."""
    by = way(ResetAnswer(), plain=True)
    with pytest.raises(ConnectionClosedError):
        by.put()
    assert by.exists()

    got = by.client.get_object(Bucket=by.bucket, Key="k")
    assert got["ContentLength"] == len(BODY)
    with pytest.raises(ResponseStreamingError, match="more expected"):
        got["Body"].read()
    with pytest.raises(ConnectionResetError):
        by.fetch(by.link().replace(by.proxy.endpoint, by.proxy.endpoint_plain, 1))


def test_truncated_answer(way: Open) -> None:
    """The header has the full length, but only half of the body comes."""
    by = way(TruncateAnswer(when=On("GET")))
    by.put()
    got = by.client.get_object(Bucket=by.bucket, Key="k")

    assert got["ContentLength"] == len(BODY)
    with pytest.raises(ResponseStreamingError, match="more expected"):
        got["Body"].read()


def test_slow_down_burst(way: Open) -> None:
    """Two requests are rejected, the third is served."""
    by = way(SlowDown(when=On(times=2)))

    assert [code_of(by.put) for _ in range(2)] == ["SlowDown"] * 2
    by.put()
    assert by.exists()


def test_stall(way: Open) -> None:
    """The answer comes after the client's timeout, and closing the proxy does not wait for it."""
    by = way(Stall(30, when=On("GET")), timeout=0.3)
    by.put()
    begun = time.monotonic()

    with pytest.raises(ReadTimeoutError):
        by.get()
    with pytest.raises(ReadTimeoutError):
        by.get()
    by.proxy.stop()
    assert time.monotonic() - begun < 10


def test_short_stall(way: Open) -> None:
    """A client that waits gets the late answer."""
    by = way(Stall(0.3, when=On("GET")))
    by.put()
    begun = time.monotonic()

    assert by.get() == BODY
    assert time.monotonic() - begun >= 0.3


def test_wrong_etag(way: Open) -> None:
    """PUT and HEAD return another etag than the store has."""
    by = way(WrongEtag(when=On("PUT|HEAD")))
    told = by.put()["ETag"], by.client.head_object(Bucket=by.bucket, Key="k")["ETag"]

    assert told == ('"' + "0" * 32 + '"',) * 2
    assert by.store.client.head_object(Bucket=by.bucket, Key="k")["ETag"] not in told


def test_expiration_dropped(way: Open) -> None:
    """The header that names the rule is present, and is missing with the fault."""
    by = way()
    assert "band-hot" in by.put()["Expiration"]

    by.proxy.faults = (DropHeader("x-amz-expiration"),)
    assert "Expiration" not in by.put()


def test_bad_links_are_accepted(way: Open) -> None:
    """A tampered URL, an expired one, and one for another method are refused, and accepted with the fault."""
    by = way()
    by.put()
    short = by.link(seconds=1)
    tampered = by.link()[:-1] + ("0" if by.link()[-1] != "0" else "1")
    bad = [(tampered, "GET"), (by.link(), "DELETE")]
    assert [by.fetch(*request) for request in bad] == [403, 403]

    fault = AcceptBadLinks(keys_of(by.store.target), by.store.server.region, when=On(query="X-Amz-Signature"))
    by.proxy.faults = (fault,)
    assert [by.fetch(*request) for request in bad] == [200, 204]

    by.put()
    time.sleep(2.1)
    by.proxy.faults = ()
    assert by.fetch(short) == 403
    by.proxy.faults = (replace(fault, when=expired_link),)
    assert by.fetch(short) == 200
    assert by.fetch(tampered) == 403


def test_condition_ignored(way: Open) -> None:
    """An overwrite that must be refused is done, with the permissions of the caller."""
    by = way()
    by.put()
    assert code_of(lambda: by.put(body=b"new", IfNoneMatch="*")) == "PreconditionFailed"

    by.proxy.faults = (IgnoreHeader("If-None-Match", keys_of(by.store.target), by.store.server.region),)
    by.put(body=b"new", IfNoneMatch="*")
    assert by.get() == b"new"
    orphan = by.store.plan.bucket("orphan").name
    put = by.client.put_object
    assert code_of(lambda: put(Bucket=orphan, Key="k", Body=b"", IfNoneMatch="*")) == "AccessDenied"


def test_plain_http(way: Open) -> None:
    """Plain http is rejected by default; if it is accepted, the store gets TLS."""
    by = way()
    by.put()
    with pytest.raises(ValueError, match="plain=True"):
        _ = by.proxy.endpoint_plain
    assert by.fetch(by.link().replace("https:", "http:", 1)) == 400

    by = way(plain=True)
    assert by.link().startswith(by.proxy.endpoint)
    assert by.fetch(by.link().replace(by.proxy.endpoint, by.proxy.endpoint_plain, 1)) == 200
    assert by.fetch(by.link()) == 200
    assert [request.secure for request in by.proxy.requests] == [False, True]


def test_hooks(way: Open) -> None:
    """A test answers instead of the store, or changes what either side gets."""

    def teapot(request: Request) -> Response | None:
        return Response(418, (("x-made", "here"),), b"short and stout") if request.path.endswith("/pot") else None

    def renamed(request: Request) -> Request:
        return replace(request, query="")

    by = way(Hook(answering=teapot), Hook(rewriting=renamed, when=On("GET", "/k$", "X-Amz-Signature")))
    by.put()
    with pytest.raises(ClientError) as caught:
        by.get("pot")
    answer: Any = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 418
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-made"] == "here"
    assert by.fetch(by.link()) == 403


def test_error_in_a_hook_is_raised(aws_store: Store) -> None:
    """An exception in a test's hook is raised when the proxy closes."""

    def wrong(_: Request) -> Response:
        raise RuntimeError("a mistake in the hook")

    server = aws_store.server
    proxy = FaultyProxy(server.endpoint, server.ca_bundle, Hook(answering=wrong)).__enter__()
    context = ssl.create_default_context(cafile=proxy.ca_bundle)
    connection = http.client.HTTPSConnection(urlsplit(proxy.endpoint).netloc, timeout=20, context=context)
    connection.request("GET", "/")
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()

    with pytest.raises(RuntimeError, match="a mistake in the hook"):
        proxy.__exit__(None, None, None)
