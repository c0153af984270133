"""The address of a discovery: what is asked for, what it is known by, and what of it may be shown.

The rule: path and query go to the server byte for byte as they were given. An address with a user or a password is
refused, and no error of this module holds a part of an address. `shown` has a mark in place of each value that looks
like a secret; nothing else of an address is written down or printed.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, urljoin

SECRET: Final = "[secret]"  # noqa: S105 - the mark in its place
PORTS: Final = {"http": 80, "https": 443}
_BYTES_MAXIMUM: Final = 8192
_FORM: Final = re.compile(r"(https?)://([^/?#]*)([^#]*)(#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
_PARAMETER: Final = re.compile(r"(?P<name>[^?#&;=/]+)=(?P<value>[^&;#]+)")
_SECRET_NAME: Final = re.compile(
    r"token|secret|passw|pwd|signature|credential|session|api.?key|access.?key|auth|jwt|bearer|saml|ticket"
    r"|^(?:x-amz-|x-goog-)|^(?:key|sig|code|state|sid|otp|hmac|pass|pin)$",
    re.IGNORECASE,
)
_SECRET_IN_PATH: Final = re.compile(
    r"(?P<before>/services/T\w+/B\w+/|/api/webhooks/\d+/|/bot\d+(?::|%3A))(?P<value>[^/?#]+)", re.IGNORECASE
)


class AddressError(ValueError):
    """It is not an address that is fetched; the message says why, without it."""


@dataclass(frozen=True)
class Address:
    """An address of HTTP.

    Attributes:
        scheme: `http` or `https`.
        host: A name in ASCII and small letters, or an address without brackets.
        port: The port.
        target: Path and query, as they are sent.
        fragment: From `#` on, which is never sent; empty for none.
    """

    scheme: str
    host: str
    port: int
    target: str
    fragment: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address. Raise AddressError."""
        text = text.strip(" \t\r\n")
        if len(text.encode("utf-8", "surrogatepass")) > _BYTES_MAXIMUM:
            raise AddressError(f"has more than {_BYTES_MAXIMUM} bytes")
        if any(sign < " " or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in text):
            raise AddressError("holds a control character")
        found = _FORM.fullmatch(text)
        if found is None:
            raise AddressError("is not http:// or https://")
        scheme, authority, target, fragment = found.groups(default="")
        if "@" in authority:
            raise AddressError("holds a user or a password, and none is ever sent")
        host, port = _authority(authority, scheme.lower())
        target = quote(target, safe=_ASCII)
        return cls(scheme.lower(), host, port, target if target.startswith("/") else f"/{target}", fragment)

    def joined(self, location: str) -> "Address":
        """The address that an answer leads to. Raise AddressError."""
        location = location.strip(" \t\r\n")
        # `urljoin` would write a whole address or path in its own way.
        whole = f"{self._written('')}{location}" if re.match("/(?!/)", location) else location
        there = Address.parse(whole if _FORM.fullmatch(whole) else urljoin(self.sent, location))
        if there.fragment or not self.fragment:
            return there
        return Address(there.scheme, there.host, there.port, there.target, self.fragment)

    @property
    def authority(self) -> str:
        """Host and port as in the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def path(self) -> str:
        """The path alone."""
        return self.target.partition("?")[0]

    @property
    def sent(self) -> str:
        """The whole without the fragment; it may hold secrets."""
        return self._written(self.target)

    @property
    def identity(self) -> str:
        """What it is known by in keys: a hash of what is asked for."""
        return hashlib.sha256(self.sent.encode()).hexdigest()[:16]

    @property
    def shown(self) -> str:
        """The whole, with a mark in place of each value that looks like a secret."""
        path, mark, query = self.target.partition("?")
        path = _SECRET_IN_PATH.sub(rf"\g<before>{SECRET}", path)
        return self._written(_masked(path) + mark + _masked(query) + _masked(self.fragment))

    def _written(self, rest: str) -> str:
        return f"{self.scheme}://{self.authority}{rest}"


def _masked(text: str) -> str:
    return _PARAMETER.sub(
        lambda found: f"{found['name']}={SECRET}" if _SECRET_NAME.search(found["name"]) else found[0], text
    )


def _authority(text: str, scheme: str) -> tuple[str, int]:
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise AddressError("has no host, or one that is none")
    port = int(found[2]) if found[2] else PORTS[scheme]
    if not 0 < port < 2**16:
        raise AddressError("has a port that is none")
    if found[1].startswith("["):
        return found[1][1:-1].lower(), port
    try:
        name = found[1].encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise AddressError("has a host whose name is none") from None
    if not _NAME.fullmatch(name):
        raise AddressError("has a host whose name is none")
    return name, port
