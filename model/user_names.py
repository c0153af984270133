"""Names of users, roles and policies on a server: their two forms, and the stack that a policy document is for.

The rule: a new stack's names contain its environment and its region code, so no two stacks share one. A stack of before
has names without the region code and keeps them, because a renamed user loses its keys: its state decides
(`docs/adr/0018-names-that-cannot-collide.md`). Pure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any

from model.bucket_names import PROJECT, bucket_name
from model.resources import About, about, subject_of

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
USER_NAME_MAXIMUM = 64
ENV = r"[a-z][a-z0-9]{0,11}"
REGION_CODE = r"[a-z]{2,4}[0-9]"
_BUCKET = re.compile(rf"({PROJECT}-{ENV}-{REGION_CODE}-)")
_BUCKETS = re.compile(rf"arn:[a-z-]+:s3:::{_BUCKET.pattern}")
# The property of each type that has the name of the user, role or policy.
_NAMED = {
    About.USER: ("name",),
    About.ROLE: ("name",),
    About.POLICY: ("name",),
    About.ATTACHMENT: ("userName", "user"),
    About.ROLE_ATTACHMENT: ("role",),
    About.KEY: ("targetUser", "user"),
}
_OWNER = {About.ATTACHMENT: About.USER, About.KEY: About.USER, About.ROLE_ATTACHMENT: About.ROLE}


@unique
class UserNames(StrEnum):
    """The form of a stack's names; an identity's further policies add a number."""

    BY_ENV = "joelclaw-{env}-{identity}"
    BY_REGION = "joelclaw-{env}-{region code}-{identity}"


@dataclass(frozen=True)
class ServerName:
    """A name that a user, a role or a policy has on the server."""

    what: About
    name: str


@dataclass(frozen=True)
class Taken:
    """A name that exists on the server.

    Attributes:
        name: The name.
        prefixes: The bucket prefixes of the stacks that its policies are for; empty if they name no bucket.
        stack: The stack in its tags; empty on AIStor, which has none, and for what no stack made.
        document: A policy's document, as JSON text.
    """

    name: ServerName
    prefixes: frozenset[str] = frozenset()
    stack: str = ""
    document: str = field(default="", repr=False)

    def is_for_another(self, bucket_prefix: str) -> bool:
        """Whether it is certainly for another stack's buckets than those with this prefix."""
        return bool(self.prefixes - {bucket_prefix})


def user_name(names: UserNames, env: str, region_code: str, identity: str) -> str:
    """The name of an identity's user or role, and of its first policy."""
    return bucket_name(env, region_code, identity) if names is UserNames.BY_REGION else f"{PROJECT}-{env}-{identity}"


def names_in(resources: Iterable[Mapping[str, Any]]) -> frozenset[ServerName]:
    """The names of the users, roles and policies of a state; a key or an attachment has that of its user or role.

    Args:
        resources: The state's resources, each with its `type`, its `urn` and its `outputs` or `inputs`.
    """
    return frozenset(found for found, _ in _named(resources))


def form_in(resources: Iterable[Mapping[str, Any]]) -> UserNames | None:
    """The form of a state's names; None if it has none. One name without a region code suffices for that form."""
    forms = {form for found, identity in _named(resources) if (form := _form(found.name, identity))}
    return min(forms, default=None, key=list(UserNames).index)


def stack_prefix(bucket: str) -> str:
    """The prefix of a stack's buckets, from the name of one; empty for a bucket that no stack of ours has."""
    found = _BUCKET.match(bucket)
    return found[1] if found else ""


def bucket_prefixes_in(document: object) -> frozenset[str]:
    """The prefixes of the stacks whose buckets a policy document names."""
    statements = document.get("Statement", []) if isinstance(document, dict) else []
    named: set[str] = set()
    for statement in statements if isinstance(statements, list) else [statements]:
        given = statement.get("Resource", []) if isinstance(statement, dict) else []
        for resource in given if isinstance(given, list) else [given]:
            named.update(_BUCKETS.findall(str(resource)))
    return frozenset(named)


def _named(resources: Iterable[Mapping[str, Any]]) -> Iterator[tuple[ServerName, str]]:
    for resource in resources:
        what = about(resource["type"])
        if what not in _NAMED:
            continue
        values = {**(resource.get("inputs") or {}), **(resource.get("outputs") or {})}
        name = next((values[key] for key in _NAMED[what] if isinstance(values.get(key), str)), "")
        if name:
            identity, _ = subject_of(resource["type"], resource["urn"].rpartition("::")[2])
            yield ServerName(_OWNER.get(what, what), name), identity


def _form(name: str, identity: str) -> UserNames | None:
    found = re.fullmatch(rf"{PROJECT}-{ENV}(-{REGION_CODE})?-{re.escape(identity)}(-[0-9]+)?", name)
    if found is None:
        return None
    return UserNames.BY_REGION if found[1] else UserNames.BY_ENV
