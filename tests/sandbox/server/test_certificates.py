"""The sandbox keeps its certificate authority, and only the owner can read the keys."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from sandbox.server.certificates import make_certificates, write_private

if TYPE_CHECKING:
    from pathlib import Path


def test_authority_is_kept_and_the_server_certificate_renewed(tmp_path: Path) -> None:
    """A second run trusts the same authority and presents another certificate."""
    first = make_certificates(tmp_path)
    authority, chain = first.ca.read_bytes(), first.server_chain.read_bytes()
    second = make_certificates(tmp_path)

    assert second == first
    assert second.ca.read_bytes() == authority
    assert second.server_chain.read_bytes() != chain


def test_files_are_private(tmp_path: Path) -> None:
    """Every file has mode 0600, even one that existed with another mode."""
    existing = tmp_path / "admin.json"
    existing.touch(0o644)
    write_private(existing, b"{}")
    make_certificates(tmp_path)

    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 5
