"""What the preview asks of the engine: its own preview.

The rule: what `pulumi` prints may hold secrets, so of its standard output only what is parsed goes on. What a preview
says is read by `ops.preview.steps`.
"""

import json
from typing import Any

from stack.runner import EngineError, checked_name, run_pulumi


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
    said = run_pulumi("preview", *options, "--stack", checked_name(stack), may_fail=True)
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
