"""A configuration from what a stack published: its deployment and the credential of one identity.

It reads only what a client needs, and nothing of `infra`, so that a workload can carry the adapter alone. The form is
`schemas/deployment.schema.json`; another version of it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from object_store.config import StoreConfig
from object_store.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

Model = TypeVar("Model", bound=BaseModel)

_AGAIN = "pulumi stack output {name} --json"


class _Role(BaseModel):
    """A role that replaces an identity's credential."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    arn: str


class _Grant(BaseModel):
    """The part of a grant that changes how a client writes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    bucket: str
    write_once: bool = False


class _Planned(BaseModel):
    """An identity of the plan."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    grants: tuple[_Grant, ...] = ()


class _Plan(BaseModel):
    """The part of the plan that a client needs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    identities: tuple[_Planned, ...] = ()


class _Published(BaseModel):
    """The part of a deployment that a client needs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1]
    region: str
    endpoint: str | None
    provisioning_endpoint: str | None
    ca_pem: str | None
    roles: dict[str, _Role] = Field(default_factory=dict)
    plan: _Plan = _Plan()


class _Pair(BaseModel):
    """One identity's credential."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    access_key_id: str
    secret_access_key: SecretStr


def config_of(
    deployment: Mapping[str, Any],
    credentials: Mapping[str, Any],
    identity: str,
    *,
    via: Literal["client", "provisioning"] = "client",
) -> StoreConfig:
    """Return the configuration with which an identity reaches a deployment.

    Args:
        deployment: the stack's output `deployment`.
        credentials: its output `credentials`, with the secrets shown.
        identity: the identity whose credential to use, such as `worker`.
        via: the endpoint that requests go to. Presigned URLs are made for the client's endpoint in either case.

    Raises:
        ConfigurationError: an argument does not have the published form, or the identity has no credential. No secret
            is shown.
    """
    published = _checked(_Published, deployment, "deployment")
    if identity in published.roles:
        raise ConfigurationError(
            f"identity {identity!r} has a role instead of a credential: assume {published.roles[identity].arn} with a "
            "token (aws sts assume-role-with-web-identity), and set its AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
            "AWS_SESSION_TOKEN in the environment"
        )
    if identity not in credentials:
        raise ConfigurationError(f"identity {identity!r} has no credential; legal: {', '.join(sorted(credentials))}")
    pair = _checked(_Pair, credentials[identity], "credentials")
    return StoreConfig(
        endpoint=published.endpoint if via == "client" else published.provisioning_endpoint,
        client_endpoint=published.endpoint if via == "provisioning" else None,
        region=published.region,
        access_key_id=pair.access_key_id,
        secret_access_key=pair.secret_access_key.get_secret_value(),
        ca_bundle=published.ca_pem,
        write_once=frozenset(
            grant.bucket
            for planned in published.plan.identities
            if planned.name == identity
            for grant in planned.grants
            if grant.write_once
        ),
    )


def _checked(model: type[Model], content: object, name: str) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or name}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
    raise ConfigurationError(
        f"the output `{name}` does not have the form that a stack publishes: {faults}; get it with: "
        f"{_AGAIN.format(name=name)}"
    )
