"""Writes the access of a stack's config into its state, after the server has accepted it.

The rule: nothing that was not tried reaches the state. Call it before a command lets the engine ask with the provider
in the state (`pulumi import`, `pulumi refresh`): that provider has the endpoint and the key pair of the last update. It
changes nothing on the server.
"""

import json
from collections.abc import Mapping
from typing import Any

from infra.live_buckets import existing_buckets
from infra.program import plan_for
from infra.reachable import check_reachable
from infra.settings import Settings
from ops.identities_in_state import engine_config
from ops.provider_in_state import with_access
from stack.config import read_config
from stack.runner import run_pulumi
from stack.state import read_state_in_clear


def write_tried_access(settings: Settings, config: Mapping[str, Any] | None = None) -> bool:
    """Try the config's endpoint and key pair, and write them into the stack's state if it has others.

    Args:
        settings: The stack's settings.
        config: Its config as the engine passes it to a provider (`engine_config`); None reads it.

    Returns:
        Whether the state changed. On AWS the state holds no credentials, so it never does.

    Raises:
        EngineError: The engine failed.
        InvalidInputError: The server does not answer, or refuses the key pair.
    """
    own = settings.aistor
    if own is None:
        return False
    check_reachable(own.endpoint, own.ca_pem, f"{settings.where}endpoint")
    existing_buckets([bucket.name for bucket in plan_for(settings, None).buckets][:1], settings)
    exported = read_state_in_clear(settings.stack)
    if config is None:
        config = engine_config(read_config(settings.stack))
    state = with_access(exported, settings, config)
    if state == exported:
        return False
    run_pulumi("stack", "import", "--stack", settings.stack, text=json.dumps(state))
    return True
