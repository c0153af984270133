"""A request in words, for a finding.

The rule: the sentence names what the live documents allow (their own patterns); `example` is the one request that
proves it, complete enough to be sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.allowed.requests import place
from model.allowed.statements import S3
from model.allowed.strangers import STRANGER

if TYPE_CHECKING:
    from model.allowed.decide import Request

VERBS = {
    "s3:GetObject": "read",
    "s3:GetObjectVersion": "read versions",
    "s3:PutObject": "put",
    "s3:DeleteObject": "delete",
    "s3:DeleteObjectVersion": "delete versions",
    "s3:ListBucket": "list",
    "s3:ListBucketVersions": "list versions",
    "s3:BypassGovernanceRetention": "bypass governance retention",
    "s3:PutObjectRetention": "set retention",
    "s3:PutObjectLegalHold": "set legal hold",
    "s3:PutBucketPolicy": "change the bucket's policy",
    "s3:PutLifecycleConfiguration": "change lifecycle rules",
    "s3:PutBucketVersioning": "change versioning",
    "s3:ListAllMyBuckets": "list the names of all buckets",
}


def sentence(request: Request) -> str:
    """What the principal may do, in one sentence without a full stop: `reader` may put under `2026/*` of `b`."""
    verb = request.says or VERBS.get(request.action) or f"ask for `{request.action}`"
    doubt = f", if this holds, which is not understood: {'; '.join(request.unknown)}" if request.unknown else ""
    return f"{_who(request)} may {verb}{_where(request)}{doubt}"


def example(request: Request) -> str:
    """The request itself: `s3:PutObject` on `arn:aws:s3:::b/2026/x` with aws:SecureTransport `true`."""
    is_of_s3 = request.action.startswith("s3:")
    found = [f"`{request.action}` on `{request.resource}`" if is_of_s3 else f"`{request.action}`"]
    given = {key: values for key, values in request.conditions.items() if values}
    if given:
        texts = (f"{key} {' and '.join(f'`{one}`' for one in values)}" for key, values in sorted(given.items()))
        found.append(f"with {', '.join(texts)}")
    if absent := sorted(key for key, values in request.conditions.items() if not values):
        found.append(f"without {', '.join(absent)}")
    return " ".join(found)


def _who(request: Request) -> str:
    if request.principal == STRANGER:
        return "every principal of every account"
    return f"`{request.principal}`" if request.principal else "an anonymous caller"


def _where(request: Request) -> str:
    if not request.bucket:
        return ""
    area = max(request.areas, key=lambda one: len(one.rstrip("*")), default=request.resource)
    bucket, keys = place(area) if area.startswith(S3) else ("", "")
    bucket = bucket or "*"
    of_bucket = f"`{bucket}`" if bucket != "*" else "every bucket"
    if not request.key or not keys.rstrip("*"):
        return f" in {of_bucket}"
    return f" under `{keys}` of {of_bucket}" if keys.endswith("*") else f" `{keys}` of {of_bucket}"
