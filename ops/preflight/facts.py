"""The facts of the preflight about the stack and the server.

The rule: an answer is a value, or the code of the error that came instead (`verify.facts.Answer`). The only secret is
the password of `StateAccess`, which no representation shows. It leaves out all judgement (`ops.preflight.checks`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from model.endpoint import Endpoint
from model.policies import Cloud
from model.resources import AdminApiVersion
from model.user_names import ServerName
from ops.recover.lost import Held
from verify.facts import Answer, Tried

NOT_ASKED = "NotAsked"
#: The SDKs trust the certificate, and the adapter does not.
UNUSABLE = "CertificateNotUsable"


@dataclass(frozen=True)
class StateAccess:
    """The endpoint and credentials of a refresh, which come from the state and not from the config.

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
        pending: Names of the buckets that an interrupted update was creating.
        interrupted: How many operations an interrupted update left pending.
        access: How a refresh reaches the server; None before the first `pulumi up`, and on AWS.
        managed_by: The admin APIs that manage its identities, v3 or v4; empty without identities, and on AWS.
        held: Its resources that can be lost on the server.
        names: The names of its users, roles and policies, and those that an interrupted update was creating.
        generations: The generations of the access keys in it, by identity.
        key_ids: The ids of these keys.
    """

    buckets: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    interrupted: int = 0
    access: StateAccess | None = None
    managed_by: frozenset[AdminApiVersion] = frozenset()
    held: tuple[Held, ...] = ()
    names: frozenset[ServerName] = frozenset()
    generations: Mapping[str, frozenset[int]] = field(default_factory=dict)
    key_ids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StackFacts:
    """A stack before it is deployed.

    Attributes:
        name: Its name.
        cloud: aistor or aws.
        planned: From bucket name to domain, for every planned bucket.
        state: What its state holds.
        endpoint: aistor: the endpoint for provisioning.
        client_endpoint: aistor: the endpoint that clients get.
        user: aistor: access key of the admin.
        admin_api: aistor: v3 or v4, as the config or the state decides.
        allowed_account_ids: aws: the only accounts that may be changed; empty for any.
        region: The setting.
        region_code: The setting.
    """

    name: str
    cloud: Cloud
    planned: Mapping[str, str]
    state: StateFacts
    endpoint: Endpoint | None = None
    client_endpoint: Endpoint | None = None
    user: str = ""
    admin_api: AdminApiVersion = "v4"
    allowed_account_ids: tuple[str, ...] = ()
    region: str = ""
    region_code: str = ""


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
        door: Whether the connection succeeded.
        certificate: The certificate of the server; None over plain http.
        skew_seconds: This machine's clock minus the server's.
        admin_api: HTTP status of an unsigned request to the admin API, by version; only versions that answered.
        buckets: The buckets that the admin sees.
        admin_info: Whether the admin API accepts the admin; tested only if the listing was refused.
        default_pair: Whether the server accepts the vendor's default pair.
        state_access: Whether the server accepts the state's credentials; None if they equal the config's or are absent.
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
        skew_seconds: This machine's clock minus AWS's.
        buckets: The account's own buckets.
        others: The result of HEAD, by planned name that is not the account's own bucket.
    """

    account: Answer[str]
    skew_seconds: Answer[float]
    buckets: Answer[frozenset[str]]
    others: Mapping[str, Tried]
