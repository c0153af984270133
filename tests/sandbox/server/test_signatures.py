"""The server accepts a request only with a valid signature, made at the right time, over the right body."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.sandbox.serving import REGION, Stack, fetch, refused

if TYPE_CHECKING:
    from pathlib import Path


def signed(stack: Stack, method: str, path: str, body: bytes = b"", timestamp: datetime | None = None) -> AWSRequest:
    """A request signed with the administrator's key, at another time if one is given."""
    admin = stack.server.admin
    request = AWSRequest(method, stack.server.endpoint + path, data=body)
    signer = S3SigV4Auth(Credentials(admin.user, admin.password), "s3", REGION)
    signer.add_auth(request)
    if timestamp is not None:
        request.context["timestamp"] = timestamp.strftime("%Y%m%dT%H%M%SZ")
        del request.headers["Authorization"]
        request.headers.replace_header("X-Amz-Date", request.context["timestamp"])
        signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        signer._inject_signature_to_request(request, signature)  # type: ignore[attr-defined]  # botocore's own step
    return request


@pytest.fixture(name="filled")
def _filled(stack: Stack) -> tuple[Stack, str]:
    """A bucket with one object, `a key+%.txt`."""
    bucket = stack.bucket()
    stack.admin.put_object(Bucket=bucket, Key="a key+%.txt", Body=b"content")
    return stack, bucket


def test_wrong_secret_is_refused(stack: Stack) -> None:
    """A known key with another secret gives 403 SignatureDoesNotMatch."""
    wrong = stack.client(stack.server.admin.user, "not-the-secret")

    assert refused(wrong.list_buckets) == (403, "SignatureDoesNotMatch")


def test_unknown_key_is_refused(stack: Stack) -> None:
    """An unknown key gives 403 InvalidAccessKeyId."""
    assert refused(stack.client("AKIANOBODY0000000000", "x" * 40).list_buckets) == (403, "InvalidAccessKeyId")


def test_wrong_region_is_refused_and_the_right_one_named(stack: Stack) -> None:
    """A signature for another region gives 400 with the expected region."""
    request = AWSRequest("GET", f"{stack.server.endpoint}/some-bucket?list-type=2")
    admin = stack.server.admin
    S3SigV4Auth(Credentials(admin.user, admin.password), "s3", "eu-central-1").add_auth(request)
    status, body = fetch(stack, "GET", str(request.url), dict(request.headers))

    assert status == 400
    assert b"AuthorizationHeaderMalformed" in body
    assert b"us-west-2" in body


def test_wrong_region_of_a_head(filled: tuple[Stack, str], tmp_path: Path) -> None:
    """The answer has no body, so a header names the region: a stock client signs again and gets the object."""
    stack, bucket = filled
    admin = stack.server.admin
    path = f"{stack.server.endpoint}/{bucket}/a%20key%2B%25.txt"
    request = AWSRequest("HEAD", path)
    S3SigV4Auth(Credentials(admin.user, admin.password), "s3", "eu-central-1").add_auth(request)
    answer = requests.head(path, headers=dict(request.headers), verify=stack.server.ca_bundle, timeout=30)
    elsewhere = boto3.session.Session().client(
        "s3",
        endpoint_url=stack.server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=admin.user,
        aws_secret_access_key=admin.password,
        verify=stack.server.ca_bundle,
    )

    with closing(elsewhere):
        elsewhere.download_file(bucket, "a key+%.txt", str(tmp_path / "back"))

    assert (answer.status_code, answer.headers["x-amz-bucket-region"]) == (400, REGION)
    assert (tmp_path / "back").read_bytes() == b"content"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_clock_skew_is_refused(stack: Stack, minutes: int) -> None:
    """A time difference of more than 15 minutes gives 403 RequestTimeTooSkewed."""
    request = signed(stack, "GET", "/", timestamp=datetime.now(UTC) + timedelta(minutes=minutes))
    status, body = fetch(stack, "GET", str(request.url), dict(request.headers))

    assert (status, b"RequestTimeTooSkewed" in body) == (403, True)


def test_other_body_than_signed_is_refused(filled: tuple[Stack, str]) -> None:
    """A body with another hash than the signed one gives 400, and nothing is written."""
    stack, bucket = filled
    request = signed(stack, "PUT", f"/{bucket}/other", b"signed")
    status, body = fetch(stack, "PUT", str(request.url), dict(request.headers), b"sent!!")

    assert (status, b"XAmzContentSHA256Mismatch" in body) == (400, True)
    assert refused(stack.admin.head_object, Bucket=bucket, Key="other") == (404, "404")


def test_other_path_than_signed_is_refused(filled: tuple[Stack, str]) -> None:
    """A signature is not valid for another object."""
    stack, bucket = filled
    request = signed(stack, "GET", f"/{bucket}/elsewhere")
    status, body = fetch(stack, "GET", f"{stack.server.endpoint}/{bucket}/a%20key%2B%25.txt", dict(request.headers))

    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)


def test_wrong_checksum_is_refused(filled: tuple[Stack, str]) -> None:
    """A body that does not match its checksum is not stored."""
    stack, bucket = filled
    status, code = refused(stack.admin.put_object, Bucket=bucket, Key="x", Body=b"1", ChecksumSHA256="A" * 43 + "=")

    assert status == 400
    assert code in ("BadDigest", "XAmzContentChecksumMismatch")


def test_presigned_url_works_for_what_it_was_made_for(filled: tuple[Stack, str]) -> None:
    """GET and PUT work by URL alone, even for keys that need quoting."""
    stack, bucket = filled
    for key in ("a key+%.txt", "ä/ö=ü&x.txt"):
        target = {"Bucket": bucket, "Key": key}
        put = stack.admin.generate_presigned_url("put_object", Params=target)
        get = stack.admin.generate_presigned_url("get_object", Params=target)

        assert fetch(stack, "PUT", put, body=b"by url")[0] == 200
        assert fetch(stack, "GET", get) == (200, b"by url")


def test_presigned_url_is_refused_for_anything_else(filled: tuple[Stack, str]) -> None:
    """A change of signature, method, key, host or expiry gives 403 SignatureDoesNotMatch."""
    stack, bucket = filled
    url = stack.admin.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a key+%.txt"})
    host = urlsplit(url).netloc
    tampered = {
        "signature": (url[:-1] + ("0" if url[-1] != "0" else "1"), "GET", {}),
        "method": (url, "DELETE", {}),
        "key": (url.replace("a%20key", "b%20key"), "GET", {}),
        "expiry": (url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"), "GET", {}),
        "host": (url, "GET", {"Host": host.replace("127.0.0.1", "localhost")}),
    }
    answers = {name: fetch(stack, method, one, headers) for name, (one, method, headers) in tampered.items()}

    assert {
        name: (status, b"SignatureDoesNotMatch" in body) for name, (status, body) in answers.items()
    } == dict.fromkeys(tampered, (403, True))


def test_expired_presigned_url_is_refused(filled: tuple[Stack, str]) -> None:
    """An expired URL gives 403 AccessDenied with the message that it has expired."""
    stack, bucket = filled
    url = stack.admin.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"}, ExpiresIn=0)
    status, body = fetch(stack, "GET", url)
    while status != 403 or b"expired" not in body:  # it is still valid within its first second
        assert status == 404
        status, body = fetch(stack, "GET", url)

    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in body


def test_presigned_url_over_a_week_is_refused(filled: tuple[Stack, str]) -> None:
    """X-Amz-Expires above 604800 gives 400 AuthorizationQueryParametersError."""
    stack, bucket = filled
    url = stack.admin.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"}, ExpiresIn=604801)
    status, body = fetch(stack, "GET", url)

    assert (status, b"AuthorizationQueryParametersError" in body) == (400, True)


def test_anonymous_is_refused(filled: tuple[Stack, str]) -> None:
    """A request without a signature gives 403 AccessDenied in XML, and for HEAD no body."""
    stack, bucket = filled
    url = f"{stack.server.endpoint}/{bucket}/a%20key%2B%25.txt"
    status, body = fetch(stack, "GET", url)

    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)
    assert fetch(stack, "HEAD", url) == (403, b"")
    assert fetch(stack, "GET", stack.server.endpoint + "/")[0] == 403


def test_other_ways_to_sign_are_refused(stack: Stack) -> None:
    """SigV2 and a malformed header give 400, not 500."""
    for header in ("AWS AKIA:signature", "AWS4-HMAC-SHA256 Credential=x", "Bearer x"):
        assert fetch(stack, "GET", stack.server.endpoint + "/", {"Authorization": header})[0] == 400
