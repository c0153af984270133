"""A stack's state, with its config, as Pulumi exports them.

The rule: both come with their secrets, so they stay in memory; whoever reads them keeps each secret
(`model.secrecy.redaction`).
"""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from shutil import which
from typing import Any

from stack.runner import READ_TIMEOUT_SECONDS, STACK_NAME_FORM, EngineError


def config_and_state(stack: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The stack's config and its exported state, asked at the same time.

    Raises:
        EngineError: There is no pulumi, or no such stack.
    """
    if not STACK_NAME_FORM.fullmatch(stack):
        raise EngineError(f"{stack!r} is no stack name; `pulumi stack ls` shows the names")
    program = which("pulumi")
    if program is None:
        raise EngineError(f'no pulumi on the path; for the sandbox first: eval "$(python -m sandbox env {stack})"')
    commands = (("config", "--json"), ("stack", "export"))
    with ThreadPoolExecutor(len(commands)) as pool:
        config, exported = pool.map(lambda words: _read([program, *words], stack), commands)
    return config, exported


def _read(command: list[str], stack: str) -> dict[str, Any]:
    shown = " ".join(["pulumi", *command[1:]])
    try:
        done = subprocess.run(  # noqa: S603 - the only variable part is the stack's name, which was checked
            [*command, "--show-secrets", "--stack", stack, "--non-interactive"],
            capture_output=True,
            text=True,
            timeout=READ_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"`{shown}` did not end within {READ_TIMEOUT_SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise EngineError(
            f"stack {stack!r}: {said[-1] if said else f'`{shown}` failed'}; `pulumi stack ls` shows the stacks, "
            f"`pulumi stack init {stack}` makes it"
        )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise EngineError(f"`{shown}` printed no JSON; which pulumi is on the path: {command[0]}") from None
    return found
