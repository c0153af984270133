"""Delivery to Kubernetes: what is applied, what stays unchanged, and what is refused."""

import json
from base64 import b64decode
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from model.handover import handovers
from ops.keys.targets.kubernetes import HEAD, Kubernetes, manifests
from ops.keys.targets.outcome import CannotDeliverError
from tests.ops.keys.conftest import CLUSTER_ENDPOINT, Deliver, Stack
from tests.ops.keys.fakes import Fake, fake_kubectl

NAMES = ["ConfigMap/objectstore-worker", "Secret/objectstore-worker"]
OTHER = "b2xk"
AGAIN = "object-store keys deliver --stack local --to kubernetes --identity worker"


@pytest.fixture(name="cluster")
def _cluster(stack: Stack) -> Fake:
    return fake_kubectl(stack.folder)


class TestManifests:
    """The manifests of a key pair."""

    @pytest.mark.parametrize("version", ["1.31.0", kubernetes_validate.latest_version()])
    def test_kubernetes_takes_them(self, stack: Stack, version: str) -> None:
        """They follow the API's schemas exactly."""
        for one in handovers(stack.deployment, stack.credentials, list(stack.credentials), "cluster"):
            for document in manifests(one, "joelclaw"):
                kubernetes_validate.validate(document, version, strict=True)

    def test_secret_is_the_pair_alone(self, stack: Stack) -> None:
        """Everything that is not secret is in the ConfigMap, with the cluster's endpoint and the CA's path."""
        (one,) = handovers(stack.deployment, stack.credentials, ["worker"], "cluster")
        plain, secret = manifests(one, "joelclaw")

        assert {name: b64decode(value).decode() for name, value in secret["data"].items()} == {
            "AWS_ACCESS_KEY_ID": stack.credentials["worker"].access_key_id,
            "AWS_SECRET_ACCESS_KEY": stack.secret("worker"),
        }
        assert plain["data"]["S3_ENDPOINT"] == CLUSTER_ENDPOINT
        assert plain["data"]["S3_CA_BUNDLE"] == "/etc/objectstore/ca.pem"
        assert plain["data"]["ca.pem"] == stack.deployment.ca_pem
        assert json.loads(plain["data"]["S3_BUCKETS"])["scratch"] == stack.deployment.plan.bucket("scratch").name
        assert stack.secret("worker") not in json.dumps(plain)


class TestApplied:
    """Successful deliveries."""

    def test_added_changed_unchanged(self, cluster: Fake, deliver: Deliver) -> None:
        """Only objects that differ are applied."""
        first, second = deliver("kubernetes"), deliver("kubernetes")
        applied = len(cluster.calls("apply"))
        state = cluster.state
        state["secret/objectstore-worker"]["data"]["AWS_SECRET_ACCESS_KEY"] = OTHER
        cluster.state = state
        third = deliver("kubernetes")

        assert (first.status, second.status, third.status) == (0, 0, 0)
        assert first.changes() == dict.fromkeys(NAMES, "added")
        assert second.changes() == dict.fromkeys(NAMES, "unchanged")
        assert third.changes() == {NAMES[0]: "unchanged", NAMES[1]: "changed"}
        assert "works      worker, as kubernetes holds it" in third.output
        # A dry run and the write, the first and the third time.
        assert (applied, len(cluster.calls("apply"))) == (2, 4)

    def test_context_is_passed_on(self, cluster: Fake, deliver: Deliver) -> None:
        """Every call uses the chosen context."""
        assert deliver("kubernetes", "--context", "there").status == 0
        assert all(words[0] == "--context=there" for words in cluster.calls())
        assert "context was not found" in deliver("kubernetes", "--context", "elsewhere").errors

    def test_loopback_is_warned_of(self, cluster: Fake, stack: Stack, deliver: Deliver) -> None:
        """In a pod, the host's loopback address is not the store."""
        done = deliver("kubernetes", "--from", "host")

        assert done.status == 0
        assert f"warning: the delivered endpoint is {stack.deployment.provisioning_endpoint}" in done.errors
        assert cluster.state["configmap/objectstore-worker"]["data"]["S3_ENDPOINT"].startswith("https://127.0.0.1")


class TestRefused:
    """Failures before the first write."""

    @pytest.mark.parametrize(
        ("mood", "said"),
        [
            ("unreachable", "`kubectl auth can-i` failed: The connection to the server localhost:6443 was refused"),
            ("forbidden", "this user may not write Secrets in namespace joelclaw"),
            ("reading forbidden", "cannot get resource"),
            ("no namespace", "`kubectl apply --server-side --dry-run=server` failed: Error from server (NotFound)"),
            ("conflict", "another manager owns a field of the object"),
        ],
    )
    def test_cluster_refuses(self, cluster: Fake, deliver: Deliver, mood: str, said: str) -> None:
        """A dry run shows everything that the cluster would refuse."""
        cluster.mood(**{mood: True})

        done = deliver("kubernetes")

        assert done.status == 2
        assert said in done.errors
        assert "Nothing was written." in done.errors
        assert cluster.state == {}

    def test_no_kubectl(self, deliver: Deliver, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without kubectl the file is still possible."""
        monkeypatch.setenv("PATH", str(stack.folder))

        done = deliver("kubernetes")

        assert done.status == 2
        assert "`kubectl` is not on PATH; or write the manifests to a file: --file PATH" in done.errors

    @pytest.mark.parametrize(("option", "value"), [("--namespace", "Joel_Claw"), ("--context", "--token=x")])
    def test_bad_names(self, cluster: Fake, deliver: Deliver, option: str, value: str) -> None:
        """A name that is invalid, or that kubectl would take as an option, reaches neither Kubernetes nor kubectl."""
        done = deliver("kubernetes", f"{option}={value}")

        assert done.status == 2
        assert f"{option} {value!r} is no" in done.errors
        assert cluster.calls() == []


class TestUnfinished:
    """Failures during a write."""

    def test_dies_between_two_objects(self, cluster: Fake, deliver: Deliver) -> None:
        """The cluster's content is read, and the same command completes the delivery."""
        cluster.mood(**{"dies after": 1})
        broken = deliver("kubernetes")
        cluster.mood()
        mended = deliver("kubernetes")

        assert broken.status == 1
        assert "etcdserver: request timed out" in broken.errors
        assert f"written: {NAMES[0]}\n  not written: {NAMES[1]}\n" in broken.errors
        assert f"to complete it: {AGAIN}\n" in broken.errors
        assert mended.changes() == {NAMES[0]: "unchanged", NAMES[1]: "added"}

    def test_hangs_in_a_write(self, cluster: Fake, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
        """A kubectl that does not end is killed."""
        monkeypatch.setattr("ops.keys.deliver.Kubernetes", lambda *_: Kubernetes(timeout_seconds=1.5))
        cluster.mood(**{"hangs after": 0})

        done = deliver("kubernetes")

        assert done.status == 1
        assert "did not end within 1.5 s" in done.errors
        assert f"written: nothing\n  not written: {', '.join(NAMES)}\n" in done.errors

    def test_cluster_is_gone_afterwards(self, cluster: Fake, deliver: Deliver) -> None:
        """If the cluster cannot be read afterwards, the message says so."""
        cluster.mood(**{"gone after": 1})

        done = deliver("kubernetes")

        assert done.status == 1
        assert "connection lost" in done.errors
        assert "the cluster cannot be read afterwards" in done.errors
        assert f"written: nothing\n  not written: {', '.join(NAMES)}\n" in done.errors


class TestFile:
    """Manifests in a file, for a cluster that this machine cannot reach."""

    def test_written_and_unchanged(self, stack: Stack, deliver: Deliver, tmp_path: Path) -> None:
        """Mode 0600, the documents of each identity, and unchanged the second time."""
        path = tmp_path / "objectstore.yaml"
        first = deliver("kubernetes", "--file", str(path))
        written = path.stat().st_mtime_ns
        second = deliver("kubernetes", "--file", str(path))

        assert (first.status, second.status) == (0, 0)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_mtime_ns == written
        assert [one["kind"] for one in yaml.safe_load_all(path.read_text())] == ["ConfigMap", "Secret"]
        assert second.changes() == dict.fromkeys(NAMES, "unchanged")
        assert "works      worker" in second.output
        assert stack.secret("worker") not in path.read_text()

    def test_what_goes_away_is_said(self, deliver: Deliver, tmp_path: Path) -> None:
        """The file holds the last choice; a removed identity is named. A wide mode is narrowed."""
        path = tmp_path / "objectstore.yaml"
        deliver("kubernetes", "--file", str(path), identity=None)
        path.chmod(0o644)
        done = deliver("kubernetes", "--file", str(path))

        assert "changed    Secret/objectstore-verifier (removed)" in done.output
        assert f"changed    {path} (to mode 0600)" in done.output
        assert path.stat().st_mode & 0o777 == 0o600

    def test_foreign_file_is_not_replaced(self, deliver: Deliver, tmp_path: Path) -> None:
        """A file that no delivery wrote stays, and so does a damaged one."""
        path = tmp_path / "mine.yaml"
        path.write_text("kind: Namespace\n", encoding="utf-8")
        foreign = deliver("kubernetes", "--file", str(path))
        path.write_text(f"{HEAD}: : :\n  - {{", encoding="utf-8")
        damaged = [deliver("kubernetes", "--file", str(path))]
        for text in ("at: 2026-99-99\n", f"at: {'[' * 3000}\n"):
            path.write_text(HEAD + text, encoding="utf-8")
            damaged.append(deliver("kubernetes", "--file", str(path)))

        assert foreign.status == 2
        assert "no delivery wrote it, so it is not replaced" in foreign.errors
        assert [done.status for done in damaged] == [2, 2, 2]
        assert all("exists but is not YAML" in done.errors for done in damaged)


def test_secret_without_a_pair(stack: Stack) -> None:
    """An incomplete Secret in the cluster is not accepted as a key pair."""
    cluster = fake_kubectl(stack.folder)
    target = Kubernetes()
    for data in ({}, {"AWS_ACCESS_KEY_ID": "QQ=="}, {"AWS_ACCESS_KEY_ID": "Q", "AWS_SECRET_ACCESS_KEY": "/w=="}):
        cluster.state = {"secret/objectstore-worker": {"kind": "Secret", "data": data}}
        with pytest.raises(CannotDeliverError, match="holds no complete key pair"):
            target.held("worker")
