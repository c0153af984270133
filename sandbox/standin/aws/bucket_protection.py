"""The settings of a bucket that protect its content: versioning, object lock, and the bucket's own policy.

The one rule: a state that AWS cannot undo (object lock itself, versions in the past) does not make a delete fail. The
resource leaves the state, and the bucket does not change. Left out: MFA devices, enabling object lock by token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.exceptions import ClientError

from sandbox.standin.aws import policies
from sandbox.standin.aws.bucket_settings import BUCKET, NO_BUCKET, OWNER, PASSING, REGION, BucketSetting
from sandbox.standin.aws.connection import AwsClients, code_of, doing, found, patiently
from sandbox.standin.aws.validation import one_of
from sandbox.standin.properties import Table, block, integer, string
from sandbox.standin.resource import ProviderError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectLockConfigurationTypeDef, VersioningConfigurationTypeDef

    from sandbox.standin.aws.account import Account
    from sandbox.standin.values import Bag

_LOCKED: Final = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed"


class BucketVersioning(BucketSetting):
    """Whether the bucket keeps old versions."""

    token: ClassVar[str] = "aws:s3/bucketVersioning:BucketVersioning"  # noqa: S105 - a type token, no credential
    title: ClassVar[str] = "Versioning"
    table: ClassVar[Table] = {
        "bucket": BUCKET,
        "expectedBucketOwner": OWNER,
        "mfa": string(optional=True),
        "region": REGION,
        "versioningConfiguration": block(
            {
                "mfaDelete": string(optional=True, computed=True, valid=one_of("Enabled", "Disabled")),
                "status": string(required=True, valid=one_of("Enabled", "Suspended", "Disabled")),
            },
            required=True,
        ),
    }

    def put(self, clients: AwsClients, bucket: str, planned: Bag) -> None:
        """Write the state; "Disabled" only means that versioning was never enabled."""
        wanted = planned["versioningConfiguration"]
        if wanted["status"] == "Disabled":
            clients.s3.head_bucket(Bucket=bucket)
            return
        configuration: VersioningConfigurationTypeDef = {"Status": wanted["status"]}
        if wanted.get("mfaDelete"):
            configuration["MFADelete"] = wanted["mfaDelete"]
        patiently(PASSING, clients.s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=configuration)

    def get(self, clients: AwsClients, bucket: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Read the state."""
        answer = found(NO_BUCKET, clients.s3.get_bucket_versioning, Bucket=bucket)
        if answer is None:
            return None
        status, mfa_delete = answer.get("Status", "Disabled"), answer.get("MFADelete", "")
        return {"versioningConfiguration": {"mfaDelete": mfa_delete, "status": status}}

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Change the state; a bucket that had versions cannot return to "Disabled"."""
        before, after = state["versioningConfiguration"]["status"], planned["versioningConfiguration"]["status"]
        if after == "Disabled" and before in ("Enabled", "Suspended"):
            raise ProviderError(f"versioning_configuration.status cannot be updated from '{before}' to '{after}'")
        return super().update_live(connection, resource_id, state, planned)

    def remove(self, clients: AwsClients, bucket: str, state: Bag) -> None:
        """Suspend versioning, because removal is impossible; a locked bucket keeps its state without a failure."""
        if state["versioningConfiguration"]["status"] == "Disabled":
            return
        try:
            found(
                NO_BUCKET,
                clients.s3.put_bucket_versioning,
                Bucket=bucket,
                VersioningConfiguration={"Status": "Suspended"},
            )
        except ClientError as error:
            if code_of(error) != "InvalidBucketState" or _LOCKED not in error.response["Error"].get("Message", ""):
                raise


class BucketObjectLockConfiguration(BucketSetting):
    """The duration of the lock of a new version."""

    token: ClassVar[str] = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"  # noqa: S105 - a type token, no credential
    title: ClassVar[str] = "Object Lock Configuration"
    table: ClassVar[Table] = {
        "bucket": BUCKET,
        "expectedBucketOwner": OWNER,
        "objectLockEnabled": string(optional=True, default="Enabled", force_new=True, valid=one_of("Enabled")),
        "region": REGION,
        "rule": block(
            {
                "defaultRetention": block(
                    {
                        "days": integer(optional=True, conflicts_with="years"),
                        "mode": string(optional=True, valid=one_of("GOVERNANCE", "COMPLIANCE")),
                        "years": integer(optional=True, conflicts_with="days"),
                    },
                    required=True,
                )
            },
            optional=True,
        ),
        "token": string(optional=True, secret=True),
    }
    _none: ClassVar[frozenset[str]] = frozenset({"NoSuchBucket", "ObjectLockConfigurationNotFoundError"})

    def put(self, clients: AwsClients, bucket: str, planned: Bag) -> None:
        """Write the rule."""
        configuration: ObjectLockConfigurationTypeDef = {"ObjectLockEnabled": "Enabled"}
        if planned.get("rule"):
            retention = planned["rule"]["defaultRetention"]
            chosen: dict[str, Any] = {
                theirs: retention[ours]
                for ours, theirs in (("days", "Days"), ("mode", "Mode"), ("years", "Years"))
                if retention.get(ours)
            }
            configuration["Rule"] = {"DefaultRetention": chosen}  # type: ignore[typeddict-item]  # built key by key
        token: dict[str, Any] = {"Token": planned["token"]} if planned.get("token") else {}
        patiently(
            PASSING,
            clients.s3.put_object_lock_configuration,
            Bucket=bucket,
            ObjectLockConfiguration=configuration,
            **token,
        )

    def get(self, clients: AwsClients, bucket: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Read the rule."""
        answer = found(self._none, clients.s3.get_object_lock_configuration, Bucket=bucket)
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

    def remove(self, clients: AwsClients, bucket: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Remove the rule; object lock stays enabled, and locked versions stay locked."""
        found(
            self._none,
            clients.s3.put_object_lock_configuration,
            Bucket=bucket,
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"},
        )


class BucketPolicy(BucketSetting):
    """The bucket's own policy document."""

    token: ClassVar[str] = "aws:s3/bucketPolicy:BucketPolicy"  # noqa: S105 - a type token, no credential
    title: ClassVar[str] = "Policy"
    documents: ClassVar[tuple[str, ...]] = ("policy",)
    table: ClassVar[Table] = {
        "bucket": string(required=True, force_new=True),
        "policy": string(required=True, valid=policies.why_invalid, equivalent=policies.equivalent),
        "region": REGION,
    }
    _none: ClassVar[frozenset[str]] = frozenset({"NoSuchBucket", "NoSuchBucketPolicy"})

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag] | None:
        """Write the document; the provider calls every write "putting"."""
        bucket = str(planned["bucket"])
        self.put(connection.clients(planned["region"]), bucket, planned)
        values = self.read_live(connection, bucket, planned)
        return None if values is None else (bucket, values)

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Write the document again."""
        self.put(connection.clients(planned["region"]), resource_id, planned)
        return self.read_live(connection, resource_id, planned)

    def put(self, clients: AwsClients, bucket: str, planned: Bag) -> None:
        """Write the document."""
        with doing(f"putting S3 Bucket ({bucket}) Policy"):
            # For a while AWS treats a new principal as malformed.
            patiently(
                PASSING | {"MalformedPolicy"},
                clients.s3.put_bucket_policy,
                Bucket=bucket,
                Policy=policies.normalised(planned["policy"]),
            )

    def get(self, clients: AwsClients, bucket: str, state: Bag) -> Bag | None:
        """Read the document."""
        answer = found(self._none, clients.s3.get_bucket_policy, Bucket=bucket)
        return None if answer is None else {"policy": policies.kept_or_read(state.get("policy"), answer["Policy"])}

    def remove(self, clients: AwsClients, bucket: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Delete the document."""
        found(self._none, clients.s3.delete_bucket_policy, Bucket=bucket)
