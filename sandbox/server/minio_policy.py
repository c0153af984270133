"""The IAM policies that MinIO accepts, and its built-in policies.

The rule: MinIO refuses an unknown action, so a policy written for AWS can fail here. Messages equal the recorded ones
of a real server where a recording exists. Left out: evaluation (`sandbox.server.policy_engine`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.server import policy_engine
from sandbox.server.answers import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.server.web import Request

Document = dict[str, Any]

S3_ACTIONS = frozenset(
    f"s3:{name}"
    for name in [
        "AbortMultipartUpload",
        "BypassGovernanceRetention",
        "CreateBucket",
        "DeleteBucket",
        "DeleteBucketCors",
        "DeleteBucketPolicy",
        "DeleteObject",
        "DeleteObjectTagging",
        "DeleteObjectVersion",
        "DeleteObjectVersionTagging",
        "ForceDeleteBucket",
        "GetBucketCors",
        "GetBucketLocation",
        "GetBucketNotification",
        "GetBucketObjectLockConfiguration",
        "GetBucketPolicy",
        "GetBucketPolicyStatus",
        "GetBucketTagging",
        "GetBucketVersioning",
        "GetEncryptionConfiguration",
        "GetLifecycleConfiguration",
        "GetObject",
        "GetObjectAttributes",
        "GetObjectLegalHold",
        "GetObjectRetention",
        "GetObjectTagging",
        "GetObjectVersion",
        "GetObjectVersionAttributes",
        "GetObjectVersionForReplication",
        "GetObjectVersionTagging",
        "GetReplicationConfiguration",
        "HeadBucket",
        "ListAllMyBuckets",
        "ListBucket",
        "ListBucketMultipartUploads",
        "ListBucketVersions",
        "ListMultipartUploadParts",
        "ListenBucketNotification",
        "ListenNotification",
        "PutBucketCors",
        "PutBucketNotification",
        "PutBucketObjectLockConfiguration",
        "PutBucketPolicy",
        "PutBucketTagging",
        "PutBucketVersioning",
        "PutEncryptionConfiguration",
        "PutLifecycleConfiguration",
        "PutObject",
        "PutObjectFanOut",
        "PutObjectLegalHold",
        "PutObjectRetention",
        "PutObjectTagging",
        "PutObjectVersionTagging",
        "PutReplicationConfiguration",
        "ReplicateDelete",
        "ReplicateObject",
        "ReplicateTags",
        "ResetBucketReplicationState",
        "RestoreObject",
    ]
)
#: Condition keys, spelled exactly so: `AllSupportedKeys` in condition/keyname.go of MinIO's policy package. Those of
#: LDAP and of tokens are left out, because no server here has them.
CONDITION_KEYS = frozenset(
    [
        "aws:CurrentTime",
        "aws:EpochTime",
        "aws:Referer",
        "aws:SecureTransport",
        "aws:SourceIp",
        "aws:UserAgent",
        "aws:groups",
        "aws:principaltype",
        "aws:userid",
        "aws:username",
        "s3:ExistingObjectTag",
        "s3:LocationConstraint",
        "s3:RequestObjectTag",
        "s3:RequestObjectTagKeys",
        "s3:authType",
        "s3:delimiter",
        "s3:max-keys",
        "s3:object-lock-legal-hold",
        "s3:object-lock-mode",
        "s3:object-lock-remaining-retention-days",
        "s3:object-lock-retain-until-date",
        "s3:prefix",
        "s3:signatureAge",
        "s3:signatureversion",
        "s3:versionid",
        "s3:x-amz-content-sha256",
        "s3:x-amz-copy-source",
        "s3:x-amz-metadata-directive",
        "s3:x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:x-amz-server-side-encryption-customer-algorithm",
        "s3:x-amz-storage-class",
        "svc:DurationSeconds",
        "sts:DurationSeconds",
    ]
)
#: The largest body of a policy, and the largest policy of a service account as MinIO writes it, in bytes:
#: maxBucketPolicySize (cmd/bucket-policy-handlers.go) and maxSVCSessionPolicySize (cmd/iam.go).
MAX_POLICY, MAX_SERVICE_ACCOUNT_POLICY = 20 * 1024, 4096
_RESOURCE = "arn:aws:s3:::"
_FIELDS = frozenset(("ID", "Version", "Statement"))
_STATEMENT_FIELDS = frozenset(("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"))
#: Namespaces of actions whose statements need no resource. Only the prefix of such an action is checked.
_ADMIN_NAMESPACES = ("admin:", "kms:", "sts:")


def _allow(actions: Iterable[str], resources: Iterable[str] = (f"{_RESOURCE}*",)) -> Document:
    statement: Document = {"Effect": "Allow", "Action": list(actions)}
    if listed := list(resources):
        statement["Resource"] = listed
    return statement


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


CANNED: dict[str, Document] = {
    "consoleAdmin": _document(_allow(["admin:*"], ()), _allow(["kms:*"], ()), _allow(["s3:*"])),
    "diagnostics": _document(
        _allow(
            [
                "admin:BandwidthMonitor",
                "admin:ConsoleLog",
                "admin:OBDInfo",
                "admin:Profiling",
                "admin:Prometheus",
                "admin:ServerInfo",
                "admin:ServerTrace",
                "admin:TopLocksInfo",
            ]
        )
    ),
    "readonly": _document(_allow(["s3:GetBucketLocation", "s3:GetObject"])),
    "readwrite": _document(_allow(["s3:*"])),
    "writeonly": _document(_allow(["s3:PutObject"])),
}


def _malformed(message: str) -> ApiError:
    return ApiError("XMinioMalformedIAMPolicy", message, 400)


def checked(document: object) -> Document:
    """The document as MinIO stores it, with lists everywhere; refuses what MinIO refuses."""
    if isinstance(document, str | bytes):
        try:
            document = json.loads(document)
        except ValueError as error:
            raise _malformed(f"invalid character in policy: {error}") from None
    if not isinstance(document, dict):
        raise _malformed("json: cannot unmarshal policy: an object is wanted")
    _known_fields(document, _FIELDS)
    if document.get("Version", "2012-10-17") not in ("2012-10-17", ""):
        raise _malformed(f"invalid version '{document['Version']}'")
    statements = document.get("Statement", [])
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise _malformed("json: cannot unmarshal Statement: a list is wanted")
    if not document.get("Version"):
        raise ApiError("MalformedPolicy", "The policy must contain a valid version string", 400)
    kept: Document = {"Version": document["Version"]}
    if document.get("ID"):
        kept["ID"] = document["ID"]
    kept["Statement"] = [_checked_statement(statement) for statement in statements]
    return kept


def canned(policy: object) -> Document:
    """A policy with a name as MinIO stores it; refuses a body that is too large or invalid."""
    body = policy if isinstance(policy, str) else _compact(policy)
    if len(body.encode()) > MAX_POLICY:
        raise ApiError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.", 400)
    return checked(policy)


def of_service_account(policy: object) -> Document:
    """A service account's own policy as MinIO stores it; refuses one that is too large or invalid."""
    document = checked(policy)
    if len(_compact(document).encode()) > MAX_SERVICE_ACCOUNT_POLICY:
        # The message of the real server names the limit of temporary credentials (cmd/typed-errors.go).
        raise ApiError(
            "XMinioIAMServiceAccountSessionPolicyTooLarge", "Session policy should not exceed 2048 characters", 400
        )
    return document


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def believed(request: Request) -> dict[str, tuple[str, ...]]:
    """The condition keys whose values MinIO takes from the caller: by a header or a parameter with the key's name.

    It looks every key up under its name in a header's spelling first (`getValuesByKey` in condition/value.go of its
    policy package), among all headers and parameters of the request (`getConditionValues` in cmd/bucket-policy.go). So
    a header `Versionid` hides the real version id from a policy. Tried on a real server of February 2026.
    """
    found = {}
    for key in CONDITION_KEYS:
        name = key.partition(":")[2]
        header = "-".join(part.capitalize() for part in name.split("-"))
        given = [request.headers[name.lower()]] if name.lower() in request.headers else []
        given += [value for parameter, value in request.query if parameter == header]
        if not given and name.startswith("x-amz-"):
            given = [value for parameter, value in request.query if parameter == name]
        if given:
            found[key.lower()] = tuple(given)
    return found


def _known_fields(raw: Document, known: frozenset[str]) -> None:
    for name in raw:
        if name not in known:
            raise _malformed(f'json: unknown field "{name}"')


def _checked_statement(raw: object) -> Document:
    if not isinstance(raw, dict):
        raise _malformed("json: cannot unmarshal Statement: an object is wanted")
    _known_fields(raw, _STATEMENT_FIELDS)
    effect = raw.get("Effect", "")
    if effect not in ("Allow", "Deny"):
        raise _malformed(f"invalid Effect {effect}")
    kept: Document = {"Sid": raw["Sid"]} if raw.get("Sid") else {}
    kept["Effect"] = effect
    actions = {name: _listed(raw, name) for name in ("Action", "NotAction") if raw.get(name)}
    if not actions:
        raise _malformed("Action must not be empty")
    if len(actions) > 1:
        raise _malformed("Action and NotAction cannot be specified in the same statement")
    kept |= actions
    names = next(iter(actions.values()))
    of_admin = all(name.startswith(_ADMIN_NAMESPACES) for name in names)
    if not of_admin:
        _check_actions(names)
    resources = {name: _listed(raw, name) for name in ("Resource", "NotResource") if raw.get(name)}
    if not of_admin:
        _check_resources(resources)
    kept |= resources
    if raw.get("Condition"):
        kept["Condition"] = _listed_conditions(raw["Condition"])
    _check_by_parsing(kept)
    return kept


def _check_actions(names: list[str]) -> None:
    for name in names:
        wild = "*" in name or "?" in name
        known = name in S3_ACTIONS or (wild and any(_wild_match(name, one) for one in S3_ACTIONS))
        if not known:
            raise _malformed(f"unsupported action '{name}'")


def _wild_match(pattern: str, name: str) -> bool:
    policy = policy_engine.parse({"Statement": {"Effect": "Allow", "Action": pattern}})
    return policy_engine.evaluate([policy], policy_engine.Access(name, "")) is policy_engine.Verdict.ALLOWED


def _check_resources(resources: dict[str, list[str]]) -> None:
    if not resources:
        raise _malformed("Resource must not be empty")
    if len(resources) > 1:
        raise _malformed("Resource and NotResource cannot be specified in the same statement")
    for resource in next(iter(resources.values())):
        if not resource.startswith(_RESOURCE) and resource != "*":
            raise _malformed(f"invalid resource '{resource}'")


def _listed(raw: Document, name: str) -> list[str]:
    value = raw[name]
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in values):
        raise _malformed(f"json: cannot unmarshal {name}: strings are wanted")
    return list(dict.fromkeys(values))


def _listed_conditions(raw: object) -> Document:
    if not isinstance(raw, dict) or not all(isinstance(keys, dict) for keys in raw.values()):
        raise _malformed("json: cannot unmarshal Condition: an object of objects is wanted")
    for key in (key for keys in raw.values() for key in keys):
        if key.partition("/")[0] not in CONDITION_KEYS:
            raise _malformed(f"invalid condition key '{key}'")
    return {
        operator: {
            key: [str(one).lower() if isinstance(one, bool) else str(one) for one in _as_list(value)]
            for key, value in keys.items()
        }
        for operator, keys in raw.items()
    }


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _check_by_parsing(statement: Document) -> None:
    try:
        policy_engine.parse({"Statement": statement})
    except policy_engine.PolicyError as error:
        raise _malformed(str(error)) from None
