"""Declares a plan's identities as resources of this package, with the names that `infra.aistor` uses.

The rule: the resources declared here and there differ only in type.
"""

from collections.abc import Mapping, Sequence

import pulumi

from infra.identity.attachment import Attachment
from infra.identity.connection import connection_inputs
from infra.identity.policy import Policy
from infra.identity.service_account import ServiceAccount
from infra.identity.user import User
from infra.settings import AistorSettings
from infra.store import Credential, declare_attached, policy_steps
from model.plan import IdentityPlan, StorePlan
from model.policies import as_json, identity_policies, service_account_policy
from model.policy_order import FormerPolicies, Number, Step
from model.resources import About, logical_name, numbered


def declare_identities(
    parent: pulumi.Resource, plan: StorePlan, settings: AistorSettings, region: str, former: FormerPolicies
) -> dict[str, Credential]:
    """Declare user, policies, attachments and service accounts of each identity; returns the keys by identity."""
    connection = connection_inputs(settings, region)
    return {identity.name: _identity(parent, plan, identity, connection, former) for identity in plan.identities}


def _identity(
    parent: pulumi.Resource,
    plan: StorePlan,
    identity: IdentityPlan,
    connection: Mapping[str, str],
    former: FormerPolicies,
) -> Credential:
    child = pulumi.ResourceOptions(parent=parent)

    def declared(step: Step, after: Sequence[pulumi.Resource] = ()) -> Policy:
        return Policy(
            logical_name(identity.name, About.POLICY, step.number),
            name=numbered(identity.user_name, step.number),
            policy=as_json(step.document),
            connection=connection,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=after),
        )

    steps = policy_steps(identity, identity_policies(plan, identity, "aistor"), former)
    first = {step.number: declared(step) for step in steps if not step.after}
    # The user goes before its policies: the server detaches none from a user that is switched off. A policy that waits
    # for an attachment waits for the user, too; at the next update it waits for none.
    user = User(
        logical_name(identity.name, About.USER),
        name=identity.user_name,
        connection=connection,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(first.values())),
    )

    def policy(step: Step, after: Sequence[pulumi.Resource]) -> Policy:
        return first[step.number] if step.number in first else declared(step, after)

    def attached(number: Number, policy: Policy) -> pulumi.Resource:
        return Attachment(
            logical_name(identity.name, About.ATTACHMENT, number),
            user_name=user.name,
            policy_name=policy.name,
            connection=connection,
            opts=child,
        )

    attachments = declare_attached(steps, policy, attached)

    def key(generation: int) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        account = ServiceAccount(
            logical_name(identity.name, About.KEY, generation),
            target_user=user.name,
            policy=as_json(service_account_policy(plan, identity)),
            connection=connection,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=attachments),
        )
        return account.accessKey, account.secretKey

    return Credential.of_generations(identity.credential, key)
