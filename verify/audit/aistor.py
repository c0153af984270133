"""Everybody that an AIStor server knows: users, their groups, the policies of both, and all access keys.

The rule: root has no document and is in no list of users; its access keys are in the list of keys. Keys are looked at
one by one, each for a tenth of a second of encryption, so only those of the users that a caller names and of root. One
policy with NotAction makes MinIO refuse the list of all; then each that somebody has is asked for by its name. Left
out: sessions of LDAP, OpenID and AssumeRole, which end by themselves.

Source: cmd/admin-handlers-users.go of MinIO (ListUsers, ListGroups, GetGroup, ListCannedPolicies, ListAccessKeysBulk,
InfoServiceAccount, InfoCannedPolicy).
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter
from pydantic.alias_generators import to_camel

from verify.audit.signed import Auditor
from verify.facts import UNSHOWN, Answer, HeldDocument, LiveKey, Principal
from verify.probe.answers import UNEXPECTED

# The end of a key that never expires, as MinIO writes it (timeSentinel).
_NEVER = "1970-01-01T00:00:00Z"
# What MinIO says where a policy with NotAction must be written as JSON.
_CANNOT_SHOW = "empty actions not allowed"


class _Told(BaseModel):
    """A part of an answer: what it lacks, or has in another form, makes the answer unusable."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class _User(_Told):
    status: str
    policy_name: str = ""
    member_of: list[str] | None = None


class _Group(_Told):
    status: str
    members: list[str] | None = None
    policy: str = ""


class _Key(_Told):
    access_key: str
    expiration: str | None = None


class _Keys(_Told):
    service_accounts: list[_Key] | None = None


class _KeyInfo(_Told):
    account_status: str
    implied_policy: bool
    policy: str = ""
    expiration: str | None = None


_POLICY = TypeAdapter(dict[str, JsonValue])
_USERS, _POLICIES = TypeAdapter(dict[str, _User]), _POLICY
# No group is null.
_NAMES: TypeAdapter[list[str] | None] = TypeAdapter(list[str] | None)
_KEYS_OF_ALL, _GROUP, _KEY_INFO = TypeAdapter(dict[str, _Keys]), TypeAdapter(_Group), TypeAdapter(_KeyInfo)


class _UnreadError(Exception):
    """Something could not be read."""

    def __init__(self, call: str, answer: Answer[Any]) -> None:
        super().__init__(call)
        self.answer: Answer[tuple[Principal, ...]] = Answer(code=answer.code, said=f"{call}: {answer}")


def read_principals(auditor: Auditor, *, asks_keys: Callable[[str], bool]) -> Answer[tuple[Principal, ...]]:
    """Every user with its documents, root if it has access keys, and the keys of root and of the users asked for."""
    users = auditor.admin("list-users", _USERS, encrypted=True)
    names = auditor.admin("groups", _NAMES, encrypted=False)
    policies = auditor.admin("list-canned-policies", _POLICIES, encrypted=False)
    keys = auditor.admin("list-access-keys-bulk?listType=svcacc-only&all=true", _KEYS_OF_ALL, encrypted=True)
    lists: dict[str, Answer[Any]] = {
        "list-users": users,
        "groups": names,
        "list-canned-policies": policies,
        "list-access-keys-bulk": keys,
    }
    if _CANNOT_SHOW in policies.said:
        del lists["list-canned-policies"]
    if unread := {command: answer for command, answer in lists.items() if not answer.ok}:
        said = "; ".join(f"{command}: {answer}" for command, answer in unread.items())
        return Answer(code=next(iter(unread.values())).code, said=said)
    try:
        groups = {name: _group(auditor, name) for name in names.value or ()}
        held = [one.policy_name for one in (users.value or {}).values()] + [one.policy for one in groups.values()]
        documents = _one_by_one(auditor, held) if policies.value is None else policies.value
        found = [
            _user(
                auditor,
                name,
                user,
                groups,
                documents,
                (keys.value or {}).get(name) if asks_keys(name) else None,
            )
            for name, user in (users.value or {}).items()
        ]
    except _UnreadError as error:
        return error.answer
    others = {name: held for name, held in (keys.value or {}).items() if name not in (users.value or {})}
    return Answer((*found, *(Principal("account", name, keys=_keys(auditor, held)) for name, held in others.items())))


def _group(auditor: Auditor, name: str) -> _Group:
    found = auditor.admin(f"group?group={quote(name, safe='')}", _GROUP, encrypted=False)
    if found.value is None:
        raise _UnreadError(f"group {name}", found)
    return found.value


def _one_by_one(auditor: Auditor, held: Iterable[str]) -> dict[str, JsonValue]:
    """The documents that users and groups name; in place of one that the server cannot show, words that say so."""
    found: dict[str, JsonValue] = {}
    for name in dict.fromkeys(name for named in held for name in _names(named)):
        told = auditor.admin(f"info-canned-policy?name={quote(name, safe='')}", _POLICY, encrypted=False)
        if told.value is None and _CANNOT_SHOW not in told.said:
            raise _UnreadError(f"policy {name}", told)
        found[name] = UNSHOWN if told.value is None else told.value
    return found


def _user(
    auditor: Auditor,
    name: str,
    user: _User,
    groups: Mapping[str, _Group],
    policies: Mapping[str, JsonValue],
    keys: _Keys | None,
) -> Principal:
    # A group says whom it has, too: neither side alone is believed.
    member_of = dict.fromkeys(
        (*(user.member_of or ()), *(g for g, held in groups.items() if name in (held.members or ())))
    )
    documents = _policies(f"user {name}", user.policy_name, policies)
    for group in member_of:
        if group not in groups:
            raise _UnreadError(f"group {group}", Answer(code=UNEXPECTED, said=f"{name} is in it, and it is not listed"))
        if groups[group].status != "disabled":
            documents += _policies(f"group {group}", groups[group].policy, policies, group)
    return Principal(
        "user",
        name,
        enabled=user.status != "disabled",
        groups=tuple(member_of),
        documents=tuple(documents),
        keys=_keys(auditor, keys),
    )


def _policies(holder: str, named: str, policies: Mapping[str, JsonValue], group: str = "") -> list[HeldDocument]:
    """The documents that a user or a group names, as a list with commas."""
    names = _names(named)
    if unlisted := [name for name in names if name not in policies]:
        said = f"{holder} has it, and it is not listed"
        raise _UnreadError(f"policy {unlisted[0]}", Answer(code=UNEXPECTED, said=said))
    return [HeldDocument("attached", name, json.dumps(policies[name]), group) for name in names]


def _names(named: str) -> list[str]:
    return [name.strip() for name in named.split(",") if name.strip()]


def _keys(auditor: Auditor, held: _Keys | None) -> Answer[tuple[LiveKey, ...]]:
    found = []
    for one in (held and held.service_accounts) or ():
        command = f"info-service-account?accessKey={quote(one.access_key, safe='')}"
        told = auditor.admin(command, _KEY_INFO, encrypted=True)
        if told.value is None:
            return Answer(code=told.code, said=f"info-service-account: {told.said}")
        expires = told.value.expiration or one.expiration or ""
        found.append(
            LiveKey(
                one.access_key,
                enabled=told.value.account_status != "off",
                expires="" if expires == _NEVER else expires,
                document=None if told.value.implied_policy else told.value.policy,
            )
        )
    return Answer(tuple(found))
