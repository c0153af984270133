"""model.admin_versions: the URL of a command in each version."""

import pytest

from model.admin_versions import VERSIONS, command_url


@pytest.mark.parametrize("endpoint", ["https://store.example:9000", "https://store.example:9000/"])
@pytest.mark.parametrize("version", VERSIONS)
def test_version_is_in_the_path(endpoint: str, version: str) -> None:
    """A slash at the end of an endpoint makes no difference."""
    assert command_url(endpoint, version, "info") == f"https://store.example:9000/minio/admin/{version}/info"
