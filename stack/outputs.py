"""What a stack has published, with the key pairs, read by the `pulumi` on the path.

The rule: the key pairs stay in memory and are told apart from what may be shown. Only reads. `published_by` is for
the keys, `published` for the preview, `stack_outputs` for the verification.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from shutil import which
from typing import Any

from pydantic import ValidationError

from model.deployment import Credentials, Deployment, KeyPair
from stack.runner import READ_TIMEOUT_SECONDS, STACK_NAME_FORM, EngineError, run_pulumi


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


def published(stack: str) -> tuple[Deployment, dict[str, KeyPair]] | None:
    """The deployment and the key pairs of a stack; None for one that was never deployed.

    Raises:
        EngineError: They cannot be read.
        InvalidInputError: The deployment is of another version.
    """
    if not STACK_NAME_FORM.fullmatch(stack):
        raise EngineError(f"{stack!r} is no stack name; `pulumi stack ls` shows the names")
    said = run_pulumi("stack", "output", "--json", "--show-secrets", "--stack", stack)
    outputs = json.loads(said.output)
    if "deployment" not in outputs:
        return None
    try:
        pairs = Credentials.validate_python(outputs.get("credentials") or {})
    except ValidationError:
        raise EngineError(f"the credentials of {stack} are not what the program exports; pulumi up first") from None
    return Deployment.parse(outputs["deployment"], f"stack {stack}"), pairs


def stack_outputs(stack: str, *options: str) -> dict[str, Any]:
    """A stack's outputs as they are; secrets only with `--show-secrets`.

    Raises:
        EngineError: There is no pulumi, no such stack, or it has published nothing.
    """
    if not STACK_NAME_FORM.fullmatch(stack):
        raise EngineError(f"{stack!r} is no stack name; `pulumi stack ls` shows the names")
    program = which("pulumi")
    if program is None:
        raise EngineError(
            "no pulumi on the path: use --deployment FILE, or for the sandbox first "
            f'eval "$(python -m sandbox env {stack})"'
        )
    command = [program, "stack", "output", "--json", *options, "--stack", stack, "--non-interactive"]
    try:
        # S603: the only variable part is the stack's name, checked above.
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=READ_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"pulumi stack output did not end within {READ_TIMEOUT_SECONDS} s") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise EngineError(
            f"stack {stack!r}: {said[-1] if said else 'pulumi failed'}; `pulumi stack ls` shows the stacks"
        )
    outputs: dict[str, Any] = json.loads(done.stdout)
    if "deployment" not in outputs or "credentials" not in outputs:
        raise EngineError(f"stack {stack!r} has published nothing yet: run `pulumi up --stack {stack}`")
    return outputs
