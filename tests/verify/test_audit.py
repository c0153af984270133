"""The audit's pure part: what no store of the trials has, and what a report says of it."""

from dataclasses import replace

import pytest

from model.deployment import Deployment, Role, build_deployment
from model.plan import StorePlan
from model.policies import as_json, bucket_policy, identity_policies, trust_policy
from model.trust import provider_arn
from trials.stores import AUDITED_IDENTITIES, small_plan
from verify.checks import STORE_CHECKS
from verify.checks.finding import Status, Verdict
from verify.checks.settings import settings_audited
from verify.facts import Answer, AuditFacts, BucketAudit, BucketFacts, DoorFacts, Facts, HeldDocument, Principal
from verify.report.truth import truth_lines

ACCOUNT = "123456789012"
OIDC = {
    "oidc": {
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": "sts.amazonaws.com",
        "subject": "repo:joelclaw/media:ref:refs/heads/main",
    }
}


@pytest.fixture(name="plan")
def _plan() -> StorePlan:
    """A plan with a role."""
    worker = {**AUDITED_IDENTITIES["worker"], "trust": OIDC}
    return small_plan("aws", identities={**AUDITED_IDENTITIES, "worker": worker})


@pytest.fixture(name="deployment")
def _deployment(plan: StorePlan) -> Deployment:
    return build_deployment(plan, stack="aws", cloud="aws", region="us-west-2", account=ACCOUNT, tags={})


def facts_of(plan: StorePlan, *others: Principal, trust: str = "") -> Facts:
    """A server that has the plan's identities, and others."""
    planned = [
        Principal(
            "user" if one.trust is None else "role",
            one.user_name,
            f"arn:aws:iam::{ACCOUNT}:{'user' if one.trust is None else 'role'}/{one.user_name}",
            documents=tuple(
                HeldDocument("attached", one.user_name, as_json(document))
                for document in identity_policies(plan, one, "aws")
            ),
            trust=""
            if one.trust is None
            else trust or as_json(trust_policy(one.trust, provider_arn(one.trust, ACCOUNT))),
        )
        for one in plan.identities
    ]
    door = DoorFacts("https://s3.example", Answer("done"), None)
    return Facts(
        "20261130-000000", "2026-11-30T00:00:00+00:00", door, audit=AuditFacts("", Answer((*planned, *others)))
    )


def bucket_facts(audit: BucketAudit | None = None, policy: str = "") -> BucketFacts:
    """A bucket of which little is known."""
    nothing: Answer[str] = Answer("")
    return BucketFacts(
        nothing,
        nothing,
        Answer(()),
        Answer(code="x"),
        nothing,
        Answer(()),
        nothing,
        Answer(policy),
        Answer(0),
        audit=audit,
    )


def verdict(check: str, deployment: Deployment, facts: Facts) -> Verdict:
    """A check's verdict on these facts."""
    return STORE_CHECKS[check][1](deployment, facts)


def test_planned_trust_passes(plan: StorePlan, deployment: Deployment) -> None:
    """A role that trusts whom the plan names passes."""
    assert verdict("trusts_audited", deployment, facts_of(plan)).status is Status.PASS


def test_other_trust_is_found(plan: StorePlan, deployment: Deployment) -> None:
    """A role that trusts another subject is named with the trust that it has."""
    (role,) = [one for one in plan.identities if one.trust is not None]
    assert role.trust is not None
    wide = as_json(trust_policy(role.trust, provider_arn(role.trust, ACCOUNT))).replace(
        "repo:joelclaw/media", "repo:x/y"
    )

    found = verdict("trusts_audited", deployment, facts_of(plan, trust=wide))

    assert found.status is Status.FAIL
    assert "worker: trusts" in found.found
    assert "repo:x/y" in found.found


def test_administrators_are_no_finding(plan: StorePlan, deployment: Deployment) -> None:
    """A user who reaches every bucket is found, unless the deployment names it."""
    text = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["*"]}]}'
    ops = Principal("user", "ops", f"arn:aws:iam::{ACCOUNT}:user/ops", documents=(HeldDocument("inline", "all", text),))
    facts = facts_of(plan, ops)

    found = verdict("others_audited", deployment, facts)
    named = deployment.model_copy(update={"administrators": ("ops",)})

    assert found.status is Status.FAIL
    assert "object-store:administrators[0]' ops" in found.remedy
    assert verdict("others_audited", named, facts).status is Status.PASS


@pytest.mark.parametrize("actions", ['["iam:ListUsers"]', '["s3:ListAllMyBuckets"]', '["ec2:*"]'])
def test_harmless_user_is_no_finding(actions: str, plan: StorePlan, deployment: Deployment) -> None:
    """A user who reaches no bucket of the plan is no finding."""
    text = f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":["*"]}}]}}'
    other = Principal("user", "x", f"arn:aws:iam::{ACCOUNT}:user/x", documents=(HeldDocument("inline", "all", text),))

    assert verdict("others_audited", deployment, facts_of(plan, other)).status is Status.PASS


OTHERS = {
    '{"AWS":"arn:aws:iam::999999999999:root"}': "arn:aws:iam::999999999999:root",
    '{"Service":"logging.s3.amazonaws.com"}': "Service logging.s3.amazonaws.com",
    '"*"': "anybody",
}


@pytest.mark.parametrize(("principal", "name"), OTHERS.items())
def test_bucket_policy_lets_nobody_else_in(principal: str, name: str, plan: StorePlan, deployment: Deployment) -> None:
    """A policy for another account, a service or everybody is a finding with its name, and the planned one is none."""
    bucket = plan.buckets[0].name
    text = (
        f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},'
        f'"Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/*"}}]}}'
    )
    facts = facts_of(plan)

    found = verdict("others_audited", deployment, replace(facts, buckets={bucket: bucket_facts(policy=text)}))

    assert found.status is Status.FAIL
    assert found.found.startswith(f"{name}: ")
    planned = bucket_facts(policy=as_json(bucket_policy(bucket)))
    assert verdict("others_audited", deployment, replace(facts, buckets={bucket: planned})).status is Status.PASS


def test_truth_has_a_line_for_everybody(plan: StorePlan, deployment: Deployment) -> None:
    """Each identity has its line, and so has whoever else reaches a bucket."""
    text = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*"],"Resource":["*"]}]}'
    other = Principal("user", "x", f"arn:aws:iam::{ACCOUNT}:user/x", documents=(HeldDocument("inline", "all", text),))

    lines = {line.who: line for line in truth_lines(deployment, facts_of(plan, other))}

    assert list(lines) == [*(one.name for one in plan.identities), "x"]
    assert lines["reader"].truth == "as planned, for every request"
    assert (lines["x"].planned, lines["x"].status) == ("nothing", Status.FAIL)
    assert truth_lines(deployment, replace(facts_of(plan), audit=AuditFacts("no key"))) == ()


def test_tags_that_the_stack_did_not_publish_are_not_judged(plan: StorePlan, deployment: Deployment) -> None:
    """A deployment of before does not say which tags its buckets have."""
    tagged = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    facts = bucket_facts(BucketAudit("", {"tags": Answer(tagged)}))
    before = deployment.model_copy(update={"tags": None})

    assert settings_audited(before, plan.buckets[0], facts).status is Status.PASS
    assert settings_audited(deployment, plan.buckets[0], facts).found == "tags: a b"


def test_role_is_published(deployment: Deployment) -> None:
    """The deployment has the role, whose account the planned trust names."""
    assert isinstance(deployment.roles["worker"], Role)
