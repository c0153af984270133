"""Policies on lifecycle and retention: each band's limits, by the rule's id."""

import pytest
from pulumi_policy.proxy import UnknownValueError

from tests.policy.conftest import (
    BUCKET,
    CLOUDS,
    TYPES,
    UNKNOWN,
    Thing,
    bucket,
    judged,
    lifecycle,
    retention,
    rule,
    versioning,
)

on_both_clouds = pytest.mark.parametrize("cloud", CLOUDS)


@on_both_clouds
@pytest.mark.parametrize(
    ("band", "days", "sound"),
    [
        ("hot", 6, False),
        ("hot", 7, True),
        ("hot", 30, True),
        ("hot", 31, False),
        ("hot", None, False),
        ("warm", 89, False),
        ("warm", 90, True),
        ("warm", 365, True),
        ("warm", 366, False),
        ("warm", None, False),
        ("cold", 364, False),
        ("cold", 365, True),
        ("cold", None, True),
    ],
)
def test_days_are_within_the_band(cloud: str, band: str, days: int | None, sound: bool) -> None:  # noqa: FBT001 - a column
    """Hot 7-30 d, warm 90-365 d, cold for ever or at least 365 d; the probes' rule has its own days."""
    rules = lifecycle(cloud, rule(cloud, "verify-probes", 1, ".verify/"), rule(cloud, f"band-{band}", days))

    assert (judged("lifecycle-limits", rules) == []) is sound


@on_both_clouds
def test_band_rule_must_govern_every_key(cloud: str) -> None:
    """With a prefix, tag or date some objects never expire; on AWS, with a disabled rule none does."""
    narrowed = [rule(cloud, "band-hot", 14, "a/")]
    if cloud == "aistor":
        narrowed += [rule(cloud, "band-hot", 14, tags={"a": "b"}), {"id": "band-hot", "expiration": "2030-01-01"}]
    else:
        narrowed += [
            rule(cloud, "band-hot", 14, filter={"tag": {"key": "a", "value": "b"}}),
            rule(cloud, "band-hot", 14, status="Disabled"),
            rule(cloud, "band-hot", None, expiration={"date": "2030-01-01T00:00:00Z"}),
            rule(cloud, "band-warm", 180, transitions=[{"date": "2030-01-01T00:00:00Z", "storageClass": "GLACIER"}]),
        ]

    for one in narrowed:
        assert any("apply to every key" in problem for problem in judged("lifecycle-limits", lifecycle(cloud, one)))


@on_both_clouds
def test_rules_are_the_bands_and_the_probes(cloud: str) -> None:
    """No band, two bands, an unknown rule, or a probes' rule without its prefix is refused."""
    band = rule(cloud, "band-cold", None)

    for rules in ([], [rule(cloud, "verify-probes", 1, ".verify/")], [band, rule(cloud, "band-hot", 14)]):
        assert any(
            "exactly one of the rules" in problem for problem in judged("lifecycle-limits", lifecycle(cloud, *rules))
        )
    (unknown_rule,) = judged("lifecycle-limits", lifecycle(cloud, band, rule(cloud, "tidy", 1)))
    assert "'tidy'" in unknown_rule
    (wide_probes,) = judged("lifecycle-limits", lifecycle(cloud, band, rule(cloud, "verify-probes", 1)))
    assert "not limited to .verify/" in wide_probes


@pytest.mark.parametrize(
    ("storage_class", "days", "problem"),
    [
        ("STANDARD_IA", 30, None),
        ("STANDARD_IA", 29, "S3 wants at least 30 d"),
        ("ONEZONE_IA", 0, "S3 wants at least 30 d"),
        ("GLACIER", 0, None),
        ("GLACIER_IR", 179, None),
        ("GLACIER_IR", 180, "S3 wants the move before the expiry"),
        ("GLACIER_IR", 181, "S3 wants the move before the expiry"),
    ],
)
def test_objects_move_in_time(storage_class: str, days: int, problem: str | None) -> None:
    """A move by hand is judged as S3 judges it: not too early for its class, and before the expiry."""
    moved = rule("aws", "band-warm", 180, transitions=[{"days": days, "storageClass": storage_class}])
    found = judged("lifecycle-limits", lifecycle("aws", moved))

    assert [problem in one for one in found if problem] == [True] * len(found)
    assert bool(found) is bool(problem)


@pytest.mark.parametrize(("days", "problem"), [(30, None), (29, "S3 wants at least 30 d"), (60, "before the expiry")])
def test_noncurrent_versions_move_in_time(days: int, problem: str | None) -> None:
    """The program moves none; a hand may, within S3's rules."""
    moved = rule(
        "aws",
        "band-warm",
        180,
        noncurrentVersionTransitions=[{"noncurrentDays": days, "storageClass": "ONEZONE_IA"}],
        noncurrentVersionExpiration={"noncurrentDays": 60},
    )
    found = judged("lifecycle-limits", lifecycle("aws", moved))

    assert [problem in one for one in found if problem] == [True] * len(found)
    assert bool(found) is bool(problem)


@on_both_clouds
def test_retention_has_a_longest(cloud: str) -> None:
    """Both servers refuse a retention of more than 100 years."""
    things = (bucket(cloud, locked=True), lifecycle(cloud, rule(cloud, "band-cold", None)))

    assert judged("cold-retention", *things, retention(cloud, 36500)) == []
    assert "at most 36500 d" in judged("cold-retention", *things, retention(cloud, 36501))[0]


@on_both_clouds
def test_every_bucket_has_exactly_one_lifecycle_resource(cloud: str) -> None:
    """None and two are refused; another bucket's lifecycle does not count."""
    own, other = bucket(cloud), lifecycle(cloud, on="joelclaw-test-usw2-other")

    assert judged("bucket-lifecycle", own, lifecycle(cloud)) == []
    assert judged("bucket-lifecycle", own, other) == ["media-raw: the bucket has 0 lifecycle resources instead of one"]
    assert judged("bucket-lifecycle", own, lifecycle(cloud), lifecycle(cloud)) == [
        "media-raw: the bucket has 2 lifecycle resources instead of one"
    ]


@on_both_clouds
def test_bucket_whose_name_is_unknown_is_found_by_what_names_it(cloud: str) -> None:
    """During preview a computed name is followed to its source; without a source the bucket is unknown."""
    computed = bucket(cloud, bucket=UNKNOWN)
    rules = Thing(TYPES[cloud]["lifecycle"], {"bucket": UNKNOWN}, "rules", on=computed)

    assert judged("bucket-lifecycle", computed, rules) == []
    with pytest.raises(UnknownValueError) as caught:
        judged("bucket-lifecycle", computed, lifecycle(cloud, on=UNKNOWN), bucket(cloud))
    assert caught.value.message.startswith("string value at .media-raw.lifecycle.bucket")


@on_both_clouds
def test_unknown_bucket_hides_no_violation_of_another(cloud: str) -> None:
    """Certain violations are reported before the unknown rest."""
    unknown_lock = bucket(cloud, name="first")
    key = "objectLocking" if cloud == "aistor" else "objectLockEnabled"
    things = (
        Thing(unknown_lock.type, {**unknown_lock.props, "bucket": "joelclaw-test-usw2-first", key: UNKNOWN}, "first"),
        bucket(cloud, locked=True),
        lifecycle(cloud, rule(cloud, "band-cold", None)),
    )

    with pytest.raises(UnknownValueError) as caught:
        judged("cold-retention", *things)

    assert caught.value.props[0] == "first"
    assert caught.value.reported == [  # type: ignore[attr-defined]  # put there by the judge
        "media-raw: the bucket has 0 default retentions instead of one"
    ]


@on_both_clouds
def test_versioning_is_the_bands(cloud: str) -> None:
    """Hot is unversioned, warm versioned, and neither is locked; another policy judges cold."""
    hot = lifecycle(cloud, rule(cloud, "band-hot", 14))
    warm = lifecycle(cloud, rule(cloud, "band-warm", 180))
    cold = lifecycle(cloud, rule(cloud, "band-cold", None))

    assert judged("band-versioning", bucket(cloud), hot) == []
    assert judged("band-versioning", bucket(cloud), warm, versioning(cloud)) == []
    assert judged("band-versioning", bucket(cloud, locked=True), cold) == []
    assert judged("band-versioning", bucket(cloud), hot, versioning(cloud)) == [
        "media-raw: a hot bucket must be unversioned"
    ]
    assert judged("band-versioning", bucket(cloud), warm) == ["media-raw: a warm bucket must be versioned"]
    (locked,) = judged("band-versioning", bucket(cloud, locked=True), warm, versioning(cloud))
    assert "has object lock" in locked


@on_both_clouds
def test_cold_bucket_has_lock_and_retention(cloud: str) -> None:
    """It has a lock, one default retention with a known mode and at least 365 d, and no expiry before its end."""
    cold = lifecycle(cloud, rule(cloud, "band-cold", None))
    locked = bucket(cloud, locked=True)

    assert judged("cold-retention", locked, cold, retention(cloud, 365)) == []
    assert judged("cold-retention", locked, cold, retention(cloud, 365, "COMPLIANCE")) == []
    assert judged("cold-retention", bucket(cloud), lifecycle(cloud, rule(cloud, "band-hot", 14))) == []
    assert judged("cold-retention", locked, cold, retention(cloud, 364)) == [
        "media-raw: its default retention is 364 d; the minimum is 365 d"
    ]
    assert "none of the modes" in judged("cold-retention", locked, cold, retention(cloud, 365, ""))[0]
    assert "0 default retentions" in judged("cold-retention", locked, cold)[0]
    assert "no object lock" in judged("cold-retention", bucket(cloud), cold, retention(cloud, 365))[0]
    early = lifecycle(cloud, rule(cloud, "band-cold", 400))
    assert judged("cold-retention", locked, early, retention(cloud, 500)) == [
        "media-raw: its objects expire after 400 d, before their retention of 500 d ends"
    ]


def test_retention_in_years_and_inline_rules_are_read_on_aws() -> None:
    """A year counts as 365 days; rules on the bucket itself count as a second lifecycle."""
    own = {"rule": {"defaultRetention": {"mode": "GOVERNANCE", "years": 1, "days": None}}}
    years = Thing(TYPES["aws"]["retention"], {"bucket": BUCKET, **own}, "years")
    inline = bucket("aws", lifecycleRules=[{"enabled": True}])

    assert (
        judged("cold-retention", bucket("aws", locked=True), lifecycle("aws", rule("aws", "band-cold", None)), years)
        == []
    )
    assert len(judged("lifecycle-limits", inline)) == 1
    assert judged("lifecycle-limits", bucket("aws")) == []
