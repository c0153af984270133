"""Access keys that left the state while the stack's outputs still have their secrets, and that still work.

The rule: a key comes back as a resource only if the server has it, for the same user, and lets its pair in. Nothing is
guessed: a pair that fails any of these is left out, and `pulumi up` makes a new key for that identity. It changes
nothing on the server.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.admin_api import AdminApi, NotFoundError
from infra.s3_client import open_client
from infra.settings import AistorSettings, Settings
from model.deployment import KeyPair
from model.plan import StorePlan
from model.resources import STACK, TYPES, About, By, logical_name
from ops.adopt.adoptable import Held
from ops.keys.live_keys import live_keys
from stack.outputs import Published, parse_published
from stack.state import resources_of
from stack.state_secret import revealed

_NOT_ALLOWED = "AccessDenied"


@dataclass(frozen=True)
class KeptKey:
    """A published access key of a planned generation.

    Attributes:
        identity: The identity's name in the taxonomy.
        user: The user on the server.
        generation: The generation.
        access_key_id: The access key.
        secret_access_key: Its secret key.
        live: Its attributes on the server that the state holds, too.
    """

    identity: str
    user: str
    generation: int
    access_key_id: str
    secret_access_key: str = field(repr=False)
    live: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its resource in the program."""
        return logical_name(self.identity, About.KEY, self.generation)


def published_in(exported: Mapping[str, Any], stack: str) -> Published | None:
    """What the stack in an exported state, with its secrets in clear, has published; None if it has published nothing.

    Raises:
        EngineError: The key pairs are malformed.
        InvalidInputError: The deployment has another version, or is malformed.
    """
    for resource in resources_of(exported):
        outputs = resource.get("outputs") or {}
        if resource["type"] == STACK and {"deployment", "credentials"} <= outputs.keys():
            return parse_published(revealed(outputs["deployment"]), revealed(outputs["credentials"]), f"stack {stack}")
    return None


def missing_keys(plan: StorePlan, state: Held, by: By) -> list[tuple[str, int]]:
    """The identity and generation of each planned key that the state lacks; `pulumi up` would make it."""
    held = {name for kind, name in state.keys if kind == TYPES[by][About.KEY]}
    return [
        (identity.name, generation)
        for identity in plan.identities
        if identity.trust is None
        for generation in identity.credential.live
        if logical_name(identity.name, About.KEY, generation) not in held
    ]


def published_keys(plan: StorePlan, published: Published | None, missing: Sequence[tuple[str, int]]) -> list[KeptKey]:
    """The missing keys whose secret the stack has published, each in the generation that it was published as."""
    if published is None:
        return []
    users = {identity.name: identity.user_name for identity in plan.identities}
    return [
        KeptKey(
            identity.name, users[identity.name], number, pair.access_key_id, pair.secret_access_key.get_secret_value()
        )
        for identity in published.deployment.plan.identities
        if identity.name in published.credentials
        for number, pair in zip(identity.credential.live, _pairs(published.credentials[identity.name]), strict=False)
        if (identity.name, number) in missing
    ]


def _pairs(pair: KeyPair | None) -> Iterator[KeyPair]:
    while pair is not None:
        yield pair
        pair = pair.previous


def working_keys(settings: Settings, found: Iterable[KeptKey]) -> list[KeptKey]:
    """The keys that the server has for the same user and lets in, with their attributes there.

    Raises:
        AdminApiError: AIStor refused a question about a key, or did not answer.
        KeysError: AWS refused a question about a user's keys, or did not answer.
    """
    asked = list(found)
    if not asked:
        return []
    own = settings.aistor
    there = _on_aws(settings, asked) if own is None else _on_aistor(own, settings.region, asked)
    return [key for key in there if _is_let_in(settings, key)]


def _on_aistor(own: AistorSettings, region: str, asked: Iterable[KeptKey]) -> list[KeptKey]:
    there = []
    with AdminApi(
        endpoint=own.endpoint.url,
        region=region,
        ca_pem=own.ca_pem,
        access_key_id=own.admin_user,
        secret_access_key=own.admin_password,
    ) as api:
        for key in asked:
            try:
                live = api.service_account(key.access_key_id)
            except NotFoundError:
                continue
            if live.get("parentUser") == key.user:
                there.append(_with(key, policy=str(live.get("policy", "")), status=str(live.get("accountStatus", ""))))
    return there


def _on_aws(settings: Settings, asked: Iterable[KeptKey]) -> list[KeptKey]:
    with live_keys(settings) as keys:
        return [key for key in asked if key.access_key_id in keys.of(key.user)]


def _with(key: KeptKey, **live: str) -> KeptKey:
    return KeptKey(key.identity, key.user, key.generation, key.access_key_id, key.secret_access_key, live)


def _is_let_in(settings: Settings, key: KeptKey) -> bool:
    """Whether the server accepts the pair: a listing that is refused for want of a right is accepted."""
    own = settings.aistor
    with open_client(
        endpoint=own.endpoint.url if own else None,
        region=settings.region,
        ca_pem=own.ca_pem if own else None,
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
    ) as client:
        try:
            client.list_buckets()
        except ClientError as error:
            return error.response["Error"].get("Code") == _NOT_ALLOWED
        except BotoCoreError:
            return False
    return True
