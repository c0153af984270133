"""Limits of the servers on a plan: the number of its buckets, users and policies, and their size and names.

The rule: a plan that breaks one of them is refused before anything is sent, because a server would refuse it in the
middle of an update. `model.policies.identity_policies` keeps each policy within its size. Left out: what a
plan cannot break, such as 1000 lifecycle rules of a bucket (it has two), and names and tags (`model.plan`,
`model.tags`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from model.plan import IdentityPlan, StorePlan
from model.policies import Cloud, PolicyDocument, as_json, domains_of, identity_policies, trust_policy, with_domains
from model.problems import InvalidInputError, Problem
from model.resources import numbered, with_numbers
from model.trust import provider_arn

# Default quotas of IAM: managed policies on a user, and on a role; the size of a trust policy without white space; and
# managed policies, users and roles of an account.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MANAGED_POLICIES_PER_USER = 10
TRUST_POLICY_CHARACTERS = 2048
MANAGED_POLICIES = 1500
USERS = 5000
ROLES = 1000
# Default quota of general purpose buckets of an account: https://docs.aws.amazon.com/general/latest/gr/s3.html
BUCKETS = 10_000


def check_policies(plan: StorePlan, cloud: Cloud, account: str) -> None:
    """Check that the server accepts a plan's buckets, users and policies.

    Args:
        plan: The plan.
        cloud: The stack's cloud.
        account: On AWS the account, whose id is a part of trust policies; any text of 12 characters has its size.

    Raises:
        InvalidInputError: The server would refuse something.
    """
    policies = {one.name: identity_policies(plan, one, cloud) for one in plan.identities}
    problems = list(_name_problems(plan, policies))
    if cloud == "aws":
        problems += _aws_problems(plan, {name: len(documents) for name, documents in policies.items()}, account)
    if problems:
        raise InvalidInputError(problems)


def _name_problems(plan: StorePlan, policies: Mapping[str, Sequence[PolicyDocument]]) -> Iterable[Problem]:
    holders: dict[str, str] = {}
    for identity in plan.identities:
        for number, _ in with_numbers(policies[identity.name]):
            # The second policy of `worker` and the first of `worker-2` would both be `joelclaw-{env}-worker-2`.
            name = numbered(identity.user_name, number)
            if (holder := holders.setdefault(name, identity.name)) != identity.name:
                yield Problem(
                    f"identities.{identity.name}",
                    f"its policy and one of {holder} would both have the name {name}",
                    f"a name that is not {holder} with a number",
                    f"{identity.name}-b: (the identity's lines)",
                )


def _aws_problems(plan: StorePlan, counts: Mapping[str, int], account: str) -> Iterable[Problem]:
    yield from _quota_problems(plan, counts)
    for identity in plan.identities:
        yield from _trust_problems(identity, account)
        if (count := counts[identity.name]) > MANAGED_POLICIES_PER_USER:
            yield Problem(
                f"identities.{identity.name}",
                f"its {domains_of(plan, identity)} domains need {count} managed policies",
                f"at most {MANAGED_POLICIES_PER_USER} per user or role (the default quota of IAM), and so at most "
                f"{domains_fitting(plan, identity)} domains with names of this length",
                "(fewer domains in the stack)" if identity.verifies else "two identities with fewer domains each",
            )


def domains_fitting(plan: StorePlan, identity: IdentityPlan) -> int:
    """How many of an identity's domains, from the first, fit into the policies that a user may have on AWS."""
    return bisect_right(
        range(1, domains_of(plan, identity) + 1),
        MANAGED_POLICIES_PER_USER,
        key=lambda count: len(identity_policies(*with_domains(plan, identity, slice(count)), "aws")),
    )


def _quota_problems(plan: StorePlan, counts: Mapping[str, int]) -> Iterable[Problem]:
    roles = sum(identity.trust is not None for identity in plan.identities)
    needed = (
        ("domains", len(plan.buckets), BUCKETS, "buckets"),
        ("identities", len(plan.identities) - roles, USERS, "users"),
        ("identities", roles, ROLES, "roles"),
        ("identities", sum(counts.values()), MANAGED_POLICIES, "managed policies"),
    )
    for where, count, most, what in needed:
        if count > most:
            yield Problem(
                where,
                f"the stack needs {count} {what}",
                f"at most {most} in an account (the default quota of AWS)",
                f"(fewer {where}, or a second stack in another account)",
            )


def _trust_problems(identity: IdentityPlan, account: str) -> Iterable[Problem]:
    if identity.trust is None:
        return
    size = len(as_json(trust_policy(identity.trust, provider_arn(identity.trust, account))))
    if size > TRUST_POLICY_CHARACTERS:
        yield Problem(
            f"identities.{identity.name}.trust.oidc.subject",
            f"its {len(identity.trust.subject)} subjects need a trust policy of {size} characters",
            f"at most {TRUST_POLICY_CHARACTERS} (the default quota of IAM)",
            "fewer subjects, a wildcard after the names, or two identities",
        )
