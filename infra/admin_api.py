"""A client for MinIO's admin API over HTTP: only the commands for users, policies, attachments and service accounts.

The rule: no log and no error contains a body, because bodies hold secrets; they are sent encrypted with the admin's
secret key. The client uses the newest version that the server supports (v4, else v3); the two differ only in their
paths. It leaves out the rules of this project: `infra.identity` decides what exists and what may change.

Source: https://github.com/minio/madmin-go; each command was tried on a real server, and
tests/infra/test_admin_api.py replays it.
"""

import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from model.admin_versions import NOT_SPOKEN, SPOKEN, VERSIONS, command_url
from model.written import WrittenError
from model.written_json import parse_json

if TYPE_CHECKING:
    from infra.settings import AistorSettings

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0
TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)
QUESTION_TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
_PAGE = "text/html"
# MinIO applies a policy with NotAction, and fails to show it (MarshalJSON of an empty ActionSet, tried).
_CANNOT_SHOW = "empty actions not allowed"
_CUT_SHORT = "the answer was cut short or is encrypted with another secret"


class AdminApiError(Exception):
    """The server refused a command, or its answer is unusable.

    Attributes:
        code: The server's code, such as `XMinioAdminNoSuchUser`, or this client's code if the server sent none.
        status: The HTTP status; 0 if no answer came.
    """

    def __init__(self, command: str, code: str, message: str, status: int = 0) -> None:
        """Combine the command, the code and the server's message, which repeats no secret."""
        super().__init__(f"{command}: {code}: {message}")
        self.code = code
        self.status = status


class NotFoundError(AdminApiError):
    """The user, policy or service account does not exist."""


class CannotShowError(AdminApiError):
    """The policy exists, and the server cannot show it, because it has NotAction."""


class AlreadyAppliedError(AdminApiError):
    """The policy is already attached, or already detached."""


class InUseError(AdminApiError):
    """The policy is attached to a user."""


class TakenError(AdminApiError):
    """The access key already exists."""


class CredentialsRefusedError(AdminApiError):
    """The admin is unknown, its secret key is wrong, or it lacks the permission."""


class ClockSkewError(AdminApiError):
    """This machine's clock and the server's clock differ by more than 15 minutes."""


class VersionRefusedError(AdminApiError):
    """The server supports neither v4 nor v3."""


class UnavailableError(AdminApiError):
    """No attempt got a usable answer; the server may or may not have run the command."""


_BY_CODE: dict[str, type[AdminApiError]] = {
    "XMinioAdminNoSuchUser": NotFoundError,
    "XMinioAdminNoSuchPolicy": NotFoundError,
    "XMinioAdminPolicyChangeAlreadyApplied": AlreadyAppliedError,
    "XMinioIAMPolicyInUse": InUseError,
    "XMinioIAMServiceAccountNotAllowed": TakenError,
    "AccessDenied": CredentialsRefusedError,
    "InvalidAccessKeyId": CredentialsRefusedError,
    "SignatureDoesNotMatch": CredentialsRefusedError,
    "RequestTimeTooSkewed": ClockSkewError,
}
# The code for a service account that does not exist; with another status, for keys that are not allowed.
_NO_SUCH_ACCOUNT = "XMinioInvalidIAMCredentials"
_REMEDIES: dict[type[AdminApiError], str] = {
    CredentialsRefusedError: "check the admin's keys (object-store:adminUser, adminPassword) and its permissions",
    ClockSkewError: "synchronise the clock of this machine (`timedatectl set-ntp true`) or of the server",
}


class AdminApi:
    """A client of one server; safe to share between threads."""

    def __init__(
        self, *, endpoint: str, region: str, ca_pem: str | None, access_key_id: str, secret_access_key: str
    ) -> None:
        """Set up the client without connecting.

        Args:
            endpoint: The server's URL.
            region: The region that requests are signed for.
            ca_pem: Text of a CA bundle; None for the system's.
            access_key_id: The admin's access key.
            secret_access_key: Its secret key, which no representation and no error contains.
        """
        self._endpoint = endpoint.rstrip("/")
        self._region = region
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._http = _pool(self._endpoint, ca_pem)
        self._versions = list(VERSIONS)

    @classmethod
    def of(cls, own: "AistorSettings", region: str) -> Self:
        """The client of a stack's server with the provisioning admin of its config."""
        return cls(
            endpoint=own.endpoint.url,
            region=region,
            ca_pem=own.ca_pem,
            access_key_id=own.admin_user,
            secret_access_key=own.admin_password,
        )

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._http.clear()

    def user(self, name: str) -> dict[str, Any]:
        """A user's `status` (`enabled`, `disabled`) and, if it has policies, `policyName` (separated by commas).

        Raises:
            NotFoundError: The user does not exist.
        """
        return _object("user-info", self._call("GET", "user-info", {"accessKey": name}))

    def add_user(self, name: str, secret_key: str) -> None:
        """Create a user; an existing one silently gets this secret key (8 to 40 characters)."""
        body = {"status": "enabled", "secretKey": secret_key}
        self._call("PUT", "add-user", {"accessKey": name}, self._encrypted(body))

    def set_user_status(self, name: str, status: str) -> None:
        """Set a user's status to `enabled` or `disabled`."""
        self._call("PUT", "set-user-status", {"accessKey": name, "status": status})

    def remove_user(self, name: str) -> None:
        """Remove a user and its service accounts.

        Raises:
            NotFoundError: The user does not exist.
        """
        self._call("DELETE", "remove-user", {"accessKey": name})

    def policy(self, name: str) -> dict[str, Any]:
        """A policy's document.

        Raises:
            CannotShowError: The server cannot show it.
            NotFoundError: The policy does not exist.
        """
        return _object("info-canned-policy", self._call("GET", "info-canned-policy", {"name": name}))

    def put_policy(self, name: str, document: str) -> None:
        """Create a policy or replace its document (JSON text)."""
        self._call("PUT", "add-canned-policy", {"name": name}, document.encode())

    def remove_policy(self, name: str) -> None:
        """Remove a policy; a missing policy is not an error.

        Raises:
            InUseError: The policy is attached to a user.
        """
        self._call("DELETE", "remove-canned-policy", {"name": name})

    def attach(self, user: str, policy: str) -> None:
        """Attach a policy to a user, besides its other policies.

        Raises:
            AlreadyAppliedError: The policy is already attached.
            NotFoundError: The user or the policy does not exist.
        """
        self._change_policies("attach", user, policy)

    def detach(self, user: str, policy: str) -> None:
        """Detach a policy from a user.

        Raises:
            AlreadyAppliedError: The policy is not attached.
            NotFoundError: The user or the policy does not exist.
        """
        self._change_policies("detach", user, policy)

    def add_service_account(self, target_user: str, policy: str, access_key: str, secret_key: str) -> None:
        """Create a service account for a user, with a policy (JSON text) and keys that the caller chooses.

        The caller knows the keys in advance, so a lost answer does not mean a lost key.

        Args:
            target_user: The user that owns the account.
            policy: The account's own policy.
            access_key: 3 to 20 characters.
            secret_key: 8 to 40 characters.

        Raises:
            NotFoundError: The user does not exist.
            TakenError: The access key already exists.
        """
        body = {
            "targetUser": target_user,
            "policy": json.loads(policy),
            "accessKey": access_key,
            "secretKey": secret_key,
        }
        self._call("PUT", "add-service-account", {}, self._encrypted(body))

    def service_account(self, access_key: str) -> dict[str, Any]:
        """The attributes of a service account, without its secret key.

        Returns:
            `parentUser`, `accountStatus` (`on`, `off`), `policy` (text), and `impliedPolicy`: true if the account has
            no policy and may do all that its user may do.

        Raises:
            NotFoundError: The service account does not exist.
        """
        command = "info-service-account"
        return _object(command, self._decrypted(command, self._call("GET", command, {"accessKey": access_key})))

    def service_accounts(self, user: str) -> dict[str, Any]:
        """A user's service accounts; for an unknown user a real server returns none and no error.

        Returns:
            `accounts`: the `accessKey`, `accountStatus` and more of each, but no secret key; null if there are none.
        """
        command = "list-service-accounts"
        return _object(command, self._decrypted(command, self._call("GET", command, {"user": user})))

    def update_service_account(self, access_key: str, *, policy: str, status: str) -> None:
        """Set a service account's policy and status; both, because an update without the policy removes it.

        Raises:
            NotFoundError: The service account does not exist.
        """
        body = {"newPolicy": json.loads(policy), "newStatus": status}
        self._call("POST", "update-service-account", {"accessKey": access_key}, self._encrypted(body))

    def delete_service_account(self, access_key: str) -> None:
        """Remove a service account.

        If the admin may not remove an account, the server answers as if it did not exist ("to mitigate brute force
        attacks": https://github.com/minio/minio/blob/master/cmd/admin-handlers-users.go, DeleteServiceAccount). The
        client therefore requests the account before it believes that answer.

        Raises:
            NotFoundError: The service account does not exist.
            CredentialsRefusedError: It exists, or may exist, and the admin may not remove it.
        """
        command = "delete-service-account"
        try:
            self._call("DELETE", command, {"accessKey": access_key})
        except NotFoundError as error:
            self.service_account(access_key)
            raise CredentialsRefusedError(
                command, error.code, "it exists, and the admin may not remove it (admin:RemoveServiceAccount)"
            ) from None

    def _change_policies(self, verb: str, user: str, policy: str) -> None:
        body = {"policies": [policy], "user": user}
        self._call("POST", f"idp/builtin/policy/{verb}", {}, self._encrypted(body))

    def _encrypted(self, body: Mapping[str, Any]) -> bytes:
        from infra.admin_wire import encrypt  # noqa: PLC0415 - see that module

        return encrypt(json.dumps(body).encode(), self._secret_access_key)

    def _decrypted(self, command: str, body: bytes) -> bytes:
        from infra.admin_wire import decrypted  # noqa: PLC0415 - see that module

        try:
            return decrypted(body, self._secret_access_key)
        except (OSError, ValueError):
            raise UnavailableError(command, "UnreadableAnswer", _CUT_SHORT) from None

    def _call(self, method: str, command: str, query: Mapping[str, str], body: bytes = b"") -> bytes:
        """The answer's body; the first calls determine the newest version that the server supports."""
        while True:
            version = self._versions[0]
            status, answer = self._answered(method, f"/minio/admin/{version}/{command}", query, body, command)
            others = [one for one in self._versions if one != version]
            if status == NOT_SPOKEN and others:
                self._versions = others
                continue
            if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                raise _refusal(command, status, answer)
            return answer

    def _answered(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, command: str
    ) -> tuple[int, bytes]:
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            retry=retry_if_exception_type(UnavailableError),
            reraise=True,
        )
        return retrying(self._sent, method, path, query, body, command)

    def _sent(self, method: str, path: str, query: Mapping[str, str], body: bytes, command: str) -> tuple[int, bytes]:
        from infra.admin_wire import signed  # noqa: PLC0415 - see that module

        url = urlsplit(f"{self._endpoint}{path}?{urlencode(sorted(query.items()), quote_via=quote)}")
        pair = (self._access_key_id, self._secret_access_key)
        try:
            answer = self._http.request(
                method,
                url.geturl(),
                body=body or None,
                headers=signed(method, url, body, self._region, pair),
                retries=False,
                redirect=False,
                timeout=TIMEOUT,
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(command, "NoAnswer", f"{self._endpoint}: {_reason(error)}") from None
        # Without this check, a proxy's page with status 200 would look like the empty answer of a successful command.
        succeeded = answer.status < HTTPStatus.MULTIPLE_CHOICES
        is_page = succeeded and answer.headers.get("Content-Type", "").startswith(_PAGE)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or is_page:
            raise _refusal(command, answer.status, answer.data)
        return answer.status, answer.data


def versions_spoken(endpoint: str, ca_pem: str | None) -> frozenset[str]:
    """The `VERSIONS` that a server supports.

    Raises:
        UnavailableError: The server gave no answer, or an inconclusive one.
    """
    found: set[str] = set()
    for version in VERSIONS:
        try:
            status = unsigned_answer(endpoint, version, ca_pem).status
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError("info", "NoAnswer", f"{endpoint}: {_reason(error)}") from None
        if status not in (SPOKEN, NOT_SPOKEN):
            raise UnavailableError("info", f"HTTP {status}", "this is not an answer of a MinIO server", status)
        if status == SPOKEN:
            found.add(version)
    return frozenset(found)


def unsigned_answer(endpoint: str, version: str, ca_pem: str | None) -> urllib3.BaseHTTPResponse:
    """A server's answer to an unsigned request in one version; `model.admin_versions` says what it means.

    Raises:
        urllib3.exceptions.HTTPError: The server did not answer.
        OSError: The CA's certificate cannot be read.
    """
    pool = _pool(endpoint, ca_pem)
    try:
        url = command_url(endpoint, version, "info")
        return pool.request("GET", url, retries=False, redirect=False, timeout=QUESTION_TIMEOUT)
    finally:
        pool.clear()


def _pool(endpoint: str, ca_pem: str | None) -> urllib3.PoolManager:
    parts = urlsplit(endpoint)
    context = ssl.create_default_context(cadata=ca_pem) if parts.scheme == "https" else None
    proxy = None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
    if proxy:
        return urllib3.ProxyManager(proxy, ssl_context=context)
    return urllib3.PoolManager(ssl_context=context)


def _object(command: str, body: bytes) -> dict[str, Any]:
    try:
        found = parse_json(body, command)
    except WrittenError:
        found = None
    if not isinstance(found, dict):
        raise UnavailableError(command, "UnreadableAnswer", "the answer is not a JSON object, or was cut short")
    return found


def _refusal(command: str, status: int, body: bytes) -> AdminApiError:
    try:
        said = parse_json(body, command)
        code, message = str(said["Code"]), str(said["Message"])
    except (WrittenError, KeyError, TypeError):
        code, message = f"HTTP {status}", "this is not an answer of a MinIO server; is there a proxy in front of it?"
    kind = _BY_CODE.get(code, AdminApiError)
    if _CANNOT_SHOW in message:
        kind = CannotShowError
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.MULTIPLE_CHOICES:
        kind = UnavailableError
    elif status == NOT_SPOKEN:
        kind = VersionRefusedError
    elif code == _NO_SUCH_ACCOUNT and status == HTTPStatus.NOT_FOUND:
        kind = NotFoundError
    remedy = _REMEDIES.get(kind)
    return kind(command, code, message if remedy is None else f"{message} ({remedy})", status)


def _reason(error: BaseException) -> str:
    """The failure in a few words; urllib3's messages contain no header and no body."""
    return str(getattr(error, "reason", None) or error) or type(error).__name__
