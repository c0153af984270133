"""A fake `pulumi` for the tests."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(name="pulumi")
def _pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a `pulumi` on the path that runs a script, and no other."""

    def make(script: str) -> None:
        path = tmp_path / "bin" / "pulumi"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    return make
