"""Policies on buckets themselves: their name, their protection against deletion, and their private ACL."""

import re
from collections.abc import Iterator

from pulumi_policy import PolicyConfigSchema, ResourceValidationArgs, ResourceValidationPolicy

from model.bucket_names import BUCKET_NAME_MAXIMUM, PROJECT, reserved_suffix
from policy.resources import AWS_BUCKET_ACL, BUCKETS, is_locked, of_types

_NAME = re.compile(PROJECT + r"-[a-z][a-z0-9]{0,11}-[a-z]{2,4}[0-9]-[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DISPOSABLE = PolicyConfigSchema(
    properties={
        "disposable": {
            "type": "boolean",
            "default": False,
            "description": "The stack holds no data that matters (a sandbox)",
        }
    }
)
_OR_DISPOSABLE = "mark the stack as disposable in the pack's config (--policy-pack-config policy/disposable.json)"


def _is_disposable(args: ResourceValidationArgs) -> bool:
    # Strictly true: a string in its place must not disable a guard.
    return args.get_config().get("disposable") is True


def _name(args: ResourceValidationArgs) -> Iterator[str]:
    name = args.props.get("bucket")
    form = f"{PROJECT}-{{env}}-{{region code}}-{{domain}}"
    if not name:
        yield f"the bucket has no declared name, so the provider invents one; the name must be {form}"
    elif not _NAME.fullmatch(str(name)):
        yield f"the name {str(name)!r} is not {form} in lower case letters, digits and single hyphens"
    if name and len(str(name)) > BUCKET_NAME_MAXIMUM:
        yield f"the name has {len(str(name))} characters, but S3 allows at most {BUCKET_NAME_MAXIMUM}"
    if suffix := reserved_suffix(str(name)):
        yield f"the name ends with {suffix}, which S3 reserves for names that it makes itself"


def _protect(args: ResourceValidationArgs) -> Iterator[str]:
    if not args.opts.protect and not _is_disposable(args):
        yield f"the bucket is not protected; set object-store:protect to true, or {_OR_DISPOSABLE}"


def _force_destroy(args: ResourceValidationArgs) -> Iterator[str]:
    if not args.props.get("forceDestroy"):
        return
    if is_locked(args):
        yield "forceDestroy is enabled on a bucket with object lock"
    elif not _is_disposable(args):
        yield f"forceDestroy is enabled; set object-store:emptyOnDestroy to false, or {_OR_DISPOSABLE}"


def _acl(args: ResourceValidationArgs) -> Iterator[str]:
    if args.props.get("acl") not in (None, "", "private"):
        yield "the ACL is not private"
    if args.props.get("grants") or args.props.get("accessControlPolicy"):
        yield "the ACL is a list of grants; only policies may grant access"


POLICIES = [
    ResourceValidationPolicy(
        "bucket-name",
        "Bucket names follow joelclaw-{env}-{region code}-{domain}: grants, alarms and the verification find a bucket "
        "only by its name, and a dot breaks TLS on virtual-hosted addresses.",
        of_types(BUCKETS, _name),
    ),
    ResourceValidationPolicy(
        "bucket-protect",
        "Buckets are protected: one edit of the program must not delete data that cannot be recreated.",
        of_types(BUCKETS, _protect),
        config_schema=_DISPOSABLE,
    ),
    ResourceValidationPolicy(
        "bucket-force-destroy",
        "No bucket is emptied before deletion: an unintended replacement would delete every object, and on a bucket "
        "with object lock it would never end.",
        of_types(BUCKETS, _force_destroy),
        config_schema=_DISPOSABLE,
    ),
    ResourceValidationPolicy(
        "bucket-acl",
        "Buckets have a private ACL: an ACL can grant access beyond every policy, and pulumi-minio silently ignores "
        "setting it back later.",
        of_types((*BUCKETS, AWS_BUCKET_ACL), _acl),
    ),
]
