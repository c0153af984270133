"""Everybody that an AIStor server knows: users, their groups, the policies of both, and all access keys.

The rule: root has no document and is in no list of users; its access keys are in the list of keys. Left out: sessions
of LDAP, OpenID and AssumeRole, which end by themselves.

Source: cmd/admin-handlers-users.go of MinIO (ListUsers, ListGroups, GetGroup, ListCannedPolicies, ListAccessKeysBulk,
InfoServiceAccount).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from verify.audit.signed import Auditor
from verify.facts import Answer, HeldDocument, LiveKey, Principal

# The end of a key that never expires, as MinIO writes it (timeSentinel).
_NEVER = "1970-01-01T00:00:00Z"


def read_principals(auditor: Auditor) -> Answer[tuple[Principal, ...]]:
    """Every user with its documents and keys, and root if it has access keys."""
    lists = {
        "list-users": auditor.admin("list-users", encrypted=True),
        "groups": auditor.admin("groups", encrypted=False),
        "list-canned-policies": auditor.admin("list-canned-policies", encrypted=False),
        "list-access-keys-bulk": auditor.admin("list-access-keys-bulk?listType=svcacc-only&all=true", encrypted=True),
    }
    unread = {command: answer for command, answer in lists.items() if not answer.ok}
    if unread:
        return _unread(unread)
    users, names, policies, keys = (answer.value or {} for answer in lists.values())
    groups = {str(name): auditor.admin(f"group?group={quote(str(name), safe='')}", encrypted=False) for name in names}
    unread = {f"group {name}": answer for name, answer in groups.items() if not answer.ok}
    if unread:
        return _unread(unread)
    known = {name: _policies(answer.value or {}, policies, name) for name, answer in groups.items()}
    found = [
        _user(
            name,
            user,
            [*_policies(user, policies), *(one for group in _groups(user) for one in known.get(group, ()))],
            _keys(auditor, keys.get(name)),
        )
        for name, user in users.items()
    ]
    found += [Principal("account", name, keys=_keys(auditor, held)) for name, held in keys.items() if name not in users]
    return Answer(tuple(found))


def _unread(unread: Mapping[str, Answer[Any]]) -> Answer[tuple[Principal, ...]]:
    first = next(iter(unread.values()))
    return Answer(code=first.code, said="; ".join(f"{command}: {answer}" for command, answer in unread.items()))


def _user(
    name: str, user: Mapping[str, Any], documents: Sequence[HeldDocument], keys: Answer[tuple[LiveKey, ...]]
) -> Principal:
    return Principal(
        "user",
        name,
        enabled=user.get("status") != "disabled",
        groups=tuple(_groups(user)),
        documents=tuple(documents),
        keys=keys,
    )


def _groups(user: Mapping[str, Any]) -> list[str]:
    return [str(group) for group in user.get("memberOf") or ()]


def _policies(holder: Mapping[str, Any], policies: Mapping[str, Any], group: str = "") -> list[HeldDocument]:
    """The documents of a user or a group; none while a group is switched off."""
    if group and holder.get("status") == "disabled":
        return []
    names = str(holder.get("policyName") or holder.get("policy") or "")
    return [
        HeldDocument("attached", name, json.dumps(policies[name]), group)
        for name in names.split(",")
        if name in policies
    ]


def _keys(auditor: Auditor, held: object) -> Answer[tuple[LiveKey, ...]]:
    accounts = held.get("serviceAccounts") if isinstance(held, dict) else None
    found = []
    for one in accounts or ():
        key = str(one.get("accessKey"))
        told = auditor.admin(f"info-service-account?accessKey={quote(key, safe='')}", encrypted=True)
        if told.value is None:
            return Answer(code=told.code, said=f"info-service-account: {told.said}")
        expires = str(told.value.get("expiration") or one.get("expiration") or "")
        found.append(
            LiveKey(
                key,
                enabled=told.value.get("accountStatus") != "off",
                expires="" if expires == _NEVER else expires,
                document=None if told.value.get("impliedPolicy") else str(told.value.get("policy") or ""),
            )
        )
    return Answer(tuple(found))
