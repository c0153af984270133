"""An identity's role on AWS, for identities whose callers present a token instead of a key.

The rule: the role gets exactly the policy documents that the identity's user would get; only the trust differs. It
leaves out the issuer's provider, which belongs to the account and not to one stack: `docs/oidc.md` says how to create
it once.
"""

import pulumi
import pulumi_aws as aws

from model.plan import IdentityPlan
from model.policies import PolicyDocument, as_json, trust_policy
from model.resources import About, logical_name, numbered, with_numbers
from model.trust import OidcTrust, provider_arn

# The shortest duration that IAM accepts: a token lives for minutes, and callers that need longer assume it again.
SESSION_SECONDS = 3600


def declare_role(
    identity: IdentityPlan, trust: OidcTrust, documents: list[PolicyDocument], account: str, parent: pulumi.Resource
) -> aws.iam.Role:
    """Declare `Role`, `Policy` (as many as the size limit needs) and `RolePolicyAttachment`.

    Args:
        identity: The identity that the role is for.
        trust: Who may assume the role.
        documents: The role's managed policies.
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
    for number, policy in declare_policies(identity, documents, child):
        aws.iam.RolePolicyAttachment(
            logical_name(identity.name, About.ROLE_ATTACHMENT, number),
            role=role.name,
            policy_arn=policy.arn,
            opts=child,
        )
    return role


def declare_policies(
    identity: IdentityPlan, documents: list[PolicyDocument], opts: pulumi.ResourceOptions
) -> list[tuple[int | None, aws.iam.Policy]]:
    """Declare an identity's managed policies, for a user or a role; returns each with its number."""
    return [
        (
            number,
            aws.iam.Policy(
                logical_name(identity.name, About.POLICY, number),
                name=numbered(identity.user_name, number),
                policy=as_json(document),
                opts=opts,
            ),
        )
        for number, document in with_numbers(documents)
    ]
