"""What the embedded server answers to one request by a caller with given documents, without a running server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from model.allowed.requests import DELETE_SEVERAL
from sandbox.server import moto_store
from sandbox.server.authority import AistorAuthority, AwsAuthority, Caller
from sandbox.server.minio_iam import MinioIam
from sandbox.server.policy_engine import Access as EngineAccess
from sandbox.server.policy_engine import Verdict, evaluate, parse_text
from sandbox.server.s3_actions import Need

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model.allowed import Access, Request
    from model.allowed.statements import Document

ACCOUNT = moto_store.ACCOUNT
_S3 = "arn:aws:s3:::"


def user_arn(name: str) -> str:
    """The ARN of a user of the server's account."""
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def shown(access: Access, request: Request) -> bool:
    """The server's answer to a request that `model.allowed` gives."""
    if request.says == DELETE_SEVERAL:  # the embedded server sees a version id in the query alone
        layers = [[parse_text(_text(one), minio=True) for one in layer] for layer in access.layers]
        asked = EngineAccess("s3:DeleteObjectVersion", request.resource, _context(request.conditions))
        verdicts = [evaluate(layer, asked) for layer in layers]
        return (
            allowed(access, request.action, request.resource, {**request.conditions, "s3:versionid": ("",)})
            and verdicts[0] is not Verdict.DENIED
            and all(one is Verdict.ALLOWED for one in verdicts[1:])
        )
    if request.says and request.says != "delete versions":  # what a user may do for itself unless it is denied
        layers = [[parse_text(_text(one), minio=True) for one in layer] for layer in access.layers]
        asked = EngineAccess(request.action, f"{_S3}/", _context(request.conditions))
        verdicts = [evaluate(layer, asked) for layer in layers]
        return verdicts[0] is not Verdict.DENIED and all(one is Verdict.ALLOWED for one in verdicts[1:])
    return allowed(access, request.action, request.resource, request.conditions)


def allowed(access: Access, action: str, resource: str, conditions: Mapping[str, tuple[str, ...]]) -> bool:
    """The server's answer; the policies of buckets are those of `access`."""
    bucket, _, key = resource.removeprefix(_S3).partition("/")
    is_of_s3 = resource.startswith(_S3) and bucket not in ("", "*")
    if access.cloud == "aws" and resource == f"{_S3}{bucket}/":
        is_of_s3 = False  # a text that no bucket has; an action that is not listed may have it
    need = Need(action, bucket, key) if is_of_s3 else Need(action, arn="" if resource == f"{_S3}*" else resource)
    caller = None
    if not access.is_anonymous:
        minio = access.cloud == "aistor"
        layers = tuple(tuple(parse_text(_text(one), minio=minio) for one in layer) for layer in access.layers)
        caller = Caller("KEY", "secret", access.principal, user_arn(access.principal), root=False, layers=layers)
    authority = (
        AistorAuthority(MinioIam("root"), "root", "secret")
        if access.cloud == "aistor"
        else AwsAuthority("root", "secret")
    )
    policies = {name: _text(one) for name, one in access.of_resources.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moto_store, "bucket_policy", policies.get)
        patch.setattr(moto_store, "shuts_out_the_public", lambda _: False)
        return authority.allows(caller, need, _context({**dict(access.known), **conditions}))


def _context(conditions: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {key.lower(): values for key, values in conditions.items() if values}


def _text(document: Document) -> str:
    return document if isinstance(document, str) else json.dumps(document)
