"""What a stack has published, with the key pairs, read by the `pulumi` on the path.

The rule: the key pairs stay in memory and are told apart from what may be shown. Only reads.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from infra.deployment import Credentials, Deployment, KeyPair
from infra.engine import STACK_NAME_FORM, EngineError, run_pulumi


@dataclass(frozen=True)
class Published:
    """What a stack has published.

    Attributes:
        deployment: What it published without secrets.
        credentials: Key pair by identity; an identity that holds none is absent.
    """

    deployment: Deployment
    credentials: Mapping[str, KeyPair] = field(repr=False)


def published_by(stack: str) -> Published:
    """Read a stack's outputs.

    Args:
        stack: The stack's name.

    Raises:
        EngineError: There is no pulumi, no such stack, or it has published nothing that can be read.
        InvalidInputError: The deployment is of another version of the contract.
    """
    if not STACK_NAME_FORM.fullmatch(stack):
        raise EngineError(f"{stack!r} is no stack name; `pulumi stack ls` shows the names")
    said = run_pulumi("stack", "output", "--json", "--show-secrets", "--stack", stack, may_fail=True)
    if said.status:
        # Its output, which an error of `run_pulumi` falls back on, may hold the key pairs.
        raise EngineError(f"`pulumi stack output` failed:\n{said.errors.strip() or f'exit status {said.status}'}")
    again = f"pulumi up --stack {stack}"
    try:
        outputs = json.loads(said.output)
    except json.JSONDecodeError:
        raise EngineError("`pulumi stack output` printed no JSON; which pulumi is on the path?") from None
    if not isinstance(outputs, dict) or not {"deployment", "credentials"} <= set(outputs):
        raise EngineError(f"stack {stack!r} has published nothing yet; first: {again}")
    deployment = Deployment.parse(outputs["deployment"], f"stack {stack}")
    try:
        credentials = Credentials.validate_python(outputs["credentials"])
    except ValidationError as error:
        places = sorted({".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)})
        raise EngineError(
            f"stack {stack!r}: its output `credentials` is malformed at {', '.join(places)}; first: {again}"
        ) from None
    return Published(deployment, credentials)
