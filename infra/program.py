"""The Pulumi program: settings -> plan -> store of the declared cloud -> exports.

The rule: bad input ends the program before it declares any resource, with one message that says what to write.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pulumi

from infra.namespace import NAMESPACE
from infra.settings import Settings, read_settings
from infra.standing import check_standing, former_policies, resources_of_stack
from model.deployment import Deployment, build_deployment
from model.generations import parse_generations
from model.plan import StorePlan, build_plan, check_appends
from model.policies import Cloud, refuses_overwrites
from model.policy_limits import check_policies
from model.policy_order import FormerPolicies
from model.problems import InvalidInputError, Problem
from model.secrecy.redaction import redacted
from model.taxonomy_file import extended, load
from model.trust import check_trusts, the_account
from model.user_names import UserNames, form_in

if TYPE_CHECKING:
    from infra.aistor import AistorStore
    from infra.aws import AwsStore


def main() -> None:
    """Declare the stack and export `deployment` and `credentials`.

    Raises:
        pulumi.RunError: The input is invalid; the engine shows the message without a stack trace.
    """
    try:
        settings = read_settings()
        standing = resources_of_stack()
        plan = plan_for(settings, form_in(standing))
        settings = check_standing(plan, settings, standing)
        store = _store(plan, settings, former_policies(standing))
    except InvalidInputError as error:
        raise pulumi.RunError(redacted(str(error))) from None
    pulumi.export("deployment", deployment_for(plan, settings).model_dump(mode="json"))
    pulumi.export(
        "credentials",
        pulumi.Output.secret({name: credential.published for name, credential in store.credentials.items()}),
    )


def plan_for(settings: Settings, names: UserNames | None) -> StorePlan:
    """The plan of a stack: the taxonomy, the stack's additions, the stack's codes.

    Args:
        settings: The stack's settings.
        names: The form of the names in its state (`model.user_names.form_in`); None for a stack that has none.

    Raises:
        InvalidInputError: One of them is malformed, the admin is one of the plan's users, or the cloud cannot have the
            plan (`check_on_cloud`).
    """
    taxonomy = extended(load(), domains=settings.domains, identities=settings.identities, where=settings.where)
    plan = build_plan(
        taxonomy,
        env=settings.env,
        region_code=settings.region_code,
        tls_only=settings.tls_only,
        where=settings.where,
        refuses_overwrites=refuses_overwrites(settings.cloud),
        generations=parse_generations(settings.credentials, taxonomy.identities, settings.where),
        names=names or UserNames.BY_REGION,
    )
    _check_admin(plan, settings)
    accounts = settings.aws.allowed_account_ids if settings.aws else ()
    check_on_cloud(plan, settings.cloud, settings.region, accounts, settings.where)
    return plan


def check_on_cloud(plan: StorePlan, cloud: Cloud, region: str, accounts: Sequence[str], where: str) -> None:
    """Check that a cloud can have a plan.

    Args:
        plan: The plan.
        cloud: The stack's cloud.
        region: The stack's region.
        accounts: The stack's `allowedAccountIds`.
        where: The name of the config in problems.

    Raises:
        InvalidInputError: The cloud has no such region, cannot have a role for an identity with a trust, would refuse a
            policy, or cannot keep what an `append` grant overwrites.
    """
    if cloud == "aws":
        # Imported only if needed: botocore is slow to import.
        from infra.regions import check_region  # noqa: PLC0415

        check_region(region, where)
    check_trusts([identity.name for identity in plan.identities if identity.trust], cloud, accounts, where)
    check_appends(plan)
    check_policies(plan, cloud, the_account(accounts) or "0" * 12)


def _check_admin(plan: StorePlan, settings: Settings) -> None:
    """On the server, a planned user takes the place of an admin with the same name."""
    holders = {identity.user_name: identity.name for identity in plan.identities}
    admin = settings.aistor.admin_user if settings.aistor else ""
    if admin in holders:
        raise InvalidInputError(
            [
                Problem(
                    f"{settings.where}adminUser",
                    f"{admin} is the user of the identity {holders[admin]}, so the update would replace its own admin",
                    "an admin that is none of the plan's users",
                    f"{NAMESPACE}:adminUser: provisioner-{settings.env}",
                )
            ]
        )


def deployment_for(plan: StorePlan, settings: Settings) -> Deployment:
    """What the stack publishes."""
    aistor = settings.aistor
    return build_deployment(
        plan,
        stack=settings.stack,
        cloud=settings.cloud,
        region=settings.region,
        endpoint=aistor.client_endpoint.url if aistor else None,
        provisioning_endpoint=aistor.endpoint.url if aistor else None,
        ca_pem=aistor.ca_pem if aistor else None,
        kms_key=settings.aws.kms_key_arn if settings.aws else None,
        tags=settings.tags,
        account=the_account(settings.aws.allowed_account_ids) if settings.aws else None,
    ).model_copy(update={"administrators": settings.administrators})


def _store(plan: StorePlan, settings: Settings, former: FormerPolicies) -> "AistorStore | AwsStore":
    # Imported only if chosen: each SDK takes about a second to import.
    if settings.cloud == "aistor":
        from infra.aistor import AistorStore  # noqa: PLC0415

        return AistorStore("store", plan, settings, former)
    from infra.aws import AwsStore  # noqa: PLC0415

    return AwsStore("store", plan, settings, former)
