"""An identity's role on AWS, for one whose callers come with a token of their own instead of a key.

The rule: what it may do is the very documents that the identity's user would get; only who may be it differs. It leaves
out the issuer's provider, which is the account's and not one stack's: `docs/oidc.md` says how it is made, once.
"""

import pulumi
import pulumi_aws as aws

from model.plan import IdentityPlan
from model.policies import PolicyDocument, as_json, trust_policy
from model.resources import About, logical_name, numbered, numbers
from model.trust import OidcTrust, provider_arn

# The shortest that IAM takes: a token lives for minutes, and whoever needs longer asks again.
SESSION_SECONDS = 3600


def declare_role(
    identity: IdentityPlan, trust: OidcTrust, documents: list[PolicyDocument], account: str, parent: pulumi.Resource
) -> aws.iam.Role:
    """Declare `Role`, `Policy` (as many as the size limit needs) and `RolePolicyAttachment`.

    Args:
        identity: Whose role it is.
        trust: Who may assume it.
        documents: Its managed policies.
        account: The account with the issuer's provider.
        parent: The store.
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
    """Declare an identity's managed policies, a user's and a role's alike; each with its number."""
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
        for number, document in zip(numbers(len(documents)), documents, strict=True)
    ]
