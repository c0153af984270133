"""A certificate authority of the sandbox's own, and the server certificate that it signs.

The authority is kept from run to run, so a client that was given `ca.pem` once goes on trusting the server; the
server's certificate is made anew at each start. Every file that holds a private key is made with mode 0600. Client
certificates are left out: S3 clients authenticate by signature.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files are: what a client trusts, and what the server presents."""

    ca: Path
    server_chain: Path
    server_key: Path


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at one stroke; nobody but its owner can read it at any moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)


def make_certificates(directory: Path) -> Certificates:
    """The authority of this folder, made if there is none, and a fresh server certificate."""
    files = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server-key.pem")
    ca_key = directory / "ca-key.pem"
    if files.ca.exists() and ca_key.exists():
        authority = trustme.CA.from_pem(files.ca.read_bytes(), ca_key.read_bytes())
    else:
        authority = trustme.CA(organization_name="object-store sandbox")
        write_private(ca_key, authority.private_key_pem.bytes())
        write_private(files.ca, authority.cert_pem.bytes())
    certificate = authority.issue_cert(HOST, "localhost")
    write_private(files.server_chain, b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    write_private(files.server_key, certificate.private_key_pem.bytes())
    return files
