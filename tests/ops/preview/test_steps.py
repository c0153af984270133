"""ops.preview.steps: the engine's preview becomes two shapes, on both clouds."""

from typing import Any

import pytest

from model.plan import LifecycleRule, Retention, StorageClassChange
from model.policies import as_json, trust_policy
from model.taxonomy import RetentionMode
from model.trust import OidcTrust
from ops.preview.access import Allowed
from ops.preview.change import Aspect, Risk, Touched
from ops.preview.explain import explain
from ops.preview.shape import BucketShape
from ops.preview.steps import acknowledged_in, clients_told, read_preview
from tests.ops.preview.handmade import AWS, MINIO, OWN, UNKNOWN, Inputs, allow, deny, document, preview, step, urn

READS = document(allow(["s3:GetObject"], ["x-logs/*"]))
WRITES = document(allow(["s3:GetObject", "s3:PutObject"], ["x-logs/*"]))
TLS = {"Bool": {"aws:SecureTransport": "false"}}
BLOCKED = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)


def said(*steps: dict[str, Any]) -> list[tuple[str, str]]:
    """Risk and sentence of each change, in the command's order."""
    found = read_preview(preview(*steps))
    changes = explain(found.before, found.after, renamed=found.renamed, replaced=found.replaced, touched=found.touched)
    return [(change.risk.value, change.sentence) for change in changes]


def only_bucket(*steps: dict[str, Any]) -> BucketShape:
    """The stack's one bucket."""
    (found,) = read_preview(preview(*steps)).before.buckets.values()
    return found


def minio_bucket(operation: str = "same", **inputs: object) -> dict[str, Any]:
    """The bucket `logs` on AIStor."""
    return step(operation, MINIO["bucket"], "logs", {"bucket": "x-logs", "forceDestroy": False, **inputs})


def aws_bucket(operation: str = "same", **inputs: object) -> dict[str, Any]:
    """The bucket `logs` on AWS."""
    return step(operation, AWS["bucket"], "logs", {"bucket": "x-logs", "forceDestroy": False, **inputs})


def test_bucket_on_aistor() -> None:
    """All its properties; features that the backend lacks are unknown."""
    found = only_bucket(
        step("same", MINIO["bucket"], "logs", {"bucket": "x-logs", "forceDestroy": True}, was_protected=True),
        step(
            "same",
            MINIO["lifecycle"],
            "logs-lifecycle",
            {
                "bucket": "x-logs",
                "rules": [
                    {
                        "id": "verify-probes",
                        "filter": ".verify/",
                        "expiration": "1d",
                        "noncurrentVersionExpirationDays": 1,
                    },
                    {"id": "band-warm", "expiration": "180d", "noncurrentVersionExpirationDays": 30},
                ],
            },
        ),
        step("same", MINIO["versioning"], "logs-versioning", {"versioningConfiguration": {"status": "Enabled"}}),
    )

    assert found == BucketShape(
        domain="logs",
        name="x-logs",
        rules=(
            LifecycleRule(id="verify-probes", prefix=".verify/", expire_after_days=1, expire_noncurrent_after_days=1),
            LifecycleRule(id="band-warm", expire_after_days=180, expire_noncurrent_after_days=30),
        ),
        versioned=True,
        protected=True,
        emptied=True,
    )


def test_bucket_on_aws() -> None:
    """All its properties."""
    policy = document(deny(["s3:*"], ["x-logs", "x-logs/*"], Principal="*", Condition=TLS))
    algorithm = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}
    found = only_bucket(
        aws_bucket(objectLockEnabled=True),
        step(
            "same",
            AWS["lifecycle"],
            "logs-lifecycle",
            {
                "rules": [
                    {
                        "id": "band-cold",
                        "filter": {"prefix": ""},
                        "status": "Enabled",
                        "expiration": {"days": 900},
                        "noncurrentVersionExpiration": {"noncurrentDays": 395},
                        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                        "transitions": [{"days": 30, "storageClass": "GLACIER_IR"}],
                    },
                    {"id": "off", "filter": {"prefix": ""}, "status": "Disabled", "expiration": {"days": 1}},
                ]
            },
        ),
        step(
            "same",
            AWS["retention"],
            "logs-retention",
            {"rule": {"defaultRetention": {"days": 365, "mode": "COMPLIANCE"}}},
        ),
        step("same", AWS["public"], "logs-public-access", BLOCKED),
        step("same", AWS["ownership"], "logs-ownership", {"rule": {"objectOwnership": "BucketOwnerEnforced"}}),
        step("same", AWS["encryption"], "logs-encryption", {"rules": [algorithm]}),
        step("same", AWS["bucket policy"], "logs-policy", {"policy": policy}),
    )

    assert found == BucketShape(
        domain="logs",
        name="x-logs",
        rules=(
            LifecycleRule(
                id="band-cold",
                expire_after_days=900,
                expire_noncurrent_after_days=395,
                abort_multipart_after_days=7,
                transition=StorageClassChange(storage_class="GLACIER_IR", after_days=30),
            ),
        ),
        retention=Retention(mode=RetentionMode.COMPLIANCE, days=365),
        locked=True,
        versioned=True,
        protected=False,
        emptied=False,
        public_blocked=True,
        public_policy=False,
        tls_only=True,
        encryption="SSE-KMS",
    )


@pytest.mark.parametrize("days", ["", None, "0d", "2030-01-01T00:00:00Z"])
def test_expiry_that_is_no_count_of_days(days: object) -> None:
    """The plugin leaves an empty text, or accepts a date, which no plan has."""
    rule = {"id": "a", "expiration": days, "noncurrentVersionExpirationDays": 0, "filter": ""}
    found = only_bucket(minio_bucket(), step("same", MINIO["lifecycle"], "logs-lifecycle", {"rules": [rule]}))

    assert found.rules == (LifecycleRule(id="a"),)


def test_retention_on_aistor_by_the_dynamic_resource() -> None:
    """Its numbers arrive as floats, and its secrets are not read."""
    found = only_bucket(
        minio_bucket(objectLocking=True),
        step(
            "same",
            MINIO["retention"],
            "logs-retention",
            {"mode": "GOVERNANCE", "days": 365.0, "__provider": "[secret]"},
        ),
    )

    assert found.retention == Retention(mode=RetentionMode.GOVERNANCE, days=365)
    assert found.versioned


@pytest.mark.parametrize("inputs", [{"rule": {}}, {"rule": {"defaultRetention": {"years": 1, "mode": "GOVERNANCE"}}}])
def test_retention_without_days_is_none(inputs: Inputs) -> None:
    """No plan has such a retention, so its loss is reported."""
    assert only_bucket(aws_bucket(), step("same", AWS["retention"], "logs-retention", inputs)).retention is None


@pytest.mark.parametrize(
    ("inputs", "blocked"),
    [
        (BLOCKED, True),
        (dict.fromkeys(BLOCKED, "true"), True),
        *(({**BLOCKED, name: False}, False) for name in BLOCKED),
        *(({key: True for key in BLOCKED if key != name}, False) for name in BLOCKED),
        (None, False),
    ],
)
def test_public_access_is_blocked_by_all_four(inputs: Inputs | None, *, blocked: bool) -> None:
    """One block that is off or missing means not blocked."""
    further = [] if inputs is None else [step("same", AWS["public"], "logs-public-access", inputs)]

    assert only_bucket(aws_bucket(), *further).public_blocked is blocked


@pytest.mark.parametrize("operation", ["create", "import"])
def test_what_is_made_is_on_one_side(operation: str) -> None:
    """The state does not have it yet."""
    made = read_preview(preview(step(operation, MINIO["bucket"], "logs", None, {"bucket": "x-logs"})))

    assert (list(made.before.buckets), list(made.after.buckets)) == ([], ["logs"])
    assert made.touched == (Touched("logs", Aspect.BUCKET, "create"),)


def test_what_goes_is_on_one_side() -> None:
    """And it is not a rename."""
    found = read_preview(preview(minio_bucket("delete")))

    assert (list(found.before.buckets), list(found.after.buckets)) == (["logs"], [])
    assert (found.renamed, found.replaced, found.unchanged) == ({}, frozenset(), 0)


def test_unchanged_resources_are_counted() -> None:
    """A read counts as unchanged; a refreshed resource has its own further step and counts once."""
    found = read_preview(preview(minio_bucket(), minio_bucket("read"), minio_bucket("refresh"), minio_bucket("update")))

    assert found.unchanged == 2
    assert [item.operation for item in found.touched] == ["update"]


@pytest.mark.parametrize("stopped", [{"steps": None, "diagnostics": None, "config": None}, {"steps": []}])
def test_preview_that_stopped_at_once(stopped: dict[str, Any]) -> None:
    """It has no steps."""
    found = read_preview(stopped)

    assert (found.touched, found.unchanged, found.errors, found.protected) == ((), 0, (), ())
    assert clients_told(stopped) == []
    assert acknowledged_in(stopped) == ()


@pytest.mark.parametrize(
    "operations", [["replace"], ["create-replacement", "replace", "delete-replaced"], ["import-replacement"]]
)
def test_replaced_bucket(operations: list[str]) -> None:
    """The engine's several steps are one change."""
    old, new = {"bucket": "x-logs"}, {"bucket": "y-logs"}
    steps = [
        step(name, MINIO["bucket"], "logs", old, None if name == "delete-replaced" else new, replaceReasons=["bucket"])
        for name in operations
    ]
    found = read_preview(preview(*steps))

    assert found.replaced == {"logs"}
    assert found.before.buckets["logs"].name == "x-logs"
    assert found.after.buckets["logs"].name == "y-logs"
    assert said(*steps) == [("danger", "logs: bucket would be REPLACED")]


def test_replaced_setting_does_not_replace_the_bucket() -> None:
    """The setting is reported by name."""
    replaced = step("replace", MINIO["versioning"], "logs-versioning", {}, {}, replaceReasons=["bucket"])

    assert said(minio_bucket(), replaced) == [("notice", "logs: versioning would be REPLACED (bucket)")]


def test_renamed_bucket() -> None:
    """The old state has the former name; the settings of both names belong to the bucket."""
    rules = {"rules": [{"id": "a", "expiration": "9d"}]}
    steps = (
        step("same", MINIO["bucket"], "records", {"bucket": "x-logs"}, was_named="logs"),
        step("same", MINIO["lifecycle"], "records-lifecycle", rules, was_named="logs-lifecycle"),
    )
    found = read_preview(preview(*steps))

    assert found.renamed == {"logs": "records"}
    assert found.before.buckets["logs"].rules == found.after.buckets["records"].rules != ()
    assert said(*steps) == [("safe", "records: renamed from logs; its bucket x-logs is kept")]


def test_only_names_of_inputs_are_kept() -> None:
    """Values are never kept; inputs that the engine adds are left out."""
    found = read_preview(
        preview(
            step(
                "update",
                MINIO["lifecycle"],
                "logs-lifecycle",
                {},
                {},
                diffReasons=["rules", "__defaults"],
                detailedDiff={"rules[1].expiration": {"kind": "update"}, "tags.team": {}, "__meta": {}, "bucket": {}},
            )
        )
    )

    assert found.touched == (Touched("logs", Aspect.LIFECYCLE, "update", ("bucket", "rules", "tags")),)


@pytest.mark.parametrize(
    ("kind", "name", "subject", "aspect"),
    [
        (AWS["bucket"], "logs-policy", "logs-policy", Aspect.BUCKET),
        (AWS["bucket policy"], "logs-policy-policy", "logs-policy", Aspect.POLICY),
        (AWS["policy"], "worker-policy", "worker", Aspect.ACCESS),
        (AWS["policy"], "worker-policy-12", "worker", Aspect.ACCESS),
        (AWS["attachment"], "worker-attachment-2", "worker", Aspect.ACCESS),
        (AWS["key"], "worker-key-10", "worker", Aspect.KEY),
        (AWS["user"], "key-user-user", "key-user", Aspect.USER),
        (OWN["user"], "worker-user", "worker", Aspect.USER),
        (OWN["policy"], "worker-policy", "worker", Aspect.ACCESS),
        (OWN["attachment"], "worker-attachment", "worker", Aspect.ACCESS),
        (OWN["key"], "worker-key-2", "worker", Aspect.KEY),
        (MINIO["versioning"], "logs-versioning", "logs", Aspect.VERSIONING),
        (MINIO["retention"], "logs-retention", "logs", Aspect.RETENTION),
        ("pulumi:providers:aws", "aws", "stack", Aspect.CONNECTION),
        ("object-store:storage:AwsStore", "store", "stack", Aspect.OTHER),
        ("aws:s3/bucketNotification:BucketNotification", "logs-events", "stack", Aspect.OTHER),
    ],
)
def test_whose_a_resource_is(kind: str, name: str, subject: str, aspect: Aspect) -> None:
    """Its type and the end of its name decide; an unknown resource belongs to the stack and is reported."""
    found = read_preview(preview(step("create", kind, name, None, {})))

    assert found.touched == (Touched(subject, aspect, "create"),)


def test_unheard_of_operation_and_resource_are_said() -> None:
    """A future engine changes nothing without a sentence."""
    odd = step("transmogrify", "aws:s3/thing:Thing", "logs-thing", {}, {}, diffReasons=["shape"])

    assert said(odd) == [("safe", "stack: other is updated (shape)")]


def user(kinds: dict[str, str], old: str = "x-worker", new: str = "x-worker") -> dict[str, Any]:
    """The user of the identity `worker`."""
    operation = "same" if old == new else "replace"
    return step(operation, kinds["user"], "worker-user", {"name": old}, {"name": new})


def policy(kinds: dict[str, str], old: str, new: str | None = None, number: str = "") -> dict[str, Any]:
    """A policy of `worker`."""
    changed = new is not None
    return step(
        "update" if changed else "same",
        kinds["policy"],
        f"worker-policy{number}",
        {"name": "p", "policy": old},
        {"name": "p", "policy": new if changed else old},
        diffReasons=["policy"] if changed else [],
    )


def key(operation: str, kinds: dict[str, str], number: int = 1, **inputs: object) -> dict[str, Any]:
    """A key of `worker`; created keys have no old state, deleted ones no new one."""
    own = {"targetUser": "x-worker", **inputs}
    old, new = (None if operation == "create" else own), (None if operation == "delete" else own)
    return step(operation, kinds["key"], f"worker-key-{number}", old, new)


@pytest.mark.parametrize("kinds", [MINIO, AWS, OWN])
def test_identity(kinds: dict[str, str]) -> None:
    """Its user, all its policies together, and its keys."""
    found = read_preview(
        preview(
            user(kinds),
            policy(kinds, READS),
            policy(
                kinds, document(allow(["s3:ListBucket"], ["x-logs"]), deny(["s3:*"], ["*"], Condition=TLS)), None, "-2"
            ),
            step("same", kinds["attachment"], "worker-attachment", {"policyName": "p", "userName": "x-worker"}),
            key("same", kinds),
            key("same", kinds, 2),
        )
    ).before.identities["worker"]

    assert found.access == frozenset({Allowed("x-logs", "", "s3:GetObject"), Allowed("x-logs", None, "s3:ListBucket")})
    assert (found.name, found.user_name, found.keys) == ("worker", "x-worker", frozenset({"key-1", "key-2"}))
    # On AWS the bucket's policy refuses plain http.
    assert found.tls_only is (None if kinds is AWS else True)


@pytest.mark.parametrize("kinds", [MINIO, AWS, OWN])
def test_widened_grant(kinds: dict[str, str]) -> None:
    """On both clouds, and in every form of the policy."""
    steps = (user(kinds), policy(kinds, READS, WRITES), key("same", kinds))

    assert said(*steps) == [("danger", "worker: may now s3:PutObject in x-logs")]


def own(word: str, name: str, old: Inputs, new: Inputs, live: Inputs | None = None) -> dict[str, Any]:
    """An update of one of our own resources: the engine gives no reason; `live` is what a refresh read."""
    made = step("update", OWN[word], name, {"__provider": "gASV", **old}, {"__provider": "gASW", **new})
    made["oldState"]["outputs"] = {**old, **(live or {})}
    return made


def test_dynamic_resources_say_what_is_unlike_by_themselves() -> None:
    """The engine names no input of theirs; the changed ones are found, policies by meaning."""
    again = document(allow(["s3:PutObject", "s3:GetObject"], ["x-logs/*"]))
    identity = (user(OWN), policy(OWN, WRITES))

    assert said(*identity, own("key", "worker-key-1", {"policy": READS}, {"policy": WRITES})) == [
        ("danger", "worker: may now s3:PutObject in x-logs")
    ]
    assert said(
        *identity,
        own(
            "key",
            "worker-key-1",
            {"policy": WRITES, "status": "on"},
            {"policy": again, "status": "on"},
            {"status": "off"},
        ),
    ) == [("notice", "worker: key-1 is switched on again")]
    assert said(
        *identity, own("user", "worker-user", {"status": "enabled"}, {"status": "enabled"}, {"status": "disabled"})
    ) == [("notice", "worker: user is switched on again")]


def test_key_that_would_be_switched_off_is_dangerous() -> None:
    """Its holders are cut off; on AWS the status is an input, and a disabled key is no change."""
    off = step("update", AWS["key"], "worker-key-1", {"status": "Active"}, {"status": "Inactive"})
    stays = step("same", AWS["key"], "worker-key-1", {"status": "Inactive"})

    assert said(user(AWS), policy(AWS, READS), off) == [("danger", "worker: key-1 would be SWITCHED OFF")]
    assert said(user(AWS), policy(AWS, READS), stays) == []


def test_drift_of_the_plugins_user_is_said_as_ours() -> None:
    """The plugin reads the status as an output, but declares another input."""
    made = step("update", MINIO["user"], "worker-user", {"name": "u"}, {"name": "u"}, diffReasons=["disableUser"])
    made["oldState"]["outputs"] = {"status": "disabled"}

    assert said(made, policy(MINIO, READS)) == [("notice", "worker: user is switched on again")]


def drifted(kinds: dict[str, str], word: str, name: str, declared: str, live: str) -> dict[str, Any]:
    """A policy changed by hand, after a refresh: the plugin's inputs are updated, ours only in the outputs."""
    if kinds is OWN:
        return own(word, name, {"policy": declared}, {"policy": declared}, {"policy": live})
    return step("update", kinds[word], name, {"policy": live}, {"policy": declared}, diffReasons=["policy"])


@pytest.mark.parametrize("kinds", [MINIO, OWN])
def test_policy_changed_by_hand_is_said_as_what_mending_it_gives(kinds: dict[str, str]) -> None:
    """Both for the user's policy and the key's own; both managers give the same sentences."""
    gives = [("danger", "worker: may now s3:PutObject in x-logs")]
    takes = [("notice", "worker: may no longer s3:PutObject in x-logs")]

    for declared, live, expected in ((WRITES, READS, gives), (READS, WRITES, takes)):
        of_user = drifted(kinds, "policy", "worker-policy", declared, live)
        of_key = drifted(kinds, "key", "worker-key-1", declared, live)
        assert said(user(kinds), of_user, key("same", kinds)) == expected
        assert said(user(kinds), policy(kinds, WRITES), of_key) == expected


def test_retention_changed_by_hand_is_said_as_what_mending_it_does() -> None:
    """A refresh updates only the outputs of our own resource; numbers arrive as floats."""
    declared = {"mode": "GOVERNANCE", "days": 365}

    assert said(minio_bucket(objectLocking=True), own_retention(declared, {"mode": "GOVERNANCE", "days": 400.0})) == [
        ("danger", "logs: retention of new objects is now 365 days (was 400)")
    ]


def test_retention_taken_off_by_hand_is_no_retention() -> None:
    """A refresh of our own resource reads neither mode nor days."""
    gone = own_retention({"mode": "GOVERNANCE", "days": 365}, {"mode": "", "days": 0})

    assert only_bucket(minio_bucket(), gone).retention is None


def own_retention(declared: Inputs, live: Inputs) -> dict[str, Any]:
    """The dynamic resource that sets default retention, after a refresh."""
    made = step("update", MINIO["retention"], "logs-retention", declared, declared)
    made["oldState"]["outputs"] = dict(live)
    return made


def test_another_way_to_the_server_is_safe_and_said_once() -> None:
    """Endpoint, region and CA are inputs of each of our resources; the resources themselves do not change."""
    old, new = {"endpoint": "https://a", "caPem": "A"}, {"endpoint": "https://b", "caPem": "B"}
    texts = {"policy": WRITES}
    steps = (
        own("user", "worker-user", {"name": "x-worker", **old}, {"name": "x-worker", **new}),
        own("policy", "worker-policy", {**texts, **old}, {**texts, **new}),
        own("key", "worker-key-1", {**texts, **old}, {**texts, **new}),
    )

    assert said(*steps) == [("safe", "worker: its connection changes (caPem, endpoint); the resource itself does not")]


def test_rewritten_policy_is_no_change_of_access() -> None:
    """The same actions in another order are the same access."""
    again = document(allow(["s3:PutObject", "s3:GetObject"], ["x-logs/*"]))

    assert said(user(MINIO), policy(MINIO, WRITES, again)) == [
        ("safe", "worker: its policy is rewritten; what it allows does not change")
    ]


def test_service_accounts_policy_bounds_the_users() -> None:
    """The key may do only what both policies allow."""
    found = read_preview(preview(user(MINIO), policy(MINIO, WRITES), key("same", MINIO, policy=READS)))
    wide = read_preview(preview(user(MINIO), policy(MINIO, READS), key("same", MINIO, policy=WRITES)))

    for one in (found, wide):
        assert one.before.identities["worker"].access == frozenset({Allowed("x-logs", "", "s3:GetObject")})


def test_bound_widened_alone_is_a_wider_grant() -> None:
    """It is reported as access, not as an updated key."""
    bound = step("update", MINIO["key"], "worker-key-1", {"policy": READS}, {"policy": WRITES}, diffReasons=["policy"])

    assert said(user(MINIO), policy(MINIO, WRITES), bound) == [("danger", "worker: may now s3:PutObject in x-logs")]


def test_bound_that_moves_within_the_users_policy_is_safe() -> None:
    """It grants nothing by itself."""
    bound = step("update", MINIO["key"], "worker-key-1", {"policy": READS}, {"policy": WRITES}, diffReasons=["policy"])

    assert said(user(MINIO), policy(MINIO, READS), bound) == [
        ("safe", "worker: its policy is rewritten; what it allows does not change")
    ]


def test_users_policy_that_is_not_known_may_be_anything() -> None:
    """And no sentence says that access was removed."""
    assert said(user(MINIO), policy(MINIO, READS, UNKNOWN)) == [
        ("danger", "worker: its permissions are not known before the update")
    ]


@pytest.mark.parametrize("unknown", [UNKNOWN, "", "null", "[1]"])
def test_bound_that_is_not_known_bounds_nothing(unknown: str) -> None:
    """The user's own policy then counts alone."""
    bound = step("update", MINIO["key"], "worker-key-1", {"policy": READS}, {"policy": unknown}, diffReasons=["policy"])

    assert said(user(MINIO), policy(MINIO, WRITES), bound) == [("danger", "worker: may now s3:PutObject in x-logs")]


def test_bucket_policy_that_is_not_known_is_compared_with_nothing() -> None:
    """It is reported by name, and nothing is inferred."""
    known = document(deny(["s3:*"], ["x-logs"], Principal="*", Condition=TLS))
    unknown = step(
        "update", AWS["bucket policy"], "logs-policy", {"policy": known}, {"policy": UNKNOWN}, diffReasons=["policy"]
    )

    assert said(aws_bucket(), unknown) == [("safe", "logs: policy is updated (policy)")]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (
            document(allow(["s3:GetObject"], ["x-logs/*"], Principal="*")),
            [
                ("danger", "logs: its policy now allows public access"),
                ("notice", "logs: plain http is no longer refused"),
            ],
        ),
        (document(), [("notice", "logs: plain http is no longer refused")]),
    ],
)
def test_bucket_policy_weakened(new: str, expected: list[tuple[str, str]]) -> None:
    """The sentences say what it now allows."""
    old = document(deny(["s3:*"], ["x-logs"], Principal="*", Condition=TLS))
    changed = step("update", AWS["bucket policy"], "logs-policy", {"policy": old}, {"policy": new})

    assert said(aws_bucket(), changed) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            [step("delete", AWS["public"], "logs-public-access", BLOCKED)],
            [("danger", "logs: public access is no longer blocked")],
        ),
        (
            [step("update", AWS["public"], "logs-public-access", BLOCKED, {**BLOCKED, "blockPublicPolicy": False})],
            [("danger", "logs: public access is no longer blocked")],
        ),
        (
            [step("create", AWS["public"], "logs-public-access", None, BLOCKED)],
            [("safe", "logs: public access is now blocked")],
        ),
        (
            [step("delete", AWS["versioning"], "logs-versioning", {"versioningConfiguration": {"status": "Enabled"}})],
            [("danger", "logs: versioning would be SUSPENDED"), ("safe", "logs: moves from warm to hot")],
        ),
        (
            [
                step(
                    "update",
                    AWS["versioning"],
                    "logs-versioning",
                    {"versioningConfiguration": {"status": "Enabled"}},
                    {"versioningConfiguration": {"status": "Suspended"}},
                )
            ],
            [("danger", "logs: versioning would be SUSPENDED"), ("safe", "logs: moves from warm to hot")],
        ),
        (
            [step("delete", AWS["retention"], "logs-retention", {"days": 9, "mode": "GOVERNANCE"})],
            [
                ("danger", "logs: its default retention is removed (was GOVERNANCE, 9 days)"),
                ("safe", "logs: moves from cold to hot"),
            ],
        ),
        (
            [
                step(
                    "update",
                    AWS["lifecycle"],
                    "logs-lifecycle",
                    {"rules": [{"id": "a", "status": "Disabled", "expiration": {"days": 9}}]},
                    {"rules": [{"id": "a", "status": "Enabled", "expiration": {"days": 9}}]},
                )
            ],
            [("danger", "logs: objects now expire after 9 days (was never)")],
        ),
        (
            [
                step(
                    "create",
                    AWS["lifecycle"],
                    "logs-lifecycle",
                    None,
                    {"rules": [{"id": "a", "filter": {"prefix": "tmp/"}, "expiration": {"days": 9}}]},
                )
            ],
            [("danger", "logs: objects under tmp/ now expire after 9 days (was never)")],
        ),
    ],
)
def test_setting_of_a_bucket_on_aws(changed: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    """A setting is a separate resource; removing it weakens the bucket."""
    assert said(aws_bucket(), *changed) == expected


def test_protection_taken_off_is_seen_where_the_engine_sees_no_change() -> None:
    """`protect` differs in the states of an otherwise unchanged resource."""
    kept = step("same", MINIO["bucket"], "logs", {"bucket": "x-logs"}, was_protected=True, protected=False)

    assert said(kept) == [("danger", "logs: its protection against deletion is removed")]


@pytest.mark.parametrize("kinds", [MINIO, AWS, OWN])
def test_credential_replaced_without_overlap(kinds: dict[str, str]) -> None:
    """A renamed user, a recreated key, and a deleted first key with a new second one all cut off the workload."""
    expected = [("danger", "worker: credential would be REPLACED without overlap")]

    assert said(user(kinds, "x-worker", "y-worker"), key("replace", kinds)) == expected
    assert said(user(kinds), key("replace", kinds)) == expected
    assert said(user(kinds), key("delete", kinds), key("create", kinds, 2)) == expected
    assert said(user(kinds), key("delete", kinds)) == expected


@pytest.mark.parametrize("kinds", [MINIO, AWS, OWN])
def test_keys_that_overlap(kinds: dict[str, str]) -> None:
    """A second key is safe, and deleting the first one afterwards is a notice."""
    assert said(user(kinds), key("same", kinds), key("create", kinds, 2)) == [("safe", "worker: key-2 is created")]
    assert said(user(kinds), key("delete", kinds), key("same", kinds, 2)) == [
        ("notice", "worker: key-1 would be DELETED")
    ]


def refusal(message: str, name: str = "logs", severity: str = "error") -> dict[str, Any]:
    """A diagnostic on a bucket, or on none."""
    on = {"urn": urn(MINIO["bucket"], name)} if name else {}
    return {**on, "message": message, "severity": severity}


def test_protected_refusals_are_no_errors() -> None:
    """Both wordings of the engine give the domains, each once, sorted."""
    found = read_preview(
        preview(
            diagnostics=[
                refusal('error: Preview failed: resource "x" cannot be deleted\nbecause it is protected. To', "vaults"),
                refusal("error: unable to replace resource\nas it is currently marked for protection. To unprotect"),
                refusal("error: unable to replace resource\nas it is currently marked for protection. To unprotect"),
                refusal("error: preview failed\n", ""),
            ]
        )
    )

    assert found.protected == ("logs", "vaults")
    assert found.errors == ()


def test_errors_are_said_plainly() -> None:
    """Without colours, colour tags and prefix; each error once; warnings do not count."""
    found = read_preview(
        preview(
            diagnostics=[
                refusal("\x1b[31merror: \x1b[0m\x1b[1;38;5;13mno such\x1b[K band\n"),
                refusal("<{%fg 1%}>error: <{%reset%}>worker.grants: <{%underline%}>wrong<{%reset%}>", ""),
                refusal("worker.grants: wrong", ""),
                refusal("a warning", severity="warning"),
                refusal("  \n", ""),
            ]
        )
    )

    assert found.errors == ("no such band", "worker.grants: wrong")


def test_that_the_program_stopped_is_said_where_nothing_else_is() -> None:
    """This message does not give a reason."""
    stopped = refusal("an unhandled error occurred: Program exited with non-zero exit code: 1", "")

    assert read_preview(preview(diagnostics=[stopped, refusal("bands: wrong", "")])).errors == ("bands: wrong",)
    assert read_preview(preview(diagnostics=[stopped])).errors == (stopped["message"],)


def test_error_that_names_protection_on_no_resource_is_an_error() -> None:
    """It does not say which bucket the engine refuses to change."""
    assert read_preview(preview(diagnostics=[refusal("it is protected", "")])).errors == ("it is protected",)


def stack(told: object) -> dict[str, Any]:
    """The stack's own step, with its published outputs."""
    name = "urn:pulumi:s::object-store::pulumi:pulumi:Stack::object-store-s"
    state = {"urn": name, "type": "pulumi:pulumi:Stack", "outputs": {"deployment": told, "credentials": "[secret]"}}
    return {"op": "same", "urn": name, "oldState": state, "newState": state}


def told(config: dict[str, str], was: object) -> list[tuple[Risk, str]]:
    """The changes of what clients get."""
    named = {f"object-store:{key}": value for key, value in config.items()}
    return [(change.risk, change.sentence) for change in clients_told(preview(stack(was), config=named))]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"endpoint": "https://a"}, []),
        ({"endpoint": "https://a/"}, []),
        ({"endpoint": "https://a:443"}, []),
        ({"endpoint": "https://A"}, []),
        ({"endpoint": "https://a."}, []),
        ({"endpoint": "HTTPS://A.:443/"}, []),
        ({"endpoint": "https://b", "clientEndpoint": "https://a:443"}, []),
        ({"endpoint": "https://a:8443"}, ["clients now get the endpoint https://a:8443 (was https://a)"]),
        ({"endpoint": "http://a:443"}, ["clients now get the endpoint http://a:443 (was https://a)"]),
        ({"endpoint": "https://b", "clientEndpoint": "https://a"}, []),
        ({"endpoint": "https://a", "clientEndpoint": ""}, []),
        ({}, []),
        ({"region": "r"}, []),
        (
            {"endpoint": "https://b", "region": "q"},
            ["clients now get the endpoint https://b (was https://a)", "clients now get the region q (was r)"],
        ),
        (
            {"endpoint": "https://a", "clientEndpoint": "https://b"},
            ["clients now get the endpoint https://b (was https://a)"],
        ),
    ],
)
def test_what_clients_are_told(config: dict[str, str], expected: list[str]) -> None:
    """Endpoint and region, if both values are known and differ."""
    found = told(config, {"endpoint": "https://a", "region": "r"})

    assert found == [(Risk.NOTICE, f"stack: {what}") for what in expected]


@pytest.mark.parametrize("was", [None, "[secret]", {}, {"endpoint": None}])
def test_clients_of_a_stack_that_published_nothing(was: object) -> None:
    """There is no change for them."""
    assert told({"endpoint": "https://a", "region": "r"}, was) == []


def test_clients_of_a_new_stack() -> None:
    """There are none yet."""
    fresh = {"op": "create", "urn": "urn:pulumi:s::object-store::pulumi:pulumi:Stack::x", "newState": {}}

    assert clients_told(preview(fresh, config={"object-store:endpoint": "https://a"})) == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('["a: b", "c: d"]', ("a: b", "c: d")),
        (["a: b", "c: d"], ("a: b", "c: d")),
        ("[]", ()),
        ([], ()),
        ("", ()),
        (None, ()),
        ("a: b", ()),
        ('"a: b"', ()),
        ('{"a": "b"}', ()),
    ],
)
def test_acknowledged_sentences(value: object, found: tuple[str, ...]) -> None:
    """A list, or its text; any other value acknowledges nothing, and the program refuses it."""
    assert acknowledged_in(preview(config={"object-store:acknowledge": value})) == found


def test_user_that_gives_way_to_a_role_is_read_on_both_sides() -> None:
    """User and key before, the trusted subjects after, and the same access."""
    trust = OidcTrust(issuer="https://ci.example.com", subject=("job:a",))
    role = {"name": "joelclaw-reader", "assumeRolePolicy": as_json(trust_policy(trust, "arn:x"))}
    policy = {"policy": document(allow(["s3:GetObject"], ["logs/*"]))}

    found = read_preview(
        preview(
            step("delete", AWS["user"], "reader-user", {"name": "joelclaw-reader"}),
            step("delete", AWS["key"], "reader-key-1", {"user": "joelclaw-reader"}),
            step("same", AWS["policy"], "reader-policy", policy),
            step("create", "aws:iam/role:Role", "reader-role", new=role),
        )
    )

    before, after = found.before.identities["reader"], found.after.identities["reader"]
    assert (before.trusted, before.keys) == (None, frozenset({"key-1"}))
    assert (after.trusted, after.keys) == (
        frozenset({"job:a of ci.example.com for sts.amazonaws.com"}),
        frozenset[str](),
    )
    assert before.user_name == after.user_name == "joelclaw-reader"
    assert before.access == after.access


def test_policy_put_by_hand_is_said_to_go() -> None:
    """The state's old side holds what a refresh read; a stack that gets the guard keeps its sentence short."""
    guard = {"bucket": "x-logs", "policy": ""}
    found = step("update", MINIO["no policy"], "logs-policy", guard, guard)
    found["oldState"]["outputs"] = {**guard, "policy": document(allow(["s3:GetObject"], ["x-logs/*"], Principal="*"))}

    assert said(minio_bucket(), found) == [("safe", "logs: a bucket policy that was put by hand is removed")]
    new = step("create", MINIO["no policy"], "logs-policy", None, guard)
    assert said(minio_bucket(), new) == [("safe", "logs: guard against bucket policies is created")]
    assert said(minio_bucket(), step("same", MINIO["no policy"], "logs-policy", guard)) == []
