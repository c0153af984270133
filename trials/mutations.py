"""Deliberate damages, and the checks that each must make fail: the proof that the suite detects what it claims.

The rule: a damage is done to a running store with real identities, is undone afterwards, and makes exactly the named
checks fail, in the named bucket. `docs/verification.md` shows this table; every check is in it at least once.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote

from model.bucket_names import bucket_name
from model.policies import Cloud
from sandbox.server.certificates import make_certificates
from trials.faults import (
    AcceptBadLinks,
    DoneAllTheSame,
    DropHeader,
    Fault,
    Hook,
    IgnoreHeader,
    On,
    Request,
    Response,
    WrongEtag,
    expired_link,
    header,
    keys_of,
)
from trials.faulty_proxy import FaultyProxy
from trials.stores import Store
from verify.probe.actions import ACTIONS, LINK_SECONDS
from verify.target import Target

BOTH: tuple[Cloud, ...] = ("aistor", "aws")
AISTOR: tuple[Cloud, ...] = ("aistor",)
AWS: tuple[Cloud, ...] = ("aws",)
Damage = Callable[[Store], AbstractContextManager[Target]]


@dataclass(frozen=True)
class Mutation:
    """A damage and the checks that must detect it.

    Attributes:
        name: The damage in words.
        damage: Does the damage, yields the target to verify, and undoes it.
        fails: The checks that must fail; no others may.
        clouds: The clouds where the damage is possible.
        domains: The buckets that are verified: as few as the checks need to fail.
        deep: Whether `--deep` is needed to detect it.
    """

    name: str
    damage: Damage
    fails: frozenset[str]
    clouds: tuple[Cloud, ...] = BOTH
    domains: tuple[str, ...] = ("replay",)
    deep: bool = False


def server_side(do: Callable[[Store, str], object], undo: Callable[[Store, str], object] | None, domain: str) -> Damage:
    """A damage of a bucket by the administrator; without `undo` all settings of the bucket are set again."""

    @contextmanager
    def damage(store: Store) -> Iterator[Target]:
        bucket = store.plan.bucket(domain)
        do(store, bucket.name)
        try:
            yield store.target
        finally:
            if undo is None:
                store.put_settings(bucket)
            else:
                undo(store, bucket.name)

    return damage


def policy_of(identity: str, change: Callable[[Store, list[dict[str, Any]]], list[dict[str, Any]]]) -> Damage:
    """A damage of an identity's policy."""

    @contextmanager
    def damage(store: Store) -> Iterator[Target]:
        planned = [dict(statement) for statement in store.planned_policy(identity)["Statement"]]
        store.set_user_policy(identity, change(store, planned))
        try:
            yield store.target
        finally:
            store.restore_user_policy(identity)

    return damage


def widened(
    action: str, domain: str, identity: str = "worker", *, objects: bool = False, denies: bool = True
) -> Damage:
    """One more action for an identity in a bucket that it does not hold; `denies=False` removes its Deny statements."""

    def change(store: Store, planned: list[dict[str, Any]]) -> list[dict[str, Any]]:
        arn = f"arn:aws:s3:::{store.plan.bucket(domain).name}" + ("/*" if objects else "")
        kept = planned if denies else [statement for statement in planned if statement["Sid"] != "KeepVersions"]
        return [*kept, {"Sid": "More", "Effect": "Allow", "Action": [action], "Resource": [arn]}]

    return policy_of(identity, change)


def outside_probes(effect: str, action: str, identity: str) -> Damage:
    """An identity may, or may not, do one thing to the keys under this year; under the probe prefix nothing changes."""

    def change(store: Store, planned: list[dict[str, Any]]) -> list[dict[str, Any]]:
        arns = [f"arn:aws:s3:::{bucket.name}/{datetime.now(UTC).year}/*" for bucket in store.plan.buckets]
        return [*planned, {"Sid": "Year", "Effect": effect, "Action": [action], "Resource": arns}]

    return policy_of(identity, change)


def _may_lose_versions_of_a_year(store: Store, planned: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The policy without its Deny, and with all that the loss of versions under this year needs."""
    kept = [statement for statement in planned if statement["Sid"] != "KeepVersions"]
    actions = ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    arns = [f"arn:aws:s3:::{bucket.name}/{datetime.now(UTC).year}/*" for bucket in store.plan.buckets]
    return [*kept, {"Sid": "Year", "Effect": "Allow", "Action": actions, "Resource": arns}]


def narrowed(actions: Sequence[str], identity: str) -> Damage:
    """Some fewer actions for an identity."""

    def change(_: Store, planned: list[dict[str, Any]]) -> list[dict[str, Any]]:
        left = [
            {**s, "Action": [a for a in s["Action"] if a not in actions]} if s["Effect"] == "Allow" else s
            for s in planned
        ]
        return [statement for statement in left if statement["Action"]]

    return policy_of(identity, change)


def target_with(change: Callable[[Store], Target]) -> Damage:
    """A damage of the suite's input, not of the store."""

    @contextmanager
    def damage(store: Store) -> Iterator[Target]:
        yield change(store)

    return damage


def through(make: Callable[[Store], Sequence[Fault]], *, plain: bool = False) -> Damage:
    """A faulty server: a proxy in front of the store with deliberate faults."""

    @contextmanager
    def damage(store: Store) -> Iterator[Target]:
        with FaultyProxy(store.server.endpoint, store.server.ca_bundle, *make(store), plain=plain) as proxy:
            deployment = store.deployment.model_copy(update={"ca_pem": proxy.ca_pem})
            yield replace(store.target, deployment=deployment, endpoint=proxy.endpoint)

    return damage


def _deletes_all_the_same(store: Store) -> Sequence[Fault]:
    """A server that deletes a locked version, and answers that it refuses to."""

    def delete(request: Request) -> Response:
        version = parse_qs(request.query)["versionId"][0]
        bucket, _, key = unquote(request.path).lstrip("/").partition("/")
        store.client.delete_object(Bucket=bucket, Key=key, VersionId=version, BypassGovernanceRetention=True)
        return Response(403, body=b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>")

    return [Hook(answering=delete, when=On("DELETE", "/locked$", "versionId"))]


def other_bytes(on: On, old: bytes = b"", new: bytes = b"") -> Damage:
    """A server that answers with other bytes: `old` is replaced by `new`, or each body is reversed and longer."""

    def altered(_: Request, response: Response) -> Response:
        body = response.body.replace(old, new) if old else response.body[::-1] + b"!"
        return replace(response, body=body)

    return through(lambda _: [Hook(altering=altered, when=on)])


def patched(where: str, value: object) -> Damage:
    """A fault in our own adapter."""

    @contextmanager
    def damage(store: Store) -> Iterator[Target]:
        with patch(where, value):
            yield store.target

    return damage


def granted(*actions: str) -> frozenset[str]:
    """The checks for these actions of the matrix."""
    return frozenset(f"{action}_as_granted" for action in actions)


def _put_rules(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Callable[[Store, str], object]:
    def put(store: Store, name: str) -> object:
        planned = next(bucket for bucket in store.plan.buckets if bucket.name == name)
        rules = change([store.live_rule(rule) for rule in planned.rules])
        return store.client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})

    return put


def _band(**changes: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:  # noqa: ANN401 - S3's own fields
    """Change fields of the band's rule; None removes a field."""

    def change(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
        band = {key: value for key, value in {**rules[-1], **changes}.items() if value is not None}
        return [*rules[:-1], band]

    return change


def _default_retention(days: int | None) -> Callable[[Store, str], object]:
    def put(store: Store, name: str) -> object:
        lock: dict[str, Any] = {"ObjectLockEnabled": "Enabled"}
        if days is not None:
            lock["Rule"] = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": days}}
        return store.client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)

    return put


def _public_policy(store: Store, name: str) -> object:
    statement = {
        "Sid": "Public",
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{name}/*"],
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return store.client.put_bucket_policy(Bucket=name, Policy=json.dumps(document))


def _delete_policy(store: Store, name: str) -> object:
    return store.client.delete_bucket_policy(Bucket=name)


@contextmanager
def _extra_bucket(store: Store) -> Iterator[Target]:
    name = f"{store.plan.bucket_prefix}by-hand"
    store.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": store.deployment.region})
    try:
        yield store.target
    finally:
        store.client.delete_bucket(Bucket=name)


@contextmanager
def _let_into_another_stack(store: Store) -> Iterator[Target]:
    other = bucket_name(store.plan.env, "euw1", "replay")
    statement = {"Sid": "Other", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{other}"]}
    store.client.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": store.deployment.region})
    try:
        with policy_of("reader", lambda _, planned: [*planned, statement])(store) as target:
            yield target
    finally:
        store.client.delete_bucket(Bucket=other)


@contextmanager
def _bucket_gone(store: Store) -> Iterator[Target]:
    bucket = store.plan.bucket("orphan")
    store.client.delete_bucket(Bucket=bucket.name)
    try:
        yield store.target
    finally:
        store.make_bucket(bucket)


def _keys_swapped(store: Store) -> Target:
    keys = store.target.credentials
    return replace(store.target, credentials={**keys, "worker": keys["reader"], "reader": keys["worker"]})


def _key_unknown(store: Store) -> Target:
    unknown = store.target.credentials["reader"].model_copy(update={"access_key_id": "UNKNOWNKEY0000000000"})
    return replace(store.target, credentials={**store.target.credentials, "reader": unknown})


@contextmanager
def _other_ca(store: Store) -> Iterator[Target]:
    with TemporaryDirectory() as folder:
        other = make_certificates(Path(folder)).ca.read_text(encoding="ascii")
        yield replace(store.target, deployment=store.deployment.model_copy(update={"ca_pem": other}))


def _renamed(store: Store) -> Target:
    """The published plan gives a bucket's domain another name than the bucket's name has."""
    plan = store.plan
    buckets = tuple(b.model_copy(update={"domain": "other"}) if b.domain == "orphan" else b for b in plan.buckets)
    renamed = store.deployment.model_copy(update={"plan": plan.model_copy(update={"buckets": buckets})})
    return replace(store.target, deployment=renamed)


def _endpoint(url: str) -> Callable[[Store], Target]:
    return lambda store: replace(store.target, endpoint=url)


_ENCRYPTED: Mapping[str, Any] = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
_EVERY_ACTION_OF_READ = ("list", "list_versions", "get", "presigned_get", "get_outside")
#: On MinIO a pattern of all keys takes the bucket with it.
_TAKEN_WITH_THE_KEYS: Mapping[Cloud, tuple[str, ...]] = {
    "aistor": (
        *("change_lifecycle", "change_policy", "change_retention", "change_versioning"),
        *("make_bucket", "read_configuration"),
    ),
    "aws": (),
}
_EVERY_ACTION_OF_PUT = ("put", "presigned_put", "multipart", "put_outside")

# The checks that need a bucket's writer to have access.
_OF_WRITING = frozenset(
    {
        "object_uploaded",
        "object_read_back",
        "object_listed",
        "object_presigned",
        "sizes_survive",
        "multipart_survives",
        "keys_survive",
        "metadata_survives",
        "overwrite_refused_on_condition",
        "range_read",
        "presign_works",
    }
)
# The checks that fail on either cloud if the bucket does not exist.
_OF_A_BUCKET = (
    _OF_WRITING
    | {
        "declared_buckets_present",
        "bucket_in_region",
        "versioning_as_planned",
        "lifecycle_as_planned",
        "retention_as_planned",
        "policy_as_planned",
        "probes_removed",
    }
    | granted(*_EVERY_ACTION_OF_READ, "put", "presigned_put", "multipart")
    | granted("delete", "delete_version", "read_configuration")
)


def _admin(*actions: str) -> Damage:
    """An identity may call actions of the IAM or admin API."""

    def change(_: Store, planned: list[dict[str, Any]]) -> list[dict[str, Any]]:
        on_all = {"Resource": ["*"]} if actions[0].startswith("iam:") else {}
        return [*planned, {"Sid": "More", "Effect": "Allow", "Action": list(actions), **on_all}]

    return policy_of("reader", change)


# `tests/verify/test_admin.py` tries every call.
_ADMIN_ACTIONS: Mapping[Cloud, tuple[tuple[str, ...], ...]] = {
    "aistor": (("admin:ListUsers",), ("admin:CreateUser", "admin:CreatePolicy"), ("admin:ConfigUpdate",)),
    "aws": (("iam:ListUsers",), ("iam:CreateAccessKey", "iam:PutUserPolicy"), ("iam:AttachUserPolicy",)),
}


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("bucket created by hand", _extra_bucket, frozenset({"undeclared_buckets_absent"})),
    Mutation(
        "lifecycle rule of the band removed",
        server_side(_put_rules(lambda rules: rules[:-1]), None, "replay"),
        frozenset({"lifecycle_as_planned"}),
        AISTOR,
    ),
    Mutation(
        "lifecycle rule of the band removed",
        server_side(_put_rules(lambda rules: rules[:-1]), None, "replay"),
        frozenset({"lifecycle_as_planned", "abort_multipart_as_planned", "transition_as_planned"}),
        AWS,
    ),
    Mutation(
        "lifecycle days of the band changed",
        server_side(_put_rules(_band(Expiration={"Days": 90})), None, "replay"),
        frozenset({"lifecycle_as_planned"}),
    ),
    Mutation(
        "lifecycle rule disabled",
        server_side(_put_rules(_band(Status="Disabled")), None, "replay"),
        frozenset({"lifecycle_as_planned"}),
    ),
    Mutation(
        "foreign lifecycle rule added",
        server_side(_put_rules(lambda r: [*r, {**r[0], "ID": "foreign", "Filter": {"Prefix": "x/"}}]), None, "replay"),
        frozenset({"lifecycle_as_planned"}),
    ),
    Mutation(
        "lifecycle rule for probes removed",
        server_side(_put_rules(lambda rules: rules[1:]), None, "replay"),
        frozenset({"lifecycle_as_planned", "expiry_announced"}),
    ),
    Mutation(
        "days for unfinished uploads changed",
        server_side(_put_rules(_band(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 30})), None, "replay"),
        frozenset({"lifecycle_as_planned", "abort_multipart_as_planned"}),
        AWS,
    ),
    Mutation(
        "transition removed",
        server_side(_put_rules(_band(Transitions=None)), None, "replay"),
        frozenset({"lifecycle_as_planned", "transition_as_planned"}),
        AWS,
    ),
    Mutation(
        "versioning suspended",
        server_side(
            lambda s, b: s.client.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Suspended"}),
            None,
            "replay",
        ),
        frozenset({"versioning_as_planned"}),
    ),
    Mutation(
        "default retention shortened",
        server_side(_default_retention(1), None, "archive"),
        frozenset({"retention_as_planned", "retention_applied"}),
        domains=("archive",),
    ),
    Mutation(
        "default retention removed",
        server_side(_default_retention(None), None, "archive"),
        frozenset(
            {"retention_as_planned", "retention_applied", "version_delete_refused", "retention_shortening_refused"}
        ),
        domains=("archive",),
    ),
    Mutation(
        "default encryption changed",
        server_side(
            lambda s, b: s.client.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration=_ENCRYPTED),
            None,
            "replay",
        ),
        frozenset({"encryption_as_planned"}),
        AWS,
    ),
    Mutation(
        "public access block removed",
        server_side(lambda s, b: s.client.delete_public_access_block(Bucket=b), None, "replay"),
        frozenset({"public_access_blocked"}),
        AWS,
    ),
    Mutation(
        "object ownership given to writers",
        server_side(
            lambda s, b: s.client.put_bucket_ownership_controls(
                Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
            ),
            None,
            "replay",
        ),
        frozenset({"ownership_enforced"}),
        AWS,
    ),
    Mutation(
        "bucket policy removed",
        server_side(_delete_policy, None, "replay"),
        frozenset({"policy_as_planned"}),
        AWS,
    ),
    Mutation(
        "public bucket policy",
        server_side(_public_policy, _delete_policy, "replay"),
        frozenset({"policy_as_planned", "anonymous_refused", "public_access_blocked"}),
        AISTOR,
    ),
    Mutation("bucket deleted", _bucket_gone, _OF_A_BUCKET, AISTOR, domains=("orphan",)),
    Mutation(
        "bucket deleted",
        _bucket_gone,
        _OF_A_BUCKET
        | {
            "abort_multipart_as_planned",
            "encryption_as_planned",
            "ownership_enforced",
            "anonymous_refused",
            "public_access_blocked",
            "verifier_confined",
        }
        | granted(
            "change_lifecycle", "change_policy", "change_retention", "change_versioning", "delete_version_outside"
        ),
        AWS,
        domains=("orphan",),
    ),
    Mutation(
        "keys of two identities swapped",
        target_with(_keys_swapped),
        _OF_WRITING
        | {"object_deleted"}
        | granted(*_EVERY_ACTION_OF_READ, *_EVERY_ACTION_OF_PUT, "delete", "delete_outside"),
        domains=("scratch", "orphan"),
    ),
    Mutation(
        "key of an identity unknown",
        target_with(_key_unknown),
        frozenset({"admin_api_refused"})
        | granted(*(action.name for action in ACTIONS.values() if not action.locked_only)),
        domains=("orphan",),
    ),
    Mutation(
        "delete permission removed from an identity",
        narrowed(["s3:DeleteObject"], "worker"),
        frozenset({"object_deleted"}) | granted("delete", "delete_outside"),
        domains=("scratch",),
    ),
    Mutation(
        "list and read permissions removed from an identity",
        narrowed(["s3:ListBucket", "s3:ListBucketVersions", "s3:GetObject", "s3:GetObjectVersion"], "reader"),
        granted(*_EVERY_ACTION_OF_READ),
    ),
    Mutation(
        "verifier may list outside its prefix",
        policy_of("verifier", lambda _, planned: [{k: v for k, v in s.items() if k != "Condition"} for s in planned]),
        frozenset({"verifier_confined"}),
        AWS,
    ),
    Mutation(
        "verifier may act outside its prefix",
        widened("s3:GetObject", "orphan", "verifier", objects=True),
        frozenset({"verifier_confined"}) | granted("get_outside"),
        AISTOR,
        domains=("orphan",),
    ),
    Mutation(
        "verifier may act outside its prefix",
        widened("s3:DeleteObjectVersion", "orphan", "verifier", objects=True),
        frozenset({"verifier_confined"}) | granted("delete_version_outside"),
        AWS,
        domains=("orphan",),
    ),
    Mutation(
        "permission to delete versions removed from the verifier",
        narrowed(["s3:DeleteObjectVersion", "s3:DeleteObject"], "verifier"),
        frozenset({"probes_removed"}) | granted("delete", "delete_version"),
    ),
    *(
        Mutation(
            "governance bypass granted to a workload",
            widened("s3:*", "archive", objects=True, denies=False),
            frozenset({"lock_bypass_refused"})
            | granted("delete", "delete_version", "delete_version_outside", "put_object_retention", *of_the_bucket),
            (cloud,),
            domains=("archive",),
        )
        for cloud, of_the_bucket in _TAKEN_WITH_THE_KEYS.items()
    ),
    Mutation(
        "deleting versions granted to an identity",
        widened("s3:DeleteObjectVersion", "orphan", objects=True, denies=False),
        granted("delete_version", "delete_version_outside"),
        AWS,
        domains=("orphan",),
    ),
    Mutation(
        "Deny of version deletes removed",
        widened("s3:GetBucketLocation", "orphan", denies=False),
        granted("delete_version", "delete_version_outside"),
        AISTOR,
        domains=("scratch",),
    ),
    Mutation(
        "changing retention granted to an identity",
        widened("s3:PutObjectRetention", "archive", objects=True, denies=False),
        granted("put_object_retention"),
        AWS,
        domains=("archive",),
    ),
    Mutation(
        "puts denied to a workload outside the probe prefix",
        outside_probes("Deny", "s3:PutObject", "worker"),
        granted("put_outside"),
    ),
    Mutation(
        "puts granted to an identity outside the probe prefix",
        outside_probes("Allow", "s3:PutObject", "reader"),
        granted("put_outside"),
    ),
    Mutation(
        "reads granted to an identity outside the probe prefix",
        outside_probes("Allow", "s3:GetObject", "worker"),
        granted("get_outside"),
        AISTOR,
        domains=("orphan",),
    ),
    Mutation(
        "deletes granted to an identity outside the probe prefix",
        outside_probes("Allow", "s3:DeleteObject", "reader"),
        granted("delete_outside"),
        domains=("orphan",),
    ),
    Mutation(
        "governance bypass and the deletion of versions granted under a prefix",
        policy_of("reader", _may_lose_versions_of_a_year),
        granted("delete_outside", "delete_version_outside"),
        domains=("orphan",),
    ),
    *(
        Mutation(
            f"{' and '.join(actions)} granted to an identity",
            _admin(*actions),
            frozenset({"admin_api_refused"}),
            (cloud,),
        )
        for cloud, families in _ADMIN_ACTIONS.items()
        for actions in families
    ),
    Mutation(
        "an identity let into a bucket of another stack",
        _let_into_another_stack,
        frozenset({"other_stacks_refused"}),
    ),
    Mutation("certificate of another CA", _other_ca, frozenset({"certificate_valid"})),
    Mutation(
        "no server at the endpoint", target_with(_endpoint("https://127.0.0.1:1")), frozenset({"endpoint_reached"})
    ),
    Mutation(
        "bucket name breaks the convention",
        target_with(_renamed),
        frozenset({"names_as_convention"}),
        domains=("orphan",),
    ),
    Mutation(
        "server: another region",
        other_bytes(On("GET", query="^location"), b"us-west-2", b"eu-north-1"),
        frozenset({"bucket_in_region"}),
        AISTOR,
    ),
    Mutation(
        "server: wrong etag on HEAD",
        through(lambda _: [WrongEtag(when=On("HEAD", "/smoke$"))]),
        frozenset({"object_read_back"}),
        AISTOR,
    ),
    Mutation(
        "server: object with other bytes",
        other_bytes(On("GET", "/smoke$", "^$")),
        frozenset({"object_read_back"}),
        AISTOR,
    ),
    Mutation(
        "server: object missing from listings",
        other_bytes(On("GET", query="prefix=.*smoke"), b"smoke</Key>", b"other</Key>"),
        frozenset({"object_listed"}),
        AISTOR,
    ),
    Mutation(
        "server: presigned URL returns other bytes",
        other_bytes(On("GET", "/smoke$", "X-Amz-Signature")),
        frozenset({"object_presigned"}),
        AISTOR,
    ),
    Mutation(
        "server: delete answered but not done",
        through(lambda _: [Hook(answering=lambda _: Response(204), when=On("DELETE", "/smoke$"))]),
        frozenset({"object_deleted"}),
        AISTOR,
        domains=("scratch",),
    ),
    Mutation(
        "server: small object with other bytes",
        other_bytes(On("GET", "/size-1$")),
        frozenset({"sizes_survive"}),
        AISTOR,
    ),
    Mutation(
        "server: large object with other bytes",
        other_bytes(On("GET", "/multipart$")),
        frozenset({"multipart_survives"}),
        AISTOR,
    ),
    Mutation(
        "server: another object under a key with a plus",
        other_bytes(On("GET", "/a%2Bb$")),
        frozenset({"keys_survive"}),
        AISTOR,
    ),
    Mutation(
        "server: user metadata lost",
        through(lambda _: [DropHeader("x-amz-meta-note", when=On("HEAD", "/metadata$"))]),
        frozenset({"metadata_survives"}),
        AISTOR,
    ),
    Mutation(
        "server: condition ignored",
        through(
            lambda s: [
                IgnoreHeader(
                    "If-None-Match", keys_of(s.target), s.deployment.region, when=On("PUT", "/size-1$", skip=1)
                )
            ]
        ),
        frozenset({"overwrite_refused_on_condition"}),
        AISTOR,
    ),
    Mutation(
        "server: condition ignored at the join of parts",
        through(
            lambda s: [
                IgnoreHeader("If-None-Match", keys_of(s.target), s.deployment.region, when=On("POST", "/size-1$"))
            ]
        ),
        frozenset({"overwrite_refused_on_condition"}),
        AISTOR,
        domains=("orphan",),
    ),
    Mutation(
        "server: condition answered as refused, and the object overwritten",
        through(
            lambda s: [
                DoneAllTheSame(
                    "If-None-Match", keys_of(s.target), s.deployment.region, when=On("PUT", "/size-1$", skip=1)
                )
            ]
        ),
        frozenset({"overwrite_refused_on_condition"}),
        AISTOR,
        domains=("orphan",),
    ),
    Mutation(
        "server: deletion of a locked version answered as refused, and done",
        through(_deletes_all_the_same),
        frozenset({"old_version_kept_on_delete"}),
        AISTOR,
        domains=("archive",),
    ),
    Mutation(
        "server: range ignored",
        through(
            lambda s: [IgnoreHeader("Range", keys_of(s.target), s.deployment.region, when=On("GET", "/metadata$"))]
        ),
        frozenset({"range_read"}),
        AISTOR,
    ),
    Mutation(
        "server: listing ends after one page",
        other_bytes(On("GET", query="prefix=.*many"), b"<IsTruncated>true", b"<IsTruncated>false"),
        frozenset({"listing_complete"}),
        AISTOR,
        domains=("scratch",),
        deep=True,
    ),
    Mutation(
        "server: old versions with other bytes",
        other_bytes(On("GET", "/locked$", "versionId")),
        frozenset({"old_version_kept_on_overwrite", "old_version_kept_on_delete"}),
        AISTOR,
        domains=("archive",),
    ),
    Mutation(
        "server: presigned URLs refused",
        through(
            lambda _: [
                Hook(
                    answering=lambda _: Response(403),
                    when=On("GET|PUT", "/(seed|linked)$", f"X-Amz-Expires={LINK_SECONDS}"),
                )
            ]
        ),
        frozenset({"presign_works", "presign_bound_to_key", "tampered_presign_refused"})
        | granted("presigned_get", "presigned_put"),
        AISTOR,
    ),
    Mutation(
        "server: any presigned URL accepted",
        through(lambda s: [AcceptBadLinks(keys_of(s.target), s.deployment.region, when=On(path="/(seed|linked)$"))]),
        frozenset(
            {
                "expired_presign_refused",
                "presign_bound_to_key",
                "presign_bound_to_method",
                "tampered_presign_refused",
            }
        ),
        AISTOR,
    ),
    Mutation(
        "server: expired presigned URLs accepted",
        through(lambda s: [AcceptBadLinks(keys_of(s.target), s.deployment.region, when=expired_link)]),
        frozenset({"expired_presign_refused"}),
        AISTOR,
    ),
    Mutation("server: plain http accepted", through(lambda _: [], plain=True), frozenset({"plain_http_refused"})),
    Mutation(
        "server: the vendor's default keys accepted",
        through(
            lambda _: [
                Hook(
                    answering=lambda _: Response(200, body=b"<ListAllMyBucketsResult/>"),
                    when=lambda r: "=minioadmin/" in (header(r.headers, "authorization") or ""),
                )
            ]
        ),
        frozenset({"default_keys_refused"}),
        AISTOR,
    ),
    Mutation(
        "adapter: sends keys that servers change",
        patched("object_store.keys._fault", lambda _: None),
        frozenset({"odd_keys_refused"}),
        AISTOR,
    ),
    Mutation(
        "adapter: signs for longer than 7 days",
        patched("object_store.arguments.MAX_EXPIRY", timedelta(days=8)),
        frozenset({"long_presign_refused"}),
        AISTOR,
    ),
    *(
        Mutation(
            f"policy widened by {action}",
            widened(action, domain, objects=objects),
            granted(*checks),
            clouds,
            domains=(domain,),
        )
        for action, domain, objects, checks, clouds in (
            ("s3:ListBucketVersions", "orphan", False, ("list_versions",), BOTH),
            ("s3:GetObject", "orphan", True, ("get", "presigned_get"), AWS),
            ("s3:GetObject", "orphan", True, ("get", "presigned_get", "get_outside"), AISTOR),
            ("s3:PutObject", "orphan", True, _EVERY_ACTION_OF_PUT, BOTH),
            ("s3:DeleteObject", "orphan", True, ("delete", "delete_outside"), BOTH),
            ("s3:ListBucket", "orphan", False, ("list",), AWS),
            ("s3:ListBucket", "orphan", False, ("list", "list_versions"), AISTOR),
            ("s3:GetLifecycleConfiguration", "orphan", False, ("read_configuration",), BOTH),
            ("s3:PutLifecycleConfiguration", "orphan", False, ("change_lifecycle",), BOTH),
            ("s3:PutBucketPolicy", "orphan", False, ("change_policy",), BOTH),
            ("s3:PutBucketObjectLockConfiguration", "orphan", False, ("change_retention",), BOTH),
            ("s3:PutBucketVersioning", "orphan", False, ("change_versioning",), BOTH),
            ("s3:CreateBucket", "orphan", False, ("make_bucket",), BOTH),
        )
    ),
)
