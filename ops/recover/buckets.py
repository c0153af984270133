"""Asks S3, on both clouds, which settings of a state's buckets are there.

The rule: only "no such bucket" and "no such configuration" mean gone. Every other refusal is a `CannotTellError`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from model.resources import TYPES, About, types_about
from ops.recover.lost import OF_BUCKET, CannotTellError, Held, Live

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT_ONCE = 16
_NO_BUCKET = "NoSuchBucket"
#: Error codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_MISSING = {
    About.LIFECYCLE: "NoSuchLifecycleConfiguration",
    About.PUBLIC_ACCESS: "NoSuchPublicAccessBlockConfiguration",
    About.OWNERSHIP: "OwnershipControlsNotFoundError",
    About.ENCRYPTION: "ServerSideEncryptionConfigurationNotFoundError",
    About.BUCKET_POLICY: "NoSuchBucketPolicy",
}
_NO_LOCK = "ObjectLockConfigurationNotFoundError"
# On AIStor the resource keeps the policy absent, so only its bucket can take it along.
_NEVER_GONE = types_about(About.BUCKET_POLICY) - {TYPES["aws"][About.BUCKET_POLICY]}


def live_buckets(client: "S3Client", held: Sequence[Held], there: Collection[str]) -> dict[Held, Live]:
    """What S3 says of each bucket, and of each setting of the buckets that exist.

    Args:
        client: The admin's client.
        held: The resources of the state.
        there: The names of the buckets that exist (`infra.live_buckets`).

    Raises:
        CannotTellError: S3 refused a question or did not answer it.
    """
    ours = [one for one in held if one.what is About.BUCKET or one.what in OF_BUCKET]
    found = {one: Live.THERE if one.of in there else Live.GONE for one in ours}
    settings = [one for one in held if one.what in OF_BUCKET and one.of in there and one.kind not in _NEVER_GONE]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return found | dict(zip(settings, pool.map(lambda one: _setting(client, one), settings), strict=True))


def _setting(client: "S3Client", one: Held) -> Live:
    absent = {_NO_BUCKET, _MISSING.get(one.what, _NO_LOCK)}
    try:
        answer = _asked(one, lambda: _QUESTIONS[one.what](client, one.of), absent)
    except _AbsentError as error:
        # Without object lock there cannot be a retention: then the bucket itself differs, and a refresh says so.
        return Live.THERE if str(error) == _NO_LOCK else Live.GONE
    if one.what is About.VERSIONING:
        return Live.THERE if answer.get("Status") == "Enabled" else Live.GONE
    if one.what is About.RETENTION:
        rule = answer["ObjectLockConfiguration"].get("Rule", {})
        return Live.THERE if rule.get("DefaultRetention") else Live.GONE
    return Live.THERE


_QUESTIONS: Mapping[About, Callable[["S3Client", str], Any]] = {
    About.VERSIONING: lambda client, name: client.get_bucket_versioning(Bucket=name),
    About.RETENTION: lambda client, name: client.get_object_lock_configuration(Bucket=name),
    About.LIFECYCLE: lambda client, name: client.get_bucket_lifecycle_configuration(Bucket=name),
    About.PUBLIC_ACCESS: lambda client, name: client.get_public_access_block(Bucket=name),
    About.OWNERSHIP: lambda client, name: client.get_bucket_ownership_controls(Bucket=name),
    About.ENCRYPTION: lambda client, name: client.get_bucket_encryption(Bucket=name),
    About.BUCKET_POLICY: lambda client, name: client.get_bucket_policy(Bucket=name),
}


class _AbsentError(Exception):
    """Strictly private: the server says that it does not exist; the message is its code."""


def _asked(one: Held, question: Callable[[], Any], absent: set[str]) -> Any:  # noqa: ANN401 - each question's own answer
    try:
        return question()
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code in absent:
            raise _AbsentError(code) from None
        reason = f"S3 answered {code} to {error.operation_name}"
    except BotoCoreError as error:
        reason = str(error)
    raise CannotTellError(f"cannot tell whether the {one.what.value} of {one.of} is there: {reason}") from None
