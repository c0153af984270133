"""`object-store sandbox`: the command line of the sandbox.

The rule: results go to standard output (`env`, `status`, `rehearse`), everything else to standard error. It leaves out
all logic, which is in `sandbox.commands`, `sandbox.deployment` and `sandbox.rehearsal`.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum, unique
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from cli.options import plain_app
from model.exit_codes import ExitCode
from sandbox import commands, deployment
from sandbox.engine.finder import VERSION, Search, find_engine
from sandbox.folder import SandboxError, StackName
from sandbox.progress import Progress


class Commands(TyperGroup):
    """Prints a SandboxError as a message."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own, without a public type
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SandboxError as error:
            _complain(str(error))
            raise typer.Exit(ExitCode.CANNOT) from None


app = plain_app(cls=Commands, no_args_is_help=True)


@app.callback()
def sandbox() -> None:
    """Run a store for each stack on this machine.

    It serves S3 and IAM as AIStor and AWS do, with stand-ins for the provider plugins.
    """


@unique
class Stacks(StrEnum):
    """The values of --stack."""

    LOCAL = "local"
    AWS = "aws"
    ALL = "all"

    @property
    def names(self) -> list[StackName]:
        """The stacks that the value selects."""
        return list(StackName) if self is Stacks.ALL else [StackName(self.value)]


StackOption = Annotated[Stacks, typer.Option("--stack", help="The stack, or all stacks.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print only errors.")]


@unique
class AdminApi(StrEnum):
    """The values of --admin-api."""

    V3 = "v3"
    V4 = "v4"


AdminApiOption = Annotated[
    AdminApi | None,
    typer.Option("--admin-api", help="The admin API of the local server (the last choice; initially v3)."),
]


@app.command()
def up(stack: StackOption = Stacks.ALL, *, admin_api: AdminApiOption = None, quiet: QuietOption = False) -> None:
    """Start the servers and find or build the engine.

    It creates the project folders and deploys nothing.
    """
    progress = Progress(quiet=quiet)
    search = commands.up(stack.names, os.environ, progress, admin_api)
    for name in stack.names:
        standing = commands.standing(name)
        if standing.server is not None:
            progress.say(f"{name}: {standing.server.endpoint}, project {standing.folder.project}")
    if search.engine is None:
        _complain(_without_engine(search, stack))
        raise typer.Exit(ExitCode.WRONG)
    progress.say(f"engine: {search.engine.version} ({search.engine.source}), {search.engine.executable}")
    for name in stack.names:
        progress.say(f'Next: eval "$(object-store sandbox env {name})", then pulumi preview, pulumi up, pulumi destroy')


@app.command()
def down(
    stack: StackOption = Stacks.ALL,
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Only stop the servers; the next `up` continues with their data.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Stop the servers and delete the contents of .sandbox/."""
    commands.down(stack.names, Progress(quiet=quiet), keep=keep)


@app.command()
def status(stack: StackOption = Stacks.ALL, *, quiet: QuietOption = False) -> None:
    """Show the state of each stack.

    Exit status 1 if a stack is not up.
    """
    standings = [commands.standing(name) for name in stack.names]
    if not quiet:
        _print_standings(standings, commands.engine_at_hand(os.environ))
    if any(standing.server is None for standing in standings):
        raise typer.Exit(ExitCode.WRONG)


@app.command()
def env(stack: Annotated[StackName, typer.Argument(help="The stack.")]) -> None:
    """Print shell lines that point `pulumi` at a stack.

    Use: eval "$(object-store sandbox env local)".
    """
    lines = commands.environment_of(stack, os.environ).as_shell()
    if not commands.has_engine(stack):
        _complain(f"{stack} has no engine. Search for one again: object-store sandbox up --stack {stack}")
    sys.stdout.write(lines)


@app.command()
def deploy(
    stack: StackOption = Stacks.ALL,
    *,
    admin_api: AdminApiOption = None,
    environment_took: Annotated[float, typer.Option(hidden=True, help="Seconds; set by sandbox.bootstrap.")] = 0.0,
    finish_environment: Annotated[int | None, typer.Option(hidden=True, help="sandbox.bootstrap's lock.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Do what `make up` does.

    It starts the sandbox, runs `pulumi up` on each stack, and verifies the stacks.
    """
    deployment.deploy(
        stack.names,
        os.environ,
        Progress(quiet=quiet),
        admin_api,
        environment_took=environment_took,
        finish_environment=finish_environment,
    )
    Progress(quiet=quiet).say(deployment.NEXT)


@app.command()
def verify(stack: StackOption = Stacks.ALL, *, quiet: QuietOption = False) -> None:
    """Verify each deployed stack again."""
    deployment.verify(stack.names, os.environ, Progress(quiet=quiet))


@app.command()
def engine(*, quiet: QuietOption = False) -> None:
    """Find or build the engine and print where it is.

    Exit status 2 if no engine is available.
    """
    search = find_engine(os.environ, Progress(quiet=quiet))
    if search.engine is None:
        _complain("\n".join(["No Pulumi engine is available:", *(f"  {reason}" for reason in search.tried)]))
        raise typer.Exit(ExitCode.CANNOT)
    Progress(quiet=quiet).say(f"engine: {search.engine.version} ({search.engine.source}), {search.engine.executable}")


@app.command()
def rehearse(
    stack: Annotated[StackName, typer.Option("--stack", help="The stack.")], *, quiet: QuietOption = False
) -> None:
    """Run the program without an engine.

    It creates each resource on the stack's real server.
    """
    # Imported here: it loads Pulumi's runtime, which no other command needs.
    from sandbox import rehearsal

    progress = Progress(quiet=quiet)
    result = rehearsal.rehearse(stack, os.environ, progress)
    counts = ", ".join(f"{number} {what}" for what, number in sorted(result.counts.items())) or "nothing declared"
    progress.say(f"{stack}: {counts}")
    for urn in result.undeclared:
        progress.say(f"No longer declared, left unchanged: {urn}")
    progress.say(rehearsal.NOT_SHOWN)
    sys.stdout.write(f"{result.deployment}\n{result.credentials}\n")


def _without_engine(search: Search, stack: Stacks) -> str:
    return "\n".join(
        [
            "The servers run, but no Pulumi engine is available:",
            *(f"  {reason}" for reason in search.tried),
            f"Put pulumi {VERSION} on PATH, or Go to build it. Without an engine you can rehearse the program:",
            *(f"  object-store sandbox rehearse --stack {name}" for name in stack.names),
        ]
    )


def _print_standings(standings: list[commands.Standing], search: Search) -> None:
    engine = search.engine
    made = f"{engine.version} ({engine.source})" if engine else "none yet; `up` finds or builds one"
    console = Console()
    rows = [
        (
            standing.folder.stack.value,
            "up" if standing.server else "down",
            standing.server.endpoint if standing.server else "-",
            f"{standing.server.plugin}:{standing.server.plugin_port}" if standing.server else "-",
            standing.server.admin_api if standing.server and standing.server.cloud == "aistor" else "-",
            "-" if standing.resources is None else str(standing.resources),
            made,
        )
        for standing in standings
    ]
    headings = ("stack", "server", "endpoint", "plugin", "admin API", "resources", "engine")
    if not console.is_terminal:
        for row in rows:
            sys.stdout.write(", ".join(f"{h} {v}" for h, v in zip(headings, row, strict=True)) + "\n")
        return
    table = Table(*headings)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _complain(message: str) -> None:
    Console(stderr=True).print(message, markup=False, highlight=False, soft_wrap=True)
