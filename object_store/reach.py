"""Whether the adapter can connect to an endpoint: for programs that must know it before they rely on it.

The rule: only the adapter's own transport can tell, with its CA and its proxy.
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from object_store.config import StoreConfig
from object_store.connections import Connections, ca_file_of
from object_store.errors import EndpointUnreachable, UnexpectedAnswer
from object_store.translation import Place, is_of_a_client, refused, translated
from object_store.wire import said_in

if TYPE_CHECKING:
    from pathlib import Path

    from object_store.errors import ObjectStoreError


def try_connection(
    endpoint: str, ca_bundle: str | Path | None = None, *, connect_timeout: timedelta = timedelta(seconds=2)
) -> None:
    """Connect once as every operation does. Any answer will do; nothing is signed, so no credential is needed.

    Raises:
        CertificateNotTrusted: the adapter does not trust the server; `CertificateUnusable` if no setting can help.
        ConfigurationError: the endpoint, the CA or the proxy's variable cannot work.
        EndpointUnreachable: there is no connection, also because of a proxy.
        LocalFault: this machine cannot do it.
    """
    config = StoreConfig(
        endpoint=endpoint,
        region="unsigned",
        access_key_id="unsigned",
        secret_access_key="unsigned",  # noqa: S106  # no request is signed
        ca_bundle=ca_bundle,
        connect_timeout=connect_timeout,
        stall_timeout=connect_timeout,
        max_retries=0,
    )
    failure = _failure(config)
    if failure is not None:
        raise failure


def _failure(config: StoreConfig) -> ObjectStoreError | None:
    proxy = config.proxy
    place = Place(str(config.endpoint), None, None, config.secrets(), proxy.shown if proxy else None)
    try:
        with ca_file_of(config) as ca_file, closing(Connections(config, ca_file)) as connections:
            said = said_in(connections.send("GET", str(config.endpoint), "/unsigned", {}))
    except Exception as raw:
        if not is_of_a_client(raw):
            raise
        failure = translated(raw, place)
        return EndpointUnreachable(failure.reason) if isinstance(failure, UnexpectedAnswer) else failure  # not HTTP
    # A proxy, too, answers: 407 is its own. A port that speaks TLS answers plain HTTP.
    return refused(said, place) if said.status == 407 or (said.speaks_tls and not config.is_tls) else None  # noqa: PLR2004  # HTTP
