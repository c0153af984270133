"""Runs the engine's own preview.

The rule: the output of `pulumi` may hold secrets, so only the parsed part of its standard output is passed on.
`ops.preview.steps` interprets it.
"""

from typing import Any

from model.written import WrittenError
from model.written_json import parse_json
from stack.engine_advice import with_advice
from stack.runner import EngineError, checked_name, run_pulumi


def engine_preview(stack: str, *, refresh: bool) -> tuple[dict[str, Any], int]:
    """The output of `pulumi preview --json`, which may hold the engine's errors, and its exit status.

    Args:
        stack: The stack's name.
        refresh: The engine reads the live store first, so that drift is visible.

    Raises:
        EngineError: pulumi or the stack does not exist, or pulumi printed no preview.
    """
    # Without --show-sames, unchanged resources would be missing on both sides of the comparison.
    options = ["--json", "--show-sames", "--color", "never"]
    if refresh:
        options.append("--refresh")
    said = run_pulumi("preview", *options, "--stack", checked_name(stack), may_fail=True)
    try:
        found = parse_json(said.output, "pulumi preview")
    except WrittenError:
        found = None
    if not isinstance(found, dict) or "steps" not in found:
        diagnostics = (found.get("diagnostics") if isinstance(found, dict) else None) or []
        messages = [str(item.get("message", "")).strip() for item in diagnostics if isinstance(item, dict)]
        reason = with_advice("\n".join(messages) or said.errors.strip())
        raise EngineError(f"`pulumi preview` of {stack} printed no preview (exit {said.status}):\n{reason}")
    return found, said.status
