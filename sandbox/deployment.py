"""Deploys the stacks to the sandbox and verifies them, as a person would: preflight, `pulumi up`, `python -m verify`.

The rule: each step is the real command in the stack's own environment, shown as it runs; nothing here deploys or
verifies by itself. Without an engine the program is rehearsed instead, and what that does not show is said.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from sandbox import commands
from sandbox.environment import stack_environment
from sandbox.folder import SandboxError, StackFolder, StackName
from sandbox.server_process import running_server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.voice import Voice

NEXT = """
Deployed to the sandbox and verified. What to try next (with .venv/bin on the path):
  eval "$(python -m sandbox env local)"     lead pulumi and verify to the local stack's sandbox (or: env aws)
  pulumi preview --expect-no-changes        nothing to do
  pulumi stack output deployment            what the stack publishes
  python -m verify --stack local            prove it again
  python -m infra.credentials status --stack local    its keys; rotate, deliver, retire: README.md
  edit infra/taxonomy.yaml, then            what the change would do to the data
  python -m infra.preview --stack local
  make test, make down                      the test suite; stop and remove the sandbox
Your real AIStor and AWS: README.md."""


def deploy(stacks: Sequence[StackName], environ: Mapping[str, str], voice: Voice, admin_api: str | None = None) -> None:
    """Bring the sandbox up, deploy each stack and verify it.

    Args:
        stacks: Which.
        environ: The environment to start from.
        voice: Says what is done.
        admin_api: As `commands.up` takes it.

    Raises:
        SandboxError: A step failed; its own output says why.
    """
    search = commands.up(stacks, environ, voice, admin_api)
    for stack in stacks:
        if search.engine is not None:
            voice.say(f"\n== {stack}: python -m verify preflight")
            _preflight(stack, environ)
            voice.say(f"\n== {stack}: pulumi up ({search.engine.version}, {search.engine.source})")
            _pulumi_up(stack, environ)
        else:
            voice.say("\n".join(["No Pulumi engine is to be had:", *(f"  {why}" for why in search.tried)]))
            _rehearse(stack, environ, voice)
    verify(stacks, environ, voice)


def verify(stacks: Sequence[StackName], environ: Mapping[str, str], voice: Voice) -> None:
    """Verify each deployed stack.

    Raises:
        SandboxError: A stack is not up, or not all of it is proven.
    """
    unproven = []
    for stack in stacks:
        folder = StackFolder.of(stack)
        voice.say(f"\n== {stack}: python -m verify")
        if folder.deployment.exists():
            how = ["--deployment", str(folder.deployment), "--credentials", str(folder.credentials)]
        else:
            how = ["--stack", stack.value]
        command = [sys.executable, "-m", "verify", *how]
        if subprocess.run(command, env=_environment(stack, environ), check=False).returncode:  # noqa: S603 - our own
            unproven.append(stack.value)
    if unproven:
        raise SandboxError(f"Not all is proven on {', '.join(unproven)}; the report above says what.")


def _environment(stack: StackName, environ: Mapping[str, str]) -> dict[str, str]:
    folder = StackFolder.of(stack)
    server = running_server(folder)
    if server is None:
        raise SandboxError(f"The {stack} server is not up. Start it: make up")
    return stack_environment(folder, server, environ).applied_to(environ)


def _preflight(stack: StackName, environ: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "verify", "preflight", "--before", "up", "--quiet", "--stack", stack.value]
    if subprocess.run(command, env=_environment(stack, environ), check=False).returncode:  # noqa: S603 - our own
        raise SandboxError(f"Nothing was deployed to {stack}: the preflight above says what stands in the way.")


def _pulumi_up(stack: StackName, environ: Mapping[str, str]) -> None:
    folder = StackFolder.of(stack)
    command = [str(folder.wrapper), "up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", stack.value]
    environment = _environment(stack, environ)
    if any(folder.state.glob(".pulumi/locks/**/*.json")):
        # An engine was killed here: what a person would be told to run.
        recovery = [sys.executable, "-m", "infra.recover", "--stack", stack.value]
        subprocess.run(recovery, env=environment, check=False)  # noqa: S603 - our own
    if not sys.stderr.isatty():
        command += ["--non-interactive", "--suppress-progress"]
    if subprocess.run(command, env=environment, check=False).returncode:  # noqa: S603 - the wrapper that we wrote
        raise SandboxError(f"`pulumi up` of {stack} failed; its output above says why. Run `make up` again to go on.")


def _rehearse(stack: StackName, environ: Mapping[str, str], voice: Voice) -> None:
    # Imported here: it loads Pulumi's runtime, which no other step needs.
    from sandbox import rehearsal  # noqa: PLC0415

    result = rehearsal.rehearse(stack, environ, voice)
    counts = ", ".join(f"{number} {what}" for what, number in sorted(result.counts.items())) or "nothing declared"
    voice.say(f"{stack}: {counts}\n{rehearsal.NOT_SHOWN}")
