"""The commands of `object-store`: their names, their groups, and the module of each.

The rule: a command's module is imported only to run the command, to complete it, or to print its help. The line in the
list equals the first line of the command's help; a test compares the two.
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
        group: The heading above it.
        module: The module of its typer app.
        text: What it does.
    """

    group: str
    module: str
    text: str


STACK, OBJECTS = "Stack", "Objects"
COMMANDS = {
    "sandbox": Line(STACK, "cli.sandbox", "Run a store for each stack on this machine."),
    "preflight": Line(STACK, "cli.preflight", "Check what would go wrong in `pulumi up` or `refresh`."),
    "preview": Line(STACK, "cli.preview", "Show what a change would do to the data."),
    "keys": Line(STACK, "cli.keys", "Show, rotate, retire, revoke and deliver a stack's keys."),
    "adopt": Line(STACK, "cli.adopt", "Import resources that exist but are not in the state."),
    "recover": Line(STACK, "cli.recover", "Mend the state after a killed update or a loss."),
    "switch-admin-api": Line(STACK, "cli.switch_admin_api", "Move AIStor's identities to admin API v3 or v4."),
    "admin-policy": Line(STACK, "cli.admin_policy", "Print the minimal policy of a provisioning admin."),
    "verify": Line(STACK, "cli.verify", "Prove a deployed store line by line."),
    "verify-job": Line(STACK, "cli.verify_job", "Print a Kubernetes Job that verifies from a pod."),
    "put": Line(OBJECTS, "object_store.__main__", "Store a file, a folder, or standard input."),
    "get": Line(OBJECTS, "object_store.__main__", "Read an object, or all below a prefix."),
    "ls": Line(OBJECTS, "object_store.__main__", "List objects."),
    "stat": Line(OBJECTS, "object_store.__main__", "Show one object's properties."),
    "presign": Line(OBJECTS, "object_store.__main__", "Print a URL that reads or stores until it expires."),
    "rm": Line(OBJECTS, "object_store.__main__", "Remove objects."),
    "parity": Line(OBJECTS, "object_store.__main__", "Compare a folder with what the store holds."),
    "sessions": Line(OBJECTS, "cli.sessions", "Archive the agents' transcripts, and bring them back."),
    "vault": Line(OBJECTS, "cli.vault", "Store snapshots of the vault of notes, and prove them."),
    "otel": Line(OBJECTS, "cli.otel", "Store ClickHouse's events by day, and read them again."),
    "discovery": Line(OBJECTS, "cli.discovery", "Archive a page or a repository before a note is made."),
    "media": Line(OBJECTS, "cli.media", "Store a file of a chat, or a download of yt-dlp."),
    "documents": Line(OBJECTS, "cli.documents", "Store documents by content, one or a whole tree."),
    "events": Line(OBJECTS, "cli.events", "Give an event's bytes, and count what still needs paths."),
    "window": Line(OBJECTS, "cli.window", "Write to the NAS and to the store, until both are equal."),
    "scrub": Line(OBJECTS, "cli.scrub", "Read stored packs back in turn, and name what is damaged."),
    "receipts": Line(OBJECTS, "cli.receipts", "List what the workloads' runs did, newest first."),
    "schedule": Line(OBJECTS, "cli.schedule", "Print the launchd plists or CronJobs of the workloads."),
}


class Commands(TyperGroup):
    """Lists the commands without importing them, and imports only the command that runs."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - typer's own, without a public type
        """The names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - likewise
        """The command as the list shows it."""
        line = COMMANDS.get(cmd_name)
        return line and TyperCommand(cmd_name, help=line.text)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - likewise
        """Print the list group by group."""
        for group in dict.fromkeys(line.group for line in COMMANDS.values()):
            with formatter.section(group):
                formatter.write_dl([(name, line.text) for name, line in COMMANDS.items() if line.group == group])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - likewise
        """The command itself, with its options."""
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
    rich_markup_mode=None,  # without boxes the list fits on one screen
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 no problem, 1 a problem, 2 could not run (docs/commands.md)",
)


@_typer.callback()
def _object_store(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """S3 storage for joelclaw on AIStor or AWS: provision, prove and use a store."""


app = typer.main.get_command(_typer)
for _option in app.params:
    if _option.name == "show_completion":
        vars(_option)["hidden"] = True  # so that the list fits on one screen
