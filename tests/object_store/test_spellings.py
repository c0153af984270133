"""The owner's other names for the same settings, and a configuration from what a stack published."""

from __future__ import annotations

from typing import Any

import pytest

from object_store import ConfigurationError, ObjectStore, StoreConfig

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "planted/secret"}
ENDPOINT = "https://nas.example:39000"


def _config(**variables: str) -> StoreConfig:
    return StoreConfig.from_environment({"AWS_REGION": "usw2"} | KEYS | variables)


@pytest.mark.parametrize(
    "variables",
    [
        {"S3_ENDPOINT": ENDPOINT},
        {"S3_ENDPOINT_URL": ENDPOINT},
        {"MINIO_ENDPOINT": ENDPOINT},
        {"MINIO_ENDPOINT": "nas.example:39000", "MINIO_USE_SSL": "true"},
        {"MINIO_ENDPOINT": "nas.example", "MINIO_PORT": "39000", "MINIO_USE_SSL": "1"},
        {"S3_ENDPOINT": ENDPOINT, "S3_ENDPOINT_URL": f"{ENDPOINT}/", "AWS_S3_FORCE_PATH_STYLE": "true"},
    ],
)
def test_each_spelling_names_the_same_server(variables: dict[str, str]) -> None:
    """Convex's and Restate's variables work like the decision record's; `usw2` is a region there."""
    config = _config(**variables)

    assert (config.endpoint, config.region) == (ENDPOINT, "usw2")


def test_bare_minio_host_is_http_unless_it_says_otherwise() -> None:
    """The helper that set these variables read them this way."""
    assert _config(MINIO_ENDPOINT="minio", MINIO_PORT="9000").endpoint == "http://minio:9000"


@pytest.mark.parametrize("address", ["::1", "[::1]", "[::1]:9000"])
def test_port_of_a_bare_address_is_not_lost(address: str) -> None:
    """The colons of an IPv6 address are not a port's."""
    assert _config(MINIO_ENDPOINT=address, MINIO_PORT="9000").endpoint == "http://[::1]:9000"


def test_two_servers_are_an_error() -> None:
    """No precedence decides where data goes: the message names both variables and the line that fixes it."""
    with pytest.raises(ConfigurationError, match=r"S3_ENDPOINT and S3_ENDPOINT_URL.*unset S3_ENDPOINT_URL"):
        _config(S3_ENDPOINT=ENDPOINT, S3_ENDPOINT_URL="https://other.example")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"S3_ENDPOINT_URL": ""}, "is set but empty"),
        ({"MINIO_ENDPOINT": ""}, "is set but empty"),
        ({"MINIO_ENDPOINT": "minio", "MINIO_USE_SSL": "perhaps"}, "MINIO_USE_SSL 'perhaps' is neither true nor false"),
        ({"MINIO_ENDPOINT": "minio:9000", "MINIO_PORT": "9001"}, "name different ports"),
        ({"S3_ENDPOINT": ENDPOINT, "AWS_S3_FORCE_PATH_STYLE": "no"}, "legal: true, false"),
        ({"S3_ENDPOINT": ENDPOINT, "AWS_S3_FORCE_PATH_STYLE": "false"}, "unset AWS_S3_FORCE_PATH_STYLE"),
        ({"S3_ENDPOINT": ENDPOINT, "S3_CLIENT_ENDPOINT": "host"}, "S3_CLIENT_ENDPOINT 'host' has no scheme"),
        ({}, "AWS_REGION 'usw2' is not a region; legal: an AWS region, since S3_ENDPOINT is not set"),
    ],
)
def test_what_cannot_work_is_refused(variables: dict[str, str], words: str) -> None:
    """Each message has the variable and the legal values; without an endpoint `usw2` is not a region."""
    with pytest.raises(ConfigurationError) as caught:
        _config(**variables)

    assert words in str(caught.value)


def test_path_style_on_aws() -> None:
    """The bucket moves from the host into the path, in data and in presigned URLs."""
    for style, start in (
        ({}, "https://probe.s3.us-west-2.amazonaws.com/k?"),
        ({"AWS_S3_FORCE_PATH_STYLE": "true"}, "https://s3.us-west-2.amazonaws.com/probe/k?"),
    ):
        with ObjectStore(_config(AWS_REGION="us-west-2", **style)) as store:
            assert store.presign("probe", "k", 60).startswith(start)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_presigned_url_is_for_the_client_endpoint(method: Any) -> None:  # noqa: ANN401  # one of two
    """The user of the URL knows the server by another name than its maker."""
    with ObjectStore(_config(S3_ENDPOINT=ENDPOINT, S3_CLIENT_ENDPOINT="https://aistor-s3-api.aistor:443")) as store:
        assert store.presign("probe", "k", 60, method).startswith("https://aistor-s3-api.aistor/probe/k?X-Amz-")
        assert store.config.endpoint == ENDPOINT


class TestPublished:
    """A deployment and an identity."""

    DEPLOYMENT: Any = {  # noqa: RUF012  # read only
        "version": 1,
        "stack": "local",
        "region": "us-west-2",
        "endpoint": "https://aistor-s3-api.aistor",
        "provisioning_endpoint": "https://localhost:31000",
        "ca_pem": None,
        "plan": {},
    }
    CREDENTIALS: Any = {"worker": {"access_key_id": "AKIAWORKER", "secret_access_key": "planted/secret"}}  # noqa: RUF012

    def test_client_endpoint_is_the_rule(self) -> None:
        """A workload uses the endpoint that was published for it."""
        config = StoreConfig.from_deployment(self.DEPLOYMENT, self.CREDENTIALS, "worker")

        assert (config.endpoint, config.client_endpoint) == ("https://aistor-s3-api.aistor", None)
        assert (config.access_key_id, config.secret_access_key) == ("AKIAWORKER", "planted/secret")

    def test_from_outside_presigned_urls_are_still_the_clients(self) -> None:
        """Requests go through the NodePort, URLs are for readers inside the cluster."""
        config = StoreConfig.from_deployment(self.DEPLOYMENT, self.CREDENTIALS, "worker", via="provisioning")

        assert (config.endpoint, config.client_endpoint) == ("https://localhost:31000", "https://aistor-s3-api.aistor")

    def test_on_aws_there_is_no_endpoint(self) -> None:
        """Leaving it out is the only difference."""
        deployment = self.DEPLOYMENT | {"endpoint": None, "provisioning_endpoint": None}

        assert StoreConfig.from_deployment(deployment, self.CREDENTIALS, "worker").endpoint is None

    @pytest.mark.parametrize(
        ("deployment", "credentials", "identity", "words"),
        [
            ({"version": 2}, {}, "worker", "version: Input should be 1"),
            ({"region": 5}, {}, "worker", "region: "),
            ({}, {}, "reader", "identity 'reader' has no credential; legal: worker"),
            (
                {"roles": {"ci": {"arn": "arn:aws:iam::1:role/ci"}}},
                {},
                "ci",
                "assume arn:aws:iam::1:role/ci with a token",
            ),
            ({}, {"worker": {"secret_access_key": "planted/secret"}}, "worker", "access_key_id: Field required"),
            (
                {},
                {"worker": "planted/secret"},
                "worker",
                "the output `credentials` does not have the form that a stack publishes",
            ),
        ],
    )
    def test_what_is_not_as_published_is_refused(
        self, deployment: dict[str, Any], credentials: dict[str, Any], identity: str, words: str
    ) -> None:
        """The message says what is wrong and how to get it, and never shows the secret."""
        with pytest.raises(ConfigurationError) as caught:
            StoreConfig.from_deployment(self.DEPLOYMENT | deployment, self.CREDENTIALS | credentials, identity)

        assert words in str(caught.value)
        assert "planted" not in str(caught.value)
