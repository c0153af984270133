"""Which servers a discovery may reach: those of the public internet, and no other.

The rule: a name is asked for once, all its addresses are checked, and the connection goes to a checked address and not
to the name, so a second answer of the name's server changes nothing. No proxy is used, also if the environment
names one: it would ask for the name itself.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from botocore.httpsession import get_cert_path

from workloads.discovery.address import Address

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NEVER: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's own services, with an address of the public kind
            "192.0.0.0/24",
            "192.88.99.0/24",
            "::/96",  # the old form of IPv4 in IPv6
            "::ffff:0:0/96",
            "::ffff:0:0:0/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",  # with Teredo
            "2002::/16",  # 6to4
            "3fff::/20",
            "5f00::/16",
            "fec0::/10",
        ),
    )
)


class ReachError(Exception):
    """A server cannot, or must not, be reached; the message says why, without the address of the discovery."""


class Deadline:
    """When all of a fetch must be over."""

    def __init__(self, seconds: float) -> None:
        """Begin now."""
        self._seconds, self._ends = seconds, time.monotonic() + seconds

    def left(self) -> float:
        """The seconds that are left. Raise ReachError if there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> ReachError:
        """The error of a fetch that took too long."""
        return ReachError(f"it was not there within {self._seconds:g} seconds")


def is_public(text: str) -> bool:
    """Whether an address belongs to the public internet, in each form in which it may be written."""
    try:
        address: _Ip = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            return False
        if address in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    if any(address.version == each.version and address in each for each in _NEVER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def asked(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system knows them, each once. Raise OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True)
class Reach:
    """What may be reached, and how.

    Attributes:
        resolve: Gives the addresses of a name.
        allowed: Further addresses with their ports; only tests have any.
        context: How certificates are checked; None for the public authorities and the system's.
    """

    resolve: Callable[[str, int], Iterable[str]] = asked
    allowed: frozenset[tuple[str, int]] = frozenset()
    context: ssl.SSLContext | None = field(default=None, repr=False)

    def addresses(self, there: Address, deadline: Deadline) -> list[str]:
        """The checked addresses of a server.

        Raises:
            ReachError: It has none, or one that is not of the public internet.
        """
        found = _within(lambda: list(self.resolve(there.host, there.port)), deadline, there.host)
        for each in found:
            if (each, there.port) not in self.allowed and not (is_public(each) and not _is_near(each, there.port)):
                raise ReachError(
                    f"{there.host} leads to {each}, which is outside the public internet, and is not asked"
                )
        if not found:
            raise ReachError(f"{there.host} has no address")
        return found

    def connect(self, there: Address, deadline: Deadline) -> tuple[socket.socket, str]:
        """Connect to a server, and return the connection and the address that it goes to.

        Raises:
            ReachError: It cannot, or must not, be reached, or its certificate is not trusted.
        """
        fault: Exception | None = None
        for each in self.addresses(there, deadline):
            try:
                plain = socket.create_connection((each, there.port), timeout=deadline.left())
            except OSError as refusal:
                fault = refusal
                continue
            if there.scheme == "http":
                return plain, each
            try:
                plain.settimeout(deadline.left())
                context = self.context or _public_context()
                return context.wrap_socket(plain, server_hostname=there.host), each
            except ssl.SSLCertVerificationError as refusal:
                plain.close()
                raise ReachError(f"the certificate of {there.host} is not trusted: {refusal.verify_message}") from None
            except OSError as refusal:
                plain.close()
                fault = refusal
            except BaseException:
                plain.close()
                raise
        deadline.left()
        raise ReachError(f"{there.host} cannot be reached: {_said(fault)}")


PUBLIC: Final = Reach()


def _public_context() -> ssl.SSLContext:
    """Trusts the system's authorities, and the public ones that botocore has: some Pythons find none of the system."""
    context = ssl.create_default_context()
    context.load_verify_locations(get_cert_path(True))  # noqa: FBT003 - botocore's
    return context


def _said(fault: Exception | None) -> str:
    reason = getattr(fault, "reason", None) or getattr(fault, "strerror", None)
    return str(reason or fault or "no address")


def _is_near(address: str, port: int) -> bool:
    """Whether a public address is this machine's, or of its own IPv6 network, as a NAS at home may have one.

    Nothing is sent: the system only says from where it would.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, port))
        own = ipaddress.ip_address(str(probe.getsockname()[0]).partition("%")[0])
        there = ipaddress.ip_address(address)
        bits = 64 if there.version == 6 else 0  # noqa: PLR2004 - IPv6
        return int(own) >> bits == int(there) >> bits and own.version == there.version
    return False


def _within(call: Callable[[], list[str]], deadline: Deadline, host: str) -> list[str]:
    """Ask for a name; the system's answer may take minutes, and nothing interrupts it."""
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(call())
        except (OSError, UnicodeError) as fault:
            answers.put(fault)

    threading.Thread(target=ask, name="discovery-name", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise deadline.over() from None
    if isinstance(answer, Exception):
        raise ReachError(f"{host} is not known: {_said(answer)}")
    return answer
