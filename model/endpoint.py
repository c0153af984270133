"""Endpoints and CA bundles, and their form.

The rule: an endpoint is a URL with a scheme and a host and nothing after the host and port. The plugin's form
(host:port without a scheme) is derived from it, because the plugin refuses a scheme with an unhelpful message. Both
are checked before the engine starts: for a missing or invalid CA file the plugin says only "1 error occurred".
"""

import ipaddress
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from model.problems import InvalidInputError, Problem

ENDPOINT_FORM = "http:// or https://, a host, optionally a port; no path, user or query (https://localhost:31000)"
# As the adapter's: at most 63 letters, digits and hyphens in a label, 253 in all. botocore refuses an underscore, and a
# certificate holds no name with a closing dot.
_NAME = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Endpoint:
    """The address of a server.

    Attributes:
        scheme: http or https.
        host: Name or address.
        port: TCP port.
    """

    scheme: str
    host: str
    port: int

    @property
    def tls(self) -> bool:
        """Whether clients connect over TLS."""
        return self.scheme == "https"

    @property
    def host_port(self) -> str:
        """`host:port`, the form that the MinIO plugin expects."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL as clients sign it: the port appears only if it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


def one_spelling(url: str) -> str:
    """One text for all URLs of the same server (case of the host, default port, closing slash or dot).

    A text that is not an endpoint stays as it is.
    """
    try:
        return parse_endpoint(re.sub(r"\.(?=(:[0-9]+)?/?$)", "", url), "endpoint").url
    except InvalidInputError:
        return url


def parse_endpoint(value: str, where: str) -> Endpoint:
    """Read an endpoint URL.

    Raises:
        InvalidInputError: It has no scheme, a path, a user, a query, or a malformed port.
    """
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise InvalidInputError([_malformed(value, where, "is malformed")]) from None
    wrong = ""
    if parts.scheme not in _PORTS or not parts.hostname:
        wrong = "has no scheme (http:// or https://) with a host"
    elif parts.username is not None or parts.password is not None:
        wrong = "holds credentials"
    elif not (_is_host(parts.hostname) and value.isprintable()):
        wrong = "has a malformed host"
    elif port == 0:
        wrong = "has the port 0, which no server has"
    elif parts.path not in ("", "/") or parts.query or parts.fragment:
        wrong = "has a path or a query"
    if wrong or parts.hostname is None:
        raise InvalidInputError([_malformed(value, where, wrong)])
    return Endpoint(parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port)


def _is_host(host: str) -> bool:
    """A DNS name, or an address as every client reads it (WHATWG takes `127.1` for one, Python does not)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rpartition(".")[2])
    return "%" not in host


def _malformed(value: str, where: str, wrong: str) -> Problem:
    key = where.rpartition(":")[2] or "endpoint"
    # A user or a query may hold a secret, also where the URL has another mistake.
    shown, question, _ = re.sub(r"^([A-Za-z0-9+.-]*://)?.*@", r"\g<1>…@", value, flags=re.DOTALL).partition("?")
    return Problem(
        where,
        f"the endpoint {shown + (question and '?…')!r} {wrong}",
        ENDPOINT_FORM,
        f"object-store:{key}: https://localhost:31000",
    )


def read_ca_bundle(path: Path, where: str) -> str:
    """The PEM text of a CA bundle.

    Raises:
        InvalidInputError: The file is missing, holds no certificate, or holds a private key.
    """
    legal = "a PEM file with at least one CA certificate, relative to the folder of Pulumi.yaml"
    paste = "object-store:caBundle: ca.pem"
    try:
        pem = path.read_text(encoding="ascii")
    except OSError as error:
        raise InvalidInputError(
            [Problem(where, f"the CA file {path.name!r} cannot be read: {error.strerror}", legal, paste)]
        ) from None
    except UnicodeDecodeError:
        pem = ""
    if "PRIVATE KEY-----" in pem:
        # The bundle is published with the deployment.
        raise InvalidInputError([Problem(where, f"{path.name!r} holds a private key", legal, paste)])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise InvalidInputError([Problem(where, f"{path.name!r} is not a certificate", legal, paste)]) from None
    return pem
