"""MinIO's admin API as on a real server: paths, query parameters, encrypted bodies, error codes.

The rule: `<method> /minio/admin/<version>/<command>` works on the same users and policies as the stand-in plugin. A
server speaks one version. It answers 426 to another version or an unknown command, as observed on a real server. It
encrypts a body with the caller's secret key where the real server does. Left out: every command that no client of this
project sends.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3
from minio.crypto import decrypt, encrypt

from sandbox.server import minio_iam_commands
from sandbox.server.answers import Answer, ApiError
from sandbox.server.minio_iam_commands import COMMANDS, Command

if TYPE_CHECKING:
    from sandbox.server.authority import Caller
    from sandbox.server.minio_iam import MinioIam
    from sandbox.server.web import Request

VERSIONS = ("v3", "v4")
_PATH = re.compile(r"/minio/admin/(?P<version>v[0-9]+)/(?P<command>.*)")
_MODE = "mode-server-xl-single"
_MISMATCH = "XMinioAdminVersionMismatch"
_MISMATCH_STATUS = 426
#: Commands that a user may run on its own service accounts without administrator rights (real server: list, delete).
_OWN = ("list-service-accounts", "delete-service-account", "info-service-account")


@dataclass(frozen=True, slots=True)
class Route:
    """The HTTP form of a command.

    Attributes:
        method: The HTTP method; the same path with another method is not a command.
        command: Its name in `minio_iam_commands`.
        needs: Required query parameters; without them the path is not a command.
        body: `encrypted` fields, fields as `json`, a `plain` policy document, or empty for no body.
        answers: Whether the response is `encrypted` or `plain`.
        versions: The API versions that have it.
    """

    method: str
    command: str
    needs: tuple[str, ...] = ()
    body: str = ""
    answers: str = "plain"
    versions: tuple[str, ...] = VERSIONS


ROUTES = {
    "add-user": Route("PUT", "add-user", ("accessKey",), "encrypted"),
    "user-info": Route("GET", "user-info", ("accessKey",)),
    "set-user-status": Route("PUT", "set-user-status", ("accessKey", "status")),
    "remove-user": Route("DELETE", "remove-user", ("accessKey",)),
    "list-users": Route("GET", "list-users", answers="encrypted"),
    "add-canned-policy": Route("PUT", "add-canned-policy", ("name",), "plain"),
    "info-canned-policy": Route("GET", "info-canned-policy", ("name",)),
    "remove-canned-policy": Route("DELETE", "remove-canned-policy", ("name",)),
    "list-canned-policies": Route("GET", "list-canned-policies"),
    "set-user-or-group-policy": Route(
        "PUT", "set-user-or-group-policy", ("policyName", "userOrGroup", "isGroup"), versions=("v3",)
    ),
    "idp/builtin/policy/attach": Route("POST", "attach-policy", body="encrypted", answers="encrypted"),
    "idp/builtin/policy/detach": Route("POST", "detach-policy", body="encrypted", answers="encrypted"),
    "idp/builtin/policy-entities": Route("GET", "policy-entities", answers="encrypted"),
    "add-service-account": Route("PUT", "add-service-account", body="encrypted", answers="encrypted"),
    "info-service-account": Route("GET", "info-service-account", ("accessKey",), answers="encrypted"),
    "update-service-account": Route("POST", "update-service-account", ("accessKey",), "encrypted"),
    "delete-service-account": Route("DELETE", "delete-service-account", ("accessKey",)),
    "list-service-accounts": Route("GET", "list-service-accounts", answers="encrypted"),
    "info": Route("GET", "info", answers="encrypted"),
    "list-access-keys-bulk": Route("GET", "list-access-keys-bulk", ("listType",), answers="encrypted"),
    "update-group-members": Route("PUT", "update-group-members", body="json"),
    "groups": Route("GET", "groups"),
    "group": Route("GET", "group", ("group",)),
    "set-group-status": Route("PUT", "set-group-status", ("group", "status")),
    "set-config-kv": Route("PUT", "set-config-kv", body="encrypted"),
    "set-bucket-quota": Route("PUT", "set-bucket-quota", ("bucket",), body="json"),
    "get-bucket-quota": Route("GET", "get-bucket-quota", ("bucket",)),
    "import-iam": Route("PUT", "import-iam"),
    "import-bucket-metadata": Route("PUT", "import-bucket-metadata"),
    "site-replication/add": Route("PUT", "site-replication/add", body="encrypted"),
    "tier": Route("PUT", "tier", body="encrypted"),
}


def _invalid(_iam: MinioIam, _fields: object, _caller: str) -> object:
    """What MinIO answers to a body that it cannot parse; the sandbox has nothing behind these commands."""
    raise ApiError("InvalidRequest", "Invalid Request", 400)


#: Commands that only this API has, with the permission that each needs (`validateAdminReq` in MinIO's handlers).
_OF_SERVER = {
    "info": Command("admin:ServerInfo", lambda _iam, _fields, _caller: {"mode": "online", "region": "us-west-2"}),
    "set-config-kv": Command("admin:ConfigUpdate", _invalid),
    "import-iam": Command("admin:ImportIAM", _invalid),
    "import-bucket-metadata": Command("admin:ImportBucketMetadata", _invalid),
    "site-replication/add": Command("admin:SiteReplicationAdd", _invalid),
    "tier": Command("admin:SetTier", _invalid),
}
#: Query parameters that a request may repeat.
_LISTED = ("user", "group", "policy")


def is_admin_path(path: str) -> bool:
    """Whether a path belongs to the admin API, in any version."""
    return _PATH.fullmatch(path) is not None


def mismatch(spoken: str, asked: str) -> ApiError:
    """The response to a version that the server does not speak."""
    older = int(asked[1:]) < int(spoken[1:])
    return ApiError(
        _MISMATCH,
        f"Server expects client requests with 'admin' API version '{spoken}', found '{asked}', please upgrade the "
        "client to latest releases"
        if older
        else f"Unexpected client 'admin' API version found '{asked}', expected '{spoken}', please downgrade the "
        "client to older releases",
        _MISMATCH_STATUS,
    )


def find(request: Request, spoken: str) -> Route:
    """The command that a request calls, determined before authentication.

    Raises:
        ApiError: The request is for another version, or the command does not exist.
    """
    found = _PATH.fullmatch(request.path)
    asked = found["version"] if found else ""
    if asked != spoken:
        raise mismatch(spoken, asked or "v0")
    route = ROUTES.get(found["command"]) if found else None
    named = request.parameters
    if (
        route is None
        or spoken not in route.versions
        or request.method != route.method
        or any(name not in named for name in route.needs)
    ):
        raise ApiError(_MISMATCH, f"This 'admin' API is not supported by server in '{_MODE}'", _MISMATCH_STATUS)
    return route


def action_of(route: Route) -> str:
    """The permission that a command needs."""
    return _command(route).action


def refusal_of(route: Route) -> ApiError:
    """The refusal for a caller without permission for a command."""
    return minio_iam_commands.refusal(_command(route))


def is_about_itself(route: Route, request: Request, iam: MinioIam, caller: Caller) -> bool:
    """Whether a caller accesses its own user's service accounts, which needs no permission."""
    if route.command not in _OWN:
        return False
    if route.command == "list-service-accounts":
        return request.parameters.get("user", "") in ("", caller.user)
    known = iam.credential(request.parameters["accessKey"])
    return known is not None and known.user == caller.user


def run(route: Route, request: Request, iam: MinioIam, caller: Caller) -> Answer:
    """Run a command and answer as the real server does.

    Raises:
        ApiError: The server refuses the command, or its body is invalid.
    """
    listed = _LISTED if route.command == "policy-entities" else ()
    fields: dict[str, Any] = {
        name: [value for key, value in request.query if key == name and value] if name in listed else first
        for name, first in request.parameters.items()
    }
    if route.body == "encrypted":
        fields |= _decrypted(request.body, caller.secret_key)
    elif route.body == "json":
        fields |= _object(request.body)
    elif route.body == "plain":
        fields["policy"] = request.body.decode(errors="replace")
    answer = minio_iam_commands.run(_command(route), iam, json.dumps(fields).encode(), caller.user)
    if route.answers == "encrypted" and answer.body:
        return Answer(answer.status, answer.headers, encrypt(answer.body, caller.secret_key))
    return answer


def _command(route: Route) -> Command:
    return _OF_SERVER.get(route.command) or COMMANDS[route.command]


def _decrypted(body: bytes, secret_key: str) -> dict[str, Any]:
    try:
        clear = decrypt(urllib3.HTTPResponse(body=io.BytesIO(body), preload_content=False), secret_key)
        found = json.loads(clear)
    except (OSError, ValueError):
        found = None
    return _checked(found)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return _checked(found)


def _checked(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ApiError("XMinioAdminConfigBadJSON", "JSON configuration provided is of incorrect format", 400)
    return found
