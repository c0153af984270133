"""verify.checks: each check passes on a right store, fails on a wrong one, and says when it cannot tell."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from verify.checks import CHECKS, Status, find
from verify.facts import Answer, BucketFacts, Described, Facts, LiveRetention

if TYPE_CHECKING:
    from tests.verify.conftest import Store

REFUSED: Answer[Any] = Answer(code="AccessDenied", said="no")
Damage = Callable[[Any], BucketFacts]


def judged(store: "Store", facts: Facts, domain: str, check: str, damage: Damage | None = None) -> tuple[Status, str]:
    """The verdict on a bucket's facts, damaged if so wanted, and the finding as text."""
    plan = store.deployment.plan.bucket(domain)
    found = facts if damage is None else replace(facts, buckets={plan.name: damage(facts.buckets[plan.name])})
    finding = find(check, store.deployment, plan, found)
    return finding.status, str(finding)


@pytest.mark.parametrize("domain", ["scratch", "replay", "archive", "ledger", "orphan"])
@pytest.mark.parametrize("check", CHECKS)
def test_right_store_is_proven(store: "Store", facts: Facts, domain: str, check: str) -> None:
    """On a store made as planned every check passes, or says what it does not ask or cannot tell."""
    expected = {Status.PASS}
    if check == "object_deleted" and domain != "scratch":
        expected = {Status.NOT_ASKED}
    if check == "object_uploaded" and domain == "ledger":
        expected = {Status.CANNOT_TELL}

    status, text = judged(store, facts, domain, check)
    assert status in expected, text


def rules(change: Callable[[Any], Any]) -> Damage:
    """Damage of a bucket's rules."""
    return lambda facts: replace(facts, rules=Answer(change(facts)))


def probe(**changes: Any) -> Damage:  # noqa: ANN401 - fields of different types
    """Damage of a bucket's probe."""
    return lambda facts: replace(facts, probe=replace(facts.probe, **changes))


@pytest.mark.parametrize(
    ("check", "domain", "damage", "expected"),
    [
        ("bucket_in_region", "scratch", lambda f: replace(f, location=Answer("eu-west-1")), "found eu-west-1"),
        ("bucket_in_region", "scratch", lambda f: replace(f, location=Answer(code="NoSuchBucket")), "NoSuchBucket"),
        ("versioning_as_planned", "replay", lambda f: replace(f, versioning=Answer("Suspended")), "found Suspended"),
        ("versioning_as_planned", "scratch", lambda f: replace(f, versioning=Answer("Enabled")), "wanted Off"),
        ("versioning_as_planned", "replay", lambda f: replace(f, versioning=REFUSED), "AccessDenied: no"),
        ("lifecycle_as_planned", "replay", lambda f: replace(f, rules=REFUSED), "AccessDenied"),
        ("lifecycle_as_planned", "replay", rules(lambda f: f.rules.value[:1]), "rule band-warm: no such rule"),
        (
            "lifecycle_as_planned",
            "replay",
            rules(
                lambda f: (
                    *f.rules.value,
                    replace(f.rules.value[0], rule=f.rules.value[0].rule.model_copy(update={"id": "foreign"})),
                )
            ),
            "wanted rule foreign: no such rule",
        ),
        (
            "lifecycle_as_planned",
            "replay",
            rules(lambda f: (f.rules.value[0], replace(f.rules.value[1], enabled=False))),
            "disabled",
        ),
        (
            "lifecycle_as_planned",
            "replay",
            rules(lambda f: (f.rules.value[0], replace(f.rules.value[1], beyond="Filter.Tag=x"))),
            "Filter.Tag=x",
        ),
        (
            "lifecycle_as_planned",
            "replay",
            rules(
                lambda f: (
                    f.rules.value[0],
                    replace(f.rules.value[1], rule=f.rules.value[1].rule.model_copy(update={"expire_after_days": 90})),
                )
            ),
            "found rule band-warm: all keys, expire after 90 d",
        ),
        ("lifecycle_as_planned", "replay", rules(lambda f: (*f.rules.value, f.rules.value[1])), "FAIL"),
        (
            "retention_as_planned",
            "archive",
            lambda f: replace(f, retention=Answer(LiveRetention(enabled=True, mode="GOVERNANCE", days=1))),
            "found object lock, GOVERNANCE 1 d",
        ),
        (
            "retention_as_planned",
            "archive",
            lambda f: replace(f, retention=Answer(LiveRetention(enabled=True))),
            "object lock without default retention",
        ),
        (
            "retention_as_planned",
            "archive",
            lambda f: replace(f, retention=Answer(LiveRetention(enabled=False))),
            "found no object lock",
        ),
        ("retention_as_planned", "archive", lambda f: replace(f, retention=REFUSED), "AccessDenied"),
        (
            "retention_as_planned",
            "scratch",
            lambda f: replace(f, retention=Answer(LiveRetention(enabled=True, mode="GOVERNANCE", days=365))),
            "wanted no object lock",
        ),
        ("object_uploaded", "scratch", probe(uploaded=REFUSED), "found AccessDenied: no"),
        ("object_uploaded", "scratch", probe(uploaded=Answer(Described(etag="e", size=1))), "found 1 bytes"),
        ("object_read_back", "scratch", probe(uploaded=REFUSED), "FAIL"),
        ("object_read_back", "scratch", probe(downloaded=Answer(Described(size=2048, sha256="other"))), "sha256 other"),
        (
            "object_read_back",
            "scratch",
            lambda f: probe(headed=Answer(replace(f.probe.headed.value, content_type="text/plain")))(f),
            "text/plain",
        ),
        ("object_read_back", "scratch", probe(headed=REFUSED), "HEAD: AccessDenied"),
        ("object_read_back", "scratch", probe(downloaded=REFUSED), "AccessDenied"),
        ("object_listed", "scratch", probe(listed=Answer(None)), "found not listed"),
        ("object_listed", "scratch", probe(listed=REFUSED), "AccessDenied"),
        ("object_listed", "scratch", probe(listed=Answer(Described(etag="x", size=1))), "etag x"),
        ("object_presigned", "scratch", probe(presigned=Answer(code="HTTP 403")), "found HTTP 403"),
        ("object_presigned", "scratch", probe(presigned=Answer(Described())), "found nothing"),
        ("object_deleted", "scratch", probe(deleted=Answer(value=False)), "found False"),
        ("object_deleted", "scratch", probe(deleted=REFUSED), "AccessDenied"),
        ("probes_removed", "archive", lambda f: replace(f, left=Answer(2)), "found 2 versions left"),
        ("probes_removed", "archive", lambda f: replace(f, left=REFUSED), "AccessDenied"),
    ],
)
def test_wrong_store_fails(
    store: "Store", facts: Facts, check: str, domain: str, damage: Damage, expected: str
) -> None:
    """Each damage makes its check fail, with what was found."""
    status, text = judged(store, facts, domain, check, damage)

    assert status is Status.FAIL
    assert expected in text


@pytest.mark.parametrize("check", CHECKS)
def test_bucket_without_facts_fails(store: "Store", facts: Facts, check: str) -> None:
    """What was not read is never proven."""
    plan = store.deployment.plan.bucket("scratch")

    assert find(check, store.deployment, plan, replace(facts, buckets={})).status is Status.FAIL


def test_what_the_backend_cannot_do_is_not_wanted_there(store: "Store", facts: Facts) -> None:
    """On AWS the same facts fail, because there abort-multipart and transitions can be."""
    on_aws = store.deployment.model_copy(update={"unsupported": (), "cloud": "aws"})
    finding = find("lifecycle_as_planned", on_aws, store.deployment.plan.bucket("replay"), facts)

    assert finding.status is Status.FAIL
    assert "move to STANDARD_IA after 30 d" in finding.wanted
    assert "unfinished uploads go after 7 d" in finding.wanted
