"""Losses on a server by hand, behind a stack's back: one for each kind of resource, on both clouds; roles are left out.

The rule: each removes exactly one resource of a state as the server's own tools would, with what the server makes go
first (an attached policy cannot be deleted) or takes along (a user's keys). A bucket is emptied before.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from infra.admin_api import AdminApi, NotFoundError
from model.resources import About
from ops.recover.lost import Held

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

#: Settings that cannot be lost by themselves: the resource keeps the policy absent.
_KEPT_ABSENT = "pulumi-python:dynamic/"


def can_be_lost(one: Held) -> bool:
    """Whether a hand can remove a resource and leave what it belongs to."""
    return not (one.what is About.BUCKET_POLICY and one.kind.startswith(_KEPT_ABSENT))


def can_be_off(one: Held) -> bool:
    """Whether a hand can switch it off: a user on AIStor, and any key."""
    return one.what is About.KEY or (one.what is About.USER and not one.kind.startswith("aws:"))


def lose(one: Held, s3: "S3Client", identities: "AdminApi | IAMClient") -> None:
    """Remove a resource from the server."""
    if one.what in _SETTINGS:
        _SETTINGS[one.what](s3, one.of)
    elif isinstance(identities, AdminApi):
        _on_aistor(one, identities)
    else:
        _on_aws(one, identities)


def switch_off(one: Held, identities: "AdminApi | IAMClient") -> None:
    """Switch a user or a key off."""
    if not isinstance(identities, AdminApi):
        identities.update_access_key(UserName=one.of, AccessKeyId=one.id, Status="Inactive")
    elif one.what is About.USER:
        identities.set_user_status(one.of, "disabled")
    else:
        policy = str(identities.service_account(one.id)["policy"])
        identities.update_service_account(one.id, policy=policy, status="off")


def _bucket(s3: "S3Client", name: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for found in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            s3.delete_object(
                Bucket=name, Key=found["Key"], VersionId=found["VersionId"], BypassGovernanceRetention=True
            )
    s3.delete_bucket(Bucket=name)


_SETTINGS: Mapping[About, Callable[["S3Client", str], Any]] = {
    About.BUCKET: _bucket,
    About.VERSIONING: lambda s3, name: s3.put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Suspended"}
    ),
    About.RETENTION: lambda s3, name: s3.put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    ),
    About.LIFECYCLE: lambda s3, name: s3.delete_bucket_lifecycle(Bucket=name),
    About.PUBLIC_ACCESS: lambda s3, name: s3.delete_public_access_block(Bucket=name),
    About.OWNERSHIP: lambda s3, name: s3.delete_bucket_ownership_controls(Bucket=name),
    About.ENCRYPTION: lambda s3, name: s3.delete_bucket_encryption(Bucket=name),
    About.BUCKET_POLICY: lambda s3, name: s3.delete_bucket_policy(Bucket=name),
}


def _on_aistor(one: Held, api: AdminApi) -> None:
    if one.what is About.USER:
        api.remove_user(one.of)
    elif one.what is About.KEY:
        api.delete_service_account(one.id)
    elif one.what is About.ATTACHMENT:
        api.detach(one.of, one.policy)
    elif one.what is About.POLICY:
        # The first document has the user's name, the others have a number as well.
        for user in (one.id, one.id.rpartition("-")[0]):
            _detached(api, user, one.id)
        api.remove_policy(one.id)


def _detached(api: AdminApi, user: str, policy: str) -> None:
    try:
        attached = policy in str(api.user(user).get("policyName", "")).split(",")
    except NotFoundError:
        return
    if attached:
        api.detach(user, policy)


def _on_aws(one: Held, iam: "IAMClient") -> None:
    if one.what is About.USER:
        for key in iam.list_access_keys(UserName=one.of)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=one.of, AccessKeyId=key["AccessKeyId"])
        for policy in iam.list_attached_user_policies(UserName=one.of)["AttachedPolicies"]:
            iam.detach_user_policy(UserName=one.of, PolicyArn=policy["PolicyArn"])
        iam.delete_user(UserName=one.of)
    elif one.what is About.KEY:
        iam.delete_access_key(UserName=one.of, AccessKeyId=one.id)
    elif one.what is About.ATTACHMENT:
        iam.detach_user_policy(UserName=one.of, PolicyArn=one.policy)
    elif one.what is About.POLICY:
        for user in iam.list_entities_for_policy(PolicyArn=one.id)["PolicyUsers"]:
            iam.detach_user_policy(UserName=user["UserName"], PolicyArn=one.id)
        iam.delete_policy(PolicyArn=one.id)
