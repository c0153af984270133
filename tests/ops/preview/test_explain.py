"""ops.preview.explain: the sentence and the risk of each difference between two shapes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.plan import LifecycleRule, Retention, StorageClassChange
from model.taxonomy import RetentionMode, StorageClass
from ops.preview.access import Allowed, Denied
from ops.preview.bucket_changes import bucket_changes
from ops.preview.change import Aspect, Change, Risk, Touched
from ops.preview.explain import explain
from ops.preview.shape import BucketShape, IdentityShape, StoreShape

SAFE, NOTICE, DANGER = Risk.SAFE, Risk.NOTICE, Risk.DANGER
GOVERNANCE, COMPLIANCE = RetentionMode.GOVERNANCE, RetentionMode.COMPLIANCE
READ = [
    ("s3:GetBucketLocation", None),
    ("s3:ListBucket", None),
    ("s3:ListBucketVersions", None),
    ("s3:GetObject", ""),
    ("s3:GetObjectVersion", ""),
]
PUT = [("s3:AbortMultipartUpload", ""), ("s3:ListMultipartUploadParts", ""), ("s3:PutObject", "")]
DELETE = [("s3:DeleteObject", "")]

Said = list[tuple[Risk, str]]


def bucket(domain: str = "logs", **values: Any) -> BucketShape:  # noqa: ANN401 - any field's value
    """A bucket without further known properties."""
    return BucketShape(**{"domain": domain, "name": f"x-{domain}", **values})


def rule(expire: int | None = None, **values: Any) -> LifecycleRule:  # noqa: ANN401 - any field's value
    """A rule for all keys."""
    return LifecycleRule(**{"id": "band", "expire_after_days": expire, **values})


def may(actions: Iterable[tuple[str, str | None]], name: str = "x-logs") -> frozenset[Allowed]:
    """Some actions on a bucket."""
    return frozenset(Allowed(name, prefix, action) for action, prefix in actions)


def identity(name: str = "worker", **values: Any) -> IdentityShape:  # noqa: ANN401 - any field's value
    """An identity with its first key."""
    return IdentityShape(**{"name": name, "user_name": f"x-{name}", "keys": frozenset({"key-1"}), **values})


def store(*of: BucketShape | IdentityShape) -> StoreShape:
    """A stack with these buckets and identities."""
    return StoreShape(
        {item.domain: item for item in of if isinstance(item, BucketShape)},
        {item.name: item for item in of if isinstance(item, IdentityShape)},
    )


def said(changes: Iterable[Change]) -> Said:
    """Risk and sentence of each change."""
    return [(change.risk, change.sentence) for change in changes]


def moved(storage_class: StorageClass, after_days: int) -> StorageClassChange:
    """A transition."""
    return StorageClassChange(storage_class=storage_class, after_days=after_days)


def held(days: int, mode: RetentionMode = GOVERNANCE) -> dict[str, Any]:
    """The properties of a bucket with a default retention."""
    return {"retention": Retention(mode=mode, days=days), "versioned": True}


BUCKETS: dict[str, tuple[dict[str, Any], dict[str, Any], Said]] = {
    "expiry introduced": ({}, {"rules": (rule(90),)}, [(DANGER, "objects now expire after 90 days (was never)")]),
    "expiry introduced in a rule": (
        {"rules": (rule(abort_multipart_after_days=7),)},
        {"rules": (rule(90, abort_multipart_after_days=7),)},
        [(DANGER, "objects now expire after 90 days (was never)")],
    ),
    "expiry shorter by a day": (
        {"rules": (rule(2),)},
        {"rules": (rule(1),)},
        [(DANGER, "objects now expire after 1 day (was 2)")],
    ),
    "expiry longer by a day": (
        {"rules": (rule(1),)},
        {"rules": (rule(2),)},
        [(SAFE, "objects now expire after 2 days (was 1)")],
    ),
    "expiry taken off": (
        {"rules": (rule(365),)},
        {},
        [(NOTICE, "objects no longer expire (was after 365 days)")],
    ),
    "another id for the same rule": ({"rules": (rule(9, id="a"),)}, {"rules": (rule(9, id="b"),)}, []),
    "rules in another order": (
        {"rules": (rule(9), rule(1, prefix="a/"))},
        {"rules": (rule(1, prefix="a/"), rule(9))},
        [],
    ),
    "expiry introduced under a prefix": (
        {"rules": (rule(365),)},
        {"rules": (rule(365), rule(7, prefix="tmp/"))},
        [(DANGER, "objects under tmp/ now expire after 7 days (was never)")],
    ),
    "expiry under a prefix shorter": (
        {"rules": (rule(8, prefix="tmp/"),)},
        {"rules": (rule(7, prefix="tmp/"),)},
        [(DANGER, "objects under tmp/ now expire after 7 days (was 8)")],
    ),
    "a rule widened from a prefix to all": (
        {"rules": (rule(7, prefix="tmp/"),)},
        {"rules": (rule(7),)},
        [
            (DANGER, "objects now expire after 7 days (was never)"),
            (NOTICE, "objects under tmp/ no longer expire (was after 7 days)"),
        ],
    ),
    "the verifier's probes": (
        {},
        {"rules": (rule(1, prefix=".verify/", expire_noncurrent_after_days=1),)},
        [
            (SAFE, "objects under .verify/ now expire after 1 day (was never)"),
            (SAFE, "noncurrent versions under .verify/ are now removed after 1 day (was never)"),
        ],
    ),
    "a second rule for the same keys that acts first": (
        {"rules": (rule(30), rule(60, id="other"))},
        {"rules": (rule(30), rule(10, id="other"))},
        [(DANGER, "objects now expire after 10 days (was 30)")],
    ),
    "a second rule for the same keys that acts later": (
        {"rules": (rule(30),)},
        {"rules": (rule(30), rule(60, id="other"))},
        [],
    ),
    "the first of two rules for the same keys taken off": (
        {"rules": (rule(10, id="other"), rule(30, expire_noncurrent_after_days=5))},
        {"rules": (rule(30), rule(id="other", expire_noncurrent_after_days=5))},
        [(SAFE, "objects now expire after 30 days (was 10)")],
    ),
    "noncurrent versions removed sooner": (
        {"versioned": True, "rules": (rule(expire_noncurrent_after_days=30),)},
        {"versioned": True, "rules": (rule(expire_noncurrent_after_days=10),)},
        [(DANGER, "noncurrent versions are now removed after 10 days (was 30)")],
    ),
    "noncurrent versions removed": (
        {"versioned": True},
        {"versioned": True, "rules": (rule(expire_noncurrent_after_days=10),)},
        [(DANGER, "noncurrent versions are now removed after 10 days (was never)")],
    ),
    "noncurrent versions removed later": (
        {"versioned": True, "rules": (rule(expire_noncurrent_after_days=10),)},
        {"versioned": True, "rules": (rule(expire_noncurrent_after_days=30),)},
        [(SAFE, "noncurrent versions are now removed after 30 days (was 10)")],
    ),
    "noncurrent versions kept": (
        {"versioned": True, "rules": (rule(expire_noncurrent_after_days=10),)},
        {"versioned": True},
        [(NOTICE, "noncurrent versions are no longer removed (was after 10 days)")],
    ),
    "noncurrent versions removed where there were none": (
        {},
        {"versioned": True, "rules": (rule(expire_noncurrent_after_days=10),)},
        [
            (NOTICE, "noncurrent versions are now removed after 10 days (was never)"),
            (SAFE, "moves from hot to warm"),
            (SAFE, "versions are now kept"),
        ],
    ),
    "unfinished uploads removed sooner": (
        {"rules": (rule(abort_multipart_after_days=7),)},
        {"rules": (rule(abort_multipart_after_days=2),)},
        [(NOTICE, "unfinished uploads are now removed after 2 days (was 7)")],
    ),
    "unfinished uploads removed later": (
        {"rules": (rule(abort_multipart_after_days=2),)},
        {"rules": (rule(abort_multipart_after_days=7),)},
        [(SAFE, "unfinished uploads are now removed after 7 days (was 2)")],
    ),
    "unfinished uploads kept": (
        {"rules": (rule(abort_multipart_after_days=2),)},
        {"rules": (rule(),)},
        [(NOTICE, "unfinished uploads are no longer removed (was after 2 days)")],
    ),
    "a transition": (
        {"rules": (rule(),)},
        {"rules": (rule(transition=moved("STANDARD_IA", 30)),)},
        [(NOTICE, "objects now move to STANDARD_IA after 30 days (was never)")],
    ),
    "another transition": (
        {"rules": (rule(transition=moved("STANDARD_IA", 30)),)},
        {"rules": (rule(transition=moved("GLACIER_IR", 1)),)},
        [(NOTICE, "objects now move to GLACIER_IR after 1 day (was STANDARD_IA after 30 days)")],
    ),
    "no transition": (
        {"rules": (rule(prefix="a/", transition=moved("STANDARD_IA", 30)),)},
        {},
        [(NOTICE, "objects under a/ no longer move to another storage class (was STANDARD_IA after 30 days)")],
    ),
    "retention shorter": (held(365), held(364), [(DANGER, "retention of new objects is now 364 days (was 365)")]),
    "retention longer": (held(365), held(366), [(SAFE, "retention of new objects is now 366 days (was 365)")]),
    "a weaker mode": (
        held(9, COMPLIANCE),
        held(9),
        [(DANGER, "retention mode of new objects is now GOVERNANCE (was COMPLIANCE)")],
    ),
    "a stronger mode": (
        held(9),
        held(9, COMPLIANCE),
        [(NOTICE, "retention mode of new objects is now COMPLIANCE (was GOVERNANCE)")],
    ),
    "a stronger mode for less": (
        held(9),
        held(1, COMPLIANCE),
        [
            (DANGER, "retention of new objects is now 1 day (was 9)"),
            (NOTICE, "retention mode of new objects is now COMPLIANCE (was GOVERNANCE)"),
        ],
    ),
    "default retention taken off": (
        held(365),
        {"versioned": True},
        [
            (DANGER, "its default retention is removed (was GOVERNANCE, 365 days)"),
            (SAFE, "moves from cold to warm"),
        ],
    ),
    "default retention": (
        {"versioned": True},
        held(1),
        [(SAFE, "moves from warm to cold"), (SAFE, "retention is now GOVERNANCE, 1 day (was none)")],
    ),
    "versioning suspended": (
        {"versioned": True},
        {},
        [(DANGER, "versioning would be SUSPENDED"), (SAFE, "moves from warm to hot")],
    ),
    "versioning": ({}, {"versioned": True}, [(SAFE, "moves from hot to warm"), (SAFE, "versions are now kept")]),
    "protection taken off": (
        {"protected": True},
        {"protected": False},
        [(DANGER, "its protection against deletion is removed")],
    ),
    "protection": ({"protected": False}, {"protected": True}, [(SAFE, "it is now protected against deletion")]),
    "emptied": ({"emptied": False}, {"emptied": True}, [(DANGER, "it would now be emptied when it is destroyed")]),
    "not emptied": ({"emptied": True}, {"emptied": False}, [(SAFE, "it is no longer emptied when it is destroyed")]),
    "public access block off": (
        {"public_blocked": True},
        {"public_blocked": False},
        [(DANGER, "public access is no longer blocked")],
    ),
    "public access block": (
        {"public_blocked": False},
        {"public_blocked": True},
        [(SAFE, "public access is now blocked")],
    ),
    "a policy that lets anyone in": (
        {"public_policy": False},
        {"public_policy": True},
        [(DANGER, "its policy now allows public access")],
    ),
    "a policy that no longer does": (
        {"public_policy": True},
        {"public_policy": False},
        [(SAFE, "its policy no longer allows public access")],
    ),
    "plain http let in": ({"tls_only": True}, {"tls_only": False}, [(NOTICE, "plain http is no longer refused")]),
    "plain http refused": ({"tls_only": False}, {"tls_only": True}, [(SAFE, "plain http is now refused")]),
    "another encryption": (
        {"encryption": "SSE-S3"},
        {"encryption": "SSE-KMS"},
        [(NOTICE, "default encryption is now SSE-KMS (was SSE-S3)")],
    ),
    "another name": ({"name": "a"}, {"name": "b"}, [(DANGER, "bucket would be REPLACED")]),
    "another name and other rules": (
        {"name": "a", "versioned": True},
        {"name": "b", "rules": (rule(1),)},
        [(DANGER, "bucket would be REPLACED")],
    ),
}


@pytest.mark.parametrize("name", BUCKETS)
def test_change_of_a_bucket(name: str) -> None:
    """Exactly these sentences appear, the dangers first."""
    before, after, expected = BUCKETS[name]

    changes = explain(store(bucket(**before)), store(bucket(**after)))

    assert said(changes) == [(risk, f"logs: {what}") for risk, what in expected]


GUARDS = ("protected", "emptied", "public_blocked", "public_policy", "tls_only", "encryption")


@pytest.mark.parametrize("field", GUARDS)
@pytest.mark.parametrize("value", [True, False])
def test_what_is_not_known_is_compared_with_nothing(field: str, *, value: bool) -> None:
    """An unknown value on either side gives no sentence."""
    on: dict[str, Any] = {field: value}
    off: dict[str, Any] = {field: None}
    known, unknown = store(bucket(**on)), store(bucket(**off))

    assert explain(known, unknown) == []
    assert explain(unknown, known) == []


@pytest.mark.parametrize(
    ("values", "described"),
    [
        ({}, "hot, objects do not expire"),
        ({"rules": (rule(1),)}, "hot, objects expire after 1 day"),
        ({"rules": (rule(1, prefix="a/"), rule(30)), "versioned": True}, "warm, objects expire after 30 days"),
        (held(365, COMPLIANCE), "cold, COMPLIANCE for 365 days, objects do not expire"),
    ],
)
def test_new_bucket(values: dict[str, Any], described: str) -> None:
    """The sentence says what the bucket does to data."""
    assert said(explain(store(), store(bucket(**values)))) == [(SAFE, f"logs: bucket is new ({described})")]


def test_bucket_deleted() -> None:
    """The sentence is the same, independent of other known properties."""
    assert said(explain(store(bucket(**held(9))), store())) == [(DANGER, "logs: bucket would be DELETED")]


def test_bucket_replaced_by_the_engine() -> None:
    """Under the same name too; no other sentence appears, because it is a different bucket."""
    changes = explain(store(bucket()), store(bucket(rules=(rule(3),))), replaced=["logs"])

    assert said(changes) == [(DANGER, "logs: bucket would be REPLACED")]
    assert changes[0].advice == ""


def test_replaced_bucket_says_what_becomes_of_objects() -> None:
    """The advice has both names."""
    (change,) = explain(store(bucket(name="a")), store(bucket(name="b")))

    assert change.advice == "a would become b; its objects are not moved"


def test_compliance_says_what_it_means() -> None:
    """The advice says that it cannot be undone."""
    (change,) = explain(store(bucket(**held(9))), store(bucket(**held(9, COMPLIANCE))))

    assert "no one, not even the owner, can delete a new object before its retention ends" in change.advice


def test_rename_that_keeps_the_bucket() -> None:
    """Its settings are still compared, and its grants stay the same."""
    old, new = bucket(name="x", rules=(rule(9),)), bucket("records", name="x", rules=(rule(8),))
    grants = identity(access=may(READ, "x"))

    changes = explain(store(old, grants), store(new, grants), renamed={"logs": "records"})

    assert said(changes) == [
        (DANGER, "records: objects now expire after 8 days (was 9)"),
        (SAFE, "records: renamed from logs; its bucket x is kept"),
    ]


@pytest.mark.parametrize(("name", "replaced"), [("y", []), ("x", ["records"])])
def test_renamed_and_replaced_is_not_kept(name: str, replaced: list[str]) -> None:
    """No sentence says that a deleted bucket is kept."""
    changes = explain(
        store(bucket(name="x")),
        store(bucket("records", name=name)),
        renamed={"logs": "records"},
        replaced=replaced,
    )

    assert said(changes) == [(DANGER, "records: bucket would be REPLACED")]


def test_perhaps_a_rename() -> None:
    """If one bucket disappears and one of the same band appears, the line that keeps the bucket is shown."""
    changes = explain(store(bucket()), store(bucket("records")))

    assert said(changes) == [
        (DANGER, "logs: bucket would be DELETED"),
        (NOTICE, "records: is it logs under a new name?"),
        (SAFE, "records: bucket is new (hot, objects do not expire)"),
    ]
    assert changes[1].advice == "`renamed_from: logs` under domains.records keeps the bucket"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([bucket()], [bucket("records", versioned=True)]),
        ([bucket(), bucket("more")], [bucket("records")]),
        ([bucket()], [bucket("records"), bucket("more")]),
        ([bucket()], []),
        ([], [bucket()]),
    ],
)
def test_no_rename_is_guessed(before: list[BucketShape], after: list[BucketShape]) -> None:
    """Not for another band, and not for several buckets."""
    assert not [change for change in explain(store(*before), store(*after)) if "under a new name" in change.what]


IDENTITIES: dict[str, tuple[dict[str, Any], dict[str, Any], Said]] = {
    "a grant": ({}, {"access": may(READ)}, [(DANGER, "may now read in logs")]),
    "a grant widened": (
        {"access": may(READ)},
        {"access": may([*READ, *PUT, *DELETE])},
        [(DANGER, "may now put and delete in logs")],
    ),
    "a grant widened by one action": (
        {"access": may(READ)},
        {"access": may([*READ, ("s3:PutBucketPolicy", None)])},
        [(DANGER, "may now s3:PutBucketPolicy in logs")],
    ),
    "a grant narrowed": (
        {"access": may([*READ, *PUT])},
        {"access": may(READ)},
        [(NOTICE, "may no longer put in logs")],
    ),
    "a grant taken away": ({"access": may(READ)}, {}, [(NOTICE, "may no longer read in logs")]),
    "a grant changed": (
        {"access": may([*READ, *DELETE])},
        {"access": may([*READ, *PUT])},
        [(DANGER, "may now put in logs"), (NOTICE, "may no longer delete in logs")],
    ),
    "a grant outside the stack": (
        {},
        {"access": may([("s3:GetObject", "")], "other")},
        [(DANGER, "may now s3:GetObject in other")],
    ),
    "a grant on every bucket": (
        {},
        {"access": may([("s3:*", "")], "*")},
        [(DANGER, "may now s3:* in *")],
    ),
    "another prefix": (
        {"access": may([("s3:GetObject", "a/")])},
        {"access": may([("s3:GetObject", "")])},
        [(DANGER, "may now s3:GetObject in logs"), (NOTICE, "may no longer s3:GetObject under a/ in logs")],
    ),
    "what it may do unknown": (
        {"access": may(READ)},
        {"access": None},
        [(DANGER, "its permissions are not known before the update")],
    ),
    "user renamed": (
        {"user_name": "a"},
        {"user_name": "b"},
        [(DANGER, "credential would be REPLACED without overlap")],
    ),
    "user renamed and key too": (
        {"user_name": "a"},
        {"user_name": "b", "keys": frozenset({"key-2"})},
        [(DANGER, "credential would be REPLACED without overlap")],
    ),
    "the only key deleted, another made": (
        {},
        {"keys": frozenset({"key-2"})},
        [(DANGER, "credential would be REPLACED without overlap")],
    ),
    "the only key deleted": (
        {},
        {"keys": frozenset()},
        [(DANGER, "credential would be REPLACED without overlap")],
    ),
    "a second key beside the first": ({}, {"keys": frozenset({"key-1", "key-2"})}, [(SAFE, "key-2 is created")]),
    "the first key after the second was delivered": (
        {"keys": frozenset({"key-1", "key-2"})},
        {"keys": frozenset({"key-2"})},
        [(NOTICE, "key-1 would be DELETED")],
    ),
    "one key stays, one goes, one comes": (
        {"keys": frozenset({"key-1", "key-2"})},
        {"keys": frozenset({"key-2", "key-3"})},
        [(NOTICE, "key-1 would be DELETED"), (SAFE, "key-3 is created")],
    ),
    "a first key": ({"keys": frozenset()}, {}, [(SAFE, "key-1 is created")]),
    "plain http let in": ({"tls_only": True}, {"tls_only": False}, [(NOTICE, "plain http is no longer refused")]),
    "plain http refused": ({"tls_only": False}, {"tls_only": True}, [(NOTICE, "plain http is now refused")]),
    "plain http not known": ({"tls_only": True}, {"tls_only": None}, []),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_change_of_an_identity(name: str) -> None:
    """Exactly these sentences appear; a grant on an existing bucket is a danger."""
    before, after, expected = IDENTITIES[name]

    changes = explain(store(bucket(), identity(**before)), store(bucket(), identity(**after)))

    assert said(changes) == [(risk, f"worker: {what}") for risk, what in expected]


@pytest.mark.parametrize("user_name", ["x-worker", "y-worker"])
def test_credential_replaced_by_the_engine(user_name: str) -> None:
    """A key that is recreated under its name also cuts off its users."""
    changes = explain(store(identity()), store(identity(user_name=user_name)), replaced=["worker"])

    assert said(changes) == [(DANGER, "worker: credential would be REPLACED without overlap")]


def test_identity_made_and_deleted() -> None:
    """A new identity is safe, but its permissions in an existing bucket are not."""
    made = explain(store(bucket()), store(bucket(), identity(access=may(READ), tls_only=False)))
    gone = explain(store(bucket(), identity(access=may(READ))), store(bucket()))

    assert said(made) == [(DANGER, "worker: may now read in logs"), (SAFE, "worker: identity is new (user x-worker)")]
    assert said(gone) == [(NOTICE, "worker: identity would be DELETED; its key stops working")]


def test_new_identity_whose_grants_are_unknown_is_dangerous() -> None:
    """Its permissions could be anything."""
    changes = explain(store(bucket()), store(bucket(), identity(access=None)))

    assert [change.risk for change in changes] == [DANGER, SAFE]


def test_grant_on_a_bucket_that_this_change_makes_is_safe() -> None:
    """The new bucket is empty; a grant on another bucket is still a danger."""
    wanted = may(READ, "x-new") | may(READ)
    changes = explain(store(bucket(), identity()), store(bucket(), bucket("new"), identity(access=wanted)))

    assert said(changes) == [
        (DANGER, "worker: may now read in logs"),
        (SAFE, "new: bucket is new (hot, objects do not expire)"),
        (SAFE, "worker: may now read in new"),
    ]


def test_names_of_all_buckets_are_safe_on_a_first_deployment_alone() -> None:
    """With existing buckets it is a widened grant, and rights on a bucket's contents are never safe."""
    names, bodies = [("s3:ListAllMyBuckets", None)], [("s3:GetObject", "")]
    named, read = (identity(access=may(actions, "*")) for actions in (names, bodies))

    first = explain(store(), store(bucket(), named))
    later = explain(store(bucket()), store(bucket(), named))
    more = explain(store(), store(bucket(), read))

    assert (SAFE, "worker: may now s3:ListAllMyBuckets in *") in said(first)
    assert {change.risk for change in first} == {SAFE}
    assert (DANGER, "worker: may now s3:ListAllMyBuckets in *") in said(later)
    assert (DANGER, "worker: may now s3:GetObject in *") in said(more)


def test_grant_on_a_bucket_that_is_kept_under_a_new_name_is_dangerous() -> None:
    """A rename does not make it new."""
    changes = explain(
        store(bucket(name="x"), identity()),
        store(bucket("records", name="x"), identity(access=may(READ, "x"))),
        renamed={"logs": "records"},
    )

    assert (DANGER, "worker: may now read in records") in said(changes)


def test_grant_of_a_bucket_that_goes_goes_safely() -> None:
    """Only the bucket's deletion is a danger."""
    changes = explain(store(bucket(), identity(access=may(READ))), store(identity()))

    assert said(changes) == [
        (DANGER, "logs: bucket would be DELETED"),
        (SAFE, "worker: may no longer read in logs"),
    ]


def test_same_grants_on_a_replaced_bucket_are_no_change() -> None:
    """Only the bucket's name differs."""
    changes = explain(
        store(bucket(name="a"), identity(access=may(READ, "a"))),
        store(bucket(name="b"), identity(access=may(READ, "b"))),
    )

    assert said(changes) == [(DANGER, "logs: bucket would be REPLACED")]


def touch(subject: str, aspect: Aspect, operation: str, *properties: str) -> Touched:
    """A resource that the engine would change."""
    return Touched(subject, aspect, operation, properties)


@pytest.mark.parametrize(
    ("item", "risk", "sentence"),
    [
        (touch("logs", Aspect.BUCKET, "update", "acl"), SAFE, "logs: bucket is updated (acl)"),
        (touch("logs", Aspect.BUCKET, "update"), SAFE, "logs: bucket is updated"),
        (touch("logs", Aspect.BUCKET, "update", "tags", "tagsAll"), SAFE, "logs: its tags change"),
        (touch("logs", Aspect.BUCKET, "update", "acl", "tags"), SAFE, "logs: bucket is updated (acl, tags)"),
        (touch("logs", Aspect.POLICY, "delete"), NOTICE, "logs: policy would be DELETED"),
        (touch("logs", Aspect.OWNERSHIP, "replace", "bucket"), NOTICE, "logs: ownership would be REPLACED (bucket)"),
        (touch("logs", Aspect.ENCRYPTION, "create"), SAFE, "logs: encryption is created"),
        (
            touch("worker", Aspect.ACCESS, "update", "policy"),
            SAFE,
            "worker: its policy is rewritten; what it allows does not change",
        ),
        (touch("worker", Aspect.ACCESS, "update", "policyName"), SAFE, "worker: access is updated (policyName)"),
        (touch("worker", Aspect.KEY, "update", "status"), SAFE, "worker: key is updated (status)"),
        (
            touch("worker", Aspect.KEY, "update", "caPem", "endpoint"),
            SAFE,
            "worker: its connection changes (caPem, endpoint); the resource itself does not",
        ),
        (touch("stack", Aspect.CONNECTION, "update", "region"), SAFE, "stack: connection is updated (region)"),
        (touch("stack", Aspect.OTHER, "delete"), NOTICE, "stack: other would be DELETED"),
        (touch("stack", Aspect.OTHER, "unheard-of"), SAFE, "stack: other is updated"),
    ],
)
def test_what_no_sentence_covers_is_said_by_name(item: Touched, risk: Risk, sentence: str) -> None:
    """The sentence has the resource, the operation and the inputs."""
    assert said(explain(store(bucket(), identity()), store(bucket(), identity()), touched=[item])) == [(risk, sentence)]


def test_sentence_covers_its_own_aspect_alone() -> None:
    """A lifecycle change covers neither the same bucket's policy nor another bucket's lifecycle."""
    before = store(bucket(), bucket("more"))
    after = store(bucket(rules=(rule(9),)), bucket("more"))
    touched = [
        touch("logs", Aspect.LIFECYCLE, "update", "rules"),
        touch("logs", Aspect.POLICY, "update", "policy"),
        touch("more", Aspect.LIFECYCLE, "update", "rules"),
    ]

    assert said(explain(before, after, touched=touched)) == [
        (DANGER, "logs: objects now expire after 9 days (was never)"),
        (SAFE, "logs: policy is updated (policy)"),
        (SAFE, "more: lifecycle is updated (rules)"),
    ]


@pytest.mark.parametrize("aspect", Aspect)
def test_whole_bucket_covers_all_of_it(aspect: Aspect) -> None:
    """A new, deleted or replaced bucket covers its settings."""
    for before, after in ((store(), store(bucket())), (store(bucket()), store())):
        assert len(explain(before, after, touched=[touch("logs", aspect, "create")])) == 1


def test_dangers_come_first_and_each_sentence_once() -> None:
    """The order is risk, then subject; a sentence from several sources appears once."""
    further = [
        Change("stack", "b", NOTICE, Aspect.CONNECTION),
        Change("stack", "a", NOTICE, Aspect.CONNECTION),
        Change("a", "z", SAFE, Aspect.OTHER),
        Change("a", "z", SAFE, Aspect.POLICY),
        Change("z", "y", DANGER, Aspect.OTHER),
    ]
    changes = explain(store(bucket()), store(), further=further)

    assert [change.sentence for change in changes] == [
        "logs: bucket would be DELETED",
        "z: y",
        "stack: b",
        "stack: a",
        "a: z",
    ]


maybe = st.none() | st.booleans()
some_days = st.none() | st.integers(1, 4000)
rules = st.builds(
    LifecycleRule,
    id=st.sampled_from("abc"),
    prefix=st.sampled_from(["", ".verify/", "a/", "a/b/"]),
    expire_after_days=some_days,
    expire_noncurrent_after_days=some_days,
    abort_multipart_after_days=some_days,
    transition=st.none()
    | st.builds(
        StorageClassChange, storage_class=st.sampled_from(["STANDARD_IA", "GLACIER_IR"]), after_days=st.integers(1, 400)
    ),
)
buckets = st.builds(
    BucketShape,
    domain=st.just(""),
    name=st.sampled_from(["x", "y", "z"]),
    rules=st.lists(rules, max_size=4).map(tuple),
    retention=st.none() | st.builds(Retention, mode=st.sampled_from(RetentionMode), days=st.integers(1, 4000)),
    versioned=st.booleans(),
    protected=maybe,
    emptied=maybe,
    public_blocked=maybe,
    public_policy=maybe,
    tls_only=maybe,
    encryption=st.sampled_from([None, "SSE-S3", "SSE-KMS"]),
)
pairs = st.builds(
    Allowed,
    bucket=st.sampled_from(["x", "y", "z", "*"]),
    prefix=st.sampled_from([None, "", "a/", ".verify/"]),
    action=st.sampled_from([action for action, _ in (*READ, *PUT, *DELETE)]),
)
identities = st.builds(
    IdentityShape,
    name=st.just(""),
    user_name=st.sampled_from(["u", "v"]),
    access=st.none() | st.frozensets(pairs, max_size=12),
    tls_only=maybe,
    keys=st.frozensets(st.sampled_from(["key-1", "key-2", "key-3"])),
)


@st.composite
def stores(draw: st.DrawFn) -> StoreShape:
    """Any stack of a few buckets and identities."""
    own = draw(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), buckets, max_size=3))
    users = draw(st.dictionaries(st.sampled_from(["u", "v", "w"]), identities, max_size=3))
    return StoreShape(
        {domain: replace(found, domain=domain) for domain, found in own.items()},
        {name: replace(found, name=name) for name, found in users.items()},
    )


@given(stores())
def test_nothing_changed_is_nothing_said(shape: StoreShape) -> None:
    """Any shape compared with itself gives no change."""
    assert explain(shape, shape) == []


touches = st.builds(
    Touched,
    subject=st.sampled_from(["a", "b", "u", "stack"]),
    aspect=st.sampled_from(Aspect),
    operation=st.sampled_from(["create", "update", "delete", "replace"]),
    properties=st.sampled_from([(), ("tags",), ("policy",), ("acl", "tags")]),
)


@given(stores(), stores(), st.lists(touches, max_size=4), st.sets(st.sampled_from(["a", "b", "u"])))
def test_any_two_shapes_can_be_compared(
    before: StoreShape, after: StoreShape, touched: list[Touched], replaced: set[str]
) -> None:
    """It never raises; each sentence appears once; every touched resource is reported; dangers come first."""
    changes = explain(before, after, touched=touched, replaced=replaced)

    sentences = [change.sentence for change in changes]
    assert len(sentences) == len(set(sentences))
    assert not [text for text in sentences if "None" in text or "  " in text]
    assert {item.subject for item in touched} <= {change.subject for change in changes}
    order = [list(Risk).index(change.risk) for change in changes]
    assert order == sorted(order, reverse=True)


def soonest(shape: BucketShape, prefix: str) -> int | None:
    """The earliest expiry of objects under exactly this prefix's rules."""
    found = [r.expire_after_days for r in shape.rules if r.prefix == prefix and r.expire_after_days is not None]
    return min(found, default=None)


@given(buckets, buckets, st.sampled_from(["", "a/", "a/b/"]))
def test_every_expiry_that_comes_sooner_is_a_danger(before: BucketShape, after: BucketShape, prefix: str) -> None:
    """And no other expiry is one."""
    changes = explain(store(replace(before, domain="d", name="x")), store(replace(after, domain="d", name="x")))
    start = f"objects under {prefix} now expire after " if prefix else "objects now expire after "
    dangers = [change.what for change in changes if change.risk is DANGER and change.what.startswith(start)]

    old, new = soonest(before, prefix), soonest(after, prefix)
    sooner = new is not None and (old is None or new < old)
    assert len(dangers) == sooner
    assert all(f" {new} day" in what for what in dangers)


@given(buckets, buckets)
def test_every_guard_that_falls_is_a_danger(before: BucketShape, after: BucketShape) -> None:
    """Versioning, retention, protection and public-access blocks, in any combination."""
    changes = explain(store(replace(before, domain="d", name="x")), store(replace(after, domain="d", name="x")))
    found = {change.aspect for change in changes if change.risk is DANGER and change.aspect is not Aspect.LIFECYCLE}

    expected = set()
    if before.versioned and not after.versioned:
        expected.add(Aspect.VERSIONING)
    old, new = before.retention, after.retention
    if old and (new is None or new.days < old.days or (old.mode is COMPLIANCE and new.mode is GOVERNANCE)):
        expected.add(Aspect.RETENTION)
    if (before.protected, after.protected) == (True, False) or (before.emptied, after.emptied) == (False, True):
        expected.add(Aspect.BUCKET)
    if (before.public_blocked, after.public_blocked) == (True, False):
        expected.add(Aspect.PUBLIC_ACCESS)
    if (before.public_policy, after.public_policy) == (False, True):
        expected.add(Aspect.POLICY)
    assert found == expected


@given(st.frozensets(pairs, max_size=12), st.frozensets(pairs, max_size=12))
def test_every_action_that_comes_is_a_danger(before: frozenset[Allowed], after: frozenset[Allowed]) -> None:
    """Each bucket with an added action has one dangerous sentence, and no other bucket has one."""
    standing = [bucket(name=name, domain=name) for name in "xyz"]
    changes = explain(store(*standing, identity(access=before)), store(*standing, identity(access=after)))

    dangers = {change.what.rpartition(" in ")[2] for change in changes if change.risk is DANGER}
    assert dangers == {pair.bucket for pair in after - before}


MAIN, ANY_BRANCH = ("repo:x/y:ref:refs/heads/main of ci for sts", "repo:x/y:* of ci for sts")


def role(*who: str) -> IdentityShape:
    """An identity with a role that these subjects may assume."""
    return identity(keys=frozenset(), trusted=frozenset(who))


def test_key_that_gives_way_to_a_role_is_dangerous() -> None:
    """The holders of the key are cut off; the reverse change cuts off the users of the role."""
    to_role = explain(store(bucket(), identity()), store(bucket(), role(MAIN)))
    to_key = explain(store(bucket(), role(MAIN)), store(bucket(), identity()))

    assert said(to_role) == [(DANGER, "worker: its key would be DELETED without overlap: a role takes its place")]
    assert said(to_key) == [(DANGER, "worker: its role would be DELETED without overlap: a key takes its place")]


def test_wider_trust_is_dangerous_and_a_narrower_one_is_said() -> None:
    """The sentences name who may now assume the role, and who no longer may."""
    changes = explain(store(bucket(), role(MAIN)), store(bucket(), role(ANY_BRANCH)))

    assert said(changes) == [
        (DANGER, f"worker: may now be assumed by {ANY_BRANCH}"),
        (NOTICE, f"worker: may no longer be assumed by {MAIN}"),
    ]


def test_new_identity_with_a_role_is_named_as_one() -> None:
    """It had no earlier credential."""
    assert said(explain(store(bucket()), store(bucket(), role(MAIN)))) == [
        (SAFE, "worker: identity is new (role x-worker)")
    ]


@pytest.mark.parametrize(
    ("days", "advice"),
    [
        (30, "each old version is removed 30 days after it became noncurrent"),
        (None, "the old versions stay for ever: no rule removes them"),
    ],
)
def test_suspension_says_what_becomes_of_the_old_versions(days: int | None, advice: str) -> None:
    """The bucket keeps them after a move from warm to hot, and only a rule ends them."""
    rules = (LifecycleRule(id="band", expire_after_days=14, expire_noncurrent_after_days=days),)
    before = BucketShape("logs", "x-logs", rules, versioned=True)
    found = bucket_changes("logs", before, BucketShape("logs", "x-logs", rules), set())

    assert [one.advice for one in found if one.aspect is Aspect.VERSIONING] == [advice]


KINDS = frozenset({Denied("", "puts with tags"), Denied("", "s3:PutObjectTagging")})
NO_OVERWRITE = Denied("x-logs", "puts over an object (puts without If-None-Match)")


def test_new_denials_are_told_and_cut_no_writer_off() -> None:
    """Kinds of put that are denied from now on are one sentence, and no danger."""
    access = may([*READ, *PUT])
    before, after = identity(access=access), identity(access=access, denied=KINDS)
    made = explain(store(bucket(), before), store(bucket(), after))

    assert said(made) == [(NOTICE, "worker: is now refused: puts with tags; s3:PutObjectTagging")]


def test_refused_overwrites_are_a_danger_with_the_way_before_it() -> None:
    """A writer without the condition would be cut off, so the sentence must be acknowledged, and says what to do."""
    access = may([*READ, *PUT])
    before, after = identity(access=access), identity(access=access, denied=frozenset({NO_OVERWRITE}))
    (made,) = explain(store(bucket(), before), store(bucket(), after))

    assert made.risk is DANGER
    assert made.sentence == "worker: is now refused: puts over an object (puts without If-None-Match) in logs"
    assert "S3_WRITE_ONCE" in made.advice


def test_denial_that_ends_is_a_danger() -> None:
    """What no policy denies any more is let in again."""
    access = may([*READ, *PUT])
    before = identity(access=access, denied=KINDS | {NO_OVERWRITE})
    made = explain(store(bucket(), before), store(bucket(), identity(access=access)))

    overwrites = "puts over an object (puts without If-None-Match) in logs"
    assert said(made) == [(DANGER, f"worker: is no longer refused: {overwrites}; puts with tags; s3:PutObjectTagging")]


def test_denial_of_an_identity_that_could_not_put_is_not_told() -> None:
    """A grant that comes or goes brings its denials with it."""
    before, after = identity(access=may(READ)), identity(access=may([*READ, *PUT]), denied=frozenset({NO_OVERWRITE}))
    gained = explain(store(bucket(), before), store(bucket(), after))
    lost = explain(store(bucket(), after), store(bucket(), before))

    assert said(gained) == [(DANGER, "worker: may now put in logs")]
    assert said(lost) == [(NOTICE, "worker: may no longer put in logs")]
