"""The command: options that exclude each other, missing outputs of a stack, and the final probe."""

import io
import json
import time
from pathlib import Path

import pytest
from rich.console import Console

from ops.keys import deliver as deliver_command
from ops.keys.deliver import _doing
from ops.keys.probe import PATIENCE_SECONDS
from stack.outputs import read_published
from stack.runner import EngineError
from tests.ops.keys.conftest import Deliver, Stack
from tests.ops.keys.fakes import fake_kubectl
from trials.stores import Store, credentials_json


@pytest.mark.parametrize(
    ("to", "options", "said"),
    [
        (
            "json",
            ["--file", "x"],
            "--file works with dotenv, aws-profile, rclone, mc, kubernetes, pulumi-esc, not with json",
        ),
        ("json", ["--namespace", "x"], "--namespace and --context work with kubernetes, not with json"),
        ("dotenv", ["--context", "x", "--file", "y"], "work with kubernetes, not with dotenv"),
        ("dotenv", [], "dotenv needs a file: --file PATH"),
        ("json", ["--identity", "nobody"], "has no identity nobody; it has worker, reader, verifier"),
    ],
)
def test_what_does_not_fit(deliver: Deliver, to: str, options: list[str], said: str) -> None:
    """Each is a usage error with the legal values."""
    done = deliver(to, *options)

    assert done.status == 2
    assert said in done.errors
    assert done.output == ""


def test_identity_without_a_key_pair(deliver: Deliver, stack: Stack) -> None:
    """A role has none: it is skipped with a message, and alone there is nothing to deliver."""
    pairs = json.loads((stack.folder / "pulumi.state").read_text())["local"]["credentials"]
    stack.publish(credentials={"worker": pairs["worker"]})

    done, alone = deliver("json", identity=None, payload=True), deliver("json", identity="reader")

    assert done.status == 0
    assert list(json.loads(done.output)) == ["worker"]
    assert "skipped    reader: the stack publishes no key pair for it" in done.errors
    assert alone.status == 2
    assert "reader: the stack publishes no key pair (a role on AWS has none)" in alone.errors


def test_key_pair_that_does_not_work(
    deliver: Deliver, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A published pair that the store does not know is reported by name after the delivery."""
    monkeypatch.setitem(PATIENCE_SECONDS, "aistor", 0.0)
    wrong = "planted-wrong-secret-0123456789abcdefghi"
    pair = {"access_key_id": stack.credentials["worker"].access_key_id, "secret_access_key": wrong}
    stack.publish(credentials={"worker": pair})

    done = deliver("dotenv", "--file", str(tmp_path / ".env"))

    assert done.status == 1
    assert "worker: the key pair in dotenv does not work" in done.errors
    assert "SignatureDoesNotMatch" in done.errors
    assert wrong not in done.output + done.errors


def test_target_changes_meanwhile(deliver: Deliver, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe tries what the target holds, not what was sent."""
    cluster = fake_kubectl(stack.folder)
    deliver("kubernetes")
    kept = cluster.state
    monkeypatch.setattr("ops.keys.deliver.Kubernetes.deliver", lambda *_: [])
    kept["secret/objectstore-worker"]["data"]["AWS_ACCESS_KEY_ID"] = "b2xk"
    cluster.state = kept
    other = deliver("kubernetes")
    cluster.state = {}
    gone = deliver("kubernetes")

    assert (other.status, gone.status) == (1, 1)
    assert "it is not the key pair that the stack publishes" in other.errors
    assert "the Secret objectstore-worker holds no complete key pair" in gone.errors


def test_on_aws(deliver: Deliver, stack: Stack, aws_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """On AWS no endpoint is delivered, and the pair works at the SDK's endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_store.server.endpoint)
    stack.publish(
        deployment=json.loads(aws_store.deployment.model_dump_json()),
        credentials=json.loads(credentials_json(aws_store)),
    )

    done = deliver("json", identity=None, payload=True)

    assert done.status == 0
    assert all("S3_ENDPOINT" not in one for one in json.loads(done.output).values())
    assert done.errors.count("works") == 4


def test_interrupted(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C shows no traceback, but the command that shows and completes the delivery."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.keys.targets.as_json.AsJson.deliver", interrupt)
    done = deliver("json", "--from", "cluster")

    assert done.status == 130
    assert done.errors.endswith("object-store keys deliver --stack local --to json --identity worker --from cluster\n")


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a slow step is named, and a quick one is not."""
    monkeypatch.setattr(deliver_command, "PROGRESS_AFTER_SECONDS", 0.05)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True)

    with _doing(console, "quick"):
        pass
    with _doing(console, "slow"):
        time.sleep(0.5)

    assert "slow" in screen.getvalue()
    assert "quick" not in screen.getvalue()


class TestPublished:
    """The outputs of a stack."""

    @pytest.mark.parametrize(
        ("outputs", "said"),
        [
            ({"deployment": {"version": 7}}, "the deployment has version 7"),
            ({"credentials": {"worker": {"access_key_id": "", "secret_access_key": 7}}}, "malformed at worker"),
        ],
    )
    def test_cannot_be_read(self, deliver: Deliver, stack: Stack, outputs: dict[str, object], said: str) -> None:
        """Another version and a malformed output are reported without any value."""
        stack.publish(**outputs)

        done = deliver("json")

        assert done.status == 2
        assert said in done.errors

    def test_engine_that_fails_after_it_printed(self, deliver: Deliver, stack: Stack) -> None:
        """The engine's output is never shown as the reason: it may hold the key pairs."""
        (stack.folder / "pulumi.mood").write_text('{"status": 3}', encoding="utf-8")

        done = deliver("json")

        assert done.status == 2
        assert done.errors.startswith("stack 'local': `pulumi stack output` failed:\nexit status 3\n")
        assert done.errors.endswith("Nothing was written.\n")

    def test_no_such_stack(self, stack: Stack) -> None:
        """The name is checked before the engine gets it; the engine refuses an unknown one."""
        (stack.folder / "pulumi.state").write_text(json.dumps({"empty": {}}), encoding="utf-8")

        for name, said in [
            ("--x y", "is not a stack name"),
            ("other", "no stack named"),
            ("empty", "published nothing"),
        ]:
            with pytest.raises(EngineError, match=said):
                read_published(name)
