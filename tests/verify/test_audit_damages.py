"""The audit sees every damage that is done to a running store, and the remedy that its finding prints mends it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from _pytest.mark import ParameterSet

from model.policies import Cloud
from tests.sizes import ELSEWHERE
from trials.audit_damages import AUDIT_DAMAGES, AuditDamage
from trials.remedy_lines import run_remedy
from trials.stores import AUDITED_IDENTITIES, Store, running_store, small_plan
from verify.audit.read import Audit
from verify.checks import BUCKET_CHECKS, STORE_CHECKS, Finding, Status, judge
from verify.facts import Facts
from verify.gather import gather_facts
from verify.probe import reading
from verify.probe.session import StoreSession
from verify.report.summary import NOT_LOOKED_AT
from verify.selection import Part, Selection

SELECTION = Selection(parts=frozenset({Part.AUDIT}))
CHECKS = frozenset(
    name for name, (check, _) in (*BUCKET_CHECKS.items(), *STORE_CHECKS.items()) if check.part is Part.AUDIT
)


def cases() -> Iterator[ParameterSet]:
    """Every damage on every cloud that can have it; for a change, one that both can have on one of them in turn."""
    for number, damage in enumerate(AUDIT_DAMAGES):
        for cloud in damage.clouds:
            is_left = len(damage.clouds) > 1 and damage.clouds[number % len(damage.clouds)] != cloud
            yield pytest.param(damage, cloud, id=f"{cloud}-{damage.name}", marks=[ELSEWHERE] if is_left else [])


class Audited:
    """A store with an auditor, and the facts of its undamaged state, of which a damage changes only a part."""

    def __init__(self, store: Store, session: StoreSession) -> None:
        """Gather everything once."""
        self.store, self.session = store, session
        self.facts = gather_facts(store.target, selection=SELECTION)

    def findings(self, damage: AuditDamage) -> list[Finding]:
        """What the audit finds now, in the part of the store that the damage is about."""
        bucket, facts, audit = self.store.plan.bucket(damage.domain), self.facts, Audit.of(self.session)
        if not damage.of_bucket:
            audit.read_principals(self.store.plan)
            return self.judged(replace(facts, audit=audit.facts))
        client = self.session.client("verifier")
        changed = replace(
            facts.buckets[bucket.name],
            audit=audit.read_bucket(bucket),
            policy=self.session.ask(lambda: reading.read_policy(client, bucket.name)),
        )
        return self.judged(replace(facts, buckets={**facts.buckets, bucket.name: changed}))

    def judged(self, facts: Facts) -> list[Finding]:
        """The findings of the audit's checks."""
        return judge(self.store.deployment, facts, SELECTION, CHECKS)


@pytest.fixture(scope="module", name="audited_aistor")
def _audited_aistor() -> Iterator[Audited]:
    plan = small_plan("aistor", identities=AUDITED_IDENTITIES)
    with running_store("aistor", plan) as store, StoreSession(store.target, 1) as session:
        yield Audited(store, session)


@pytest.fixture(scope="module", name="audited_aws")
def _audited_aws() -> Iterator[Audited]:
    plan = small_plan("aws", identities=AUDITED_IDENTITIES)
    with running_store("aws", plan) as store, StoreSession(store.target, 1) as session:
        yield Audited(store, session)


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_undamaged_store_has_no_finding(cloud: Cloud, request: pytest.FixtureRequest) -> None:
    """A store as planned passes every check of the audit that applies."""
    audited: Audited = request.getfixturevalue(f"audited_{cloud}")

    found = audited.judged(audited.facts)

    wrong = [str(one) for one in found if one.status not in (Status.PASS, Status.NOT_ASKED)]
    assert not wrong
    assert {one.check for one in found if one.status is Status.PASS} == CHECKS - {"trusts_audited"}


@pytest.mark.parametrize(("damage", "cloud"), list(cases()))
def test_damage_is_found_and_mended(damage: AuditDamage, cloud: Cloud, request: pytest.FixtureRequest) -> None:
    """Exactly the named check fails and says what the damage did; its remedy, as printed, takes it away."""
    audited: Audited = request.getfixturevalue(f"audited_{cloud}")
    store = audited.store
    damage.do(store, store.plan.bucket(damage.domain).name)
    try:
        failed = [one for one in audited.findings(damage) if one.status is not Status.PASS and one.check in CHECKS]
        wrong = [one for one in failed if one.status is not Status.NOT_ASKED]

        assert {one.check for one in wrong} == {damage.fails}, [str(one) for one in wrong]
        assert all(damage.told in one.found for one in wrong), wrong[0].found

        run_remedy(store, wrong[0].remedy)
    finally:
        damage.undo(store, store.plan.bucket(damage.domain).name)
    left = [str(one) for one in audited.findings(damage) if one.status is Status.FAIL]
    assert not left, left


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_bucket_outside_the_prefix_is_not_looked_at(cloud: Cloud, request: pytest.FixtureRequest) -> None:
    """No check is about it, the report says so, and the identities are proven not to reach it."""
    audited: Audited = request.getfixturevalue(f"audited_{cloud}")
    store, name = audited.store, "somebody-elses-bucket"
    store.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": store.deployment.region})
    try:
        facts = gather_facts(store.target, selection=SELECTION)
    finally:
        store.client.delete_bucket(Bucket=name)

    assert not [str(one) for one in audited.judged(facts) if one.status is Status.FAIL]
    assert "buckets outside the prefix" in NOT_LOOKED_AT


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_without_a_key_the_audit_cannot_tell(cloud: Cloud, request: pytest.FixtureRequest) -> None:
    """Without the auditor's key each check of the audit cannot tell, and names the line that gives one."""
    audited: Audited = request.getfixturevalue(f"audited_{cloud}")
    target = replace(audited.store.target, absent={"auditor": "no key of auditor was given"})

    found = judge(target.deployment, gather_facts(target, selection=SELECTION), SELECTION, CHECKS)

    told = [one for one in found if one.status is Status.CANNOT_TELL]
    assert {one.check for one in told} == CHECKS - {"trusts_audited"}
    assert all("audits: true" in one.remedy and one.found == "no key of auditor was given" for one in told)


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_key_that_may_read_a_half_names_what_it_could_not_read(cloud: Cloud, request: pytest.FixtureRequest) -> None:
    """What the auditor may not read is named, and nothing of it counts as proven."""
    audited: Audited = request.getfixturevalue(f"audited_{cloud}")
    store = audited.store
    planned = store.planned_policy("auditor")["Statement"]
    half = [
        {**one, "Action": [name for name in one["Action"] if name != "s3:GetBucketNotification"]}
        for one in planned
        if one["Sid"] not in ("AuditIdentities", "AuditLocks")
    ]
    store.set_user_policy("auditor", half)
    try:
        facts = gather_facts(store.target, selection=SELECTION)
    finally:
        store.restore_user_policy("auditor")

    found = {one.check: one for one in audited.judged(facts) if one.status is Status.CANNOT_TELL}
    assert set(found) >= {"settings_audited", "grants_audited", "others_audited", "keys_audited"}
    assert "notification: AccessDenied" in found["settings_audited"].found
    assert "versioning" not in found["settings_audited"].found
    call = "list-users" if cloud == "aistor" else "GetAccountAuthorizationDetails"
    assert call in found["grants_audited"].found
