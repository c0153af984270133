"""Whether a file and an object are the same, by checksum, without transferring the object's body.

The rule: the answer is "the same" only if that is proven. S3's etag is the body's MD5 for an upload in one request. For
an upload in N parts it is the MD5 of the parts' MD5s with `-N`. With SSE-KMS, or on other servers, it can be anything.
So an equal etag proves the content, and a different etag proves nothing: the body must then be read. boto3, the AWS CLI
and this adapter all use parts of 8 MiB.

Source:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html#checking-object-integrity-etag-and-md5
"""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING

from object_store.body import PART_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from object_store.reference import ObjectRef

_ETAG = re.compile(r"[0-9a-f]{32}(?:-(?P<parts>[0-9]{1,5}))?")


def etag_of_file(path: Path, like: str) -> str | None:
    """Return the etag that the file would have, in the form of `like`; None if that form is unknown.

    Raises:
        OSError: the file cannot be read.
    """
    form = _ETAG.fullmatch(like)
    if form is None:
        return None
    if form["parts"] is None:
        with path.open("rb") as file:
            return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    parts, digests = 0, hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(PART_SIZE):
            parts += 1
            digests.update(hashlib.md5(part, usedforsecurity=False).digest())
    return f"{digests.hexdigest()}-{parts}"


def same_content(path: Path, ref: ObjectRef) -> bool:
    """Whether the file is proven to hold what the object held when its reference was made; False proves nothing.

    Raises:
        OSError: the file cannot be read.
    """
    return path.stat().st_size == ref.size and etag_of_file(path, ref.etag) == ref.etag
