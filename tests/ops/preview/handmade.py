"""Small previews in the form of `pulumi preview --json --show-sames`, for tests that need no engine."""

import json
from collections.abc import Mapping
from typing import Any

Inputs = Mapping[str, Any]

MINIO = {
    "bucket": "minio:index/s3Bucket:S3Bucket",
    "versioning": "minio:index/s3BucketVersioning:S3BucketVersioning",
    "lifecycle": "minio:index/ilmPolicy:IlmPolicy",
    "retention": "pulumi-python:dynamic/storage:DefaultRetention",
    "no policy": "pulumi-python:dynamic/storage:NoBucketPolicy",
    "user": "minio:index/iamUser:IamUser",
    "policy": "minio:index/iamPolicy:IamPolicy",
    "attachment": "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment",
    "key": "minio:index/iamServiceAccount:IamServiceAccount",
}
AWS = {
    "bucket": "aws:s3/bucket:Bucket",
    "versioning": "aws:s3/bucketVersioning:BucketVersioning",
    "lifecycle": "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "retention": "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "public": "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "ownership": "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "encryption": "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "bucket policy": "aws:s3/bucketPolicy:BucketPolicy",
    "user": "aws:iam/user:User",
    "policy": "aws:iam/policy:Policy",
    "attachment": "aws:iam/userPolicyAttachment:UserPolicyAttachment",
    "key": "aws:iam/accessKey:AccessKey",
}
# AIStor with `adminApi: v4`.
OWN = {
    **MINIO,
    "user": "pulumi-python:dynamic/identity:User",
    "policy": "pulumi-python:dynamic/identity:Policy",
    "attachment": "pulumi-python:dynamic/identity:Attachment",
    "key": "pulumi-python:dynamic/identity:ServiceAccount",
}
# The engine's placeholder for a value that it does not know before the update.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def urn(kind: str, name: str) -> str:
    """The engine's name of a resource."""
    return f"urn:pulumi:s::object-store::object-store:storage:Store${kind}::{name}"


def step(
    operation: str,
    kind: str,
    name: str,
    old: Inputs | None = None,
    new: Inputs | None = None,
    *,
    was_named: str = "",
    was_protected: bool = False,
    protected: bool = False,
    **more: object,
) -> dict[str, Any]:
    """One step; `old` and `new` are inputs; an unchanged resource with only `old` has the same inputs on both sides."""
    new = old if operation == "same" and new is None else new
    made: dict[str, Any] = {"op": operation, "urn": urn(kind, name), "detailedDiff": None, **more}
    if old is not None:
        made["oldState"] = _state(kind, was_named or name, old, protected=was_protected)
    if new is not None:
        made["newState"] = _state(kind, name, new, protected=protected)
    return made


def preview(*steps: dict[str, Any], **more: object) -> dict[str, Any]:
    """The engine's output."""
    return {"config": {}, "steps": list(steps), "diagnostics": [], "duration": 1, "changeSummary": {}, **more}


def document(*statements: Mapping[str, Any]) -> str:
    """A policy as the text that a resource holds."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: list[str], resources: list[str], **more: object) -> dict[str, Any]:
    """A statement that allows something."""
    return {"Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{name}" for name in resources], **more}


def deny(actions: list[str], resources: list[str], **more: object) -> dict[str, Any]:
    """A statement that denies something."""
    return {**allow(actions, resources, **more), "Effect": "Deny"}


def _state(kind: str, name: str, inputs: Inputs, *, protected: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"urn": urn(kind, name), "custom": True, "type": kind, "inputs": dict(inputs)}
    return {**found, "protect": True} if protected else found
