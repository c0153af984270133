"""ops.adopt.live: which planned buckets exist, asked with the config's admin."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from infra.live_buckets import admin_client
from infra.program import plan_for
from infra.settings import Settings, settings_from
from model.problems import InvalidInputError
from ops.adopt.adoptable import LiveBucket
from ops.adopt.live import live_buckets
from sandbox.server.temporary import RunningServer, running_server
from tests.running_stores import config_of


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server("aistor", tmp_path_factory.mktemp("server")) as server:
        yield server


def settings_of(server: RunningServer, password: str) -> Settings:
    """The settings of a stack whose admin has a password."""
    return settings_from(config_of(server, adminPassword=password), "local", Path.cwd(), {})


def found(settings: Settings) -> dict[str, LiveBucket]:
    """The live buckets of a stack."""
    return live_buckets(plan_for(settings, None), settings)


def test_planned_buckets_are_found_and_others_are_not(server: RunningServer) -> None:
    """Only a planned name is ours to adopt."""
    settings, where = settings_of(server, server.admin.password), cast("Any", {"LocationConstraint": server.region})
    with admin_client(settings) as client:
        for name in ("joelclaw-local-usw2-media-raw", "another"):
            client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration=where)

    assert found(settings) == {"joelclaw-local-usw2-media-raw": LiveBucket(locked=True)}


def test_refused_admin_gets_the_line_that_corrects_it(server: RunningServer) -> None:
    """After a refresh with a refused admin emptied the state, `adopt` comes first: it says which key pair is wrong."""
    with pytest.raises(InvalidInputError, match=r"adminUser, adminPassword.*SignatureDoesNotMatch") as raised:
        found(settings_of(server, "planted-password"))

    assert "pulumi config set --secret object-store:adminPassword" in str(raised.value)
    assert "planted-password" not in str(raised.value)
