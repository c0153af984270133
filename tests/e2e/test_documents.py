"""Documents on the two deployed stacks, with the delivered key of `worker` and nothing wider."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from model.exit_codes import ExitCode
from object_store import ObjectStore, StoreConfig, resolve
from tests.e2e.conftest import delivered, emptied, resolved
from tests.workloads.documents.test_put import BODY, ID, MADE, NAME
from workloads.documents.backfill import BackfillOptions
from workloads.documents.backfill import run as backfill
from workloads.documents.put import PutOptions
from workloads.documents.put import run as put
from workloads.events.shims import ShimsOptions
from workloads.events.shims import run as shims

if TYPE_CHECKING:
    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e


@pytest.fixture(name="delivered_key")
def _delivered_key(checkout: "Checkout", stack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with delivered(checkout, stack, "worker", "docs-raw", tmp_path, monkeypatch):
        yield
        emptied(checkout, stack, "docs-derived", "media-derived")


@pytest.mark.usefixtures("delivered_key")
def test_documents_come_back(
    checkout: "Checkout", stack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One with what was made of it, by its event; then a tree in two shards and in three: references give the bytes."""
    config = tmp_path / "workloads.yaml"
    paths = {name: str(tmp_path / name) for name in ("state", "receipts")}
    config.write_text(yaml.safe_dump({"machine": "box", **paths, "events": {"folders": [str(tmp_path)]}}))
    root = tmp_path / "books"
    for number in range(6):
        (root / f"{number % 2}").mkdir(parents=True, exist_ok=True)
        (root / f"{number % 2}" / f"包 Résumé  {number}.txt").write_bytes(b"%d" % number)
    (root / "0" / "large.pdf").write_bytes(bytes(9_000_000))
    (root / NAME).write_bytes(BODY)
    made = tmp_path / "made"
    made.mkdir()
    for name, body in MADE.items():
        (made / f"{ID}.{name}").write_bytes(body)

    assert put(PutOptions(config, as_json=True, file=root / NAME, derived=made)) == ExitCode.DONE
    printed = json.loads(capsys.readouterr().out)
    assert printed["docId"] == ID
    by_path = {**printed["event"], "data": {"filePath": str(root / NAME)}}
    assert resolved(config, printed["event"], tmp_path / "by reference") == BODY
    assert resolved(config, by_path, tmp_path / "by path") == BODY
    assert shims(ShimsOptions(config, as_json=True, event=by_path["name"])) == ExitCode.WRONG
    (row,) = json.loads(capsys.readouterr().out)["shims"]
    assert (row["byReference"], row["byPath"], row["failed"], row["verdict"]) == (1, 1, 0, "in use")
    lines = []
    for shard in ("1/2", "2/2", "1/3", "2/3", "3/3"):
        options = BackfillOptions(config, as_json=True, root=root, shard=shard)
        assert backfill(options) == ExitCode.DONE, capsys.readouterr().err
        lines += [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert len(lines) == 16
    assert len({json.dumps(line, sort_keys=True) for line in lines}) == 8
    assert printed["objectRef"] in [line["objectRef"] for line in lines]
    with ObjectStore(StoreConfig.from_environment()) as store:
        for line in lines[:8]:
            with resolve(line, store) as copy:
                assert copy.source == "objectRef"
                assert copy.path.name == Path(line["nasPath"]).name
                assert copy.path.read_bytes() == Path(line["nasPath"]).read_bytes()
    versions = checkout.client(stack).list_object_versions(Bucket=printed["objectRef"]["bucket"], Prefix="docs/")
    assert len(versions["Versions"]) == 8
