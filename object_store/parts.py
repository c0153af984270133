"""An upload in parts by botocore, for what obstore's own upload cannot do.

obstore (0.12.1) sends a condition with whole bodies only; here it goes with the request that joins the parts. obstore
also takes the answer to that request for a failure if it holds the words "SlowDown" or "InternalError", which it does
if the key holds them. It then tries again, finds that the upload is gone, and reports that although the object was
stored. At most `PARTS_AT_ONCE` parts are held in memory; any failure aborts the upload.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html,
https://docs.rs/object_store/latest/src/object_store/client/retry.rs.html (body_contains_error)
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from object_store.errors import UnexpectedAnswer
from object_store.translation import BOTOCORE_ERRORS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedMultipartUploadTypeDef, CompletedPartTypeDef

    from object_store.arguments import Put
    from object_store.body import Blocks

PARTS_AT_ONCE: Final = 4


def is_misread_by_obstore(*texts: str) -> bool:
    """Whether obstore would take the end of an upload in parts for a failure, because of words in the answer."""
    return any(word in text for word in ("SlowDown", "InternalError") for text in texts)


def upload_in_parts(client: S3Client, wanted: Put, blocks: Blocks, *, if_absent: bool) -> str | None:
    """Store the blocks, and return the etag in its quotes; it raises botocore's errors.

    Raises:
        UnexpectedAnswer: an answer has no upload id, or a part's has no etag.
    """
    bucket, key = wanted.bucket, wanted.key
    upload = client.create_multipart_upload(
        Bucket=bucket, Key=key, ContentType=wanted.content_type, Metadata=wanted.metadata, ChecksumAlgorithm="SHA256"
    ).get("UploadId")
    if not upload:
        raise UnexpectedAnswer("the answer has no upload id", bucket=bucket, key=key)

    def send(number: int, part: bytes) -> CompletedPartTypeDef:
        answer = client.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part, ChecksumAlgorithm="SHA256"
        )
        etag = answer.get("ETag")
        if not etag:
            raise UnexpectedAnswer(f"the answer to part {number} has no ETag", bucket=bucket, key=key)
        done: CompletedPartTypeDef = {"PartNumber": number, "ETag": etag}
        if "ChecksumSHA256" in answer:
            done["ChecksumSHA256"] = answer["ChecksumSHA256"]
        blocks.count(len(part))
        return done

    try:
        done: list[CompletedPartTypeDef] = []
        with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="object-store-part") as pool:
            under_way: deque[Future[CompletedPartTypeDef]] = deque()
            for number, part in enumerate(blocks.parts(), start=1):
                if len(under_way) == PARTS_AT_ONCE:
                    done.append(under_way.popleft().result())
                under_way.append(pool.submit(send, number, part))
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
        with suppress(*BOTOCORE_ERRORS):  # report the failure that led here
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise
