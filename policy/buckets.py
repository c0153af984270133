"""Policies on buckets themselves: their name, that they survive, and that nobody is let in by an ACL."""

import re
from collections.abc import Iterator

from pulumi_policy import PolicyConfigSchema, ResourceValidationArgs, ResourceValidationPolicy

from model.plan import BUCKET_NAME_MAXIMUM, PROJECT
from policy.resources import AWS_BUCKET_ACL, BUCKETS, is_locked, of_types

_NAME = re.compile(PROJECT + r"-[a-z][a-z0-9]{0,11}-[a-z]{2,4}[0-9]-[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DISPOSABLE = PolicyConfigSchema(
    properties={
        "disposable": {
            "type": "boolean",
            "default": False,
            "description": "The stack holds nothing that anybody would miss (a sandbox)",
        }
    }
)
_OR_DISPOSABLE = "call the stack disposable in the pack's config (--policy-pack-config policy/disposable.json)"


def _is_disposable(args: ResourceValidationArgs) -> bool:
    # Strictly true: a word in its place must not switch a guard off.
    return args.get_config().get("disposable") is True


def _name(args: ResourceValidationArgs) -> Iterator[str]:
    name = args.props.get("bucket")
    form = f"{PROJECT}-{{env}}-{{region code}}-{{domain}}"
    if not name:
        yield f"the bucket has no name of its own, so the provider makes one up; it must be {form}"
    elif not _NAME.fullmatch(str(name)):
        yield f"the name {str(name)!r} is not {form} in lower case letters, digits and single hyphens"
    if name and len(str(name)) > BUCKET_NAME_MAXIMUM:
        yield f"the name has {len(str(name))} characters, and S3 takes {BUCKET_NAME_MAXIMUM}"


def _protect(args: ResourceValidationArgs) -> Iterator[str]:
    if not args.opts.protect and not _is_disposable(args):
        yield f"the bucket is not protected; set object-store:protect to true, or {_OR_DISPOSABLE}"


def _force_destroy(args: ResourceValidationArgs) -> Iterator[str]:
    if not args.props.get("forceDestroy"):
        return
    if is_locked(args):
        yield "forceDestroy on a bucket with object lock"
    elif not _is_disposable(args):
        yield f"forceDestroy is on; set object-store:emptyOnDestroy to false, or {_OR_DISPOSABLE}"


def _acl(args: ResourceValidationArgs) -> Iterator[str]:
    if args.props.get("acl") not in (None, "", "private"):
        yield "the ACL is not private"
    if args.props.get("grants") or args.props.get("accessControlPolicy"):
        yield "the ACL is a list of grants; access is given by policies alone"


POLICIES = [
    ResourceValidationPolicy(
        "bucket-name",
        "Bucket names follow joelclaw-{env}-{region code}-{domain}: grants, alarms and the verification find a bucket "
        "by its name alone, and a dot breaks TLS on virtual-hosted addresses.",
        of_types(BUCKETS, _name),
    ),
    ResourceValidationPolicy(
        "bucket-protect",
        "Buckets are protected: one edit of the program must not be able to delete what cannot be made again.",
        of_types(BUCKETS, _protect),
        config_schema=_DISPOSABLE,
    ),
    ResourceValidationPolicy(
        "bucket-force-destroy",
        "No bucket is emptied to be deleted: a replacement that nobody meant would take every object with it; on a "
        "bucket with object lock it would never end.",
        of_types(BUCKETS, _force_destroy),
        config_schema=_DISPOSABLE,
    ),
    ResourceValidationPolicy(
        "bucket-acl",
        "Buckets are private by ACL: an ACL lets callers in past every policy, and setting it back later is silently "
        "ignored by pulumi-minio.",
        of_types((*BUCKETS, AWS_BUCKET_ACL), _acl),
    ),
]
