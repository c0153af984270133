"""The preflight end to end: a fake `pulumi`, the embedded servers, and small servers with unusual answers."""

import json
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
import trustme

from ops.preflight import server as preflight_server
from ops.preflight.stack import state_facts
from sandbox.server.temporary import RunningServer, running_server
from stack.config import project_folder
from tests.certificates import ca_as_server
from tests.console import command as console
from tests.running_stores import config_of
from tests.sizes import sized

main = console("preflight")

PASSWORD = "planted-password-1"  # noqa: S105 - planted
SECRET_MARK = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
NO_BUCKETS = b"<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>"


@dataclass
class FakePulumi:
    """A `pulumi` on PATH that knows one stack, `local` or `aws`, and the folder that it reads from."""

    folder: Path

    def holds(self, stack: str, config: Mapping[str, str], exported: object) -> None:
        """Make it print this config and this state for this stack, and fail for any other."""
        content = {f"object-store:{key}": {"value": value, "secret": False} for key, value in config.items()}
        (self.folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
        (self.folder / "export.json").write_text(json.dumps(exported), encoding="utf-8")
        self.says(
            f'case "$*" in *"--stack {stack} "*) ;; *) echo "error: no stack named that found" >&2; exit 6;; esac\n'
            f'case "$1" in config) cat {self.folder}/config.json;; stack) cat {self.folder}/export.json;; esac\n'
        )

    def says(self, script: str) -> None:
        """Make it run this script."""
        program = self.folder / "pulumi"
        program.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        program.chmod(0o755)


@pytest.fixture(name="pulumi")
def _pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePulumi:
    for name in ("AISTOR_ROOT_USER", "AISTOR_ROOT_PASSWORD", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    return FakePulumi(tmp_path)


@pytest.fixture(scope="module", name="aistor")
def _aistor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server("aistor", tmp_path_factory.mktemp("aistor")) as server:
        client(server).create_bucket(
            Bucket="joelclaw-test-usw2-media-raw", CreateBucketConfiguration={"LocationConstraint": server.region}
        )
        yield server


@pytest.fixture(scope="module", name="aws")
def _aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server("aws", tmp_path_factory.mktemp("aws")) as server:
        yield server


def client(server: RunningServer) -> Any:  # noqa: ANN401 - boto3's clients are made at run time
    """An S3 client of the administrator."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=server.admin.user,
        aws_secret_access_key=server.admin.password,
        verify=server.ca_bundle,
    )


def state_of(
    endpoint: str, user: str, password: str, *buckets: str, pending: tuple[str, ...] = ()
) -> dict[str, object]:
    """A deployed stack in exported form, with the password as a secret."""
    provider = {
        "urn": "urn:pulumi:local::object-store::pulumi:providers:minio::aistor",
        "type": "pulumi:providers:minio",
        "inputs": {
            "minioServer": endpoint.partition("://")[2],
            "minioSsl": "true",
            "minioUser": user,
            "minioPassword": {**SECRET_MARK, "plaintext": json.dumps(password)},
        },
    }
    kind = "minio:index/s3Bucket:S3Bucket"
    made = [{"urn": f"urn::{name}", "type": kind, "id": name, "inputs": {"bucket": name}} for name in buckets]
    half = [{"urn": f"urn::{name}", "type": kind, "inputs": {"bucket": name}} for name in pending]
    under_way = [{"type": "creating", "resource": one} for one in half]
    return {"deployment": {"resources": [provider, *made], "pending_operations": under_way}}


def run(
    capsys: pytest.CaptureFixture[str], *options: str, stack: str = "local"
) -> tuple[int, dict[str, tuple[str, str]], str]:
    """Exit status, level and found text by check (the last of each), and the whole output."""
    status = main(["--stack", stack, "--json", "found.json", *options])
    captured = capsys.readouterr()
    written = Path("found.json").read_text(encoding="utf-8") if Path("found.json").exists() else '{"findings": []}'
    found = {one["check"]: (one["level"], one["found"]) for one in json.loads(written)["findings"]}
    return status, found, captured.out + captured.err + written


def stops(found: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """The found text of each STOP."""
    return {check: text for check, (level, text) in found.items() if level == "STOP"}


def test_deployed_stack_passes(pulumi: FakePulumi, aistor: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A correct stack passes, and no output has the admin's password."""
    admin = aistor.admin
    pulumi.holds(
        "local",
        config_of(aistor, env="test"),
        state_of(aistor.endpoint, admin.user, admin.password, "joelclaw-test-usw2-media-raw"),
    )
    status, found, text = run(capsys)

    assert (status, {level for level, _ in found.values()}) == (0, {"PASS"})
    assert len(found) == 13
    assert "preflight of local: 13 ok, 0 WARN, 0 STOP" in text
    assert admin.password not in text


def test_bucket_of_somebody_else_stops(
    pulumi: FakePulumi, aistor: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first `up` there is no state: a bucket with a planned name is a STOP, with the command to adopt it."""
    pulumi.holds("local", config_of(aistor, env="test"), {"version": 3, "deployment": None})
    status, found, text = run(capsys, "--before", "up", "--quiet")

    assert status == 1
    assert stops(found) == {"buckets_ours": "joelclaw-test-usw2-media-raw exists but is not in the state"}
    assert "object-store adopt --stack local" in text
    assert "admin_api_spoken" not in text.partition("{")[0]


def test_interrupted_update_is_told(
    pulumi: FakePulumi, aistor: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bucket that a killed engine was creating is ours, and the repair command is named."""
    admin = aistor.admin
    state = state_of(aistor.endpoint, admin.user, admin.password, pending=("joelclaw-test-usw2-media-raw",))
    pulumi.holds("local", config_of(aistor, env="test"), state)
    status, found, text = run(capsys)

    assert (status, found["nothing_interrupted"][0]) == (0, "WARN")
    assert "object-store recover --stack local" in text


def test_rotated_admin_stops_a_refresh(
    pulumi: FakePulumi, aistor: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The state holds the old password: a refresh stops, an `up` does not; neither password is printed."""
    state = state_of(aistor.endpoint, aistor.admin.user, PASSWORD, "joelclaw-test-usw2-media-raw")
    pulumi.holds("local", config_of(aistor, env="test"), state)
    status, found, text = run(capsys)
    before_up, _, _ = run(capsys, "--before", "up")

    assert (status, list(stops(found)), before_up) == (1, ["state_access_accepted"], 0)
    assert "SignatureDoesNotMatch" in stops(found)["state_access_accepted"]
    assert not [password for password in (PASSWORD, aistor.admin.password) if password in text]


def test_wrong_admin_stops(
    pulumi: FakePulumi,
    aistor: RunningServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment's credentials are used if config has none; a refused pair is reported without its password."""
    monkeypatch.setenv("AISTOR_ROOT_USER", aistor.admin.user)
    monkeypatch.setenv("AISTOR_ROOT_PASSWORD", PASSWORD)
    pulumi.holds("local", config_of(aistor, env="test", adminUser="", adminPassword=""), {})
    status, found, text = run(capsys)

    assert (status, list(stops(found))) == (1, ["admin_accepted"])
    assert PASSWORD not in text


def test_aws_stack_passes_and_another_account_stops(
    pulumi: FakePulumi,
    aws: RunningServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Credentials come from the SDK's chain; the account must be allowed."""
    led_to(aws, monkeypatch)
    config = {"cloud": "aws", "env": "test", "region": aws.region, "allowedAccountIds": '["123456789012"]'}
    pulumi.holds("aws", config, {})
    status, found, text = run(capsys, stack="aws")
    assert (status, {level for level, _ in found.values()}) == (0, {"PASS"})
    assert found["names_free"][1] == "9 new names are free"
    assert aws.admin.password not in text

    pulumi.holds("aws", {**config, "allowedAccountIds": '["210987654321"]'}, {})
    status, found, _ = run(capsys, stack="aws")
    assert (status, stops(found)) == (1, {"account_allowed": "123456789012"})


def test_refused_aws_credentials_stop(
    pulumi: FakePulumi,
    aws: RunningServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong key is reported, the clock is judged by the date of the refusal, and nothing else is claimed."""
    led_to(aws, monkeypatch)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PASSWORD)
    pulumi.holds("aws", {"cloud": "aws", "env": "test", "region": aws.region}, {})
    status, found, text = run(capsys, stack="aws")

    assert (status, list(stops(found))) == (1, ["credentials_accepted"])
    assert found["clock_in_step"][0] == "PASS"
    assert PASSWORD not in text


def led_to(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the SDK's chain at an embedded server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.admin.user)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.admin.password)


@dataclass
class Behaviour:
    """How the small server responds.

    Attributes:
        admin: Status of the admin API, v3 and v4; for a missing version it closes the connection.
        listing: Status and code of a bucket listing, for any caller.
        page: What it answers to every GET instead: status and body.
        ahead: How far its clock is ahead; None for no `Date` header at all.
    """

    admin: Mapping[str, int] = field(default_factory=lambda: {"v3": 403, "v4": 426})
    listing: tuple[int, str] = (200, "")
    ahead: timedelta | None = timedelta()
    page: tuple[int, bytes] | None = None


def _tls(folder: Path, *names: str, not_before: datetime | None, ends: datetime | None) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "small-ca.pem"))
    leaf = authority.issue_cert(*(names or ("127.0.0.1",)), not_before=not_before, not_after=ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


@contextmanager
def small_server(
    folder: Path,
    behaviour: Behaviour,
    *names: str,
    not_before: datetime | None = None,
    ends: datetime | None = None,
    own_ca: bool = False,
) -> Iterator[dict[str, str]]:
    """A TLS server with this certificate, and a stack's config for it. It refuses the vendor's default pair."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if behaviour.page is not None:
                self.answer(*behaviour.page)
            elif self.path.startswith("/minio/admin/"):
                status = behaviour.admin.get(self.path.split("/")[3])
                if status is None:
                    self.close_connection = True
                else:
                    self.answer(status, b"")
            elif "Credential=minioadmin/" in self.headers.get("Authorization", ""):
                self.answer(403, b"<Error><Code>InvalidAccessKeyId</Code></Error>")
            else:
                status, code = behaviour.listing
                self.answer(status, f"<Error><Code>{code}</Code></Error>".encode() if code else NO_BUCKETS)

        def answer(self, status: int, body: bytes) -> None:
            self.send_response_only(status)
            if behaviour.ahead is not None:
                self.send_header("Date", format_datetime(datetime.now(UTC) + behaviour.ahead, usegmt=True))
            if 300 <= status < 400:
                self.send_header("Location", "https://login.example.invalid/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    context = (
        ca_as_server(folder / "small-ca.pem") if own_ca else _tls(folder, *names, not_before=not_before, ends=ends)
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield {
            "cloud": "aistor",
            "env": "test",
            "endpoint": f"https://127.0.0.1:{server.server_address[1]}",
            "caBundle": "small-ca.pem",
            "adminUser": "somebody",
            "adminPassword": PASSWORD,
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("behaviour", "status", "check", "level", "text"),
    [
        (Behaviour(), 0, "admin_api_spoken", "PASS", "403"),
        (Behaviour(admin={"v3": 426, "v4": 403}), 0, "admin_api_spoken", "PASS", "v4: 403"),
        (Behaviour(admin={"v3": 403}), 0, "admin_api_spoken", "PASS", "v3: 403"),
        (Behaviour(admin={"v3": 426}), 0, "admin_api_spoken", "WARN", "cannot tell: v3: 426"),
        (Behaviour(admin={"v3": 502, "v4": 502}), 0, "admin_api_spoken", "WARN", "cannot tell: v3: 502, v4: 502"),
        (Behaviour(ahead=timedelta(minutes=2)), 0, "clock_in_step", "WARN", "s behind"),
        (Behaviour(ahead=timedelta(minutes=-20)), 1, "clock_in_step", "STOP", "s ahead"),
        (Behaviour(ahead=None), 0, "clock_in_step", "WARN", "cannot tell"),
        (
            Behaviour(listing=(403, "AccessDenied")),
            1,
            "admin_let_in",
            "STOP",
            "the admin API refuses the admin (HTTP 403)",
        ),
        (
            Behaviour(listing=(403, "AccessDenied"), admin={"v3": 426, "v4": 200}),
            1,
            "admin_let_in",
            "STOP",
            "the admin API accepts the admin",
        ),
    ],
)
def test_server_is_asked(
    behaviour: Behaviour,
    status: int,
    check: str,
    level: Literal["PASS", "WARN", "STOP"],
    text: str,
    pulumi: FakePulumi,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Admin API, clock and licence are judged by the server's real answers, and no secret is printed."""
    with small_server(pulumi.folder, behaviour) as config:
        pulumi.holds("local", config, {})
        ended, found, printed = run(capsys)

    assert (ended, found[check][0], text in found[check][1]) == (status, level, True), found
    assert PASSWORD not in printed


@pytest.mark.parametrize(
    ("names", "days", "check", "level"),
    [
        (("127.0.0.1", "localhost"), 29, "certificate_trusted", "WARN"),
        (("127.0.0.1", "localhost"), -1, "certificate_trusted", "STOP"),
        (("127.0.0.1",), 400, "certificate_names_endpoints", "STOP"),
        (("localhost",), 400, "certificate_names_endpoints", "STOP"),
    ],
)
def test_certificate_is_read(
    names: tuple[str, ...],
    days: int,
    check: str,
    level: str,
    pulumi: FakePulumi,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A handshake reads its expiry and names; the client's host must be among them but is never contacted."""
    now = datetime.now(UTC)
    ends = now + timedelta(days=days, hours=1)
    with small_server(pulumi.folder, Behaviour(), *names, not_before=now - timedelta(days=9), ends=ends) as config:
        pulumi.holds("local", {**config, "clientEndpoint": "https://localhost:1"}, {})
        status, found, _ = run(capsys)

    assert (status, found[check][0]) == (1 if level == "STOP" else 0, level), found


def test_unknown_authority_stops(pulumi: FakePulumi, capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate that no CA of the bundle signed is reported, and no further request is sent."""
    with small_server(pulumi.folder, Behaviour()) as config:
        trustme.CA().cert_pem.write_to_path(str(pulumi.folder / "small-ca.pem"))
        pulumi.holds("local", config, {})
        status, found, _ = run(capsys)

    assert (status, list(stops(found))) == (1, ["certificate_trusted"])
    assert found["admin_accepted"][0] == "WARN"


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        ("https://127.0.0.1:1", "Connection refused"),
        ("https://nowhere.invalid", "the name nowhere.invalid does not resolve"),
    ],
)
def test_nothing_there_stops(endpoint: str, text: str, pulumi: FakePulumi, capsys: pytest.CaptureFixture[str]) -> None:
    """A closed port and an unresolvable name are distinguished."""
    config = {"cloud": "aistor", "env": "test", "adminUser": "somebody", "adminPassword": PASSWORD}
    pulumi.holds("local", {**config, "endpoint": endpoint}, {})
    status, found, _ = run(capsys)

    assert (status, list(stops(found))) == (1, ["endpoint_reachable"])
    assert text in stops(found)["endpoint_reachable"]


def test_no_tls_and_no_answer_are_told(pulumi: FakePulumi, capsys: pytest.CaptureFixture[str]) -> None:
    """Without TLS or without an answer to the first request, the other checks cannot tell."""

    class HangsUp(BaseHTTPRequestHandler):
        def handle(self) -> None:
            """Read nothing and send nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), HangsUp)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    config = {"cloud": "aistor", "env": "test", "adminUser": "somebody", "adminPassword": PASSWORD}
    found = {}
    try:
        for scheme in ("https", "http"):
            endpoint = f"{scheme}://127.0.0.1:{server.server_address[1]}"
            pulumi.holds("local", {**config, "endpoint": endpoint}, {})
            _, found[scheme], _ = run(capsys)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert list(stops(found["https"])) == ["certificate_trusted"]
    assert list(stops(found["http"])) == ["endpoint_reachable"]
    assert "got no usable answer" in stops(found["http"])["endpoint_reachable"]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("echo 'error: no stack named that found' >&2; exit 6", "no stack named that found"),
        ("exit 1", "`pulumi config --json` failed"),
        ("echo hello", "printed no JSON"),
        ("sleep 5", "did not end within"),
    ],
)
def test_pulumi_that_does_not_tell_ends_it(
    script: str,
    text: str,
    pulumi: FakePulumi,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the stack's config it cannot run: 2, with pulumi's own message."""
    monkeypatch.setattr("stack.runner.READ_TIMEOUT_SECONDS", 0.5)
    pulumi.says(script)
    status, found, printed = run(capsys, stack="nope")

    assert (status, found) == (2, {})
    assert text in printed


def test_bad_input_ends_it(
    pulumi: FakePulumi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Config that `pulumi up` would refuse, a malformed name, no pulumi and no SDK: 2, with what to write."""
    pulumi.holds("local", {"cloud": "aistor", "env": "test", "endpoit": "x"}, {})
    status, _, printed = run(capsys)
    assert (status, "unknown key 'endpoit'" in printed) == (2, True)

    vendor = {"adminUser": "minioadmin", "adminPassword": "minioadmin", "endpoint": "https://127.0.0.1:1"}
    pulumi.holds("local", {"cloud": "aistor", "env": "test", **vendor}, {})
    status, _, printed = run(capsys)
    assert (status, "the vendor's default credentials" in printed) == (2, True)

    command = {"adminCredentialsCommand": "echo minioadmin:minioadmin", "endpoint": "https://127.0.0.1:1"}
    pulumi.holds("local", {"cloud": "aistor", "env": "test", **command}, {})
    status, _, printed = run(capsys)
    assert (status, "the vendor's default credentials" in printed) == (2, True)

    status, _, printed = run(capsys, stack="a;b")
    assert (status, "is not a stack name" in printed) == (2, True)

    monkeypatch.setenv("PATH", "/nowhere")
    status, _, printed = run(capsys)
    assert (status, "pulumi is not on the path" in printed) == (2, True)

    monkeypatch.setitem(sys.modules, "infra.settings", None)
    status, _, printed = run(capsys)
    assert (status, "infra.settings" in printed) == (2, True)


def test_options_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Help explains the exit status; the suite's options are refused."""
    assert main(["--help"]) == 0
    assert "1 at least one STOP" in capsys.readouterr().out
    assert main(["--stack", "local", "--deployment", "x"]) == 2
    assert "No such option" in capsys.readouterr().err


def test_project_folder_is_looked_for_upwards(tmp_path: Path) -> None:
    """A relative CA bundle is relative to the nearest project file, as for pulumi."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").touch()

    assert (project_folder(deep), project_folder(Path("/"))) == (tmp_path, Path("/"))


def test_state_is_read_as_pulumi_exports_it() -> None:
    """A provider pending replacement does not count, plain http is detected, and the password is never shown."""
    exported: dict[str, Any] = state_of("https://new:1", "admin", PASSWORD, "b")
    resources = exported["deployment"]["resources"]
    resources.insert(0, {**resources[0], "delete": True, "inputs": {"minioServer": "old:1"}})
    found = state_facts(exported)
    assert found.access is not None
    assert (found.access.endpoint, found.access.password, *found.buckets) == ("https://new:1", PASSWORD, "b")
    assert PASSWORD not in repr(found)

    resources[1]["inputs"]["minioSsl"] = "false"
    resources[1]["inputs"]["minioPassword"] = PASSWORD
    plain = state_facts(exported).access
    assert plain is not None
    assert (plain.endpoint, plain.password) == ("http://new:1", PASSWORD)


@pytest.mark.parametrize(
    ("kinds", "managed_by"),
    [
        ([], set()),
        (["minio:index/iamPolicy:IamPolicy"], {"v3"}),
        (["pulumi-python:dynamic/identity:ServiceAccount"], {"v4"}),
        (["pulumi-python:dynamic/storage:DefaultRetention", "pulumi:providers:pulumi-python"], set()),
        (["minio:index/iamServiceAccount:IamServiceAccount", "pulumi-python:dynamic/identity:User"], {"v3", "v4"}),
    ],
)
def test_state_tells_what_manages_its_identities(kinds: list[str], managed_by: set[str]) -> None:
    """The types of an identity's resources decide; other dynamic resources do not."""
    exported: dict[str, Any] = state_of("https://a:1", "admin", PASSWORD, "b")
    exported["deployment"]["resources"] += [{"urn": f"urn::{kind}", "type": kind, "id": "x"} for kind in kinds]

    assert state_facts(exported).managed_by == managed_by


@pytest.mark.parametrize(
    ("held", "said", "advice"),
    [
        (None, {"adminApi": "v3"}, "`pulumi config set object-store:adminApi v4 --stack local`"),
        ("minio:index/iamUser:IamUser", {"adminApi": "v3"}, "`object-store switch-admin-api --stack local --to v4`"),
        ("minio:index/iamUser:IamUser", {}, "`object-store switch-admin-api --stack local --to v4`"),
    ],
)
def test_server_of_v4_alone_stops_with_the_line_for_this_stack(
    held: str | None, said: dict[str, str], advice: str, pulumi: FakePulumi, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new stack that says v3 is set to v4, a stack with the plugin's identities is moved; both pass afterwards."""
    resources = [{"urn": "urn::u", "type": held, "id": "x", "inputs": {}}] if held else []
    with small_server(pulumi.folder, Behaviour(admin={"v3": 426, "v4": 403})) as config:
        pulumi.holds("local", {**config, **said}, {"deployment": {"resources": resources}})
        refused, found, printed = run(capsys)
        moved = [{**one, "type": "pulumi-python:dynamic/identity:User"} for one in resources]
        pulumi.holds("local", {**config, "adminApi": "v4"}, {"deployment": {"resources": moved}})
        passed, after, _ = run(capsys)

    assert (refused, list(stops(found)), advice in printed) == (1, ["admin_api_spoken"], True)
    assert (passed, after["admin_api_spoken"][0]) == (0, "PASS")


def test_time_is_bounded() -> None:
    """No request exceeds its time limits, and none is sent more than twice."""
    limits: Any = preflight_server._BOUNDED

    assert (limits.connect_timeout, limits.read_timeout) == (5, 10)
    assert limits.retries == {"mode": "standard", "total_max_attempts": 2}


STRANGE = [
    (code, body)
    for code in (200, 202, 204, 301, 307, 401, 403, 404, 409, 412, 423, 429, 500, 501, 503)
    for body in (b"", b"<html/>", b"\xff\xfe", b"<Error><Code>Odd</Code></Error>", b"<Error><Code>")
]


@pytest.mark.parametrize(("code", "body"), STRANGE[:: sized(6, 1)])
def test_what_is_no_s3_server_stops(
    code: int, body: bytes, pulumi: FakePulumi, capsys: pytest.CaptureFixture[str]
) -> None:
    """A login page, a redirect, an empty or a broken answer is a finding or a warning, not a traceback."""
    with small_server(pulumi.folder, Behaviour(page=(code, body))) as config:
        pulumi.holds("local", config, {})
        status, found, printed = run(capsys)

    assert status in (0, 1)
    assert found["admin_api_spoken"][0] in ("STOP", "WARN", "PASS")
    assert {level for level, _ in found.values()} & {"STOP", "WARN"}
    assert "Traceback" not in printed


def test_certificate_that_is_its_own_ca_passes(pulumi: FakePulumi, capsys: pytest.CaptureFixture[str]) -> None:
    """What `openssl req -x509` makes (CA:TRUE) is trusted by every part, the adapter included."""
    with small_server(pulumi.folder, Behaviour(), own_ca=True) as config:
        pulumi.holds("local", config, {})
        status, found, _ = run(capsys)

    assert (status, stops(found)) == (0, {})


def test_folder_is_where_pulumi_works(
    pulumi: FakePulumi, aistor: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--folder` works from elsewhere: pulumi gets it as `--cwd`."""
    pulumi.holds("local", config_of(aistor, env="test"), {})
    shell = pulumi.folder / "pulumi"
    script = shell.read_text(encoding="utf-8").partition("\n")[2]
    pulumi.says(f'[ "$1 $2" = "--cwd {pulumi.folder}/project" ] || exit 9; shift 2\n{script}')
    (pulumi.folder / "project").mkdir()

    status, found, printed = run(capsys, "--folder", str(pulumi.folder / "project"), "--before", "up")
    assert (status, list(stops(found))) == (1, ["buckets_ours"]), printed


def test_report_that_cannot_be_written_is_said(
    pulumi: FakePulumi, aistor: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and status 2; the findings are printed."""
    pulumi.holds("local", config_of(aistor, env="test"), {})

    assert main(["--stack", "local", "--json", "/nope/x"]) == 2
    said = capsys.readouterr()
    assert said.err == "/nope/x: cannot be written: No such file or directory\n"
    assert "preflight of local: " in said.out


@pytest.mark.parametrize(
    "name", ["AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_REGION"]
)
def test_variable_of_an_sdk_has_no_effect_on_aistor(
    name: str,
    pulumi: FakePulumi,
    aistor: RunningServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stack's own endpoint, CA and key pair count."""
    monkeypatch.setenv(name, "/nowhere")
    admin = aistor.admin
    state = state_of(aistor.endpoint, admin.user, admin.password, "joelclaw-test-usw2-media-raw")
    pulumi.holds("local", config_of(aistor, env="test"), state)

    assert run(capsys)[0] == 0


def test_missing_profile_is_said_on_aws(
    pulumi: FakePulumi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On AWS the profile counts, and one that does not exist is a finding."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    pulumi.holds("aws", {"cloud": "aws", "env": "test", "region": "us-west-2"}, {})
    status, found, _ = run(capsys, stack="aws")

    assert status == 1
    assert "(no-such-profile) could not be found" in stops(found)["credentials_accepted"]


@pytest.mark.parametrize(
    ("proxy", "status", "said"),
    [
        ("http://127.0.0.1:9", 1, "add its host to NO_PROXY"),
        ("https://127.0.0.1:9", 2, "HTTPS_PROXY"),
    ],
)
def test_proxy_that_does_not_work_is_named(
    proxy: str,
    status: int,
    said: str,
    pulumi: FakePulumi,
    aistor: RunningServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy is the reason, not the server; a range in `NO_PROXY` counts."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    pulumi.holds("local", config_of(aistor, env="test"), {})

    ended, _, printed = run(capsys)
    assert (ended, said in printed) == (status, True), printed


def test_range_in_no_proxy_counts(
    pulumi: FakePulumi, aistor: RunningServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is reached directly, by every request."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8,127.0.0.1")  # urllib, which asks the admin API, knows no range
    pulumi.holds("local", config_of(aistor, env="test"), {})

    _, found, printed = run(capsys)
    assert list(stops(found)) == ["buckets_ours"], printed
