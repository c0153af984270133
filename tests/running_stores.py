"""The running stores that the tests of the suite and of its mutations share: one on each cloud."""

from collections.abc import Iterator

import pytest

from sandbox.server.temporary import RunningServer
from trials.stores import Store, running_store


def config_of(server: RunningServer, **more: str) -> dict[str, str]:
    """The config of a stack on an embedded server for AIStor, without the namespace of its keys."""
    return {
        "cloud": "aistor",
        "env": "local",
        "region": server.region,
        "endpoint": server.endpoint,
        "caBundle": server.ca_bundle,
        "adminUser": server.admin.user,
        "adminPassword": server.admin.password,
        **more,
    }


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """On AIStor."""
    with running_store("aistor") as made:
        yield made


@pytest.fixture(scope="session")
def aws_store() -> Iterator[Store]:
    """On AWS."""
    with running_store("aws") as made:
        yield made


@pytest.fixture(scope="session", params=["aistor", "aws"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """Each of the two in turn."""
    made: Store = request.getfixturevalue("store" if request.param == "aistor" else "aws_store")
    return made
