"""The resources that a stack declares: who implements each, its Pulumi type, its name's suffix, and its subject.

The rule: the stores name resources with `logical_name`, and code that reads a state, a preview or an import looks types
up here. No other module spells out a type. It leaves out types that only other programs declare (`policy.documents`).

Sources: https://www.pulumi.com/registry/packages/minio/api-docs/ and
https://www.pulumi.com/registry/packages/aws/api-docs/; for dynamic resources `infra.identity`,
`infra.retention` and `infra.bucket_policy`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Literal, TypeVar

T = TypeVar("T")
AdminApiVersion = Literal["v3", "v4"]
#: What implements an identity: the plugin (admin API v3), this project's resources (v4), or AWS.
By = Literal["v3", "v4", "aws"]

STACK = "pulumi:pulumi:Stack"
PROVIDERS = "pulumi:providers:"
DYNAMIC_PROVIDER = f"{PROVIDERS}pulumi-python"
DYNAMIC = "pulumi-python:dynamic/"
#: This project's component and the provider for each cloud, and their names.
STORE = {"aistor": "object-store:storage:AistorStore", "aws": "object-store:storage:AwsStore"}
STORE_NAME = "store"
PROVIDER = {"aistor": f"{PROVIDERS}minio", "aws": f"{PROVIDERS}aws"}


class About(StrEnum):
    """What a resource configures, in the words that users see."""

    BUCKET = "bucket"
    VERSIONING = "versioning"
    RETENTION = "retention"
    LIFECYCLE = "lifecycle"
    PUBLIC_ACCESS = "public-access block"
    OWNERSHIP = "ownership"
    ENCRYPTION = "encryption"
    BUCKET_POLICY = "bucket policy"
    USER = "user"
    POLICY = "policy"
    ATTACHMENT = "attachment"
    KEY = "key"
    ROLE = "role"
    ROLE_ATTACHMENT = "role attachment"


_BUCKETS_ON_AISTOR = {
    About.BUCKET: "minio:index/s3Bucket:S3Bucket",
    About.VERSIONING: "minio:index/s3BucketVersioning:S3BucketVersioning",
    About.RETENTION: f"{DYNAMIC}storage:DefaultRetention",
    About.LIFECYCLE: "minio:index/ilmPolicy:IlmPolicy",
    About.BUCKET_POLICY: f"{DYNAMIC}storage:NoBucketPolicy",
}
TYPES: Mapping[By, Mapping[About, str]] = {
    "v3": {
        **_BUCKETS_ON_AISTOR,
        About.USER: "minio:index/iamUser:IamUser",
        About.POLICY: "minio:index/iamPolicy:IamPolicy",
        About.ATTACHMENT: "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment",
        About.KEY: "minio:index/iamServiceAccount:IamServiceAccount",
    },
    "v4": {
        **_BUCKETS_ON_AISTOR,
        About.USER: f"{DYNAMIC}identity:User",
        About.POLICY: f"{DYNAMIC}identity:Policy",
        About.ATTACHMENT: f"{DYNAMIC}identity:Attachment",
        About.KEY: f"{DYNAMIC}identity:ServiceAccount",
    },
    "aws": {
        About.BUCKET: "aws:s3/bucket:Bucket",
        About.VERSIONING: "aws:s3/bucketVersioning:BucketVersioning",
        About.RETENTION: "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        About.LIFECYCLE: "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        About.PUBLIC_ACCESS: "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        About.OWNERSHIP: "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        About.ENCRYPTION: ("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"),
        About.BUCKET_POLICY: "aws:s3/bucketPolicy:BucketPolicy",
        About.USER: "aws:iam/user:User",
        About.POLICY: "aws:iam/policy:Policy",
        About.ATTACHMENT: "aws:iam/userPolicyAttachment:UserPolicyAttachment",
        About.KEY: "aws:iam/accessKey:AccessKey",
        About.ROLE: "aws:iam/role:Role",
        About.ROLE_ATTACHMENT: "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    },
}
#: An identity's resources, except those of a role.
OF_IDENTITY = (About.USER, About.POLICY, About.ATTACHMENT, About.KEY)
_ABOUT = {kind: about for types in TYPES.values() for about, kind in types.items()}
_ENDING = {
    About.BUCKET: "",
    About.PUBLIC_ACCESS: "-public-access",
    About.BUCKET_POLICY: "-policy",
    About.ROLE_ATTACHMENT: "-attachment",
}
# If a policy has several documents, the first has no number; a key always has its generation.
_NUMBERED = {
    About.POLICY: "(-[0-9]+)?",
    About.ATTACHMENT: "(-[0-9]+)?",
    About.ROLE_ATTACHMENT: "(-[0-9]+)?",
    About.KEY: "-[0-9]+",
}


def about(kind: str) -> About | None:
    """What a Pulumi type configures; None for a type that no stack of this project declares."""
    return _ABOUT.get(kind)


def identity_types(by: By) -> frozenset[str]:
    """The types of an identity's user, policy, attachment and keys."""
    return frozenset(TYPES[by][what] for what in OF_IDENTITY)


def types_about(*abouts: About) -> frozenset[str]:
    """The types, of all clouds, that configure any of the given subjects."""
    return frozenset(kind for kind, what in _ABOUT.items() if what in abouts)


def logical_name(subject: str, what: About, number: int | None = None) -> str:
    """The name of a domain's or an identity's resource in the program.

    Args:
        subject: The domain's or the identity's name.
        what: What the resource configures.
        number: A key's generation, or the number of one of several policies; None for the first or only one.
    """
    return numbered(subject + _ENDING.get(what, f"-{what.value}"), number)


def with_numbers(policies: Iterable[T]) -> Iterator[tuple[int | None, T]]:
    """An identity's policies with their numbers; the first has none, so that its name does not depend on the others."""
    return ((number if number > 1 else None, policy) for number, policy in enumerate(policies, start=1))


def numbered(name: str, number: int | None) -> str:
    """A name with its number, in the program and on the server."""
    return name if number is None else f"{name}-{number}"


def subject_of(kind: str, name: str) -> tuple[str, str]:
    """The domain or identity of a resource and its name's suffix; for other resources, the whole name and no suffix.

    Args:
        kind: Its Pulumi type.
        name: Its name in the program, the last part of its URN.
    """
    what = about(kind)
    if what is None:
        return name, ""
    ending = re.escape(_ENDING.get(what, f"-{what.value}")) + _NUMBERED.get(what, "")
    match = re.search(f"{ending}$", name)
    return (name[: match.start()], match.group()) if match else (name, "")
