"""Random policy documents and requests, valid for a cloud's server, over few names so that they often meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from model.allowed.statements import Cloud

Document = dict[str, Any]
ACTIONS = (
    *("s3:*", "s3:Get*", "s3:GetObject", "s3:GetObject*", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject"),
    *("s3:DeleteObjectVersion", "s3:ListBucket", "s3:ListBucketVersions", "s3:Put?bject", "s3:List*"),
)
OTHER_ACTIONS: dict[Cloud, tuple[str, ...]] = {
    "aistor": ("admin:CreateUser", "admin:*", "*", "kms:CreateKey", "admin:CreateServiceAccount"),
    "aws": ("*", "iam:*", "iam:CreateAccessKey", "S3:getobject"),
}
RESOURCES = tuple(
    f"arn:aws:s3:::{name}"
    for name in ("a", "a/*", "a/x/*", "a*", "*", "b/?/*", "b", "b/*", "*/x", "a/*/", "a/k", "b/k?")
)
KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "s3:prefix": (
        *(("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "Null"),),
        *(("x/", "x/*", "X/", "", "y?", "x/1"),),
    ),
    "s3:versionid": (("StringLike", "StringNotEquals", "Null"), ("?*", "1", "")),
    "s3:max-keys": (
        *(("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan"),),
        *(("5", "6", "10"),),
    ),
    "aws:SourceIp": (("IpAddress", "NotIpAddress"), ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "192.168.0.0/24")),
    "aws:SecureTransport": (("Bool",), ("true", "false")),
    "aws:CurrentTime": (
        *(("DateLessThan", "DateGreaterThan", "DateEquals", "DateNotEquals"),),
        *(("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),),
    ),
    "s3:RequestObjectTagKeys": (
        *(("ForAllValues:StringEquals", "ForAnyValue:StringEquals", "StringLike", "ForAllValues:StringNotEquals"),),
        *(("t", "u", "T*"),),
    ),
}
#: Operators with one value on MinIO.
_OF_ONE = ("Null", "Bool", "Numeric", "Date")


def document(rng: Random, cloud: Cloud, *, principals: tuple[str, ...] = ()) -> Document:
    """A document of one to four statements."""
    return {
        "Version": "2012-10-17",
        "Statement": [statement(rng, cloud, principals=principals) for _ in range(rng.randint(1, 4))],
    }


def statement(rng: Random, cloud: Cloud, *, principals: tuple[str, ...] = ()) -> Document:
    """One statement; with principals, one of a bucket's policy."""
    found: Document = {"Effect": rng.choice(("Allow", "Allow", "Deny"))}
    if principals:
        found["Principal" if rng.random() < 0.8 or cloud == "aistor" else "NotPrincipal"] = {
            "AWS": rng.choice(principals)
        }
    if not principals and rng.random() < 0.12:
        found["Action"] = [rng.choice(OTHER_ACTIONS[cloud])]
        if not found["Action"][0].startswith("kms:"):  # MinIO refuses a bucket there
            found["Resource"] = ["*"] if cloud == "aws" else _some(rng, RESOURCES)
        return found
    found["Action" if rng.random() < 0.8 else "NotAction"] = _some(rng, ACTIONS)
    found["Resource" if rng.random() < 0.8 else "NotResource"] = _some(rng, RESOURCES)
    if rng.random() < 0.5:
        found["Condition"] = conditions(rng, cloud)
        if cloud == "aistor" and "Action" in found:
            found["Action"] = ["s3:*"]  # MinIO refuses a key that an action does not have
    return found


def conditions(rng: Random, cloud: Cloud) -> Document:
    """One or two conditions."""
    found: Document = {}
    for key in rng.sample(sorted(KEYS), rng.randint(1, 2)):
        operators, values = KEYS[key]
        operator = rng.choice(operators)
        if operator == "Null":
            value: list[str] = [rng.choice(("true", "false"))]
        else:
            value = [rng.choice(values)] if operator.startswith(_OF_ONE) else _some(rng, values)
            if cloud == "aws" and rng.random() < 0.15:
                operator += "IfExists"
            elif cloud == "aws" and operator.startswith("String") and rng.random() < 0.15:
                operator = f"{rng.choice(('ForAllValues', 'ForAnyValue'))}:{operator}"
        found.setdefault(operator, {})[key] = value
    return found


def context(rng: Random) -> dict[str, tuple[str, ...]]:
    """Values of condition keys; those that each request has are always there."""
    found: dict[str, tuple[str, ...]] = {
        "aws:SecureTransport": (rng.choice(("true", "false")),),
        "aws:CurrentTime": (rng.choice(("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z")),),
        "aws:SourceIp": (rng.choice(("10.1.2.3", "10.1.9.9", "10.2.0.1", "192.168.0.1", "8.8.8.8")),),
        "s3:versionid": (rng.choice(("", "1", "2")),),
    }
    if rng.random() < 0.7:
        found["s3:prefix"] = (rng.choice(("", "x/", "x/1", "X/", "y1", "z")),)
    if rng.random() < 0.7:
        found["s3:max-keys"] = (rng.choice(("4", "5", "6", "7", "10", "11")),)
    if rng.random() < 0.5:
        found["s3:RequestObjectTagKeys"] = tuple(rng.sample(("t", "u", "Tx", "w"), rng.randint(1, 2)))
    return found


def _some(rng: Random, values: tuple[str, ...]) -> list[str]:
    return rng.sample(values, rng.randint(1, min(3, len(values))))
