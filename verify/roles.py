"""Roles: identities without a key, assumed with a token that this place holds.

The rule: a token comes from a file or from GitHub's own service, never from the command line, and neither it nor the
session that it opens is shown. A role that cannot be assumed is no error here: what needs it cannot tell, with the
reason. The verifier alone must be had, which `verify.target` sees to.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html and
https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import boto3
import urllib3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from model.deployment import Deployment, KeyPair, Role
from model.trust import GITHUB_ISSUER

TOKEN_FILE_VARIABLE = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - a variable's name
GITHUB_URL_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL"
GITHUB_TOKEN_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - a variable's name
SESSION_NAME = "verify"
SESSION_SECONDS = 3600
_TIMEOUT_SECONDS = 10
_OK = 200


class Session(KeyPair):
    """A temporary key, good with its token alone and for an hour."""

    session_token: SecretStr


@dataclass(frozen=True)
class Assumed:
    """What became of each role.

    Attributes:
        sessions: By identity, of those that could be assumed.
        absent: By identity, why the others could not.
    """

    sessions: Mapping[str, Session] = field(repr=False)
    absent: Mapping[str, str]


class _NoTokenError(Exception):
    """There is no token; the message says why, and never holds one."""


def session_token(pair: KeyPair) -> str | None:
    """What a temporary key is sent with; None for one that lasts."""
    return pair.session_token.get_secret_value() if isinstance(pair, Session) else None


def token_file_variable(identity: str) -> str:
    """The variable with the file of a token for one identity alone."""
    return f"OBJECTSTORE_{identity.upper().replace('-', '_')}_WEB_IDENTITY_TOKEN_FILE"


def assume_roles(deployment: Deployment, environ: Mapping[str, str]) -> Assumed:
    """Assume the role of each identity that has one.

    Args:
        deployment: With the roles.
        environ: The process environment, which says where the tokens are.
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


_ADVICE = "see whether its trust names this token's subject (a role that was just made is known after some seconds)"


def _session(role: Role, token: str, region: str) -> Session:
    config = Config(
        signature_version=UNSIGNED,
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=_TIMEOUT_SECONDS,
        retries={"mode": "standard", "max_attempts": 3},
    )
    # Without a profile's or the machine's own keys: the token alone counts.
    with closing(boto3.session.Session().client("sts", region_name=region, config=config)) as client:
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
    github = ", or in a workflow `permissions: id-token: write`" if role.issuer == GITHUB_ISSUER else ""
    raise _NoTokenError(f"no token of {role.issuer}: give {own} or {TOKEN_FILE_VARIABLE} a file with one{github}")


def _token_in(path: Path, variable: str) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise _NoTokenError(f"{variable}: {path} cannot be read: {error.strerror}") from None
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
