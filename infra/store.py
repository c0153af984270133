"""The common part of both stores: a bucket's options, the order of an identity's policies, and the credentials.

The rule: a store implements the plan unchanged and makes no decision that belongs to the plan. It leaves out what a
backend cannot do (`model.deployment`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import pulumi

from model.generations import Generations
from model.plan import BucketPlan, IdentityPlan
from model.policies import PolicyDocument
from model.policy_order import FormerPolicies, Number, Step, update_order
from model.resources import About, logical_name

Made = TypeVar("Made", bound=pulumi.Resource)


def bucket_options(
    parent: pulumi.Resource,
    plan: BucketPlan,
    what: About = About.BUCKET,
    *,
    after: pulumi.Resource | None = None,
    protect: bool | None = None,
    keep: bool | None = None,
) -> pulumi.ResourceOptions:
    """The options of a resource that belongs to a bucket.

    A renamed domain has its former names as aliases, so the engine does not delete or replace its bucket's resources.

    Args:
        parent: The store component.
        plan: The bucket.
        what: What the resource configures.
        after: The resource that must be applied to the bucket first.
        protect: The resource cannot be deleted.
        keep: The resource remains on the server when it is deleted from the stack.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=None if after is None else [after],
        protect=protect,
        retain_on_delete=keep,
        aliases=[pulumi.Alias(name=logical_name(former, what)) for former in plan.renamed_from if former != plan.domain]
        or None,
    )


def policy_steps(
    identity: IdentityPlan, documents: Sequence[PolicyDocument], former: FormerPolicies
) -> tuple[Step, ...]:
    """An identity's policies, each after the ones that must change first; a warning if a moment may lack a grant."""
    order = update_order(former.get(identity.name, {}), documents)
    if not order.is_complete:
        pulumi.log.warn(
            f"the domains of {identity.name} have another order than before, so it may be refused some of them for "
            "seconds during the update; add new domains without moving the others"
        )
    return order.steps


def declare_attached(
    steps: Sequence[Step],
    policy: Callable[[Step, Sequence[pulumi.Resource]], Made],
    attached: Callable[[Number, Made], pulumi.Resource],
) -> list[pulumi.Resource]:
    """Declare an identity's policies and their attachments in their order; returns the attachments.

    Args:
        steps: The policies.
        policy: Declares a policy that waits for some attachments.
        attached: Declares the attachment of a policy.
    """
    attachments: dict[Number, pulumi.Resource] = {}
    for step in steps:
        made = policy(step, [attachments[earlier] for earlier in step.after])
        attachments[step.number] = attached(step.number, made)
    return list(attachments.values())


@dataclass(frozen=True)
class Credential:
    """An identity's current key pair; both parts are known only after the update.

    Attributes:
        access_key_id: The access key.
        secret_access_key: The secret key, a Pulumi secret.
        previous: The previous generation's pair, while it is valid.
    """

    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str] = field(repr=False)
    previous: "Credential | None" = None

    @classmethod
    def of_generations(
        cls, generations: Generations, made: Callable[[int], tuple[pulumi.Output[str], pulumi.Output[str]]]
    ) -> Self:
        """Declare the key of each valid generation.

        Args:
            generations: The valid generations.
            made: Declares the key of one generation and returns its access key and its secret key.
        """
        pairs = [made(generation) for generation in generations.live]
        previous = [cls(key, pulumi.Output.secret(secret)) for key, secret in pairs[1:]]
        key, secret = pairs[0]
        return cls(key, pulumi.Output.secret(secret), next(iter(previous), None))

    @property
    def published(self) -> dict[str, Any]:
        """The pair in the form of the output `credentials` (`model.deployment.KeyPair`)."""
        own: dict[str, Any] = {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key}
        return own if self.previous is None else {**own, "previous": self.previous.published}
