"""Access keys that left the state while the stack's outputs, or a file of them, still have their secrets.

The rule: a key comes back as a resource only if the server has it, for the same user, and accepts its pair. Nothing is
guessed: a pair that fails any of these is left out, and `pulumi up` makes a new key for that identity. It changes
nothing on the server.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from infra.admin_api import AdminApi, NotFoundError
from infra.live_buckets import WRONG_PAIR
from infra.s3_client import open_client
from infra.settings import AistorSettings, Settings
from model.deployment import Credentials, KeyPair
from model.generations import Generations
from model.plan import StorePlan
from model.resources import STACK, TYPES, About, By, logical_name
from model.written import WrittenError
from model.written_json import read_json_file
from ops.adopt.adoptable import Held
from ops.adopt.live import AdoptionError
from ops.keys.live_keys import live_keys
from ops.keys.private_file import is_private
from stack.outputs import parse_published
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


@dataclass(frozen=True)
class Pairs:
    """Published key pairs.

    Attributes:
        generations: The generations of each identity's pairs, the current one first.
        of: The pair of each identity, with the previous one.
    """

    generations: Mapping[str, Generations]
    of: Mapping[str, KeyPair] = field(repr=False)


def pairs_in_file(path: Path, plan: StorePlan) -> Pairs:
    """The pairs of a file that `pulumi stack output credentials --json --show-secrets` wrote.

    The file does not say of which generations they are, so they count as those of the plan.

    Raises:
        AdoptionError: The file cannot be read, can be read by others, or is malformed.
    """
    if path.exists() and not is_private(path):
        raise AdoptionError(f"{path}: other users can read it, and it holds secrets: chmod 600 {path}")
    try:
        of = Credentials.validate_python(read_json_file(path, str(path)))
    except WrittenError as error:
        raise AdoptionError(str(error)) from None
    except ValidationError:
        raise AdoptionError(
            f"{path}: these are not the key pairs that `pulumi stack output credentials --json --show-secrets` prints"
        ) from None
    return Pairs({identity.name: identity.credential for identity in plan.identities}, of)


def pairs_in_state(exported: Mapping[str, Any], stack: str) -> Pairs | None:
    """The pairs that the stack in an exported state, with its secrets in clear, has published; None if it has not.

    Raises:
        EngineError: The key pairs are malformed.
        InvalidInputError: The deployment has another version, or is malformed.
    """
    for resource in resources_of(exported):
        outputs = resource.get("outputs") or {}
        if resource["type"] == STACK and {"deployment", "credentials"} <= outputs.keys():
            credentials = revealed(outputs["credentials"])
            published = parse_published(revealed(outputs["deployment"]), credentials, f"stack {stack}")
            identities = published.deployment.plan.identities
            return Pairs({identity.name: identity.credential for identity in identities}, published.credentials)
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


def published_keys(plan: StorePlan, pairs: Pairs | None, missing: Sequence[tuple[str, int]]) -> list[KeptKey]:
    """The missing keys whose secret was published, each in its generation."""
    if pairs is None:
        return []
    return [
        KeptKey(
            identity.name, identity.user_name, number, pair.access_key_id, pair.secret_access_key.get_secret_value()
        )
        for identity in plan.identities
        if identity.name in pairs.of and identity.name in pairs.generations
        for number, pair in zip(pairs.generations[identity.name].live, _pairs(pairs.of[identity.name]), strict=False)
        if (identity.name, number) in missing
    ]


def _pairs(pair: KeyPair | None) -> Iterator[KeyPair]:
    while pair is not None:
        yield pair
        pair = pair.previous


def working_keys(settings: Settings, found: Iterable[KeptKey]) -> list[KeptKey]:
    """The keys that the server has for the same user and accepts, with their attributes there.

    Raises:
        AdminApiError: AIStor refused a question about a key, or did not answer.
        AdoptionError: The server neither accepted nor refused a key.
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
    with AdminApi.of(own, region) as api:
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
            code = error.response["Error"].get("Code", "")
            if code not in {_NOT_ALLOWED, *WRONG_PAIR}:
                raise AdoptionError(_untold(key, code)) from None
            return code == _NOT_ALLOWED
        except BotoCoreError as error:
            raise AdoptionError(_untold(key, str(error))) from None
    return True


def _untold(key: KeptKey, answer: str) -> str:
    """A busy or silent server has refused no key: without this error a working key would be made again."""
    return f"cannot tell whether the access key {key.access_key_id} of {key.identity} works: {answer}; try again later"
