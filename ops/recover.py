"""`object-store recover --stack NAME`: repairs a stack whose engine was killed during an update.

The rule: it creates, changes and deletes nothing on the server. It removes the engine's lock. A pending creation with a
name of ours becomes a resource of the state, which a refresh then reads or drops. A pending creation that can safely be
repeated is forgotten. Then `pulumi up` can continue. Without this command, a plain `pulumi up` fails at the lock and
then with "bucket already exists!". A service account or access key whose creation was interrupted may remain on the
server. It is unused, because its secret was never published; the command names it so that a person can remove it.

`pulumi refresh --import-pending-creates` does not help here: the engine 3.274.1 accepts the option and imports nothing.
"""

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.resources import TYPES, About, types_about
from model.terminal_text import printable
from stack.runner import EngineError, run_pulumi
from stack.state import read_state, resources_of, under_way

STS_REGION = "us-east-1"
# Types whose id consists of input names. Every other type of the stores can be created again by an overwriting request.
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
    """The resolved operations of an interrupted update.

    Attributes:
        state: The exported stack without pending operations: a pending creation with a known id is now a resource.
        count: The number of operations that were pending.
        keys: URNs of keys that may remain on the server.
    """

    state: Mapping[str, Any]
    count: int
    keys: tuple[str, ...]


def taken_up(exported: Mapping[str, Any], account_id: str | None, gone: Collection[str] = ()) -> TakenUp:
    """Resolve the pending operations of an exported stack.

    Args:
        exported: The output of `pulumi stack export`; it is not changed.
        account_id: The AWS account, if the id of a managed policy needs it.
        gone: Access keys whose deletion was pending and that the server no longer has.
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
            # The refresh reads the outputs; if the resource was not created after all, it drops it again.
            resources.append({**resource, "id": known, "outputs": resource.get("inputs", {})})
        elif resource["type"] in KEYS:
            keys.append(resource["urn"])
    state = {**exported, "deployment": {**deployment, "resources": resources, "pending_operations": []}}
    return TakenUp(state, len(operations), tuple(keys))


def recover(stack: str, *, unlock: bool = True) -> TakenUp:
    """Repair a stack; a stack without pending operations does not change.

    Args:
        stack: The stack's name.
        unlock: Remove the engine's lock first; without this, a locked stack is an error.

    Raises:
        EngineError: pulumi or the stack does not exist, a step failed, or it is unknown whether a key was deleted.
        InvalidInputError: The config is invalid.
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
    """The plugin's keys whose pending deletion succeeded: the plugin's refresh fails for a missing key."""
    deleted = [
        operation["resource"]
        for operation in under_way(exported)
        if operation["type"] == "deleting" and operation["resource"]["type"] == TYPES["v3"][About.KEY]
    ]
    if not deleted:
        return set()
    # Imported only here: the preflight imports names from this module and must work without Pulumi.
    from ops.keys.live_keys import KeysError, live_keys  # noqa: PLC0415 - see above
    from ops.stack_settings import read_stack  # noqa: PLC0415 - see above

    try:
        with live_keys(read_stack(stack)) as keys:
            return {one["id"] for one in deleted if one["id"] not in keys.of(one["inputs"]["targetUser"])}
    except KeysError as error:
        raise EngineError(f"cannot tell whether a key was deleted: {error}") from None


def _known_id(resource: Mapping[str, Any], account_id: str | None) -> str | None:
    inputs = resource.get("inputs", {})
    if resource["type"] == AWS_POLICY and account_id:
        return f"arn:aws:iam::{account_id}:policy/{inputs['name']}"
    names = NAMED_BY.get(resource["type"])
    return "/".join(inputs[name] for name in names) if names else None


def _account_id() -> str:
    # Needed only for an interrupted aws stack.
    import boto3  # noqa: PLC0415 - see above
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    try:
        session = boto3.session.Session()
        # The account is the same in every region, and the environment may not hold the stack's region.
        return str(session.client("sts", session.region_name or STS_REGION).get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise EngineError(f"cannot tell the account of the AWS credentials: {error}") from None


def run(stack: str) -> ExitCode:
    """Repair the stack and print what was found."""
    try:
        found = recover(stack)
    except (EngineError, InvalidInputError) as error:
        sys.stderr.write(f"{printable(error)}\n")
        return ExitCode.CANNOT
    if not found.count:
        sys.stdout.write(
            f"{stack}: no operation is pending; if a killed update had locked the stack, it is unlocked now\n"
        )
        return ExitCode.DONE
    sys.stdout.write(
        f"{stack}: resolved {found.count} interrupted operations; continue with: pulumi up --stack {stack}\n"
    )
    for urn in found.keys:
        sys.stdout.write(f"  an unused key may remain on the server; find and remove it: {urn}\n")
    return ExitCode.DONE
