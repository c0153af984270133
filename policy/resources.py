"""The common part of the policies: types of both clouds, the resources of each bucket, and unknown values.

The rule: a value that is unknown during preview is neither right nor wrong. A policy reports certain violations first
and then raises `UnknownValueError`. The engine shows that as "can't run policy … during preview" and runs the policy
again in the update. Messages quote a property's value only if it is a name, a number of days or a statement's Sid:
the engine gives policies every secret in clear text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from pulumi_policy import (
    PolicyResource,
    ReportViolation,
    ResourceValidation,
    ResourceValidationArgs,
    StackValidation,
    StackValidationArgs,
)
from pulumi_policy.proxy import UnknownValueError

from model.resources import STORE, TYPES, About, types_about

Properties: TypeAlias = Mapping[str, Any]

MINIO_BUCKET = TYPES["v3"][About.BUCKET]
AWS_BUCKET = TYPES["aws"][About.BUCKET]
AWS_BUCKET_ACL = "aws:s3/bucketAcl:BucketAcl"
BUCKETS = types_about(About.BUCKET)
MINIO_LIFECYCLE = TYPES["v3"][About.LIFECYCLE]
LIFECYCLES = types_about(About.LIFECYCLE)
VERSIONINGS = types_about(About.VERSIONING)
MINIO_RETENTION = TYPES["v3"][About.RETENTION]
RETENTIONS = types_about(About.RETENTION)
PUBLIC_ACCESS_BLOCKS = types_about(About.PUBLIC_ACCESS)
AWS_BUCKET_POLICY = TYPES["aws"][About.BUCKET_POLICY]
MINIO_USER = TYPES["v3"][About.USER]
AWS_USER = TYPES["aws"][About.USER]
MINIO_KEY = TYPES["v3"][About.KEY]
OWN_USER = TYPES["v4"][About.USER]
OWN_POLICY = TYPES["v4"][About.POLICY]
OWN_KEY = TYPES["v4"][About.KEY]
AISTOR_KEYS = frozenset({MINIO_KEY, OWN_KEY})
AWS_ROLE = TYPES["aws"][About.ROLE]
AWS_KEY = TYPES["aws"][About.KEY]
STORES = frozenset(STORE.values())


def type_of(resource: PolicyResource | ResourceValidationArgs) -> str:
    """The type token; a deprecated `…V2` type of pulumi-aws counts as its successor."""
    return resource.resource_type.replace("V2", "")


def of_types(types: Iterable[str], check: Callable[[ResourceValidationArgs], Iterable[str]]) -> ResourceValidation:
    """A validation that runs a check on each resource of some types; the check returns violations."""
    wanted = frozenset(types)

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if type_of(args) in wanted:
            for problem in check(args):
                report(problem, None)

    return validate


def of_each_bucket(
    check: Callable[[PolicyResource, Sequence[PolicyResource]], Iterable[str]], types: frozenset[str] = BUCKETS
) -> StackValidation:
    """A validation that runs a check on each bucket of a stack; the check gets all the stack's resources.

    An unknown value of one bucket does not hide violations of the others.
    """

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        unknown: UnknownValueError | None = None
        for bucket in args.resources:
            if type_of(bucket) not in types:
                continue
            try:
                for problem in check(bucket, args.resources):
                    report(f"{bucket.name}: {problem}", bucket.urn)
            except UnknownValueError as error:
                unknown = unknown or at(bucket.name, error)
        if unknown is not None:
            raise unknown

    return validate


def at(name: str, error: UnknownValueError) -> UnknownValueError:
    """The same error, with the resource's name added."""
    return UnknownValueError(error.unknown_type_sentinel, [name, *error.props])


def on_bucket(
    bucket: PolicyResource, resources: Sequence[PolicyResource], types: frozenset[str]
) -> list[PolicyResource]:
    """The resources of some types that configure a bucket.

    Raises:
        UnknownValueError: The bucket of one resource is not known yet.
    """
    return [one for one in resources if type_of(one) in types and _stands_on(one, bucket)]


def _stands_on(resource: PolicyResource, bucket: PolicyResource) -> bool:
    try:
        return bool(resource.props.get("bucket") == bucket.props.get("bucket"))
    except UnknownValueError as error:
        # A name that the provider generates is not known yet, but the resource that it comes from is.
        sources = resource.property_dependencies.get("bucket")
        if not sources:
            raise at(resource.name, error) from None
        return bucket in sources


def is_locked(bucket: PolicyResource | ResourceValidationArgs) -> bool:
    """Whether the bucket is created with object lock."""
    key = "objectLocking" if type_of(bucket) == MINIO_BUCKET else "objectLockEnabled"
    return bool(bucket.props.get(key))


def values_in(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Each scalar in a value with its path; for an unknown scalar, the `UnknownValueError` that it raises."""
    if isinstance(value, Mapping):
        items: Iterable[str | int] = value
    elif isinstance(value, Sequence) and not isinstance(value, str):
        items = range(len(value))
    else:
        yield path, value
        return
    for key in items:
        try:
            inner = value[key]  # type: ignore[index]  # a mapping's key or a sequence's index
        except UnknownValueError as error:
            yield (*path, str(key)), error
        else:
            yield from values_in(inner, (*path, str(key)))
