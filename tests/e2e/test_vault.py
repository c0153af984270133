"""The vault on the two deployed stacks, with the delivered key of `vault-backup` and nothing wider."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyrage
import pytest
import yaml
from dotenv import dotenv_values

from model.exit_codes import ExitCode
from sandbox.notes import live_a_day, write_vault
from tests.e2e.conftest import lead_here
from tests.workloads.test_vault import history_of, notes_of
from workloads.context import VAULT, Options
from workloads.receipts import run as receipts
from workloads.vault import drill, snapshot
from workloads.vault.restoring import RestoreOptions, run_list, run_restore

if TYPE_CHECKING:
    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e


@pytest.fixture(name="variables")
def _variables(
    checkout: "Checkout", stack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Mapping[str, str | None]]:
    """What `keys deliver` gives for the vault; this process has it, as after sourcing it. The bucket is emptied."""
    file = tmp_path / "vault.env"
    words = ["keys", "deliver", "--stack", stack, "--identity", "vault-backup", "--to", "dotenv", "--file", str(file)]
    done = checkout.run([sys.executable, "-m", "cli", *words], stack)
    assert done.status == 0, done.output
    variables = dotenv_values(file, interpolate=False)
    lead_here(checkout, stack, monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value or "")
    yield variables
    client, bucket = checkout.client(stack), variables["S3_BUCKET_VAULT_BACKUPS"]
    for one in client.list_object_versions(Bucket=bucket).get("Versions", []):
        client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"], BypassGovernanceRetention=True)


def test_vault_comes_back(stack: str, variables: Mapping[str, str | None], tmp_path: Path) -> None:
    """Snapshots of two days, list, drill and restore: each day byte for byte, with its history; on AWS encrypted."""
    assert set(json.loads(variables["S3_BUCKETS"] or "")) == {"vault-backups"}
    vault = tmp_path / "Vault"
    write_vault(vault, notes=12, seed=3, now=time.time())
    content: dict[str, object] = {
        "machine": "box",
        "state": str(tmp_path / "state"),
        "receipts": str(tmp_path / "receipts"),
        "vault": {"path": str(vault)},
    }
    keys: tuple[Path, ...] = ()
    if stack == "aws":
        key = pyrage.x25519.Identity.generate()
        keys = (tmp_path / "identity.txt",)
        keys[0].touch(0o600)
        keys[0].write_text(str(key))
        content["encryption"] = {"recipients": [str(key.to_public())]}
    config = tmp_path / "workloads.yaml"
    config.write_text(yaml.safe_dump(content))
    new = tmp_path / "new.yaml"
    new.write_text(yaml.safe_dump({"machine": "new", "state": str(tmp_path / "other")}))

    assert snapshot.run(snapshot.SnapshotOptions(config=config, quiet=True)) == ExitCode.DONE
    first, before, at = notes_of(vault), history_of(vault), time.time()
    live_a_day(vault, 3, time.time() - 100)
    time.sleep(1.1)  # `--at` has whole seconds
    assert snapshot.run(snapshot.SnapshotOptions(config=config, quiet=True)) == ExitCode.DONE
    assert drill.run(drill.DrillOptions(config=config, quiet=True, identities=keys)) == ExitCode.DONE

    assert run_list(Options(config=config, quiet=True)) == ExitCode.DONE
    assert receipts(Options(config=config, quiet=True), VAULT, 30) == ExitCode.DONE
    for name, when, truth, history in (
        ("last", "", notes_of(vault), history_of(vault)),
        ("first", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at + 1)), first, before),
    ):
        to = tmp_path / name
        options = RestoreOptions(config=new, quiet=True, to=to, at=when, machine="box", identities=keys)
        assert run_restore(options) == ExitCode.DONE
        assert notes_of(to) == truth
        assert history_of(to) == history
