"""What an audit reads: every setting of a bucket that the API has, and the calls that list identities.

The rule: the auditor's policy and the reads come from these tables, so it may read what is read and nothing else.
Pure. `docs/verification.md` shows what is not in the tables.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html, and of MinIO cmd/api-router.go,
cmd/admin-handlers-users.go and cmd/admin-bucket-handlers.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_BOTH = ("aistor", "aws")
_AWS = ("aws",)


@dataclass(frozen=True)
class Setting:
    """One kind of configuration of a bucket.

    Attributes:
        name: Its name in findings.
        query: The query of the GET request that reads it.
        action: The permission to read it.
        root: What the name of the answer's root element holds; servers name the same root in several ways, and an
            answer without it is none. Empty for the bucket policy, which is JSON.
        clouds: The clouds that have it.
    """

    name: str
    query: str
    action: str
    root: str
    clouds: Sequence[str] = _BOTH


SETTINGS: tuple[Setting, ...] = (
    Setting("versioning", "versioning", "s3:GetBucketVersioning", "Versioning"),
    Setting("lifecycle", "lifecycle", "s3:GetLifecycleConfiguration", "Lifecycle"),
    Setting("object lock", "object-lock", "s3:GetBucketObjectLockConfiguration", "ObjectLock"),
    Setting("encryption", "encryption", "s3:GetEncryptionConfiguration", "ServerSideEncryption"),
    Setting("bucket policy", "policy", "s3:GetBucketPolicy", ""),
    Setting("replication", "replication", "s3:GetReplicationConfiguration", "Replication"),
    Setting("notification", "notification", "s3:GetBucketNotification", "Notification"),
    Setting("tags", "tagging", "s3:GetBucketTagging", "Tagging"),
    Setting("CORS", "cors", "s3:GetBucketCors", "CORS", ("aistor",)),
    Setting("CORS", "cors", "s3:GetBucketCORS", "CORS", _AWS),
    Setting("ACL", "acl", "s3:GetBucketAcl", "AccessControl", _AWS),
    Setting("website", "website", "s3:GetBucketWebsite", "Website", _AWS),
    Setting("logging", "logging", "s3:GetBucketLogging", "Logging", _AWS),
    Setting("inventory", "inventory", "s3:GetInventoryConfiguration", "Inventory", _AWS),
    Setting("metrics", "metrics", "s3:GetMetricsConfiguration", "Metrics", _AWS),
    Setting("analytics", "analytics", "s3:GetAnalyticsConfiguration", "Analytics", _AWS),
    Setting(
        "intelligent tiering",
        "intelligent-tiering",
        "s3:GetIntelligentTieringConfiguration",
        "IntelligentTiering",
        _AWS,
    ),
    Setting("acceleration", "accelerate", "s3:GetAccelerateConfiguration", "Accelerate", _AWS),
    Setting("request payment", "requestPayment", "s3:GetBucketRequestPayment", "RequestPayment", _AWS),
    Setting(
        "public access block",
        "publicAccessBlock",
        "s3:GetBucketPublicAccessBlock",
        "PublicAccessBlock",
        _AWS,
    ),
    Setting("ownership", "ownershipControls", "s3:GetBucketOwnershipControls", "Ownership", _AWS),
)
ROOTS = {setting.name: setting.root for setting in SETTINGS}
#: On AIStor a bucket's quota is a setting of the admin API.
QUOTA = "quota"
ADMIN_READS: tuple[str, ...] = (
    "admin:GetBucketQuota",
    "admin:GetGroup",
    "admin:GetPolicy",
    "admin:ListGroups",
    "admin:ListServiceAccounts",
    "admin:ListUserPolicies",
    "admin:ListUsers",
)
#: IAM knows no names of ours here: an undeclared user is found only in a list of all.
IAM_READS: tuple[str, ...] = (
    "iam:GetAccountAuthorizationDetails",
    "iam:GetLoginProfile",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListAccessKeys",
)
#: Of a bucket's objects only which there are, and what holds them.
LOCK_READS: tuple[str, ...] = ("s3:GetObjectLegalHold", "s3:GetObjectRetention")


def bucket_reads(cloud: str) -> tuple[str, ...]:
    """The permissions on a bucket itself."""
    settings = sorted({setting.action for setting in SETTINGS if cloud in setting.clouds})
    return ("s3:GetBucketLocation", "s3:ListBucketVersions", *settings)


def settings_of(cloud: str) -> tuple[Setting, ...]:
    """The settings that a cloud's buckets have."""
    return tuple(setting for setting in SETTINGS if cloud in setting.clouds)
