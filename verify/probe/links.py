"""Presigned URLs: that they work, and that only the signed request works.

The rule: a plain HTTP client sends a URL, and it is never shown. Refusals are tried only on objects of the run, so that
a server that accepts a wrong request does no harm.
"""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from model.plan import BucketPlan, IdentityPlan
from object_store import InvalidExpiry, ObjectStore
from verify.facts import DONE, Answer, LinkFacts, Tried
from verify.probe.actions import LINK_SECONDS
from verify.probe.answers import as_tried
from verify.probe.mark import mark_for, mark_headers
from verify.probe.seeds import condition, short_lock
from verify.probe.session import StoreSession

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Longer than S3 accepts: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
TOO_LONG = timedelta(days=7, seconds=1)
_BODY = b"put by link"
# MinIO of February 2026 looks at no signature in the query of such a put (GHSA-hv4r-mvr4-25vw), so whoever knows an
# access key id may put. The object exists, so the condition keeps it as it is.
_IN_CHUNKS = {
    "Content-Encoding": "aws-chunked",
    "If-None-Match": "*",
    "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "x-amz-decoded-content-length": "1",
    "x-amz-trailer": "x-amz-checksum-crc32",
}
_CHUNKS = b"1\r\nx\r\n0\r\nx-amz-checksum-crc32:jNwWgw==\r\n\r\n"
# Far longer than the clocks of a signed request and of its server may differ, so no URL of then is valid now.
_LONG_AGO = timedelta(hours=1)
_EXPIRED_SECONDS = 60


class _SignedLongAgo(S3SigV4QueryAuth):
    """Presigns as an hour ago: so a URL has expired without a wait, by every clock."""

    # botocore's stubs leave out what its signers may override.
    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = f"{datetime.now(UTC) - _LONG_AGO:%Y%m%dT%H%M%SZ}"
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # see above


def try_links(
    session: StoreSession, store: ObjectStore, bucket: BucketPlan, identity: IdentityPlan, prefix: str
) -> LinkFacts:
    """Sign and send URLs, right and wrong.

    Args:
        session: Of the run.
        store: The adapter with the identity's key.
        bucket: The bucket.
        identity: Who signs; it may put in the bucket.
        prefix: The run's prefix; `seed` is under it.
    """
    client = session.client(identity.name)
    name = bucket.name
    get = _signed(client, "get_object", Bucket=name, Key=f"{prefix}seed")
    found = {
        "get": as_tried(session.send("GET", get)),
        "put": _put(session, client, bucket, identity, f"{prefix}linked"),
        "tampered": as_tried(session.send("GET", _tampered(get))),
        "other_key": as_tried(session.send("GET", get.replace(f"{prefix}seed", f"{prefix}linked", 1))),
        # On a separate object: a server that accepts it deletes nothing that another attempt needs.
        "other_method": as_tried(
            session.send("DELETE", _signed(client, "get_object", Bucket=name, Key=f"{prefix}linked"))
        ),
        "too_long": _too_long(store, name, f"{prefix}seed"),
        "unsigned": _unsigned(session, client, name, f"{prefix}seed"),
        "expired": as_tried(session.send("GET", _expired(session, identity, get))),
    }
    return LinkFacts(identity=identity.name, **found)


def _signed(client: "S3Client", operation: str, **parameters: Any) -> str:  # noqa: ANN401 - boto3's own parameters
    return client.generate_presigned_url(operation, Params=parameters, ExpiresIn=LINK_SECONDS)


def _expired(session: StoreSession, identity: IdentityPlan, url: str) -> str:
    """The same request, signed long ago."""
    request = AWSRequest("GET", url.partition("?")[0])
    region = session.target.deployment.region
    _SignedLongAgo(session.credentials(identity.name), "s3", region, _EXPIRED_SECONDS).add_auth(request)
    return str(request.url)


def _put(session: StoreSession, client: "S3Client", bucket: BucketPlan, identity: IdentityPlan, key: str) -> Tried:
    digest = base64.b64encode(hashlib.md5(_BODY, usedforsecurity=False).digest()).decode()
    mark = mark_for(key)
    parameters: dict[str, Any] = {"Bucket": bucket.name, "Key": key, "ContentMD5": digest, "Metadata": mark}
    headers = {"Content-MD5": digest, **mark_headers(mark)}
    if condition(identity, bucket):  # a holder of the link sends it; it needs no signature
        headers["If-None-Match"] = "*"
    if identity.verifies and bucket.locked:
        lock = short_lock(bucket, session.now())
        until = lock["ObjectLockRetainUntilDate"].strftime("%Y-%m-%dT%H:%M:%SZ")
        parameters |= {"ObjectLockMode": lock["ObjectLockMode"], "ObjectLockRetainUntilDate": until}
        headers |= {"x-amz-object-lock-mode": lock["ObjectLockMode"], "x-amz-object-lock-retain-until-date": until}
    return as_tried(session.send("PUT", _signed(client, "put_object", **parameters), headers, _BODY))


def _unsigned(session: StoreSession, client: "S3Client", bucket: str, key: str) -> Tried:
    url = _tampered(_signed(client, "put_object", Bucket=bucket, Key=key))
    return as_tried(session.send("PUT", url, _IN_CHUNKS, _CHUNKS))


def _tampered(url: str) -> str:
    """The same URL with the last digit of its signature changed."""
    start = url.index("X-Amz-Signature=") + len("X-Amz-Signature=")
    end = url.find("&", start)
    end = len(url) if end < 0 else end
    last = "0" if url[end - 1] != "0" else "1"
    return url[: end - 1] + last + url[end:]


def _too_long(store: ObjectStore, bucket: str, key: str) -> Tried:
    try:
        store.presign(bucket, key, TOO_LONG)
    except InvalidExpiry as error:
        return Answer(code=type(error).__name__, said="refused before it was sent")
    return Answer(DONE)
