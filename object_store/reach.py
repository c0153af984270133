"""Whether the adapter can connect to an endpoint: for programs that must know it before they rely on it.

The rule: only the adapter's own transport can tell. It trusts by rustls, which refuses certificates that OpenSSL
accepts: a CA's own (`openssl req -x509` without more makes one), one without subjectAltName, one of version 1.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import obstore

from object_store.clients import bare_client
from object_store.config import StoreConfig
from object_store.translation import Place, answer_of, is_of_a_client, translated

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
    try:
        obstore.head(bare_client(config), "unsigned")
    except BaseException as raw:  # a panic of obstore is no Exception
        if not is_of_a_client(raw):
            raise
        answer = answer_of(raw)
        # A proxy, too, answers: 407 is its own.
        if isinstance(raw, FileNotFoundError) or "redirect" in str(raw) or (answer and answer.status != 407):  # noqa: PLR2004
            return None
        proxy = config.proxy
        return translated(
            raw, Place(str(config.endpoint), None, None, config.secrets(), proxy.shown if proxy else None)
        )
    return None
