"""Lets a client of botocore load its CAs once, at its first connection, while its other threads wait.

The rule: botocore's clients are made by a session that has `load_cas_once`, and its plain HTTP sessions go through
`loaded_once`. Otherwise urllib3 loads the CAs at each connection, into the one context of all connections. Two threads
that do so at once damage OpenSSL's list of them, and the process ends by a segmentation fault
(https://github.com/openssl/openssl/issues/24480, https://github.com/boto/botocore/issues/3164).
`object_store.loaded_cas` does the same for the adapter, which is installed alone.
"""

import ssl
from threading import Lock
from types import SimpleNamespace
from typing import Any, TypeVar

T = TypeVar("T")


def load_cas_once(session: T) -> T:
    """Let each client that a session of botocore or boto3 makes load its CAs at its first connection alone."""
    events: Any = getattr(session, "events", session)
    events.register("creating-client-class", _loading_once)
    return session


def loaded_once(http: T) -> T:
    """A `URLLib3Session` that loads its CAs at its first connection alone, and over plain HTTP none."""
    session: Any = http
    trusted = SimpleNamespace(ca_certs=None)
    session._setup_ssl_cert(trusted, "https://", session._verify)  # noqa: SLF001 - no public way leads to the context
    make = session._get_ssl_context  # noqa: SLF001 - likewise

    def made() -> ssl.SSLContext:
        return _loaded(make(), trusted.ca_certs)

    session._get_ssl_context = made  # noqa: SLF001 - a proxy gets a context of its own at its first connection
    session._manager.connection_pool_kw["ssl_context"] = made()  # noqa: SLF001 - the one of all other connections
    return http


def _loaded(context: ssl.SSLContext, ca_file: str | None) -> ssl.SSLContext:
    load = context.load_verify_locations
    alone = Lock()
    done = False

    def once(cafile: str | None = None, capath: str | None = None, cadata: str | bytes | None = None) -> None:
        nonlocal done
        with alone:
            ours = (cafile, capath, cadata) == (ca_file, None, None)
            if not (ours and done):
                load(cafile, capath, cadata)
            done = done or ours

    context.load_verify_locations = once  # type: ignore[method-assign, assignment]  # of this context alone
    return context


class _LoadingOnce:
    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - those of every client
        super().__init__(*given, **named)
        client: Any = self
        loaded_once(client._endpoint.http_session)  # noqa: SLF001 - no public way leads to it


def _loading_once(base_classes: list[type], **_: object) -> None:
    base_classes.insert(0, _LoadingOnce)
