"""The keys that a stack's state holds, by identity and generation.

The rule: the existing keys are read from the state's resources, because a killed update published nothing. The
published generations are read too, to detect that case. It keeps only ids, times and numbers, and no secret. Pure: the
state is an argument.

The form of a state: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go (ResourceV3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.moves import KEY_TYPES, key_name
from model.generations import Generations
from model.resources import STACK
from stack.state import resources_of, under_way


@dataclass(frozen=True)
class StandingKey:
    """A key of the state.

    Attributes:
        identity: Its identity.
        generation: Its generation.
        access_key_id: Its access key.
        urn: The URN of its resource.
        made_at: When it was created; None if the state does not say.
    """

    identity: str
    generation: int
    access_key_id: str
    urn: str
    made_at: datetime | None


def standing_keys(exported: Mapping[str, Any]) -> list[StandingKey]:
    """The keys of an exported state."""
    found = []
    for resource in resources_of(exported):
        named = key_name(resource["type"], resource["urn"])
        # A resource that is pending deletion still exists, under the same URN as its replacement.
        if named is None or resource.get("delete"):
            continue
        identity, generation = named
        made_at = resource.get("created") or (resource.get("outputs") or {}).get("createDate")
        found.append(StandingKey(identity, generation, str(resource.get("id", "")), resource["urn"], _time(made_at)))
    return found


def being_made(exported: Mapping[str, Any]) -> frozenset[str]:
    """Identities for which an interrupted update may have created a key that no state holds."""
    operations = under_way(exported)
    names = [
        key_name(operation["resource"]["type"], operation["resource"]["urn"])
        for operation in operations
        if operation["type"] == "creating" and operation["resource"]["type"] in KEY_TYPES
    ]
    return frozenset(named[0] for named in names if named is not None)


def written_at(exported: Mapping[str, Any]) -> datetime | None:
    """When the engine last wrote the state, by its own machine's clock; None if the state does not say."""
    manifest = (exported.get("deployment") or {}).get("manifest") or {}
    return _time(manifest.get("time"))


def published_generations(exported: Mapping[str, Any]) -> dict[str, Generations]:
    """The generations that the stack has published, by identity; a killed update published nothing new."""
    stack = next((one for one in resources_of(exported) if one["type"] == STACK), {})
    deployment = (stack.get("outputs") or {}).get("deployment") or {}
    identities = (deployment.get("plan") or {}).get("identities") or []
    return {one["name"]: Generations.model_validate(one.get("credential") or {}) for one in identities}


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
