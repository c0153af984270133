"""Grants as IAM policy documents, for AIStor and for AWS.

The rule: a document contains only actions that the server knows, and no more than a grant needs. It explicitly denies
what a grant must never allow, because MinIO's `s3:DeleteObject` alone also deletes versions (seen on a real server;
AWS needs `s3:DeleteObjectVersion` for that). Pure: no pulumi, no boto3. The stores choose the resource for a document.

Actions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and
https://docs.min.io/community/minio-object-store/administration/identity-access-management/policy-based-access-control.html
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Literal, NotRequired, TypedDict

from model.audited import ADMIN_READS, IAM_READS, LOCK_READS, bucket_reads
from model.plan import PROBE_PREFIX, IdentityPlan, StorePlan
from model.refusals import REFUSALS
from model.shared_issuers import wild
from model.taxonomy import Access
from model.trust import OidcTrust

Cloud = Literal["aistor", "aws"]

# Maximum size of one policy. AWS: characters without white space,
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; MinIO: bytes of the request's body
# (maxBucketPolicySize in its cmd/bucket-policy-handlers.go, which AddCannedPolicy applies, too).
POLICY_SIZE: dict[Cloud, int] = {"aistor": 20 * 1024, "aws": 6144}
# MinIO's limit for a service account's inline policy, in the form in which MinIO writes it (maxSVCSessionPolicySize in
# its cmd/iam.go).
SERVICE_ACCOUNT_POLICY_CHARACTERS = 4096

LIST_ACTIONS = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions"]
READ_ACTIONS = ["s3:GetObject", "s3:GetObjectVersion"]
PUT_ACTIONS = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
DELETE_ACTIONS = ["s3:DeleteObject"]
# What no grant contains, and what no second policy of a user may add to it.
NEVER_ACTIONS: dict[Cloud, list[str]] = {
    "aistor": [
        "s3:BypassGovernanceRetention",
        "s3:DeleteObjectTagging",
        "s3:DeleteObjectVersion",
        "s3:DeleteObjectVersionTagging",
        "s3:PutObjectFanOut",
        "s3:PutObjectLegalHold",
        "s3:PutObjectRetention",
        "s3:PutObjectTagging",
        "s3:PutObjectVersionTagging",
        "s3:ReplicateDelete",
        "s3:ReplicateObject",
        "s3:ReplicateTags",
    ],
    "aws": [
        "s3:BypassGovernanceRetention",
        "s3:DeleteObjectTagging",
        "s3:DeleteObjectVersion",
        "s3:DeleteObjectVersionTagging",
        "s3:PutObjectAcl",
        "s3:PutObjectLegalHold",
        "s3:PutObjectRetention",
        "s3:PutObjectTagging",
        "s3:PutObjectVersionAcl",
        "s3:PutObjectVersionTagging",
        "s3:ReplicateDelete",
        "s3:ReplicateObject",
        "s3:ReplicateTags",
    ],
}
PROBE_ACTIONS = [
    "s3:AbortMultipartUpload",
    "s3:BypassGovernanceRetention",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:GetObjectRetention",
    "s3:GetObjectVersion",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectRetention",
]
_CONFIGURATION_ACTIONS = [
    "s3:GetBucketLocation",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketPolicy",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
]
_AWS_CONFIGURATION_ACTIONS = [
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
]


class Statement(TypedDict):
    """One statement of a policy document."""

    Sid: str
    Effect: Literal["Allow", "Deny"]
    Action: list[str]
    Resource: NotRequired[list[str]]  # MinIO's admin: actions have none
    Condition: NotRequired[dict[str, dict[str, list[str] | str]]]
    Principal: NotRequired[str]


class PolicyDocument(TypedDict):
    """An IAM policy document of the 2012-10-17 version."""

    Version: Literal["2012-10-17"]
    Statement: list[Statement]


class TrustStatement(TypedDict):
    """The statement of a role's trust policy."""

    Sid: str
    Effect: Literal["Allow"]
    Principal: dict[Literal["Federated"], str]
    Action: Literal["sts:AssumeRoleWithWebIdentity"]
    Condition: dict[str, dict[str, list[str] | str]]


class TrustDocument(TypedDict):
    """A role's trust policy: who may assume the role."""

    Version: Literal["2012-10-17"]
    Statement: list[TrustStatement]


def as_json(document: PolicyDocument | TrustDocument) -> str:
    """The document as compact JSON, as sent to the server; equal documents give equal text."""
    return json.dumps(document, separators=(",", ":"))


def identity_policy(plan: StorePlan, identity: IdentityPlan, cloud: Cloud) -> PolicyDocument:
    """Everything that an identity may do, as one document of any size."""
    return _document(plan, identity, cloud, brief=False)


def identity_policies(plan: StorePlan, identity: IdentityPlan, cloud: Cloud) -> list[PolicyDocument]:
    """Everything that an identity may do, in documents that the server accepts; it evaluates their union.

    An identity has one document, `identity_policy`, while that fits. If not, each document has as many domains as fit,
    in the plan's order and in the shorter form, with all that the identity is denied. So each document is safe alone,
    and a domain that is added at the end moves no other domain to another document.
    """
    whole = identity_policy(plan, identity, cloud)
    return [whole] if _size(whole) <= POLICY_SIZE[cloud] else _split(plan, identity, cloud)


def domains_of(plan: StorePlan, identity: IdentityPlan) -> int:
    """The number of domains that an identity's policies name."""
    return len(plan.buckets if identity.verifies else identity.grants)


def with_domains(plan: StorePlan, identity: IdentityPlan, part: slice) -> tuple[StorePlan, IdentityPlan]:
    """The plan and the identity with only a part of the domains that the identity's policies name."""
    if identity.verifies:
        return plan.model_copy(update={"buckets": plan.buckets[part]}), identity
    return plan, identity.model_copy(update={"grants": identity.grants[part]})


def service_account_policy(plan: StorePlan, identity: IdentityPlan) -> PolicyDocument:
    """The inline policy of an identity's service account on AIStor.

    A service account may do what both its user's policies and its own policy allow. A wider policy here therefore
    grants nothing extra. If the exact document exceeds MinIO's limit, this policy allows all of the environment's
    buckets.
    """
    document = identity_policy(plan, identity, "aistor")
    if _size(_as_minio_writes(document)) <= SERVICE_ACCOUNT_POLICY_CHARACTERS:
        return document
    arn = f"arn:aws:s3:::{plan.bucket_prefix}*"
    return {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Within", "Effect": "Allow", "Action": ["s3:*"], "Resource": [arn, f"{arn}/*"]}],
    }


def bucket_policy(bucket: str) -> PolicyDocument:
    """The policy of a bucket on AWS: it denies all plain http requests."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:*"],
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def trust_policy(trust: OidcTrust, provider_arn: str) -> TrustDocument:
    """Who may assume an identity's role: callers with a token of the issuer for the audience about a subject.

    The policy checks both the audience and the subject. Without the audience it would accept a token for another
    service; without the subject it would accept any token of the issuer.
    """
    audience: dict[str, list[str] | str] = {f"{trust.provider}:aud": trust.audience}
    subjects: dict[str, list[str] | str] = {f"{trust.provider}:sub": list(trust.subject)}
    condition = (
        {"StringEquals": audience, "StringLike": subjects}
        if any(wild(subject) for subject in trust.subject)
        else {"StringEquals": audience | subjects}
    )
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Trust",
                "Effect": "Allow",
                "Principal": {"Federated": provider_arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": condition,
            }
        ],
    }


def _size(document: PolicyDocument) -> int:
    """Its characters, which are bytes, too: the names of buckets are ASCII."""
    return len(as_json(document))


def _as_minio_writes(document: PolicyDocument) -> PolicyDocument:
    """The document in the form in which MinIO measures a service account's policy: each condition's value in a list."""
    statements: list[Statement] = []
    for statement in document["Statement"]:
        condition: dict[str, dict[str, list[str] | str]] = {
            test: {key: [value] if isinstance(value, str) else value for key, value in keys.items()}
            for test, keys in statement.get("Condition", {}).items()
        }
        statements.append({**statement, "Condition": condition} if condition else statement)
    return {**document, "Statement": statements}


def _split(plan: StorePlan, identity: IdentityPlan, cloud: Cloud) -> list[PolicyDocument]:
    def of_first(count: int) -> PolicyDocument:
        part = with_domains(plan, identity, slice(count))
        return min((_document(*part, cloud, brief=brief) for brief in (False, True)), key=_size)

    counts = range(1, domains_of(plan, identity) + 1)
    fitting = bisect_right(counts, POLICY_SIZE[cloud], key=lambda count: _size(of_first(count)))
    rest = with_domains(plan, identity, slice(fitting, None))
    return [of_first(fitting), *(_split(*rest, cloud) if fitting < len(counts) else ())]


def _document(plan: StorePlan, identity: IdentityPlan, cloud: Cloud, *, brief: bool) -> PolicyDocument:
    if identity.verifies:
        statements = _verifier_statements(plan, cloud)
    elif identity.audits:
        statements = _auditor_statements(plan, cloud)
    else:
        statements = _grant_statements(plan, identity, cloud, brief=brief)
    if plan.tls_only and cloud == "aistor":
        # On MinIO a bucket policy applies only to anonymous callers (cmd/auth-handler.go), so each user's policy
        # denies plain http; on AWS the bucket policy does.
        statements.append(
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Action": ["s3:*"],
                "Resource": ["arn:aws:s3:::*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def _buckets(names: Iterable[str]) -> list[str]:
    return [f"arn:aws:s3:::{name}" for name in names]


def _objects(names: Iterable[str], prefix: str = "") -> list[str]:
    return [f"arn:aws:s3:::{name}/{prefix}*" for name in names]


def _grant_statements(plan: StorePlan, identity: IdentityPlan, cloud: Cloud, *, brief: bool) -> list[Statement]:
    """One statement for each kind of action; if brief, one for each access, which names each bucket only twice."""

    def held(*accesses: Access) -> list[str]:
        return [grant.bucket for grant in identity.grants if grant.access in accesses]

    granted = held(*Access)
    put = [*READ_ACTIONS, *PUT_ACTIONS]
    on_objects: list[tuple[str, list[str], list[str]]] = (
        [
            ("Read", READ_ACTIONS, held(Access.READ)),
            ("Append", put, held(Access.APPEND)),
            ("Write", [*put, *DELETE_ACTIONS], held(Access.WRITE)),
        ]
        if brief
        else [
            ("Read", READ_ACTIONS, granted),
            ("Put", PUT_ACTIONS, held(Access.APPEND, Access.WRITE)),
            ("Delete", DELETE_ACTIONS, held(Access.WRITE)),
        ]
    )
    wanted = [
        ("List", LIST_ACTIONS, _buckets(granted)),
        *((sid, actions, _objects(buckets)) for sid, actions, buckets in on_objects),
    ]
    statements: list[Statement] = [
        {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
        for sid, actions, resources in wanted
        if resources
    ]
    statements.append(
        {
            "Sid": "KeepVersions",
            "Effect": "Deny",
            "Action": NEVER_ACTIONS[cloud],
            "Resource": _objects([f"{plan.bucket_prefix}*"]),
        }
    )
    if held(Access.APPEND, Access.WRITE):
        statements += _refused(plan, identity, cloud)
    return statements


def _refused(plan: StorePlan, identity: IdentityPlan, cloud: Cloud) -> Iterator[Statement]:
    """A Deny for each kind of put that no workload may make."""
    for refusal in REFUSALS:
        written_once = [grant.bucket for grant in identity.grants if grant.write_once]
        buckets = written_once if refusal.of_append else [f"{plan.bucket_prefix}*"]
        if cloud not in refusal.clouds or not buckets:
            continue
        statement: Statement = {
            "Sid": refusal.sid,
            "Effect": "Deny",
            "Action": ["s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{bucket}/{keys}" for bucket in buckets for keys in refusal.keys],
        }
        if refusal.condition:
            statement["Condition"] = {test: dict(keys) for test, keys in refusal.condition.items()}
        yield statement


def refuses_overwrites(cloud: Cloud) -> bool:
    """Whether a policy can make the server refuse to overwrite an object."""
    return any(refusal.of_append and cloud in refusal.clouds for refusal in REFUSALS)


def _verifier_statements(plan: StorePlan, cloud: Cloud) -> list[Statement]:
    names = [bucket.name for bucket in plan.buckets]
    configuration = [*_CONFIGURATION_ACTIONS, *(_AWS_CONFIGURATION_ACTIONS if cloud == "aws" else [])]
    return [
        # Names only: the verifier finds an undeclared bucket of this project by its name, and sees nothing else of it.
        # AWS knows no resource for this action, and MinIO only resources of S3.
        {
            "Sid": "BucketNames",
            "Effect": "Allow",
            "Action": ["s3:ListAllMyBuckets"],
            "Resource": ["*" if cloud == "aws" else "arn:aws:s3:::*"],
        },
        {"Sid": "Configuration", "Effect": "Allow", "Action": configuration, "Resource": _buckets(names)},
        {
            "Sid": "ListProbes",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
            "Resource": _buckets(names),
            "Condition": {"StringLike": {"s3:prefix": [f"{PROBE_PREFIX}*"]}},
        },
        {"Sid": "Probes", "Effect": "Allow", "Action": PROBE_ACTIONS, "Resource": _objects(names, PROBE_PREFIX)},
    ]


def _auditor_statements(plan: StorePlan, cloud: Cloud) -> list[Statement]:
    """Reads of all that governs buckets and identities; of objects only keys, retention and legal hold."""
    buckets = f"arn:aws:s3:::{plan.bucket_prefix}*"
    of_all: Statement = (
        {"Sid": "AuditIdentities", "Effect": "Allow", "Action": list(ADMIN_READS)}
        if cloud == "aistor"
        else {"Sid": "AuditIdentities", "Effect": "Allow", "Action": list(IAM_READS), "Resource": ["*"]}
    )
    return [
        {
            "Sid": "AuditBuckets",
            "Effect": "Allow",
            "Action": list(bucket_reads(cloud)),
            "Resource": [buckets],
        },
        {"Sid": "AuditLocks", "Effect": "Allow", "Action": list(LOCK_READS), "Resource": [f"{buckets}/*"]},
        of_all,
    ]
