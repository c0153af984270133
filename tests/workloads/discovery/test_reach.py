"""No request leaves the public internet, in whatever form an address is written and wherever a server leads."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.discovery.test_put import PAGE
from tests.workloads.discovery.web import answer, leading, serving
from workloads.discovery.address import Address
from workloads.discovery.reach import PUBLIC as OUTSIDE
from workloads.discovery.reach import Deadline, Reach, ReachError, is_public

if TYPE_CHECKING:
    import ipaddress
    from pathlib import Path

    from tests.workloads.discovery.conftest import Finder
    from tests.workloads.discovery.web import Web

PRIVATE = """
0.0.0.0 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.1.2.3 168.63.129.16 169.254.169.254 172.16.0.1 172.31.255.255
192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1
255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b::127.0.0.1
64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 2a00:1450:4001::1%2 fec0::1 ff02::1 ff0e::1
page.test 127.1 2130706433
"""
PUBLIC = ("1.1.1.1", "8.8.8.8", "140.82.121.4", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::8.8.8.8")
SPELLINGS = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "[::1]",
    "[::ffff:7f00:1]",
    "localhost",
    "LOCALHOST.",
)


@pytest.mark.parametrize("address", PRIVATE.split())
def test_address_that_is_not_public(address: str) -> None:
    """Loopback, link-local, private, shared, reserved, multicast, services of clouds, and IPv4 in any form of IPv6."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_address_that_is_public(address: str) -> None:
    """Others are, also through a NAT64."""
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_forms_of_one_address_are_judged_alike(address: ipaddress.IPv4Address) -> None:
    """Through NAT64 an address is as public as it is itself; mapped and compatible ones never are."""
    low = f"{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"
    assert is_public(f"64:ff9b::{low}") == is_public(str(address))
    assert not is_public(f"::ffff:{low}")
    assert not is_public(f"::{low}")


@pytest.mark.parametrize("host", SPELLINGS)
def test_spellings_of_this_machine(web: Web, watched: list[tuple[str, object]], host: str) -> None:
    """Each is refused before a connection, by the system's own reading of it."""
    with pytest.raises(ReachError, match="is outside the public internet, and is not asked"):
        OUTSIDE.connect(Address.parse(f"http://{host}:{web.port}/a"), Deadline(20))
    assert "socket.connect" not in dict(watched)


def test_this_machine_by_the_command(finder: Finder) -> None:
    """The failed capture says why, and nothing was asked."""
    assert "leads to 127.0.0.1, which is outside" in finder.failed("/a", allowed=frozenset())
    assert not finder.web.asked


@pytest.mark.parametrize(
    "there", ["http://127.0.0.2:{port}/secret", "//inside.test:{port}/secret", "http://2130706434:{port}/"]
)
def test_redirect_to_a_private_address(finder: Finder, there: str, watched: list[tuple[str, object]]) -> None:
    """A server may lead to any address, and a private one is not connected to: neither by number nor by name."""
    with serving("127.0.0.2") as inside:
        inside.routes["/secret"] = answer(PAGE)
        finder.names |= {"inside.test": [inside.host], "127.0.0.2": [inside.host], "2130706434": [inside.host]}
        finder.web.routes["/a"] = leading(there.format(port=inside.port))

        assert "leads to 127.0.0.2, which is outside the public internet" in finder.failed("/a")

        assert not inside.asked
        assert not [each for event, each in watched if event == "socket.connect" and each == (inside.host, inside.port)]
    assert [one["status"] for one in finder.record()["answers"]] == [302]


def test_name_that_changes_its_mind(finder: Finder, watched: list[tuple[str, object]]) -> None:
    """A name whose first answer may be reached and whose second one is private: the checked address is connected to."""
    with serving("127.0.0.2") as inside:
        finder.names["changing.test"] = [finder.web.host]
        finder.web.routes["/a"] = answer(PAGE)
        answers = iter([[finder.web.host], [inside.host], [inside.host]])

        assert finder.put(finder.url("/a", "changing.test"), resolve=lambda *_: next(answers)) == 0

        assert next(answers) == [inside.host]  # it was asked once
        assert not inside.asked
    names = {each for event, each in watched if event == "socket.getaddrinfo"}
    assert names <= {"127.0.0.1"}
    assert finder.web.heads[0]["Host"] == f"changing.test:{finder.web.port}"


def test_name_with_a_private_address_among_others(finder: Finder) -> None:
    """One that is not public is enough."""
    finder.names["mixed.test"] = [finder.web.host, "10.0.0.1"]
    assert "leads to 10.0.0.1" in finder.failed(finder.url("/a", "mixed.test"))
    assert not finder.web.asked


def test_second_address_is_tried(finder: Finder) -> None:
    """A checked address that nothing listens at leads to the next one."""
    finder.names["two.test"] = ["127.0.0.3", finder.web.host]
    finder.allowed.add(("127.0.0.3", finder.web.port))
    finder.web.routes["/a"] = answer(PAGE)
    assert finder.put(finder.url("/a", "two.test")) == 0
    assert finder.record()["answers"][0]["address"] == finder.web.host


def test_own_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public address of this machine, or of a neighbour in its IPv6 network, is not asked either."""
    own = "2a00:1450:4001:1::5"
    monkeypatch.setattr(socket.socket, "connect", lambda *_: None)
    monkeypatch.setattr(socket.socket, "getsockname", lambda *_: (own, 1, 0, 0))
    for there, is_near in ((own, True), ("2a00:1450:4001:1::77", True), ("2a00:1450:4001:2::77", False)):
        reach = Reach(resolve=lambda *_, there=there: [there])
        if is_near:
            with pytest.raises(ReachError, match="outside the public internet"):
                reach.addresses(Address.parse("http://nas.test/"), Deadline(9))
        else:
            assert reach.addresses(Address.parse("http://nas.test/"), Deadline(9)) == [there]


def test_proxies_are_not_used(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment would ask for the name itself, so none is asked."""
    with serving() as proxy:
        for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", f"127.0.0.1:{finder.world.endpoint.rpartition(':')[2]}")
        finder.web.routes["/a"] = answer(PAGE)
        assert finder.put("/a") == 0
        assert not proxy.asked


@pytest.mark.parametrize("case", ["right", "name", "self-signed"])
def test_certificates(finder: Finder, case: str) -> None:
    """The certificate must be that of the name, by a trusted authority, although the connection goes to an address."""
    authority = trustme.CA()
    issued = authority.issue_cert("other.test" if case == "name" else "secure.test")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(served)
    trusted = ssl.create_default_context()
    if case != "self-signed":
        authority.configure_trust(trusted)
    with serving(context=served) as web:
        web.routes["/a"] = answer(PAGE)
        finder.names["secure.test"] = [web.host]
        finder.allowed.add((web.host, web.port))
        status = finder.put(f"https://secure.test:{web.port}/a", context=trusted)
        assert status == (0 if case == "right" else 1)
        assert bool(web.asked) == (case == "right")
    if case != "right":
        assert "the certificate of secure.test is not trusted" in finder.printed["reason"]


def test_python_without_the_systems_authorities(
    finder: Finder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one on a Mac whose certificates were not installed: the public ones of botocore are trusted."""
    authority, served = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("secure.test").configure_cert(served)
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    monkeypatch.setattr("ssl.create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.setattr("workloads.discovery.reach.get_cert_path", lambda _: str(tmp_path / "ca.pem"))
    with serving(context=served) as web:
        web.routes["/a"] = answer(PAGE)
        finder.names["secure.test"] = [web.host]
        finder.allowed.add((web.host, web.port))
        assert finder.put(f"https://secure.test:{web.port}/a") == 0


def test_body_over_tls_that_is_cut(finder: Finder) -> None:
    """A connection that ends without its length is a cut with TLS as well."""
    authority = trustme.CA()
    served, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("secure.test").configure_cert(served)
    authority.configure_trust(trusted)
    with serving(context=served) as web:
        web.routes["/a"] = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhello"
        finder.names["secure.test"] = [web.host]
        finder.allowed.add((web.host, web.port))
        assert "which is cut" in finder.failed(f"https://secure.test:{web.port}/a", context=trusted)


def test_port_without_tls(finder: Finder) -> None:
    """TLS where only http is spoken: failed, and not tried without."""
    reason = finder.failed(f"https://page.test:{finder.web.port}/a")
    assert "page.test cannot be reached" in reason
    assert not finder.web.asked
