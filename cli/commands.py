"""The commands of `object-store`: what there is, in which group, and which module holds it.

The rule: a command's module is imported when the command is run, completed or asked for help. Its line in the list is
the first line of its own help, which a test compares.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

DISTRIBUTION = "joelclaw-object-store"


class Line(NamedTuple):
    """A command in the list.

    Attributes:
        group: Under which heading.
        module: What holds its typer app.
        text: What it does.
    """

    group: str
    module: str
    text: str


STACK, PROOF, OBJECTS = "A stack", "Its proof", "Objects"
COMMANDS = {
    "sandbox": Line(STACK, "cli.sandbox", "A store for each stack on this machine, to try it all."),
    "preflight": Line(STACK, "cli.preflight", "What would go wrong before `pulumi up` or `refresh`."),
    "preview": Line(STACK, "cli.preview", "What a change would do to the data."),
    "keys": Line(STACK, "cli.keys", "The keys that a stack hands out: their life and delivery."),
    "adopt": Line(STACK, "cli.adopt", "Take over what exists and is not in the state."),
    "recover": Line(STACK, "cli.recover", "Take up a stack whose update was killed."),
    "switch-admin-api": Line(STACK, "cli.switch_admin_api", "Move AIStor's identities to admin API v3 or v4."),
    "admin-policy": Line(STACK, "cli.admin_policy", "Print the least policy of a provisioning admin."),
    "verify": Line(PROOF, "cli.verify", "Prove a deployed store line by line."),
    "verify-job": Line(PROOF, "cli.verify_job", "Print a Kubernetes Job that verifies from a pod."),
    "put": Line(OBJECTS, "object_store.__main__", "Store a file, a folder, or standard input."),
    "get": Line(OBJECTS, "object_store.__main__", "Read an object, or all below a prefix."),
    "ls": Line(OBJECTS, "object_store.__main__", "List objects."),
    "stat": Line(OBJECTS, "object_store.__main__", "Show one object's properties."),
    "presign": Line(OBJECTS, "object_store.__main__", "Print a URL that reads or stores until it expires."),
    "rm": Line(OBJECTS, "object_store.__main__", "Remove objects."),
    "parity": Line(OBJECTS, "object_store.__main__", "Compare a folder with what the store holds."),
}


class Commands(TyperGroup):
    """Lists the commands without importing them, and imports the one that is run."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - typer's own, without a public type
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - likewise
        """What the list shows."""
        line = COMMANDS.get(cmd_name)
        return line and TyperCommand(cmd_name, help=line.text)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - likewise
        """Group by group."""
        for group in dict.fromkeys(line.group for line in COMMANDS.values()):
            with formatter.section(group):
                formatter.write_dl([(name, line.text) for name, line in COMMANDS.items() if line.group == group])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - likewise
        """The command itself."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and loaded(str(name)), rest


def loaded(name: str) -> Any:  # noqa: ANN401 - likewise
    """A command with its options."""
    command = typer.main.get_command(import_module(COMMANDS[name].module).app)
    return getattr(command, "commands", {}).get(name, command)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer's
    if asked:
        typer.echo(f"object-store {version(DISTRIBUTION)}")
        raise typer.Exit


_typer = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a local may be a secret
    rich_markup_mode=None,  # without boxes the list fits one screen
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status of every command: 0 done and right, 1 done and something is wrong, 2 it could not run, "
    "130 and 143 interrupted.",
)


@_typer.callback()
def _object_store(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """S3 storage for joelclaw: provisioned on AIStor or AWS, proven on the live store, and used."""


app = typer.main.get_command(_typer)
