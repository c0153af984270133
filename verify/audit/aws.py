"""Everybody that an AWS account knows: users, roles, their groups, the policies of all, keys and passwords.

The rule: GetAccountAuthorizationDetails gives all of it but keys, passwords and the documents of AWS's own policies,
which are asked for only if they are attached. Keys and passwords are asked for the users that a caller of this module
names, because an account may have thousands. Left out: other accounts, and policies of an organisation, which only
narrow.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from verify.audit.signed import Auditor
from verify.facts import Answer, HeldDocument, LiveKey, Principal
from verify.probe.answers import UNEXPECTED

_FILTERS = ("User", "Role", "Group", "LocalManagedPolicy")
_DETAILS = "GetAccountAuthorizationDetails"
_NO_LOGIN = "NoSuchEntity"


class _UnreadError(Exception):
    """A call that was refused."""

    def __init__(self, answer: Answer[Any], call: str) -> None:
        super().__init__(call)
        self.answer: Answer[tuple[Principal, ...]] = Answer(code=answer.code, said=f"{call}: {answer.said}")


def _unusable(said: str, call: str) -> _UnreadError:
    return _UnreadError(Answer(code=UNEXPECTED, said=said), call)


def read_principals(auditor: Auditor, *, asks_keys: Callable[[str], bool]) -> Answer[tuple[Principal, ...]]:
    """Every user and role with its documents; keys and passwords of the users that are asked for."""
    try:
        return Answer(
            tuple(
                _with_keys(auditor, one) if one.kind == "user" and asks_keys(one.name) else one for one in _all(auditor)
            )
        )
    except _UnreadError as error:
        return error.answer


def _all(auditor: Auditor) -> Iterator[Principal]:
    pages = list(_pages(auditor))
    managed = {
        _text(policy, "Arn"): unquote(_text(version, "Document"))
        for page in pages
        for policy in _members(page, "Policies")
        for version in _members(policy, "PolicyVersionList")
        if _text(version, "IsDefaultVersion") == "true"
    }
    groups = {
        _text(group, "GroupName"): [
            replace(one, group=_text(group, "GroupName"))
            for one in _documents(auditor, group, "GroupPolicyList", managed)
        ]
        for page in pages
        for group in _members(page, "GroupDetailList")
    }
    for page in pages:
        for user in _members(page, "UserDetailList"):
            names = tuple(one.text or "" for one in _members(user, "GroupList"))
            own = _documents(auditor, user, "UserPolicyList", managed)
            yield Principal(
                "user",
                _text(user, "UserName"),
                _text(user, "Arn"),
                groups=names,
                documents=(*own, *(one for name in names for one in _of_group(name, groups))),
                boundary=_boundary(auditor, user, managed),
            )
        for role in _members(page, "RoleDetailList"):
            yield Principal(
                "role",
                _text(role, "RoleName"),
                _text(role, "Arn"),
                documents=tuple(_documents(auditor, role, "RolePolicyList", managed)),
                boundary=_boundary(auditor, role, managed),
                trust=unquote(_text(role, "AssumeRolePolicyDocument")),
            )


def _of_group(name: str, groups: Mapping[str, list[HeldDocument]]) -> list[HeldDocument]:
    if name not in groups:
        raise _unusable(f"a user is in group {name}, and it is not listed", _DETAILS)
    return groups[name]


def _pages(auditor: Auditor) -> Iterator[ET.Element]:
    wanted = {f"Filter.member.{number}": name for number, name in enumerate(_FILTERS, start=1)}
    markers = [""]
    while True:
        page = _called(auditor, _DETAILS, {**wanted, **({"Marker": markers[-1]} if markers[-1] else {})})
        yield page
        if _text(page, "IsTruncated") != "true":
            return
        if (marker := _text(page, "Marker")) in markers:
            raise _unusable("it is cut short, and does not say how it goes on", _DETAILS)
        markers.append(marker)


def _documents(auditor: Auditor, holder: ET.Element, inline: str, managed: dict[str, str]) -> list[HeldDocument]:
    own = [
        HeldDocument("inline", _text(one, "PolicyName"), unquote(_text(one, "PolicyDocument")))
        for one in _members(holder, inline)
    ]
    attached = [_text(one, "PolicyArn") for one in _members(holder, "AttachedManagedPolicies")]
    return own + [HeldDocument("attached", arn, _managed(auditor, arn, managed)) for arn in attached]


def _boundary(auditor: Auditor, holder: ET.Element, managed: dict[str, str]) -> HeldDocument | None:
    found = holder.find("PermissionsBoundary")
    arn = "" if found is None else _text(found, "PermissionsBoundaryArn")
    return HeldDocument("boundary", arn, _managed(auditor, arn, managed)) if arn else None


def _managed(auditor: Auditor, arn: str, managed: dict[str, str]) -> str:
    if arn not in managed:
        policy = _called(auditor, "GetPolicy", {"PolicyArn": arn})
        version = next((one.text or "" for one in policy.iter("DefaultVersionId")), "")
        found = _called(auditor, "GetPolicyVersion", {"PolicyArn": arn, "VersionId": version})
        managed[arn] = unquote(next((one.text or "" for one in found.iter("Document")), ""))
        if not managed[arn]:
            raise _unusable(f"no document of {arn}", "GetPolicyVersion")
    return managed[arn]


def _with_keys(auditor: Auditor, user: Principal) -> Principal:
    try:
        listed = _called(auditor, "ListAccessKeys", {"UserName": user.name})
        if _text(listed, "IsTruncated") == "true":
            raise _unusable("it is cut short", "ListAccessKeys")  # a user has two keys at most
        keys: Answer[tuple[LiveKey, ...]] = Answer(
            tuple(
                LiveKey(_text(one, "AccessKeyId"), enabled=_text(one, "Status") == "Active")
                for one in _members(listed, "AccessKeyMetadata")
            )
        )
    except _UnreadError as error:
        keys = Answer(code=error.answer.code, said=error.answer.said)
    try:
        _called(auditor, "GetLoginProfile", {"UserName": user.name})
        login: Answer[bool] = Answer(value=True)
    except _UnreadError as error:
        found = error.answer
        login = Answer(value=False) if found.code == _NO_LOGIN else Answer(code=found.code, said=found.said)
    return replace(user, keys=keys, login=login)


def _called(auditor: Auditor, action: str, parameters: Mapping[str, str]) -> ET.Element:
    found = auditor.iam(action, parameters)
    if found.value is None:
        raise _UnreadError(found, action)
    try:
        root = ET.fromstring(found.value)  # noqa: S314 - of the server that the run trusts; expat bounds entities
    except ET.ParseError:
        raise _unusable("not XML", action) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if (result := root.find(f"{action}Result")) is None:
        raise _unusable(f"no {action}Result", action)
    return result


def _members(element: ET.Element, name: str) -> Iterable[ET.Element]:
    listed = element.find(name)
    return () if listed is None else listed.findall("member")


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(name) or ""
