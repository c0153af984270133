"""A configured provider: the clients, the region, and the tags of every resource.

The one rule: Check works before the plugin contacts the server, so the resource types share one `Scope`, which the last
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
        region: the region of resources that name no other region.
        account_id: the account of the credentials.
        caller_arn: the identity of the credentials.
        caller_id: the caller's unique id.
        default_tags: the tags of every resource.
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
        # setdefault on a dict is atomic, so two concurrent calls get the same clients.
        return self._clients.setdefault(where, AwsClients(self.connection, where))


@dataclass
class Scope:
    """The facts of the provider that the resource types have before they get a connection."""

    account: Account | None = None
