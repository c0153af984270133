"""An identity's role on AWS, for identities whose callers present a token instead of a key.

The rule: the role gets exactly the policy documents that the identity's user would get; only the trust differs. It
leaves out the issuer's provider, which belongs to the account and not to one stack: `docs/oidc.md` says how to create
it once.
"""

from collections.abc import Callable, Sequence

import pulumi
import pulumi_aws as aws

from infra.store import declare_attached
from model.plan import IdentityPlan
from model.policies import as_json, trust_policy
from model.policy_order import Number, Step
from model.resources import About, logical_name, numbered
from model.trust import OidcTrust, provider_arn

# The shortest duration that IAM accepts: a token lives for minutes, and callers that need longer assume it again.
SESSION_SECONDS = 3600


def declare_role(
    identity: IdentityPlan, trust: OidcTrust, steps: Sequence[Step], account: str, parent: pulumi.Resource
) -> aws.iam.Role:
    """Declare `Role`, `Policy` (as many as the size limit needs) and `RolePolicyAttachment`.

    Args:
        identity: The identity that the role is for.
        trust: Who may assume the role.
        steps: The role's managed policies.
        account: The account that has the issuer's provider.
        parent: The store component.
    """
    child = pulumi.ResourceOptions(parent=parent)
    role = aws.iam.Role(
        logical_name(identity.name, About.ROLE),
        name=identity.user_name,
        assume_role_policy=as_json(trust_policy(trust, provider_arn(trust, account))),
        max_session_duration=SESSION_SECONDS,
        opts=child,
    )

    def attached(number: Number, policy: aws.iam.Policy) -> pulumi.Resource:
        return aws.iam.RolePolicyAttachment(
            logical_name(identity.name, About.ROLE_ATTACHMENT, number),
            role=role.name,
            policy_arn=policy.arn,
            opts=child,
        )

    declare_attached(steps, managed_policy(identity, parent), attached)
    return role


def managed_policy(
    identity: IdentityPlan, parent: pulumi.Resource
) -> Callable[[Step, Sequence[pulumi.Resource]], aws.iam.Policy]:
    """What declares a managed policy of an identity, for a user or a role."""

    def policy(step: Step, after: Sequence[pulumi.Resource]) -> aws.iam.Policy:
        return aws.iam.Policy(
            logical_name(identity.name, About.POLICY, step.number),
            name=numbered(identity.user_name, step.number),
            policy=as_json(step.document),
            opts=pulumi.ResourceOptions(parent=parent, depends_on=after),
        )

    return policy
