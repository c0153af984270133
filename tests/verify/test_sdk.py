"""The environment of the machine does not steer a run's requests."""

from typing import TYPE_CHECKING

import pytest

from verify.probe.session import ANONYMOUS, StoreSession
from verify.sdk import sdk_session

if TYPE_CHECKING:
    from pathlib import Path

    from trials.stores import Store

NOT_THERE = "/nowhere/at/all.pem"


def test_proxy_is_passed_by_as_the_adapter_does(store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
    """A range in NO_PROXY, which boto3 does not know by itself."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8,localhost")

    with StoreSession(store.target, 1) as session:
        made = session.client(ANONYMOUS).meta.config
        assert vars(made)["proxies"] == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_PROFILE", "no-such-profile"),
        ("AWS_DEFAULT_PROFILE", "no-such-profile"),
        ("AWS_CONFIG_FILE", "{config}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "{config}"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
        ("AWS_CA_BUNDLE", NOT_THERE),
        ("REQUESTS_CA_BUNDLE", NOT_THERE),
        ("CURL_CA_BUNDLE", NOT_THERE),
        ("SSL_CERT_FILE", NOT_THERE),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_MAX_ATTEMPTS", "many"),
        ("AWS_RETRY_MODE", "never"),
        ("AWS_DEFAULTS_MODE", "no-such-mode"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "nonsense"),
        ("AWS_REGION", "mars-1"),
        ("AWS_SESSION_TOKEN", "a-stale-token"),
    ],
)
def test_variable_of_an_sdk_has_no_effect_on_a_stack_of_its_own(
    store: "Store", tmp_path: "Path", monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A request with a key pair of an AIStor stack succeeds as without the variable."""
    config = tmp_path / "config"
    config.write_text(
        "[default]\ns3 =\n  addressing_style = virtual\nrole_arn = nobody\nca_bundle = /nowhere\n", "ascii"
    )
    monkeypatch.setenv(name, value.format(config=config))
    sdk_session.cache_clear()
    try:
        with StoreSession(store.target, 1) as session:
            verifier = store.plan.verifier
            assert verifier is not None
            found = session.ask(lambda: session.client(verifier.name).list_buckets()["Buckets"])
            assert found.ok, found
            assert session.client(ANONYMOUS).meta.endpoint_url == store.target.endpoint
    finally:
        sdk_session.cache_clear()


def test_no_credentials_of_the_machine_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key pair a session has none, also where the variables hold one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")

    assert sdk_session().get_credentials() is None
