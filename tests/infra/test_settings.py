"""infra.settings: every key, its default, and the message for each mistake in a stack's config."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
import pytest
import trustme
import yaml
from pulumi.runtime import settings as runtime_settings
from pydantic.alias_generators import to_camel

from infra import settings
from infra.admin_credentials import admin_credentials
from infra.settings import Settings, StackConfig, read_settings
from model.environment import READ_BY_THE_PLUGIN
from model.problems import InvalidInputError

ROOT = Path(__file__).parents[2]
ADMIN = {"adminUser": "provisioner", "adminPassword": "planted-admin-password"}
KEY = "arn:aws:kms:us-west-2:123456789012:key/ID"
AWS = {"cloud": "aws", "env": "prod", "region": "us-west-2"}


@pytest.fixture(name="port")
def _port() -> Iterator[int]:
    """A listener that accepts connections, so that an endpoint is reachable."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(name="aistor")
def _aistor(port: int) -> dict[str, str]:
    """The minimal config of an aistor stack."""
    return {"cloud": "aistor", "env": "local", "endpoint": f"http://127.0.0.1:{port}", **ADMIN}


def read(values: dict[str, str], root: Path | None = None, environ: dict[str, str] | None = None) -> Settings:
    """The settings of a stack `local` with these config values."""
    runtime_settings.configure(runtime_settings.Settings("object-store", "local", root_directory=str(root or ROOT)))
    pulumi.runtime.set_all_config({f"object-store:{key}": value for key, value in values.items()})
    try:
        return read_settings(environ or {})
    finally:
        pulumi.runtime.set_all_config({})


def refused(values: dict[str, str], root: Path | None = None, environ: dict[str, str] | None = None) -> str:
    """The message with which a config is refused."""
    with pytest.raises(InvalidInputError) as caught:
        read(values, root, environ)
    message = str(caught.value)
    assert "Pulumi.local.yaml: object-store:" in message
    assert "planted-admin-password" not in message
    return message


class TestDeclared:
    """The keys in Pulumi.yaml."""

    declared: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]

    def test_are_the_keys_that_are_read(self) -> None:
        """The declared keys are exactly the keys that the program reads."""
        assert list(self.declared) == [to_camel(name) for name in StackConfig.model_fields]

    def test_have_the_defaults_that_the_program_has(self) -> None:
        """The engine's defaults equal the program's."""
        for name, info in StackConfig.model_fields.items():
            declared = self.declared[to_camel(name)]
            assert info.is_required() == ("default" not in declared), name
            if not info.is_required():
                assert declared["default"] == info.get_default(call_default_factory=True), name

    def test_have_a_type_and_a_description(self) -> None:
        """Every key has a type and a description."""
        assert all(value["type"] and value["description"] for value in self.declared.values())


class TestAistor:
    """The local cloud."""

    def test_least_config(self, aistor: dict[str, str], port: int) -> None:
        """Clients get the provisioning endpoint where none is named, and buckets are protected."""
        found = read(aistor)

        assert found.aistor is not None
        assert found.aistor.endpoint == found.aistor.client_endpoint
        assert found.aistor.endpoint.port == port
        assert (found.protect, found.empty_on_destroy, found.region) == (True, False, "us-east-1")
        assert found.tls_only is False

    def test_two_endpoints(self, aistor: dict[str, str]) -> None:
        """Clients may have another endpoint than provisioning."""
        found = read({**aistor, "clientEndpoint": "https://aistor-s3-api.aistor:443"})

        assert found.aistor is not None
        assert found.aistor.client_endpoint.url == "https://aistor-s3-api.aistor"

    def test_ca_file_is_handed_on_relative_to_the_program(
        self, aistor: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The plugin stores the path in the state, so it must be the same on every machine."""
        trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
        (tmp_path / "infra").mkdir()
        monkeypatch.chdir(tmp_path / "infra")

        found = read({**aistor, "caBundle": "ca.pem"}, root=tmp_path)

        assert found.aistor is not None
        assert found.aistor.ca_file == "../ca.pem"
        assert found.aistor.ca_pem is not None
        assert found.aistor.ca_pem.startswith("-----BEGIN CERTIFICATE-----")

    @pytest.mark.parametrize("name", READ_BY_THE_PLUGIN)
    def test_variable_that_the_plugin_reads_is_refused(self, aistor: dict[str, str], name: str) -> None:
        """The plugin would use it beside the config; an empty one has no effect, and AWS has no such plugin."""
        with pytest.raises(InvalidInputError, match=f"unset {name}"):
            read(aistor, environ={name: "1"})
        assert read(aistor, environ={name: ""}).aistor is not None

    def test_admin_credentials_from_the_environment(self, aistor: dict[str, str]) -> None:
        """If the config has no credentials, the environment's are used."""
        without = {key: value for key, value in aistor.items() if key not in ADMIN}
        found = read(without, environ={"AISTOR_ROOT_USER": "root-user", "AISTOR_ROOT_PASSWORD": "root-password"})

        assert found.aistor is not None
        assert found.aistor.admin_user == "root-user"

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"endpoint": ""}, "object-store:endpoint: the aistor cloud needs an endpoint"),
            ({"endpoint": "localhost:31000"}, "has no scheme"),
            ({"endpoint": "https://localhost:31000/minio"}, "has a path"),
            ({"clientEndpoint": "aistor:443"}, "object-store:clientEndpoint"),
            ({"endpoint": "http://127.0.0.1:1"}, "no usable server answers at http://127.0.0.1:1"),
            ({"caBundle": "none.pem"}, "the CA file 'none.pem' cannot be read"),
            ({"caBundle": "Pulumi.yaml"}, "'Pulumi.yaml' is not a certificate"),
            ({"adminUser": ""}, "no admin credentials"),
            ({"adminPassword": ""}, "AISTOR_ROOT_PASSWORD"),
            ({"adminUser": "minioadmin"}, "the vendor's default credentials"),
            ({"adminPassword": "minioadmin"}, "the vendor's default credentials"),
            ({"allowedAccountIds": '["123456789012"]'}, "object-store:allowedAccountIds: is for AWS only"),
            ({"encryption": "SSE-KMS", "kmsKeyArn": "arn:aws:kms:x"}, "object-store:kmsKeyArn: is for AWS only"),
            ({"encryption": "SSE-KMS"}, "go together"),
            ({"emptyOnDestroy": "true"}, "emptyOnDestroy needs protect: false"),
            ({"cloud": "azure"}, "aistor, aws"),
            ({"protect": "maybe"}, "valid boolean"),
            ({"domains": "[]"}, "valid dictionary"),
            ({"lifecycle": "x"}, "unknown key 'lifecycle'"),
            ({"emdpoint": "x"}, "write: object-store:endpoint"),
            ({"adminApi": "v5"}, "object-store:adminApi: the value is not allowed here"),
            ({"adminApi": "v5"}, "v3, v4"),
            ({"adminApi": "4"}, "write: object-store:adminApi: v4"),
            ({"adminAPI": "v4"}, "unknown key 'adminAPI'"),
            ({"region": "us west"}, "object-store:region: 'us west' cannot be the region of a server"),
            ({"region": "us-west-2\n"}, "cannot be the region of a server"),
            ({"region": "2"}, "MINIO_SITE_REGION"),
            ({"maxKeyAgeDays": "100000000000000000000"}, "object-store:maxKeyAgeDays"),
        ],
    )
    def test_mistake_is_refused(self, aistor: dict[str, str], change: dict[str, str], expected: str) -> None:
        """A mistake is named with its key, what may stand there, and the line to paste."""
        assert expected in refused({**aistor, **change})

    @pytest.mark.parametrize("said", [None, "", "v3", "v4"])
    def test_admin_api_is_undecided_unless_said(self, aistor: dict[str, str], said: str | None) -> None:
        """Both versions are legal; left out and empty (the declared default) leave the decision to the state."""
        found = read(aistor if said is None else {**aistor, "adminApi": said})

        assert found.aistor is not None
        assert found.aistor.admin_api == (said or None)

    @pytest.mark.parametrize("key", ["cloud", "env"])
    def test_needed_key_is_asked_for(self, aistor: dict[str, str], key: str) -> None:
        """A key without a default is required."""
        del aistor[key]

        assert f"object-store:{key}: is missing" in refused(aistor)

    def test_vendor_default_in_the_environment_is_refused(self, aistor: dict[str, str]) -> None:
        """The environment's pair is also checked."""
        without = {key: value for key, value in aistor.items() if key not in ADMIN}

        environ = {"AISTOR_ROOT_USER": "minioadmin", "AISTOR_ROOT_PASSWORD": "minioadmin"}
        assert "the vendor's default credentials" in refused(without, environ=environ)


class TestAws:
    """The other cloud."""

    def test_least_config(self) -> None:
        """A region is enough; every account is allowed where none is named."""
        found = read(AWS)

        assert found.aws is not None
        assert (found.aws.allowed_account_ids, found.aws.kms_key_arn) == ((), None)
        assert found.tls_only is True

    def test_default_of_the_admin_api_is_no_mistake(self) -> None:
        """The engine passes declared defaults also on aws."""
        assert read({**AWS, "adminApi": ""}).aistor is None

    def test_the_rest(self) -> None:
        """Accounts, KMS, tags and additions are read."""
        more = {"allowedAccountIds": '["123456789012"]', "encryption": "SSE-KMS", "kmsKeyArn": KEY}
        found = read({**AWS, **more, "tags": '{"team": "home"}', "domains": '{"build-cache": {"band": "hot"}}'})

        assert found.aws is not None
        assert (found.aws.allowed_account_ids, found.aws.kms_key_arn) == (("123456789012",), KEY)
        assert (found.tags["team"], found.tags["env"]) == ("home", "prod")
        assert found.domains == {"build-cache": {"band": "hot"}}

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"region": ""}, "the aws cloud needs a region"),
            ({"region": "usw2"}, "'usw2' is not an AWS region"),
            ({"endpoint": "https://localhost:9000"}, "object-store:endpoint: is for AIStor only"),
            ({"caBundle": "ca.pem"}, "object-store:caBundle: is for AIStor only"),
            ({"adminApi": "v3"}, "object-store:adminApi: is for AIStor only"),
            ({"adminApi": "v4"}, "object-store:adminApi: is for AIStor only"),
            ({"allowedAccountIds": '["12"]'}, "allowedAccountIds.0"),
            (
                {"allowedAccountIds": "[123456789012]"},
                "--path --type string 'object-store:allowedAccountIds[0]'",
            ),
            ({"allowedAccountIds": "123456789012"}, "12 digits in quotes, each in a list"),
            ({"tags": '{"aws:team": "home"}'}, "object-store:tags.aws:team: AWS reserves the prefix"),
            ({"encryption": "SSE-KMS", "kmsKeyArn": "alias/key"}, "is not the ARN of a key"),
            ({"encryption": "SSE-KMS", "kmsKeyArn": "arn:aws-cn:kms:cn-north-1:1:key/x"}, "is not the ARN of a key"),
            ({"encryption": "SSE-KMS", "kmsKeyArn": KEY.replace("west", "east")}, "is a key of us-east-2, but"),
            ({"kmsKeyArn": KEY}, "write: object-store:encryption: SSE-KMS"),
            ({"emptyOnDestroy": "true"}, "write: object-store:emptyOnDestroy: false"),
            ({"protect": "maybe"}, "write: object-store:protect: true"),
            ({"maxKeyAgeDays": "0"}, "write: object-store:maxKeyAgeDays: 90"),
        ],
    )
    def test_mistake_is_refused(self, change: dict[str, str], expected: str) -> None:
        """A mistake is named; an endpoint of another server among them, since the provider would never converge."""
        assert expected in refused({**AWS, **change})


def test_secrets_stay_out_of_representations(aistor: dict[str, str]) -> None:
    """The settings' representation shows no password."""
    assert "planted-admin-password" not in repr(read(aistor))


def test_config_wins_over_environment() -> None:
    """The documented order: config, then environment."""
    values = {"adminUser": "config-user", "adminPassword": "config-password"}
    environ = {"AISTOR_ROOT_USER": "environment-user", "AISTOR_ROOT_PASSWORD": "environment-password"}

    assert admin_credentials(values.get, environ, "x:") == ("config-user", "config-password")


def test_config_of_other_namespaces_is_left_alone() -> None:
    """Only keys of this project's namespace are checked."""
    pulumi.runtime.set_all_config({"aws:region": "eu-west-1", **{f"object-store:{k}": v for k, v in AWS.items()}})
    runtime_settings.configure(runtime_settings.Settings("object-store", "local", root_directory=str(ROOT)))

    assert read_settings({}).region == "us-west-2"


def test_config_is_no_longer_than_the_engine_can_pass_on() -> None:
    """Linux takes 131 072 bytes for the variable that holds the config; the longest key is named, without its value."""
    others = {f"object-store:{key}": value for key, value in {**AWS, "acknowledge": ""}.items()}
    fitting = 131_072 - len("PULUMI_CONFIG=") - len("\0") - len(json.dumps(others, separators=(",", ":")))

    with pytest.raises(InvalidInputError) as caught:
        read({**AWS, "acknowledge": "q" * (fitting + 1)})
    assert "object-store:acknowledge: with it the stack's config has 131058 bytes" in str(caught.value)
    assert "infra/taxonomy.yaml" in str(caught.value)
    assert "qqq" not in str(caught.value)
    with pytest.raises(InvalidInputError, match="acknowledge"):  # not a list, but short enough
        read({**AWS, "acknowledge": "q" * fitting})


def test_committed_stacks_are_legal() -> None:
    """The shipped stack files contain only known keys."""
    for stack in ("local", "aws"):
        content = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
        values = {
            key.removeprefix("object-store:"): value if isinstance(value, str) else json.dumps(value)
            for key, value in content.items()
        }
        assert settings.parse_config(values, "x:").cloud in {"aistor", "aws"}
