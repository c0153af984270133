"""`minio:index/ilmPolicy:IlmPolicy`: the whole lifecycle configuration of a bucket.

The one rule: a failed read removes the resource from the state, and a failed update reports nothing (both as in the
real plugin). So a green `up` does not prove that the rules exist. Left out: nothing of the type.
"""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.standin.minio.connection import MinioConnection, fatal
from sandbox.standin.minio.names import length_between
from sandbox.standin.properties import blocks, integer, string, string_map
from sandbox.standin.resource import ProviderError, ResourceType

if TYPE_CHECKING:
    from sandbox.standin.properties import Table
    from sandbox.standin.values import Bag


def _valid_expiration(value: str, _path: str) -> str | None:
    if _parsed(value):
        return None
    return 'expiration must be a duration (5d), date (1970-01-01), or "DeleteMarker"'


def _valid_days(value: float, _path: str) -> str | None:
    return None if value >= 1 else "noncurrent_version_expiration_days must be strictly positive"


class IlmPolicy(ResourceType[MinioConnection]):
    """The lifecycle rules of a bucket."""

    token: ClassVar[str] = "minio:index/ilmPolicy:IlmPolicy"  # noqa: S105 - a type token
    table: ClassVar[Table] = {
        "bucket": string(required=True, force_new=True, valid=length_between(0, 63)),
        "rules": blocks(
            {
                "expiration": string(optional=True, valid=_valid_expiration),
                "filter": string(optional=True),
                "id": string(required=True),
                "noncurrentVersionExpirationDays": integer(optional=True, valid=_valid_days),
                "status": string(computed=True),
                "tags": string_map(optional=True),
            },
            required=True,
            terraform_name="rule",
        ),
    }

    def create_live(self, connection: MinioConnection, planned: Bag) -> tuple[str, Bag] | None:
        """Put the rules and read them back."""
        bucket = planned["bucket"]
        with fatal("creating bucket lifecycle failed", bucket), connection.writes.write(bucket) as kept:
            if kept:
                _put(connection, bucket, planned["rules"])
        values = self.read_live(connection, bucket, {}) if kept else None
        return None if values is None else (bucket, values)

    def read_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Read the rules; an error of any kind means that the bucket has none."""
        try:
            found = connection.s3.get_bucket_lifecycle_configuration(Bucket=resource_id)
        except (ClientError, BotoCoreError):
            return None
        return {"bucket": resource_id, "rules": [_state_of(rule) for rule in found["Rules"]]}

    def update_live(self, connection: MinioConnection, resource_id: str, state: Bag, planned: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Put the rules, ignore a failure, and read the present rules."""
        with contextlib.suppress(ProviderError):
            if self.create_live(connection, planned) is None:
                return None
        return self.read_live(connection, resource_id, {})

    def delete_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Remove every rule."""
        with fatal("deleting lifecycle configuration failed", resource_id):
            connection.s3.delete_bucket_lifecycle(Bucket=resource_id)


def _put(connection: MinioConnection, bucket: str, rules: list[Bag]) -> None:
    if not rules:  # minio-go removes the configuration then
        connection.s3.delete_bucket_lifecycle(Bucket=bucket)
        return
    configuration: Any = {"Rules": [_rule_of(rule) for rule in rules]}
    connection.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration)


def _rule_of(planned: Bag) -> Bag:
    prefix, tags = planned["filter"] or "", planned["tags"] or {}
    together = {"Prefix": prefix, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
    rule: Bag = {
        "ID": planned["id"],
        "Status": "Enabled",
        "Filter": {"And": together} if tags else {"Prefix": prefix},
    }
    expiration = _parsed(planned["expiration"] or "")
    if expiration:
        rule["Expiration"] = expiration
    if planned["noncurrentVersionExpirationDays"]:
        days = int(planned["noncurrentVersionExpirationDays"])
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    return rule


def _state_of(rule: Any) -> Bag:  # noqa: ANN401 - a rule as boto3 has it
    chosen = rule.get("Filter", {})
    together = chosen.get("And", {})
    tags = {tag["Key"]: tag["Value"] for tag in together.get("Tags", [])}
    return {
        "id": rule.get("ID", ""),
        "expiration": _text_of(rule.get("Expiration", {})),
        "noncurrentVersionExpirationDays": rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays", 0),
        "status": rule["Status"],
        "filter": together.get("Prefix", "") if tags else chosen.get("Prefix", rule.get("Prefix", "")),
        "tags": tags,
    }


def _parsed(text: str) -> Bag:
    """Return the S3 form of an expiration; empty if the text is not an expiration ("0d" is not one)."""
    if text == "DeleteMarker":
        return {"ExpiredObjectDeleteMarker": True}
    days = re.match(r"[+-]?\d+(?=d)", text)
    if days is not None:
        return {"Days": int(days.group())} if int(days.group()) else {}
    try:
        return {"Date": datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)}
    except ValueError:
        return {}


def _text_of(expiration: Any) -> str:  # noqa: ANN401 - an expiration as boto3 has it
    if expiration.get("ExpiredObjectDeleteMarker"):
        return "DeleteMarker"
    if expiration.get("Days"):
        return f"{expiration['Days']}d"
    return f"{expiration['Date']:%Y-%m-%d}" if "Date" in expiration else ""
