"""What Pulumi knows of a stack before it is deployed: its config, checked, and its state.

The rule: the `pulumi` on PATH reads everything and the program's own code parses the config, so that the preflight
checks exactly the plan that `pulumi up` would realise. Secrets stay in memory. Every failure to read the stack is a
`CannotRunError` or an `InvalidInputError`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.moves import admin_api_of, generations_of, managed_by
from infra.room_for_keys import ids_of_keys
from model.resources import PROVIDER, About, types_about
from model.secrecy.redaction import keep_secret
from model.user_names import form_in, names_in
from ops.preflight.facts import StackFacts, StateAccess, StateFacts
from ops.recover.lost import held_in
from stack.config import project_folder, pulumi_folder
from stack.runner import EngineError
from stack.state import config_and_state, resources_of, under_way
from stack.state_secret import revealed
from verify.target import CannotRunError

if TYPE_CHECKING:
    from infra.settings import Settings
    from model.plan import StorePlan

BUCKET_TYPES = types_about(About.BUCKET)


@dataclass(frozen=True)
class Stack:
    """A stack's settings, its plan, and the facts made from them."""

    settings: "Settings"
    plan: "StorePlan"
    facts: StackFacts


def read_stack(name: str, folder: Path | None, environ: Mapping[str, str]) -> Stack:
    """Read a stack's config and state.

    Args:
        name: The stack's name.
        folder: The folder of Pulumi.yaml, where pulumi works and a relative `caBundle` begins; None for the one that
            pulumi finds.
        environ: The process environment, for admin credentials that are not in config.

    Raises:
        CannotRunError: pulumi, the stack or Pulumi's SDK does not exist.
        InvalidInputError: The config or the taxonomy is invalid; `pulumi up` would report the same error.
    """
    try:
        # Imported here, so that a machine without Pulumi's SDK gets a message.
        from infra.namespace import NAMESPACE  # noqa: PLC0415
        from infra.program import plan_for  # noqa: PLC0415
        from infra.settings import settings_from  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise CannotRunError(
            f"{error.name} is not installed: run the preflight where the stack is deployed (first `make env` there)"
        ) from None
    try:
        config, exported = config_and_state(name, folder)
    except EngineError as error:
        raise CannotRunError(str(error)) from None
    for entry in config.values():
        if entry.get("secret"):
            keep_secret(str(entry.get("value", "")))
    values = {
        key.removeprefix(f"{NAMESPACE}:"): str(entry.get("value", ""))
        for key, entry in config.items()
        if key.startswith(f"{NAMESPACE}:")
    }
    settings = settings_from(values, name, folder or project_folder(pulumi_folder(environ)), environ)
    plan, own = plan_for(settings, form_in(resources_of(exported))), settings.aistor
    state = state_facts(exported)
    facts = StackFacts(
        name=name,
        cloud=settings.cloud,
        planned={bucket.name: bucket.domain for bucket in plan.buckets},
        state=state,
        endpoint=own.endpoint if own else None,
        client_endpoint=own.client_endpoint if own else None,
        user=own.admin_user if own else "",
        admin_api=admin_api_of(own.admin_api if own else None, state.managed_by),
        allowed_account_ids=settings.aws.allowed_account_ids if settings.aws else (),
        region=settings.region,
        region_code=settings.region_code,
    )
    return Stack(settings, plan, facts)


def state_facts(exported: Mapping[str, Any]) -> StateFacts:
    """The facts of an exported stack; one that was never deployed holds nothing."""
    resources, operations = resources_of(exported), under_way(exported)
    creating = [operation["resource"] for operation in operations if operation["type"] == "creating"]
    # A provider that is being replaced is in the state twice, the old one marked for deletion.
    providers = [one for one in resources if one["type"] in PROVIDER.values() and not one.get("delete")]
    return StateFacts(
        buckets=frozenset(one["id"] for one in resources if one["type"] in BUCKET_TYPES and one.get("id")),
        pending=frozenset(one.get("inputs", {}).get("bucket", "") for one in creating if one["type"] in BUCKET_TYPES),
        interrupted=len(operations),
        access=next((_access(one) for one in providers if one["type"] == PROVIDER["aistor"]), None),
        managed_by=managed_by(one["type"] for one in resources),
        names=names_in([*resources, *creating]),
        held=tuple(held_in(exported)),
        generations=generations_of((one["type"], one["urn"]) for one in resources),
        key_ids=ids_of_keys(resources),
    )


def _access(provider: Mapping[str, Any]) -> StateAccess:
    inputs = {key: revealed(value) for key, value in provider.get("inputs", {}).items()}
    scheme = "https" if str(inputs.get("minioSsl", "false")).lower() == "true" else "http"
    return StateAccess(
        endpoint=f"{scheme}://{inputs.get('minioServer', '')}",
        user=str(inputs.get("minioUser", "")),
        password=str(inputs.get("minioPassword", "")),
    )
