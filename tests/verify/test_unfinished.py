"""A run that cannot finish: one sentence, exit status 2, and every report that was asked for."""

import errno
import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.exceptions
import pytest
import urllib3

from tests.console import command
from verify.__main__ import main
from verify.probe.answers import LocalFaultError, answer
from verify.unfinished import reason_of

if TYPE_CHECKING:
    from trials.stores import Store

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>"


class _Portal(BaseHTTPRequestHandler):
    """Answers everything with a page and status 200, as a login page in front of a network does."""

    def _page(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(PAGE)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _page  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _portal(_: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Portal)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _nobody(_: Path) -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def _without_temporary_folder(folder: Path) -> Iterator[None]:
    kept, tempfile.tempdir = tempfile.tempdir, str(folder / "missing")
    try:
        yield
    finally:
        tempfile.tempdir = kept


@contextmanager
def _dead_proxy(_: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as variables:
        for name in ("NO_PROXY", "no_proxy"):
            variables.delenv(name, raising=False)
        variables.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        yield


@contextmanager
def _proxy_over_tls(_: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("HTTPS_PROXY", "https://127.0.0.1:9")
        variables.setenv("NO_PROXY", "")
        yield


Trouble = Callable[[Path], AbstractContextManager[str | None]]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (_portal, "is a web page, not an S3 server"),
        (_nobody, "no server answers at http://127.0.0.1:"),
        (_dead_proxy, "http://127.0.0.1:9 of HTTPS_PROXY"),
        (_proxy_over_tls, "is an https:// proxy"),
        (_without_temporary_folder, "this machine, not the server, stopped it: [Errno 2] No such file or directory"),
    ],
)
def test_every_report_says_why_the_run_could_not_finish(
    store: "Store", files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble: Trouble, said: str
) -> None:
    """One sentence on standard error, status 2, and the reason in each report, whatever ended the run."""
    reports = {f"--{name}": tmp_path / f"report.{name}" for name in ("json", "html", "junitxml", "save-facts")}
    with trouble(tmp_path) as endpoint:
        if endpoint is not None:
            deployment = store.deployment.model_copy(update={"endpoint": endpoint, "provisioning_endpoint": None})
            (tmp_path / "deployment.json").write_text(deployment.model_dump_json(), encoding="utf-8")
        assert main([*files, *(f"{option}={path}" for option, path in reports.items())]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if said in line] == lines, lines
    assert len(lines) == 1
    assert lines[0].startswith("verify could not finish: ")
    for option, path in reports.items():
        assert said in path.read_text("utf-8").replace("&#39;", "'"), option
    junit = reports["--junitxml"].read_text("utf-8")
    assert 'errors="1"' in junit or 'failures="1"' in junit


def test_range_in_no_proxy_counts_for_every_request(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3, the adapter and plain HTTP reach the server directly."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")

    assert main([*files, "--bucket", "scratch", "--only", "object_presigned", "--only", "bucket_in_region"]) == 0


def test_via_without_two_endpoints_is_said(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`--via client` of a stack without `clientEndpoint` verifies the one endpoint, and says so."""
    assert main([*files, "--via", "client", "--bucket", "scratch", "--only", "bucket_in_region"]) == 0
    assert "--via client changes nothing: the stack has no clientEndpoint" in capsys.readouterr().err


def test_saved_facts_that_cannot_be_judged_end_with_a_sentence(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault in a check is one error with the place in our code, not one error for each test."""
    saved, report = tmp_path / "facts.json", tmp_path / "report.json"
    assert main([*files, "--bucket", "scratch", "--only", "bucket_in_region", "--save-facts", str(saved)]) == 0
    facts = json.loads(saved.read_text("utf-8"))
    facts["facts"]["taken_at"] = "yesterday"
    saved.write_text(json.dumps(facts), encoding="utf-8")
    capsys.readouterr()

    assert main(["--from-facts", str(saved), "--json", str(report)]) == 2
    said = capsys.readouterr()
    assert "verify could not finish: ValueError at verify/checks/exposure.py:" in said.err
    assert "1 failed in " in said.out
    assert "ValueError" in json.loads(report.read_text("utf-8"))["gave_up"]


def test_one_report_that_fails_does_not_cost_the_others(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each report is written by itself."""
    page, lost = tmp_path / "report.html", tmp_path / "none" / "report.json"

    assert main([*files, "--only", "bucket_in_region", "--json", str(lost), "--html", str(page)]) == 2
    assert f"{lost}: cannot be written" in capsys.readouterr().err
    assert page.exists()


def test_no_selected_check_is_said(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A run in which `-k` leaves no test says so."""
    assert main([*files, "-k", "no_such_check"]) == 2
    assert "verify could not run: no check is selected" in capsys.readouterr().err


@pytest.mark.parametrize("added", ["--collect-only", "--setup-plan", "--fixtures", "-k nothing", "--nonsense"])
def test_variables_of_pytest_have_no_effect(
    files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, added: str
) -> None:
    """`PYTEST_ADDOPTS` and `PYTEST_PLUGINS` change nothing in a run, and are there again after it."""
    monkeypatch.setenv("PYTEST_ADDOPTS", added)
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")

    assert main([*files, "--bucket", "scratch", "--only", "bucket_in_region"]) == 0
    assert "1 buckets: 3 proven, 0 failed" in capsys.readouterr().out
    assert os.environ["PYTEST_ADDOPTS"] == added


def test_console_command_passes_the_status_on(store: "Store", files: list[str], tmp_path: Path) -> None:
    """`object-store verify` ends with the same status."""
    with _nobody(tmp_path) as endpoint:
        deployment = store.deployment.model_copy(update={"endpoint": endpoint, "provisioning_endpoint": None})
        (tmp_path / "deployment.json").write_text(deployment.model_dump_json(), encoding="utf-8")
        assert command("verify")(files) == 2


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FULL, "No space left on device"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many open files"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "ca.pem"), "Permission denied: 'ca.pem'"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://x", error=FULL), "No space left on device"),
        (urllib3.exceptions.MaxRetryError(None, "/", FULL), "No space left on device"),  # type: ignore[arg-type]  # no pool
        (botocore.exceptions.ProfileNotFound(profile="gone"), "The config profile (gone) could not be found"),
        (botocore.exceptions.NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_fault_of_this_machine_is_no_answer(error: Exception, said: str) -> None:
    """It ends the run with its own text, and is not reported as what the server answered."""

    def read() -> object:
        raise error

    with pytest.raises(LocalFaultError) as raised:
        answer(read)
    assert said in reason_of(raised.value)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), "ConnectionResetError"),
        (TimeoutError(), "TimeoutError"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "gaierror"),
        (KeyError("UploadId"), "UnexpectedAnswer"),
        (TypeError("NoneType"), "UnexpectedAnswer"),
        (botocore.exceptions.ClientError({"Error": {}}, "GetObject"), "UnexpectedAnswer"),
        (botocore.exceptions.ClientError({"Error": {"Code": "NoSuchBucket"}}, "GetObject"), "NoSuchBucket"),
    ],
)
def test_fault_of_the_server_is_its_answer(error: Exception, code: str) -> None:
    """Also an error without a code or a message, as some servers send it."""

    def read() -> object:
        raise error

    assert answer(read).code == code
