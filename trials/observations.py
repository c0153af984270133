"""What S3 servers answer differently: questions that a client other than the adapter asks a running server.

The rule: an observation is a question with a short answer that is the same in each run, without a verdict. The contract
must hold for all answers. They explain what the adapter does, and what a program without the adapter may get.
"""

from __future__ import annotations

import hashlib
import io
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from trials.servers import LeftBehindError, keys_of, made_bucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from trials.servers import Server

PART: Final = 5 * 1024 * 1024  # the smallest part that S3 accepts, except for the last one
_YEAR = 366 * 24 * 3600


class Asking:
    """A server to observe, with a bucket for the question."""

    def __init__(self, server: Server, client: S3Client, bucket: str) -> None:
        """Take a server, a client and an empty bucket."""
        self.server = server
        self.client = client
        self.bucket = bucket
        self._put: list[str] = []

    def put(self, key: str, body: bytes = b"x", **options: Any) -> str:  # noqa: ANN401 - of put_object
        """The answer to a put of an object."""
        self._put.append(key)
        return answer(lambda: self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **options))

    def remove(self) -> None:
        """Remove what was put, the last first: a server that keeps files may list an object and hide one below it."""
        for key in reversed(self._put):
            with suppress(ClientError, BotoCoreError):
                self.client.delete_object(Bucket=self.bucket, Key=key)

    def holds(self, key: str) -> bytes:
        """An object's body."""
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def parts(self, key: str, **options: Any) -> Any:  # noqa: ANN401 - of and from complete_multipart_upload
        """Put an object in two parts."""
        upload = self.client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        done: Any = []
        for number, part in enumerate((b"a" * PART, b"b"), start=1):
            sent = self.client.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=io.BytesIO(part)
            )
            done.append({"PartNumber": number, "ETag": sent["ETag"]})
        try:
            return self.client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}, **options
            )
        except ClientError:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
            raise

    def as_another(self, **changes: Any) -> str:  # noqa: ANN401 - of the client
        """The answer to a listing by a client with these changes."""
        other = self.server.client(**changes)
        try:
            # As a URL, because botocore would sign again by itself if a server names another region.
            url = other.generate_presigned_url("list_objects_v2", Params={"Bucket": self.bucket})
        finally:
            other.close()
        return self.opened(url)

    def opened(self, url: str) -> str:
        """The answer to a GET of a URL, in the form of `answer`."""
        status, body = self.server.open(url)
        code = re.search(rb"<Code>([^<]+)</Code>", body)
        return f"{status} {code[1].decode()}" if code else str(status)

    def presigned(self, key: str, *, expiry: int = 300, method: str = "get_object") -> str:
        """A URL for an object."""
        return self.client.generate_presigned_url(method, Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=expiry)


def answer(call: Callable[[], Any]) -> str:
    """The status code of an answer, and its error code if it is an error."""
    try:
        given = call()
    except ClientError as refusal:
        return _code(refusal)
    return str(given["ResponseMetadata"]["HTTPStatusCode"])


def _code(refusal: ClientError) -> str:
    status = refusal.response["ResponseMetadata"]["HTTPStatusCode"]
    code = refusal.response["Error"].get("Code", "")
    return f"{status} {code}" if not code.isdigit() else str(status)


def _etag_of_whole(ask: Asking) -> str:
    ask.put("whole", b"body")
    etag = ask.client.head_object(Bucket=ask.bucket, Key="whole")["ETag"].strip('"')
    return "its MD5" if etag == hashlib.md5(b"body", usedforsecurity=False).hexdigest() else "something else"


def _etag_of_parts(ask: Asking) -> str:
    etag = ask.parts("parts")["ETag"].strip('"')
    sums = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in (b"a" * PART, b"b"))
    if etag == hashlib.md5(sums, usedforsecurity=False).hexdigest() + "-2":
        return "MD5 of the parts' MD5s, `-2`"
    return "something else, `-2`" if etag.endswith("-2") else "something else"


def _put_if_absent(ask: Asking) -> str:
    ask.put("there", b"old")
    status = ask.put("there", b"new", IfNoneMatch="*")
    return status if ask.holds("there") == b"old" else f"{status}, replaced"


def _parts_if_absent(ask: Asking) -> str:
    ask.put("there", b"old")
    status = answer(lambda: ask.parts("there", IfNoneMatch="*"))
    return status if ask.holds("there") == b"old" else f"{status}, replaced"


def _put_if_unchanged(ask: Asking) -> str:
    ask.put("there", b"old")
    status = ask.put("there", b"new", IfMatch=f'"{"0" * 32}"')
    return status if ask.holds("there") == b"old" else f"{status}, replaced"


def _get_if_unchanged(ask: Asking) -> str:
    ask.put("there", b"old")
    return answer(lambda: ask.client.get_object(Bucket=ask.bucket, Key="there", IfMatch=f'"{"0" * 32}"'))


def _delete_missing(ask: Asking) -> str:
    return answer(lambda: ask.client.delete_object(Bucket=ask.bucket, Key="missing"))


def _list_missing_bucket(ask: Asking) -> str:
    return answer(lambda: ask.client.list_objects_v2(Bucket=f"{ask.bucket[:40]}-none"))


def _stored_as(key: str, body: bytes) -> Callable[[Asking], str]:
    def observe(ask: Asking) -> str:
        status = ask.put(key, body)
        if not status.startswith("2"):
            return status
        listed = keys_of(ask.client, ask.bucket)
        return f"{status}, listed as it is" if listed == [key] else f"{status}, listed as {listed}"

    return observe


def _beside(there: str, new: str) -> Callable[[Asking], str]:
    """The answer to a put of a second key, one of which is a folder of the other, and whether both are listed."""

    def observe(ask: Asking) -> str:
        ask.put(there, b"object")
        status = ask.put(new)
        if not status.startswith("2"):
            return status
        listed = keys_of(ask.client, ask.bucket)
        return f"{status}, both listed" if listed == sorted([there, new]) else f"{status}, listed as {listed}"

    return observe


def _long_segment(ask: Asking) -> str:
    return ask.put("s" * 256)


def _long_key(ask: Asking) -> str:
    return ask.put("/".join(["k" * 200] * 6))


def _order(ask: Asking) -> str:
    keys = ["a/b", "a-", "a0", "B", "é", "ﬁ", "😀"]
    for key in keys:
        ask.put(key)
    listed = keys_of(ask.client, ask.bucket)
    orders: dict[str, Callable[[str], Any]] = {"UTF-8": str.encode, "UTF-16": lambda key: key.encode("utf-16-be")}
    return next((name for name, order in orders.items() if listed == sorted(keys, key=order)), "something else")


def _escaped(ask: Asking) -> str:
    key = "a b+c%20&<'\">"
    ask.put(key)
    page = ask.client.list_objects_v2(Bucket=ask.bucket, EncodingType="url")
    encoded = page["Contents"][0]["Key"]  # as sent: botocore decodes only if it requested the encoding itself
    return "as it is" if encoded == key else f"`{encoded}`"


def _default_type(ask: Asking) -> str:
    ask.put("untyped")
    return f"`{ask.client.head_object(Bucket=ask.bucket, Key='untyped').get('ContentType', '')}`"


def _wrong_checksum(ask: Asking) -> str:
    return ask.put("k", b"body", ChecksumSHA256="A" * 43 + "=")


def _locked_without_checksum(ask: Asking) -> str:
    with made_bucket(ask.server, ask.client, locked=True) as locked:
        return answer(lambda: ask.client.put_object(Bucket=locked, Key="k", Body=b"x"))


def _locked_version(ask: Asking) -> str:
    with made_bucket(ask.server, ask.client, locked=True) as locked:
        options: Any = {"ChecksumAlgorithm": "SHA256"}
        version = ask.client.put_object(Bucket=locked, Key="k", Body=b"x", **options)["VersionId"]
        return answer(lambda: ask.client.delete_object(Bucket=locked, Key="k", VersionId=version))


def _wrong_secret(ask: Asking) -> str:
    return ask.as_another(aws_secret_access_key="of-nobody-of-nobody-of-nobody-of-nobody")  # noqa: S106 - of no identity


def _unknown_key(ask: Asking) -> str:
    return ask.as_another(aws_access_key_id="AKIANOBODYSACCESSKEY")


def _other_region(ask: Asking) -> str:
    other = "eu-central-1" if ask.server.config.region != "eu-central-1" else "us-west-2"
    return ask.as_another(region_name=other)


def _unsigned(ask: Asking) -> str:
    return ask.opened(f"{ask.server.config.endpoint}/{ask.bucket}?list-type=2")


def _presigned_get(ask: Asking) -> str:
    ask.put("shared")
    return ask.opened(ask.presigned("shared"))


def _presigned_tampered(ask: Asking) -> str:
    ask.put("shared")
    ask.put("secret")
    return ask.opened(ask.presigned("shared").replace("/shared?", "/secret?"))


def _presigned_too_long(ask: Asking) -> str:
    ask.put("shared")
    return ask.opened(ask.presigned("shared", expiry=_YEAR))


def _presigned_other_host(ask: Asking) -> str:
    ask.put("shared")
    parts = urlsplit(ask.presigned("shared"))
    other = "localhost" if parts.hostname == "127.0.0.1" else ""
    if not other:
        return "not asked"
    return ask.opened(parts._replace(netloc=f"{other}:{parts.port}").geturl())


def _lifecycle(ask: Asking) -> str:
    rule: Any = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 1}}
    return answer(
        lambda: ask.client.put_bucket_lifecycle_configuration(
            Bucket=ask.bucket, LifecycleConfiguration={"Rules": [rule]}
        )
    )


def _public_access_block(ask: Asking) -> str:
    return answer(
        lambda: ask.client.put_public_access_block(
            Bucket=ask.bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True}
        )
    )


def _versioning(ask: Asking) -> str:
    return answer(
        lambda: ask.client.put_bucket_versioning(Bucket=ask.bucket, VersioningConfiguration={"Status": "Enabled"})
    )


def _unknown_upload(ask: Asking) -> str:
    upload = ask.client.create_multipart_upload(Bucket=ask.bucket, Key="k")["UploadId"]
    ask.client.abort_multipart_upload(Bucket=ask.bucket, Key="k", UploadId=upload)
    return answer(lambda: ask.client.abort_multipart_upload(Bucket=ask.bucket, Key="k", UploadId=upload))


OBSERVATIONS: Final[dict[str, Callable[[Asking], str]]] = {
    "etag of a whole body": _etag_of_whole,
    "etag of an object of two parts": _etag_of_parts,
    "content type of an object stored without one": _default_type,
    "PUT `If-None-Match: *` over an object": _put_if_absent,
    "the same where parts are joined": _parts_if_absent,
    "PUT `If-Match` of another etag": _put_if_unchanged,
    "GET `If-Match` of another etag": _get_if_unchanged,
    "PUT with a SHA-256 that is not the body's": _wrong_checksum,
    "PUT without a checksum, bucket with default retention": _locked_without_checksum,
    "DELETE of a version under governance retention": _locked_version,
    "DELETE of a missing key": _delete_missing,
    "abort of an upload that was aborted": _unknown_upload,
    "listing of a missing bucket": _list_missing_bucket,
    "order of a listing": _order,
    "key ``a b+c%20&<'\">`` listed with `encoding-type=url`": _escaped,
    "key `dir/`, empty body": _stored_as("dir/", b""),
    "key `dir/`, one byte": _stored_as("dir/", b"x"),
    "key `a//b`": _stored_as("a//b", b"x"),
    "key `/a`": _stored_as("/a", b"x"),
    "key `a/../b`": _stored_as("a/../b", b"x"),
    "key `a/b` beside the object `a`": _beside("a", "a/b"),
    "key `a` beside the object `a/b`": _beside("a/b", "a"),
    "key with a segment of 256 bytes": _long_segment,
    "key of 1205 bytes": _long_key,
    "wrong secret": _wrong_secret,
    "unknown access key": _unknown_key,
    "signed for another region": _other_region,
    "not signed": _unsigned,
    "presigned GET": _presigned_get,
    "presigned GET, the key changed": _presigned_tampered,
    "presigned GET, the host changed": _presigned_other_host,
    "presigned GET that lives for a year": _presigned_too_long,
    "lifecycle rule": _lifecycle,
    "public access block": _public_access_block,
    "versioning": _versioning,
}


def observe(server: Server) -> dict[str, str]:
    """Every question with the server's answer, each in a separate bucket.

    Where the bucket cannot be removed afterwards, the answer says so and names it.
    """
    client = server.client()
    answers = {}
    try:
        for question, ask in OBSERVATIONS.items():
            try:
                with made_bucket(server, client) as bucket:
                    asking = Asking(server, client, bucket)
                    answers[question] = _answered(ask, asking)
                    asking.remove()
            except LeftBehindError as left:
                answers[question] += f"; {left}"
    finally:
        client.close()
    return answers


def _answered(ask: Callable[[Asking], str], asking: Asking) -> str:
    """The answer to a question; where the server lacks what the question needs, what it said to that."""
    try:
        return ask(asking)
    except ClientError as refusal:
        return f"not asked: {refusal.operation_name} answers {_code(refusal)}"
    except BotoCoreError as error:
        return f"not asked: {type(error).__name__}"
    except KeyError as missing:
        return f"not asked: an answer has no {missing.args[0]}"
