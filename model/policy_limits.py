"""Limits of the servers on policy documents: their size, their number, and one policy for each name.

The rule: a plan that breaks one of them is refused before anything is sent, because a server would refuse it in the
middle of an update. On AIStor an identity has one document; on AWS as many as `model.policies.managed_policies` makes.
"""

from collections.abc import Iterable

from model.plan import IdentityPlan, StorePlan
from model.policies import Cloud, as_json, identity_policy, managed_policies, trust_policy
from model.problems import InvalidInputError, Problem
from model.resources import numbered, numbers
from model.trust import provider_arn

# MinIO's limit for the body of a policy (maxBucketPolicySize in its cmd/bucket-policy-handlers.go).
POLICY_BYTES = 20 * 1024
# Default quotas of IAM: managed policies on a user, and on a role; the size of a trust policy without white space.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MANAGED_POLICIES_PER_USER = 10
TRUST_POLICY_CHARACTERS = 2048


def check_policies(plan: StorePlan, cloud: Cloud, account: str) -> None:
    """Check that the server accepts the policies of all identities.

    Args:
        plan: The plan.
        cloud: The stack's cloud.
        account: On AWS the account, whose id is a part of trust policies; any text of 12 characters has its size.

    Raises:
        InvalidInputError: The server would refuse a document.
    """
    on_cloud = _aistor_problems(plan) if cloud == "aistor" else _aws_problems(plan, account)
    if problems := list(on_cloud):
        raise InvalidInputError(problems)


def _aistor_problems(plan: StorePlan) -> Iterable[Problem]:
    for identity in plan.identities:
        size = len(as_json(identity_policy(plan, identity, "aistor")).encode())
        if size > POLICY_BYTES:
            yield Problem(
                f"identities.{identity.name}",
                f"its grants need a policy of {size} bytes",
                f"at most {POLICY_BYTES} bytes (AIStor)",
                _fewer(identity),
            )


def _aws_problems(plan: StorePlan, account: str) -> Iterable[Problem]:
    holders: dict[str, str] = {}
    for identity in plan.identities:
        yield from _trust_problems(identity, account)
        count = len(managed_policies(identity_policy(plan, identity, "aws")))
        if count > MANAGED_POLICIES_PER_USER:
            yield Problem(
                f"identities.{identity.name}",
                f"its grants need {count} managed policies",
                f"at most {MANAGED_POLICIES_PER_USER} per user or role (the default quota of IAM)",
                _fewer(identity),
            )
        for number in numbers(count):
            # The second policy of `worker` and the first of `worker-2` would both be `joelclaw-{env}-worker-2`.
            name = numbered(identity.user_name, number)
            if (holder := holders.setdefault(name, identity.name)) != identity.name:
                yield Problem(
                    f"identities.{identity.name}",
                    f"its policy and one of {holder} would both have the name {name}",
                    f"a name that is not {holder} with a number",
                    f"{identity.name}-b: (the identity's lines)",
                )


def _fewer(identity: IdentityPlan) -> str:
    return "(fewer domains in the stack)" if identity.verifies else "two identities with fewer domains each"


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
