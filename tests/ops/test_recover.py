"""ops.recover: pending operations of an interrupted update are resolved without changing the server."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID

from ops import recover
from ops.keys.live_keys import KeysError
from ops.recover import taken_up
from stack.runner import EngineError, Said
from tests.console import command as console

main = console("recover")


def creating(kind: str, **inputs: object) -> dict[str, Any]:
    """A pending creation of a resource."""
    return {"type": "creating", "resource": {"urn": f"urn::{kind}", "type": kind, "inputs": inputs}}


def exported(*operations: dict[str, Any]) -> dict[str, Any]:
    """A stack with one resource and these pending operations."""
    return {
        "version": 3,
        "deployment": {"resources": [{"urn": "urn::there", "type": "x"}], "pending_operations": list(operations)},
    }


def test_named_resources_become_part_of_the_state() -> None:
    """Our buckets, users, policies and attachments have ids that follow from their names."""
    found = taken_up(
        exported(
            creating("minio:index/s3Bucket:S3Bucket", bucket="b"),
            creating("aws:iam/user:User", name="u"),
            creating("aws:iam/policy:Policy", name="p"),
            creating("pulumi-python:dynamic/identity:User", name="own"),
            creating("pulumi-python:dynamic/identity:Policy", name="own"),
            creating("pulumi-python:dynamic/identity:Attachment", userName="own", policyName="p"),
        ),
        "123456789012",
    )

    ids = [resource.get("id") for resource in found.state["deployment"]["resources"]]
    assert ids == [None, "b", "u", "arn:aws:iam::123456789012:policy/p", "own", "own", "own/p"]
    assert (found.count, found.state["deployment"]["pending_operations"]) == (6, [])


def test_the_rest_is_forgotten_and_keys_are_named() -> None:
    """A safely repeatable creation leaves no trace; a key that may remain is reported."""
    found = taken_up(
        exported(
            creating("minio:index/ilmPolicy:IlmPolicy", bucket="b"),
            creating("aws:iam/policy:Policy", name="p"),
            creating("minio:index/iamServiceAccount:IamServiceAccount", targetUser="u"),
            creating("pulumi-python:dynamic/identity:ServiceAccount", targetUser="u"),
            {"type": "updating", "resource": {"urn": "urn::there", "type": "x"}},
        ),
        None,
    )

    assert len(found.state["deployment"]["resources"]) == 1
    kinds = ("minio:index/iamServiceAccount:IamServiceAccount", "pulumi-python:dynamic/identity:ServiceAccount")
    assert (found.count, found.keys) == (5, tuple(f"urn::{kind}" for kind in kinds))


def fake_pulumi(folder: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], fails: str = "none") -> Path:
    """A `pulumi` on PATH that exports `content`, keeps what is imported, and fails for one command."""
    (folder / "export.json").write_text(json.dumps(content), encoding="utf-8")
    program = folder / "pulumi"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/calls\n'
        f'case "$*" in *"{fails}"*) echo "it failed" >&2; exit 1;; esac\n'
        f'case "$1 $2" in "stack export") cat {folder}/export.json;;\n'
        f'"stack import") cat > {folder}/imported.json;; esac\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_interrupted_stack_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock is removed, and the resolved state is imported and refreshed."""
    content = exported(
        creating("minio:index/s3Bucket:S3Bucket", bucket="b"), creating("aws:iam/accessKey:AccessKey", user="u")
    )
    fake_pulumi(tmp_path, monkeypatch, content)

    assert main(["--stack", "local"]) == 0
    assert "resolved 2 interrupted operations" in capsys.readouterr().out
    commands = [line.split()[0:2] for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines()]
    assert commands == [["cancel", "--yes"], ["stack", "export"], ["stack", "import"], ["refresh", "--yes"]]
    assert (
        json.loads((tmp_path / "imported.json").read_text(encoding="utf-8"))["deployment"]["resources"][1]["id"] == "b"
    )


def test_account_is_asked_for_where_a_policy_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A managed policy's id contains the account."""
    fake_pulumi(tmp_path, monkeypatch, exported(creating("aws:iam/policy:Policy", name="p")))
    monkeypatch.setattr(recover, "_account_id", lambda: "123456789012")

    assert main(["--stack", "aws"]) == 0
    imported = json.loads((tmp_path / "imported.json").read_text(encoding="utf-8"))
    assert imported["deployment"]["resources"][1]["id"] == "arn:aws:iam::123456789012:policy/p"


def test_account_is_found_without_a_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STS works even if the environment has no region and only the stack has one."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    # botocore needs a region for STS only with a custom endpoint.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://sts.amazonaws.com")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    fake_pulumi(tmp_path, monkeypatch, exported(creating("aws:iam/policy:Policy", name="p")))

    with mock_aws():
        assert main(["--stack", "aws"]) == 0
    imported = json.loads((tmp_path / "imported.json").read_text(encoding="utf-8"))
    assert imported["deployment"]["resources"][1]["id"] == f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:policy/p"


def test_stack_in_order_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without pending operations nothing is imported, even if there is no lock to remove."""
    fake_pulumi(tmp_path, monkeypatch, exported(), fails="cancel")

    assert main(["--stack", "local"]) == 0
    assert "no operation is pending" in capsys.readouterr().out
    assert not (tmp_path / "imported.json").exists()


def test_failure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed step ends it with pulumi's own message."""
    fake_pulumi(tmp_path, monkeypatch, exported(), fails="stack export")

    assert main(["--stack", "local"]) == 2
    assert "it failed" in capsys.readouterr().err


def test_no_pulumi_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an engine nothing can be repaired."""
    monkeypatch.setenv("PATH", "/nowhere")

    assert main(["--stack", "local"]) == 2
    assert "pulumi is not on the path" in capsys.readouterr().err


KEY = "minio:index/iamServiceAccount:IamServiceAccount"


def _deleting(*ids: str) -> dict[str, Any]:
    """A stack with these keys, each pending deletion."""
    keys = [{"urn": f"urn::{one}", "type": KEY, "id": one, "inputs": {"targetUser": "u"}} for one in ids]
    operations = [{"type": "deleting", "resource": key} for key in keys]
    return {"version": 3, "deployment": {"resources": keys, "pending_operations": operations}}


@pytest.mark.parametrize("failure", [None, KeysError("nobody answers")])
def test_deleted_key_of_the_plugins_leaves_the_state(
    failure: KeysError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key missing on the server is dropped, because the plugin's refresh fails for it; an existing one stays."""

    class Keys:
        def of(self, user: str) -> list[str]:
            assert user == "u"
            if failure is not None:
                raise failure
            return ["THERE"]

    imported: list[str] = []

    def run(*arguments: str, text: str = "", **_: object) -> Said:
        if arguments[1] == "import":
            imported.append(text)
        return Said(0, "", "")

    monkeypatch.setattr(recover, "run_pulumi", run)
    monkeypatch.setattr(recover, "read_state", lambda _stack: _deleting("THERE", "GONE"))
    monkeypatch.setattr("ops.stack_settings.read_stack", lambda _stack: None)
    monkeypatch.setattr("ops.keys.live_keys.live_keys", lambda _settings: nullcontext(Keys()))
    if failure is not None:
        with pytest.raises(EngineError, match="nobody answers"):
            recover.recover("s")
        return
    recover.recover("s", unlock=False)
    assert [one["id"] for one in json.loads(imported[0])["deployment"]["resources"]] == ["THERE"]


def test_missing_profile_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK refuses it before it asks for the account."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(EngineError, match=r"cannot tell the account .*\(no-such-profile\) could not be found"):
        recover._account_id()
