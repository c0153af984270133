"""Whether the server of a stack's config is the one that its state describes.

The rule: what is asked of another server would be believed of the state's, so a command that changes the state by a
server's answers, or that writes the server's address into it, checks this first. It changes nothing.
"""

from collections.abc import Mapping
from typing import Any

from infra.live_buckets import existing_buckets
from infra.live_keys import knows_a_key
from infra.moves import KEY_TYPES
from infra.settings import Settings
from model.resources import About, about
from ops.provider_in_state import names_another_server
from stack.state import resources_of


class AnotherServerError(Exception):
    """The state describes another server; the message says which, and what to run."""


def check_same_server(exported: Mapping[str, Any], settings: Settings) -> None:
    """Check that a state describes the config's server, under this or another address.

    Raises:
        AnotherServerError: It describes another one.
        InvalidInputError: The server does not say.
    """
    if (former := names_another_server(exported, settings)) and not _has_what_is_held(exported, settings):
        raise AnotherServerError(
            f"the state describes the server {former}, and the config names another one; first run: "
            f"object-store recover --stack {settings.stack}"
        )


def _has_what_is_held(exported: Mapping[str, Any], settings: Settings) -> bool:
    """Whether the server has what the state holds.

    An access key is random, so one that is known suffices. A state without access keys is known by its buckets; one
    without buckets, too, refers to no server.
    """
    resources = [one for one in resources_of(exported) if not one.get("delete")]
    keys = [one["id"] for one in resources if one["type"] in KEY_TYPES and one.get("id")]
    if keys:
        return knows_a_key(keys, settings)
    buckets = {str(one.get("id")) for one in resources if about(one["type"]) is About.BUCKET}
    return existing_buckets(buckets, settings) == buckets
