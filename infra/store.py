"""The common part of both stores: the options of a bucket's resources, and the credentials.

The rule: a store implements the plan unchanged and makes no decision that belongs to the plan. It leaves out what a
backend cannot do (`model.deployment`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import pulumi

from model.generations import Generations
from model.plan import BucketPlan
from model.resources import About, logical_name


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
