"""The Indexed Job of a backfill is what Kubernetes takes, and each pod does its own shard."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from model.exit_codes import ExitCode
from ops.schedule.backfill import JobOptions, run
from workloads.documents.shard import INDEX, Shard, shard_of
from workloads.settings import parse

IMAGE = "ghcr.io/joelhooks/object-store:0.1.0"


def printed(capsys: pytest.CaptureFixture[str], root: str = "/books/2026", **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - of JobOptions
    """The documents that are printed."""
    given = {"shards": 8, "image": IMAGE, "namespace": "joelclaw", "claims": ("/books=nas-hdd",), **more}
    assert run(JobOptions(Path(root), **given)) == ExitCode.DONE
    return [one for one in yaml.safe_load_all(capsys.readouterr().out) if one]


@pytest.mark.parametrize("version", ["1.33.0", kubernetes_validate.latest_version()])
def test_kubernetes_takes_it(capsys: pytest.CaptureFixture[str], tmp_path: Path, version: str) -> None:
    """It follows the API's schemas exactly."""
    config = tmp_path / "workloads.yaml"
    config.write_text("machine: nas\nstore: {variables: /somewhere}\n")
    for document in printed(capsys, config=config):
        kubernetes_validate.validate(document, version, strict=True)


def test_each_pod_has_a_shard(capsys: pytest.CaptureFixture[str]) -> None:
    """The pods of eight indexes do the eight shards, mount the tree for reading, and remember nothing but in /tmp."""
    config, job = printed(capsys)
    spec = job["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert (spec["completionMode"], spec["completions"]) == ("Indexed", 8)
    command = container["command"]
    assert command[:5] == ["object-store", "documents", "backfill", "/books/2026", "--shard"]
    shards = {shard_of(command[5], {INDEX: str(index)}) for index in range(8)}
    assert shards == {Shard(number, 8) for number in range(1, 9)}
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert mounts["/books"]["readOnly"]
    settings = parse(yaml.safe_load(config["data"]["workloads.yaml"]), "printed")
    assert (settings.state, settings.receipts) == ("/tmp/state", "/tmp/receipts")  # noqa: S108 - the pod's own
    (used,) = [one["configMap"]["name"] for one in pod["volumes"] if one["name"] == "config"]
    assert used == config["metadata"]["name"]
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "FailIndex"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"image": None}, "--image: is missing"),
        ({"claims": ()}, "is on no volume of the pod"),
        ({"claims": ("books",)}, "is not PATH=CLAIM"),
        ({"shards": 1001}, "--shards: 1001 are too many"),
        ({"namespace": "No"}, "--namespace"),
    ],
)
def test_what_cannot_run_is_refused(capsys: pytest.CaptureFixture[str], more: dict[str, Any], says: str) -> None:
    """By its option, before anything is printed."""
    given = {"shards": 8, "image": IMAGE, "namespace": "joelclaw", "claims": ("/books=nas-hdd",), **more}
    assert run(JobOptions(Path("/books"), **given)) == ExitCode.CANNOT
    out, errors = capsys.readouterr()
    assert not out
    assert says in errors
