"""What a configuration accepts and refuses, and which variables it reads."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING

import pytest

from object_store import ConfigurationError, ObjectStore, StoreConfig

if TYPE_CHECKING:
    from pathlib import Path

    import trustme

AISTOR = {
    "S3_ENDPOINT": "https://aistor-s3-api.aistor:443",
    "AWS_REGION": "usw2",
    "AWS_ACCESS_KEY_ID": "worker-key",
    "AWS_SECRET_ACCESS_KEY": "planted-secret",
}
AWS = {name: value for name, value in AISTOR.items() if name != "S3_ENDPOINT"} | {"AWS_REGION": "us-west-2"}


class TestFromEnvironment:
    """from_environment."""

    def test_reads_the_process_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a mapping it reads the process's own variables."""
        for name, value in AISTOR.items():
            monkeypatch.setenv(name, value)

        config = StoreConfig.from_environment()

        assert (config.endpoint, config.region) == ("https://aistor-s3-api.aistor:443", "usw2")
        assert (config.access_key_id, config.secret_access_key) == ("worker-key", "planted-secret")
        assert ObjectStore.from_environment().config == config

    def test_without_endpoint_it_is_aws(self) -> None:
        """No S3_ENDPOINT is AWS itself, with the public CAs."""
        config = StoreConfig.from_environment(AWS)

        assert (config.endpoint, config.ca_bundle, config.session_token) == (None, None, None)
        assert config.is_tls

    @pytest.mark.parametrize(
        ("extra", "endpoint"),
        [
            ({"AWS_ENDPOINT_URL": "https://all:1"}, "https://all:1"),
            ({"AWS_ENDPOINT_URL_S3": "https://s3:2"}, "https://s3:2"),
            ({"AWS_ENDPOINT_URL": "https://all:1", "AWS_ENDPOINT_URL_S3": "https://s3:2"}, "https://s3:2"),
            ({"AWS_ENDPOINT_URL": "https://all:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"}, None),
            ({"AWS_ENDPOINT_URL": "https://all:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}, "https://all:1"),
            ({"AWS_ENDPOINT_URL": ""}, None),
        ],
        ids=["all services", "s3", "s3 wins", "ignored", "not ignored", "empty"],
    )
    def test_aws_endpoint_variables_count_as_for_the_aws_sdks(
        self, extra: dict[str, str], endpoint: str | None
    ) -> None:
        """Without S3_ENDPOINT the SDKs' own variables count, the service's before the general one."""
        assert StoreConfig.from_environment(AWS | extra).endpoint == endpoint

    def test_aws_variables_are_ignored_beside_s3_endpoint(self, ca_file: Path) -> None:
        """S3_ENDPOINT means that server and nothing else: other endpoints and AWS's CA are ignored."""
        config = StoreConfig.from_environment(
            AISTOR
            | {"AWS_ENDPOINT_URL": "https://all:1", "AWS_ENDPOINT_URL_S3": "nonsense", "AWS_CA_BUNDLE": str(ca_file)}
        )

        assert (config.endpoint, config.ca_bundle) == (AISTOR["S3_ENDPOINT"], None)

    def test_ca_bundles(self, ca_file: Path) -> None:
        """AWS_CA_BUNDLE counts without S3_ENDPOINT; S3_CA_BUNDLE counts always and first."""
        aws_ca, own_ca = {"AWS_CA_BUNDLE": str(ca_file)}, {"S3_CA_BUNDLE": f"{ca_file.parent}/./{ca_file.name}"}

        assert StoreConfig.from_environment(AWS | aws_ca).ca_bundle == aws_ca["AWS_CA_BUNDLE"]
        assert StoreConfig.from_environment(AWS | aws_ca | own_ca).ca_bundle == own_ca["S3_CA_BUNDLE"]
        assert StoreConfig.from_environment(AISTOR | own_ca).ca_bundle == own_ca["S3_CA_BUNDLE"]
        assert StoreConfig.from_environment(AWS | {"AWS_CA_BUNDLE": ""}).ca_bundle is None

    def test_session_token_goes_with_the_keys(self) -> None:
        """A temporary credential's token is read; an empty one counts as not set."""
        assert StoreConfig.from_environment(AWS | {"AWS_SESSION_TOKEN": "t"}).session_token == "t"  # noqa: S105  # made up
        assert StoreConfig.from_environment(AWS | {"AWS_SESSION_TOKEN": ""}).session_token is None

    @pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    def test_missing_variable_is_named_with_the_line_to_set(self, variable: str) -> None:
        """A person can copy the line from the message."""
        environ = {name: value for name, value in AISTOR.items() if name != variable}

        with pytest.raises(ConfigurationError, match=rf"^{variable} is not set: export {variable}="):
            StoreConfig.from_environment(environ)

    @pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "S3_ENDPOINT"])
    @pytest.mark.parametrize("value", ["", " "], ids=["empty", "blank"])
    def test_empty_variable_is_an_error(self, variable: str, value: str) -> None:
        """Empty is not absent: an S3_ENDPOINT that a manifest lost must not mean AWS."""
        with pytest.raises(ConfigurationError, match=rf"^{variable}\b.*legal: .*export {variable}="):
            StoreConfig.from_environment(AISTOR | {variable: value})


class TestEndpoint:
    """What an endpoint may be."""

    @pytest.mark.parametrize(
        ("endpoint", "kept"),
        [
            ("http://minio:9000", "http://minio:9000"),
            ("https://localhost:31000/", "https://localhost:31000"),
            ("https://[::1]:9000", "https://[::1]:9000"),
        ],
    )
    def test_takes_scheme_host_and_port(self, endpoint: str, kept: str) -> None:
        """Plain http is legal (the rollback path uses it); a slash at the end is dropped."""
        config = StoreConfig.from_environment(AISTOR | {"S3_ENDPOINT": endpoint})

        assert config.endpoint == kept
        assert config.is_tls == kept.startswith("https")

    @pytest.mark.parametrize("variable", ["S3_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
    @pytest.mark.parametrize(
        ("endpoint", "fault"),
        [
            ("minio:9000", "no scheme"),
            ("ftp://minio", "no scheme"),
            ("https://", "no host"),
            ("https://minio:0", "no host"),
            ("https://mi nio", "no host"),
            ("https://minio:99999", "port"),
            ("https://minio:x", "port"),
            ("https://minio/bucket", "a path"),
            ("https://minio?x=1", "a path"),
            ("https://minio#x", "a path"),
            ("https://[::1", "not a URL"),
        ],
    )
    def test_refuses_anything_else_by_name(self, variable: str, endpoint: str, fault: str) -> None:
        """The message has the variable, the value, the legal values and the line to set."""
        with pytest.raises(ConfigurationError, match=fault) as refused:
            StoreConfig.from_environment(AWS | {variable: endpoint})

        message = str(refused.value)
        assert message.startswith(f"{variable} {endpoint!r} ")
        assert f"export {variable}=https://" in message

    def test_keeps_a_password_in_it_out_of_the_message(self) -> None:
        """A URL with a user is refused, and the message does not show it."""
        with pytest.raises(ConfigurationError, match="holds a user or password") as refused:
            StoreConfig.from_environment(AISTOR | {"S3_ENDPOINT": "https://user:hidden@minio"})

        assert "hidden" not in str(refused.value)


class TestRegion:
    """What a region may be."""

    def test_custom_region_is_refused_on_aws(self) -> None:
        """`usw2` is one of the owner's regions; AWS has no region of that name."""
        with pytest.raises(ConfigurationError, match=r"'usw2' is not a region.*S3_ENDPOINT is not set"):
            StoreConfig.from_environment(AWS | {"AWS_REGION": "usw2"})

    @pytest.mark.parametrize("region", ["us west", "a/b", "-x"])
    def test_region_is_one_word(self, region: str) -> None:
        """The signature's scope contains it, so it cannot hold a slash."""
        with pytest.raises(ConfigurationError, match="letters, digits"):
            StoreConfig.from_environment(AISTOR | {"AWS_REGION": region})

    @pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "ap-southeast-12"])
    def test_takes_every_form_of_aws_region(self, region: str) -> None:
        """Partitions have longer names."""
        assert StoreConfig.from_environment(AWS | {"AWS_REGION": region}).region == region


class TestCredential:
    """What a credential may be."""

    @pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    @pytest.mark.parametrize("value", ["hidden\n", " hidden", "hid den", "hidd\u00e9n", "hidden\x07"], ids=repr)
    def test_refuses_what_crept_in_with_it(self, variable: str, value: str) -> None:
        """A newline from a file is found here, not as a wrong signature; the message does not show the value."""
        with pytest.raises(ConfigurationError, match=rf"{variable} holds white space") as refused:
            StoreConfig.from_environment(AISTOR | {variable: value})

        assert "hid" not in str(refused.value)

    def test_refuses_the_vendors_default_pair(self) -> None:
        """Every manual prints this pair, so it is not a credential."""
        pair = {"AWS_ACCESS_KEY_ID": "minioadmin", "AWS_SECRET_ACCESS_KEY": "minioadmin"}

        with pytest.raises(ConfigurationError, match="default pair"):
            StoreConfig.from_environment(AISTOR | pair)

    def test_repr_shows_no_secret(self) -> None:
        """Neither secret nor token is in the repr of a configuration or of its store."""
        config = StoreConfig.from_environment(AISTOR | {"AWS_SESSION_TOKEN": "planted-token"})

        shown = repr(config) + repr(ObjectStore(config)) + str(config)
        assert "planted" not in shown
        assert "worker-key" in shown

    def test_is_frozen(self) -> None:
        """A checked configuration cannot change."""
        config = StoreConfig.from_environment(AISTOR)
        with pytest.raises(FrozenInstanceError):
            config.region = "other"  # type: ignore[misc]  # what must fail


class TestCa:
    """What a CA bundle may be."""

    def test_takes_path_and_text(self, ca_file: Path, authority: trustme.CA) -> None:
        """A path (str or Path) is read; PEM text is used as it is; comments may use any script."""
        pem = authority.cert_pem.bytes().decode()

        for bundle in (ca_file, str(ca_file), pem, f"# Ä\n{pem}"):
            config = replace(StoreConfig.from_environment(AISTOR), ca_bundle=bundle)
            assert pem in (config.read_ca() or "")

    def test_missing_file_is_named(self, tmp_path: Path) -> None:
        """The error comes when the configuration is made, not at the first request."""
        path = tmp_path / "absent.pem"
        with pytest.raises(
            ConfigurationError, match=rf"S3_CA_BUNDLE.*'{path}' cannot be read: No such file.*legal: .*"
        ):
            StoreConfig.from_environment(AISTOR | {"S3_CA_BUNDLE": str(path)})

    @pytest.mark.parametrize(
        "content",
        [b"", b"junk", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
        ids=["empty", "junk", "binary", "broken"],
    )
    def test_file_without_certificate_is_named(self, tmp_path: Path, content: bytes) -> None:
        """The message names the file, for any other content."""
        path = tmp_path / "ca.pem"
        path.write_bytes(content)

        with pytest.raises(ConfigurationError, match=rf"'{path}' (holds no certificate|cannot be read)"):
            StoreConfig.from_environment(AISTOR | {"S3_CA_BUNDLE": str(path)})

    def test_broken_text_is_refused(self) -> None:
        """The message does not repeat a text that is not a certificate."""
        with pytest.raises(ConfigurationError, match="the given text holds no certificate"):
            StoreConfig.from_environment(AISTOR | {"S3_CA_BUNDLE": "-----BEGIN CERTIFICATE-----\nAAAA"})

    def test_is_not_read_for_plain_http(self, tmp_path: Path) -> None:
        """The rollback path changes only the endpoint: remaining TLS settings do not matter."""
        config = StoreConfig.from_environment(
            AISTOR | {"S3_ENDPOINT": "http://minio:9000", "S3_CA_BUNDLE": str(tmp_path / "absent.pem")}
        )

        assert config.read_ca() is None

    def test_file_that_goes_missing_later_is_an_error_of_ours(self, tmp_path: Path, authority: trustme.CA) -> None:
        """The clients read the file again; both raise ConfigurationError if it is gone."""
        path = tmp_path / "ca.pem"
        path.write_bytes(authority.cert_pem.bytes())
        store = ObjectStore(StoreConfig.from_environment(AISTOR | {"S3_CA_BUNDLE": str(path)}))
        path.unlink()

        with pytest.raises(ConfigurationError, match="cannot be read"):
            store.download("probe", "k")
        with pytest.raises(ConfigurationError, match="cannot be read"):
            next(store.list("probe"))
