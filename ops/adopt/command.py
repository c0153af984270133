"""`object-store adopt --stack NAME`: imports buckets, users and policies that exist but are not in the state.

Use it when a state is lost, or for resources that were created by hand. It imports every resource with a planned name
with `pulumi import`, independent of its settings; the next `pulumi up` sets these as planned. Adopting changes nothing
on the server. It brings an access key back, too, if the stack's outputs still have its secret and the server accepts
it; `up` creates new ones for the other identities, because the secret of an existing key cannot be read. Before the
engine imports, the config's endpoint and key pair are tried and written into the state.

Exit status: 0 adopted, or nothing to adopt; 1 nothing was adopted, because a bucket cannot be adopted in its present
state or because the answer was no; 2 it could not run.
"""

import json
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.admin_api import AdminApiError
from infra.live_names import planned_names, taken_names
from infra.moves import KEY_TYPES, admin_api_of, managed_by, names_taken, unswitched
from infra.program import plan_for
from infra.reachable import check_reachable
from infra.room_for_keys import without_room
from infra.settings import Settings
from infra.user_keys import keys_of_users
from model.exit_codes import ExitCode
from model.plan import StorePlan
from model.problems import InvalidInputError, Problem
from model.resources import About, AdminApiVersion, By, subject_of
from model.terminal_text import printable
from model.user_names import Taken, UserNames, form_in
from model.whole_file import write_whole
from ops.adopt.adoptable import (
    Adoptable,
    Held,
    adoptables,
    foreign_buckets,
    held,
    import_file,
    lock_refusals,
    policies_removed,
    retention_changes,
)
from ops.adopt.kept_keys import (
    KeptKey,
    Pairs,
    missing_keys,
    pairs_in_file,
    pairs_in_state,
    published_keys,
    working_keys,
)
from ops.adopt.live import AdoptionError, account_id, existing, live_buckets, live_identities
from ops.identities_in_state import StateError, added, engine_config
from ops.keys.live_keys import KeysError
from ops.keys_in_state import with_keys
from ops.provider_in_state import ca_file_of_state, provider_inputs
from ops.same_server import AnotherServerError, check_same_server
from ops.stack_settings import read_stack
from ops.switch_admin_api import place_of
from ops.tried_access import write_tried_access
from ops.usage import NobodyToAskError, agreed
from stack.config import read_config
from stack.runner import EngineError, run_pulumi
from stack.state import check_unchanged, read_state, read_state_in_clear, replace_state, resources_of

_ERRORS = (
    AdminApiError,
    AdoptionError,
    AnotherServerError,
    EngineError,
    InvalidInputError,
    KeysError,
    NobodyToAskError,
    OSError,
    StateError,
)


@dataclass(frozen=True)
class Found:
    """What can be adopted, and what prevents it.

    Attributes:
        adopted: Resources that exist but are not in the state, in the plan's order.
        refusals: Buckets that cannot be adopted in their present state, users of other stacks, users without room for
            the new access keys, and why.
        retentions: Default retentions that the next `up` changes.
        policies: Buckets whose own policy the next `up` removes.
        keys: Access keys that become resources again.
        new_keys: Identities that get a new access key from the next `up`.
    """

    adopted: tuple[Adoptable, ...]
    refusals: tuple[str, ...]
    retentions: tuple[str, ...]
    policies: tuple[str, ...]
    keys: tuple[KeptKey, ...]
    new_keys: tuple[str, ...]


def names_of(settings: Settings, exported: Mapping[str, Any]) -> UserNames | None:
    """The form of a stack's names: as in its state, else as the server has them for the stack's buckets; None for none.

    Raises:
        InvalidInputError: The config is invalid, no server answers, or it does not say.
    """
    own = settings.aistor
    if own is not None:
        check_reachable(own.endpoint, own.ca_pem, f"{settings.where}endpoint")
    if held_form := form_in(resources_of(exported)):
        return held_form
    plan = plan_for(settings, UserNames.BY_ENV)
    policies = [name for name in planned_names(plan, settings) if name.what is About.POLICY]
    of_before = any(plan.bucket_prefix in taken.prefixes for taken in taken_names(policies, settings))
    return UserNames.BY_ENV if of_before else None


def find(settings: Settings, plan: StorePlan, state: Held, pairs: Pairs | None) -> Found:
    """Find what a stack could adopt; changes nothing.

    Args:
        settings: The stack's settings.
        plan: Its plan.
        state: What its state holds.
        pairs: The key pairs that it has published.

    Raises:
        AdminApiError: AIStor refused a question about an access key.
        AdoptionError: The existing resources cannot be read.
        EngineError: The engine failed.
        InvalidInputError: The config is invalid, or the endpoint does not answer.
        KeysError: AWS refused a question about an access key.
    """
    live = live_buckets(plan, settings)
    possible = adoptables(plan, settings.cloud, account_id(settings), live, _admin_api(settings, state))
    if foreign := foreign_buckets(possible, state):
        raise AdoptionError(
            f"the state is not of this environment and region ({settings.where}env, regionCode):\n  "
            + "\n  ".join(foreign)
            + "\ncorrect the config; or import the stack's own state (docs/operations.md, The state is lost); or, "
            "without one, leave this state (docs/operations.md, Start with a new state)"
        )
    unheld = [one for one in possible if not state.has(one)]
    others = _of_other_stacks(settings, plan, unheld)
    names = {one.name.name for one in others}
    asked = [one for one in unheld if one.of not in names]
    adopted = (
        *existing(settings, [one for one in asked if not one.own]),
        *live_identities(settings, [one for one in asked if one.own]),
    )
    # `pulumi up` handles the buckets that the state holds.
    new = {one.of: live[one.of] for one in asked if one.what is About.BUCKET}
    unread = new.keys() - {one.of for one in adopted if one.what is About.BUCKET}
    if unread:
        raise AdoptionError(f"S3 lists these buckets, but the provider does not find them: {', '.join(sorted(unread))}")
    missing = missing_keys(plan, state, _implemented_by(settings, state))
    keys = working_keys(settings, published_keys(plan, pairs, missing))
    kept = {(key.identity, key.generation) for key in keys}
    made = [(name, number) for name, number in missing if (name, number) not in kept]
    # Of an identity that exists nowhere yet there is nothing to say.
    there = {subject_of(one.kind, one.name)[0] for one in (*(set(possible) - set(asked)), *adopted)}
    return Found(
        adopted,
        (
            *lock_refusals(plan, settings.cloud, new),
            *map(str, names_taken(others, plan, settings.stack)),
            *map(str, _without_room(settings, plan, state, made, keys, names)),
        ),
        tuple(retention_changes(plan, new)),
        tuple(policies_removed(settings.cloud, new)),
        tuple(keys),
        tuple(dict.fromkeys(name for name, _ in made if name in there)),
    )


def _without_room(
    settings: Settings,
    plan: StorePlan,
    state: Held,
    made: Iterable[tuple[str, int]],
    kept: Iterable[KeptKey],
    others: Collection[str],
) -> list[Problem]:
    """A problem for each user on AWS that has no room for the keys that the next `pulumi up` makes, if it is ours."""
    if settings.cloud != "aws":
        return []
    users = {identity.name: identity.user_name for identity in plan.identities}
    new = Counter(users[name] for name, _ in made if users[name] not in others)
    ids = {name for kind, name in state.keys if kind in KEY_TYPES} | {key.access_key_id for key in kept}
    return without_room(plan, new, keys_of_users(new, settings), ids, settings.stack)


def _of_other_stacks(settings: Settings, plan: StorePlan, unheld: Iterable[Adoptable]) -> list[Taken]:
    """The users, roles and policies that are certainly another stack's."""
    of = {one.of for one in unheld if one.what in (About.USER, About.ROLE, About.POLICY)}
    asked = [name for name in planned_names(plan, settings) if name.name in of]
    return [one for one in taken_names(asked, settings) if one.is_for_another(plan.bucket_prefix)]


def adopt(settings: Settings, state: Held, adopted: Sequence[Adoptable], keys: Sequence[KeptKey] = ()) -> None:
    """Import resources into a stack's state.

    Raises:
        AdoptionError: An identity could not be read.
        EngineError: The engine failed; it may have imported some resources, and a second run continues.
        InvalidInputError: The server refuses the config's key pair.
        StateError: The state lacks the store of the keys.
    """
    config = engine_config(read_config(settings.stack))
    write_tried_access(settings, config)
    by_engine = [one for one in adopted if not one.own]
    if by_engine:
        _import(settings, state, by_engine)
    own = [one for one in adopted if one.own]
    if not own and not keys:
        return
    # The engine cannot import a dynamic resource: before it is in the state, there is no provider to read it.
    found = [(one.what, one.name, one.id, values) for one, values in live_identities(settings, own).items()]
    place = place_of(settings, settings.aistor, config)
    exported = read_state(settings.stack)
    state_with = added(exported, found, place) if found else exported
    state_with = with_keys(state_with, keys, _implemented_by(settings, state), place)
    replace_state(settings.stack, exported, state_with)


def _admin_api(settings: Settings, state: Held) -> AdminApiVersion:
    said = settings.aistor.admin_api if settings.aistor else None
    return admin_api_of(said, managed_by(kind for kind, _ in state.keys))


def _implemented_by(settings: Settings, state: Held) -> By:
    return _admin_api(settings, state) if settings.aistor else "aws"


def _import(settings: Settings, state: Held, adopted: Sequence[Adoptable]) -> None:
    content = file_for(settings, state, adopted, password=True)
    # The file goes through standard input, because it holds the admin's password. The engine previews first, and an
    # unreadable resource stops it before any import. Adopted resources are protected until `up` sets their protection.
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
    """The import file, for the engine (with the admin's password) or for the user (without)."""
    by_engine = [one for one in adopted if not one.own]
    inputs = provider_inputs(settings, ca_file_of_state(settings), password=password)
    return import_file(by_engine, state, settings.cloud, inputs)


def run(stack: str, out: Path | None, credentials: Path | None, *, yes: bool) -> ExitCode:
    """Find, show, ask, adopt.

    Args:
        stack: The stack's name.
        out: The path of the import file, which holds no password; None for `adopt-STACK.json` here.
        credentials: A file with the stack's key pairs; None for those that its outputs still have.
        yes: Do not ask.
    """
    try:
        return _run(stack, out or Path(f"adopt-{stack.rpartition('/')[2]}.json"), credentials, yes=yes)
    except _ERRORS as error:
        sys.stderr.write(f"{printable(error)}\nNothing was adopted.\n")
        return ExitCode.CANNOT


def _run(stack: str, out: Path, credentials: Path | None, *, yes: bool) -> ExitCode:
    settings = read_stack(stack)
    exported = read_state_in_clear(stack)
    state = held(exported)
    if state.interrupted:
        raise AdoptionError(f"an update was interrupted; first run: object-store recover --stack {stack}")
    check_same_server(exported, settings)
    managed = managed_by(kind for kind, _ in state.keys)
    if settings.aistor is not None and (
        problems := unswitched(managed, _admin_api(settings, state), settings.where, stack)
    ):
        raise InvalidInputError(problems)
    if sys.stderr.isatty():
        sys.stderr.write(f"{stack}: reading from the server what exists …\n")
    plan = plan_for(settings, names_of(settings, exported))
    pairs = pairs_in_state(exported, stack) if credentials is None else pairs_in_file(credentials, plan)
    found = find(settings, plan, state, pairs)
    if not found.adopted and not found.keys and not found.refusals:
        sys.stdout.write(f"{stack}: nothing to adopt; every planned resource that exists is in the state\n")
        return ExitCode.DONE
    if found.refusals:
        sys.stdout.write("\n".join(["These cannot be adopted as they are:", *found.refusals, "Nothing was adopted.\n"]))
        return ExitCode.WRONG
    sys.stdout.write(_listed(stack, found))
    content = file_for(settings, state, found.adopted, password=False)
    write_whole(out, json.dumps(content, indent=2) + "\n")
    sys.stdout.write(f"Import file, without the admin's password: {out}\n")
    if not agreed("Adopt them?", yes=yes):
        sys.stdout.write("Nothing was adopted.\n")
        return ExitCode.WRONG
    check_unchanged(exported, read_state_in_clear(stack))
    adopt(settings, state, found.adopted, found.keys)
    sys.stdout.write(
        f"{stack}: {len(found.adopted) + len(found.keys)} resources adopted. "
        f"Next: pulumi preview --stack {stack}, then pulumi up --stack {stack}\n"
    )
    return ExitCode.DONE


def _listed(stack: str, found: Found) -> str:
    """The resources to adopt, by bucket and user, and what is not adopted."""
    groups: dict[str, list[str]] = {}
    for one in found.adopted:
        groups.setdefault(one.of, []).append(one.what.value)
    for key in found.keys:
        groups.setdefault(key.user, []).append(f"{About.KEY.value} {key.access_key_id}")
    lines = [f"{stack}: {len(found.adopted) + len(found.keys)} planned resources exist but are not in the state:"]
    lines += [f"  {of}: {', '.join(words)}" for of, words in groups.items()]
    if found.keys:
        lines.append("The secrets of these access keys are known, so the keys go on as they are.")
    if found.new_keys:
        lines.append(
            "No secret of a working access key of these identities is known, and a secret cannot be read back. "
            f"`pulumi up` creates a new key for each of {', '.join(found.new_keys)}; "
            f"existing keys work until you remove them. Deliver the new ones: object-store keys deliver --stack {stack}"
        )
    if found.retentions:
        lines.append("The next `pulumi up` changes default retention:")
        lines += [f"  {change}" for change in found.retentions]
    if found.policies:
        lines.append("These have a bucket policy. The plan has none, so the next `pulumi up` removes it:")
        lines += [f"  {name}" for name in found.policies]
    return "\n".join(lines) + "\n"
