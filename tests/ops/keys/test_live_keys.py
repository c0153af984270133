"""The keys that a user has on the server: on AIStor by its admin API, on AWS by IAM."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.exceptions import LimitExceededException
from moto.iam.models import iam_backends

from infra.settings import AistorSettings, Settings, settings_from
from model.endpoint import parse_endpoint
from ops.keys.live_keys import KeysError, LastUse, live_keys
from tests.infra.identity_server import ADMIN, PASSWORD, REGION, IdentityServer, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_iam import IAMClient

AWS = settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2"}, "aws", Path(), {})


@pytest.fixture(name="iam")
def _iam(monkeypatch: pytest.MonkeyPatch) -> "Iterator[IAMClient]":
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAADMIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-admin-secret")
    with mock_aws():
        yield boto3.session.Session().client("iam", region_name="us-west-2")


def test_keys_of_an_iam_user(iam: "IAMClient") -> None:
    """A user has both keys, a missing user none; an unused key says so; removing a key twice is legal."""
    iam.create_user(UserName="u")
    made = [iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"] for _ in range(2)]
    with live_keys(AWS) as keys:
        assert keys.of("u") == made
        assert keys.of("nobody") == []
        assert keys.last_use(made[0]) == LastUse(None)
        for _ in range(2):
            keys.remove("u", made[0])
        assert keys.of("u") == made[1:]


def test_age_of_a_key_is_by_the_clock_of_the_server(iam: "IAMClient") -> None:
    """The server dates both the key and its answer, so this machine's clock does not matter; a missing key has none."""
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"]
    (held,) = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].users["u"].access_keys
    held.create_date -= timedelta(hours=3)
    with live_keys(AWS) as keys:
        age = keys.age("u", key)
        assert age is not None
        assert timedelta(hours=3, seconds=-1) <= age < timedelta(hours=4)
        assert keys.age("u", "another") is None


def test_refusal_of_iam_is_a_sentence(iam: "IAMClient", monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has operation, code and the source of the credentials; missing credentials are reported too."""
    del iam
    monkeypatch.setattr("moto.iam.models.IAMBackend.list_access_keys", _refuse)
    with pytest.raises(KeysError, match=r"IAM refused ListAccessKeys .*SDK's own chain"):
        _ask_aws()
    monkeypatch.setattr("botocore.signers.RequestSigner.sign", _no_credentials)
    with pytest.raises(KeysError, match="cannot reach IAM"):
        _ask_aws()


def test_missing_profile_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK refuses it before it asks anything."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(KeysError, match=r"cannot reach IAM: .*\(no-such-profile\) could not be found"):
        _ask_aws()


def _ask_aws() -> None:
    with live_keys(AWS) as keys:
        keys.of("u")


def _refuse(*_: object, **__: object) -> None:
    raise LimitExceededException("nobody")


def _no_credentials(*_: object, **__: object) -> None:
    raise NoCredentialsError


def of(server: IdentityServer) -> Settings:
    """A stack on this server."""
    endpoint = parse_endpoint(server.endpoint, "x:endpoint")
    own = AistorSettings(endpoint, endpoint, None, None, ADMIN, PASSWORD)
    return replace(AWS, cloud="aistor", region=REGION, aws=None, aistor=own)


def test_service_accounts_of_a_user(identities: IdentityServer) -> None:
    """A user has all keys, a missing user none; the last use is unknown; removing a key twice is legal."""
    identities.iam.add_user("somebody", "user-secret-0123456789")
    for key in ("KEYNUMBER1", "KEYNUMBER2"):
        identities.iam.add_service_account("somebody", access_key=key, secret_key="s" * 20)
    with live_keys(of(identities)) as keys:
        assert keys.of("somebody") == ["KEYNUMBER1", "KEYNUMBER2"]
        assert keys.of("nobody") == []
        assert keys.last_use("KEYNUMBER1") is None
        assert keys.age("somebody", "KEYNUMBER1") is None
        for _ in range(2):
            keys.remove("somebody", "KEYNUMBER1")
        assert keys.of("somebody") == ["KEYNUMBER2"]


def test_refusal_of_the_admin_api_is_a_sentence(identities: IdentityServer) -> None:
    """The message has the server and its reason."""
    identities.fault("list-service-accounts", refuse(403, "AccessDenied", "no"))
    with (
        pytest.raises(KeysError, match=r"cannot read a user's keys from .*AccessDenied"),
        live_keys(of(identities)) as keys,
    ):
        keys.of("u")
