"""Random changes of planned documents: those that allow more, and those that change nothing.

The rule: a widening is proven by a request that the embedded server allows live and refuses by the plan, found without
`model.allowed`. A rewrite is harmless by its form.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model.allowed import actions
from tests.model.allowed import servers
from tests.model.allowed.plans import governed, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from model.allowed import Access
    from model.allowed.statements import Cloud

Document = dict[str, Any]
_S3 = "arn:aws:s3:::"
_TRIES = 150
_HINT = tuple[list[str], list[str]]


def _decoded(access: Access) -> list[list[Document]]:
    return [
        [json.loads(one) if isinstance(one, str) else deepcopy(dict(one)) for one in layer] for layer in access.layers
    ]


def _with(access: Access, layers: list[list[Document]]) -> Access:
    return replace(access, layers=tuple(tuple(layer) for layer in layers))


def _listed(value: object) -> list[str]:
    return list(value) if isinstance(value, list) else [str(value)]


def _names(cloud: Cloud) -> tuple[str, ...]:
    if cloud == "aws":
        return (*actions.AWS_OF_OBJECTS, *actions.AWS_OF_BUCKETS)
    return (*actions.MINIO_OF_OBJECTS, *actions.MINIO_OF_BUCKETS)


def _resources(rng: Random) -> list[str]:
    bucket = rng.choice(plan().buckets).name
    return rng.choice(
        (
            [f"{_S3}{bucket}/2026/*"],
            [f"{_S3}{bucket}", f"{_S3}{bucket}/*"],
            [f"{_S3}elsewhere", f"{_S3}elsewhere/*"],
            [f"{_S3}joelclaw-*"],
            ["*"],
            [f"{_S3}{bucket}/*/secret-?"],
        )
    )


def _pick(rng: Random, layers: list[list[Document]], effect: str) -> Document:
    """A statement of the principal's own documents, with this effect if one has it."""
    found = [one for document in layers[0] for one in document["Statement"]]
    statement: Document = rng.choice([one for one in found if one["Effect"] == effect] or found)
    return statement


def _action(rng: Random, cloud: Cloud, layers: list[list[Document]]) -> _HINT:
    statement, added = _pick(rng, layers, "Allow"), rng.sample(_names(cloud), 3)
    statement["Action"] = [*_listed(statement["Action"]), *added]
    return added, _listed(statement["Resource"])


def _not_action(rng: Random, cloud: Cloud, layers: list[list[Document]]) -> _HINT:
    statement = _pick(rng, layers, "Allow")
    del statement["Action"]
    statement["NotAction"] = rng.sample(_names(cloud), 2)
    return [*_names(cloud)], _listed(statement["Resource"])


def _resource(rng: Random, _cloud: Cloud, layers: list[list[Document]]) -> _HINT:
    statement, added = _pick(rng, layers, "Allow"), _resources(rng)
    statement["Resource"] = [*_listed(statement["Resource"]), *added]
    return _listed(statement["Action"]), added


def _not_resource(rng: Random, _cloud: Cloud, layers: list[list[Document]]) -> _HINT:
    statement = _pick(rng, layers, "Allow")
    kept = _listed(statement.pop("Resource"))
    statement["NotResource"] = rng.sample(kept, 1)
    return _listed(statement["Action"]), [
        *kept,
        f"{_S3}elsewhere/*",
        f"{_S3}elsewhere",
        f"{_S3}{plan().buckets[0].name}/*",
    ]


def _condition(rng: Random, cloud: Cloud, layers: list[list[Document]]) -> _HINT:
    """A Deny that is gone or holds only sometimes, or an Allow that holds always."""
    statement = _pick(rng, layers, rng.choice(("Deny", "Deny", "Allow")))
    hint = _listed(statement["Action"]), _listed(statement["Resource"])
    if statement["Effect"] == "Allow":
        if not statement.pop("Condition", None):
            statement["Action"] = [*hint[0], *rng.sample(_names(cloud), 2)]
        return _listed(statement["Action"]), hint[1]
    if rng.random() < 0.4:
        statement["Effect"], statement["Action"] = "Allow", hint[0]
    else:
        statement.setdefault("Condition", {})["IpAddress"] = {"aws:SourceIp": ["10.0.0.0/8"]}
    return hint


def _attachment(rng: Random, cloud: Cloud, layers: list[list[Document]]) -> _HINT:
    names, resources = rng.sample(_names(cloud), 2), _resources(rng)
    layers[0].append(_document(Effect="Allow", Action=names, Resource=resources))
    return names, resources


def _group(rng: Random, cloud: Cloud, layers: list[list[Document]]) -> _HINT:
    """A policy of a group, as groups have them: broad, and sometimes with a condition."""
    statement: Document = {"Effect": "Allow", "Action": ["s3:*"], "Resource": _resources(rng)}
    if rng.random() < 0.5:
        statement["Condition"] = {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}
    layers[0].append(_document(**statement))
    return [*_names(cloud)], statement["Resource"]


def _document(**statement: object) -> Document:
    return {"Version": "2012-10-17", "Statement": [statement]}


_KINDS: dict[str, Callable[[Random, Cloud, list[list[Document]]], _HINT]] = {
    "action": _action,
    "attachment": _attachment,
    "condition": _condition,
    "group": _group,
    "not action": _not_action,
    "not resource": _not_resource,
    "resource": _resource,
}
KINDS = (*_KINDS, "principal")


def widened(rng: Random, cloud: Cloud, kind: str) -> tuple[Access, Access, str]:
    """Live and planned access, and a request in words that the server allows only live."""
    while True:
        planned = governed(rng.choice(plan().identities).name, cloud, by_own_key=rng.random() < 0.3)
        if kind == "principal":
            planned, live, hint = _principal(rng, planned)
        else:
            layers = _decoded(planned)
            hint = _KINDS[kind](rng, cloud, layers)
            if len(layers) > 1:  # the key's own policy limits what its user's policies allow: widen it, too
                layers[1:] = [layers[0]]
            live = _with(planned, layers)
        for request in _requests(rng, hint):
            if servers.allowed(live, *request) and not servers.allowed(planned, *request):
                return live, planned, str(request)


def _principal(rng: Random, planned: Access) -> tuple[Access, Access, _HINT]:
    """A bucket's policy that lets somebody in: on MinIO an anonymous caller."""
    bucket = rng.choice(plan().buckets).name
    names, resources = rng.sample(_names(planned.cloud), 2), [f"{_S3}{bucket}", f"{_S3}{bucket}/*"]
    who: Document = {"Principal": rng.choice(("*", {"AWS": ["*"]}))}
    if planned.cloud == "aistor":
        planned = replace(planned, principal="", layers=(), names=frozenset(), of_resources={})
    elif rng.random() < 0.6:
        arns = [servers.user_arn("somebody-else"), servers.user_arn(planned.principal)]
        who = rng.choice(({"Principal": {"AWS": arns}}, {"NotPrincipal": {"AWS": arns[:1]}}))
    raw = planned.of_resources.get(bucket, '{"Version": "2012-10-17", "Statement": []}')
    policy = json.loads(str(raw))
    policy["Statement"].append({"Effect": "Allow", **who, "Action": names, "Resource": resources})
    live = replace(planned, of_resources={**planned.of_resources, bucket: policy})
    if planned.cloud == "aistor":
        planned = replace(planned, of_resources={bucket: raw} if json.loads(str(raw))["Statement"] else {})
    return planned, live, (names, resources)


def _requests(rng: Random, hint: _HINT) -> Iterator[tuple[str, str, dict[str, tuple[str, ...]]]]:
    names, resources = hint
    for _ in range(_TRIES):
        name = rng.choice(names).replace("*", rng.choice(("GetObject", "PutObject", "ListBucket")))
        resource = rng.choice(resources)
        if resource == "*":
            resource = f"{_S3}*"
        bucket, slash, key = resource.removeprefix(_S3).partition("/")
        bucket = rng.choice(plan().buckets).name if "*" in bucket else bucket
        is_of_bucket = name in actions.AWS_OF_BUCKETS or name in actions.MINIO_OF_BUCKETS
        key = key.replace("?", "q").replace("*", rng.choice(("x", "2026/x", "secret"))) or ("x" if not slash else "")
        yield name, f"{_S3}{bucket}" if is_of_bucket else f"{_S3}{bucket}/{key}", _context(rng)


def _context(rng: Random) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {
        "aws:SecureTransport": (rng.choice(("true", "true", "false")),),
        "aws:SourceIp": (rng.choice(("10.1.2.3", "192.0.2.1")),),
        "s3:versionid": (rng.choice(("", "", "1")),),
        "s3:if-none-match": ("*",),
        "s3:ObjectCreationOperation": ("true",),
    }
    if rng.random() < 0.5:
        found["s3:prefix"] = (rng.choice((".verify/x", "x", "")),)
    for key in ("s3:x-amz-storage-class", "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:RequestObjectTagKeys"):
        if rng.random() < 0.2:
            found[key] = ("x",)
    if rng.random() < 0.3:
        del found["s3:if-none-match"]
    return found


def rewritten(rng: Random, cloud: Cloud) -> tuple[Access, Access]:
    """Live and planned access that allow the same, in other words."""
    planned = governed(rng.choice(plan().identities).name, cloud, by_own_key=rng.random() < 0.3)
    layers = _decoded(planned)
    for layer in layers:
        for change in rng.sample(_REWRITES, 3):
            change(rng, cloud, layer)
    live = _with(planned, layers)
    of_buckets = {name: json.loads(str(one)) for name, one in planned.of_resources.items()}
    for policy in of_buckets.values():
        policy["Statement"][0]["Principal"] = rng.choice(("*", {"AWS": "*"}, {"AWS": ["*"]}))
        policy["Statement"][0]["Condition"] = {"Bool": {"aws:securetransport": rng.choice((False, "false", ["false"]))}}
    return replace(live, of_resources=of_buckets), planned


def _order(rng: Random, _cloud: Cloud, layer: list[Document]) -> None:
    for document in layer:
        document["Statement"] = rng.sample(_statements(document), len(_statements(document)))
        for statement in document["Statement"]:
            statement.pop("Sid", None)
            for name in ("Action", "Resource"):
                statement[name] = rng.sample(_listed(statement[name]), len(_listed(statement[name])))


def _list_or_string(_rng: Random, _cloud: Cloud, layer: list[Document]) -> None:
    for document in layer:
        for statement in _statements(document):
            for name in ("Action", "Resource"):
                listed = _listed(statement[name])
                statement[name] = listed[0] if len(listed) == 1 else [*listed, listed[0]]
            for keys in statement.get("Condition", {}).values():
                for key, value in keys.items():
                    keys[key] = value if isinstance(value, list) else [value]


def _split(rng: Random, _cloud: Cloud, layer: list[Document]) -> None:
    for document in layer:
        parts = []
        for statement in _statements(document):
            name = rng.choice(("Action", "Resource"))
            parts += [{**deepcopy(statement), name: one} for one in _listed(statement[name])]
        document["Statement"] = parts


def _documents(_rng: Random, _cloud: Cloud, layer: list[Document]) -> None:
    """One document for each statement, as if each was attached alone."""
    layer[:] = [{"Version": "2012-10-17", "Statement": one} for document in layer for one in _statements(document)]


def _statements(document: Document) -> list[Document]:
    found = document["Statement"]
    return [found] if isinstance(found, dict) else found


def _wider_and_denied(rng: Random, cloud: Cloud, layer: list[Document]) -> None:
    """A broad Allow, and a Deny of all but what the documents allowed before."""
    wide = {"Action": rng.sample(_names(cloud), 3), "Resource": _resources(rng)}
    layer.append({"Version": "2012-10-17", "Statement": [{"Effect": one, **wide} for one in ("Allow", "Deny")]})


_REWRITES = (_order, _list_or_string, _split, _documents, _wider_and_denied)
