"""`object-store switch-admin-api --stack NAME --to v3|v4`: moves a live stack to another version of the admin API.

In the stack's state, the plugin's users, policies, attachments and service accounts become our own resources, or the
reverse, and the stack's config gets the new setting. The command changes nothing on the server and recreates no key;
every id and secret stays the same, and `pulumi preview` reports no change afterwards. The same command moves back.

The rule: it writes the state first and the config second. If it is killed in between, the program refuses the stack and
names this command, which then completes the move; nothing is lost.

Exit status: 0 moved, or nothing to move; 1 not moved, because the answer was no; 2 it could not run.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from infra.admin_api import AdminApiError, versions_spoken
from infra.identity.connection import connection_inputs
from infra.moves import admin_api_of, managed_by
from infra.namespace import NAMESPACE
from infra.reachable import check_reachable
from infra.settings import AistorSettings, Settings
from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.resources import AdminApiVersion
from model.stack_names import short_name, stack_file
from model.terminal_text import printable
from ops.identities_in_state import Place, StateError, engine_config, identities_of, moved
from ops.same_server import AnotherServerError, check_same_server
from ops.stack_settings import read_stack
from ops.usage import NobodyToAskError, agreed
from stack.config import read_config
from stack.runner import EngineError, run_pulumi
from stack.state import read_state, replace_state, resources_of, under_way

KEY = f"{NAMESPACE}:adminApi"


class SwitchError(Exception):
    """The stack cannot be moved in its present state; nothing was changed."""


_ERRORS = (
    AdminApiError,
    AnotherServerError,
    EngineError,
    InvalidInputError,
    NobodyToAskError,
    StateError,
    SwitchError,
)


def place_of(settings: Settings, own: AistorSettings | None, config: Mapping[str, Any]) -> Place:
    """The stack and the server of a state; on AWS there is no address.

    Args:
        settings: The stack's settings.
        own: Those of an AIStor.
        config: The stack's config as the engine passes it to a provider (`engine_config`).
    """
    return Place(
        stack=short_name(settings.stack),
        project=NAMESPACE,
        connection=connection_inputs(own, settings.region) if own else {},
        config=config,
    )


def run(stack: str, to: AdminApiVersion, *, yes: bool) -> ExitCode:
    """Read, show, ask, move.

    Args:
        stack: The stack's name.
        to: v3, the plugin; v4, our own resources.
        yes: Do not ask.
    """
    try:
        return _run(stack, to, yes=yes)
    except _ERRORS as error:
        sys.stderr.write(f"{printable(error)}\nNothing was moved.\n")
        return ExitCode.CANNOT


def _run(stack: str, to: AdminApiVersion, *, yes: bool) -> ExitCode:
    settings = read_stack(stack)
    own = settings.aistor
    if own is None:
        raise SwitchError(f"{stack} is an AWS stack; only AIStor has an admin API")
    exported = read_state(stack)
    if under_way(exported):
        raise SwitchError(f"an update was interrupted; first run: object-store recover --stack {stack}")
    urns = identities_of(exported, "v3" if to == "v4" else "v4")
    if not urns and admin_api_of(own.admin_api, managed_by(one["type"] for one in resources_of(exported))) == to:
        sys.stdout.write(f"{stack}: nothing to move; it already uses {to}\n")
        return ExitCode.DONE
    _check_spoken(settings, own, to)
    if urns:
        # Our own resources hold the server's address: it would be that of a server without these identities.
        check_same_server(exported, settings)
        _say(stack, urns, to)
        if not agreed("Move them?", yes=yes):
            sys.stdout.write("Nothing was moved.\n")
            return ExitCode.WRONG
        state = moved(exported, to, place_of(settings, own, engine_config(read_config(stack))))
        replace_state(stack, exported, state)
    run_pulumi("config", "set", KEY, to, "--stack", stack)
    sys.stdout.write(
        f"{stack}: {len(urns)} resources moved to {to}, and {KEY} is {to} in {stack_file(stack)}. "
        f"Next, check that nothing changes: pulumi preview --stack {stack}\n"
    )
    return ExitCode.DONE


def _check_spoken(settings: Settings, own: AistorSettings, to: AdminApiVersion) -> None:
    """Check the server's versions: our own resources speak both, the plugin speaks only v3."""
    check_reachable(own.endpoint, own.ca_pem, f"{settings.where}endpoint")
    spoken = versions_spoken(own.endpoint.url, own.ca_pem)
    if to == "v3" and "v3" not in spoken:
        raise SwitchError(
            f"{own.endpoint.url} does not speak admin API v3, the only version that pulumi-minio speaks: stay at v4"
        )
    if not spoken:
        raise SwitchError(f"{own.endpoint.url} speaks neither admin API v4 nor v3")


def _say(stack: str, urns: Sequence[str], to: AdminApiVersion) -> None:
    lines = [f"{stack}: {len(urns)} resources move to {to} in the state; nothing changes on the server:"]
    lines += [f"  {urn.rpartition('::')[2]}" for urn in urns]
    sys.stdout.write("\n".join(lines) + "\n")
