"""`object-store recover --stack NAME`: takes up a stack whose engine was killed in the middle of an update.

The rule: nothing is created, changed or deleted on the server. The engine's lock is taken off; what was being created
under a name of ours becomes a resource of the state, which a refresh then reads or drops; what is made anew without
harm is forgotten. Then `pulumi up` goes on. Without this, plain `pulumi up` meets the lock first and then
"bucket already exists!". A service account or access key that was being made in that very moment stays behind, unused:
its secret was never handed out. It is named, for a person to remove.

`pulumi refresh --import-pending-creates` is no help here: the engine 3.274.1 takes it and imports nothing.
"""

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.resources import TYPES, About, types_about
from stack.runner import EngineError, run_pulumi
from stack.state import read_state, resources_of, under_way

STS_REGION = "us-east-1"
# Where the id is made of names that were given. All else that the stores declare is made anew by a write that replaces.
NAMED_BY = {
    **dict.fromkeys(types_about(About.BUCKET), ("bucket",)),
    TYPES["aws"][About.USER]: ("name",),
    TYPES["aws"][About.ROLE]: ("name",),
    TYPES["v4"][About.USER]: ("name",),
    TYPES["v4"][About.POLICY]: ("name",),
    TYPES["v4"][About.ATTACHMENT]: ("userName", "policyName"),
}
AWS_POLICY = TYPES["aws"][About.POLICY]
KEYS = types_about(About.KEY)


@dataclass(frozen=True)
class TakenUp:
    """What an interrupted update had under way.

    Attributes:
        state: The exported stack with nothing under way: what was being created and has a known id is a resource.
        count: All operations that were under way.
        keys: URNs of keys that may have been left behind.
    """

    state: Mapping[str, Any]
    count: int
    keys: tuple[str, ...]


def taken_up(exported: Mapping[str, Any], account_id: str | None, gone: Collection[str] = ()) -> TakenUp:
    """Resolve the operations under way of an exported stack.

    Args:
        exported: As `pulumi stack export` prints it; it is not changed.
        account_id: The AWS account, where one is needed for the id of a managed policy.
        gone: Access keys that were being deleted and are on the server no more.
    """
    deployment = exported["deployment"]
    operations = under_way(exported)
    resources = [one for one in resources_of(exported) if one["type"] not in KEYS or one.get("id") not in gone]
    keys = []
    for operation in operations:
        resource = operation["resource"]
        if operation["type"] != "creating":
            continue
        known = _known_id(resource, account_id)
        if known is not None:
            # Outputs are the refresh's to read; where nothing was made after all, it drops the resource again.
            resources.append({**resource, "id": known, "outputs": resource.get("inputs", {})})
        elif resource["type"] in KEYS:
            keys.append(resource["urn"])
    state = {**exported, "deployment": {**deployment, "resources": resources, "pending_operations": []}}
    return TakenUp(state, len(operations), tuple(keys))


def recover(stack: str, *, unlock: bool = True) -> TakenUp:
    """Take a stack up; a stack in order is left alone.

    Args:
        stack: The stack's name.
        unlock: Take the engine's lock off first; without it a stack that is locked is an error.

    Raises:
        EngineError: There is no pulumi, no such stack, or a step failed; or whether a key was deleted cannot be told.
        InvalidInputError: The config is bad.
    """
    if unlock:
        run_pulumi("cancel", "--yes", "--stack", stack, may_fail=True)
    exported = read_state(stack)
    policies = any(operation["resource"]["type"] == AWS_POLICY for operation in under_way(exported))
    found = taken_up(exported, _account_id() if policies else None, _gone(stack, exported))
    if found.count:
        run_pulumi("stack", "import", "--stack", stack, text=json.dumps(found.state))
        run_pulumi("refresh", "--yes", "--skip-preview", "--stack", stack)
    return found


def _gone(stack: str, exported: Mapping[str, Any]) -> set[str]:
    """The plugin's keys whose deletion was under way and arrived: its refresh fails on a key that is not there."""
    deleted = [
        operation["resource"]
        for operation in under_way(exported)
        if operation["type"] == "deleting" and operation["resource"]["type"] == TYPES["v3"][About.KEY]
    ]
    if not deleted:
        return set()
    # Imported where needed: the preflight takes names from here and has no Pulumi.
    from ops.keys.live_keys import KeysError, live_keys  # noqa: PLC0415 - see above
    from ops.stack_settings import read_stack  # noqa: PLC0415 - see above

    try:
        with live_keys(read_stack(stack)) as keys:
            return {one["id"] for one in deleted if one["id"] not in keys.of(one["inputs"]["targetUser"])}
    except KeysError as error:
        raise EngineError(f"whether a key was deleted cannot be told: {error}") from None


def _known_id(resource: Mapping[str, Any], account_id: str | None) -> str | None:
    inputs = resource.get("inputs", {})
    if resource["type"] == AWS_POLICY and account_id:
        return f"arn:aws:iam::{account_id}:policy/{inputs['name']}"
    names = NAMED_BY.get(resource["type"])
    return "/".join(inputs[name] for name in names) if names else None


def _account_id() -> str:
    import boto3  # noqa: PLC0415 - only for an interrupted aws stack

    session = boto3.session.Session()
    # The account is the same in every region, and a stack's own region need not be in the environment.
    return str(session.client("sts", session.region_name or STS_REGION).get_caller_identity()["Account"])


def run(stack: str) -> ExitCode:
    """Take up the stack named and say what was found."""
    try:
        found = recover(stack)
    except (EngineError, InvalidInputError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.CANNOT
    if not found.count:
        sys.stdout.write(f"{stack}: nothing was interrupted\n")
        return ExitCode.DONE
    sys.stdout.write(f"{stack}: {found.count} interrupted operations taken up; go on with: pulumi up --stack {stack}\n")
    for urn in found.keys:
        sys.stdout.write(f"  a key may have been left behind, unused; look for it and remove it: {urn}\n")
    return ExitCode.DONE
