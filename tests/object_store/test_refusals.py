"""How answers of a server are sorted: by S3's code, for each client."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from botocore.parsers import ResponseParserError

import object_store
from object_store.answers import condition_of_get
from object_store.translation import Place, translated
from tests.object_store.conftest import config_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.mark import ParameterSet

    from object_store import ObjectStore
    from tests.object_store.conftest import Answer, MakeStore, Request, ScriptedServer

OPERATIONS: dict[str, Callable[[ObjectStore], object]] = {
    "upload": lambda store: store.upload("probe", "a/k", b"body"),
    "multipart": lambda store: store.upload("probe", "a/k", bytes(object_store.MULTIPART_THRESHOLD + 1)),
    "download": lambda store: store.download("probe", "a/k"),
    "head": lambda store: store.head("probe", "a/k"),
    "list": lambda store: next(store.list("probe", "a/k")),
    "delete": lambda store: store.delete_object("probe", "a/k"),
}

CASES = [
    (403, "AccessDenied", object_store.AccessDenied),
    (403, "AllAccessDisabled", object_store.AccessDenied),
    (403, "InvalidAccessKeyId", object_store.BadCredentials),
    (403, "SignatureDoesNotMatch", object_store.BadCredentials),
    (400, "ExpiredToken", object_store.BadCredentials),
    (400, "InvalidToken", object_store.BadCredentials),
    (403, "RequestTimeTooSkewed", object_store.ClockSkew),
    (400, "AuthorizationHeaderMalformed", object_store.WrongRegion),
    (404, "NoSuchBucket", object_store.BucketNotFound),
    (400, "QuotaExceeded", object_store.QuotaExceeded),
    (400, "XMinioAdminBucketQuotaExceeded", object_store.QuotaExceeded),
    (507, "XMinioStorageFull", object_store.QuotaExceeded),
    (400, "KeyTooLongError", object_store.InvalidKey),
    (400, "XMinioInvalidObjectName", object_store.InvalidKey),
    (400, "InvalidBucketName", object_store.InvalidBucketName),
    (503, "SlowDown", object_store.Unavailable),
    (503, "XMinioServerNotInitialized", object_store.Unavailable),
    (500, "InternalError", object_store.Unavailable),
    # Codes that are not in the table: the status decides.
    (401, "SomethingNew", object_store.BadCredentials),
    (403, "SomethingNew", object_store.AccessDenied),
    (429, "SomethingNew", object_store.Unavailable),
    (400, "SomethingNew", object_store.RequestRefused),
    (409, "InvalidBucketState", object_store.RequestRefused),
    (501, "NotImplemented", object_store.Unavailable),
]


def _case(operation: str, status: int, code: str, error: type[object_store.ObjectStoreError]) -> ParameterSet:
    return pytest.param(operation, status, code, error, id=f"{operation} {status} {code}")


@pytest.mark.parametrize(
    ("operation", "status", "code", "error"),
    [
        _case(operation, *case)
        for operation in ("upload", "download", "head", "list", "delete")
        for case in CASES
        # One operation of each client gets all cases; the others show that they behave alike.
        if operation in {"download", "list"} or case[1] in {"AccessDenied", "SignatureDoesNotMatch", "SlowDown"}
    ],
)
def test_code_decides_the_class(
    scripted: ScriptedServer,
    answer: type[Answer],
    store_at: MakeStore,
    operation: str,
    status: int,
    code: str,
    error: type[object_store.ObjectStoreError],
) -> None:
    """Each operation raises exactly that class, with place, code and status (HEAD has no code for a server's fault)."""
    scripted.always(answer.refusal(status, code, "It&apos;s refused."))

    with pytest.raises(error) as refused:
        OPERATIONS[operation](store_at(scripted.endpoint, max_retries=0))

    found = refused.value
    assert type(found) is error
    assert (found.bucket, found.key, found.code) == (
        "probe",
        "a/k",
        code if operation != "head" or status < 500 else None,
    )
    assert found.status == status
    assert "'probe'" in str(found)
    assert "'a/k'" in str(found)


def test_server_is_quoted(scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore) -> None:
    """Reason, code and remedy are in one line."""
    scripted.always(answer.refusal(403, "AccessDenied", "Because\n  it&apos;s so."))

    with pytest.raises(object_store.AccessDenied) as refused:
        store_at(scripted.endpoint).download("probe", "k")

    assert str(refused.value).startswith(
        "bucket 'probe', key 'k': Because it's so. (AccessDenied). The identity behind"
    )


def test_error_of_botocore_that_has_no_class_here() -> None:
    """The message shows its name, and nothing of its text."""
    place = Place("https://h", "probe", None, ())

    error = translated(ResponseParserError("<planted>"), place)

    assert type(error) is object_store.UnexpectedAnswer
    assert "(ResponseParserError)" in str(error)
    assert "planted" not in str(error)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "AccessDenied", "Access Denied because object protected by object lock."),
        (400, "InvalidRequest", "Object is WORM protected and cannot be overwritten"),
        (403, "ObjectLocked", "Object is WORM protected and cannot be overwritten"),
    ],
    ids=["AWS", "MinIO", "versitygw"],
)
@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "kept until its retention or legal hold ends"),
        (
            {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2027-01-02T03:04:05Z"},
            r"kept until 2027-01-02T03:04:05Z \(GOVERNANCE\)",
        ),
        ({"x-amz-object-lock-legal-hold": "ON"}, "kept until its legal hold is lifted"),
    ],
    ids=["unknown", "retention", "legal hold"],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_refusal_of_an_object_lock(  # the table's columns
    scripted: ScriptedServer,
    answer: type[Answer],
    store_at: MakeStore,
    status: int,
    code: str,
    message: str,
    told: dict[str, str],
    words: str,
    asynchronous: bool,  # noqa: FBT001
) -> None:
    """It says until when the object is kept, and gives no advice about grants."""
    scripted.answer = lambda request: (
        answer(headers={"ETag": '"e"', **told}) if request.method == "HEAD" else answer.refusal(status, code, message)
    )

    def upload() -> object:
        if asynchronous:
            return asyncio.run(_upload_asynchronously(scripted.endpoint))
        return store_at(scripted.endpoint).upload("probe", "k", b"1")

    with pytest.raises(object_store.ObjectLocked, match=words) as refused:
        upload()

    assert isinstance(refused.value, object_store.AccessDenied)
    assert "grant" not in str(refused.value)
    assert refused.value.status == status


async def _upload_asynchronously(endpoint: str) -> None:
    async with object_store.AsyncObjectStore(config_for(endpoint)) as store:
        await store.upload("probe", "k", b"1")


@pytest.mark.parametrize("endpoint", ["https://s3.us-west-2.amazonaws.com", "AWS S3 in us-west-2"])
def test_denial_of_aws_may_hide_a_missing_object(endpoint: str) -> None:
    """AWS answers 403 for a missing object to whoever may not list the bucket; other servers do not."""
    denied = object_store.AccessDenied("Access Denied", bucket="probe", key="k", code="AccessDenied", status=403)

    told = condition_of_get(denied, Place(endpoint, "probe", "k", ()), None)

    assert "or no such object: AWS tells only those who may list the bucket" in str(told)
    assert (type(told), told.code, told.status) == (object_store.AccessDenied, "AccessDenied", 403)
    assert condition_of_get(denied, Place("https://minio", "probe", "k", ()), None) is denied


def test_endless_message_is_cut(scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore) -> None:
    """A server cannot fill the log."""
    scripted.always(answer.refusal(403, "AccessDenied", "x" * 100_000))

    with pytest.raises(object_store.AccessDenied) as refused:
        store_at(scripted.endpoint).download("probe", "k")

    assert len(str(refused.value)) < 1000


def test_refused_part_fails_the_whole_upload(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore
) -> None:
    """A part that is refused ends the upload with the server's reason, and the upload is aborted."""

    def multipart(request: Request) -> Answer:
        if request.path.endswith("?uploads"):
            return answer(
                body=b"<InitiateMultipartUploadResult><Bucket>probe</Bucket><Key>k</Key><UploadId>U</UploadId>"
                b"</InitiateMultipartUploadResult>"
            )
        if request.method == "DELETE":
            return answer(204)
        return answer.refusal(400, "QuotaExceeded")

    scripted.answer = multipart

    with pytest.raises(object_store.QuotaExceeded):
        OPERATIONS["multipart"](store_at(scripted.endpoint, max_retries=0))

    assert "DELETE" in {request.method for request in scripted.seen}


@pytest.mark.parametrize("operation", ["upload", "download", "head", "list", "delete"])
@pytest.mark.parametrize(
    ("status", "error"),
    [(403, object_store.UnexpectedAnswer), (404, object_store.UnexpectedAnswer), (502, object_store.Unavailable)],
)
def test_page_of_a_proxy_is_not_taken_for_s3(
    scripted: ScriptedServer,
    answer: type[Answer],
    store_at: MakeStore,
    operation: str,
    status: int,
    error: type[object_store.ObjectStoreError],
) -> None:
    """A 404 without S3's error is not a missing object: another program answers at this endpoint."""
    scripted.always(answer(status, b"<html>nginx</html>", {"Content-Type": "text/html"}))

    with pytest.raises(error, match=f"{scripted.endpoint} answered {status}") as refused:
        OPERATIONS[operation](store_at(scripted.endpoint, max_retries=0))

    assert refused.value.code is None


def test_page_of_a_console_is_no_listing(scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore) -> None:
    """200 with something other than a listing is an unexpected answer, not an empty bucket."""
    store = store_at(scripted.endpoint, max_retries=0)

    for page in (b"<html><p>console", b"<html></html>", b""):
        scripted.always(answer(200, page, {"Content-Type": "text/html"}))
        with pytest.raises(object_store.UnexpectedAnswer, match=r"listing|is not an S3 answer|not understood"):
            list(store.list("probe"))


def test_redirect_without_target_is_the_wrong_region(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore
) -> None:
    """S3 answers a request for a bucket in another region with a redirect without a target."""
    scripted.always(answer.refusal(301, "PermanentRedirect"))

    with pytest.raises(object_store.WrongRegion, match="AWS_REGION"):
        store_at(scripted.endpoint).download("probe", "k")


def test_head_asks_again_for_the_reason(scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore) -> None:
    """HEAD's answer has no code, so one GET finds it; an object that appeared in between is returned."""

    def appearing(request: Request) -> Answer:
        if request.method == "HEAD":
            return answer.refusal(404, "NoSuchKey")
        return answer(body=b"12", headers={"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"})

    scripted.answer = appearing

    assert store_at(scripted.endpoint).head("probe", "k").size == 2
    assert [request.method for request in scripted.seen] == ["HEAD", "GET"]


@pytest.mark.parametrize("operation", ["upload", "download", "list", "delete"])
def test_burst_of_503_is_ridden_out(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, operation: str
) -> None:
    """Two refusals because of load, then the answer: the caller does not notice them."""
    lock, count = threading.Lock(), 0

    def busy(request: Request) -> Answer:
        nonlocal count
        with lock:
            count += 1
        if count <= 2:
            return answer.refusal(503, "SlowDown")
        if request.method == "DELETE":
            return answer(204)
        body = (
            b"<ListBucketResult><IsTruncated>false</IsTruncated>"
            b'<Contents><Key>a/k</Key><ETag>"e"</ETag><Size>1</Size></Contents></ListBucketResult>'
        )
        return answer(body=body, headers={"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"})

    scripted.answer = busy
    OPERATIONS[operation](store_at(scripted.endpoint))

    assert len(scripted.seen) == 3
