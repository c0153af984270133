"""Reads of a bucket's configuration, as facts.

The rule: an error's code becomes the fact. Where S3 says "there is none" by an error (no lifecycle, no object lock),
that is a value here and not an error.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from infra.plan import LifecycleRule, StorageClassChange
from verify.facts import Answer, LiveRetention, LiveRule

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

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


def answer(read: Callable[[], T]) -> Answer[T]:
    """Call once; an error of the server or of the way to it becomes the answer."""
    try:
        return Answer(read())
    except ClientError as error:
        return Answer(code=error.response["Error"]["Code"], said=error.response["Error"].get("Message", ""))
    except BotoCoreError as error:
        return Answer(code=type(error).__name__, said="no usable answer")


def read_location(client: "S3Client", bucket: str) -> Answer[str]:
    """The bucket's region; S3 says nothing for us-east-1."""
    return answer(lambda: str(client.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"))


def read_versioning(client: "S3Client", bucket: str) -> Answer[str]:
    """Enabled, Suspended, or Off where it was never set."""
    return answer(lambda: str(client.get_bucket_versioning(Bucket=bucket).get("Status", "Off")))


def read_rules(client: "S3Client", bucket: str) -> Answer[tuple[LiveRule, ...]]:
    """The lifecycle rules, in the server's order."""
    found = answer(lambda: client.get_bucket_lifecycle_configuration(Bucket=bucket))
    if found.code == "NoSuchLifecycleConfiguration":
        return Answer(())
    if found.value is None:
        return Answer(code=found.code, said=found.said)
    return Answer(tuple(live_rule(dict(rule)) for rule in found.value.get("Rules", [])))


def read_retention(client: "S3Client", bucket: str) -> Answer[LiveRetention]:
    """Object lock and default retention; years are given as 365 days each, as S3 counts them."""
    found = answer(lambda: client.get_object_lock_configuration(Bucket=bucket))
    if found.code == "ObjectLockConfigurationNotFoundError":
        return Answer(LiveRetention(enabled=False))
    if found.value is None:
        return Answer(code=found.code, said=found.said)
    configuration = found.value["ObjectLockConfiguration"]
    default: dict[str, Any] = dict(configuration.get("Rule", {}).get("DefaultRetention", {}))
    days = default.get("Days") or 365 * default.get("Years", 0) or None
    return Answer(
        LiveRetention(enabled=configuration.get("ObjectLockEnabled") == "Enabled", mode=default.get("Mode"), days=days)
    )


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
    if len(transitions) > 1 or (transitions and "Days" not in transitions[0]):
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
