"""Roles: identities without a key, which a run assumes with a token.

The rule: a token comes from a file or from GitHub's token service, never from the command line. Neither the token nor
the session is ever shown. A role that cannot be assumed is not an error here: checks that need it cannot tell, with the
reason. Only the verifier is required; `verify.target` checks that.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html and
https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import urllib3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from model.deployment import Deployment, KeyPair, Role
from model.trust import GITHUB_ISSUER
from model.written import WrittenError, read_written
from verify.sdk import sdk_session

TOKEN_FILE_VARIABLE = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - a variable's name
GITHUB_URL_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL"
GITHUB_TOKEN_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - a variable's name
SESSION_NAME = "verify"
SESSION_SECONDS = 3600
_TIMEOUT_SECONDS = 10
_OK = 200
_TOKEN_BYTES = 2**16  # STS takes at most 20,000 characters


class Session(KeyPair):
    """A temporary key: valid for an hour, and only together with its session token."""

    session_token: SecretStr


@dataclass(frozen=True)
class Assumed:
    """The result for each role.

    Attributes:
        sessions: By identity: the session of each role that was assumed.
        absent: By identity: why the role could not be assumed.
    """

    sessions: Mapping[str, Session] = field(repr=False)
    absent: Mapping[str, str]


class _NoTokenError(Exception):
    """There is no token; the message says why and never contains a token."""


def session_token(pair: KeyPair) -> str | None:
    """The session token of a temporary key; None for a permanent key."""
    return pair.session_token.get_secret_value() if isinstance(pair, Session) else None


def token_file_variable(identity: str) -> str:
    """The variable that names the token file of this identity only."""
    return f"OBJECTSTORE_{identity.upper().replace('-', '_')}_WEB_IDENTITY_TOKEN_FILE"


def assume_roles(deployment: Deployment, environ: Mapping[str, str]) -> Assumed:
    """Assume the role of each identity that has one.

    Args:
        deployment: The deployment with the roles.
        environ: The process environment, which names the token files.
    """
    sessions: dict[str, Session] = {}
    absent: dict[str, str] = {}
    for identity, role in deployment.roles.items():
        try:
            sessions[identity] = _session(role, _token(identity, role, environ), deployment.region)
        except _NoTokenError as error:
            absent[identity] = f"the role of {identity} could not be assumed: {error}"
        except ClientError as error:
            code = error.response["Error"]["Code"]
            absent[identity] = f"the role of {identity} could not be assumed: {code}; {_ADVICE}"
        except BotoCoreError as error:
            name = type(error).__name__
            absent[identity] = f"the role of {identity} could not be assumed: no usable answer from STS ({name})"
    return Assumed(sessions, absent)


_ADVICE = (
    "check that its trust policy names this token's subject (docs/oidc.md shows GitHub's two forms; STS knows a new "
    "role only after some seconds)"
)


def _session(role: Role, token: str, region: str) -> Session:
    config = Config(
        signature_version=UNSIGNED,
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=_TIMEOUT_SECONDS,
        retries={"mode": "standard", "max_attempts": 3},
    )
    # Without keys of a profile or of the machine: only the token authenticates.
    with closing(sdk_session().client("sts", region_name=region, config=config)) as client:
        given = client.assume_role_with_web_identity(
            RoleArn=role.arn, RoleSessionName=SESSION_NAME, WebIdentityToken=token, DurationSeconds=SESSION_SECONDS
        )["Credentials"]
    return Session(
        access_key_id=given["AccessKeyId"],
        secret_access_key=SecretStr(given["SecretAccessKey"]),
        session_token=SecretStr(given["SessionToken"]),
    )


def _token(identity: str, role: Role, environ: Mapping[str, str]) -> str:
    own = token_file_variable(identity)
    for variable in (own, TOKEN_FILE_VARIABLE):
        if environ.get(variable):
            return _token_in(Path(environ[variable]), variable)
    if role.issuer == GITHUB_ISSUER and environ.get(GITHUB_URL_VARIABLE) and environ.get(GITHUB_TOKEN_VARIABLE):
        return _token_of_github(role.audience, environ[GITHUB_URL_VARIABLE], environ[GITHUB_TOKEN_VARIABLE])
    github = ", or in a workflow set `permissions: id-token: write`" if role.issuer == GITHUB_ISSUER else ""
    raise _NoTokenError(f"no token of {role.issuer}: set {own} or {TOKEN_FILE_VARIABLE} to a file with one{github}")


def _token_in(path: Path, variable: str) -> str:
    try:
        token = read_written(path, f"{variable}: {path}", _TOKEN_BYTES).decode("ascii").strip()
    except WrittenError as error:
        fault = error.problems[0]
        raise _NoTokenError(f"{fault.where} {fault.wrong}") from None
    except UnicodeDecodeError:
        token = ""
    if not token:
        raise _NoTokenError(f"{variable}: {path} holds no token")
    return token


def _token_of_github(audience: str, url: str, bearer: str) -> str:
    pool = urllib3.PoolManager(timeout=_TIMEOUT_SECONDS, retries=2)
    try:
        with closing(
            pool.request(
                "GET", f"{url}&audience={quote(audience, safe='')}", headers={"Authorization": f"bearer {bearer}"}
            )
        ) as response:
            said = response.json() if response.status == _OK else {}
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise _NoTokenError(f"GitHub gave no token ({type(error).__name__})") from None
    token = said.get("value") if isinstance(said, dict) else None
    if not isinstance(token, str) or not token:
        raise _NoTokenError(f"GitHub gave no token (HTTP {response.status}); does the job have `id-token: write`?")
    return token
