"""A store is what its configuration says, for any other content of the environment."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from object_store import StoreConfig
from object_store.clients import _session, listing_client
from object_store.signing import origin_of, target_of

if TYPE_CHECKING:
    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer

STRAY = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_ENDPOINT": "http://127.0.0.1:9",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "stray",
    "AWS_SECRET_ACCESS_KEY": "stray",
    "AWS_SESSION_TOKEN": "stray",
    "AWS_PROFILE": "no-such-profile",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_UNSIGNED_PAYLOAD": "true",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "AWS_REQUEST_PAYER": "requester",
    "AWS_S3_EXPRESS": "true",
    "AWS_CHECKSUM_ALGORITHM": "",
    "AWS_CONDITIONAL_PUT": "stray",
    "AWS_COPY_IF_NOT_EXISTS": "stray",
    "AWS_DISABLE_TAGGING": "stray",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_RETRY_MODE": "never",
    "AWS_DEFAULTS_MODE": "no-such-mode",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "nonsense",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "nonsense",
    "AWS_SDK_UA_APP_ID": "a\x01",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "nonsense",
    "AWS_BUCKET": "stray",
    "AWS_ALLOW_INVALID_CERTIFICATES": "true",
    "AWS_ALLOW_HTTP": "false",
    "AWS_CA_BUNDLE": "/nonexistent/ca.pem",
}


@pytest.fixture(name="stray")
def _stray(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STRAY.items():
        monkeypatch.setenv(name, value)
    _session.cache_clear()  # so that it is made with them set


@pytest.mark.usefixtures("stray")
def test_stray_variables_change_no_request(scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore) -> None:
    """Each goes to the configured endpoint, path style, signed by the configured key for the configured region."""
    body = (
        b"<ListBucketResult><IsTruncated>false</IsTruncated>"
        b'<Contents><Key>k</Key><ETag>"e"</ETag><Size>1</Size></Contents></ListBucketResult>'
    )
    good = answer(body=body, headers={"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"})
    scripted.answer = lambda request: answer(204) if request.method == "DELETE" else good
    store = store_at(scripted.endpoint)

    store.upload("probe", "k", b"1")
    store.download("probe", "k")
    store.head("probe", "k")
    assert next(store.list("probe")).key == "k"
    store.delete_object("probe", "k")

    assert len(scripted.seen) == 5
    for request in scripted.seen:
        assert request.path.startswith("/probe")
        authorization = request.headers["authorization"]
        assert "Credential=AKIATESTTESTTESTTEST/" in authorization
        assert "/us-west-2/s3/aws4_request" in authorization
        assert not {"x-amz-security-token", "x-amz-request-payer"} & set(request.headers)
        assert request.headers["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD"
    assert "x-amz-checksum-sha256" in scripted.seen[0].headers


@pytest.mark.usefixtures("stray")
def test_stray_variables_do_not_switch_verification_off(tls_scripted: ScriptedServer, store_at: MakeStore) -> None:
    """AWS_ALLOW_INVALID_CERTIFICATES, with which some clients trust any server, has no effect."""
    with pytest.raises(Exception, match="is not trusted"):
        store_at(tls_scripted.endpoint, max_retries=0).download("probe", "k")

    assert tls_scripted.seen == []


@pytest.mark.usefixtures("stray")
def test_stray_endpoint_does_not_move_aws() -> None:
    """A configuration without endpoint is AWS in its region for both clients."""
    config = StoreConfig(region="us-west-2", access_key_id="a", secret_access_key="s")  # made up

    assert origin_of(config, "probe") + target_of(config, "probe", "k") == "https://probe.s3.us-west-2.amazonaws.com/k"
    client = listing_client(config, None)
    assert client.meta.endpoint_url == "https://s3.us-west-2.amazonaws.com"
    client.close()


def test_shared_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_at: MakeStore) -> None:
    """A broken AWS config file, or an endpoint in it, is not read."""
    file = tmp_path / "config"
    file.write_text("[default]\nendpoint_url = http://127.0.0.1:9\nthis is not a setting\n[")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    _session.cache_clear()

    assert store_at("http://127.0.0.1:1")._listings().meta.endpoint_url == "http://127.0.0.1:1"


def test_making_a_store_leaves_the_environment_alone(store_at: MakeStore) -> None:
    """Variables that the clients must not read stay in the process, where other code may need them."""
    before = dict(os.environ)

    store_at("http://127.0.0.1:9")._wires()

    assert dict(os.environ) == before


def test_copy_of_the_ca_goes_with_the_store(
    store_at: MakeStore, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that the listing client needs exists while the client is used, and no longer."""
    made = []
    whole = tempfile.mkstemp

    def recorded(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as the original
        made.append(whole(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(tempfile, "mkstemp", recorded)
    store = store_at("https://127.0.0.1:9", ca_bundle=ca_file)
    store._listings()
    (copy,) = (Path(path) for _, path in made)
    assert copy.read_bytes() == ca_file.read_bytes()

    store.close()
    assert not copy.exists()
