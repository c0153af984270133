"""Settings: everything that a stack's config decides, read in one place and checked before any cloud request.

The rule: only this module reads `pulumi.Config`. `Pulumi.yaml` declares its keys with type, description and default,
and an unknown key is an error. The cloud is a declared setting, never guessed from the stack's name.
It leaves out domains, identities and key generations, which it passes on unchecked (`model.taxonomy`,
`model.generations`).
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pulumi
import pulumi.runtime.config as runtime_config
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from infra.admin_command import KEY as COMMAND_KEY
from infra.admin_credentials import admin_credentials
from infra.namespace import NAMESPACE
from infra.reachable import check_reachable
from model.endpoint import Endpoint, parse_endpoint, read_ca_bundle
from model.environment import READ_BY_THE_PLUGIN
from model.policies import Cloud
from model.problems import InvalidInputError, Problem, nearest
from model.regions import PARTITION
from model.resources import AdminApiVersion
from model.stack_names import short_name, stack_file
from model.tags import own_tags, tag_problems
from model.written import WrittenError
from model.written_json import parse_json

# The form; `infra.regions` knows which regions there are.
_AWS_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")
# MinIO's own form of a region (validRegionRegex in its internal/config/config.go), with an end.
_SERVER_REGION = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{1,62}")
MAX_KEY_AGE_DAYS = 3650
_ACCOUNT_ID = r"^[0-9]{12}$"
# Pulumi's language host gives the program its config in one variable of the environment (PULUMI_CONFIG in
# sdk/python/cmd/pulumi-language-python/main.go), and Linux takes this many bytes for one (MAX_ARG_STRLEN, execve(2)).
_CONFIG_BYTES = 128 * 1024 - len("PULUMI_CONFIG=") - 1
_KMS_KEY = re.compile(rf"arn:{PARTITION}:kms:([a-z0-9-]+):[0-9]+:(key|alias)/.+")
# The line to write for a key, by its name in camel case; for other keys a problem names a legal value.
_EXAMPLES = {
    "adminApi": "v4",
    "protect": "true",
    "emptyOnDestroy": "false",
    "tags": "{team: platform}",
    "administrators": '["ops-admin"]',
    "domains": "{build-cache: {band: hot}}",
    "identities": "{registry: {grants: {media-raw: read}}}",
    "credentials": "{worker: {current: 2, previous: 1}}",
    "maxKeyAgeDays": "90",
    "acknowledge": '["a sentence of object-store preview"]',
}
_AISTOR_ONLY = (
    "endpoint",
    "client_endpoint",
    "ca_bundle",
    "admin_user",
    "admin_password",
    "admin_credentials_command",
    "admin_api",
)
_AWS_ONLY = ("allowed_account_ids", "kms_key_arn")


class StackConfig(BaseModel):
    """The config keys of the namespace `object-store`, in camel case; `Pulumi.yaml` describes each key."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True)

    cloud: Cloud
    env: str
    region_code: str = "usw2"
    region: str = ""
    endpoint: str = ""
    client_endpoint: str = ""
    ca_bundle: str = ""
    admin_user: str = ""
    admin_password: str = ""
    admin_credentials_command: str = ""
    admin_api: Literal["", AdminApiVersion] = ""
    protect: bool = True
    empty_on_destroy: bool = False
    allowed_account_ids: list[Annotated[str, Field(pattern=_ACCOUNT_ID)]] = Field(default_factory=list)
    encryption: Literal["SSE-S3", "SSE-KMS"] = "SSE-S3"
    kms_key_arn: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    administrators: list[str] = Field(default_factory=list)
    domains: dict[str, Any] = Field(default_factory=dict)
    identities: dict[str, Any] = Field(default_factory=dict)
    credentials: dict[str, Any] = Field(default_factory=dict)
    max_key_age_days: Annotated[int, Field(ge=1, le=MAX_KEY_AGE_DAYS)] = 90
    acknowledge: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class AistorSettings:
    """How to reach AIStor.

    Attributes:
        endpoint: The endpoint for provisioning.
        client_endpoint: The endpoint for clients.
        ca_file: Path of the CA bundle relative to the program's folder. The plugin stores it in the state, where an
            absolute path would differ on every machine.
        ca_pem: The content of that file, public certificates.
        admin_user: Access key of the provisioning admin.
        admin_password: Its secret key, in no representation; the store passes it on as a Pulumi secret.
        admin_api: What manages identities: v3 is the plugin, v4 the dynamic resources of `infra.identity`. None if the
            config does not say; then `infra.moves.admin_api_of` decides.
    """

    endpoint: Endpoint
    client_endpoint: Endpoint
    ca_file: str | None
    ca_pem: str | None
    admin_user: str
    admin_password: str = field(repr=False)
    admin_api: AdminApiVersion | None = None


@dataclass(frozen=True)
class AwsSettings:
    """The settings that only AWS has; credentials come from the SDK's credential chain.

    Attributes:
        allowed_account_ids: The provider refuses any other account; empty allows any.
        kms_key_arn: Key for SSE-KMS; None means SSE-S3.
    """

    allowed_account_ids: tuple[str, ...]
    kms_key_arn: str | None


@dataclass(frozen=True)
class Settings:
    """A stack's checked settings.

    Attributes:
        where: The name of the config in problems, `Pulumi.<stack>.yaml: object-store:`.
        region: The S3 region that requests are signed for.
        protect: Buckets cannot be destroyed.
        empty_on_destroy: Hot and warm buckets are emptied when destroyed; cold ones never are.
        tags: Tags for every resource that supports them.
        administrators: Who may reach everything without being in the plan, for the audit.
        credentials: Valid generations of keys, unchecked.
        max_key_age_days: The age above which `object-store keys status` warns about a key.
    """

    where: str
    stack: str
    cloud: Cloud
    env: str
    region_code: str
    region: str
    protect: bool
    empty_on_destroy: bool
    tags: Mapping[str, str]
    domains: Mapping[str, object]
    identities: Mapping[str, object]
    credentials: Mapping[str, object] = field(default_factory=dict)
    max_key_age_days: int = 90
    administrators: tuple[str, ...] = ()
    aistor: AistorSettings | None = None
    aws: AwsSettings | None = None

    @property
    def tls_only(self) -> bool:
        """Whether to refuse plain http: yes, unless an endpoint needs it (the rollback path's endpoint does)."""
        if self.aistor is None:
            return True
        return self.aistor.endpoint.tls and self.aistor.client_endpoint.tls


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the stack's config; connects once to a configured endpoint.

    Raises:
        InvalidInputError: The config cannot be deployed; the error names every bad key and its legal values.
    """
    everything = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    own = {
        key.removeprefix(f"{NAMESPACE}:"): value for key, value in everything.items() if key.startswith(f"{NAMESPACE}:")
    }
    settings = settings_from(own, pulumi.get_stack(), Path(pulumi.get_root_directory()), environ)
    if settings.aistor is not None:
        _refuse_variables_of_the_plugin(environ)
        check_reachable(settings.aistor.endpoint, settings.aistor.ca_pem, f"{settings.where}endpoint")
    return settings


def _refuse_variables_of_the_plugin(environ: Mapping[str, str]) -> None:
    """The plugin would work with another identity or another trust than the config says, and say nothing."""
    found = [name for name in READ_BY_THE_PLUGIN if environ.get(name)]
    if found:
        wrong = "the MinIO plugin reads it from the environment, beside what this config says"
        raise InvalidInputError([Problem(name, wrong, "not set", f"unset {name}") for name in found])


def settings_from(values: Mapping[str, str], stack: str, folder: Path, environ: Mapping[str, str]) -> Settings:
    """Check a stack's config without a running program; connects to nothing.

    Args:
        values: Raw config values of the namespace `object-store` (text, with arrays and objects as JSON).
        stack: The stack's name, also with organization and project.
        folder: The folder of Pulumi.yaml; a relative `caBundle` is relative to it.
        environ: The process environment.

    Raises:
        InvalidInputError: The config cannot be deployed; the error names every bad key and its legal values.
    """
    where = f"{stack_file(stack)}: {NAMESPACE}:"
    config = parse_config(values, where)
    check_config(config, stack, where)
    return Settings(
        where=where,
        stack=stack,
        cloud=config.cloud,
        env=config.env,
        region_code=config.region_code,
        # MinIO signs for us-east-1 if no region is configured on the server.
        region=config.region or "us-east-1",
        protect=config.protect,
        empty_on_destroy=config.empty_on_destroy,
        tags={**own_tags(config.env, short_name(stack)), **config.tags},
        domains=config.domains,
        identities=config.identities,
        credentials=config.credentials,
        max_key_age_days=config.max_key_age_days,
        # Not the admin of a lease, whose name changes with each.
        administrators=tuple(filter(None, (*config.administrators, config.admin_user))),
        aistor=_aistor(config, where, folder, environ) if config.cloud == "aistor" else None,
        aws=AwsSettings(tuple(config.allowed_account_ids), config.kms_key_arn or None)
        if config.cloud == "aws"
        else None,
    )


def parse_config(values: Mapping[str, str], where: str) -> StackConfig:
    """Check the raw config values of the namespace `object-store` (text, with arrays and objects as JSON).

    Raises:
        InvalidInputError: A key is unknown or missing, a value has the wrong form, or together they are too long for
            the engine; secret values are not shown.
    """
    _check_size(values, where)
    decoded = {key: _decoded(key, value, where) for key, value in values.items()}
    try:
        config = StackConfig.model_validate(decoded)
    except ValidationError as error:
        problems = [_problem(detail, where) for detail in error.errors(include_input=False)]
        raise InvalidInputError(problems) from None
    if problems := _pair_problems(config, where):
        raise InvalidInputError(problems)
    return config


def check_config(config: StackConfig, stack: str, where: str) -> None:
    """Check what the values of a stack's config mean together.

    Raises:
        InvalidInputError: A key is for the other cloud, or a cloud would refuse a value.
    """
    problems = _cloud_problems(config, where)
    problems += tag_problems(config.tags, own_tags(config.env, short_name(stack)), f"{where}tags")
    if problems:
        raise InvalidInputError(problems)


def _check_size(values: Mapping[str, str], where: str) -> None:
    text = json.dumps({f"{NAMESPACE}:{key}": value for key, value in values.items()}, separators=(",", ":"))
    if len(text) > _CONFIG_BYTES:
        longest = max(values, key=lambda key: len(values[key]))
        raise InvalidInputError(
            [
                Problem(
                    f"{where}{longest}",
                    f"with it the stack's config has {len(text)} bytes, and Linux would not start the program",
                    f"at most {_CONFIG_BYTES} bytes in all keys",
                    "(declare domains and identities in infra/taxonomy.yaml)",
                )
            ]
        )


def _pair_problems(config: StackConfig, where: str) -> list[Problem]:
    problems = []
    if (config.encryption == "SSE-KMS") != bool(config.kms_key_arn):
        missing = (
            "encryption: SSE-KMS" if config.kms_key_arn else "kmsKeyArn: arn:aws:kms:us-west-2:123456789012:key/ID"
        )
        problems.append(
            Problem(
                f"{where}kmsKeyArn",
                "encryption SSE-KMS and kmsKeyArn go together",
                "both or neither",
                f"{NAMESPACE}:{missing}",
            )
        )
    if config.empty_on_destroy and config.protect:
        problems.append(
            Problem(
                f"{where}emptyOnDestroy",
                "emptyOnDestroy needs protect: false; a protected bucket is never destroyed",
                "true only with protect: false",
                f"{NAMESPACE}:emptyOnDestroy: false",
            )
        )
    return problems


def _aistor(config: StackConfig, where: str, folder: Path, environ: Mapping[str, str]) -> AistorSettings:
    endpoint = parse_endpoint(config.endpoint, f"{where}endpoint")
    client_endpoint = (
        parse_endpoint(config.client_endpoint, f"{where}clientEndpoint") if config.client_endpoint else endpoint
    )
    ca_path = folder / config.ca_bundle if config.ca_bundle else None
    ca_pem = read_ca_bundle(ca_path, f"{where}caBundle") if ca_path else None
    keys: dict[str, str] = {
        "adminUser": config.admin_user,
        "adminPassword": config.admin_password,
        COMMAND_KEY: config.admin_credentials_command,
    }
    user, password = admin_credentials(keys.get, environ, where)
    return AistorSettings(
        endpoint=endpoint,
        client_endpoint=client_endpoint,
        ca_file=os.path.relpath(ca_path.resolve(), Path.cwd()) if ca_path else None,
        ca_pem=ca_pem,
        admin_user=user,
        admin_password=password,
        admin_api=config.admin_api or None,
    )


def _cloud_problems(config: StackConfig, where: str) -> list[Problem]:
    other, names = ("AIStor", _AISTOR_ONLY) if config.cloud == "aws" else ("AWS", _AWS_ONLY)
    problems = [
        Problem(
            f"{where}{to_camel(name)}",
            f"is for {other} only, but {NAMESPACE}:cloud is {config.cloud}",
            f"only with {NAMESPACE}:cloud: {other.lower()}",
            "(remove the line)",
        )
        for name in names
        if getattr(config, name) not in ("", [], StackConfig.model_fields[name].default)
    ]
    if config.cloud == "aws" and not _AWS_REGION.fullmatch(config.region):
        wrong = f"{config.region!r} is not an AWS region" if config.region else "the aws cloud needs a region"
        problems.append(
            Problem(f"{where}region", wrong, "an AWS region code (us-west-2)", f"{NAMESPACE}:region: us-west-2")
        )
    elif config.cloud == "aws":
        problems += _kms_problems(config, where)
    if config.cloud == "aistor" and config.region and not _SERVER_REGION.fullmatch(config.region):
        wrong = f"{config.region!r} cannot be the region of a server"
        legal = "2 to 63 letters, digits, '-' and '_', a letter first (MINIO_SITE_REGION of the server)"
        problems.append(Problem(f"{where}region", wrong, legal, f"{NAMESPACE}:region: us-east-1"))
    if config.cloud == "aistor" and not config.endpoint:
        problems.append(
            Problem(
                f"{where}endpoint",
                "the aistor cloud needs an endpoint",
                "the URL for provisioning",
                f"{NAMESPACE}:endpoint: https://localhost:31000",
            )
        )
    return problems


def _kms_problems(config: StackConfig, where: str) -> list[Problem]:
    """What S3 would refuse of the KMS key; requires a legal region."""
    found = _KMS_KEY.fullmatch(config.kms_key_arn)
    if not config.kms_key_arn or (found and found[1] == config.region):
        return []
    form = f"arn:{PARTITION}:kms:{config.region}:123456789012:key/ID"
    wrong = f"is a key of {found[1]}, but the buckets are in {config.region}" if found else "is not the ARN of a key"
    return [Problem(f"{where}kmsKeyArn", wrong, f"{form}, or alias/NAME", f"{NAMESPACE}:kmsKeyArn: {form}")]


def _decoded(key: str, value: str, where: str) -> object:
    annotation = next(
        (info.annotation for name, info in StackConfig.model_fields.items() if to_camel(name) == key), str
    )
    if annotation in (str, Cloud):
        return value
    try:
        return parse_json(value, f"{where}{key}")
    except WrittenError:
        # `yes` and other words are for pydantic; what is meant as JSON has its own fault.
        if value.lstrip().startswith(("{", "[")):
            raise
        return value


def _problem(detail: ErrorDetails, where: str) -> Problem:
    path = ".".join(map(str, detail["loc"]))
    key = str(detail["loc"][0]) if detail["loc"] else ""
    keys = tuple(to_camel(name) for name in StackConfig.model_fields)
    if detail["type"] == "extra_forbidden":
        return Problem(
            f"{where}{path}", f"unknown key {path!r}", ", ".join(keys), f"{NAMESPACE}:{nearest(path, keys)}: …"
        )
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["type"] == "missing":
        examples = {"cloud": "aistor", "env": "local"}
        return Problem(
            f"{where}{path}",
            "is missing",
            "aistor, aws" if key == "cloud" else "a value",
            f"{NAMESPACE}:{path}: {examples[path]}",
        )
    if key == "allowedAccountIds":
        # A number would lose its leading zeros; without --type, the command writes a number.
        paste = f"pulumi config set --path --type string '{NAMESPACE}:{key}[0]' 123456789012"
        return Problem(f"{where}{path}", "is not the id of an account", "12 digits in quotes, each in a list", paste)
    # The empty default is legal, but nothing to advise.
    legal = message.replace("'", "").replace(" or ", ", ").removeprefix(", ")
    example = _EXAMPLES.get(key, legal.split(", ")[0])
    return Problem(f"{where}{path}", "the value is not allowed here", legal, f"{NAMESPACE}:{key}: {example}")
