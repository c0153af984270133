"""A server of the admin API for the tests of its clients."""

from collections.abc import Iterator

import pytest

from infra import admin_api
from tests.infra.identity_server import IdentityServer, running


@pytest.fixture(name="no_pauses")
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once, and no proxy is used."""
    monkeypatch.setattr(admin_api, "FIRST_PAUSE_SECONDS", 0)
    monkeypatch.setattr(admin_api, "LONGEST_PAUSE_SECONDS", 0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(name="identities")
def _identities(no_pauses: None) -> Iterator[IdentityServer]:  # noqa: ARG001 - for its effect
    with running(IdentityServer()) as server:
        yield server
