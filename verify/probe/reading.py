"""Reads of a bucket's configuration.

The rule: where S3 says "there is none" by an error (no lifecycle, no object lock, no policy), that is a value here;
every other error is raised, for `Conversation.ask` to turn into an answer.
"""

import json
from typing import TYPE_CHECKING, Any, get_args

from botocore.exceptions import ClientError

from model.plan import LifecycleRule, StorageClassChange
from model.taxonomy import StorageClass
from verify.facts import LiveRetention, LiveRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

NONE = "none"
_RULE_KEYS = {
    "ID",
    "Status",
    "Filter",
    "Prefix",
    "Expiration",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
    "Transitions",
}


def read_location(client: "S3Client", bucket: str) -> str:
    """The bucket's region; S3 says nothing for us-east-1."""
    return str(client.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1")


def read_versioning(client: "S3Client", bucket: str) -> str:
    """Enabled, Suspended, or Off where it was never set."""
    return str(client.get_bucket_versioning(Bucket=bucket).get("Status", "Off"))


def read_rules(client: "S3Client", bucket: str) -> tuple[LiveRule, ...]:
    """The lifecycle rules, in the server's order."""
    found = _unless(
        "NoSuchLifecycleConfiguration", lambda: dict(client.get_bucket_lifecycle_configuration(Bucket=bucket))
    )
    return tuple(live_rule(dict(rule)) for rule in found.get("Rules", []))


def read_retention(client: "S3Client", bucket: str) -> LiveRetention:
    """Object lock and default retention; years are given as 365 days each, as S3 counts them."""
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
    """The bucket policy as JSON with sorted keys; empty where there is none."""
    found = _unless("NoSuchBucketPolicy", lambda: dict(client.get_bucket_policy(Bucket=bucket)))
    return json.dumps(json.loads(found["Policy"]), sort_keys=True) if found.get("Policy") else ""


def _unless(code: str, read: "Callable[[], dict[str, Any]]") -> dict[str, Any]:
    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] == code:
            return {}
        raise


def live_rule(rule: dict[str, Any]) -> LiveRule:
    """A rule of a GetBucketLifecycleConfiguration answer."""
    condition = dict(rule.get("Filter", {}))
    expiration = dict(rule.get("Expiration", {}))
    noncurrent = dict(rule.get("NoncurrentVersionExpiration", {}))
    transitions = list(rule.get("Transitions", []))
    beyond = {key: value for key, value in rule.items() if key not in _RULE_KEYS}
    beyond |= {f"Filter.{key}": value for key, value in condition.items() if key != "Prefix"}
    # MinIO and S3 both answer ExpiredObjectDeleteMarker false where days are set: that says nothing.
    beyond |= {f"Expiration.{key}": value for key, value in expiration.items() if key != "Days" and value}
    beyond |= {f"NoncurrentVersionExpiration.{key}": v for key, v in noncurrent.items() if key != "NoncurrentDays"}
    known = (
        len(transitions) == 1
        and "Days" in transitions[0]
        and transitions[0].get("StorageClass") in get_args(StorageClass)
    )
    if transitions and not known:
        beyond["Transitions"] = transitions
        transitions = []
    return LiveRule(
        rule=LifecycleRule.model_construct(
            id=str(rule.get("ID", "")),
            prefix=str(condition.get("Prefix", rule.get("Prefix", ""))),
            expire_after_days=expiration.get("Days"),
            expire_noncurrent_after_days=noncurrent.get("NoncurrentDays"),
            abort_multipart_after_days=dict(rule.get("AbortIncompleteMultipartUpload", {})).get("DaysAfterInitiation"),
            transition=StorageClassChange.model_construct(
                storage_class=transitions[0]["StorageClass"], after_days=transitions[0]["Days"]
            )
            if transitions
            else None,
        ),
        enabled=rule.get("Status") == "Enabled",
        beyond=", ".join(f"{key}={value}" for key, value in sorted(beyond.items())),
    )
