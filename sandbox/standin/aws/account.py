"""What a configured provider is: the clients, the region, and the tags that every resource carries.

The one rule: Check works before the server is asked, so the resource types share one `Scope`, which the last
Configure fills (an attached plugin serves one provider at a time). Left out: assumed roles and ignored tags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.standin.aws.connection import AwsClients, AwsConnection

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Account:
    """A configured provider.

    Attributes:
        connection: endpoint and credentials.
        region: where resources are managed that do not say otherwise.
        account_id: whose the credentials are.
        caller_arn: who the credentials belong to.
        caller_id: the caller's unique id.
        default_tags: what every resource carries.
    """

    connection: AwsConnection
    region: str
    account_id: str
    caller_arn: str
    caller_id: str
    default_tags: Mapping[str, str]
    _clients: dict[str, AwsClients] = field(default_factory=dict, repr=False)

    def clients(self, region: object = None) -> AwsClients:
        """Return the clients for a region, the provider's own if none is given."""
        where = region if isinstance(region, str) and region else self.region
        # setdefault on a dict is atomic: two calls at once get the same clients.
        return self._clients.setdefault(where, AwsClients(self.connection, where))


@dataclass
class Scope:
    """What the resource types know of the provider before they are given a connection."""

    account: Account | None = None
