"""Policies on access: the public-access block, users, service accounts, and where access keys may appear.

The rule: only the output `credentials` publishes keys, and only the store's component creates them. The engine does
not tell a policy whether an output is marked secret; the program's tests check that.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from pulumi_policy import (
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from model.resources import STACK
from policy.documents import MalformedDocumentError, statements_of
from policy.resources import (
    AISTOR_KEYS,
    AWS_BUCKET,
    AWS_KEY,
    AWS_USER,
    MINIO_KEY,
    MINIO_USER,
    OWN_KEY,
    OWN_USER,
    PUBLIC_ACCESS_BLOCKS,
    STORES,
    at,
    of_each_bucket,
    of_types,
    on_bucket,
    type_of,
    values_in,
)

CREDENTIALS = "credentials"
_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_KEY_PROPERTIES = {
    AWS_KEY: ("id", "secret"),
    MINIO_KEY: ("accessKey", "secretKey"),
    MINIO_USER: ("secret",),
    OWN_KEY: ("accessKey", "secretKey"),
    OWN_USER: ("secret",),
}
_SECRET_PROPERTIES = ("secret", "secretKey")
_KEY_NAME = re.compile(r"secret|accesskey|password")
_AWS_KEY_ID = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b")
_SECRET_MINIMUM = 8  # the shortest secret that a server accepts; shorter text proves nothing


def _public_access(bucket: PolicyResource, resources: Sequence[PolicyResource]) -> Iterator[str]:
    blocks = on_bucket(bucket, resources, PUBLIC_ACCESS_BLOCKS)
    if len(blocks) != 1:
        yield f"the bucket has {len(blocks)} public-access blocks instead of one"
        return
    missing = [key for key in _BLOCKS if blocks[0].props.get(key) is not True]
    if missing:
        yield f"its public-access block does not enable {', '.join(missing)}"


def _user(args: ResourceValidationArgs) -> Iterator[str]:
    if args.props.get("forceDestroy"):
        yield "the user has forceDestroy enabled"


def _service_account(args: ResourceValidationArgs) -> Iterator[str]:
    try:
        found = statements_of(args.props.get("policy"))
    except MalformedDocumentError as error:
        yield str(error)
    else:
        if not found:
            yield "the service account does not have its own policy"


def _made_by_store(args: ResourceValidationArgs) -> Iterator[str]:
    # …::{type of the parent's parents}${type of the parent}::{name}
    parts = (args.opts.parent or "").split("::")
    parent = parts[2].rpartition("$")[2] if len(parts) > 2 else ""  # noqa: PLR2004 - the type's position in a URN
    if parent not in STORES:
        yield "the store did not create the access key, so it belongs to no identity of the taxonomy"


def _handed_out(args: StackValidationArgs, report: ReportViolation) -> None:
    unknown: UnknownValueError | None = None
    keys, secrets = _known_keys(args.resources)
    for resource in args.resources:
        if type_of(resource) in _KEY_PROPERTIES:
            continue
        is_stack = type_of(resource) == STACK
        for path, value in values_in(resource.props):
            problem = _output_problem(path, value, keys) if is_stack else _property_problem(path, value, secrets)
            if problem:
                report(f"{resource.name}: {problem}", resource.urn)
            elif is_stack and path[0] != CREDENTIALS and isinstance(value, UnknownValueError):
                unknown = unknown or at(resource.name, value)
    if unknown is not None:
        raise unknown


def _property_problem(path: tuple[str, ...], value: object, secrets: set[str]) -> str | None:
    return f"the property {'.'.join(path)} contains a secret key" if _holds(value, secrets) else None


def _output_problem(path: tuple[str, ...], value: object, keys: set[str]) -> str | None:
    if path[0] == CREDENTIALS or value in (None, "", False, True):
        return None
    if any(_KEY_NAME.search(re.sub(r"[^a-z]", "", part.lower())) for part in path):
        return f"the output {'.'.join(path)} has the name of a key; publish keys only in the output {CREDENTIALS}"
    if _holds(value, keys) or (isinstance(value, str) and _AWS_KEY_ID.search(value)):
        return f"the output {'.'.join(path)} contains an access key; publish keys only in the output {CREDENTIALS}"
    return None


def _known_keys(resources: Iterable[PolicyResource]) -> tuple[set[str], set[str]]:
    """All known keys and secrets, and the secrets only; a known output cannot contain a key that is still unknown."""
    keys, secrets = set(), set()
    for resource in resources:
        for key in _KEY_PROPERTIES.get(type_of(resource), ()):
            try:
                value = resource.props.get(key)
            except UnknownValueError:
                continue
            if isinstance(value, str) and len(value) >= _SECRET_MINIMUM:
                keys.add(value)
                if key in _SECRET_PROPERTIES:
                    secrets.add(value)
    return keys, secrets


def _holds(value: object, keys: set[str]) -> bool:
    return isinstance(value, str) and any(key in value for key in keys)


POLICIES = [
    StackValidationPolicy(
        "public-access-block",
        "Every AWS bucket has a complete public-access block: it still protects when a policy or an ACL is wrong.",
        of_each_bucket(_public_access, frozenset({AWS_BUCKET})),
    ),
    ResourceValidationPolicy(
        "user-force-destroy",
        "No user has forceDestroy: with it, pulumi-minio deletes the user at any update, and AWS also deletes keys "
        "that this stack does not declare.",
        of_types((MINIO_USER, AWS_USER), _user),
    ),
    ResourceValidationPolicy(
        "service-account-policy",
        "Every service account has a policy: without one it has all permissions of its user, and every preview shows "
        "a difference.",
        of_types(AISTOR_KEYS, _service_account),
    ),
    ResourceValidationPolicy(
        "key-maker",
        "Only the store's component creates access keys: any other key belongs to no identity, so no command rotates "
        "or verifies it.",
        of_types((*AISTOR_KEYS, AWS_KEY), _made_by_store),
    ),
    StackValidationPolicy(
        "key-outputs",
        "Access keys and secrets appear only in the output `credentials`: every other output and property is printed, "
        "published and stored in clear text.",
        _handed_out,
    ),
]
