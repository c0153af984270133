"""The vault on the two deployed stacks, with the delivered key of `vault-backup` and nothing wider."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyrage
import pytest
import yaml

from model.exit_codes import ExitCode
from object_store import ObjectStore
from sandbox.notes import live_a_day, write_vault
from tests.e2e.conftest import delivered
from tests.sizes import sized
from tests.workloads.test_vault import history_of, notes_of
from workloads.archive import clock
from workloads.archive.sealing import Keys
from workloads.context import VAULT, Options
from workloads.receipts import run as receipts
from workloads.vault import drill, snapshot
from workloads.vault.restoring import RestoreOptions, run_list, run_restore
from workloads.vault.snapshots import read_entries, read_snapshots

if TYPE_CHECKING:
    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e


@pytest.fixture(name="variables")
def _variables(
    checkout: "Checkout", stack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Mapping[str, str | None]]:
    with delivered(checkout, stack, "vault-backup", "vault-backups", tmp_path, monkeypatch) as variables:
        yield variables


def test_vault_comes_back(
    stack: str, variables: Mapping[str, str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshots of some days, list, drill and restore, on AWS encrypted.

    Each day comes back byte for byte, with its history, and none leans on anything that is older than 30 days.
    """
    days, start, vault = sized(2, 40), time.time(), tmp_path / "Vault"
    write_vault(vault, notes=sized(12, 6000), seed=3, now=start)
    content: dict[str, object] = {
        "machine": "box",
        "state": str(tmp_path / "state"),
        "receipts": str(tmp_path / "receipts"),
        "vault": {"path": str(vault)},
    }
    keys: tuple[Path, ...] = ()
    opening = Keys()
    if stack == "aws":
        key = pyrage.x25519.Identity.generate()
        keys, opening = (tmp_path / "identity.txt",), Keys(identities=(key,))
        keys[0].touch(0o600)
        keys[0].write_text(str(key))
        content["encryption"] = {"recipients": [str(key.to_public())]}
    config = tmp_path / "workloads.yaml"
    config.write_text(yaml.safe_dump(content))
    new = tmp_path / "new.yaml"
    new.write_text(yaml.safe_dump({"machine": "new", "state": str(tmp_path / "other")}))
    truths = {}
    for day in range(days):
        when = datetime.fromtimestamp(start + day * 86400, UTC)
        monkeypatch.setattr(clock, "now_utc", lambda when=when: when)
        if day:
            live_a_day(vault, 3, when.timestamp() - 300)
        assert snapshot.run(snapshot.SnapshotOptions(config=config, quiet=True)) == ExitCode.DONE
        if day in {0, days // 2, days - 1}:
            truths[when] = (notes_of(vault), history_of(vault))

    assert drill.run(drill.DrillOptions(config=config, quiet=True, identities=keys)) == ExitCode.DONE
    assert run_list(Options(config=config, quiet=True)) == ExitCode.DONE
    assert receipts(Options(config=config, quiet=True), VAULT, 30) == ExitCode.DONE
    for at, truth in {"": truths[when], **{one.isoformat(): truth for one, truth in truths.items()}}.items():
        to = tmp_path / f"restored {at}"
        options = RestoreOptions(config=new, quiet=True, to=to, at=at, machine="box", identities=keys)
        assert run_restore(options) == ExitCode.DONE
        assert (notes_of(to), history_of(to)) == truth
    with ObjectStore.from_environment() as store:
        bucket = variables["S3_BUCKET_VAULT_BACKUPS"] or ""
        found, _ = read_snapshots(store, bucket, "box")
        assert len(found) == days
        for one in found:
            packs, entries = read_entries(store, bucket, one.commit, opening)
            assert one.commit.history is not None
            assert one.commit.history.bundle is not None
            leaning = [*(packs[name] for entry in entries.values() for name in entry.packs), one.commit.history.bundle]
            assert max(one.at - each.stored_at for each in leaning) < timedelta(days=30)
