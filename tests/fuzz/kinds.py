"""The eight kinds of input that a person or another program writes, each with whole documents and its readers.

The rule: this file names only what commits of before have, too, so that the same seeds can be run there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from model import taxonomy_file
from model.deployment import build_deployment
from model.plan import build_plan
from model.problems import InvalidInputError
from object_store import arguments, journal, opening, payload, reference
from object_store.errors import ObjectStoreError
from object_store.reference import ObjectRef
from ops.preview import offline
from verify import record, target
from verify.checks import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from model.taxonomy import Taxonomy

REFUSALS = (InvalidInputError, target.CannotRunError, ObjectStoreError)
"""What a reader raises for input that it refuses; every other exception is a traceback for who runs the command."""

_TAXONOMY = b"""# a comment
bands:
  hot: { purpose: scratch, expire_after_days: 14, abort_multipart_after_days: 2 }
  warm:
    purpose: "replayable: can be made again"
    expire_after_days: 180
    expire_noncurrent_after_days: 30
    abort_multipart_after_days: 7
    transition: { storage_class: STANDARD_IA, after_days: 30 }
  cold:
    purpose: originals
    retention_mode: GOVERNANCE
    retention_days: 365
    expire_noncurrent_after_days: 30
    abort_multipart_after_days: 7
    transition: { storage_class: GLACIER_IR, after_days: 30 }
domains:
  media-raw: &cold
    band: cold
    purpose: original media
    expire_after_days: 400
  docs-raw:
    <<: *cold
    purpose: "original: documents"
  agent-loop:
    band: hot
    renamed_from: [loop]
identities:
  worker:
    purpose: the worker
    grants:
      media-raw: append
      agent-loop: write
  reader:
    grants: { "*": read }
  verifier:
    verifies: true
"""
_STACK = b"""# a comment
encryptionsalt: v1:bm90aGluZw==:v1:bm90aGluZw==:bm90aGluZw==
config:
  aws:region: us-west-2
  object-store:cloud: aistor
  object-store:env: local
  object-store:region: us-west-2
  object-store:endpoint: https://localhost:31000
  object-store:adminPassword:
    secure: v1:bm90aGluZw==:bm90aGluZw==
  object-store:protect: false
  object-store:maxKeyAgeDays: 90
  object-store:tags:
    team: data
    cost: "7"
  object-store:domains:
    build-cache: { band: hot, expire_after_days: 7 }
  object-store:identities:
    builder:
      grants:
        build-cache: write
  object-store:credentials:
    worker: { current: 2, previous: 1 }
  object-store:acknowledge:
    - "media-raw: bucket is removed"
"""
_REF = {"bucket": "joelclaw-media", "key": "a/b c.txt", "etag": "abc-2", "size": 7, "contentType": "text/plain"}
_COMPARISON = {"nas": "/volume1/joelclaw", "bucket": "joelclaw-media", "prefix": "a/"}


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        name: What people call it.
        form: `yaml` or `json`.
        share: Its share of the inputs, in percent.
        documents: Whole documents, which the readers accept.
        readers: What reads one; the folder is empty but for what the readers leave there.
    """

    name: str
    form: str
    share: int
    documents: Callable[[], Sequence[bytes]]
    readers: tuple[Callable[[bytes, Path], object], ...]


@cache
def _taxonomy() -> Taxonomy:
    return taxonomy_file.load()


@cache
def _small() -> dict[str, Any]:
    """A deployment of two buckets, as a stack publishes it."""
    content = {
        "bands": _taxonomy().bands.model_dump(),
        "domains": {"media-raw": {"band": "cold"}, "agent-loop": {"band": "hot"}},
        "identities": {
            "worker": {"grants": {"media-raw": "append", "agent-loop": "write"}},
            "verifier": {"verifies": True},
        },
    }
    plan = build_plan(
        taxonomy_file.parse(content, "fuzz"), env="local", region_code="usw2", tls_only=True, where="fuzz"
    )
    made = build_deployment(
        plan,
        stack="fuzz",
        cloud="aistor",
        region="us-west-2",
        endpoint="http://localhost:9000",
        provisioning_endpoint="http://localhost:9000",
    )
    found: dict[str, Any] = json.loads(made.model_dump_json())
    return found


def _pairs() -> dict[str, Any]:
    pair = {"access_key_id": "AKIAFUZZ", "secret_access_key": "fuzzfuzzfuzzfuzz"}
    return {"worker": {**pair, "previous": {**pair, "access_key_id": "AKIAOLD"}}, "verifier": pair}


def _facts() -> list[bytes]:
    """A record with every fact, as its JSON Schema describes it."""
    schema = TypeAdapter(record.Record).json_schema(by_alias=True)
    facts = _sample(schema["$defs"]["Facts"], schema["$defs"])
    bucket = _small()["plan"]["buckets"][0]["name"]
    facts["buckets"] = {bucket: facts["buckets"]["a"]}
    wish = {**_sample(schema["$defs"]["Selection"], schema["$defs"]), "buckets": None, "identities": None}
    wish["parts"] = ["smoke", "objects", "links", "lock", "strangers", "grants", "store"]
    return [_json({"version": 1, "deployment": _small(), "wish": wish, "facts": facts})]


def _sample(schema: dict[str, Any], named: dict[str, Any]) -> Any:  # noqa: ANN401, PLR0911 - a value of any type
    """A value that a JSON Schema allows."""
    if "$ref" in schema:
        return _sample(named[schema["$ref"].rpartition("/")[2]], named)
    for choice in schema.get("anyOf", []):
        if choice.get("type") != "null":
            return _sample(choice, named)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {name: _sample(each, named) for name, each in schema["properties"].items()}
        case "object":
            return {"a": _sample(schema.get("additionalProperties", {}), named)}
        case "array":
            several = schema.get("prefixItems") or [schema.get("items", {})]
            return [_sample(each, named) for each in several]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
    return "Enabled"


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode()


def _journal() -> list[bytes]:
    lines: list[dict[str, object]] = [
        {"journal": "object-store-parity", "version": 1, **_COMPARISON},
        {"finding": "missing", "key": "a/b", "reason": ""},
        {"through": "a/c", "same": 3, "sameBytes": 4096},
        {"finding": "undecided", "key": "a/d", "reason": "a symbolic link"},
        {"through": "a/e", "same": 5, "sameBytes": 8192},
    ]
    return ["".join(json.dumps(line) + "\n" for line in lines[:count]).encode() for count in (1, 3, 5)]


def _file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def _read_taxonomy(content: bytes, folder: Path) -> object:
    return taxonomy_file.load(_file(folder, "taxonomy.yaml", content))


def _read_stack(content: bytes, folder: Path) -> object:
    # The taxonomy of the checkout is not the input, and would be read anew for every one.
    offline.load = _taxonomy  # type: ignore[attr-defined]
    _file(folder, "Pulumi.fuzz.yaml", content)
    return offline.of_checkout("fuzz", folder)


def _read_deployment(content: bytes, folder: Path) -> object:
    return target.deployment_in_file(_file(folder, "deployment.json", content))


def _open_deployment(content: bytes, folder: Path) -> object:
    credentials = _file(folder, "credentials.json", _json(_pairs()))
    return opening.store_of(_file(folder, "deployment.json", content), credentials, "worker").config


def _compare_deployment(content: bytes, folder: Path) -> object:
    return offline.of_deployment(_file(folder, "deployment.json", content))


def _pairs_beside_environment(content: bytes, folder: Path) -> object:
    path = _file(folder, "deployment.json", content)
    names = ("WORKER", "VERIFIER")
    environ = {
        f"OBJECTSTORE_{name}_{part}": "x" * 20 for name in names for part in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    }
    return target.published_in_files(path, None, environ)


def _read_credentials(content: bytes, folder: Path) -> object:
    deployment = _file(folder, "deployment.json", _json(_small()))
    return target.published_in_files(deployment, _file(folder, "credentials.json", content))


def _open_credentials(content: bytes, folder: Path) -> object:
    deployment = _file(folder, "deployment.json", _json(_small()))
    return opening.store_of(deployment, _file(folder, "credentials.json", content), "worker").config


def _read_facts(content: bytes, folder: Path) -> object:
    found = record.load_record(_file(folder, "facts.json", content))
    findings = judge(found.deployment, found.facts, found.selection)
    return record.json_report(found.deployment, found.selection, found.facts, findings)


def _read_journal(content: bytes, folder: Path) -> object:
    with journal.opened_journal(_file(folder, "journal", content), **_COMPARISON) as opened:
        return json.dumps([found.key for found in opened.progress.findings]).encode()


def _read_event(content: bytes, _: Path) -> object:
    try:
        event = json.loads(content)
    except (ValueError, RecursionError):
        event = content.decode("latin-1")  # who calls us parses an event; what is none comes as it is
    payload.Payload.parse(event)
    return payload.identity_of(event).encode()


def _read_reference(content: bytes, _: Path) -> object:
    ref = ObjectRef.parse(content)
    return ref.uri, ref.model_dump_json()


def _read_arguments(content: bytes, _: Path) -> object:
    try:
        given = json.loads(content)
    except (ValueError, RecursionError):
        given = {"uri": content.decode("latin-1")}
    given = given if isinstance(given, dict) else {"uri": given}
    bucket, key = reference.parse_uri(given.get("uri", ""))
    arguments.checked_put(bucket, given.get("key", key), given.get("contentType"), given.get("metadata"))
    arguments.checked_get(bucket, key, given.get("etag"))
    return arguments.lifetime_of(bucket, key, given.get("expiry", timedelta(hours=1)))


def _arguments() -> list[bytes]:
    whole = {
        "uri": "s3://joelclaw-media/a/b c.txt",
        "key": "a/é.txt",
        "contentType": "text/plain; charset=utf-8",
        "metadata": {"origin": "nas", "note": "plain"},
        "etag": "abc-2",
        "expiry": 3600,
    }
    return [_json(whole), _json({"uri": whole["uri"]}), _json({**whole, "metadata": {}})]


KINDS = (
    Kind("taxonomy", "yaml", 30, lambda: [_TAXONOMY], (_read_taxonomy,)),
    Kind("stack config", "yaml", 30, lambda: [_STACK], (_read_stack,)),
    Kind(
        "deployment",
        "json",
        8,
        lambda: [_json(_small())],
        (_read_deployment, _pairs_beside_environment, _compare_deployment, _open_deployment),
    ),
    Kind("credentials", "json", 8, lambda: [_json(_pairs())], (_read_credentials, _open_credentials)),
    Kind("facts", "json", 5, _facts, (_read_facts,)),
    Kind("journal", "json", 8, _journal, (_read_journal,)),
    Kind(
        "payload reference",
        "json",
        5,
        lambda: [
            _json(_REF),
            _json({"objectRef": _REF}),
            _json({"nasPath": "/volume1/joelclaw/a.txt", "idempotencyKey": "x"}),
        ],
        (_read_reference, _read_event),
    ),
    Kind("URI and arguments", "json", 6, _arguments, (_read_arguments,)),
)
