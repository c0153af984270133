"""The resources that exist before the program declares any: the stack's, from the engine, and the server's buckets.

The rule: it reads the state, not the last published outputs, because an interrupted first update published nothing.
The engine's answer also holds secrets, so it keeps only types, names and locks of buckets, and policies. At every
update it asks the server with the config's key pair, before the engine writes that pair into the state, and for every
bucket of the state, which is how a wrong server is noticed. `infra.moves` decides what may not change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pulumi
from tenacity import Retrying, stop_after_delay, wait_fixed

from infra.live_buckets import existing_buckets
from infra.live_keys import knows_a_key
from infra.live_names import foreign_names
from infra.moves import (
    KEY_TYPES,
    admin_api_of,
    already_there,
    generations_of,
    gone_buckets,
    impossible_moves,
    managed_by,
    names_taken,
    other_server,
    too_many_keys,
    unswitched,
)
from infra.room_for_keys import ids_of_keys, lost_keys, new_keys, without_room
from infra.settings import AistorSettings, Settings
from infra.user_keys import keys_of_users
from model.plan import StorePlan
from model.policy_order import FormerPolicies
from model.problems import InvalidInputError, Problem
from model.resources import PROVIDER, TYPES, About, about, subject_of
from model.user_names import names_in

# A function of the engine itself: resource/deploy/builtins.go of pulumi/pulumi.
STATE_FUNCTION = "pulumi:pulumi:readStackResourceOutputs"
LOCK_OUTPUT = {TYPES["v3"][About.BUCKET]: "objectLocking", TYPES["aws"][About.BUCKET]: "objectLockEnabled"}
STATE_SECONDS = 10
STATE_PAUSE_SECONDS = 0.1


def check_standing(plan: StorePlan, settings: Settings, resources: Sequence[Mapping[str, Any]]) -> Settings:
    """Refuse changes that an update cannot make to the existing resources.

    What of the state the server lost is a warning in a preview: a refresh in a preview does not change the state.

    Args:
        plan: The plan.
        settings: The stack's settings.
        resources: The resources in the stack's state (`resources_of_stack`).

    Returns:
        The settings, on AIStor with the admin API that the config or the state decides.

    Raises:
        InvalidInputError: The server refuses the config's key pair, a lock would have to change, a new bucket, user,
            role or policy already exists, one of the state is gone, it is another server than the state's, another
            admin API manages existing identities, or a user would have a third access key.
    """
    locked = {
        resource["outputs"]["bucket"]: bool(resource["outputs"].get(LOCK_OUTPUT[resource["type"]]))
        for resource in resources
        if resource["type"] in LOCK_OUTPUT and "bucket" in resource["outputs"]
    }
    problems = impossible_moves(plan, locked)
    if settings.aistor is not None:
        by = managed_by(resource["type"] for resource in resources)
        decided = admin_api_of(settings.aistor.admin_api, by)
        problems += unswitched(by, decided, settings.where, settings.stack)
        settings = replace(settings, aistor=replace(settings.aistor, admin_api=decided))
    else:
        held = generations_of((resource["type"], resource["urn"]) for resource in resources)
        problems += too_many_keys(plan, held, settings.where, settings.stack)
        if not problems:
            problems += _without_room(plan, settings, held, resources)
    there = existing_buckets({*locked, *(bucket.name for bucket in plan.buckets)}, settings, locked)
    problems += already_there(there - locked.keys(), settings.stack)
    own = settings.aistor
    lost = _other_server(resources, own, settings) if own is not None and locked.keys() & there else []
    # Of another server it is no loss that it lacks buckets, too, and the way on is another.
    lost = lost or gone_buckets(locked, there, own.endpoint.url if own else None, settings.where, settings.stack)
    if pulumi.runtime.is_dry_run():
        for problem in lost:
            pulumi.log.warn(str(problem))
        lost = []
    problems += names_taken(foreign_names(plan, settings, names_in(resources)), plan, settings.stack)
    if problems + lost:
        raise InvalidInputError(problems + lost)
    return settings


def _without_room(
    plan: StorePlan, settings: Settings, held: Mapping[str, frozenset[int]], resources: Sequence[Mapping[str, Any]]
) -> list[Problem]:
    """A problem for each user of the state whose other access keys leave no room for the new ones."""
    there = {name.name for name in names_in(resources) if name.what is About.USER}
    new = {user: count for user, count in new_keys(plan, held).items() if user in there}
    live, ids = keys_of_users(new, settings), ids_of_keys(resources)
    return without_room(plan, new, live, ids, settings.stack, lost=lost_keys(plan, held))


def former_policies(resources: Iterable[Mapping[str, Any]]) -> FormerPolicies:
    """The JSON text of each policy in the state, by identity and number."""
    found: dict[str, dict[int | None, str]] = {}
    for resource in resources:
        if about(resource["type"]) is About.POLICY:
            identity, ending = subject_of(resource["type"], resource["urn"].rpartition("::")[2])
            number = ending.rpartition("-")[2]
            key = int(number) if number.isdecimal() else None
            found.setdefault(identity, {})[key] = str(resource["outputs"].get("policy", ""))
    return found


def _other_server(resources: Iterable[Mapping[str, Any]], own: AistorSettings, settings: Settings) -> list[Problem]:
    """A problem if the state names another endpoint and the config's is not the same server under a new address."""
    # A default provider has the same type as ours; only ours is named after its cloud.
    ours = [one for one in resources if one["type"] == PROVIDER["aistor"] and one["urn"].endswith("::aistor")]
    keys = [
        one["outputs"]["accessKey"] for one in resources if one["type"] in KEY_TYPES and "accessKey" in one["outputs"]
    ]
    if not ours or not keys:
        return []
    former, tls = ours[0]["outputs"].get("minioServer", ""), ours[0]["outputs"].get("minioSsl") in ("true", True)
    if (former, tls) == (own.endpoint.host_port, own.endpoint.tls) or knows_a_key(keys, settings):
        return []
    return [other_server(len(keys), own.endpoint.url, former, settings.where, settings.stack)]


def resources_of_stack() -> list[Mapping[str, Any]]:
    """The resources in the state of the running stack, each with its `urn`, its `type` and its `outputs`.

    The engine writes the state when the program starts, and the file with its attributes is empty for a moment. A read
    that fails there ("failed to load checkpoint: EOF") is retried.

    Raises:
        pulumi.RunError: The state cannot be read.
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    try:
        for attempt in Retrying(
            stop=stop_after_delay(STATE_SECONDS), wait=wait_fixed(STATE_PAUSE_SECONDS), reraise=True
        ):
            with attempt:
                answer = pulumi.runtime.invoke(STATE_FUNCTION, {"stackName": name}).value or {}
    except Exception as error:  # noqa: BLE001 - invoke raises no narrower class
        raise pulumi.RunError(f"cannot read the state of {name}, so nothing was declared: {error}") from None
    return [{**resource, "urn": urn} for urn, resource in (answer.get("outputs") or {}).items()]
