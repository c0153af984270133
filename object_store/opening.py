"""The store that a command line selects: from the environment, or from files that a stack published.

The rule: a credentials file that other users can read is refused, and its content is never shown.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from object_store.config import StoreConfig
from object_store.errors import ConfigurationError
from object_store.screen import SCREEN
from object_store.store import ObjectStore
from object_store.written import published_object

if TYPE_CHECKING:
    from pathlib import Path


def store_of(deployment: Path | None, credentials: Path | None, identity: str | None) -> ObjectStore:
    """Return the store of the environment, or of a deployment with its credentials and an identity.

    Raises:
        ConfigurationError: only some of the three are given, or one of them cannot be used.
    """
    given = (deployment, credentials, identity)
    if deployment is None or credentials is None or identity is None:
        if any(each is not None for each in given):
            raise ConfigurationError(
                "--deployment, --credentials and --identity go together; legal: all three, or none for the environment"
            )
        return _hidden(ObjectStore.from_environment())
    if stat.S_IMODE(_status(credentials)) & 0o077:
        raise ConfigurationError(f"other users can read {credentials}; legal: mode 0600: chmod 600 {credentials}")
    return _hidden(
        ObjectStore(StoreConfig.from_deployment(published_object(deployment), published_object(credentials), identity))
    )


def _hidden(store: ObjectStore) -> ObjectStore:
    """Return the store; from now on the command hides its secrets."""
    SCREEN.hide(store.config.secrets())
    return store


def _status(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError as fault:
        raise ConfigurationError(f"{path} cannot be read: {fault.strerror}") from None
