"""Deploys the stacks to the sandbox and verifies them, as a user would: preflight, `pulumi up`, `python -m verify`.

At the end it archives some made-up transcripts, which shows what the store is for.

The rule: each step is the real command in the stack's own environment; this module does not deploy or verify by itself.
The complete output of a stack appears when the stack is done. The stacks do not depend on each other and run side by
side. Without an engine, the module rehearses the program instead and prints what a rehearsal does not show.
"""

from __future__ import annotations

import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from sandbox import bootstrap, commands, shown_archive
from sandbox.environment import stack_environment
from sandbox.folder import SandboxError, StackFolder, StackName
from sandbox.phases import Phases
from sandbox.server.process import running_server
from sandbox.steps import Step, beside, run_side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sandbox.engine.finder import Search
    from sandbox.progress import Progress

NEXT = """
Deployed to the sandbox and verified. What to try next:
  export PATH="$PWD/.venv/bin:$PATH"
  eval "$(object-store sandbox env local)"    point pulumi and verify at the local stack's sandbox (or: env aws)
  pulumi preview --expect-no-changes          shows no changes
  pulumi stack output deployment              what the stack publishes
  object-store verify --stack local           prove it again
  object-store keys status --stack local      show its keys; rotate, deliver, retire: docs/keys.md
  object-store sessions restore --to back \
    --config .sandbox/local/archive/workloads.yaml --store .sandbox/local/archive/session-archiver.env
                                              bring the archived transcripts back: docs/archives.md
  edit infra/taxonomy.yaml, then              show what the change would do to the data
  object-store preview --stack local
  make test, make down                        run the test suite; stop and remove the sandbox
For your real AIStor and AWS, see docs/aistor.md and docs/aws.md."""


def deploy(
    stacks: Sequence[StackName],
    environ: Mapping[str, str],
    progress: Progress,
    admin_api: str | None = None,
    *,
    environment_took: float = 0.0,
    finish_environment: int | None = None,
) -> None:
    """Start the sandbox, deploy each stack and verify it.

    Args:
        stacks: The stacks to deploy.
        environ: The environment to start from.
        progress: Shows each step.
        admin_api: As in `commands.up`.
        environment_took: Seconds already spent on the Python environment.
        finish_environment: The lock of sandbox.bootstrap, if the rest of the environment must still be installed.
    """
    phases = Phases(environment_took)
    rest = nullcontext() if finish_environment is None else _environment_beside(phases, finish_environment)
    with rest, phases.timed("servers and engine"):
        search = commands.up(stacks, environ, progress, admin_api)
    if search.engine is None:
        progress.say("\n".join(["No Pulumi engine is available:", *(f"  {why}" for why in search.tried)]))
        for stack in stacks:
            with phases.timed(f"{stack} rehearsal"):
                _rehearse(stack, environ, progress)
    try:
        _run({stack: list(_deploying(stack, search)) for stack in stacks}, environ, progress, phases)
    finally:
        progress.say(phases.told())


def verify(stacks: Sequence[StackName], environ: Mapping[str, str], progress: Progress) -> None:
    """Verify each deployed stack.

    Raises:
        SandboxError: A server is not running, or the verification does not prove everything.
    """
    _run({stack: [_verifying(stack)] for stack in stacks}, environ, progress, Phases(0.0))


def _environment_beside(phases: Phases, mutex: int) -> AbstractContextManager[None]:
    """Install the rest of the Python environment beside the block."""

    def finish() -> None:
        try:
            with phases.timed("rest of the environment, beside"):
                bootstrap.finish(mutex)
        except bootstrap.BootstrapError as error:
            raise SandboxError(str(error)) from error

    return beside(finish, bootstrap.stop)


def _run(
    steps: Mapping[StackName, Sequence[Step]], environ: Mapping[str, str], progress: Progress, phases: Phases
) -> None:
    environments = {stack: _environment(stack, environ) for stack in steps}
    failures = run_side_by_side(steps, environments, progress, phases)
    if failures:
        raise SandboxError("\n".join(failures))


def _deploying(stack: StackName, search: Search) -> Iterator[Step]:
    if search.engine is not None:
        yield _preflighting(stack)
        yield from _updating(stack, f"{search.engine.version}, {search.engine.source}")
    shown = search.engine is not None and shown_archive.is_planned()  # a rehearsal has no stack to deliver from
    if shown:
        yield shown_archive.delivering(StackFolder.of(stack))
    yield _verifying(stack)
    if shown:
        yield shown_archive.archiving(StackFolder.of(stack))


def _preflighting(stack: StackName) -> Step:
    return Step(
        "preflight",
        "object-store preflight",
        [sys.executable, "-m", "cli", "preflight", "--before", "up", "--quiet", "--stack", stack.value],
        f"Nothing was deployed to {stack}: the preflight output above says what prevents it.",
    )


def _updating(stack: StackName, engine: str) -> Iterator[Step]:
    folder = StackFolder.of(stack)
    if any(folder.state.glob(".pulumi/locks/**/*.json")):
        # An engine was killed here. Run the command that a user would be told to run. The update after it reports what
        # is still wrong.
        yield Step("recovery", "object-store recover", [sys.executable, "-m", "cli", "recover", "--stack", stack.value])
    command = [str(folder.wrapper), "up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", stack.value]
    yield Step(
        "up",
        f"pulumi up ({engine})",
        [*command, "--non-interactive", "--suppress-progress"],
        f"`pulumi up` of {stack} failed; its output above says why. Run `make up` again to continue.",
    )


def _verifying(stack: StackName) -> Step:
    folder = StackFolder.of(stack)
    if folder.deployment.exists():
        how = ["--deployment", str(folder.deployment), "--credentials", str(folder.credentials)]
    else:
        how = ["--stack", stack.value]
    return Step(
        "verify",
        "object-store verify",
        [sys.executable, "-m", "cli", "verify", *how],
        f"The verification of {stack} did not prove everything; the report above says what is not proven.",
        signal.SIGTERM,
    )


def _environment(stack: StackName, environ: Mapping[str, str]) -> dict[str, str]:
    folder = StackFolder.of(stack)
    server = running_server(folder)
    if server is None:
        raise SandboxError(f"The {stack} server is not running. Start it: make up")
    return stack_environment(folder, server, environ).applied_to(environ)


def _rehearse(stack: StackName, environ: Mapping[str, str], progress: Progress) -> None:
    # Imported here, because it loads Pulumi's runtime, which no other step needs.
    from sandbox import rehearsal  # noqa: PLC0415

    result = rehearsal.rehearse(stack, environ, progress)
    counts = ", ".join(f"{number} {what}" for what, number in sorted(result.counts.items())) or "nothing declared"
    progress.say(f"{stack}: {counts}\n{rehearsal.NOT_SHOWN}")
