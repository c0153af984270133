"""Declares a plan's identities as resources of this package, with the names that `infra.aistor` uses.

The rule: the resources declared here and there differ only in type.
"""

from collections.abc import Mapping

import pulumi

from infra.identity.attachment import Attachment
from infra.identity.connection import connection_inputs
from infra.identity.policy import Policy
from infra.identity.service_account import ServiceAccount
from infra.identity.user import User
from infra.settings import AistorSettings
from infra.store import Credential
from model.plan import IdentityPlan, StorePlan
from model.policies import as_json, identity_policies, service_account_policy
from model.resources import About, logical_name, numbered, with_numbers


def declare_identities(
    parent: pulumi.Resource, plan: StorePlan, settings: AistorSettings, region: str
) -> dict[str, Credential]:
    """Declare user, policies, attachments and service accounts of each identity; returns the keys by identity."""
    connection = connection_inputs(settings, region)
    return {identity.name: _identity(parent, plan, identity, connection) for identity in plan.identities}


def _identity(
    parent: pulumi.Resource, plan: StorePlan, identity: IdentityPlan, connection: Mapping[str, str]
) -> Credential:
    child = pulumi.ResourceOptions(parent=parent)
    policies = [
        Policy(
            logical_name(identity.name, About.POLICY, number),
            name=numbered(identity.user_name, number),
            policy=as_json(document),
            connection=connection,
            opts=child,
        )
        for number, document in with_numbers(identity_policies(plan, identity, "aistor"))
    ]
    # The user goes before its policies: the server detaches none from a user that is switched off.
    after_policies = pulumi.ResourceOptions(parent=parent, depends_on=policies)
    user = User(
        logical_name(identity.name, About.USER), name=identity.user_name, connection=connection, opts=after_policies
    )
    attachments = [
        Attachment(
            logical_name(identity.name, About.ATTACHMENT, number),
            user_name=user.name,
            policy_name=policy.name,
            connection=connection,
            opts=child,
        )
        for number, policy in with_numbers(policies)
    ]

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
