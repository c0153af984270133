"""What the preview asks of the engine: its own preview, and what the stack published.

The rule: what `pulumi` prints may hold secrets, so of its standard output only what is parsed goes on. What a preview
says is read by `infra.preview.steps`.
"""

import json
from typing import Any

from pydantic import ValidationError

from infra.deployment import Credentials, Deployment, KeyPair
from infra.engine import STACK_NAME_FORM, EngineError, run_pulumi


def engine_preview(stack: str, *, refresh: bool) -> tuple[dict[str, Any], int]:
    """What `pulumi preview --json` says, which may hold the engine's own errors, and its exit status.

    Args:
        stack: The stack's name.
        refresh: The engine reads the live store first, so that drift is seen.

    Raises:
        EngineError: There is no pulumi, no such stack, or no preview at all.
    """
    # Without --show-sames what stays as it is would be missing on both sides of the comparison.
    options = ["--json", "--show-sames", "--color", "never"]
    if refresh:
        options.append("--refresh")
    said = run_pulumi("preview", *options, "--stack", _checked(stack), may_fail=True)
    try:
        found = json.loads(said.output)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or "steps" not in found:
        messages = [str(item.get("message", "")).strip() for item in (found or {}).get("diagnostics", [])]
        raise EngineError(
            f"`pulumi preview` of {stack} gave no preview (exit {said.status}); the stacks: pulumi stack ls\n"
            + ("\n".join(messages) or said.errors.strip())
        )
    return found, said.status


def published(stack: str) -> tuple[Deployment, dict[str, KeyPair]] | None:
    """The deployment and the key pairs of a stack; None for one that was never deployed.

    Raises:
        EngineError: They cannot be read.
        InvalidInputError: The deployment is of another version.
    """
    said = run_pulumi("stack", "output", "--json", "--show-secrets", "--stack", _checked(stack))
    outputs = json.loads(said.output)
    if "deployment" not in outputs:
        return None
    try:
        pairs = Credentials.validate_python(outputs.get("credentials") or {})
    except ValidationError:
        raise EngineError(f"the credentials of {stack} are not what the program exports; pulumi up first") from None
    return Deployment.parse(outputs["deployment"], f"stack {stack}"), pairs


def _checked(stack: str) -> str:
    if not STACK_NAME_FORM.fullmatch(stack):
        raise EngineError(f"{stack!r} is no stack name; `pulumi stack ls` shows the names")
    return stack
