"""`object-store switch-admin-api --stack NAME --to v3|v4`: moves a live stack to another version of the admin API.

The plugin's users, policies, attachments and service accounts become our own resources in the stack's state, or the
other way round, and the stack's config says so. Nothing on the server is changed, no key is made anew, and every id
and secret stays as it is: `pulumi preview` says "unchanged" afterwards. The way back is the same command.

The rule: the state goes first and the config second. Killed in between, the program refuses the stack as it stands and
names this command, which then finishes; nothing is lost either way.

Exit status: 0 moved, or there was nothing to move; 1 not moved, because the answer was no; 2 it could not be done.
"""

import json
import sys
from collections.abc import Sequence

from infra.admin_api import AdminApiError, versions_spoken
from infra.identity.connection import connection_inputs
from infra.namespace import NAMESPACE
from infra.reachable import check_reachable
from infra.settings import AistorSettings, Settings
from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.resources import AdminApiVersion
from ops.identities_in_state import Place, StateError, engine_config, identities_of, moved
from ops.stack_settings import read_stack
from ops.usage import NobodyToAskError, agreed
from stack.config import read_config
from stack.runner import EngineError, run_pulumi
from stack.state import read_state, under_way

KEY = f"{NAMESPACE}:adminApi"


class SwitchError(Exception):
    """The stack cannot be moved as it is; nothing was changed."""


def place_of(settings: Settings, own: AistorSettings) -> Place:
    """Of which stack and server a state is.

    Raises:
        EngineError: The config cannot be read.
    """
    return Place(
        stack=settings.stack.rpartition("/")[2],
        project=NAMESPACE,
        connection=connection_inputs(own, settings.region),
        config=engine_config(read_config(settings.stack)),
    )


def run(stack: str, to: AdminApiVersion, *, yes: bool) -> ExitCode:
    """Look, show, ask, move.

    Args:
        stack: The stack's name.
        to: v3, the plugin; v4, our own resources.
        yes: Do not ask.
    """
    try:
        return _run(stack, to, yes=yes)
    except (AdminApiError, EngineError, InvalidInputError, NobodyToAskError, StateError, SwitchError) as error:
        sys.stderr.write(f"{error}\nNothing was moved.\n")
        return ExitCode.CANNOT


def _run(stack: str, to: AdminApiVersion, *, yes: bool) -> ExitCode:
    settings = read_stack(stack)
    own = settings.aistor
    if own is None:
        raise SwitchError(f"{stack} is an AWS stack; the admin API is AIStor's")
    exported = read_state(stack)
    if under_way(exported):
        raise SwitchError(f"an update was interrupted; first: object-store recover --stack {stack}")
    urns = identities_of(exported, "v3" if to == "v4" else "v4")
    if not urns and own.admin_api == to:
        sys.stdout.write(f"{stack}: nothing to move; it is at {to}\n")
        return ExitCode.DONE
    _check_spoken(settings, own, to)
    if urns:
        _say(stack, urns, to)
        if not agreed("Move them?", yes=yes):
            sys.stdout.write("Nothing was moved.\n")
            return ExitCode.WRONG
        state = moved(exported, to, place_of(settings, own))
        run_pulumi("stack", "import", "--stack", stack, text=json.dumps(state))
    run_pulumi("config", "set", KEY, to, "--stack", stack)
    sys.stdout.write(
        f"{stack}: {len(urns)} resources moved to {to}, and {KEY} says so in Pulumi.{stack.rpartition('/')[2]}.yaml. "
        f"Next, to see that nothing changes: pulumi preview --stack {stack}\n"
    )
    return ExitCode.DONE


def _check_spoken(settings: Settings, own: AistorSettings, to: AdminApiVersion) -> None:
    """Our own resources speak both versions; the plugin speaks v3 only."""
    check_reachable(own.endpoint, own.ca_pem, f"{settings.where}endpoint")
    spoken = versions_spoken(own.endpoint.url, own.ca_pem)
    if to == "v3" and "v3" not in spoken:
        raise SwitchError(
            f"{own.endpoint.url} does not speak admin API v3, and pulumi-minio speaks nothing else: stay at v4"
        )
    if not spoken:
        raise SwitchError(f"{own.endpoint.url} speaks neither admin API v4 nor v3")


def _say(stack: str, urns: Sequence[str], to: AdminApiVersion) -> None:
    lines = [f"{stack}: {len(urns)} resources go to {to} in the state; nothing on the server changes:"]
    lines += [f"  {urn.rpartition('::')[2]}" for urn in urns]
    sys.stdout.write("\n".join(lines) + "\n")
