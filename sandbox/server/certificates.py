"""The sandbox's own certificate authority, and the server certificate that it signs.

The rule: the authority stays the same from run to run, so a client that has `ca.pem` continues to trust the server.
Each start creates a new server certificate. Every file with a private key has mode 0600. Left out: client certificates,
because S3 clients authenticate by signature.
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
    """The paths of the files: what a client trusts, and what the server presents."""

    ca: Path
    server_chain: Path
    server_key: Path


def write_private(path: Path, content: bytes) -> None:
    """Replace a file atomically; at every moment only its owner can read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)


def make_certificates(directory: Path) -> Certificates:
    """The authority of this folder, created if it does not exist, and a new server certificate."""
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
