"""What the preflight knows: of the stack, of the server, and nothing judged.

The rule: an answer is a value or the code of the error that came instead (`verify.facts.Answer`); the only secret is
the password of `StateAccess`, which no representation shows. Judging is `ops.preflight.checks`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from model.endpoint import Endpoint
from model.policies import Cloud
from verify.facts import Answer, Tried

NOT_ASKED = "NotAsked"


@dataclass(frozen=True)
class StateAccess:
    """Where and as whom a refresh asks: it takes what the state holds, not what the config says.

    Attributes:
        endpoint: The server's URL.
        user: Access key of the admin.
        password: Its secret key.
    """

    endpoint: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class StateFacts:
    """What the stack's state holds.

    Attributes:
        buckets: Names of the buckets in it.
        pending: Names of the buckets that an interrupted update was making.
        interrupted: How many operations an interrupted update had under way.
        access: How a refresh reaches the server; None before the first `pulumi up`, and on AWS.
        managed_by: The admin APIs that manage its identities, v3 or v4; none where it has none, and on AWS.
    """

    buckets: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    interrupted: int = 0
    access: StateAccess | None = None
    managed_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StackFacts:
    """A stack before it is deployed.

    Attributes:
        name: Its name.
        cloud: aistor or aws.
        planned: Domain by bucket name, all that the plan wants.
        state: What its state holds.
        endpoint: aistor: where provisioning talks to.
        client_endpoint: aistor: where clients are sent.
        user: aistor: access key of the admin.
        admin_api: aistor: the setting, v3 or v4.
        allowed_account_ids: aws: no other account may be changed; empty for any.
    """

    name: str
    cloud: Cloud
    planned: Mapping[str, str]
    state: StateFacts
    endpoint: Endpoint | None = None
    client_endpoint: Endpoint | None = None
    user: str = ""
    admin_api: str = "v3"
    allowed_account_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServerCertificate:
    """A certificate that a CA of the bundle has signed.

    Attributes:
        names: Its alternative names, each with its kind (`DNS`, `IP Address`).
        ends: When it expires.
    """

    names: tuple[tuple[str, str], ...]
    ends: datetime


@dataclass(frozen=True)
class AistorFacts:
    """What a server of AIStor or MinIO answered.

    Attributes:
        door: Whether a connection came about.
        certificate: What it presented; None over plain http.
        skew_seconds: This machine's clock less the server's.
        admin_api: HTTP status of an unsigned request to the admin API, by its version; without those unanswered.
        buckets: What the admin sees.
        admin_info: Whether the admin API let the admin in; asked only where the listing was refused.
        default_pair: Whether the vendor's default pair was let in.
        state_access: Whether what the state holds is let in; None where it is what the config says, or there is none.
    """

    door: Tried
    certificate: Answer[ServerCertificate] | None
    skew_seconds: Answer[float]
    admin_api: Answer[Mapping[str, int]]
    buckets: Answer[frozenset[str]]
    admin_info: Tried | None
    default_pair: Tried
    state_access: Tried | None


@dataclass(frozen=True)
class AwsFacts:
    """What AWS answered.

    Attributes:
        account: The account of the credentials.
        skew_seconds: This machine's clock less AWS's.
        buckets: The account's own buckets.
        others: By planned name that is not the account's own, what HEAD said.
    """

    account: Answer[str]
    skew_seconds: Answer[float]
    buckets: Answer[frozenset[str]]
    others: Mapping[str, Tried]
