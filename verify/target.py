"""The target of a run: a deployment, the credentials that it published, and the endpoint to use.

The rule: credentials come from the stack's secret output, from a file that only its owner can read, or from the
environment, never from the command line. Every error that stops a run before its first request is `CannotRunError`.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from model.deployment import Deployment, KeyPair
from model.endpoint import parse_endpoint, read_ca_bundle
from model.problems import InvalidInputError
from model.secrecy.vendor_defaults import VENDOR_DEFAULTS
from model.written import WrittenError
from model.written_json import read_json_file
from object_store import StoreConfig
from stack.outputs import Published, parse_published, read_deployment, read_published
from stack.runner import EngineError, NoEngineError
from verify.roles import Assumed, assume_roles, session_token

Via = Literal["client", "provisioning"]
_SDK_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE")

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_PROXY_VARIABLES = (*_PROXIES, *map(str.lower, _PROXIES))


class CannotRunError(Exception):
    """The verification could not begin; nothing was sent and nothing was proven."""


@dataclass(frozen=True)
class Target:
    """A store to verify.

    Attributes:
        deployment: What the stack published.
        credentials: Key pair by identity.
        endpoint: The URL to send requests to; None for the AWS endpoint that the SDKs choose.
        absent: By identity, why its role could not be assumed; checks that need the identity cannot tell.
    """

    deployment: Deployment
    credentials: Mapping[str, KeyPair] = field(repr=False)
    endpoint: str | None = None
    absent: Mapping[str, str] = field(default_factory=dict)

    def config(self, identity: str) -> StoreConfig:
        """The adapter's configuration for an identity of this deployment."""
        pair = self.credentials[identity]
        own = {
            "AWS_REGION": self.deployment.region,
            "AWS_ACCESS_KEY_ID": pair.access_key_id,
            "AWS_SECRET_ACCESS_KEY": pair.secret_access_key.get_secret_value(),
        }
        planned = next((one for one in self.deployment.plan.identities if one.name == identity), None)
        if planned is not None and (once := [grant.bucket for grant in planned.grants if grant.write_once]):
            own["S3_WRITE_ONCE"] = ",".join(once)
        token = session_token(pair)
        if token is not None:
            own["AWS_SESSION_TOKEN"] = token
        if self.endpoint is not None:
            own["S3_ENDPOINT"] = self.endpoint
            if self.deployment.ca_pem is not None:
                own["S3_CA_BUNDLE"] = self.deployment.ca_pem
            return StoreConfig.from_environment({**_named(_PROXY_VARIABLES), **own})
        # On AWS the SDKs' variables for endpoint and CA apply, too, and no other variable of the environment.
        return StoreConfig.from_environment({**_named(_PROXY_VARIABLES + _SDK_VARIABLES), **own})


def _named(variables: Iterable[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in variables if name in os.environ}


def target_from_stack(stack: str, via: Via | None = None) -> Target:
    """Read a stack's outputs with the `pulumi` on the PATH.

    Raises:
        CannotRunError: `pulumi` is missing, the stack does not exist, nothing is deployed, or the verifier's role
            cannot be assumed.
    """
    return _target(published_by_stack(stack), via or "provisioning", os.environ)


def target_from_file(
    deployment: Path,
    credentials: Path | None,
    environ: Mapping[str, str] = os.environ,
    via: Via | None = None,
    ca_bundle: Path | None = None,
) -> Target:
    """Read a published deployment from a file, for machines without Pulumi.

    Args:
        deployment: JSON, as `pulumi stack output deployment --json` prints it.
        credentials: JSON with mode 0600, as `pulumi stack output credentials --json --show-secrets` prints it; None
            reads `OBJECTSTORE_<IDENTITY>_ACCESS_KEY_ID` and `OBJECTSTORE_<IDENTITY>_SECRET_ACCESS_KEY`.
        environ: The process environment.
        via: Which of the deployment's endpoints to use.
        ca_bundle: A PEM file of CA certificates that replaces the deployment's.

    Raises:
        CannotRunError: A file is missing, readable by others, or malformed, or the verifier's role cannot be assumed.
    """
    published = published_in_files(deployment, credentials, environ)
    if ca_bundle is not None:
        trusting = published.deployment.model_copy(update={"ca_pem": _ca_pem(ca_bundle)})
        published = replace(published, deployment=trusting)
    return _target(published, via or "client", environ)


def published_by_stack(stack: str) -> Published:
    """The outputs that a stack has published, with the credentials.

    Raises:
        CannotRunError: `pulumi` is missing, the stack does not exist, or nothing is deployed.
    """
    with _cannot_run():
        return _checked(read_published(stack))


def published_in_files(
    deployment: Path, credentials: Path | None, environ: Mapping[str, str] = os.environ
) -> Published:
    """The same from files, or with the credentials from the environment; see `target_from_file`.

    Raises:
        CannotRunError: A file is missing, readable by others, or malformed.
    """
    content = _json_file(deployment)
    if credentials is None:
        pairs: Any = _pairs_from_environment(content, environ)
    else:
        _refuse_open_file(credentials)
        pairs = _json_file(credentials)
    with _cannot_run():
        return _checked(parse_published(content, pairs, deployment.name))


def deployment_of_stack(stack: str) -> Deployment:
    """Only the deployment of a stack: it reads no secret.

    Raises:
        CannotRunError: `pulumi` is missing, the stack does not exist, or nothing is deployed.
    """
    with _cannot_run():
        return _with_verifier(read_deployment(stack), f"stack {stack}")


def deployment_in_file(path: Path) -> Deployment:
    """Only the deployment, from a file.

    Raises:
        CannotRunError: The file is missing or malformed.
    """
    with _cannot_run():
        return _with_verifier(Deployment.parse(_json_file(path), path.name), path.name)


def credential_variables(identity: str) -> tuple[str, str]:
    """The environment variables of an identity's access key id and secret access key."""
    prefix = f"OBJECTSTORE_{identity.upper().replace('-', '_')}"
    return f"{prefix}_ACCESS_KEY_ID", f"{prefix}_SECRET_ACCESS_KEY"


@contextmanager
def _cannot_run() -> Iterator[None]:
    try:
        yield
    except NoEngineError as error:
        raise CannotRunError(f"{error}; without pulumi, give --deployment FILE") from None
    except (EngineError, InvalidInputError) as error:
        raise CannotRunError(str(error)) from None


def _checked(published: Published) -> Published:
    _with_verifier(published.deployment, published.where)
    _check_credentials(published.deployment, published.credentials, published.where)
    return published


def _with_verifier(deployment: Deployment, where: str) -> Deployment:
    if deployment.plan.verifier is None:
        raise CannotRunError(f"{where}: the plan has no verifier identity; add one to infra/taxonomy.yaml")
    return deployment


def _target(published: Published, via: Via, environ: Mapping[str, str]) -> Target:
    deployment, where = published.deployment, published.where
    endpoint = deployment.endpoint if via == "client" else deployment.provisioning_endpoint
    if endpoint is not None:
        try:
            parse_endpoint(endpoint, where)
        except InvalidInputError as error:
            raise CannotRunError(str(error)) from None
    assumed = _assumed(deployment, environ)
    auditor = deployment.plan.auditor
    keyless = {}
    if auditor is not None and auditor.name not in {*published.credentials, *deployment.roles}:
        keyless[auditor.name] = f"no key of {auditor.name} was given"
    return Target(deployment, {**published.credentials, **assumed.sessions}, endpoint, {**keyless, **assumed.absent})


def _assumed(deployment: Deployment, environ: Mapping[str, str]) -> Assumed:
    assumed = assume_roles(deployment, environ)
    verifier = deployment.plan.verifier
    if verifier is not None and verifier.name in assumed.absent:
        raise CannotRunError(f"{assumed.absent[verifier.name]}; without the verifier the run cannot read the store")
    return assumed


def _check_credentials(deployment: Deployment, credentials: Mapping[str, KeyPair], where: str) -> None:
    # Without the auditor only the audit cannot tell.
    names = [one.name for one in deployment.plan.identities if one.name not in deployment.roles and not one.audits]
    missing = [name for name in names if name not in credentials]
    if missing:
        raise CannotRunError(f"{where}: no credentials for {', '.join(missing)}")
    for name, pair in credentials.items():
        if VENDOR_DEFAULTS & {pair.access_key_id, pair.secret_access_key.get_secret_value()}:
            raise CannotRunError(f"{where}: the credentials of {name} are the vendor's publicly known defaults")


def _json_file(path: Path) -> object:
    try:
        return read_json_file(path)
    except WrittenError as error:
        raise CannotRunError(str(error)) from None


def _ca_pem(path: Path) -> str:
    try:
        return read_ca_bundle(path, "--ca-bundle")
    except InvalidInputError:
        raise CannotRunError(f"--ca-bundle {path}: is not a readable PEM file with a CA certificate") from None


def _refuse_open_file(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise CannotRunError(f"{path}: cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise CannotRunError(f"{path}: other users can read it (mode {mode:04o}); run `chmod 600 {path}`")


def _pairs_from_environment(content: object, environ: Mapping[str, str]) -> dict[str, KeyPair]:
    plan = content.get("plan") if isinstance(content, dict) else None
    identities = plan.get("identities", []) if isinstance(plan, dict) else []
    pairs = {}
    names = (
        (str(one.get("name")) for one in identities if isinstance(one, dict)) if isinstance(identities, list) else ()
    )
    for name in names:
        key, secret = (environ.get(variable) for variable in credential_variables(name))
        if key and secret:
            pairs[name] = KeyPair(access_key_id=key, secret_access_key=SecretStr(secret))
    return pairs
