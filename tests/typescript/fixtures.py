"""The built TypeScript package, once for each worker."""

import os

import pytest

from trials.typescript_package import NoPackageError, Package, built

ENVIRON = dict(os.environ)


@pytest.fixture(scope="session", name="typescript")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The package; a machine that cannot build it skips by name."""
    folder = tmp_path_factory.mktemp("typescript")
    try:
        return built(folder, ENVIRON)
    except NoPackageError as reason:
        pytest.skip(f"no TypeScript here: {reason}")
