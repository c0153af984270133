"""The URL of a server or a proxy, checked and in one spelling.

The rule: every client must read the same host in it. Clients in other languages fail at a name that is not ASCII, or
not valid IDNA; botocore refuses `_`; they read `127.1` and a closing dot differently. So the host is an address in its
full form, or a name of letters, digits and '-'.

Sources: https://www.rfc-editor.org/rfc/rfc1123#section-2, https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_NAME = 253
DEFAULT_PORTS = {"http": 80, "https": 443}


def split(url: str) -> SplitResult | str:
    """Return the parts of a URL whose host and port both clients understand; otherwise what is wrong with it."""
    if not url.strip():
        return "is set but empty"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL, or its port is not a number up to 65535"
    if parts.scheme not in DEFAULT_PORTS:
        return "has no scheme http:// or https://"
    # urlsplit drops some white space silently.
    strange = re.search(r"[\s\x00-\x1f\\]", url) is not None
    if not parts.hostname or port == 0 or parts.netloc.endswith(":") or strange:
        return "names no host that can be reached"
    return _host_fault(parts.hostname) or parts


def canonical(url: str) -> str:
    """Return one spelling for the URLs that mean the same server; a URL that is none stays as it is."""
    parts = split(url)
    if isinstance(parts, str):
        return url
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or DEFAULT_PORTS[parts.scheme]}{parts.path.rstrip('/')}"


def _host_fault(host: str) -> str | None:
    if "%" not in host:  # an address with a zone belongs to one interface of one machine
        with suppress(ValueError):
            ipaddress.ip_address(host)
            return None
    if not host.isascii():
        return f"has a host that is not ASCII{_ascii_form(host)}"
    labels = host.split(".")
    faults = {
        "has a host with '_', which no host name may have: give the server an alias without it": "_" in host,
        "has a host that ends in a dot": host.endswith("."),
        "names no host that can be reached: a name has parts of 1 to 63 letters, digits and '-'": (
            len(host) > _MAX_NAME or not all(map(_LABEL.fullmatch, labels))
        ),
        "has an address that is not in its full form of four numbers": _NUMBER.fullmatch(labels[-1]) is not None,
        "has a host with a part 'xn--…' that encodes no name": not _is_idna(host),
    }
    return next((fault for fault, holds in faults.items() if holds), None)


def _ascii_form(host: str) -> str:
    try:
        return f"; its ASCII form is {host.encode('idna').decode()}"
    except UnicodeError:
        return ""


def _is_idna(host: str) -> bool:
    try:
        host.encode().decode("idna")
    except UnicodeError:
        return False
    return True
