"""Planted secrets: no secret access key is in any report, fact file, manifest, output or log at debug level.

The rule: a test searches for a secret in every form in which it could be written, in everything that a command left. It
also checks that the logs hold the requests. It leaves out `job --secret-manifest`, whose purpose is to print the keys.
"""

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.console import command as console
from trials.faulty_proxy import shut_endpoint
from trials.stores import credentials_json
from verify.__main__ import main

if TYPE_CHECKING:
    from trials.stores import Store

SIGNATURE = "X-Amz-Signature="
job, preflight = console("verify-job"), console("preflight")
NARROWED = ("--bucket", "scratch", "--bucket", "archive")


@pytest.fixture(name="debug_log")
def _debug_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file with everything that any library logs at debug level."""
    path = tmp_path_factory.mktemp("log") / "debug.log"
    root, handler = logging.getLogger(), logging.FileHandler(path, encoding="utf-8")
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield path
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()


@pytest.fixture(name="published")
def _published(store: "Store", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the deployment and the keys."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "deployment.json").write_text(store.deployment.model_dump_json(), encoding="utf-8")
    _write_credentials(folder, json.loads(credentials_json(store)))
    return folder


def _write_credentials(folder: Path, content: object) -> None:
    path = folder / "credentials.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")


def target_options(published: Path) -> list[str]:
    """The options that name the store."""
    return ["--deployment", str(published / "deployment.json"), "--credentials", str(published / "credentials.json")]


def written_forms(store: "Store") -> dict[str, str]:
    """The secrets of each identity and of the administrator in each form, with a description."""
    held = {name: pair.secret_access_key.get_secret_value() for name, pair in store.target.credentials.items()}
    held["administrator"] = store.server.admin.password
    return {
        form: f"{name}, {how}"
        for name, secret in held.items()
        for how, form in (
            ("as it is", secret),
            ("in a URL", quote(secret, safe="")),
            ("in JSON", json.dumps(secret)[1:-1]),
            ("in base64", base64.b64encode(secret.encode()).decode()),
        )
    }


def leaks(store: "Store", *texts: str) -> list[str]:
    """Whose secret is in one of the texts, and in which form."""
    return sorted({what for form, what in written_forms(store).items() for text in texts if form in text})


def reports_in(folder: Path) -> dict[str, str]:
    """The options that write each kind of file."""
    names = {"--html": "report.html", "--json": "report.json", "--junitxml": "junit.xml", "--save-facts": "facts.json"}
    return {option: str(folder / name) for option, name in names.items()}


def test_a_secret_would_be_found(store: "Store") -> None:
    """Each secret is too long for a match by chance, and is found in each form."""
    forms = written_forms(store)

    assert min(len(form) for form in forms) >= 16
    for form, what in forms.items():
        assert what in leaks(store, f"secret={form}&")


@pytest.mark.parametrize("right", [True, False], ids=["right", "failing"])
def test_a_run_keeps_them(
    store: "Store",
    published: Path,
    debug_log: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    right: bool,
) -> None:
    """No secret and no signed URL is in what is kept, however the run ends."""
    if not right:
        # Half of each pair: signatures that do not match, to which servers give long answers.
        pairs = json.loads(credentials_json(store))
        worker, reader = pairs["worker"], pairs["reader"]
        worker["secret_access_key"], reader["secret_access_key"] = (
            reader["secret_access_key"],
            worker["secret_access_key"],
        )
        _write_credentials(published, pairs)
        monkeypatch.setattr("verify.probe.new_keys.PAUSES", {})
    reports = reports_in(tmp_path)
    options = [word for pair in reports.items() for word in pair]

    status = main([*target_options(published), *NARROWED, *options])
    said = capfd.readouterr()
    kept = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    log = debug_log.read_text("utf-8")

    assert status == (0 if right else 1), said.out
    assert sorted(kept) == sorted(Path(path).name for path in reports.values())
    assert leaks(store, said.out, said.err, *kept.values()) == []
    assert [name for name, text in {**kept, "out": said.out, "err": said.err}.items() if SIGNATURE in text] == []
    # The log has every request and what was signed, so a secret would be there.
    assert all(pair.access_key_id in log for pair in store.target.credentials.values())
    assert "CanonicalRequest" in log
    assert "urllib3.connectionpool" in log or "HTTP/1.1" in log
    assert leaks(store, log) == []


def test_a_run_that_reaches_nothing_keeps_them(
    store: "Store", published: Path, debug_log: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Connection errors do not contain secrets."""
    content = json.loads((published / "deployment.json").read_text("utf-8"))
    (published / "deployment.json").write_text(json.dumps({**content, "endpoint": shut_endpoint()}), "utf-8")
    options = [word for pair in reports_in(tmp_path).items() for word in pair]

    assert main([*target_options(published), *options]) == 2
    said = capfd.readouterr()
    kept = [path.read_text("utf-8") for path in tmp_path.iterdir()]
    assert "Connection refused" in said.out
    assert len(kept) == 4
    assert leaks(store, said.out, said.err, debug_log.read_text("utf-8"), *kept) == []


def test_a_signed_url_that_is_sent_again_is_not_logged(debug_log: Path) -> None:
    """Urllib3 warns of a retry with the whole URL on standard error: the signature is removed."""
    retried = "Retrying (%r) after connection broken by '%r': %s"
    url = f"/bucket/key?X-Amz-Expires=300&{SIGNATURE}0123456789abcdef&x-id=GetObject"
    logging.getLogger("urllib3.connectionpool").warning(retried, 1, TimeoutError(), url)
    line = debug_log.read_text("utf-8")

    assert f"{SIGNATURE}…&x-id=GetObject" in line
    assert "0123456789abcdef" not in line


@pytest.mark.parametrize(
    "content", ['{{"worker": "{0}"}}', '{{"worker": {{"secret_access_key": "{0}"}}}}', '{{"worker": "{0}"']
)
def test_malformed_credentials_keep_them(
    store: "Store", published: Path, debug_log: Path, capfd: pytest.CaptureFixture[str], content: str
) -> None:
    """An error about a file names the place, not the value."""
    secret = store.target.credentials["worker"].secret_access_key.get_secret_value()
    (published / "credentials.json").write_text(content.format(secret), "utf-8")

    assert main(target_options(published)) == 2
    said = capfd.readouterr()
    assert "credentials" in said.err
    assert leaks(store, said.out, said.err, debug_log.read_text("utf-8")) == []


def test_job_keeps_them(
    store: "Store",
    published: Path,
    debug_log: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The Job names only the Secret that holds the keys, although they are in the environment too."""
    for name, pair in store.target.credentials.items():
        monkeypatch.setenv(f"OBJECTSTORE_{name.upper()}_ACCESS_KEY_ID", pair.access_key_id)
        monkeypatch.setenv(f"OBJECTSTORE_{name.upper()}_SECRET_ACCESS_KEY", pair.secret_access_key.get_secret_value())

    assert job([*target_options(published)[:2]]) == 0
    printed = capfd.readouterr()
    assert "kind: Job" in printed.out
    assert leaks(store, printed.out, printed.err) == []
    assert job([*target_options(published)]) == 2
    refused = capfd.readouterr()
    assert leaks(store, refused.out, refused.err, debug_log.read_text("utf-8")) == []


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong password"])
def test_preflight_keeps_them(
    store: "Store",
    debug_log: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    right: bool,
) -> None:
    """Preflight reads the administrator's password from the stack's config and shows it nowhere."""
    server = store.server
    told = {
        "cloud": "aistor",
        "env": "test",
        "region": server.region,
        "endpoint": server.endpoint,
        "caBundle": server.ca_bundle,
        # A wrong user with the right password: the test searches for the password, so it must be the planted one.
        "adminUser": server.admin.user if right else "nobody-of-that-name",
        "adminPassword": server.admin.password,
    }
    config = {f"object-store:{key}": {"value": value, "secret": key == "adminPassword"} for key, value in told.items()}
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    program = folder / "pulumi"
    program.write_text(
        f"#!/bin/sh\ncase \"$1\" in config) cat {folder}/config.json;; stack) echo '{{}}';; esac\n", "utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("AISTOR_ROOT_USER", "AISTOR_ROOT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    report = tmp_path / "preflight.json"

    status = preflight(["--stack", "local", "--json", str(report)])
    said = capfd.readouterr()

    assert status in ((0, 1) if right else (1,)), said.out + said.err
    assert server.endpoint in report.read_text("utf-8")
    assert leaks(store, said.out, said.err, report.read_text("utf-8"), debug_log.read_text("utf-8")) == []
