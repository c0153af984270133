"""Whether a server answers at an endpoint.

The rule: it opens one connection with a time limit and sends no request. The check runs before the engine starts,
because the plugin's message would say less.
"""

import socket
import ssl

from model.endpoint import Endpoint
from model.problems import InvalidInputError, Problem

CONNECT_TIMEOUT_SECONDS = 5.0


def check_reachable(endpoint: Endpoint, ca_pem: str | None, where: str) -> None:
    """Connect once, with TLS if the endpoint uses it, and disconnect.

    Raises:
        InvalidInputError: No server answers, the name does not resolve, or the certificate is not trusted.
    """
    try:
        with socket.create_connection((endpoint.host, endpoint.port), CONNECT_TIMEOUT_SECONDS) as plain:
            if endpoint.tls:
                context = ssl.create_default_context(cadata=ca_pem)
                with context.wrap_socket(plain, server_hostname=endpoint.host):
                    pass
    except ssl.SSLCertVerificationError as error:
        raise InvalidInputError(
            [
                Problem(
                    where,
                    f"the certificate of {endpoint.url} is not trusted: {error.verify_message}",
                    "a certificate signed by a CA of object-store:caBundle, for this host name",
                    "object-store:caBundle: ca.pem",
                )
            ]
        ) from None
    except OSError as error:
        raise InvalidInputError(
            [
                Problem(
                    where,
                    f"no usable server answers at {endpoint.url}: {error.strerror or error}",
                    "an endpoint that this machine can reach",
                    "object-store:endpoint: https://localhost:31000",
                )
            ]
        ) from None
