"""What bucket names and keys the adapter takes.

The rule for a key: it comes back from every S3 server exactly as it was given, or it is refused here. AWS stores any
UTF-8 of up to 1024 bytes, but a MinIO server strips a leading slash, and refuses `//` and the segments `.` and `..`
(with white space around them, and between backslashes, too); obstore strips slashes at either end and refuses control
characters. What one of them would change is therefore no key of ours. What a server refuses beyond that (MinIO: a
segment over 255 bytes) is its own `InvalidKey`. Prefixes are free text and are not checked by this rule.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html,
https://docs.rs/object_store/latest/object_store/path/struct.Path.html
"""

from __future__ import annotations

import re

from object_store.errors import InvalidBucketName, InvalidKey

MAX_KEY_BYTES = 1024
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_bucket(bucket: str) -> None:
    """Refuse what no S3 bucket can be called: InvalidBucketName."""
    if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
        raise InvalidBucketName(
            f"{bucket!r} cannot be a bucket's name; legal: 3 to 63 of a-z, 0-9, '-' and '.', "
            "with a letter or digit first and last"
        )


def check_key(bucket: str, key: str) -> None:
    """Refuse a key that would not come back as it was given: InvalidKey."""
    fault = _fault(key)
    if fault is not None:
        raise InvalidKey(
            f"the key {fault}; legal: 1 to {MAX_KEY_BYTES} bytes of UTF-8, segments parted by single slashes, none "
            "empty, '.' or '..', no control characters",
            bucket=bucket,
            key=str(key)[:MAX_KEY_BYTES],
        )


def _fault(key: str) -> str | None:
    if not isinstance(key, str):
        return f"is {type(key).__name__}, not str"
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "holds a lone surrogate, which is not UTF-8"
    faults = {
        "is empty": not key,
        f"has {length} bytes": length > MAX_KEY_BYTES,
        "begins or ends with a slash": key.startswith("/") or key.endswith("/"),
        "has an empty segment ('//')": "//" in key,
        "has a segment '.' or '..'": any(part.strip() in {".", ".."} for part in re.split(r"[/\\]", key)),
        "holds a control character": _CONTROL.search(key) is not None,
    }
    return next((fault for fault, holds in faults.items() if holds), None)
