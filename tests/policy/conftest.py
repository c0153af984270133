"""Hand-built resources in the form that the engine gives to a policy, and a judge that runs one policy on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policy.pack import POLICIES

UNKNOWN = UNKNOWN_STRING_VALUE
BY_NAME = {policy.name: policy for policy in POLICIES}
CLOUDS = ("aistor", "aws")
# Identities on AIStor are the plugin's resources (`aistor`) or this project's (`own`).
WHERE = (*CLOUDS, "own")
TYPES = {
    "aistor": {
        "bucket": "minio:index/s3Bucket:S3Bucket",
        "lifecycle": "minio:index/ilmPolicy:IlmPolicy",
        "versioning": "minio:index/s3BucketVersioning:S3BucketVersioning",
        "retention": "pulumi-python:dynamic/storage:DefaultRetention",
        "user": "minio:index/iamUser:IamUser",
        "key": "minio:index/iamServiceAccount:IamServiceAccount",
        "policy": "minio:index/iamPolicy:IamPolicy",
        "bucket policy": "minio:index/s3BucketPolicy:S3BucketPolicy",
        "store": "object-store:storage:AistorStore",
    },
    "aws": {
        "bucket": "aws:s3/bucket:Bucket",
        "lifecycle": "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "versioning": "aws:s3/bucketVersioning:BucketVersioning",
        "retention": "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "user": "aws:iam/user:User",
        "key": "aws:iam/accessKey:AccessKey",
        "policy": "aws:iam/policy:Policy",
        "bucket policy": "aws:s3/bucketPolicy:BucketPolicy",
        "block": "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "acl": "aws:s3/bucketAcl:BucketAcl",
        "store": "object-store:storage:AwsStore",
    },
}
TYPES["own"] = {
    **TYPES["aistor"],
    "user": "pulumi-python:dynamic/identity:User",
    "key": "pulumi-python:dynamic/identity:ServiceAccount",
    "policy": "pulumi-python:dynamic/identity:Policy",
}
STACK = "pulumi:pulumi:Stack"
BUCKET = "joelclaw-test-usw2-media-raw"


@dataclass(frozen=True, eq=False)
class Thing:
    """A resource of a stack.

    Attributes:
        type: Its type token.
        props: Its properties.
        name: Its logical name.
        protect: Whether it is protected.
        parent: Type tokens of its parents, the outermost first.
        on: The resource that its `bucket` was computed from.
    """

    type: str
    props: Mapping[str, Any] = field(default_factory=dict)
    name: str = "thing"
    protect: bool = True
    parent: tuple[str, ...] = (STACK,)
    on: "Thing | None" = None

    @property
    def urn(self) -> str:
        """The resource's URN."""
        return f"urn:pulumi:test::object-store::{'$'.join((*self.parent, self.type))}::{self.name}"

    def options(self) -> PolicyResourceOptions:
        """The resource's options."""
        parent = f"urn:pulumi:test::object-store::{'$'.join(self.parent)}::above"
        return PolicyResourceOptions(
            protect=self.protect,
            ignore_changes=[],
            delete_before_replace=None,
            aliases=[],
            custom_timeouts=PolicyCustomTimeouts(0, 0, 0),
            additional_secret_outputs=[],
            parent=parent,
        )


def judged(policy: str, *things: Thing, config: Mapping[str, Any] | None = None) -> list[str]:
    """The violations that a policy reports for a stack.

    Raises:
        UnknownValueError: A value is unknown; the error's `reported` has the violations reported before.
    """
    found: list[str] = []

    def report(message: str, urn: str | None = None) -> None:
        assert urn is None or urn in {thing.urn for thing in things}
        found.append(message)

    one = BY_NAME[policy]
    try:
        if isinstance(one, ResourceValidationPolicy):
            for thing in things:
                props = unknown_checking_proxy(dict(thing.props))
                one.validate(
                    ResourceValidationArgs(thing.type, props, thing.urn, thing.name, thing.options(), None, config),
                    report,
                )
        elif isinstance(one, StackValidationPolicy):
            one.validate(StackValidationArgs(_resources(things), config), report)
    except Exception as error:
        error.reported = found  # type: ignore[attr-defined]  # for the tests of unknown values
        raise
    return found


def _resources(things: tuple[Thing, ...]) -> list[PolicyResource]:
    made: dict[int, PolicyResource] = {}
    for thing in things:
        made[id(thing)] = PolicyResource(
            thing.type,
            unknown_checking_proxy(dict(thing.props)),
            thing.urn,
            thing.name,
            thing.options(),
            None,
            None,
            [],
            {"bucket": [made[id(thing.on)]]} if thing.on else {},
        )
    return list(made.values())


def bucket(
    cloud: str, *, locked: bool = False, protect: bool = True, name: str = "media-raw", **props: object
) -> Thing:
    """A correct bucket, except for the given properties."""
    lock = "objectLocking" if cloud != "aws" else "objectLockEnabled"
    given = {"bucket": BUCKET, "forceDestroy": False, lock: locked, **props}
    return Thing(TYPES[cloud]["bucket"], given, name, protect)


def lifecycle(cloud: str, *rules: Mapping[str, Any], on: object = BUCKET) -> Thing:
    """A lifecycle resource."""
    return Thing(TYPES[cloud]["lifecycle"], {"bucket": on, "rules": list(rules)}, "lifecycle")


def rule(cloud: str, name: str, days: int | None, prefix: str = "", **more: object) -> dict[str, Any]:
    """A lifecycle rule in a cloud's form."""
    if cloud != "aws":
        return {"id": name, "expiration": f"{days}d" if days else None, "filter": prefix or None, **more}
    expiration = {"days": days} if days else None
    return {"id": name, "status": "Enabled", "filter": {"prefix": prefix}, "expiration": expiration, **more}


def versioning(cloud: str) -> Thing:
    """Versioning of the bucket."""
    return Thing(
        TYPES[cloud]["versioning"], {"bucket": BUCKET, "versioningConfiguration": {"status": "Enabled"}}, "versioning"
    )


def retention(cloud: str, days: int, mode: str = "GOVERNANCE") -> Thing:
    """Default retention of the bucket."""
    own = {"mode": mode, "days": days}
    return Thing(
        TYPES[cloud]["retention"],
        {"bucket": BUCKET, **(own if cloud != "aws" else {"rule": {"defaultRetention": own}})},
        "retention",
    )
