"""What all tests share: an environment from which no real account can be reached."""

import os
from collections.abc import Iterator

import pytest

from infra.redaction import KEPT

_REACHING = ("AWS_", "AISTOR_", "S3_", "MINIO_", "PULUMI_", "OBJECTSTORE_")


@pytest.fixture(autouse=True, name="clean_environment")
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the caller's leads a test to a real store."""
    for name in list(os.environ):
        if name.startswith(_REACHING):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True, name="nothing_kept")
def _nothing_kept() -> Iterator[None]:
    """What one test has read as a secret is an ordinary text to the next."""
    yield
    KEPT.forget()
