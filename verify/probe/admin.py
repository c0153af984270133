"""The IAM and admin API, by family: what no identity may call.

The rule: no call changes anything if the server allows it. It reads, names what does not exist, or has a body that the
server rejects after it has decided about the caller. MinIO decides first in each of these (`validateAdminReq` in its
cmd/admin-handler-utils.go). IAM answers AccessDenied, and not NoSuchEntity, to a caller that may not call it.
"""

import secrets
from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import urlencode

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest

from model.admin_versions import NOT_SPOKEN, NOT_SPOKEN_CODE, VERSIONS, command_url
from model.plan import IdentityPlan
from verify.answer_codes import ADMIN_DENIED
from verify.facts import NOT_TRIED, Answer, Tried
from verify.probe.answers import as_tried
from verify.probe.new_keys import when_known
from verify.probe.session import StoreSession

_NONE = "verify-none"
# No server can decrypt or parse it.
_JUNK = b"\x00verify"
_NOT_OFFERED = frozenset({NOT_SPOKEN_CODE, f"HTTP {NOT_SPOKEN}", "NotImplemented", "XMinioAdminNotImplemented"})
#: Method, command with its query, and body. `{bucket}` is a bucket of the plan.
AISTOR_CALLS: tuple[tuple[str, str, bytes], ...] = (
    ("GET", "list-users", b""),
    ("GET", f"user-info?accessKey={_NONE}", b""),
    ("PUT", f"add-user?accessKey={_NONE}", _JUNK),
    ("PUT", f"set-user-status?accessKey={_NONE}&status=enabled", b""),
    ("DELETE", f"remove-user?accessKey={_NONE}", b""),
    ("GET", "list-canned-policies", b""),
    ("PUT", "add-canned-policy?name=verify%2Cnone", b"{}"),  # no policy's name has a comma
    ("DELETE", f"remove-canned-policy?name={_NONE}", b""),
    ("POST", "idp/builtin/policy/attach", _JUNK),
    ("PUT", "update-group-members", _JUNK),
    ("GET", f"list-service-accounts?user={_NONE}", b""),
    ("PUT", "set-config-kv", _JUNK),
    ("GET", "info", b""),
    ("PUT", "set-bucket-quota?bucket={bucket}", _JUNK),
    ("PUT", "import-iam", _JUNK),
    ("PUT", "import-bucket-metadata?bucket={bucket}", _JUNK),
    ("PUT", "site-replication/add", _JUNK),
    ("PUT", "tier", _JUNK),
)
_AUDITED = frozenset({"list-users", "list-canned-policies", "list-service-accounts", "ListAccessKeys"})
_DENY_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
_NO_POLICY = f"arn:aws:iam::aws:policy/{_NONE}"
_NO_KEY = "AKIAVERIFYNONE000000"
# IAM of the only partition that this project supports (`model.regions`) is in one region.
_IAM_REGION = "us-east-1"


def aws_calls(identity: IdentityPlan) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """Action and parameters; about the identity's own user where that changes nothing, because a policy may be so."""
    has_user = identity.trust is None
    user = {"UserName": identity.user_name if has_user else _NONE}
    no_user, no_role = {"UserName": _NONE}, {"RoleName": _NONE}
    document = {"PolicyName": _NONE, "PolicyDocument": _DENY_ALL}
    key = {**user, "AccessKeyId": _NO_KEY}
    return (
        ("ListUsers", {}),
        *((("CreateUser", user),) if has_user else ()),  # it exists
        ("DeleteUser", no_user),
        ("CreateAccessKey", no_user),
        ("ListAccessKeys", user),
        ("UpdateAccessKey", {**key, "Status": "Inactive"}),
        ("DeleteAccessKey", key),
        ("CreateLoginProfile", {**no_user, "Password": secrets.token_urlsafe(24)}),
        ("PutUserPolicy", {**no_user, **document}),
        ("DeleteUserPolicy", {**user, "PolicyName": _NONE}),
        ("AttachUserPolicy", {**user, "PolicyArn": _NO_POLICY}),
        ("AddUserToGroup", {**user, "GroupName": _NONE}),
        ("ListPolicies", {"Scope": "Local"}),
        ("ListRoles", {}),
        ("PutRolePolicy", {**no_role, **document}),
        ("AttachRolePolicy", {**no_role, "PolicyArn": _NO_POLICY}),
        ("UpdateAssumeRolePolicy", {**no_role, "PolicyDocument": _DENY_ALL}),
        ("ListOpenIDConnectProviders", {}),
    )


def _may_call(identity: IdentityPlan, name: str) -> bool:
    """Whether the plan allows an identity a call: an auditor reads users, policies and keys."""
    return identity.audits and name in _AUDITED


def try_admin(session: StoreSession, identity: IdentityPlan) -> Tried:
    """Call everything as an identity; a refusal only if the server refused everything.

    `said` names each call that the server allowed or did not understand, with its answer.
    """
    if identity.name in session.target.absent:
        return Answer(code=NOT_TRIED, said=session.target.absent[identity.name])
    calls = _aistor(session, identity) if session.target.deployment.cloud == "aistor" else _aws(session, identity)
    answers = [
        (name, answer) for name, answer in calls if answer.code not in _NOT_OFFERED and not _may_call(identity, name)
    ]
    if not answers:
        return Answer(code=NOT_SPOKEN_CODE, said="the server offers no call of the admin API")
    wrong = [(name, answer) for name, answer in answers if answer.code not in ADMIN_DENIED]
    if not wrong:
        return answers[0][1]
    told = "; ".join(f"{name}: {'allowed' if answer.ok else answer}" for name, answer in wrong)
    return Answer(code=wrong[0][1].code or "Allowed", said=told)


def _aistor(session: StoreSession, identity: IdentityPlan) -> Iterator[tuple[str, Tried]]:
    bucket = session.target.deployment.plan.buckets[0].name
    endpoint = session.client(identity.name).meta.endpoint_url

    def call(version: str, method: str, command: str, body: bytes) -> Tried:
        url = command_url(endpoint, version, command.format(bucket=bucket))
        request = AWSRequest(method, url, data=body)
        S3SigV4Auth(session.credentials(identity.name), "s3", session.target.deployment.region).add_auth(request)
        return as_tried(session.send(method, url, dict(request.headers.items()), body))

    first, *others = AISTOR_CALLS
    asked = ((version, when_known(session, partial(call, version, *first))) for version in VERSIONS)
    for version, answer in asked:
        if answer.code not in _NOT_OFFERED:
            yield first[1], answer
            for method, command, body in others:
                yield command.partition("?")[0], call(version, method, command, body)
            return


def _aws(session: StoreSession, identity: IdentityPlan) -> Iterator[tuple[str, Tried]]:
    def call(action: str, parameters: Mapping[str, str]) -> Tried:
        body = urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", session.iam_endpoint, headers=headers, data=body)
        SigV4Auth(session.credentials(identity.name), "iam", _IAM_REGION).add_auth(request)
        return as_tried(session.send("POST", session.iam_endpoint, dict(request.headers.items()), body))

    first, *others = aws_calls(identity)
    yield first[0], when_known(session, partial(call, *first))
    for action, parameters in others:
        yield action, call(action, parameters)
