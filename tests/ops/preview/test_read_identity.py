"""ops.read_identity: the identity that reads a live bucket, and its key pair."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from model.deployment import Deployment, KeyPair, build_deployment
from model.plan import LifecycleRule, build_plan
from model.taxonomy_file import load, parse
from ops.preview.data_at_risk import DataNotReadError, Question, at_risk
from ops.read_identity import open_client, reader_for
from trials.stores import Store

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
PLANTED = "planted-secret-of-the-wrong-pair"


def deployment_of(identities: dict[str, dict[str, Any]]) -> Deployment:
    """A deployment with two buckets and these identities."""
    content = {
        "bands": load().bands.model_dump(),
        "domains": {"scratch": {"band": "hot"}, "archive": {"band": "cold"}},
        "identities": {**identities, "verifier": {"verifies": True}},
    }
    plan = build_plan(parse(content, "x"), env="test", region_code="usw2", tls_only=True, where="x:")
    return build_deployment(
        plan, stack="s", cloud="aistor", region="r", endpoint="https://x", provisioning_endpoint=None, ca_pem=None
    )


@pytest.mark.parametrize(
    ("identities", "chosen"),
    [
        ({"w": {"grants": {"*": "write"}}, "a": {"grants": {"*": "append"}}, "r": {"grants": {"*": "read"}}}, "r"),
        ({"w": {"grants": {"*": "write"}}, "a": {"grants": {"*": "append"}}}, "a"),
        ({"w": {"grants": {"*": "write"}}, "r": {"grants": {"archive": "read"}}}, "w"),
        ({"z": {"grants": {"*": "read"}}, "b": {"grants": {"*": "read"}}}, "z"),
        ({"r": {"grants": {"archive": "read"}}}, None),
    ],
)
def test_identity_with_the_least_access_reads(identities: dict[str, dict[str, Any]], chosen: str | None) -> None:
    """Read before append before write, the first of equals; never one without a grant, such as the verifier."""
    found = reader_for(deployment_of(identities), "joelclaw-test-usw2-scratch")

    assert (found.name if found else None) == chosen


def test_bucket_that_is_not_published_has_no_reader() -> None:
    """Grants of the plan are only for its own buckets."""
    assert reader_for(deployment_of({"r": {"grants": {"*": "read"}}}), "joelclaw-test-usw2-new") is None


def asked(store: Store) -> Question:
    """All of `scratch` would be removed."""
    rules = (LifecycleRule(id="band-hot", expire_after_days=7),)
    return Question("scratch", store.plan.bucket("scratch").name, rules, (), removed=True)


@pytest.mark.parametrize("identity", ["reader", "worker"])
def test_identity_reads_with_its_own_key_pair(aged_store: Store, identity: str) -> None:
    """With any access it may list versions."""
    with open_client(aged_store.deployment, aged_store.target.credentials[identity]) as client:
        assert at_risk(client, asked(aged_store), now=NOW, max_keys=100).current.at_once.objects == 6


@pytest.mark.parametrize(
    "name", ["AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_RETRY_MODE"]
)
def test_variable_of_an_sdk_has_no_effect(aged_store: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With a key pair of the stack, only the stack's endpoint and CA count."""
    monkeypatch.setenv(name, "/nowhere")
    with open_client(aged_store.deployment, aged_store.target.credentials["reader"]) as client:
        assert at_risk(client, asked(aged_store), now=NOW, max_keys=100).current.at_once.objects == 6


def test_verifier_could_not_serve(aged_store: Store) -> None:
    """It may list only its probes, so it is never chosen."""
    with (
        open_client(aged_store.deployment, aged_store.target.credentials["verifier"]) as client,
        pytest.raises(DataNotReadError, match="AccessDenied"),
    ):
        at_risk(client, asked(aged_store), now=NOW, max_keys=100)


def test_on_aws_the_sdk_finds_the_endpoint(plain_aws_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment on AWS has no endpoint."""
    store = plain_aws_store
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.server.endpoint)
    assert store.deployment.endpoint is None

    reader = reader_for(store.deployment, store.plan.bucket("scratch").name)
    assert reader is not None
    with open_client(store.deployment, store.target.credentials[reader.name]) as client:
        found = at_risk(client, asked(store), now=NOW, max_keys=100)
    assert (found.current.at_once.objects, found.current.at_once.size_bytes) == (1, 11)


def test_provisioning_endpoint_comes_first(aged_store: Store) -> None:
    """A preview runs where provisioning runs, which may not reach the clients' endpoint."""
    elsewhere = aged_store.deployment.model_copy(update={"endpoint": "https://clients.example"})
    with open_client(elsewhere, aged_store.target.credentials["reader"]) as client:
        assert client.meta.endpoint_url == aged_store.server.endpoint

    only = elsewhere.model_copy(update={"provisioning_endpoint": None})
    with open_client(only, aged_store.target.credentials["reader"]) as client:
        assert client.meta.endpoint_url == "https://clients.example"


def test_environment_leads_nowhere_else(aged_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, token, endpoint and CA of the caller's environment have no effect, and neither has the administrator's."""
    admin = aged_store.server.admin
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", admin.user)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", admin.password)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem")
    seen: list[str] = []
    with open_client(aged_store.deployment, aged_store.target.credentials["reader"]) as client:
        client.meta.events.register(
            "before-send.s3.*", lambda request, **_: seen.append(request.headers["Authorization"].decode())
        )
        assert at_risk(client, asked(aged_store), now=NOW, max_keys=100).current.at_once.objects == 6

    key = aged_store.target.credentials["reader"].access_key_id
    assert seen
    assert all(f"Credential={key}/" in one and admin.user not in one for one in seen)


@pytest.mark.parametrize(
    ("change", "pair", "said"),
    [
        ({}, KeyPair(access_key_id="nobody", secret_access_key=SecretStr(PLANTED)), "InvalidAccessKeyId"),
        ({}, None, "SignatureDoesNotMatch"),
        ({"provisioning_endpoint": "https://127.0.0.1:1"}, None, "EndpointConnectionError"),
        ({"ca_pem": None}, None, "SSLError"),
        ({"ca_pem": "no certificate"}, None, "SSLError"),
    ],
)
def test_what_goes_wrong_is_said_without_a_secret(
    aged_store: Store, change: dict[str, Any], pair: KeyPair | None, said: str
) -> None:
    """The message has the bucket, the error and the remedy."""
    known = aged_store.target.credentials["reader"].access_key_id
    pair = pair or KeyPair(access_key_id=known, secret_access_key=SecretStr(PLANTED))
    with (
        open_client(aged_store.deployment.model_copy(update=change), pair) as client,
        pytest.raises(DataNotReadError, match=said) as caught,
    ):
        at_risk(client, replace(asked(aged_store), removed=False), now=NOW, max_keys=100)

    message = str(caught.value)
    assert message.startswith("scratch: cannot read the bucket joelclaw-test-usw2-scratch: ")
    assert PLANTED not in f"{message} {caught.value!r} {pair!r}"
