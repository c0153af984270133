"""The audit's pure part: what no store of the trials has, and what a report says of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pytest

from model.audited import ROOTS, Setting
from model.audited import settings_of as settings_of_cloud
from model.deployment import Deployment, Role, build_deployment
from model.plan import StorePlan
from model.policies import as_json, bucket_policy, identity_policies, trust_policy
from model.remedies import Remedy
from model.trust import provider_arn
from trials.stores import AUDITED_IDENTITIES, small_plan
from verify.checks import STORE_CHECKS
from verify.checks.finding import Status, Verdict
from verify.checks.settings import settings_audited
from verify.facts import (
    Answer,
    AuditFacts,
    BucketAudit,
    BucketFacts,
    DoorFacts,
    Facts,
    HeldDocument,
    LiveKey,
    Principal,
)
from verify.record import json_report
from verify.report.html import render_html
from verify.report.truth import Area, truth_lines
from verify.selection import Selection

ACCOUNT = "123456789012"
DOOR = DoorFacts("https://s3.example", Answer("done"), None)
SUBJECT = "repo:joelclaw/media:ref:refs/heads/main"
OIDC = {
    "oidc": {
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": "sts.amazonaws.com",
        "subject": SUBJECT,
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
    return Facts(
        "20261130-000000", "2026-11-30T00:00:00+00:00", DOOR, audit=AuditFacts("", Answer((*planned, *others)))
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


def rewritten(statement: Mapping[str, Any]) -> str:
    """The same in other words: other operators, and one statement as two, one of which is narrower."""
    of_all = {**statement, "Condition": {"StringLike": statement["Condition"]["StringEquals"]}}
    narrower = {
        **statement,
        "Sid": "Again",
        "Condition": {**statement["Condition"], "Bool": {"aws:SecureTransport": "true"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [of_all, narrower]})


TRUSTS: dict[str, tuple[dict[str, object], str]] = {
    "another subject": (
        {"Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:joelclaw/*"}}},
        "`sts:AssumeRoleWithWebIdentity`",
    ),
    "any audience": (
        {"Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub": SUBJECT}}},
        "`Federated arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com` may",
    ),
    "the account": ({"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}, f"`arn:aws:iam::{ACCOUNT}:root` may"),
    "another account's user": (
        {"Principal": {"AWS": "arn:aws:iam::999999999999:user/x"}, "Action": "sts:AssumeRole"},
        "`arn:aws:iam::999999999999:user/x` may",
    ),
    "a service": (
        {"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        "`Service ec2.amazonaws.com` may",
    ),
    "all but one": (
        {"Principal": None, "NotPrincipal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole"},
        "may ask for `sts:AssumeRole`",
    ),
    "everybody": ({"Principal": "*", "Action": "sts:*"}, "may"),
}


def planned_statement(plan: StorePlan) -> dict[str, Any]:
    """The statement of the planned trust of the only role."""
    (trust,) = [one.trust for one in plan.identities if one.trust is not None]
    (statement,) = trust_policy(trust, provider_arn(trust, ACCOUNT))["Statement"]
    return {**statement}


def test_trust_in_other_words_passes(plan: StorePlan, deployment: Deployment) -> None:
    """A document that lets the same callers in is no difference."""
    facts = facts_of(plan, trust=rewritten(planned_statement(plan)))

    assert verdict("trusts_audited", deployment, facts).status is Status.PASS


@pytest.mark.parametrize("name", TRUSTS)
def test_wider_trust_is_found(name: str, plan: StorePlan, deployment: Deployment) -> None:
    """A role that trusts more callers is named with one of them, and with the line that mends it."""
    changes, told = TRUSTS[name]
    statement = planned_statement(plan)
    more = {key: value for key, value in {**statement, "Condition": {}, **changes}.items() if value is not None}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement, more]})

    found = verdict("trusts_audited", deployment, facts_of(plan, trust=trust))

    assert found.status is Status.FAIL
    assert told in found.found
    assert "no longer so" not in found.found
    assert found.remedy == f"run {Remedy.CHANGED.value}"


def test_narrower_trust_is_found(plan: StorePlan, deployment: Deployment) -> None:
    """A role that trusts nobody any more is named with the caller who is refused."""
    found = verdict("trusts_audited", deployment, facts_of(plan, trust='{"Version":"2012-10-17","Statement":[]}'))

    assert found.status is Status.FAIL
    assert "worker: no longer so: `Federated arn:aws:iam::" in found.found
    assert f"{SUBJECT}`" in found.found


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


def test_areas_say_where_each_may_do_what(plan: StorePlan, deployment: Deployment) -> None:
    """Below each name is each thing that it may do, by plan and in truth, once for all buckets that are alike."""
    bucket = plan.buckets[1]
    text = as_json(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "X",
                    "Effect": "Allow",
                    "Action": ["s3:PutObject"],
                    "Resource": [f"arn:aws:s3:::{bucket.name}/2026/*"],
                }
            ],
        }
    )
    planted = HeldDocument("inline", "planted", text)
    facts = facts_of(plan, Principal("user", "x", f"arn:aws:iam::{ACCOUNT}:user/x", documents=(planted,)))
    principals = (facts.audit and facts.audit.principals.value) or ()
    damaged = tuple(
        replace(one, documents=(*one.documents, planted)) if one.name.endswith("reader") else one for one in principals
    )
    facts = replace(facts, audit=AuditFacts("", Answer(damaged)))
    names = tuple(one.name for one in plan.buckets)

    lines = {line.who: line for line in truth_lines(deployment, facts)}

    assert Area("list", ("*",), ("*",), names, elsewhere=False) in lines["reader"].areas
    assert [one for one in lines["reader"].areas if one.planned != one.truth] == [
        Area("put", (), ("2026/*",), (bucket.name,), elsewhere=False)
    ]
    assert lines["x"].areas == (Area("put", (), ("2026/*",), (bucket.name,), elsewhere=False),)
    told = json.loads(json_report(deployment, Selection(), facts, []))["by_plan_and_in_truth"]
    assert told[-1]["areas"] == [
        {"does": "put", "planned": [], "truth": ["2026/*"], "buckets": [bucket.name], "elsewhere": False}
    ]
    assert "✗ 2026/*</td><td>nowhere</td><td>replay</td>" in render_html(deployment, facts, [], Selection())


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


def settings_of(answers: dict[str, Answer[str]], plan: StorePlan, deployment: Deployment) -> Verdict:
    """The audit's verdict on these settings of the first bucket."""
    return settings_audited(deployment, plan.buckets[0], bucket_facts(BucketAudit("", answers)))


@pytest.mark.parametrize("setting", settings_of_cloud("aws"), ids=lambda one: one.name)
@pytest.mark.parametrize("body", ["", "<html/>", "<html>", "<Error><Code>x</Code></Error>", "<ListBucketResult/>"])
def test_page_of_something_else_is_no_setting(
    setting: Setting, body: str, plan: StorePlan, deployment: Deployment
) -> None:
    """A 200 without the setting proves nothing about it, and is named."""
    found = settings_of({setting.name: Answer(body)}, plan, deployment)

    if setting.root or not body:
        assert found.status is Status.CANNOT_TELL
        assert found.found.startswith(f"{setting.name}: UnexpectedAnswer")
    else:
        assert found.status is Status.FAIL


@pytest.mark.parametrize("name", ["inventory", "metrics", "analytics", "intelligent tiering"])
def test_first_of_several_pages_is_not_all(name: str, plan: StorePlan, deployment: Deployment) -> None:
    """An empty page that another one follows is a difference; an empty page alone is none."""

    def page(cut: str) -> dict[str, Answer[str]]:
        return {name: Answer(f"<{ROOTS[name]}><IsTruncated>{cut}</IsTruncated></{ROOTS[name]}>")}

    assert settings_of(page("false"), plan, deployment).status is Status.PASS
    assert settings_of(page("true"), plan, deployment).found == f"{name}: IsTruncated true"


def test_bucket_policy_in_other_words_passes(plan: StorePlan, deployment: Deployment) -> None:
    """A policy that denies and allows everybody the same is no difference; without its Deny, or a part of it, it is."""
    bucket = plan.buckets[0].name
    (deny,) = bucket_policy(bucket)["Statement"]
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    two = [{**deny, "Sid": f"Part{n}", "Resource": arn} for n, arn in enumerate(arns)]
    allow = {**deny, "Effect": "Allow"}  # what is denied as well

    def status(*statements: object) -> Status:
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        return settings_of({"bucket policy": Answer(text)}, plan, deployment).status

    assert status(*two) is Status.PASS
    assert status(deny, allow) is Status.PASS
    assert status(two[0]) is Status.FAIL
    assert status() is Status.FAIL
    assert status({**deny, "Principal": {"AWS": ACCOUNT}}) is Status.FAIL


def test_policy_of_another_bucket_is_a_difference(plan: StorePlan, deployment: Deployment) -> None:
    """The planned policies on the wrong buckets deny plain http to nobody."""
    names = [bucket.name for bucket in plan.buckets[:2]]
    swapped = {
        name: bucket_facts(policy=as_json(bucket_policy(other))) for name, other in zip(names, names[::-1], strict=True)
    }

    found = verdict("grants_audited", deployment, replace(facts_of(plan), buckets=swapped))

    assert found.status is Status.FAIL
    assert "aws:SecureTransport `false`" in found.found


def test_policy_that_only_the_auditor_read_counts(plan: StorePlan, deployment: Deployment) -> None:
    """The auditor's answer counts before the verifier's; without either it is named, and nothing is proven."""
    bucket = plan.buckets[0].name
    public = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}'
    denied: Answer[str] = Answer(code="AccessDenied", said="no")
    read = replace(bucket_facts(BucketAudit("", {"bucket policy": Answer(public)})), policy=denied)
    unread = replace(read, audit=BucketAudit("", {"bucket policy": denied}))
    facts = facts_of(plan)

    found = verdict("others_audited", deployment, replace(facts, buckets={bucket: read}))
    for check in ("others_audited", "grants_audited"):
        untold = verdict(check, deployment, replace(facts, buckets={bucket: unread}))

        assert untold.status is Status.CANNOT_TELL
        assert f"policy of {bucket}: AccessDenied" in untold.found
    assert found.status is Status.FAIL
    assert found.found.startswith("anybody: ")


PRINCIPALS = {
    '{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}': "CanonicalUser 79a59df9",
    '{"AWS":"arn:aws:sts::123456789012:assumed-role/joelclaw-test-usw2-worker/somebody"}': "assumed-role/joelclaw",
    '{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}': "CloudFront Origin Access",
    '{"AWS":"AIDAQ3EGRIVYEXAMPLE11"}': "AIDAQ3EGRIVYEXAMPLE11",
    '{"Federated":"cognito-identity.amazonaws.com"}': "Federated cognito",
    '{"AWS":["arn:aws:iam::123456789012:root","999999999999"]}': "arn:aws:iam::999999999999:root",
}


@pytest.mark.parametrize("principal", PRINCIPALS)
@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
def test_every_form_of_a_principal_is_named(
    principal: str, element: str, plan: StorePlan, deployment: Deployment
) -> None:
    """Whoever a bucket policy lets in by whatever name is found; all but one are everybody else."""
    bucket = plan.buckets[0].name
    text = (
        f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","{element}":{principal},'
        f'"Action":"s3:PutObject","Resource":"arn:aws:s3:::{bucket}/*"}}]}}'
    )

    found = verdict("others_audited", deployment, replace(facts_of(plan), buckets={bucket: bucket_facts(policy=text)}))

    assert found.status is Status.FAIL
    assert (PRINCIPALS[principal] if element == "Principal" else "anybody: ") in found.found


@pytest.mark.parametrize("kind", ["account", "user"])
def test_keys_of_an_administrator_are_named(plan: StorePlan, kind: Literal["account", "user"]) -> None:
    """`adminUser`, root or another: a key that somebody made for it opens everything, and is declared by its name."""
    deployment = build_deployment(plan, stack="local", cloud="aistor", region="us-east-1", endpoint="https://x")
    deployment = deployment.model_copy(update={"administrators": ("ops",)})
    ops = Principal(kind, "ops", keys=Answer((LiveKey("PLANTED"),)))
    facts = Facts("r", "2026-11-30T00:00:00+00:00", DOOR, audit=AuditFacts("", Answer((ops,))))

    found = verdict("others_audited", deployment, facts)

    assert found.status is Status.FAIL
    assert found.found == "ops: key PLANTED of ops: everything, as ops"
    named = deployment.model_copy(update={"administrators": ("ops", "PLANTED")})
    assert verdict("others_audited", named, facts).status is Status.PASS


@pytest.mark.parametrize(
    ("action", "resource", "status"),
    [
        ("iam:PutUserPolicy", "*", Status.FAIL),
        ("iam:PutUserPolicy", f"arn:aws:iam::{ACCOUNT}:user/x", Status.FAIL),
        ("iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/x", Status.FAIL),
        ("iam:AttachRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/x", Status.FAIL),
        ("iam:UpdateAssumeRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/on-call/*", Status.FAIL),
        ("iam:UpdateAssumeRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/joelclaw-test-usw2-worker", Status.FAIL),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/joelclaw-test-usw2-worker", Status.FAIL),
        ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/x", Status.PASS),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/x", Status.PASS),
        ("iam:ChangePassword", "*", Status.PASS),
    ],
)
def test_whoever_can_give_itself_a_bucket_is_found(
    action: str, resource: str, status: Status, plan: StorePlan, deployment: Deployment
) -> None:
    """Whoever may change policies, or get the key or role of an identity or an administrator, reaches the buckets."""
    text = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": [resource]}]}
    )
    other = Principal("user", "x", f"arn:aws:iam::{ACCOUNT}:user/x", documents=(HeldDocument("inline", "all", text),))
    ops = Principal("role", "ops", f"arn:aws:iam::{ACCOUNT}:role/on-call/ops")
    named = deployment.model_copy(update={"administrators": ("ops",)})

    found = verdict("others_audited", named, facts_of(plan, other, ops))

    assert found.status is status, found.found
