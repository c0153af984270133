"""Media on the two deployed stacks, with the delivered key of `worker` and nothing wider."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from model.exit_codes import ExitCode
from object_store import ObjectStore, StoreConfig, resolve
from tests.e2e.conftest import delivered
from tests.workloads.media.conftest import AT, film
from workloads.media.options import PutOptions
from workloads.media.put import run

if TYPE_CHECKING:
    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e


@pytest.fixture(name="delivered_key")
def _delivered_key(checkout: "Checkout", stack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with delivered(checkout, stack, "worker", "media-raw", tmp_path, monkeypatch):
        yield
        client, bucket = checkout.client(stack), json.loads(os.environ["S3_BUCKETS"])["media-derived"]
        for one in client.list_object_versions(Bucket=bucket).get("Versions", []):
            client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])


@pytest.mark.usefixtures("delivered_key")
def test_media_come_back(checkout: "Checkout", stack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of a chat, what was made of it, and a download, each twice: one version, and the events give the bytes."""
    config = tmp_path / "workloads.yaml"
    paths = {name: str(tmp_path / name) for name in ("state", "receipts")}
    config.write_text(yaml.safe_dump({"machine": "box", **paths}))

    def put(path: Path, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - of PutOptions
        printed = []
        for _ in range(2):
            assert run(PutOptions(config, as_json=True, path=path, **more)) == ExitCode.DONE, capsys.readouterr().err
            printed.append(json.loads(capsys.readouterr().out))
        assert printed[0] == printed[1]
        found: dict[str, Any] = printed[0]
        return found

    folder = tmp_path / "download"
    folder.mkdir()
    stem = "包天宇 72  2026 [dQw4w9WgXcQ]"
    info = {"id": "dQw4w9WgXcQ", "extractor": "youtube", "title": "包天宇", "duration": 212}
    (folder / f"{stem}.info.json").write_text(json.dumps(info))
    (folder / f"{stem}.mp4").write_bytes(film(212) + bytes(9_000_000))
    (folder / f"{stem}.webp").write_bytes(b"thumbnail")
    photo, words = tmp_path / "é 72  2026.jpg", tmp_path / "words.txt"
    photo.write_bytes(b"jpg")
    words.write_bytes(b"words")

    of_chat = put(photo, source="telegram", at=AT)
    made = put(words, of=f"s3://{of_chat['objectRef']['bucket']}/{of_chat['objectRef']['key']}")
    download = put(folder)

    with ObjectStore(StoreConfig.from_environment()) as store:
        for printed, path in ((of_chat, photo), (download, folder / f"{stem}.mp4")):
            with resolve(printed["event"]["data"], store) as copy:
                assert copy.path.read_bytes() == path.read_bytes()
        assert store.download(made["objectRef"]["bucket"], made["objectRef"]["key"]) == b"words"
    client, bucket = checkout.client(stack), download["objectRef"]["bucket"]
    keys = [
        one["Key"]
        for prefix in ("chat/", "video/")
        for one in client.list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"]
    ]
    assert len(keys) == len(set(keys)) == 5
    assert run(PutOptions(config, quiet=True, path=folder, remove=True)) == ExitCode.DONE
    assert not folder.exists()
