"""An upload in parts: botocore begins and joins it, and the store's own connections send the parts.

The rule: each part is acknowledged by its digest, and the joined object by an etag; any failure aborts the upload, so
no part stays. At most `PARTS_AT_ONCE` parts are held in memory. A condition (`if_absent`) goes with the request that
joins the parts.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from object_store.answers import acknowledged
from object_store.errors import UnexpectedAnswer
from object_store.translation import BOTOCORE_ERRORS
from object_store.wire import Ask

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedMultipartUploadTypeDef, CompletedPartTypeDef

    from object_store.arguments import Put
    from object_store.body import Blocks
    from object_store.translation import Place
    from object_store.wire import Wire

PARTS_AT_ONCE: Final = 4


def upload_in_parts(
    client: S3Client, wire: Wire, wanted: Put, blocks: Blocks, place: Place, *, if_absent: bool
) -> str | None:
    """Store the blocks, and return the etag in its quotes, which some servers leave out.

    Raises:
        UnexpectedAnswer: an answer has no upload id, or a part's has no etag.
        CorruptBody: the server acknowledges another part than was sent.
        ObjectStoreError: the server refuses a part.
        botocore's errors: no answer, or it refuses to begin or to join.
    """
    bucket, key = wanted.bucket, wanted.key
    begun: Future[str] = Future()

    def begin() -> str:
        upload = client.create_multipart_upload(
            Bucket=bucket,
            Key=key,
            ContentType=wanted.content_type,
            Metadata=wanted.metadata,
            ChecksumAlgorithm="SHA256",
        ).get("UploadId")
        if not upload:
            raise UnexpectedAnswer("the answer has no upload id", bucket=bucket, key=key)
        return upload

    def send(upload: str, number: int, part: bytes) -> CompletedPartTypeDef:
        sha256 = hashlib.sha256(part)
        checksum = b64encode(sha256.digest()).decode()
        ask = Ask(
            "PUT",
            bucket,
            key,
            {"partNumber": str(number), "uploadId": upload},
            {"x-amz-checksum-sha256": checksum},
            part,
            sha256.hexdigest(),
        )
        etag = acknowledged(wire.send(ask, place), ask, f"the answer to part {number}")
        blocks.count(len(part))
        # A server that does not repeat the checksum may still demand it when the parts are joined.
        return {"PartNumber": number, "ETag": f'"{etag}"', "ChecksumSHA256": checksum}

    try:
        done: list[CompletedPartTypeDef] = []
        with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="object-store-part") as pool:
            # In a thread of its own the answer still arrives after a signal, and with it the id of what is to abort.
            begun = pool.submit(begin)
            upload = begun.result()
            under_way: deque[Future[CompletedPartTypeDef]] = deque()
            for number, part in enumerate(blocks.parts(), start=1):
                if len(under_way) == PARTS_AT_ONCE:
                    done.append(under_way.popleft().result())
                under_way.append(pool.submit(send, upload, number, part))
            done += [each.result() for each in under_way]
        parts: CompletedMultipartUploadTypeDef = {"Parts": done}
        if if_absent:
            return client.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=upload, MultipartUpload=parts, IfNoneMatch="*"
            ).get("ETag")
        return client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload=parts).get(
            "ETag"
        )
    except BaseException:
        if begun.done() and begun.exception() is None:
            with suppress(*BOTOCORE_ERRORS):  # report the failure that led here
                client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=begun.result())
        raise
