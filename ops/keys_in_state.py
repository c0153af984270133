"""Access keys that become resources of a state again, with the secrets that only the stack's outputs still have.

The rule: an entry is one that the engine itself would have written, so that an update finds nothing to change. The
secret goes in as a secret for the engine to encrypt. Pure: it takes a state and returns a new one.

Outputs of `aws:iam/accessKey:AccessKey`: https://www.pulumi.com/registry/packages/aws/api-docs/iam/accesskey/
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from model.policies import Cloud
from model.resources import DYNAMIC_PROVIDER, PROVIDER, STORE, STORE_NAME, TYPES, About, By
from ops.adopt.kept_keys import KeptKey
from ops.identities_in_state import Place, StateError, properties_of
from stack.state import resources_of
from stack.state_secret import secret

_AWS_SECRETS = ["secret", "sesSmtpPasswordV4"]


def with_keys(exported: Mapping[str, Any], keys: Iterable[KeptKey], by: By, place: Place) -> dict[str, Any]:
    """The state with these keys as resources.

    Args:
        exported: The state; it has the store and the provider already.
        keys: The keys, with their attributes on the server.
        by: What implements the identities.
        place: The stack of the state.

    Raises:
        StateError: The state lacks the store or the provider.
    """
    state: dict[str, Any] = copy.deepcopy(dict(exported))
    cloud: Cloud = "aws" if by == "aws" else "aistor"
    wanted = list(keys)
    if not wanted:
        return state
    kind, store = TYPES[by][About.KEY], place.urn(STORE[cloud], STORE_NAME)
    held = {one["urn"] for one in resources_of(state)}
    if store not in held:
        raise StateError("the state does not contain the store; first run: pulumi up")
    provider = _provider(state, by, cloud)
    for key in wanted:
        urn = place.urn(kind, key.name, STORE[cloud])
        if urn in held:
            continue
        state["deployment"]["resources"].append(
            {
                "urn": urn,
                "custom": True,
                "id": key.access_key_id,
                "type": kind,
                "parent": store,
                "provider": provider,
                **(_on_aws(key) if by == "aws" else _on_aistor(key, by, place)),
            }
        )
    return state


def _provider(state: Mapping[str, Any], by: By, cloud: Cloud) -> str:
    kind, name = (DYNAMIC_PROVIDER, "default") if by == "v4" else (PROVIDER[cloud], cloud)
    for one in resources_of(state):
        if one["type"] == kind and one["urn"].rpartition("::")[2] == name and not one.get("delete"):
            return f"{one['urn']}::{one['id']}"
    raise StateError("the state does not contain the provider of the access keys; first run: pulumi up")


def _on_aistor(key: KeptKey, by: By, place: Place) -> dict[str, Any]:
    if by == "aws":
        raise ValueError("AWS has no service accounts")
    values = {
        "targetUser": key.user,
        "policy": key.live["policy"],
        "status": key.live["status"],
        "accessKey": key.access_key_id,
        "secretKey": secret(key.secret_access_key),
    }
    return properties_of(About.KEY, by, key.access_key_id, values, place)


def _on_aws(key: KeptKey) -> dict[str, Any]:
    outputs = {
        "id": key.access_key_id,
        "user": key.user,
        "secret": secret(key.secret_access_key),
        "status": "Active",
    }
    inputs = {"__defaults": ["status"], "user": key.user, "status": "Active"}
    return {"inputs": inputs, "outputs": outputs, "additionalSecretOutputs": _AWS_SECRETS}
