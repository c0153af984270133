"""`object-store adopt --stack NAME`: takes over buckets, users and policies that exist and are not in the state.

It is the way back when a state is lost, and the way in for what was made by hand: what has a planned name is imported
with `pulumi import`, whatever its settings are, and the next `pulumi up` sets those as planned. Nothing on the server
is changed by adopting. Keys are made anew by that `up`, because the secret of one that exists cannot be read.

Exit status: 0 adopted, or there is nothing to adopt; 1 nothing was adopted, because a bucket cannot be taken over as
it is or because the answer was no; 2 it could not be done.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.program import plan_for
from infra.settings import Settings
from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.resources import About
from ops.adopt.adoptable import (
    Adoptable,
    Held,
    adoptables,
    held,
    import_file,
    lock_refusals,
    policies_left,
    provider_inputs,
    retention_changes,
)
from ops.adopt.live import AdoptionError, account_id, existing, live_buckets, live_identities
from ops.identities_in_state import StateError, added
from ops.stack_settings import read_stack
from ops.switch_admin_api import place_of
from ops.usage import NobodyToAskError, agreed
from stack.runner import EngineError, run_pulumi
from stack.state import read_state

# The plugin takes a relative path from the program's folder, and so it stands in every state.
PROGRAM_FOLDER = Path(__file__).resolve().parents[2] / "infra"


@dataclass(frozen=True)
class Found:
    """What may be adopted, and what stands against it.

    Attributes:
        adopted: Resources that exist and are not in the state, in the plan's order.
        refusals: Buckets that cannot be taken over as they are, and why.
        retentions: Default retentions that the next `up` changes.
        policies: Buckets whose own policy the next `up` leaves.
    """

    adopted: tuple[Adoptable, ...]
    refusals: tuple[str, ...]
    retentions: tuple[str, ...]
    policies: tuple[str, ...]


def find(settings: Settings, state: Held) -> Found:
    """Look for what a stack could adopt; changes nothing anywhere.

    Raises:
        AdoptionError: What exists cannot be told.
        EngineError: The engine failed.
        InvalidInputError: The config is bad, or nothing answers at the endpoint.
    """
    plan = plan_for(settings)
    live = live_buckets(plan, settings)
    by = settings.aistor.admin_api if settings.aistor else "v3"
    possible = adoptables(plan, settings.cloud, account_id(settings), live, by)
    asked = [one for one in possible if not state.has(one)]
    adopted = (
        *existing(settings, [one for one in asked if not one.own]),
        *live_identities(settings, [one for one in asked if one.own]),
    )
    # A bucket that the state holds is `pulumi up`'s affair.
    new = {one.of: live[one.of] for one in asked if one.what is About.BUCKET}
    unread = new.keys() - {one.of for one in adopted if one.what is About.BUCKET}
    if unread:
        raise AdoptionError(f"S3 lists these buckets and the provider does not find them: {', '.join(sorted(unread))}")
    return Found(
        adopted,
        tuple(lock_refusals(plan, settings.cloud, new)),
        tuple(retention_changes(plan, new)),
        tuple(policies_left(settings.cloud, new)),
    )


def adopt(settings: Settings, state: Held, adopted: Sequence[Adoptable]) -> None:
    """Import resources into a stack's state.

    Raises:
        AdoptionError: An identity could not be read.
        EngineError: The engine failed; what it read before that may have been imported, and a second run goes on.
    """
    by_engine = [one for one in adopted if not one.own]
    if by_engine:
        _import(settings, state, by_engine)
    own = [one for one in adopted if one.own]
    if own and settings.aistor is not None:
        # The engine imports no dynamic resource, since it has no provider to read it by before it is in the state.
        found = [(one.what, one.name, one.id, values) for one, values in live_identities(settings, own).items()]
        exported = read_state(settings.stack)
        state_with = added(exported, found, place_of(settings, settings.aistor))
        run_pulumi("stack", "import", "--stack", settings.stack, text=json.dumps(state_with))


def _import(settings: Settings, state: Held, adopted: Sequence[Adoptable]) -> None:
    content = file_for(settings, state, adopted, password=True)
    # By standard input, because the admin's password is in it. The engine previews first: what cannot be read stops
    # it before anything is imported. Protected until `up` says what is to be, so that nothing adopted can be deleted.
    run_pulumi(
        "import",
        "--file",
        "/dev/stdin",
        "--yes",
        "--generate-code=false",
        f"--protect={str(settings.protect).lower()}",
        "--suppress-outputs",
        "--stack",
        settings.stack,
        text=json.dumps(content),
    )


def file_for(settings: Settings, state: Held, adopted: Iterable[Adoptable], *, password: bool) -> dict[str, Any]:
    """The import file, to be handed to the engine (with the admin's password) or to be kept (without)."""
    ca_file = None
    if settings.aistor is not None and settings.aistor.ca_file is not None:
        ca_file = os.path.relpath(Path(settings.aistor.ca_file).resolve(), PROGRAM_FOLDER)
    by_engine = [one for one in adopted if not one.own]
    return import_file(by_engine, state, settings.cloud, provider_inputs(settings, ca_file, password=password))


def run(stack: str, out: Path | None, *, yes: bool) -> ExitCode:
    """Look, show, ask, adopt.

    Args:
        stack: The stack's name.
        out: Where the import file goes, which holds no password; None for `adopt-STACK.json` here.
        yes: Do not ask.
    """
    try:
        return _run(stack, out or Path(f"adopt-{stack.rpartition('/')[2]}.json"), yes=yes)
    except (AdoptionError, EngineError, InvalidInputError, NobodyToAskError, OSError, StateError) as error:
        sys.stderr.write(f"{error}\nNothing was adopted.\n")
        return ExitCode.CANNOT


def _run(stack: str, out: Path, *, yes: bool) -> ExitCode:
    settings = read_stack(stack)
    state = held(read_state(stack))
    if state.interrupted:
        raise AdoptionError(f"an update was interrupted; first: object-store recover --stack {stack}")
    if sys.stderr.isatty():
        sys.stderr.write(f"{stack}: asking the server what exists …\n")
    found = find(settings, state)
    if not found.adopted:
        sys.stdout.write(f"{stack}: nothing to adopt; all that exists and is planned is in the state\n")
        return ExitCode.DONE
    if found.refusals:
        sys.stdout.write(
            "\n".join(["These cannot be taken over as they are:", *found.refusals, "Nothing was adopted.\n"])
        )
        return ExitCode.WRONG
    sys.stdout.write(_listed(stack, found))
    content = file_for(settings, state, found.adopted, password=False)
    out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"Import file, without the admin's password: {out}\n")
    if not agreed("Adopt them?", yes=yes):
        sys.stdout.write("Nothing was adopted.\n")
        return ExitCode.WRONG
    adopt(settings, state, found.adopted)
    sys.stdout.write(
        f"{stack}: {len(found.adopted)} resources adopted. "
        f"Next: pulumi preview --stack {stack}, then pulumi up --stack {stack}\n"
    )
    return ExitCode.DONE


def _listed(stack: str, found: Found) -> str:
    """What is to be adopted, bucket by bucket and user by user, and what is not."""
    groups: dict[str, list[str]] = {}
    for one in found.adopted:
        groups.setdefault(one.of, []).append(one.what.value)
    lines = [f"{stack}: {len(found.adopted)} resources exist, are planned, and are not in the state:"]
    lines += [f"  {of}: {', '.join(words)}" for of, words in groups.items()]
    users = [one.of for one in found.adopted if one.what is About.USER]
    if users:
        lines.append(
            f"Not adopted, because a secret cannot be read back: their keys. `pulumi up` makes a new one for each of "
            f"{', '.join(users)}; those that exist go on working until you remove them."
        )
    if found.retentions:
        lines.append("The next `pulumi up` changes default retention:")
        lines += [f"  {change}" for change in found.retentions]
    if found.policies:
        lines.append("These have a bucket policy, which `pulumi up` leaves; the plan has none, so take it off:")
        lines += [f"  mc anonymous set none store/{name}" for name in found.policies]
    return "\n".join(lines) + "\n"
