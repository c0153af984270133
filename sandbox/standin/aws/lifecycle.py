"""aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration: the one set of rules that a bucket may have.

The one rule: after a write the provider reads until the server has exactly the sent rules. So if a server drops part of
a rule, the write fails, not the next diff. Left out: rules by the deprecated `prefix` of a bucket's inline
`lifecycleRules` (read only, for the bucket's outputs), S3 Express buckets, and custom timeouts.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from sandbox.standin.aws.connection import AwsClients, doing, found, patiently
from sandbox.standin.aws.resource_type import FrameworkResource
from sandbox.standin.aws.validation import account_id, at_least, framework_enum, length
from sandbox.standin.properties import Property, Table, block, blocks, boolean, integer, string, string_map
from sandbox.standin.resource import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3.type_defs import LifecycleRuleUnionTypeDef

    from sandbox.standin.aws.account import Account
    from sandbox.standin.values import Bag

_STORAGE_CLASSES: Final = (
    "GLACIER",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
)
_DEFAULT_SIZE: Final = "all_storage_classes_128K"
_NONE: Final = frozenset({"NoSuchBucket", "NoSuchLifecycleConfiguration"})

# The real provider waits up to three minutes, in steps of five seconds, for ten equal answers in a row.
_SETTLING_SECONDS: Final = 1.5
_POLL_SECONDS: Final = 0.1


def _unordered_blocks(fields: Table, **facts: Any) -> Property:  # noqa: ANN401 - the fields of Property
    return Property("set", fields=fields, default=[], **facts)


_FILTER: Final[Table] = {
    "and": block(
        {
            "objectSizeGreaterThan": integer(optional=True, default=0, valid=at_least(0)),
            "objectSizeLessThan": integer(optional=True, default=0),
            "prefix": string(optional=True, default=""),
            "tags": string_map(optional=True),
        },
        optional=True,
    ),
    "objectSizeGreaterThan": integer(optional=True),
    "objectSizeLessThan": integer(optional=True),
    "prefix": string(optional=True),
    "tag": block({"key": string(required=True), "value": string(required=True)}, optional=True),
}

_RULE: Final[Table] = {
    "abortIncompleteMultipartUpload": block({"daysAfterInitiation": integer(optional=True)}, optional=True),
    "expiration": block(
        {
            "date": string(optional=True),
            "days": integer(optional=True, default=0),
            "expiredObjectDeleteMarker": boolean(optional=True, default=False),
        },
        optional=True,
    ),
    "filter": block(_FILTER, optional=True),
    "id": string(required=True, valid=length(1, 255)),
    "noncurrentVersionExpiration": block(
        {
            "newerNoncurrentVersions": integer(optional=True, valid=at_least(1)),
            "noncurrentDays": integer(required=True, valid=at_least(1)),
        },
        optional=True,
    ),
    "noncurrentVersionTransitions": _unordered_blocks(
        {
            "newerNoncurrentVersions": integer(optional=True, valid=at_least(1)),
            "noncurrentDays": integer(required=True, valid=at_least(0)),
            "storageClass": string(required=True, valid=framework_enum(*_STORAGE_CLASSES)),
        },
        optional=True,
        terraform_name="noncurrent_version_transition",
    ),
    "prefix": string(optional=True, default=""),
    "status": string(required=True, valid=framework_enum("Disabled", "Enabled")),
    "transitions": _unordered_blocks(
        {
            "date": string(optional=True),
            "days": integer(optional=True, valid=at_least(0)),
            "storageClass": string(required=True, valid=framework_enum(*_STORAGE_CLASSES)),
        },
        optional=True,
        terraform_name="transition",
    ),
}


class BucketLifecycleConfiguration(FrameworkResource):
    """The rules of one bucket."""

    token: ClassVar[str] = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"  # noqa: S105 - a type token, no credential
    table: ClassVar[Table] = {
        "bucket": string(required=True, force_new=True, valid=length(1, 63)),
        "expectedBucketOwner": string(optional=True, computed=True, force_new=True, valid=account_id),
        "region": string(optional=True, computed=True, force_new=True),
        "rules": blocks(_RULE, optional=True, terraform_name="rule"),
        "timeouts": block({"create": string(optional=True), "update": string(optional=True)}, optional=True),
        "transitionDefaultMinimumObjectSize": string(
            optional=True, default=_DEFAULT_SIZE, valid=framework_enum("varies_by_storage_class", _DEFAULT_SIZE)
        ),
    }

    def planned_defaults(self, planned: Bag) -> Bag:
        """Add the values of the provider's plan modifiers: an empty filter's prefix, a transition's day."""
        rules = planned.get("rules")
        if not isinstance(rules, list):
            return planned
        return {**planned, "rules": [_with_plan_modifiers(rule) for rule in rules]}

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag]:
        """Write the rules; they replace the bucket's present rules."""
        values = self._put(connection.clients(planned["region"]), planned, "creating")
        return str(planned["bucket"]), values

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag:  # noqa: ARG002 - a hook
        """Write the rules again."""
        return self._put(connection.clients(planned["region"]), planned, "updating")

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:
        """Return the rules of the bucket."""
        bucket = resource_id.partition(",")[0]
        clients = connection.clients(state["region"])
        with doing(f"reading S3 Bucket Lifecycle Configuration ({bucket})"):
            answer = found(_NONE, clients.s3.get_bucket_lifecycle_configuration, Bucket=bucket)
        if answer is None or not answer.get("Rules"):
            return None
        return {
            "bucket": bucket,
            "expectedBucketOwner": state.get("expectedBucketOwner") or "",
            "region": clients.region,
            "rules": [_flattened(rule) for rule in answer["Rules"]],
            "transitionDefaultMinimumObjectSize": answer.get("TransitionDefaultMinimumObjectSize", _DEFAULT_SIZE),
        }

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:
        """Delete all rules of the bucket."""
        bucket = resource_id.partition(",")[0]
        with doing(f"deleting S3 Bucket Lifecycle Configuration ({bucket})"):
            found(_NONE, connection.clients(state["region"]).s3.delete_bucket_lifecycle, Bucket=bucket)

    def _put(self, clients: AwsClients, planned: Bag, verb: str) -> Bag:
        bucket = str(planned["bucket"])
        wanted = [_expanded(rule) for rule in planned.get("rules") or []]
        size = planned["transitionDefaultMinimumObjectSize"]
        what = f"{verb} S3 Bucket ({bucket}) Lifecycle Configuration"
        with doing(what):
            patiently(
                frozenset({"NoSuchBucket"}),
                clients.s3.put_bucket_lifecycle_configuration,
                Bucket=bucket,
                LifecycleConfiguration={"Rules": cast("list[LifecycleRuleUnionTypeDef]", wanted)},
                TransitionDefaultMinimumObjectSize=size,
            )
        self._wait(clients, bucket, wanted, what)
        return {"expectedBucketOwner": planned.get("expectedBucketOwner") or "", "region": clients.region}

    def _wait(self, clients: AwsClients, bucket: str, wanted: list[Bag], what: str) -> None:
        deadline = time.monotonic() + _SETTLING_SECONDS
        while True:
            with doing(what):
                answer = found(_NONE, clients.s3.get_bucket_lifecycle_configuration, Bucket=bucket)
            have = cast("list[Bag]", answer.get("Rules", [])) if answer else []
            if len(have) == len(wanted) and all(_comparable(rule) in map(_comparable, have) for rule in wanted):
                return
            if time.monotonic() > deadline:
                raise ProviderError(
                    f"{what}: While waiting: timeout while waiting for state to become 'true' (last state: 'false', "
                    "timeout: 3m0s)"
                )
            time.sleep(_POLL_SECONDS)


def flattened_for_bucket(rule: Mapping[str, Any]) -> Bag:
    """Return a rule in the form of the bucket's own, deprecated output."""
    flat = _flattened(rule)
    chosen = flat["filter"] or {}
    both = chosen.get("and") or {}
    expiration, noncurrent = flat["expiration"], flat["noncurrentVersionExpiration"]
    abort = flat["abortIncompleteMultipartUpload"]
    tag = chosen.get("tag")
    return {
        "abortIncompleteMultipartUploadDays": abort["daysAfterInitiation"] if abort else 0,
        "enabled": flat["status"] == "Enabled",
        "expiration": {**expiration, "date": expiration["date"] or ""} if expiration else None,
        "id": flat["id"],
        "noncurrentVersionExpiration": {"days": noncurrent["noncurrentDays"]} if noncurrent else None,
        "noncurrentVersionTransitions": [
            {"days": item["noncurrentDays"], "storageClass": item["storageClass"]}
            for item in flat["noncurrentVersionTransitions"]
        ],
        "prefix": both.get("prefix") or chosen.get("prefix") or flat["prefix"],
        "tags": both.get("tags") or ({tag["key"]: tag["value"]} if tag else {}),
        "transitions": [{**item, "date": item["date"] or ""} for item in flat["transitions"]],
    }


def _with_plan_modifiers(rule: Any) -> Any:  # noqa: ANN401 - a rule, or unknown
    if not isinstance(rule, dict):
        return rule
    chosen = rule.get("filter")
    if isinstance(chosen, dict) and all(value is None for value in chosen.values()):
        rule = {**rule, "filter": {**chosen, "prefix": ""}}
    if isinstance(rule.get("transitions"), list):
        rule = {**rule, "transitions": [_with_day(item) for item in rule["transitions"]]}
    return rule


def _with_day(transition: Any) -> Any:  # noqa: ANN401 - a transition, or unknown
    if isinstance(transition, dict) and transition.get("days") is None and transition.get("date") is None:
        return {**transition, "days": 0}
    return transition


def _expanded(rule: Bag) -> Bag:
    """Return a planned rule in AWS's own form."""
    sent: Bag = {"ID": rule["id"], "Status": rule["status"]}
    if rule.get("filter") is not None:
        sent["Filter"] = _expanded_filter(rule["filter"])
    elif rule.get("prefix"):
        sent["Prefix"] = rule["prefix"]
    else:
        sent["Filter"] = {}
    if rule.get("expiration") is not None:
        sent["Expiration"] = _expanded_expiration(rule["expiration"])
    if rule.get("noncurrentVersionExpiration") is not None:
        sent["NoncurrentVersionExpiration"] = _given(
            rule["noncurrentVersionExpiration"],
            noncurrentDays="NoncurrentDays",
            newerNoncurrentVersions="NewerNoncurrentVersions",
        )
    if rule.get("transitions"):
        sent["Transitions"] = [
            _given({**item, "date": _moment(item.get("date"))}, date="Date", days="Days", storageClass="StorageClass")
            for item in rule["transitions"]
        ]
    if rule.get("noncurrentVersionTransitions"):
        sent["NoncurrentVersionTransitions"] = [
            _given(
                item,
                noncurrentDays="NoncurrentDays",
                newerNoncurrentVersions="NewerNoncurrentVersions",
                storageClass="StorageClass",
            )
            for item in rule["noncurrentVersionTransitions"]
        ]
    if rule.get("abortIncompleteMultipartUpload") is not None:
        sent["AbortIncompleteMultipartUpload"] = _given(
            rule["abortIncompleteMultipartUpload"], daysAfterInitiation="DaysAfterInitiation"
        )
    return sent


def _expanded_filter(chosen: Bag) -> Bag:
    both = chosen.get("and")
    if both is not None:
        sent = _given(both, objectSizeGreaterThan="ObjectSizeGreaterThan", prefix="Prefix")
        if both.get("objectSizeLessThan"):
            sent["ObjectSizeLessThan"] = both["objectSizeLessThan"]
        if both.get("tags"):
            sent["Tags"] = [{"Key": key, "Value": value} for key, value in sorted(both["tags"].items())]
        return {"And": sent}
    if chosen.get("tag") is not None:
        return {"Tag": {"Key": chosen["tag"]["key"], "Value": chosen["tag"]["value"]}}
    return _given(
        chosen,
        objectSizeGreaterThan="ObjectSizeGreaterThan",
        objectSizeLessThan="ObjectSizeLessThan",
        prefix="Prefix",
    )


def _expanded_expiration(expiration: Bag) -> Bag:
    if expiration.get("date"):
        return {"Date": _moment(expiration["date"])}
    if expiration.get("days"):
        return {"Days": expiration["days"]}
    return {"ExpiredObjectDeleteMarker": bool(expiration.get("expiredObjectDeleteMarker"))}


def _given(source: Bag, **names: str) -> Bag:
    return {theirs: source[ours] for ours, theirs in names.items() if source.get(ours) is not None}


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def _text(moment: object) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(moment, datetime) else None


def _flattened(rule: Mapping[str, Any]) -> Bag:
    """Return AWS's rule in the form of the resource's outputs."""
    expiration, noncurrent = rule.get("Expiration"), rule.get("NoncurrentVersionExpiration")
    abort = rule.get("AbortIncompleteMultipartUpload")
    return {
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": abort.get("DaysAfterInitiation")} if abort else None,
        "expiration": {
            "date": _text(expiration.get("Date")),
            "days": expiration.get("Days", 0),
            "expiredObjectDeleteMarker": expiration.get("ExpiredObjectDeleteMarker", False),
        }
        if expiration is not None
        else None,
        "filter": _flattened_filter(rule.get("Filter")),
        "id": rule.get("ID", ""),
        "noncurrentVersionExpiration": {
            "newerNoncurrentVersions": noncurrent.get("NewerNoncurrentVersions"),
            "noncurrentDays": noncurrent.get("NoncurrentDays"),
        }
        if noncurrent
        else None,
        "noncurrentVersionTransitions": [
            {
                "newerNoncurrentVersions": item.get("NewerNoncurrentVersions"),
                "noncurrentDays": item.get("NoncurrentDays"),
                "storageClass": item.get("StorageClass"),
            }
            for item in rule.get("NoncurrentVersionTransitions", [])
        ],
        "prefix": rule.get("Prefix", ""),
        "status": rule["Status"],
        "transitions": [
            {"date": _text(item.get("Date")), "days": item.get("Days"), "storageClass": item.get("StorageClass")}
            for item in rule.get("Transitions", [])
        ],
    }


def _flattened_filter(chosen: Mapping[str, Any] | None) -> Bag | None:
    if not chosen:
        return None
    both = chosen.get("And")
    return {
        "and": {
            "objectSizeGreaterThan": both.get("ObjectSizeGreaterThan", 0),
            "objectSizeLessThan": both.get("ObjectSizeLessThan", 0),
            "prefix": both.get("Prefix", ""),
            "tags": {tag["Key"]: tag["Value"] for tag in both.get("Tags", [])},
        }
        if both
        else None,
        "objectSizeGreaterThan": chosen.get("ObjectSizeGreaterThan"),
        "objectSizeLessThan": chosen.get("ObjectSizeLessThan"),
        "prefix": chosen.get("Prefix"),
        "tag": {"key": chosen["Tag"]["Key"], "value": chosen["Tag"]["Value"]} if chosen.get("Tag") else None,
    }


def _comparable(rule: Bag) -> Bag:
    """Return a rule in which a zero value and an absent value are the same."""
    flat = _flattened(rule)
    for name in ("transitions", "noncurrentVersionTransitions"):
        flat[name] = sorted(flat[name], key=str)
    return flat
