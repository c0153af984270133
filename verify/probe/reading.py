"""Reads of a bucket's configuration.

The rule: an S3 error that means "not configured" (no lifecycle, no object lock, no policy) becomes a value here. Every
other error is raised, and `StoreSession.ask` turns it into an answer.
"""

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from model.lifecycle import FoundRule, api_rule
from model.written import WrittenError
from model.written_json import parse_json
from verify.facts import LiveRetention

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

NONE = "none"


def read_location(client: "S3Client", bucket: str) -> str:
    """The bucket's region; S3 returns no value for us-east-1."""
    return str(client.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1")


def read_versioning(client: "S3Client", bucket: str) -> str:
    """Enabled, Suspended, or Off if it was never set."""
    return str(client.get_bucket_versioning(Bucket=bucket).get("Status", "Off"))


def read_rules(client: "S3Client", bucket: str) -> tuple[FoundRule, ...]:
    """The lifecycle rules, in the server's order."""
    found = _unless(
        "NoSuchLifecycleConfiguration", lambda: dict(client.get_bucket_lifecycle_configuration(Bucket=bucket))
    )
    return tuple(api_rule(rule) for rule in found.get("Rules", []))


def read_retention(client: "S3Client", bucket: str) -> LiveRetention:
    """Object lock and default retention; a year is 365 days, as in S3."""
    found = _unless(
        "ObjectLockConfigurationNotFoundError", lambda: dict(client.get_object_lock_configuration(Bucket=bucket))
    )
    configuration = found.get("ObjectLockConfiguration", {})
    default: dict[str, Any] = dict(configuration.get("Rule", {}).get("DefaultRetention", {}))
    days = default.get("Days") or 365 * default.get("Years", 0) or None
    return LiveRetention(
        enabled=configuration.get("ObjectLockEnabled") == "Enabled", mode=default.get("Mode"), days=days
    )


def read_encryption(client: "S3Client", bucket: str) -> str:
    """Default encryption: `SSE-S3`, `SSE-KMS`, or `none`."""
    found = _unless(
        "ServerSideEncryptionConfigurationNotFoundError", lambda: dict(client.get_bucket_encryption(Bucket=bucket))
    )
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    names = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", NONE) for rule in rules]
    return ", ".join({"AES256": "SSE-S3", "aws:kms": "SSE-KMS"}.get(name, name) for name in names) or NONE


def read_public_access(client: "S3Client", bucket: str) -> tuple[str, ...]:
    """The settings of the public access block that are on, sorted."""
    found = _unless("NoSuchPublicAccessBlockConfiguration", lambda: dict(client.get_public_access_block(Bucket=bucket)))
    settings = found.get("PublicAccessBlockConfiguration", {})
    return tuple(sorted(name for name, on in settings.items() if on))


def read_ownership(client: "S3Client", bucket: str) -> str:
    """Object ownership, such as `BucketOwnerEnforced`, or `none`."""
    found = _unless("OwnershipControlsNotFoundError", lambda: dict(client.get_bucket_ownership_controls(Bucket=bucket)))
    rules = found.get("OwnershipControls", {}).get("Rules", [])
    return ", ".join(rule["ObjectOwnership"] for rule in rules) or NONE


def read_policy(client: "S3Client", bucket: str) -> str:
    """The bucket policy as JSON with sorted keys; empty if there is none, as it is if it is not JSON."""
    found = _unless("NoSuchBucketPolicy", lambda: dict(client.get_bucket_policy(Bucket=bucket)))
    text = str(found.get("Policy") or "")
    try:
        return json.dumps(parse_json(text, bucket), sort_keys=True) if text else ""
    except WrittenError:
        return text


def _unless(code: str, read: "Callable[[], dict[str, Any]]") -> dict[str, Any]:
    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] == code:
            return {}
        raise
