"""The store that a command line selects: from the environment, or from files that a stack published.

The rule: a credentials file that other users can read is refused, and its content is never shown.
"""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from object_store.config import StoreConfig
from object_store.errors import ConfigurationError
from object_store.screen import SCREEN
from object_store.store import ObjectStore
from object_store.written import published_object

if TYPE_CHECKING:
    from pathlib import Path


def store_of(
    deployment: Path | None, credentials: Path | None, identity: str | None, *, only_verified: bool = False
) -> ObjectStore:
    """Return the store of the environment, or of a deployment with its credentials and an identity.

    Args:
        deployment: a published deployment.
        credentials: its credentials file.
        identity: whose credential it is.
        only_verified: a body that nothing proves is an error, also if the environment does not demand it.

    Raises:
        ConfigurationError: only some of the three are given, or one of them cannot be used.
    """
    given = (deployment, credentials, identity)
    if deployment is None or credentials is None or identity is None:
        if any(each is not None for each in given):
            raise ConfigurationError(
                "--deployment, --credentials and --identity go together; legal: all three, or none for the environment"
            )
        return _opened(StoreConfig.from_environment(), only_verified=only_verified)
    if stat.S_IMODE(_status(credentials)) & 0o077:
        raise ConfigurationError(f"other users can read {credentials}; legal: mode 0600: chmod 600 {credentials}")
    return _opened(
        StoreConfig.from_deployment(published_object(deployment), published_object(credentials), identity),
        only_verified=only_verified,
    )


def _opened(config: StoreConfig, *, only_verified: bool) -> ObjectStore:
    """Return the store; from now on the command hides its secrets."""
    SCREEN.hide(config.secrets())
    return ObjectStore(replace(config, only_verified=config.only_verified or only_verified))


def _status(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError as fault:
        raise ConfigurationError(f"{path} cannot be read: {fault.strerror}") from None
