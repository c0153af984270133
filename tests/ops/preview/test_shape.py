"""ops.preview.shape: the shape of a plan, on both clouds."""

import pytest

from model.plan import StorePlan, build_plan
from model.policies import Cloud
from model.taxonomy_file import extended, load
from ops.preview.explain import explain
from ops.preview.shape import of_plan


def plan(*, tls_only: bool = True) -> StorePlan:
    """The shipped plan."""
    taxonomy = extended(load(), domains={}, identities={}, where="x:")
    return build_plan(taxonomy, env="local", region_code="usw2", tls_only=tls_only, where="x:")


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_every_bucket_and_identity_of_the_plan(cloud: Cloud) -> None:
    """Each has its name in the taxonomy and the plan's own values."""
    shape = of_plan(plan(), cloud, ())

    assert list(shape.buckets) == [bucket.domain for bucket in plan().buckets]
    assert list(shape.identities) == [identity.name for identity in plan().identities]
    for bucket in plan().buckets:
        found = shape.buckets[bucket.domain]
        assert (found.domain, found.name, found.rules) == (bucket.domain, bucket.name, bucket.rules)
        assert (found.retention, found.versioned) == (bucket.retention, bucket.versioned)
    for identity in plan().identities:
        own = shape.identities[identity.name]
        assert (own.user_name, own.keys) == (identity.user_name, frozenset({"key-1"}))
        assert own.access


def test_what_a_cloud_does_not_have_is_not_known() -> None:
    """On AIStor no bucket policy counts; on AWS only the bucket policy refuses plain http."""
    aistor, aws = of_plan(plan(), "aistor", ()), of_plan(plan(), "aws", ())

    assert {(b.public_blocked, b.public_policy, b.tls_only) for b in aistor.buckets.values()} == {(None, None, None)}
    assert {(b.public_blocked, b.public_policy, b.tls_only) for b in aws.buckets.values()} == {(True, False, True)}
    assert {identity.tls_only for identity in aistor.identities.values()} == {True}
    assert {identity.tls_only for identity in aws.identities.values()} == {None}


def test_plain_http_where_it_is_let_in() -> None:
    """The shape follows the plan."""
    found = of_plan(plan(tls_only=False), "aistor", ()).identities.values()

    assert {identity.tls_only for identity in found} == {False}


def test_feature_that_the_backend_lacks_changes_nothing() -> None:
    """A rule is compared without the feature; the other parts stay."""
    bare = of_plan(plan(), "aistor", {"abort_multipart", "transition", "something else"})
    whole = of_plan(plan(), "aistor", ())
    rules = [rule for bucket in bare.buckets.values() for rule in bucket.rules]

    assert {(rule.abort_multipart_after_days, rule.transition) for rule in rules} == {(None, None)}
    for domain, bucket in whole.buckets.items():
        assert [r.expire_after_days for r in bare.buckets[domain].rules] == [r.expire_after_days for r in bucket.rules]
    assert any(rule.transition for bucket in whole.buckets.values() for rule in bucket.rules)


@pytest.mark.parametrize("protected", [None, True, False])
@pytest.mark.parametrize("emptied", [None, True, False])
def test_what_only_a_stacks_file_says(*, protected: bool | None, emptied: bool | None) -> None:
    """Unknown settings stay unknown; a bucket with object lock is never emptied."""
    shape = of_plan(plan(), "aws", (), protected=protected, empty_on_destroy=emptied, encryption="SSE-KMS")

    for bucket in plan().buckets:
        found = shape.buckets[bucket.domain]
        assert (found.protected, found.encryption) == (protected, "SSE-KMS")
        assert found.emptied is (False if bucket.locked and emptied is not None else emptied)


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_plan_beside_itself_is_no_change(cloud: Cloud) -> None:
    """Also if one side does not know some values."""
    known = of_plan(plan(), cloud, (), protected=True, empty_on_destroy=False, encryption="SSE-S3")

    assert explain(known, known) == []
    assert explain(of_plan(plan(), cloud, ()), known) == explain(known, of_plan(plan(), cloud, ())) == []
