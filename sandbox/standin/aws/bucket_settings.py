"""The access settings of a bucket: public access, ownership, encryption; and the common part of all settings.

The one rule: the creation of a setting overwrites the bucket's present setting. A missing setting, or a missing bucket,
reads as "gone". Left out: S3 Express buckets.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from sandbox.standin.aws.connection import AwsClients, doing, found, patiently
from sandbox.standin.aws.resource_type import AwsResource, known
from sandbox.standin.aws.validation import account_id, length, one_of
from sandbox.standin.properties import Property, Table, block, boolean, string
from sandbox.standin.resource import ProviderError

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import ObjectOwnershipType

    from sandbox.standin.aws.account import Account
    from sandbox.standin.values import Bag

NO_BUCKET: Final = frozenset({"NoSuchBucket"})
# Another write to the same bucket is running, or the bucket is not everywhere yet.
PASSING: Final = frozenset({"NoSuchBucket", "OperationAborted"})

BUCKET: Final = string(required=True, force_new=True, valid=length(1, 63))
REGION: Final = string(optional=True, computed=True)
OWNER: Final = string(optional=True, force_new=True, valid=account_id)


class BucketSetting(AwsResource):
    """One setting of a bucket; its id is the bucket's name (and `,owner` if an owner is expected)."""

    title: ClassVar[str]

    @abstractmethod
    def put(self, clients: AwsClients, bucket: str, planned: Bag) -> None:
        """Write the setting."""

    @abstractmethod
    def get(self, clients: AwsClients, bucket: str, state: Bag) -> Bag | None:
        """Return the setting, or None if the bucket does not have it."""

    @abstractmethod
    def remove(self, clients: AwsClients, bucket: str, state: Bag) -> None:
        """Remove the setting; a missing setting is not a failure."""

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag] | None:
        """Write the setting and read it back."""
        planned = known(planned)
        bucket = str(planned["bucket"])
        owner = planned.get("expectedBucketOwner")
        resource_id = f"{bucket},{owner}" if owner else bucket
        with doing(f"creating S3 Bucket ({bucket}) {self.title}"):
            self.put(connection.clients(planned["region"]), bucket, planned)
        values = self.read_live(connection, resource_id, planned)
        if values is None:
            raise ProviderError(f"waiting for S3 Bucket {self.title} ({resource_id}) create: couldn't find resource")
        return resource_id, values

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:
        """Read the setting."""
        bucket, _, owner = resource_id.partition(",")
        clients = connection.clients(state["region"])
        with doing(f"reading S3 Bucket {self.title} ({resource_id})"):
            found_values = self.get(clients, bucket, state)
        if found_values is None:
            return None
        values = {"bucket": bucket, "region": clients.region, **found_values}
        return {**values, "expectedBucketOwner": owner} if "expectedBucketOwner" in self.table else values

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Write the setting again and read it back."""
        planned = known(planned)
        bucket = resource_id.partition(",")[0]
        with doing(f"updating S3 Bucket {self.title} ({resource_id})"):
            self.put(connection.clients(planned["region"]), bucket, planned)
        return self.read_live(connection, resource_id, planned)

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:
        """Remove the setting."""
        with doing(f"deleting S3 Bucket {self.title} ({resource_id})"):
            self.remove(connection.clients(state["region"]), resource_id.partition(",")[0], state)


class BucketPublicAccessBlock(BucketSetting):
    """The four locks against public access."""

    token: ClassVar[str] = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"  # noqa: S105 - a type token, no credential
    title: ClassVar[str] = "Public Access Block"
    table: ClassVar[Table] = {
        "blockPublicAcls": boolean(optional=True, default=False),
        "blockPublicPolicy": boolean(optional=True, default=False),
        "bucket": BUCKET,
        "ignorePublicAcls": boolean(optional=True, default=False),
        "region": REGION,
        "restrictPublicBuckets": boolean(optional=True, default=False),
        "skipDestroy": boolean(optional=True),
    }
    _none: ClassVar[frozenset[str]] = frozenset({"NoSuchBucket", "NoSuchPublicAccessBlockConfiguration"})

    def put(self, clients: AwsClients, bucket: str, planned: Bag) -> None:
        """Write the four."""
        patiently(
            PASSING,
            clients.s3.put_public_access_block,
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": bool(planned["blockPublicAcls"]),
                "BlockPublicPolicy": bool(planned["blockPublicPolicy"]),
                "IgnorePublicAcls": bool(planned["ignorePublicAcls"]),
                "RestrictPublicBuckets": bool(planned["restrictPublicBuckets"]),
            },
        )

    def get(self, clients: AwsClients, bucket: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Read the four."""
        answer = found(self._none, clients.s3.get_public_access_block, Bucket=bucket)
        if answer is None:
            return None
        block_of = answer["PublicAccessBlockConfiguration"]
        return {
            "blockPublicAcls": block_of.get("BlockPublicAcls", False),
            "blockPublicPolicy": block_of.get("BlockPublicPolicy", False),
            "ignorePublicAcls": block_of.get("IgnorePublicAcls", False),
            "restrictPublicBuckets": block_of.get("RestrictPublicBuckets", False),
        }

    def remove(self, clients: AwsClients, bucket: str, state: Bag) -> None:
        """Delete the four, unless the program keeps them."""
        if state.get("skipDestroy") is not True:
            found(self._none, clients.s3.delete_public_access_block, Bucket=bucket)


class BucketOwnershipControls(BucketSetting):
    """The owner of objects that other accounts put into the bucket."""

    token: ClassVar[str] = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"  # noqa: S105 - a type token, no credential
    title: ClassVar[str] = "Ownership Controls"
    table: ClassVar[Table] = {
        "bucket": BUCKET,
        "region": REGION,
        "rule": block(
            {
                "objectOwnership": string(
                    required=True, valid=one_of("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
                )
            },
            required=True,
        ),
    }
    _none: ClassVar[frozenset[str]] = frozenset({"NoSuchBucket", "OwnershipControlsNotFoundError"})

    def put(self, clients: AwsClients, bucket: str, planned: Bag) -> None:
        """Write the rule."""
        ownership = cast("ObjectOwnershipType", planned["rule"]["objectOwnership"])
        patiently(
            PASSING,
            clients.s3.put_bucket_ownership_controls,
            Bucket=bucket,
            OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]},
        )

    def get(self, clients: AwsClients, bucket: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Read the rule."""
        answer = found(self._none, clients.s3.get_bucket_ownership_controls, Bucket=bucket)
        if answer is None or not answer["OwnershipControls"]["Rules"]:
            return None
        return {"rule": {"objectOwnership": answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"]}}

    def remove(self, clients: AwsClients, bucket: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Delete the rule."""
        found(self._none, clients.s3.delete_bucket_ownership_controls, Bucket=bucket)


class BucketServerSideEncryptionConfiguration(BucketSetting):
    """The encryption of objects whose request names no encryption."""

    token: ClassVar[str] = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"  # noqa: S105 - a type token, no credential
    title: ClassVar[str] = "Server-side Encryption Configuration"
    table: ClassVar[Table] = {
        "bucket": BUCKET,
        "expectedBucketOwner": OWNER,
        "region": REGION,
        "rules": Property(
            "set",
            required=True,
            terraform_name="rule",
            fields={
                "applyServerSideEncryptionByDefault": block(
                    {
                        "kmsMasterKeyId": string(optional=True),
                        "sseAlgorithm": string(required=True, valid=one_of("AES256", "aws:kms", "aws:kms:dsse")),
                    },
                    optional=True,
                ),
                "blockedEncryptionTypes": Property("list", optional=True, computed=True),
                "bucketKeyEnabled": boolean(optional=True),
            },
        ),
    }
    _none: ClassVar[frozenset[str]] = frozenset({"NoSuchBucket", "ServerSideEncryptionConfigurationNotFoundError"})

    def put(self, clients: AwsClients, bucket: str, planned: Bag) -> None:
        """Write the rules."""
        configuration: Any = {"Rules": [_encryption_rule(rule) for rule in planned["rules"]]}
        patiently(
            PASSING,
            clients.s3.put_bucket_encryption,
            Bucket=bucket,
            ServerSideEncryptionConfiguration=configuration,
        )

    def get(self, clients: AwsClients, bucket: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Read the rules."""
        answer = found(self._none, clients.s3.get_bucket_encryption, Bucket=bucket)
        if answer is None:
            return None
        rules: list[Bag] = []
        for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]:
            default = rule.get("ApplyServerSideEncryptionByDefault")
            rules.append(
                {
                    "applyServerSideEncryptionByDefault": {
                        "kmsMasterKeyId": default.get("KMSMasterKeyID", ""),
                        "sseAlgorithm": default.get("SSEAlgorithm", ""),
                    }
                    if default
                    else None,
                    "blockedEncryptionTypes": list(rule.get("BlockedEncryptionTypes", {}).get("EncryptionType", [])),
                    "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
                }
            )
        return {"rules": rules}

    def remove(self, clients: AwsClients, bucket: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Delete the rules; AWS then encrypts with its own keys."""
        found(self._none, clients.s3.delete_bucket_encryption, Bucket=bucket)


def _encryption_rule(rule: Bag) -> Bag:
    sent: Bag = {}
    default = rule.get("applyServerSideEncryptionByDefault")
    if default is not None:
        sent["ApplyServerSideEncryptionByDefault"] = {"SSEAlgorithm": default["sseAlgorithm"]}
        if default.get("kmsMasterKeyId"):
            sent["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] = default["kmsMasterKeyId"]
    if rule.get("bucketKeyEnabled") is not None:
        sent["BucketKeyEnabled"] = rule["bucketKeyEnabled"]
    if rule.get("blockedEncryptionTypes"):
        sent["BlockedEncryptionTypes"] = {"EncryptionType": rule["blockedEncryptionTypes"]}
    return sent
