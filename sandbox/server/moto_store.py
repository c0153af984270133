"""Read access to moto's data for the gate: buckets, objects and IAM users.

The rule: it changes nothing. Only this module, the amendments and the snapshot use moto's models. Callers hold the
gate's lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import IAMBackend, Role, iam_backends
from moto.s3.models import FakeBucket, FakeKey, S3Backend, s3_backends
from moto.s3.utils import bucket_policy_is_public
from moto.sts.models import sts_backends

from sandbox.server.lifecycle import Rule, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = DEFAULT_ACCOUNT_ID
PARTITION = "aws"
REGION = "us-west-2"
#: The attribute of a role with its permissions boundary; the amendments give users the same.
BOUNDARY = "permissions_boundary_arn"


@dataclass(frozen=True, slots=True)
class IamKey:
    """An access key of an IAM user, with the policies that apply to it."""

    secret_key: str
    active: bool
    user: str
    arn: str
    documents: tuple[str, ...]
    #: The permissions boundary, if there is one.
    bounds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleSession:
    """The temporary key of a caller with an assumed role, and the policies that apply to it."""

    secret_key: str
    token: str
    expires: datetime
    name: str
    arn: str
    documents: tuple[str, ...]
    #: The permissions boundary, if there is one.
    bounds: tuple[str, ...] = ()


def s3() -> S3Backend:
    """Moto's S3."""
    backend: S3Backend = s3_backends[ACCOUNT][PARTITION]
    return backend


def iam() -> IAMBackend:
    """Moto's IAM."""
    backend: IAMBackend = iam_backends[ACCOUNT][PARTITION]
    return backend


def bucket(name: str) -> FakeBucket | None:
    """A bucket, or None if it does not exist."""
    found: FakeBucket | None = s3().buckets.get(name)
    return found


def bucket_names() -> list[str]:
    """All buckets."""
    return list(s3().buckets)


def bucket_policy(name: str) -> str | None:
    """The policy of a bucket."""
    found = bucket(name)
    return found.policy.decode() if found is not None and found.policy else None


def refuses_public_policy(name: str) -> bool:
    """Whether the bucket's public access block forbids a public policy."""
    found = bucket(name)
    block = found.public_access_block if found is not None else None
    return bool(block is not None and block.block_public_policy)


def shuts_out_the_public(name: str) -> bool:
    """Whether the bucket's public access block disables a public policy."""
    found = bucket(name)
    block = found.public_access_block if found is not None else None
    return bool(block is not None and block.restrict_public_buckets)


def is_public(policy: str) -> bool:
    """Whether a bucket policy allows access for every caller."""
    return bool(bucket_policy_is_public(policy))


def lifecycle_rules(name: str) -> list[Rule]:
    """The rules of a bucket, as the amendments store them."""
    rules: list[Rule] = getattr(bucket(name), "lifecycle_rules", [])
    return rules


def version(bucket_name: str, key: str, version_id: str | None) -> FakeKey | None:
    """An object, or one version of it; None for a delete marker or a missing object."""
    found = bucket(bucket_name)
    versions: list[Any] = [] if found is None else found.keys.getlist(key, [])
    if version_id is None:
        versions = versions[-1:]
    for one in versions:
        if isinstance(one, FakeKey) and (version_id is None or str(one.version_id) == version_id):
            return one
    return None


def is_current(bucket_name: str, key: str, version_id: str | None) -> bool:
    """Whether that version is the one that a plain GET returns."""
    current = version(bucket_name, key, None)
    return current is not None and (version_id is None or str(current.version_id) == version_id)


def is_governed(bucket_name: str, key: str, version_id: str | None) -> bool:
    """Whether a governance lock protects that version now."""
    found = version(bucket_name, key, version_id)
    return found is not None and found.lock_mode == "GOVERNANCE" and found.is_locked(governance_bypass=False)


def stored_object(bucket_name: str, key: str) -> StoredObject | None:
    """The properties of the current version that lifecycle rules use."""
    found = version(bucket_name, key, None)
    if found is None:
        return None
    tags: dict[str, str] = s3().tagger.get_tag_dict_for_resource(found.arn)
    return StoredObject(key, found.size, found.last_modified.replace(tzinfo=UTC), tags)


def iam_key(access_key: str) -> IamKey | None:
    """An access key of an IAM user, or None if it is unknown."""
    backend = iam()
    key = backend.access_keys.get(access_key)
    user = backend.users.get(key.user_name) if key is not None and key.user_name else None
    if key is None or user is None or key not in user.access_keys:  # moto does not remove deleted keys
        return None
    documents = tuple(_documents(user))
    return IamKey(key.secret_access_key, key.status == "Active", user.name, user.arn, documents, tuple(_bounds(user)))


def role_session(access_key: str) -> RoleSession | None:
    """A temporary key, or None if it is unknown or its role was deleted.

    The snapshot does not contain sessions, so a restarted server knows none.
    """
    assumed = sts_backends[ACCOUNT][PARTITION].get_assumed_role_from_access_key(access_key)
    role = None if assumed is None else _role(assumed.role_arn)
    if assumed is None or role is None:
        return None
    return RoleSession(
        assumed.secret_access_key,
        assumed.session_token,
        assumed.expiration.replace(tzinfo=UTC),
        assumed.session_name,
        assumed.arn,
        tuple(_documents(role)),
        tuple(_bounds(role)),
    )


def trust_of(role_arn: str) -> str | None:
    """A role's trust policy, or None if the role does not exist."""
    role = _role(role_arn)
    return None if role is None else str(role.assume_role_policy_document)


def audiences(provider_arn: str) -> tuple[str, ...] | None:
    """The audiences of an OpenID Connect provider, or None if the provider does not exist."""
    provider = iam().open_id_providers.get(provider_arn)
    return None if provider is None else tuple(provider.client_id_list)


def _role(arn: str) -> Role | None:
    return next((role for role in iam().get_roles() if role.arn == arn), None)


def _bounds(holder: Any) -> Iterator[str]:  # noqa: ANN401 - a user or role of moto's, which share no type
    arn = getattr(holder, BOUNDARY, None)
    if arn:
        yield from (one.document for one in iam().get_policy(arn).versions if one.is_default)


def _documents(user: Any) -> Iterator[str]:  # noqa: ANN401 - a user, group or role of moto's, which share no type
    yield from user.policies.values()
    for policy in user.managed_policies.values():
        yield from (one.document for one in policy.versions if one.is_default)
    if hasattr(user, "access_keys"):
        for group in iam().get_groups_for_user(user.name):
            yield from _documents(group)
