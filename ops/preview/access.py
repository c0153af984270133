"""What IAM policy documents allow, as items that can be compared, and the words for a difference.

The rule: differences are computed on single actions, so none is missed. If all actions of a grant were added or
removed, the words are those of the grant. It leaves out the meaning of conditions: an action with a condition differs
from the same action without one. What a document denies under a condition is another set (`denied`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from model.audited import ADMIN_READS, IAM_READS, LOCK_READS, bucket_reads
from model.plan import PROBE_PREFIX
from model.policies import DELETE_ACTIONS, LIST_ACTIONS, PROBE_ACTIONS, PUT_ACTIONS, READ_ACTIONS
from model.refusals import REFUSALS

ARN = "arn:aws:s3:::"
PUT = "s3:PutObject"
KINDS_OF_PUT = frozenset(refusal.puts for refusal in REFUSALS)
OVERWRITES = frozenset(refusal.puts for refusal in REFUSALS if refusal.of_append)
_WORDS = (
    ("read", frozenset({*LIST_ACTIONS, *READ_ACTIONS})),
    ("put", frozenset(PUT_ACTIONS)),
    ("delete", frozenset(DELETE_ACTIONS)),
)
# All permissions of the auditor, by cloud: it reads no object.
_AUDITS = tuple(
    (word, frozenset(pairs))
    for cloud, of_all in (("aistor", ADMIN_READS), ("aws", IAM_READS))
    for word, pairs in (
        (
            "audit settings and locks",
            [*((None, action) for action in bucket_reads(cloud)), *(("", action) for action in LOCK_READS)],
        ),
        ("audit identities", [(None, action) for action in of_all]),
    )
)


class Allowed(NamedTuple):
    """One action on one area.

    Attributes:
        bucket: A bucket's name, or a pattern such as `*`, as in the document.
        prefix: The prefix of its keys, `""` for all keys; None for the bucket itself.
        action: `s3:GetObject`, followed by its condition if it has one.
    """

    bucket: str
    prefix: str | None
    action: str


def allowed(documents: Iterable[Mapping[str, Any]], within: Sequence[Mapping[str, Any]] = ()) -> frozenset[Allowed]:
    """What the documents together allow, minus what they deny, limited to what `within` allows (if it is not empty).

    Args:
        documents: Policy documents of a user, as mappings.
        within: Documents that grant nothing but limit the others (a service account's own policy).
    """
    documents = list(documents)
    found = {
        Allowed(*_area(resource), action + _condition(statement))
        for statement in _statements(documents, "Allow")
        for resource in _resources(statement)
        for action in _listed(statement.get("Action"))
    }
    denied = [statement for statement in _statements(documents, "Deny") if not statement.get("Condition")]
    found = {pair for pair in found if not any(_covers(statement, pair) for statement in denied)}
    if within:
        bounds = list(_statements(within, "Allow"))
        refused = [statement for statement in _statements(within, "Deny") if not statement.get("Condition")]
        found = {
            pair
            for pair in found
            if any(_covers(statement, pair) for statement in bounds)
            and not any(_covers(statement, pair) for statement in refused)
        }
    return frozenset(found)


class Denied(NamedTuple):
    """One thing that a document denies.

    Attributes:
        bucket: A bucket's name, or empty for several.
        what: An action, or the kind of put in words (`model.refusals`), or an action with its condition.
    """

    bucket: str
    what: str


def denied(documents: Iterable[Mapping[str, Any]]) -> frozenset[Denied]:
    """What the documents deny, without plain http (`refuses_plain_http`)."""
    return frozenset(
        Denied("" if "*" in bucket else bucket, what)
        for statement in _statements(documents, "Deny")
        if not _is_about_plain_http(statement)
        for resource in _resources(statement)
        for bucket, _, keys in [resource.removeprefix(ARN).partition("/")]
        for what in _denied_by(statement, keys)
    )


def _denied_by(statement: Mapping[str, Any], keys: str) -> list[str]:
    actions, condition = _listed(statement.get("Action")), _condition(statement)
    for refusal in REFUSALS:
        if actions == [PUT] and keys in refusal.keys and condition == _condition({"Condition": refusal.condition}):
            return [refusal.puts]
    return [f"{action}{'' if keys in ('', '*') else f' under {keys}'}{condition}" for action in actions]


def refuses_plain_http(documents: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a statement denies everything over plain http."""
    return any(_is_about_plain_http(statement) for statement in _statements(documents, "Deny"))


def _is_about_plain_http(statement: Mapping[str, Any]) -> bool:
    return _values((statement.get("Condition") or {}).get("Bool", {}).get("aws:SecureTransport")) == ["false"]


def lets_anyone_in(document: Mapping[str, Any]) -> bool:
    """Whether a bucket policy allows any action to everyone."""
    return any("*" in _principals(statement.get("Principal")) for statement in _statements([document], "Allow"))


def words(pairs: Iterable[Allowed], held: Iterable[Allowed]) -> str:
    """Some permissions on one bucket in words: `read, put and delete`.

    Args:
        pairs: The permissions that were added or removed.
        held: All permissions on the bucket, on the side that has the pairs.
    """
    wanted, whole = set(pairs), {(pair.prefix or "", pair.action) for pair in held}
    said: list[str] = []
    for word, actions in _WORDS:
        own = {pair for pair in wanted if pair.action in actions and not pair.prefix}
        if own and all(("", action) in whole for action in actions):
            said.append(word)
            wanted -= own
    probes = {pair for pair in wanted if pair.prefix == PROBE_PREFIX}
    if probes and all((PROBE_PREFIX, action) in whole for action in PROBE_ACTIONS):
        # The verifier's rights to read the bucket's configuration belong to its probes.
        said.append("verify")
        wanted = {pair for pair in wanted - probes if not _of_verification(pair)}
    for word, audited in _AUDITS:
        if audited <= {(pair.prefix, pair.action) for pair in wanted}:
            said.append(word)
            wanted = {pair for pair in wanted if (pair.prefix, pair.action) not in audited}
    said += sorted(f"{pair.action} under {pair.prefix}" if pair.prefix else pair.action for pair in wanted)
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _of_verification(pair: Allowed) -> bool:
    return pair.prefix is None and (pair.action.startswith("s3:Get") or PROBE_PREFIX in pair.action)


def _principals(value: object) -> list[str]:
    return [name for own in value.values() for name in _listed(own)] if isinstance(value, dict) else _listed(value)


def _statements(documents: Iterable[Mapping[str, Any]], effect: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for document in documents:
        statements = document.get("Statement", [])
        found += [
            statement
            for statement in ([statements] if isinstance(statements, Mapping) else statements)
            if statement.get("Effect") == effect
        ]
    return found


def _resources(statement: Mapping[str, Any]) -> list[str]:
    """The resources; MinIO's `admin:` actions have none, and hold for the whole server."""
    return _listed(statement.get("Resource")) or ["*"]


def _listed(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []


def _area(resource: str) -> tuple[str, str | None]:
    bucket, slash, keys = resource.removeprefix(ARN).partition("/")
    return bucket, keys.removesuffix("*") if slash else None


def _condition(statement: Mapping[str, Any]) -> str:
    """The condition in a normal form: a MinIO server returns each value as a list, in its own order."""
    condition = statement.get("Condition")
    if not condition:
        return ""
    same = {test: {key: _values(value) for key, value in keys.items()} for test, keys in condition.items()}
    return f" if {json.dumps(same, sort_keys=True)}"


def _values(value: object) -> list[str]:
    """The values of a condition's key, as lower-case text where they are booleans."""
    found = value if isinstance(value, list) else [] if value is None else [value]
    return sorted(
        str(one).lower() if isinstance(one, bool) or str(one) in ("True", "False") else str(one) for one in found
    )


def _covers(statement: Mapping[str, Any], pair: Allowed) -> bool:
    action = pair.action.partition(" if ")[0]
    place = f"{ARN}{pair.bucket}" if pair.prefix is None else f"{ARN}{pair.bucket}/{pair.prefix}*"
    return any(fnmatchcase(action, pattern) for pattern in _listed(statement.get("Action"))) and any(
        fnmatchcase(place, pattern) for pattern in _resources(statement)
    )
