"""The proxy of a server, as the environment names it; both clients get this one answer.

The rule: the clients do not read these variables themselves, because they read them differently: botocore knows no
address range in `NO_PROXY` and no `ALL_PROXY`. A proxy that one of the two cannot use is refused.

| variable | meaning | legal |
|---|---|---|
| `HTTPS_PROXY` | the proxy for `https://` endpoints, and for AWS | `http://[USER:PASSWORD@]HOST[:PORT]` |
| `HTTP_PROXY` | the proxy for `http://` endpoints | likewise |
| `ALL_PROXY` | the proxy for both, if theirs is not set | likewise |
| `NO_PROXY` | what is reached directly | entries, separated by commas |

An entry of `NO_PROXY` is a host name (with all names below it), an address, or a range such as `10.0.0.0/8`; with
`:PORT` it is meant for one port; `*` is every server.
The names in small letters mean the same and go first, as for curl. An empty variable counts as not set.
Source: https://everything.curl.dev/usingcurl/proxies/env.html
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from object_store.errors import ConfigurationError
from object_store.hosts import DEFAULT_PORTS, split
from object_store.outgoing import Form, fault_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Proxy:
    """A proxy for one server.

    Attributes:
        url: `http://[USER:PASSWORD@]HOST[:PORT]`; not in the repr.
        shown: the same for a message, without user and password, and with the variable that named it.
        secrets: what no message may hold.
    """

    url: str = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Header with the proxy's user and password, for a client (urllib3) that does not take them from the URL."""
        parts = urlsplit(self.url)
        if parts.username is None:
            return {}
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


@dataclass(frozen=True)
class Proxies:
    """What an environment says about proxies: pairs of a variable and its value."""

    variables: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def named_in(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables, unchecked."""
        named = ((name, environ.get(name.lower()) or environ.get(name) or "") for name in _NAMES)
        return cls(tuple((name, value.strip()) for name, value in named if value.strip()))

    def of(self, url: str) -> Proxy | None:
        """Return the proxy for a server's URL; None if it is reached directly.

        Raises:
            ConfigurationError: the variable for this server does not hold a proxy that both clients can use.
        """
        given, parts = dict(self.variables), urlsplit(url)
        variable = next((name for name in (f"{parts.scheme.upper()}_PROXY", "ALL_PROXY") if name in given), None)
        host, port = str(parts.hostname), parts.port or DEFAULT_PORTS[parts.scheme]
        if variable is None or any(
            _matches(each, host, port) for each in re.split(r"[\s,]+", given.get("NO_PROXY", ""))
        ):
            return None
        return _checked(variable, given[variable], host)


def _checked(variable: str, value: str, host: str) -> Proxy:
    url = value if "://" in value else f"http://{value}"
    parts = split(url) if fault_of(url, Form.WORD) is None else "holds a character that no URL has"
    if not isinstance(parts, str):
        if parts.scheme == "https":
            parts = "is an https:// proxy, which the two clients of the adapter do not trust alike"
        elif parts.path.rstrip("/") or parts.query or parts.fragment:
            parts = "has a path, query or fragment"
    if isinstance(parts, str):
        shown = "" if "@" in url else f" {value!r}"
        raise ConfigurationError(
            f"{variable}{shown} cannot be used by the adapter: it {parts}; legal: "
            "http://[USER:PASSWORD@]HOST[:PORT], or not set, or the server's host in NO_PROXY: "
            f"export NO_PROXY={host}"
        )
    bare = parts.netloc.rpartition("@")[2]
    secrets = {secret for secret in (parts.password, unquote(parts.password or "")) if secret}
    return Proxy(f"http://{parts.netloc}", f"http://{bare} of {variable}", tuple(sorted(secrets)))


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY holds the host."""
    if entry == "*":
        return True
    found = re.fullmatch(r"\[?([^\[\]]*?)\]?(?::([0-9]+))?", entry) if entry.count(":") <= 1 or "]" in entry else None
    name, only = (found[1], found[2]) if found else (entry, None)
    if not name or (only is not None and int(only) != port):
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:  # one of the two is a name
        name = name.lower().removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
