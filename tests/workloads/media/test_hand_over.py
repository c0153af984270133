"""A producer without a key stores the one file that it announced, and only `confirm` gives a reference."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from model.exit_codes import ExitCode
from object_store import ObjectStore, StaleReference, resolve
from sandbox.engine.gateway import NoGatewayError
from trials.faults import Hook, On, Response
from trials.faulty_proxy import FaultyProxy
from trials.servers import OWN, Server, keys_of, made_bucket
from workloads.media import binding
from workloads.media.hand_over import ConfirmOptions, PresignOptions, confirm, presign_upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

BODY = b"a photo"
NAMES = ["image.jpg", "包天宇 72  2026.pdf", "ß é.jpg", "a%20b.pdf", "日" * 83 + ".m", "trailing .jpg "]
PROGRAMS = ["curl", "node"]
FETCH = """
const [url, headers, body, ca] = JSON.parse(require("fs").readFileSync(0, "utf8"));
delete headers["content-length"]; // fetch sets it by the body
fetch(url, {method: "PUT", headers, body}).then((answer) => process.stdout.write(String(answer.status)));
"""


@dataclass
class HandOver:
    """The commands with a key, and a producer without one.

    Attributes:
        server: The server.
        client: A client other than the adapter.
        raw: The bucket of the files.
        derived: The bucket in which the server is tried.
        folder: Of this test.
        printed: What the last command printed.
        errors: What it said.
    """

    server: Server
    client: S3Client
    raw: str
    derived: str
    folder: Path
    capsys: pytest.CaptureFixture[str]
    printed: dict[str, Any]
    errors: str = ""

    def _config(self) -> Path:
        config = self.server.config
        variables = {
            "AWS_ACCESS_KEY_ID": config.access_key_id,
            "AWS_SECRET_ACCESS_KEY": config.secret_access_key,
            "AWS_REGION": config.region,
            "S3_ENDPOINT": config.endpoint,
            "S3_CA_BUNDLE": config.ca_bundle,
            "S3_BUCKETS": json.dumps({"media-raw": self.raw, "media-derived": self.derived}),
        }
        env = self.folder / "worker.env"
        env.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items() if value))
        content = {
            "machine": "box",
            "state": str(self.folder / "state"),
            "receipts": str(self.folder / "receipts"),
            "store": {"variables": str(env)},
        }
        path = self.folder / "workloads.yaml"
        path.write_text(json.dumps(content))
        return path

    def presign(self, body: bytes = BODY, **more: Any) -> int:  # noqa: ANN401 - of PresignOptions
        """Run `media presign-upload --json`."""
        given = {
            "name": "image.jpg",
            "source": "telegram",
            "at": "2026-11-30T04:00:00Z",
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            **more,
        }
        return self._ran(presign_upload(PresignOptions(self._config(), as_json=True, **given)))

    def confirm(self, uri: str) -> int:
        """Run `media confirm --json`."""
        return self._ran(confirm(ConfirmOptions(self._config(), as_json=True, uri=uri)))

    def _ran(self, status: int) -> int:
        out, self.errors = self.capsys.readouterr()
        self.printed = json.loads(out) if out else {}
        return status

    def put(self, upload: dict[str, Any], body: bytes = BODY, program: str = "curl", **change: str | None) -> int:
        """Store by the URL, with a program that has no key; the HTTP status."""
        named = {name.replace("_", "-"): value for name, value in change.items()}
        headers = {name: value for name, value in {**upload["headers"], **named}.items() if value is not None}
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH")
        ca = str(self.server.config.ca_bundle or "")
        if program == "node":
            given = json.dumps([upload["url"], headers, body.decode(), ca])
            environ = {"NODE_EXTRA_CA_CERTS": ca} if ca else {}
            done = subprocess.run(["node", "-e", FETCH], input=given.encode(), env=environ, capture_output=True)  # noqa: S603, S607, PLW1510 - its status is looked at
            assert done.returncode == 0, done.stderr
            return int(done.stdout)
        (self.folder / "body").write_bytes(body)
        own = [f"-H{name}: {value}" for name, value in headers.items() if name != "content-length"]
        trust = ["--cacert", ca] if ca else []
        command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", *trust, *own]
        command += ["--request", "PUT", "--data-binary", f"@{self.folder / 'body'}", upload["url"]]
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - curl
        return int(done.stdout)


@pytest.fixture(
    scope="module", name="server", params=["local", "aws", pytest.param("versitygw", marks=pytest.mark.versitygw)]
)
def _server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server."""
    with ExitStack() as stack:
        try:
            server: Server = stack.enter_context(OWN[request.param]())
        except NoGatewayError as reason:
            pytest.skip(str(reason))
        yield server


@pytest.fixture(name="over")
def _over(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[HandOver]:
    with ExitStack() as stack:
        client = server.client()
        stack.callback(client.close)
        raw, derived = (stack.enter_context(made_bucket(server, client)) for _ in range(2))
        yield HandOver(server, client, raw, derived, tmp_path, capsys, {})


@pytest.mark.parametrize("program", PROGRAMS)
def test_right_bytes(over: HandOver, program: str) -> None:
    """They are stored, confirmed, and the event gives them; nothing of the trial of the server is left."""
    assert over.presign() == ExitCode.DONE, over.errors
    upload = over.printed
    assert upload["unbound"] == []
    assert over.errors == ""
    assert over.confirm(upload["uri"]) == ExitCode.WRONG
    assert not over.printed

    assert over.put(upload, program=program) == 200
    assert over.confirm(upload["uri"]) == ExitCode.DONE, over.errors
    with ObjectStore(over.server.config) as store, resolve(over.printed["event"]["data"], store) as copy:
        assert copy.path.read_bytes() == BODY
    assert over.printed["event"]["data"]["mimeType"] == "image/jpeg"
    assert keys_of(over.client, over.derived) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_other_bytes(over: HandOver, program: str) -> None:
    """Other bytes, another length, type or metadata, without the condition: nothing is stored, nothing is confirmed."""
    assert over.presign() == ExitCode.DONE
    upload = over.printed
    statuses = [
        over.put(upload, b"b photo", program),
        over.put(upload, BODY + b"x", program),
        over.put(upload, BODY, program, content_type="text/html"),
        over.put(upload, BODY, program, if_none_match=None),
        over.put(upload, b"b photo", program, x_amz_checksum_sha256=None),
        over.put(upload, BODY, program, x_amz_meta_sha256="0" * 64),
    ]
    assert all(400 <= status < 500 for status in statuses), statuses
    assert keys_of(over.client, over.raw) == []
    assert over.confirm(upload["uri"]) == ExitCode.WRONG
    assert not over.printed


def test_url_is_good_once(over: HandOver) -> None:
    """After the confirmation the same URL takes neither the same nor other bytes, and the reference gives the first."""
    assert over.presign() == ExitCode.DONE
    upload = over.printed
    assert over.put(upload) == 200
    assert over.confirm(upload["uri"]) == ExitCode.DONE
    data = over.printed["event"]["data"]
    assert over.put(upload) == 412
    assert over.put(upload, b"b photo") in {400, 412}
    with ObjectStore(over.server.config) as store, resolve(data, store) as copy:
        assert copy.path.read_bytes() == BODY


def test_too_late(over: HandOver) -> None:
    """A URL whose time is over stores nothing."""
    assert over.presign(expires_seconds=1) == ExitCode.DONE
    upload = over.printed
    late = upload["url"].replace("X-Amz-Expires=1&", "X-Amz-Expires=2&")
    assert over.put({**upload, "url": late}) == 403
    statuses = {over.put(upload, b"b photo") for _ in range(1)}
    while 400 in statuses or not statuses:
        statuses = {over.put(upload, b"b photo")}
    assert statuses == {403}


@pytest.mark.parametrize("name", NAMES)
def test_names(over: HandOver, name: str) -> None:
    """The name comes back in the event, as it was given."""
    assert over.presign(name=name) == ExitCode.DONE, over.errors
    upload = over.printed
    assert over.put(upload) == 200
    assert over.confirm(upload["uri"]) == ExitCode.DONE, over.errors
    assert over.printed["event"]["data"]["fileName"] == name


def test_what_was_put_otherwise_is_not_confirmed(over: HandOver) -> None:
    """Other bytes under the key, by somebody with a key, with or without the announced digest beside them."""
    for number, metadata in enumerate(({}, {"sha256": hashlib.sha256(BODY).hexdigest()})):
        assert over.presign(name=f"{number}.jpg") == ExitCode.DONE
        uri = over.printed["uri"]
        over.client.put_object(Bucket=over.raw, Key=uri.partition(f"{over.raw}/")[2], Body=b"other", Metadata=metadata)
        assert over.confirm(uri) == ExitCode.WRONG
        assert "announced was" in over.errors
        assert not over.printed


def test_reference_never_leads_to_later_bytes(over: HandOver) -> None:
    """Even where the object is replaced afterwards."""
    assert over.presign() == ExitCode.DONE
    upload = over.printed
    assert over.put(upload) == 200
    assert over.confirm(upload["uri"]) == ExitCode.DONE
    data = over.printed["event"]["data"]
    over.client.put_object(Bucket=over.raw, Key=data["objectRef"]["key"], Body=b"b photo")
    with ObjectStore(over.server.config) as store, pytest.raises(StaleReference), resolve(data, store):
        pass


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"size": -1}, "a body of -1 bytes"),
        ({"size": 5 * 2**30 + 1}, "in one request"),
        ({"sha256": "A" * 64}, "is not a SHA-256"),
        ({"expires_seconds": 0}, "cannot be valid"),
        ({"content_type": "x"}, "is not a content type"),
        ({"source": ""}, "--source: is missing"),
        ({"name": "a/b"}, "is not a name"),
    ],
)
def test_wrong_options(over: HandOver, wrong: dict[str, Any], says: str) -> None:
    """No URL is printed."""
    assert over.presign(**wrong) == ExitCode.CANNOT
    assert says in over.errors
    assert not over.printed


@pytest.mark.parametrize(
    "uri", ["", "s3://other/chat/telegram/2026/11/30/aaaaaaaaaaaaaaaa/a.jpg", "s3://{raw}/video/x"]
)
def test_uri_that_is_none(over: HandOver, uri: str) -> None:
    """It is refused before the store is asked for it."""
    assert over.confirm(uri.format(raw=over.raw)) == ExitCode.CANNOT
    assert "is not a file of a chat" in over.errors


def test_server_that_does_not_enforce_it(over: HandOver, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said before the URL is printed; a put that stored nothing is not confirmed."""
    taken = Hook(answering=lambda _: Response(200, (("ETag", '"e"'),)), when=On("PUT", query="X-Amz-Signature"))
    ca = str(over.server.config.ca_bundle) if over.server.config.ca_bundle else None
    with FaultyProxy(str(over.server.config.endpoint), ca, taken) as proxy:
        config = replace(over.server.config, endpoint=proxy.endpoint, ca_bundle=proxy.ca_bundle)
        behind = replace(over, server=replace(over.server, config=config), capsys=capsys)
        assert behind.presign() == ExitCode.DONE
        upload = behind.printed
        assert upload["unbound"] == list(binding.WRONG)
        assert all(f"does not enforce the {what}" in behind.errors for what in binding.WRONG)
        assert behind.put(upload) == 200
        assert behind.confirm(upload["uri"]) == ExitCode.WRONG
        assert not behind.printed
