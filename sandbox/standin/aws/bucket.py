"""aws:s3/bucket:Bucket: name, tags and object lock; everything else of a bucket has its own resource type.

The one rule: settings of the separate resource types are read here only for the outputs, so they are visible but never
cause a difference. Left out: the deprecated inline inputs (`acl`, `versioning`, `lifecycleRules`, …), which the real
plugin still accepts and this one refuses as outputs, and S3 Express and account-regional buckets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.exceptions import ClientError

from sandbox.standin.aws import policies, regions, tags
from sandbox.standin.aws.connection import AwsClients, code_of, doing, found, patiently
from sandbox.standin.aws.lifecycle import flattened_for_bucket
from sandbox.standin.aws.resource_type import AwsResource
from sandbox.standin.aws.validation import length
from sandbox.standin.properties import Property, Table, boolean, string, string_map
from sandbox.standin.resource import PartialFailureError, ProviderError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CreateBucketRequestTypeDef, ObjectIdentifierTypeDef

    from sandbox.standin.aws.account import Account
    from sandbox.standin.values import Bag

GONE: Final = frozenset({"NoSuchBucket", "404", "NotFound"})
# The codes that the provider reads as an absent feature of a bucket.
_NOT_OFFERED: Final = frozenset({"MethodNotAllowed", "NotImplemented", "UnsupportedArgument", "UnsupportedOperation"})
_SHORTEST: Final = 3
_LONGEST: Final = 63


class Bucket(AwsResource):
    """A general purpose bucket."""

    token: ClassVar[str] = "aws:s3/bucket:Bucket"  # noqa: S105 - a type token, no credential
    tagged: ClassVar[bool] = True
    table: ClassVar[Table] = {
        "accelerationStatus": string(computed=True),
        "acl": string(computed=True),
        "arn": string(computed=True),
        "bucket": string(
            optional=True,
            computed=True,
            force_new=True,
            autonamed=True,
            conflicts_with="bucketPrefix",
            valid=length(0, _LONGEST),
        ),
        "bucketDomainName": string(computed=True),
        "bucketNamespace": string(computed=True, force_new=True),
        "bucketPrefix": string(optional=True, computed=True, force_new=True, conflicts_with="bucket"),
        "bucketRegion": string(computed=True),
        "bucketRegionalDomainName": string(computed=True),
        "corsRules": Property("list", computed=True, terraform_name="cors_rule"),
        "forceDestroy": boolean(optional=True, default=False),
        "grants": Property("set", computed=True, terraform_name="grant"),
        "hostedZoneId": string(computed=True),
        "lifecycleRules": Property("list", computed=True, terraform_name="lifecycle_rule"),
        "logging": Property("object", computed=True),
        "objectLockConfiguration": Property("object", computed=True),
        "objectLockEnabled": boolean(optional=True, computed=True, force_new=True),
        "policy": string(computed=True),
        "region": string(optional=True, computed=True),
        "replicationConfiguration": Property("object", computed=True),
        "requestPayer": string(computed=True),
        "serverSideEncryptionConfiguration": Property("object", computed=True),
        "tags": string_map(optional=True),
        "tagsAll": string_map(optional=True),
        "versioning": Property("object", computed=True),
        "website": Property("object", computed=True),
        "websiteDomain": string(computed=True),
        "websiteEndpoint": string(computed=True),
    }

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag]:
        """Create the bucket, then tag it."""
        clients = connection.clients(planned["region"])
        name = str(planned["bucket"])
        self._make(clients, name, locked=planned.get("objectLockEnabled") is True)
        try:
            if planned.get("tagsAll"):
                _put_tags(clients, name, planned["tagsAll"])
        except ProviderError as error:
            raise PartialFailureError(str(error), name, {"bucket": name}) from error
        values = self.read_live(connection, name, planned)
        if values is None:
            raise ProviderError(f"waiting for S3 Bucket ({name}) create: couldn't find resource")
        return name, values

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Update the tags; `forceDestroy` exists only in the state."""
        if state.get("tagsAll") != planned.get("tagsAll"):
            _put_tags(connection.clients(planned["region"]), resource_id, planned.get("tagsAll"))
        return self.read_live(connection, resource_id, planned)

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:
        """Delete the bucket, and everything in it if the state says so."""
        clients = connection.clients(state["region"])
        while not self._deleted(clients, resource_id, force=state.get("forceDestroy") is True):
            _empty(clients, resource_id)

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:
        """Return the server's data, or None if the bucket does not exist."""
        clients = connection.clients(state["region"])
        with doing(f"reading S3 Bucket ({resource_id})"):
            try:
                clients.s3.head_bucket(Bucket=resource_id)
                return _values(clients, resource_id, state, connection)
            except ClientError as error:
                if code_of(error) in GONE:
                    return None
                raise

    def _make(self, clients: AwsClients, name: str, *, locked: bool) -> None:
        complaint = why_bad_name(name)
        if complaint is not None:
            raise ProviderError(f"validating S3 Bucket ({name}) name: {complaint}")
        request: CreateBucketRequestTypeDef = {"Bucket": name}
        if clients.region != "us-east-1":
            request["CreateBucketConfiguration"] = {"LocationConstraint": clients.region}  # type: ignore[typeddict-item]  # any region
        elif found(GONE, clients.s3.head_bucket, Bucket=name) is not None:
            # In that region AWS answers 200 to the owner, so the provider checks first.
            raise ProviderError(f"creating S3 Bucket ({name}): BucketAlreadyExists")
        if locked:
            request["ObjectLockEnabledForBucket"] = True
        with doing(f"creating S3 Bucket ({name})"):
            patiently(frozenset({"OperationAborted"}), clients.s3.create_bucket, **request)

    def _deleted(self, clients: AwsClients, name: str, *, force: bool) -> bool:
        with doing(f"deleting S3 Bucket ({name})"):
            try:
                clients.s3.delete_bucket(Bucket=name)
            except ClientError as error:
                if code_of(error) == "BucketNotEmpty" and force:
                    return False
                if code_of(error) not in GONE:
                    raise
        return True


def why_bad_name(name: str) -> str | None:
    """Return the provider's complaint about a bucket name, or None."""
    if not _SHORTEST <= len(name) <= _LONGEST:
        return f'"{name}" must contain from {_SHORTEST} to {_LONGEST} characters'
    if not re.fullmatch(r"[0-9a-z.-]+", name):
        return f'only lowercase alphanumeric characters and hyphens allowed in "{name}"'
    if re.fullmatch(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", name):
        return f'"{name}" must not be formatted as an IP address'
    if name.startswith(".") or name.endswith("."):
        return f'"{name}" cannot {"start" if name.startswith(".") else "end"} with a period'
    if ".." in name:
        return f'"{name}" can be only one period between labels'
    return None


def _values(clients: AwsClients, name: str, state: Bag, account: Account) -> Bag:
    s3 = clients.s3
    location = s3.get_bucket_location(Bucket=name).get("LocationConstraint") or "us-east-1"
    policy = found(frozenset({"NoSuchBucketPolicy"}), s3.get_bucket_policy, Bucket=name)
    tagging = found(frozenset({"NoSuchTagSet"}), s3.get_bucket_tagging, Bucket=name)
    lifecycle = found(frozenset({"NoSuchLifecycleConfiguration"}), s3.get_bucket_lifecycle_configuration, Bucket=name)
    lock = _lock(clients, name)
    versioning = s3.get_bucket_versioning(Bucket=name)
    payer = found(_NOT_OFFERED, s3.get_bucket_request_payment, Bucket=name)
    acceleration = found(_NOT_OFFERED, s3.get_bucket_accelerate_configuration, Bucket=name)
    # The real plugin reads these too, so a deployment needs the permissions; the sandbox's buckets do not have them.
    found(frozenset({"NoSuchCORSConfiguration"}), s3.get_bucket_cors, Bucket=name)
    found(frozenset({"NoSuchWebsiteConfiguration"}), s3.get_bucket_website, Bucket=name)
    s3.get_bucket_logging(Bucket=name)
    found(frozenset({"ReplicationConfigurationNotFoundError"}), s3.get_bucket_replication, Bucket=name)
    return {
        "accelerationStatus": acceleration.get("Status", "") if acceleration else "",
        "arn": f"arn:aws:s3:::{name}",
        "bucket": name,
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketNamespace": "global",
        "bucketPrefix": _prefix_of(name),
        "bucketRegion": location,
        "bucketRegionalDomainName": f"{name}.s3.{location}.amazonaws.com",
        "corsRules": [],
        "grants": _grants(clients, name),
        "hostedZoneId": regions.website_zone(location),
        "lifecycleRules": [flattened_for_bucket(rule) for rule in lifecycle["Rules"]] if lifecycle else [],
        "objectLockConfiguration": lock,
        "objectLockEnabled": lock is not None,
        "policy": policies.kept_or_read(state.get("policy"), policy["Policy"]) if policy else "",
        "region": clients.region,
        "requestPayer": payer.get("Payer", "BucketOwner") if payer else "BucketOwner",
        "serverSideEncryptionConfiguration": _encryption(clients, name),
        "versioning": {
            "enabled": versioning.get("Status") == "Enabled",
            "mfaDelete": versioning.get("MFADelete") == "Enabled",
        },
        **tags.read_back(tagging["TagSet"] if tagging else [], account.default_tags, state.get("tags")),
    }


def _prefix_of(name: str) -> str:
    """Return the prefix of a name that Terraform generated, as the provider does on every read."""
    made_up = re.fullmatch(r"(.+)[0-9]{18}[0-9a-f]{8}", name)
    return made_up.group(1) if made_up else ""


def _lock(clients: AwsClients, name: str) -> Bag | None:
    answer = found(
        frozenset({"ObjectLockConfigurationNotFoundError"}), clients.s3.get_object_lock_configuration, Bucket=name
    )
    if answer is None or "ObjectLockConfiguration" not in answer:
        return None
    configuration = answer["ObjectLockConfiguration"]
    retention = configuration.get("Rule", {}).get("DefaultRetention")
    rule: Bag | None = None
    if retention is not None:
        rule = {
            "defaultRetention": {
                "days": retention.get("Days", 0),
                "mode": retention.get("Mode", ""),
                "years": retention.get("Years", 0),
            }
        }
    return {"objectLockEnabled": configuration.get("ObjectLockEnabled", ""), "rule": rule}


def _encryption(clients: AwsClients, name: str) -> Bag | None:
    answer = found(
        frozenset({"ServerSideEncryptionConfigurationNotFoundError"}), clients.s3.get_bucket_encryption, Bucket=name
    )
    if answer is None:
        return None
    rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
    default = rule.get("ApplyServerSideEncryptionByDefault")
    applied: Bag | None = None
    if default:
        applied = {
            "kmsMasterKeyId": default.get("KMSMasterKeyID", ""),
            "sseAlgorithm": default.get("SSEAlgorithm", ""),
        }
    return {
        "rule": {
            "applyServerSideEncryptionByDefault": applied,
            "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
        }
    }


def _grants(clients: AwsClients, name: str) -> list[Bag]:
    return [
        {
            "id": grant["Grantee"].get("ID", ""),
            "permissions": [grant["Permission"]],
            "type": grant["Grantee"].get("Type", ""),
            "uri": grant["Grantee"].get("URI", ""),
        }
        for grant in clients.s3.get_bucket_acl(Bucket=name).get("Grants", [])
        if "Grantee" in grant and "Permission" in grant
    ]


def _put_tags(clients: AwsClients, name: str, wanted: object) -> None:
    listed = tags.listed(wanted)
    with doing(f"setting S3 Bucket ({name}) tags"):
        if listed:
            patiently(GONE, clients.s3.put_bucket_tagging, Bucket=name, Tagging={"TagSet": listed})
        else:
            clients.s3.delete_bucket_tagging(Bucket=name)


def _empty(clients: AwsClients, name: str) -> None:
    """Delete every version and delete marker, including governance-locked ones."""
    with doing(f"emptying S3 Bucket ({name})"):
        bypass: dict[str, Any] = {"BypassGovernanceRetention": True} if _lock(clients, name) else {}
        for page in clients.s3.get_paginator("list_object_versions").paginate(Bucket=name):
            entries: list[ObjectIdentifierTypeDef] = [
                {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            ]
            if not entries:
                continue
            answer = clients.s3.delete_objects(Bucket=name, Delete={"Objects": entries, "Quiet": True}, **bypass)
            for refused in answer.get("Errors", []):
                raise ProviderError(
                    f"emptying S3 Bucket ({name}): deleting: S3 object ({refused.get('Key')}) version "
                    f"({refused.get('VersionId')}): {refused.get('Code')}: {refused.get('Message')}"
                )
