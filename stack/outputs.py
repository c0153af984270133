"""Reads what a stack has published, with the `pulumi` on the path or from files in the same form.

The rule: only this module reads outputs, and it changes nothing. The key pairs stay in memory, separate from values
that may be shown. No error contains what `pulumi` printed, because that may be the key pairs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from model.deployment import Credentials, Deployment, KeyPair
from model.problems import on_screen
from stack.runner import EngineError, read_json

_WITH_SECRETS = "--show-secrets"


class NothingPublishedError(EngineError):
    """The stack was never deployed, or another project deployed it."""


@dataclass(frozen=True)
class Published:
    """What a stack has published.

    Attributes:
        deployment: The published values that are not secret.
        credentials: Key pairs by identity; an identity without a key pair is absent.
        where: The name of the source in messages.
    """

    deployment: Deployment
    credentials: Mapping[str, KeyPair] = field(repr=False)
    where: str


def read_published(stack: str) -> Published:
    """Read a stack's outputs, including the key pairs.

    Raises:
        EngineError: pulumi is not on the path, the stack does not exist, or its key pairs are malformed.
        InvalidInputError: The deployment has another version, or is malformed.
        NothingPublishedError: The stack has published nothing yet.
    """
    outputs = _outputs(stack, _WITH_SECRETS)
    return parse_published(outputs["deployment"], outputs["credentials"], f"stack {stack}")


def read_deployment(stack: str) -> Deployment:
    """Read a stack's published deployment; this does not request any secret.

    Raises:
        EngineError: pulumi is not on the path, or the stack does not exist.
        InvalidInputError: The deployment has another version, or is malformed.
        NothingPublishedError: The stack has published nothing yet.
    """
    return Deployment.parse(_outputs(stack)["deployment"], f"stack {stack}")


def parse_published(deployment: object, credentials: object, where: str) -> Published:
    """Check outputs that were already read.

    Args:
        deployment: The output `deployment`.
        credentials: The output `credentials`.
        where: The name of the source in messages.

    Raises:
        EngineError: The key pairs are malformed; the message names places and no values.
        InvalidInputError: The deployment has another version, or is malformed.
    """
    parsed = Deployment.parse(deployment, where)
    try:
        pairs = Credentials.validate_python(credentials)
    except ValidationError as error:
        places = sorted({".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)})
        raise EngineError(on_screen(f"{where}: the credentials are malformed at {', '.join(places)}")) from None
    return Published(parsed, pairs, where)


def _outputs(stack: str, *options: str) -> dict[str, Any]:
    outputs = read_json("stack", "output", "--json", *options, stack=stack)
    if not {"deployment", "credentials"} <= outputs.keys():
        raise NothingPublishedError(f"stack {stack!r} has published nothing yet; first: pulumi up --stack {stack}")
    return outputs
