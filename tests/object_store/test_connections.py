"""The CAs of a connection."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from object_store import StoreConfig
from object_store.connections import Connections

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("endpoint", "loads"), [(None, 1), ("https://minio:9000", 1), ("http://minio:9000", 0)])
def test_public_cas_are_loaded_for_tls_alone(monkeypatch: pytest.MonkeyPatch, endpoint: str | None, loads: int) -> None:
    """They take 16 ms of each command."""
    found: list[Any] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *given: found.append(given))
    config = StoreConfig(endpoint=endpoint, region="us-west-2", access_key_id="id", secret_access_key="secret")

    Connections(config, None).close()
    assert len(found) == loads


def test_own_cas_are_read_over_http_as_well(tmp_path: Path) -> None:
    """A file that a configuration names and that is not there is found by the first command."""
    config = StoreConfig(endpoint="http://minio:9000", region="r", access_key_id="id", secret_access_key="secret")
    file = tmp_path / "ca.pem"

    with pytest.raises(FileNotFoundError):
        Connections(config, str(file))
    trustme.CA().cert_pem.write_to_path(str(file))
    Connections(config, str(file)).close()
