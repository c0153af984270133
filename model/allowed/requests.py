"""What can be asked: the operations of each cloud, the permissions that each needs, and the resources that it can name.

The rule: every action is an operation, also one that no list has. MinIO's server asks for other permissions than an
operation's name says in four cases, which are written here. It leaves out conditions.

Sources for MinIO: authorizeRequest (cmd/auth-handler.go), AddUser and AddServiceAccount (cmd/admin-handlers-users.go)
of February 2026: `DenyOnly` allows what no policy denies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from model.allowed import actions
from model.allowed.statements import S3, Cloud, Test
from model.allowed.strings import Pattern, glob, literal, matches

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["object", "bucket", "service", "server", "kms", "other", "any"]
#: Permissions of MinIO that a user has for itself unless a policy denies them.
_FOR_ITSELF = {
    "admin:CreateServiceAccount": "make an access key for itself",
    "admin:CreateUser": "change its own secret key",
}


class Need(NamedTuple):
    """One permission; `unless_denied` means that the identity's policies need not allow it."""

    action: str
    unless_denied: bool = False


@dataclass(frozen=True)
class Operation:
    """One thing to ask for.

    Attributes:
        action: The action that names it, as its service spells it.
        kind: What kind of resource it names.
        ways: It is allowed if all permissions of one way are given.
        says: What it does, where the action's name alone does not say it.
        version: Whether it names a version, which is a condition key too; None if it makes no difference.
    """

    action: str
    kind: Kind
    ways: tuple[tuple[Need, ...], ...]
    says: str = ""
    version: bool | None = None


def _plain(action: str, kind: Kind) -> Operation:
    return Operation(action, kind, ((Need(action),),))


#: The condition key, and the test whether it names a version.
VERSION_ID = "s3:versionid"
A_VERSION = Test("StringLike", "versionid", ("?*",), (glob("?*"),), VERSION_ID)
_DELETE_VERSION = (Need("s3:DeleteObject"), Need("s3:DeleteObjectVersion", unless_denied=True))
#: Actions of MinIO's lists that are asked for in another way, or for another kind of resource than their list.
_OTHERWISE = frozenset(
    ("s3:DeleteObject", "s3:ListBucketVersions", "s3:ListenNotification", "s3:ResetBucketReplicationState")
)
DELETE_SEVERAL = "delete versions by a multi-object delete"
#: Named first in findings, because a person understands it.
_FIRST = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucket")


@cache
def operations(cloud: Cloud) -> tuple[Operation, ...]:
    """All operations that a list has, the best known first."""
    if cloud == "aws":
        found = [
            *(_plain(name, "object") for name in actions.AWS_OF_OBJECTS),
            *(_plain(name, "bucket") for name in actions.AWS_OF_BUCKETS),
            _plain(actions.LIST_BUCKETS, "service"),
            *(_plain(name, "other") for name in actions.AWS_OF_OTHERS),
            *(_plain(name, "any") for name in actions.AWS_OF_OTHER_SERVICES),
        ]
    else:
        found = [
            *(_plain(name, "object") for name in actions.MINIO_OF_OBJECTS if name not in _OTHERWISE),
            Operation("s3:DeleteObject", "object", ((Need("s3:DeleteObject"),),), version=False),
            *(_plain(name, "bucket") for name in actions.MINIO_OF_BUCKETS if name not in _OTHERWISE),
            *(_plain(name, "any") for name in ("s3:ListenNotification", "s3:ResetBucketReplicationState")),
            Operation("s3:ListBucketVersions", "bucket", ((Need("s3:ListBucketVersions"),), (Need("s3:ListBucket"),))),
            _plain(actions.LIST_BUCKETS, "server"),
            *(_plain(name, "server") for name in (*actions.MINIO_OF_ADMINISTRATION, *actions.MINIO_OF_STS)),
            *(_plain(name, "kms") for name in actions.MINIO_OF_KMS),
            Operation("s3:DeleteObject", "object", (_DELETE_VERSION,), says="delete versions", version=True),
            # A multi-object delete has its version ids in the body, where no condition sees them.
            Operation("s3:DeleteObject", "object", (_DELETE_VERSION,), says=DELETE_SEVERAL),
            *(
                Operation(name, "server", ((Need(name, unless_denied=True),),), says)
                for name, says in _FOR_ITSELF.items()
            ),
        ]
    return tuple(sorted(found, key=lambda one: one.action not in _FIRST))


#: On MinIO, the kinds of resources that the actions of a namespace name.
_NAMESPACES: dict[str, Kind] = {"admin": "server", "kms": "kms", "sts": "server"}


def unlisted(action: str, cloud: Cloud) -> Operation:
    """An operation that no list has; its resource can be anything that its service has."""
    kind = _NAMESPACES.get(action.partition(":")[0], "any") if cloud == "aistor" else "any"
    return _plain(action, kind)


@dataclass(frozen=True)
class Domain:
    """The resources of one kind: `some` matches them, and `none` does not."""

    some: Pattern
    none: tuple[Pattern, ...] = ()
    #: Matched by none of `none`, but all the same of this kind.
    also: Pattern | None = None

    def patterns(self) -> tuple[Pattern, ...]:
        """All patterns, which must be among those that make the classes."""
        return (self.some, *self.none, *((self.also,) if self.also else ()))

    def has(self, mask: int, numbers: Mapping[Pattern, int]) -> bool:
        """Whether the strings of a class are of this kind."""

        def matched(pattern: Pattern) -> bool:
            return bool(mask >> numbers[pattern] & 1)

        if self.also and matched(self.also):
            return True
        return matched(self.some) and not any(matched(one) for one in self.none)


def domains(cloud: Cloud, *, anonymous: bool) -> dict[Kind, Domain]:
    """The resources that each kind of operation can name.

    AWS: a known action of S3 may also name something else than a bucket or an object, such as an access point. MinIO
    puts a slash behind a bucket, but not where it asks a bucket's policy for an anonymous caller.
    """
    an_arn, on_bucket, in_key = glob("arn:?*"), glob(f"{S3}*"), glob(f"{S3}*/*")
    no_bucket = glob(f"{S3}/*")
    if cloud == "aws":
        return {
            "object": Domain(an_arn, (on_bucket,), also=glob(f"{S3}?*/?*")),
            "bucket": Domain(an_arn, (in_key, literal(S3))),
            "service": Domain(literal(f"{S3}*")),
            "other": Domain(an_arn, (on_bucket,), also=literal("*")),
            "any": Domain(an_arn, also=literal("*")),
        }
    of_object = Domain(glob(f"{S3}?*/?*"), (no_bucket, glob(f"{S3}*//*")))
    if anonymous:
        of_bucket = Domain(on_bucket, (in_key, literal(S3)))
    else:
        of_bucket = Domain(glob(f"{S3}?*/"), (no_bucket, glob(f"{S3}*/?*")))
    return {
        "object": of_object,
        "bucket": of_bucket,
        "server": Domain(literal(f"{S3}/")),
        "kms": Domain(glob(f"{S3}*/"), (glob(f"{S3}*/?*"),)),  # the name of a key stands where a bucket does
        "any": Domain(glob(f"{S3}?*") if anonymous else in_key),
    }


def place(resource: str) -> tuple[str, str]:
    """The bucket and the key that a resource names; both empty if it names none."""
    if not resource.startswith(S3):
        return "", ""
    bucket, _, key = resource.removeprefix(S3).partition("/")
    return ("", "") if matches(literal("*"), bucket) else (bucket, key)
