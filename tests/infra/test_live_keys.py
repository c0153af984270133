"""infra.live_keys: the server that a stack was deployed to is known by the stack's access keys."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.admin_api import AdminApi
from infra.live_keys import knows_a_key
from infra.settings import settings_from
from model.problems import InvalidInputError
from sandbox.server.temporary import running_server
from tests.running_stores import config_of


def test_one_of_the_keys_is_enough(tmp_path: Path) -> None:
    """A known one says that it is the server, unknown ones alone that it is not; a refused admin says nothing."""
    with running_server("aistor", tmp_path / "server") as server:
        settings = settings_from(config_of(server), "local", tmp_path, {})
        own = settings.aistor
        assert own is not None
        with AdminApi(
            endpoint=server.endpoint,
            region=server.region,
            ca_pem=own.ca_pem,
            access_key_id=own.admin_user,
            secret_access_key=own.admin_password,
        ) as api:
            api.add_user("worker", "planted-user-secret")
            api.add_service_account(
                "worker", '{"Version": "2012-10-17", "Statement": []}', "KNOWN", "planted-key-secret"
            )

        assert knows_a_key(["UNKNOWN", "KNOWN"], settings)
        assert not knows_a_key(["UNKNOWN"], settings)
        refused = replace(settings, aistor=replace(own, admin_password="planted-wrong-one"))
        with pytest.raises(
            InvalidInputError, match=r"cannot tell whether https://.* has the stack's access keys"
        ) as caught:
            knows_a_key(["KNOWN"], refused)

    assert "planted" not in str(caught.value)
