"""What an identity receives: the variables that consumers read, and the endpoint in them.

The rule: a stock tool that reads these variables reaches the store or fails; it never reaches Amazon in the store's
place. A variable is set only where it is needed: no endpoint on AWS, where the SDKs find it, and no CA where the
system's certificates suffice. Pure: each target decides how it stores them.

The adapter defines `S3_ENDPOINT` and `S3_CA_BUNDLE` (`object_store.config`). `S3_ENDPOINT_URL` is s5cmd's
(https://github.com/peak/s5cmd). The others are the SDKs':
https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from model.deployment import Deployment, KeyPair

Reach = Literal["host", "cluster"]

ACCESS_KEY_ID = "AWS_ACCESS_KEY_ID"
SECRET_ACCESS_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - a variable's name
#: Sent with every request, so a token that another key left behind makes the store refuse this one; never set.
SESSION_TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105 - a variable's name
REGION = "AWS_REGION"
#: The aws CLI and boto3 read only the second.
REGIONS = (REGION, "AWS_DEFAULT_REGION")
ENDPOINT = "S3_ENDPOINT"
#: A service's own variable outranks the general one, so both are set: another shell may have set either.
ENDPOINTS = (ENDPOINT, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL")
#: `true` makes the SDKs pass over `AWS_ENDPOINT_URL` and go to Amazon.
IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
#: Without it the Rust clients (polars, obstore, delta-rs) refuse an endpoint without TLS.
ALLOW_HTTP = "AWS_ALLOW_HTTP"
CA_BUNDLE = "S3_CA_BUNDLE"
CA_BUNDLES = (CA_BUNDLE, "AWS_CA_BUNDLE")
#: The buckets in JSON, by domain; each has a variable of its own besides (`bucket_variable`).
BUCKETS = "S3_BUCKETS"
BUCKET_PREFIX = "S3_BUCKET_"
#: The buckets in which the adapter writes every object with `if_absent`, because the server refuses any other put.
WRITE_ONCE = "S3_WRITE_ONCE"
#: The variables with a fixed name that a delivery may set, or takes out; a target removes those no longer set.
NAMES = (
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    *REGIONS,
    *ENDPOINTS,
    IGNORE_ENDPOINTS,
    ALLOW_HTTP,
    *CA_BUNDLES,
    BUCKETS,
    WRITE_ONCE,
)


def bucket_variable(domain: str) -> str:
    """The variable that holds a bucket's name.

    >>> bucket_variable("media-raw")
    'S3_BUCKET_MEDIA_RAW'
    """
    return f"{BUCKET_PREFIX}{domain.replace('-', '_').upper()}"


@dataclass(frozen=True)
class Handover:
    """What one identity receives.

    Attributes:
        stack: The stack that published the key pair.
        identity: Its name in the taxonomy.
        pair: Its current key pair.
        region: The region that its requests are signed for.
        endpoint: The URL at which it reaches the store; None on AWS.
        ca_pem: CA certificates that it must trust; None for the system's certificates.
        buckets: Names of the buckets that it has a grant on, by domain; for the verifier, all buckets.
        write_once: The buckets in which the server refuses its puts over an object.
    """

    stack: str
    identity: str
    pair: KeyPair = field(repr=False)
    region: str
    endpoint: str | None
    ca_pem: str | None
    buckets: Mapping[str, str]
    write_once: tuple[str, ...] = ()

    @property
    def entry(self) -> str:
        """The name of this identity of this stack in a tool's configuration, where other stacks may be too."""
        return f"objectstore-{_plain(self.stack)}-{self.identity}"

    @property
    def ca_name(self) -> str:
        """The name of the file with the stack's CA; not `ca.pem`, which may belong to another program."""
        return f"objectstore-{_plain(self.stack)}-ca.pem"

    def settings(self, ca_path: str | None) -> dict[str, str]:
        """The variables that are not secret; `ca_path` is where the consumer finds the CA."""
        values = dict.fromkeys(REGIONS, self.region)
        if self.endpoint is not None:
            values |= dict.fromkeys(ENDPOINTS, self.endpoint) | {IGNORE_ENDPOINTS: "false"}
            if self.endpoint.startswith("http://"):
                values[ALLOW_HTTP] = "true"
        if self.ca_pem is not None and ca_path is not None:
            values |= dict.fromkeys(CA_BUNDLES, ca_path)
        if self.write_once:
            values[WRITE_ONCE] = ",".join(self.write_once)
        values[BUCKETS] = json.dumps(dict(self.buckets), sort_keys=True)
        return values | {bucket_variable(domain): bucket for domain, bucket in sorted(self.buckets.items())}

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
                stack=deployment.stack,
                identity=name,
                pair=credentials[name],
                region=deployment.region,
                endpoint=endpoint,
                ca_pem=deployment.ca_pem,
                buckets=everything if identity.verifies else granted,
                write_once=tuple(grant.bucket for grant in identity.grants if grant.write_once),
            )
        )
    return given


def _plain(stack: str) -> str:
    """A stack's name with only what each tool allows in a name."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", stack)
