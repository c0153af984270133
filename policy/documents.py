"""Policies on policy documents: no statement allows by a wildcard, and on AWS they deny plain http.

The rule: it judges a document by its Allow statements; `NotAction` and `NotPrincipal` in such a statement are wildcards
with exceptions. It leaves out the resources of a statement: the grants decide those.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    PolicyResource,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationPolicy,
)

from model.bucket_names import PROJECT
from model.resources import TYPES, About
from model.written import WrittenError
from model.written_json import parse_json
from policy.resources import (
    AISTOR_KEYS,
    AWS_BUCKET,
    AWS_BUCKET_POLICY,
    OWN_POLICY,
    Properties,
    of_each_bucket,
    of_types,
    on_bucket,
    type_of,
)

_ARN = "arn:aws:s3:::"
_ENVIRONMENT = re.compile(re.escape(f"{_ARN}{PROJECT}-") + r"[a-z][a-z0-9]{0,11}-[a-z]{2,4}[0-9]-\*")
_CARRIERS = (
    *AISTOR_KEYS,
    OWN_POLICY,
    TYPES["v3"][About.POLICY],
    "minio:index/iamGroupPolicy:IamGroupPolicy",
    "minio:index/s3BucketPolicy:S3BucketPolicy",
    AWS_BUCKET,
    AWS_BUCKET_POLICY,
    TYPES["aws"][About.POLICY],
    "aws:iam/userPolicy:UserPolicy",
    "aws:iam/groupPolicy:GroupPolicy",
    "aws:iam/rolePolicy:RolePolicy",
)


class MalformedDocumentError(ValueError):
    """A policy is not a policy document; the text is not shown."""


def statements_of(policy: object) -> list[Properties]:
    """The statements of a policy, given as JSON or as a value; none if there is no policy.

    Raises:
        MalformedDocumentError: It is not a policy document.
    """
    if policy is None or policy == "":
        return []
    if isinstance(policy, str):
        try:
            policy = parse_json(policy, "policy")
        except WrittenError:
            raise MalformedDocumentError("the policy is not JSON") from None
    statements = policy.get("Statement") if isinstance(policy, Mapping) else None
    found = [statements] if isinstance(statements, Mapping) else _listed(statements)
    if not found or not all(isinstance(one, Mapping) for one in found):
        raise MalformedDocumentError("the policy contains no statements")
    return [one for one in found if isinstance(one, Mapping)]


def _listed(value: object) -> list[Any]:
    """A list of one or many values, because IAM accepts both forms."""
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _principals(statement: Properties) -> list[str]:
    principal = statement.get("Principal")
    parts = list(principal.values()) if isinstance(principal, Mapping) else [principal]
    return [str(one) for part in parts for one in _listed(part)]


def _wildcards(args: ResourceValidationArgs) -> Iterator[str]:
    try:
        statements = statements_of(args.props.get("policy"))
    except MalformedDocumentError as error:
        yield str(error)
        return
    if type_of(args) in AISTOR_KEYS and _is_within_the_environment(statements):
        return
    for number, statement in enumerate(statements, start=1):
        if statement.get("Effect") != "Allow":
            continue
        name = f"statement {statement.get('Sid') or number}"
        if "NotAction" in statement or any(
            "*" in str(one) or "?" in str(one) for one in _listed(statement.get("Action"))
        ):
            yield f"{name} allows actions with a wildcard"
        if "NotPrincipal" in statement or any("*" in one for one in _principals(statement)):
            yield f"{name} allows every caller (a wildcard principal)"


def _is_within_the_environment(statements: Sequence[Properties]) -> bool:
    """Whether the statements are the wide document that `model.policies.service_account_policy` falls back to.

    A service account may do what both its user's policy and its own policy allow, so this document grants nothing
    extra. MinIO accepts at most 4096 characters there, and the user's own policy is judged like any other.
    """
    if len(statements) != 1:
        return False
    statement = statements[0]
    resources = [str(one) for one in _listed(statement.get("Resource"))]
    first = resources[0] if resources else ""
    return (
        set(statement) <= {"Sid", "Effect", "Action", "Resource"}
        and _listed(statement.get("Action")) == ["s3:*"]
        and resources == [first, f"{first}/*"]
        and _ENVIRONMENT.fullmatch(first) is not None  # both codes are literal, and the only wildcard is at the end
    )


def _tls_only(bucket: PolicyResource, resources: Sequence[PolicyResource]) -> Iterator[str]:
    policies = on_bucket(bucket, resources, frozenset({AWS_BUCKET_POLICY}))
    if len(policies) != 1:
        yield f"the bucket has {len(policies)} bucket policies instead of one"
        return
    try:
        statements = statements_of(policies[0].props.get("policy"))
    except MalformedDocumentError as error:
        yield str(error)
        return
    name = str(bucket.props.get("bucket"))
    if not any(_refuses_plain_http(statement, name) for statement in statements):
        yield (
            "its bucket policy does not deny s3:* on the bucket and its objects to all principals over plain http "
            "(aws:SecureTransport false)"
        )


def _refuses_plain_http(statement: Properties, bucket: str) -> bool:
    conditions = statement.get("Condition") or {}
    secure = {key.lower(): value for key, value in (conditions.get("Bool") or {}).items()}.get("aws:securetransport")
    return (
        statement.get("Effect") == "Deny"
        and "*" in _principals(statement)
        and bool({"s3:*", "*"} & set(_listed(statement.get("Action"))))
        and {f"{_ARN}{bucket}", f"{_ARN}{bucket}/*"} <= {str(one) for one in _listed(statement.get("Resource"))}
        and len(conditions) == 1
        and len(conditions["Bool"]) == 1
        and [str(one).lower() for one in _listed(secure)] == ["false"]
    )


POLICIES = [
    ResourceValidationPolicy(
        "wildcard-grants",
        "No statement allows a wildcard principal or action: it would grant to every caller, or grant actions that do "
        "not exist yet and were never reviewed.",
        of_types(_CARRIERS, _wildcards),
    ),
    StackValidationPolicy(
        "tls-only",
        "Every AWS bucket has a policy that denies plain http: otherwise S3 answers it, and keys and objects cross the "
        "network in clear text.",
        of_each_bucket(_tls_only, frozenset({AWS_BUCKET})),
    ),
]
