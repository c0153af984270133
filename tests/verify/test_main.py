"""`python -m verify`: exit statuses, the report, the JUnit file, and that nothing of a probe is left."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from object_store import ObjectStore
from verify import gather
from verify.__main__ import main
from verify.gather import gather_facts
from verify.probes import writer_for
from verify.target import CannotRunError, Target, target_from_file, target_from_stack

if TYPE_CHECKING:
    from tests.verify.conftest import Store

PROBE = ".verify/"


@pytest.fixture(name="files")
def _files(store: "Store", tmp_path: Path) -> list[str]:
    """The options that lead to the store."""
    deployment, credentials = tmp_path / "deployment.json", tmp_path / "credentials.json"
    deployment.write_text(store.deployment.model_dump_json(), encoding="utf-8")
    pairs = {
        name: {"access_key_id": p.access_key_id, "secret_access_key": p.secret_access_key.get_secret_value()}
        for name, p in store.target.credentials.items()
    }
    credentials.write_text(json.dumps(pairs), encoding="utf-8")
    credentials.chmod(0o600)
    return ["--deployment", str(deployment), "--credentials", str(credentials)]


def probes_in(store: "Store") -> list[str]:
    """What is under the probe prefix of any bucket, every version of it."""
    found = []
    for bucket in store.deployment.plan.buckets:
        page = store.client.list_object_versions(Bucket=bucket.name, Prefix=PROBE)
        found += [v["Key"] for v in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    return found


def test_right_store_exits_0(
    store: "Store", files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All is proven or said not to be tellable, the report names every bucket, nothing is left behind."""
    junit = tmp_path / "junit.xml"

    assert main([*files, "--junitxml", str(junit)]) == 0
    said = capsys.readouterr().out
    assert "5 buckets: 45 proven, 0 failed, 1 cannot tell" in said
    assert all(bucket.domain in said for bucket in store.deployment.plan.buckets)
    assert "cannot tell joelclaw-test-usw2-ledger object_uploaded" in said
    assert "not on aistor: transition" in said
    assert 'skipped="1"' in junit.read_text(encoding="utf-8")
    assert probes_in(store) == []
    secret = store.target.credentials["worker"].secret_access_key.get_secret_value()
    assert secret not in said + junit.read_text(encoding="utf-8")


def test_removed_rule_exits_1(store: "Store", files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The failure names bucket and rule, wanted and found, and what to do."""
    bucket = store.deployment.plan.bucket("replay")
    store.put_rules(bucket, without="band-warm")
    try:
        assert main([*files, "-k", "replay"]) == 1
    finally:
        store.put_rules(bucket)
    said = capsys.readouterr().out
    assert "failed joelclaw-test-usw2-replay lifecycle_as_planned" in said
    assert "wanted: rule band-warm: all keys, expire after 180 d" in said
    assert "found:  rule band-warm: no such rule" in said
    assert "pulumi up --refresh" in said


@pytest.mark.parametrize(
    ("arguments", "status"),
    [([], 2), (["--help"], 0), (["--stack", "a", "--deployment", "b"], 2), (["--jobs", "x"], 2), (["-k", "x"], 2)],
)
def test_usage(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Help is no failure; what cannot run is 2."""
    assert main(arguments) == status
    capsys.readouterr()


def test_broken_off_run_leaves_nothing(store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption in the middle of a bucket sweeps it."""

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(ObjectStore, "download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gather_facts(store.target)

    assert probes_in(store) == []


def test_refused_identity_is_facts(store: "Store") -> None:
    """A key that the server does not know makes facts that fail, and the run ends."""
    wrong = store.target.credentials["worker"].model_copy(update={"access_key_id": "UNKNOWNKEY0000000000"})
    target = replace(store.target, credentials={**store.target.credentials, "worker": wrong})
    monkey = pytest.MonkeyPatch()
    monkey.setattr("verify.probes.NEW_KEY_SECONDS", 0)
    try:
        facts = gather_facts(target)
    finally:
        monkey.undo()

    probe = facts.buckets["joelclaw-test-usw2-scratch"].probe
    assert (probe.uploaded.code, probe.presigned.code) == ("InvalidAccessKeyId", "HTTP 403")


def test_plan_without_verifier_cannot_be_gathered(store: "Store") -> None:
    """Nobody may read configuration then."""
    plan = store.deployment.plan
    without = plan.model_copy(update={"identities": tuple(i for i in plan.identities if not i.verifies)})
    target = Target(store.deployment.model_copy(update={"plan": without}), store.target.credentials)

    with pytest.raises(LookupError, match="no identity that verifies"):
        gather_facts(target)
    with pytest.raises(LookupError, match="no identity may write"):
        writer_for(without, plan.bucket("orphan"))
    assert gather.JOBS > 1


class TestTarget:
    """Where a target comes from."""

    def test_environment_credentials(self, store: "Store", files: list[str]) -> None:
        """Each identity's pair is taken from its two variables."""
        environ = {
            f"OBJECTSTORE_{name.upper()}_{part}": value
            for name, pair in store.target.credentials.items()
            for part, value in (
                ("ACCESS_KEY_ID", pair.access_key_id),
                ("SECRET_ACCESS_KEY", pair.secret_access_key.get_secret_value()),
            )
        }
        found = target_from_file(Path(files[1]), None, environ)

        assert found.credentials == store.target.credentials
        assert store.target.credentials["worker"].secret_access_key.get_secret_value() not in repr(found)

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("deployment", "{", "is not JSON"),
            ("deployment", '{"version": 9}', "a deployment of version 9"),
            ("credentials", "{", "is not JSON"),
            ("credentials", '{"worker": 1}', "the credentials are malformed at worker"),
            ("credentials", "{}", "no credentials for worker, reader, verifier"),
            (
                "credentials",
                json.dumps(
                    {
                        "worker": {"access_key_id": "minioadmin", "secret_access_key": "x"},
                        "reader": {"access_key_id": "b", "secret_access_key": "x"},
                        "verifier": {"access_key_id": "a", "secret_access_key": "x"},
                    }
                ),
                "the vendor's defaults",
            ),
        ],
    )
    def test_malformed_file(self, files: list[str], name: str, content: str, expected: str) -> None:
        """What cannot be read says so before anything is sent."""
        path = Path(files[1 if name == "deployment" else 3])
        path.write_text(content, encoding="utf-8")

        with pytest.raises(CannotRunError) as caught:
            target_from_file(Path(files[1]), Path(files[3]))
        assert expected in str(caught.value)

    def test_open_or_missing_credentials_file(self, files: list[str], tmp_path: Path) -> None:
        """A file that others may read, or that is not there, is refused."""
        Path(files[3]).chmod(0o640)
        with pytest.raises(CannotRunError, match="chmod 600"):
            target_from_file(Path(files[1]), Path(files[3]))
        with pytest.raises(CannotRunError, match="No such file"):
            target_from_file(Path(files[1]), tmp_path / "none")
        with pytest.raises(CannotRunError, match="No such file"):
            target_from_file(tmp_path / "none", None)

    def test_plan_without_verifier(self, store: "Store", files: list[str]) -> None:
        """Without a verifier there is nothing to verify with."""
        content = json.loads(store.deployment.model_dump_json())
        content["plan"]["identities"] = content["plan"]["identities"][:1]
        Path(files[1]).write_text(json.dumps(content), encoding="utf-8")

        with pytest.raises(CannotRunError, match="no identity that verifies"):
            target_from_file(Path(files[1]), Path(files[3]))

    def test_unreachable_endpoint_names_the_other(self, store: "Store", files: list[str]) -> None:
        """Where the client endpoint is not reached, the other one is offered."""
        content = json.loads(store.deployment.model_dump_json())
        content["endpoint"] = "https://127.0.0.1:1"
        Path(files[1]).write_text(json.dumps(content), encoding="utf-8")

        with pytest.raises(CannotRunError, match="--via provisioning"):
            target_from_file(Path(files[1]), Path(files[3]))
        assert target_from_file(Path(files[1]), Path(files[3]), via="provisioning").endpoint is not None

    def test_on_aws_the_sdk_variables_count(self, store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
        """AWS_ENDPOINT_URL is honoured, and no S3_ENDPOINT of the caller's."""
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.example")
        monkeypatch.setenv("S3_ENDPOINT", "https://other.example")
        target = replace(store.target, endpoint=None)

        assert target.config("worker").endpoint == "https://aws.example"

    def test_stack_outputs(
        self, store: "Store", files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stack's outputs are read with the pulumi on the path."""
        outputs = {
            key: json.loads(Path(path).read_text("utf-8"))
            for key, path in zip(("deployment", "credentials"), files[1::2], strict=True)
        }
        program = tmp_path / "pulumi"
        (tmp_path / "outputs").write_text(json.dumps(outputs), encoding="utf-8")
        program.write_text(
            f'#!/bin/sh\ncase "$*" in *--stack\\ gone*) echo "error: no stack named gone" >&2; exit 255;;\n'
            f'*--stack\\ empty*) echo "{{}}";; *) cat {tmp_path}/outputs;; esac\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

        assert target_from_stack("test").deployment == store.deployment
        with pytest.raises(CannotRunError, match="no stack named gone"):
            target_from_stack("gone")
        with pytest.raises(CannotRunError, match="has published nothing yet"):
            target_from_stack("empty")
        with pytest.raises(CannotRunError, match="is no stack name"):
            target_from_stack("; rm")
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(CannotRunError, match="no pulumi on the path"):
            target_from_stack("test")
