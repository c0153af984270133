"""What a stack has published, read by the `pulumi` on the path or from files in its form: the only reader of outputs.

The rule: the key pairs stay in memory and are told apart from what may be shown; what `pulumi` printed is in no error,
because it may be the key pairs. Only reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from model.deployment import Credentials, Deployment, KeyPair
from stack.runner import EngineError, read_json

_WITH_SECRETS = "--show-secrets"


class NothingPublishedError(EngineError):
    """The stack was never deployed, or by something else than this project."""


@dataclass(frozen=True)
class Published:
    """What a stack has published.

    Attributes:
        deployment: What it published without secrets.
        credentials: Key pair by identity; an identity that holds none is absent.
        where: How a message names it.
    """

    deployment: Deployment
    credentials: Mapping[str, KeyPair] = field(repr=False)
    where: str


def read_published(stack: str) -> Published:
    """Read a stack's outputs, the key pairs included.

    Raises:
        EngineError: There is no pulumi or no such stack, or its key pairs are malformed.
        InvalidInputError: The deployment is of another version, or malformed.
        NothingPublishedError: The stack has published nothing yet.
    """
    outputs = _outputs(stack, _WITH_SECRETS)
    return parse_published(outputs["deployment"], outputs["credentials"], f"stack {stack}")


def read_deployment(stack: str) -> Deployment:
    """Read what a stack has published without secrets; none is asked for.

    Raises:
        EngineError: There is no pulumi, or no such stack.
        InvalidInputError: The deployment is of another version, or malformed.
        NothingPublishedError: The stack has published nothing yet.
    """
    return Deployment.parse(_outputs(stack)["deployment"], f"stack {stack}")


def parse_published(deployment: object, credentials: object, where: str) -> Published:
    """Check outputs that were read already.

    Args:
        deployment: The output `deployment`.
        credentials: The output `credentials`.
        where: How a message names them.

    Raises:
        EngineError: The key pairs are malformed; the message has places and no value.
        InvalidInputError: The deployment is of another version, or malformed.
    """
    parsed = Deployment.parse(deployment, where)
    try:
        pairs = Credentials.validate_python(credentials)
    except ValidationError as error:
        places = sorted({".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)})
        raise EngineError(f"{where}: the credentials are malformed at {', '.join(places)}") from None
    return Published(parsed, pairs, where)


def _outputs(stack: str, *options: str) -> dict[str, Any]:
    outputs = read_json("stack", "output", "--json", *options, stack=stack)
    if not {"deployment", "credentials"} <= outputs.keys():
        raise NothingPublishedError(f"stack {stack!r} has published nothing yet; first: pulumi up --stack {stack}")
    return outputs
