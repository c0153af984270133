"""Lets a client of botocore load its CAs once, before threads share it.

The rule: `listing_client` has it for each client. Otherwise urllib3 loads the CAs at each connection, into the one
context of all connections. Two threads that do so at once damage OpenSSL's list of them, and the process ends by a
segmentation fault (https://github.com/openssl/openssl/issues/24480, https://github.com/boto/botocore/issues/3164).
`model.loaded_cas` does the same for the packages that do without the adapter.
"""

import ssl
from types import SimpleNamespace
from typing import Any, TypeVar

T = TypeVar("T")


def loaded_once(http: T) -> T:
    """A `URLLib3Session` of botocore that has loaded its CAs, and does not load them at its connections."""
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
    if ca_file is None:
        return context
    load = context.load_verify_locations
    try:
        load(ca_file)
    except OSError:  # each connection says so
        return context

    def others(cafile: str | None = None, capath: str | None = None, cadata: str | bytes | None = None) -> None:
        if (cafile, capath, cadata) != (ca_file, None, None):
            load(cafile, capath, cadata)

    context.load_verify_locations = others  # type: ignore[method-assign, assignment]  # of this context alone
    return context
