"""The admin API over HTTP, in both versions: recorded calls of a real server get the same answers."""

import io
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from minio.crypto import decrypt, encrypt

from sandbox.server.minio_iam_client import MinioIamClient, MinioIamError
from sandbox.server.s3_actions import Cloud
from sandbox.server.temporary import RunningServer, running_server
from tests.sandbox.server.test_minio_iam import RECORDED, assert_same, comparable

OF_ANOTHER_VERSION = "unsigned info on"
WRONG_PASSWORD = "wrong admin password"  # noqa: S105 - a recorded call's name
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}]}


class Client:
    """Sends requests like an admin API client, signed by botocore and not by the project's own code."""

    def __init__(self, server: RunningServer, access_key: str, secret_key: str) -> None:
        """Use a key pair."""
        self.secret_key = secret_key
        self._server = server
        self._credentials = Credentials(access_key, secret_key)
        self._http = urllib3.PoolManager(ca_certs=server.ca_bundle)

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: bytes = b"",
        *,
        signed: bool = True,
    ) -> tuple[int, bytes]:
        """Status and body of the response."""
        url = f"{self._server.endpoint}{path}?{urlencode(query or {}, doseq=True)}"
        request = AWSRequest(method, url, data=body or None)
        if signed:
            S3SigV4Auth(self._credentials, "s3", "us-west-2").add_auth(request)
        answer = self._http.request(method, url, body=body or None, headers=dict(request.headers), retries=False)
        return answer.status, answer.data

    def encrypted(self, fields: object) -> bytes:
        """An encrypted body."""
        return encrypt(json.dumps(fields).encode(), self.secret_key)

    def decrypted(self, body: bytes) -> Any:  # noqa: ANN401 - any JSON
        """A decrypted response."""
        return json.loads(decrypt(urllib3.HTTPResponse(io.BytesIO(body), preload_content=False), self.secret_key))


@pytest.fixture(scope="module", name="server", params=["v3", "v4"])
def _server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp(f"admin-{request.param}")
    with running_server(Cloud.AISTOR, folder, admin_api=request.param) as server:
        assert json.loads((folder / "server.json").read_text())["admin_api"] == request.param
        yield server


@pytest.fixture(name="mood")
def _mood(server: RunningServer) -> str:
    folder = Path(server.ca_bundle).parent
    return str(json.loads((folder / "server.json").read_text())["admin_api"])


@pytest.fixture(name="admin")
def _admin(server: RunningServer) -> Client:
    return Client(server, server.admin.user, server.admin.password)


def with_lists(query: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded query; an empty list is a parameter without a value."""
    return {name: value or [""] if isinstance(value, list) else value for name, value in query.items()}


def sent(admin: Client, mood: str, call: Mapping[str, Any]) -> tuple[int, bytes]:
    """A recorded call, sent again."""
    body = b""
    if "request_encrypted" in call:
        body = admin.encrypted(call["request_encrypted"])
    elif "request_plain" in call:
        body = json.dumps(call["request_plain"]).encode()
    return admin.send(call["method"], call["path"].replace("{version}", mood), with_lists(call["query"]), body)


def assert_answered(admin: Client, mood: str, call: Mapping[str, Any], answer: bytes) -> None:
    """The body of a response equals the recorded one, except placeholders."""
    if recorded := call.get("error"):
        found = json.loads(answer)
        assert (found["Code"], found["Message"]) == (recorded["Code"], recorded["Message"])
        assert found["Resource"] == call["path"].replace("{version}", mood)
        assert sorted(found) == sorted(recorded)
    elif "response_encrypted" in call:
        assert_same(comparable(call["response_encrypted"]), comparable(admin.decrypted(answer)))
    elif "response_plain" in call:
        found = json.loads(answer)
        if call["call"] == "list policies":  # the record holds two of them
            found = {key: found[key] for key in call["response_plain"]}
        assert_same(comparable(call["response_plain"]), comparable(found))
    else:
        assert answer == b""


def test_recorded_calls_are_answered_the_same(admin: Client, mood: str) -> None:
    """Each gets the recorded status, code, message and body, encrypted where it was; in the recorded order."""
    replayed = 0
    for call in RECORDED:
        if call["call"].startswith((OF_ANOTHER_VERSION, WRONG_PASSWORD)):
            continue
        status, answer = sent(admin, mood, call)
        replayed += 1
        if mood == "v4" and call["path"].endswith("set-user-or-group-policy"):
            assert status == 426
            continue
        assert (call["call"], status) == (call["call"], call["status"])
        assert_answered(admin, mood, call, answer)
    assert replayed == 45


def test_refusals_before_the_command_are_the_recorded_ones(server: RunningServer, admin: Client, mood: str) -> None:
    """A wrong password or an unsigned request gives 403 for the spoken version and 426 for the others."""
    (wrong,) = [call for call in RECORDED if call["call"] == WRONG_PASSWORD]
    status, answer = Client(server, server.admin.user, "wrong-password").send("GET", f"/minio/admin/{mood}/list-users")
    assert (status, json.loads(answer)["Code"]) == (403, wrong["error"]["Code"])

    other = {"v3": "v4", "v4": "v3"}[mood]
    for version, expected in ((mood, 403), (other, 426), ("v2", 426)):
        for signed in (False, True) if version != mood else (False,):
            status, answer = admin.send("GET", f"/minio/admin/{version}/info", signed=signed)
            assert (version, status) == (version, expected)
    if mood == "v3":
        for call in RECORDED:
            if call["call"].startswith(OF_ANOTHER_VERSION):
                status, answer = admin.send("GET", call["path"].replace("{version}", "v3"), signed=False)
                assert status == call["status"]
                assert json.loads(answer)["Message"] == call["error"]["Message"]
    else:
        status, answer = admin.send("GET", "/minio/admin/v3/info", signed=False)
        assert json.loads(answer)["Code"] == "XMinioAdminVersionMismatch"
        assert json.loads(answer)["Message"] == (
            "Server expects client requests with 'admin' API version 'v4', found 'v3', please upgrade the client to "
            "latest releases"
        )


def test_admin_may_ask_for_info(admin: Client, mood: str) -> None:
    """A request with the administrator's signature gets an encrypted response."""
    status, answer = admin.send("GET", f"/minio/admin/{mood}/info")

    assert status == 200
    assert admin.decrypted(answer)["mode"] == "online"


def test_what_is_no_command_is_refused_as_a_version(admin: Client, mood: str) -> None:
    """Unknown commands, other methods and missing parameters give 426, as observed on a real server."""
    for method, command, query in (
        ("GET", "nonsense", {}),
        ("POST", "add-user", {"accessKey": "x-user"}),
        ("PUT", "add-user", {}),
    ):
        status, answer = admin.send(method, f"/minio/admin/{mood}/{command}", query, admin.encrypted({}))
        assert (status, json.loads(answer)["Code"]) == (426, "XMinioAdminVersionMismatch")
        assert "not supported by server" in json.loads(answer)["Message"]


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda *_: json.dumps({"secretKey": "in-the-clear-0123", "status": "enabled"}).encode(),
        lambda body, _: body[:-5],
        lambda body, _: body[:20],
        lambda *_: b"",
        lambda *_: encrypt(b'{"secretKey": "with-another-0123"}', "another-secret"),
        lambda _, admin: encrypt(b"[1]", admin.secret_key),
    ],
)
def test_body_that_cannot_be_read_makes_no_user(admin: Client, mood: str, spoiled: Any) -> None:  # noqa: ANN401 - a function of the table
    """A body in clear, cut short, empty, with another secret, or without an object gives 400 and creates nothing."""
    body = spoiled(admin.encrypted({"secretKey": "secret-0123456789", "status": "enabled"}), admin)
    status, answer = admin.send("PUT", f"/minio/admin/{mood}/add-user", {"accessKey": "spoiled"}, body)

    assert (status, json.loads(answer)["Code"]) == (400, "XMinioAdminConfigBadJSON")
    assert admin.send("GET", f"/minio/admin/{mood}/user-info", {"accessKey": "spoiled"})[0] == 404


def test_only_who_may_is_let_in(server: RunningServer, admin: Client, mood: str) -> None:
    """A user without administrator rights sees and changes only its own service accounts."""
    root = f"/minio/admin/{mood}"
    for name in ("somebody", "another"):
        body = admin.encrypted({"secretKey": f"secret-of-{name}", "status": "enabled"})
        assert admin.send("PUT", f"{root}/add-user", {"accessKey": name}, body)[0] == 200
        body = admin.encrypted({"targetUser": name, "accessKey": name.upper(), "secretKey": "secret-0123456789"})
        assert admin.send("PUT", f"{root}/add-service-account", {}, body)[0] == 200
    somebody = Client(server, "somebody", "secret-of-somebody")

    for method, command, query in (
        ("GET", "list-users", {}),
        ("GET", "info", {}),
        ("GET", "user-info", {"accessKey": "another"}),
        ("DELETE", "remove-user", {"accessKey": "another"}),
        ("GET", "list-service-accounts", {"user": "another"}),
        ("GET", "info-service-account", {"accessKey": "ANOTHER"}),
    ):
        status, answer = somebody.send(method, f"{root}/{command}", query)
        assert (command, status, json.loads(answer)["Code"]) == (command, 403, "AccessDenied")
    # For another user's service account the server answers that it does not exist (MinIO: cmd/admin-handlers-users.go).
    status, answer = somebody.send("DELETE", f"{root}/delete-service-account", {"accessKey": "ANOTHER"})
    assert (status, json.loads(answer)["Code"]) == (404, "XMinioInvalidIAMCredentials")
    assert admin.send("GET", f"{root}/info-service-account", {"accessKey": "ANOTHER"})[0] == 200
    status, answer = somebody.send("GET", f"{root}/list-service-accounts")
    assert (status, [one["accessKey"] for one in somebody.decrypted(answer)["accounts"]]) == (200, ["SOMEBODY"])
    assert somebody.send("DELETE", f"{root}/delete-service-account", {"accessKey": "SOMEBODY"})[0] == 204


def test_callers_at_once_get_their_own_answers(admin: Client, mood: str) -> None:
    """Each response is encrypted for its caller, and no write is lost."""
    root = f"/minio/admin/{mood}"

    def add(number: int) -> int:
        body = admin.encrypted({"secretKey": f"secret-{number:09}", "status": "enabled"})
        return admin.send("PUT", f"{root}/add-user", {"accessKey": f"many-{number}"}, body)[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(16))) == {200}
    _, answer = admin.send("GET", f"{root}/list-users")
    assert {f"many-{number}" for number in range(16)} <= set(admin.decrypted(answer))


def test_plugin_is_refused_where_v3_is_not_spoken(server: RunningServer, mood: str) -> None:
    """The stand-in's client shares users and policies with the admin API, and fails where the real plugin fails."""
    client = MinioIamClient(server.endpoint, server.admin.user, server.admin.password, server.ca_bundle)
    if mood == "v3":
        client.add_user("of-plugin", "secret-0123456789")
        assert client.user_info("of-plugin")["status"] == "enabled"
        return
    with pytest.raises(
        MinioIamError, match="expects client requests with 'admin' API version 'v4', found 'v3'"
    ) as caught:
        client.add_user("of-plugin", "secret-0123456789")
    assert (caught.value.code, caught.value.status) == ("XMinioAdminVersionMismatch", 426)


def test_mood_and_users_outlive_a_restart(tmp_path: Path) -> None:
    """The next run speaks the version of the last run, unless an option changes it, and no user is lost."""
    body = {"secretKey": "secret-0123456789", "status": "enabled"}
    with running_server(Cloud.AISTOR, tmp_path, admin_api="v4") as server:
        admin = Client(server, server.admin.user, server.admin.password)
        assert admin.send("PUT", "/minio/admin/v4/add-user", {"accessKey": "stays"}, admin.encrypted(body))[0] == 200
    with running_server(Cloud.AISTOR, tmp_path) as server:
        admin = Client(server, server.admin.user, server.admin.password)
        assert admin.send("GET", "/minio/admin/v4/user-info", {"accessKey": "stays"})[0] == 200
    with running_server(Cloud.AISTOR, tmp_path, admin_api="v3") as server:
        admin = Client(server, server.admin.user, server.admin.password)
        assert admin.send("GET", "/minio/admin/v3/user-info", {"accessKey": "stays"})[0] == 200
        assert admin.send("GET", "/minio/admin/v4/user-info", {"accessKey": "stays"})[0] == 426


def test_no_secret_is_logged(tmp_path: Path) -> None:
    """No refusal shows the caller's secret or a sent secret."""
    planted = "planted-secret-0123456789"
    with running_server(Cloud.AISTOR, tmp_path) as server:
        admin = Client(server, server.admin.user, server.admin.password)
        for name in ("somebody", "x" * 200, " "):
            body = admin.encrypted({"secretKey": planted, "status": "enabled"})
            admin.send("PUT", "/minio/admin/v3/add-user", {"accessKey": name}, body)
        admin.send(
            "PUT", "/minio/admin/v3/add-user", {"accessKey": "clear"}, json.dumps({"secretKey": planted}).encode()
        )
        secrets = (planted, server.admin.password)
    logged = (tmp_path / "serve.log").read_text()
    assert not [secret for secret in secrets if secret in logged]
