"""Which bucket names and keys the adapter accepts.

The rule for a key: every S3 server returns it exactly as given, or the adapter refuses it. AWS stores any UTF-8 of up
to 1024 bytes. A MinIO server strips a leading slash, and refuses `//` and the segments `.` and `..` (also with white
space around them, and between backslashes). obstore strips slashes at both ends and refuses control characters. The
adapter refuses a key that one of them would change. A server may refuse more (MinIO: a segment over 255 bytes); then
its refusal is the `InvalidKey`. Prefixes are free text, and this rule does not check them.

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
    """Raise InvalidBucketName for a name that an S3 bucket cannot have."""
    if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
        raise InvalidBucketName(
            f"{bucket!r} is not a valid bucket name; legal: 3 to 63 of a-z, 0-9, '-' and '.', "
            "with a letter or digit first and last"
        )


def check_key(bucket: str, key: str) -> None:
    """Raise InvalidKey for a key that would not come back as given."""
    fault = _fault(key)
    if fault is not None:
        raise InvalidKey(
            f"the key {fault}; legal: 1 to {MAX_KEY_BYTES} bytes of UTF-8, segments separated by single slashes, "
            "none of them empty, '.' or '..', no control characters",
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
