"""What an identity receives: the variables that consumers read, and the endpoint in them.

The rule: a variable is set only where it is needed. `S3_ENDPOINT` is absent on AWS, where the SDKs find it, and
`S3_CA_BUNDLE` is absent where the system's certificates suffice. Pure: each target decides how it stores them.

The adapter defines the names: `object_store.config`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from model.deployment import Deployment, KeyPair

Reach = Literal["host", "cluster"]

ACCESS_KEY_ID = "AWS_ACCESS_KEY_ID"
SECRET_ACCESS_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - a variable's name
REGION = "AWS_REGION"
ENDPOINT = "S3_ENDPOINT"
CA_BUNDLE = "S3_CA_BUNDLE"
#: All variables that a delivery may set, in the order in which it writes them; a target removes those no longer set.
NAMES = (ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION, ENDPOINT, CA_BUNDLE)


@dataclass(frozen=True)
class Handover:
    """What one identity receives.

    Attributes:
        identity: Its name in the taxonomy.
        pair: Its current key pair.
        region: The region that its requests are signed for.
        endpoint: The URL at which it reaches the store; None on AWS.
        ca_pem: CA certificates that it must trust; None for the system's certificates.
        buckets: Names of the buckets that it has a grant on, by domain; for the verifier, all buckets.
    """

    identity: str
    pair: KeyPair = field(repr=False)
    region: str
    endpoint: str | None
    ca_pem: str | None
    buckets: Mapping[str, str]

    def settings(self, ca_path: str | None) -> dict[str, str]:
        """The variables that are not secret; `ca_path` is where the consumer finds the CA."""
        values = {REGION: self.region}
        if self.endpoint is not None:
            values[ENDPOINT] = self.endpoint
        if self.ca_pem is not None and ca_path is not None:
            values[CA_BUNDLE] = ca_path
        return values

    def keys(self) -> dict[str, str]:
        """The variables of the key pair, in clear text."""
        return {
            ACCESS_KEY_ID: self.pair.access_key_id,
            SECRET_ACCESS_KEY: self.pair.secret_access_key.get_secret_value(),
        }


def handovers(
    deployment: Deployment, credentials: Mapping[str, KeyPair], identities: Sequence[str], reach: Reach
) -> list[Handover]:
    """What each of the given identities receives.

    Args:
        deployment: What the stack published.
        credentials: The published key pairs, by identity.
        identities: Names of identities that have a key pair.
        reach: Where they run: on this host, or in a pod of the cluster.
    """
    endpoint = deployment.endpoint
    if reach == "host":
        endpoint = deployment.provisioning_endpoint or deployment.endpoint
    planned = {identity.name: identity for identity in deployment.plan.identities}
    given = []
    for name in identities:
        identity = planned[name]
        granted = {grant.domain: grant.bucket for grant in identity.grants}
        everything = {bucket.domain: bucket.name for bucket in deployment.plan.buckets}
        given.append(
            Handover(
                identity=name,
                pair=credentials[name],
                region=deployment.region,
                endpoint=endpoint,
                ca_pem=deployment.ca_pem,
                buckets=everything if identity.verifies else granted,
            )
        )
    return given
