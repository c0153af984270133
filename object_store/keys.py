"""Which bucket names and keys the adapter accepts.

The rule for a key: every S3 server returns it exactly as given, or the adapter refuses it. AWS stores any UTF-8 of up
to 1024 bytes. A MinIO server strips a leading slash, and refuses `//` and the segments `.` and `..` (also with white
space around them). SeaweedFS makes a `/` of each backslash. Others strip slashes at both ends or refuse control
characters. The adapter refuses a key that one of them would change. A server may refuse more (MinIO: a segment over
255 bytes); then its refusal is the `InvalidKey`. A prefix may be any UTF-8: it must find other writers' keys too. Left
out: `a/b` beside an object `a`, which one key does not show. AWS lists both, MinIO only `a`, versitygw refuses it.
`folders` refuses it where a listing shows it, and the command `put` warns.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from object_store.errors import InvalidBucketName, InvalidKey
from object_store.outgoing import Form, fault_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_KEY_BYTES = 1024
PROBE_PREFIX = ".verify/"
"""Where the verification suite puts its own objects, which are removed after a day."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}")


def check_bucket(bucket: str) -> None:
    """Raise InvalidBucketName for a name that an S3 bucket cannot have."""
    valid = isinstance(bucket, str) and _BUCKET.fullmatch(bucket) and ".." not in bucket
    if not valid or _ADDRESS.fullmatch(bucket):
        raise InvalidBucketName(
            f"{bucket!r} is not a valid bucket name; legal: 3 to 63 of a-z, 0-9, '-' and '.', "
            "with a letter or digit first and last, without '..', and no IP address"
        )


def check_key(bucket: str, key: str) -> None:
    """Raise InvalidKey for a key that would not come back as given."""
    fault = fault_of(key, Form.PATH, max_bytes=MAX_KEY_BYTES) or _fault(key)
    if fault is not None:
        raise InvalidKey(
            f"the key {fault}; legal: 1 to {MAX_KEY_BYTES} bytes of UTF-8, segments separated by single slashes, "
            "none of them empty, '.' or '..', no backslash, no control characters",
            bucket=bucket,
            key=str(key)[:MAX_KEY_BYTES],
        )


def check_key_of_put(bucket: str, key: str, *, probes: bool = False) -> None:
    """Raise InvalidKey also for a key of the verification suite, unless the writer is that suite (`probes`)."""
    check_key(bucket, key)
    if key.startswith(PROBE_PREFIX) and not probes:
        raise InvalidKey(
            f"the key is under {PROBE_PREFIX}, where only `object-store verify` puts objects, which expire after a "
            "day; legal: another first segment",
            bucket=bucket,
            key=key,
        )


def check_prefix(bucket: str, prefix: str, name: str = "prefix") -> None:
    """Raise InvalidKey for the beginning of a key, or for the key after which a listing begins, that no key has."""
    fault = fault_of(prefix, Form.QUERY, max_bytes=MAX_KEY_BYTES) if prefix != "" else None  # not None
    if fault is not None:
        raise InvalidKey(f"the {name} {fault}; legal: at most {MAX_KEY_BYTES} bytes of UTF-8", bucket=bucket)


def parents_of(key: str) -> Iterator[str]:
    """Yield the keys whose folder the key would be in: `a/b` and `a` for `a/b/c`."""
    while key := key.rpartition("/")[0]:
        yield key


def _fault(key: str) -> str | None:
    faults = {
        "begins or ends with a slash": key.startswith("/") or key.endswith("/"),
        "has an empty segment ('//')": "//" in key,
        "has a segment '.' or '..'": any(part.strip() in {".", ".."} for part in key.split("/")),
        "holds a backslash, which some servers take for a slash": "\\" in key,
    }
    return next((fault for fault, holds in faults.items() if holds), None)
