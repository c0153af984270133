"""An append grant is enough on both clouds: read, list and put, and no delete anywhere."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.notes import write_vault
from sandbox.transcripts import truth_of, write_tree
from tests.workloads.test_vault import history_of, notes_of
from workloads.context import SESSIONS, VAULT, Options
from workloads.receipts import run as receipts
from workloads.sessions.coverage import run as coverage
from workloads.sessions.restoring import RestoreOptions, run_restore
from workloads.vault import drill, snapshot
from workloads.vault.drill import DrillOptions
from workloads.vault.restoring import RestoreOptions as VaultRestoreOptions
from workloads.vault.restoring import run_list
from workloads.vault.restoring import run_restore as run_vault_restore
from workloads.vault.snapshot import SnapshotOptions

if TYPE_CHECKING:
    from trials.stores import Store


def _lead(world: Any, any_store: "Store", tmp_path: Path, domain: str) -> None:  # noqa: ANN401 - the fixture
    """Give the machine an append key of the plan, and nothing else."""
    target = any_store.target
    (grant,) = [
        grant
        for identity in target.deployment.plan.identities
        if identity.name == "worker"
        for grant in identity.grants
        if grant.domain == "replay"
    ]
    config = target.config("worker")
    ca = tmp_path / "ca.pem"
    ca.write_text(config.read_ca() or "")
    world.endpoint, world.bucket = config.endpoint, grant.bucket
    world.name = f"box-{target.deployment.cloud}"
    world.variables = {
        "S3_BUCKETS": json.dumps({domain: grant.bucket}),
        "AWS_ACCESS_KEY_ID": config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": config.secret_access_key,
        "AWS_REGION": config.region,
        "S3_CA_BUNDLE": str(ca),
        "S3_WRITE_ONCE": ",".join(config.write_once),
    }


def test_append_is_enough(world: Any, any_store: "Store", tmp_path: Path) -> None:  # noqa: ANN401 - the fixture
    """Archive, a second run with a file that grew, coverage, receipts and restore, with an append key of the plan."""
    _lead(world, any_store, tmp_path, "session-archive")
    paths = write_tree(world.home, files=8, seed=5, now=time.time(), median_bytes=2000)
    world.sources = {"claude-projects": str(world.home / ".claude/projects")}
    assert world.archive() == 0
    with next(path for path in paths if ".claude" in str(path)).open("ab") as file:
        file.write(b"{}\n")
    assert world.archive() == 0

    options = Options(config=world.write(), quiet=True)
    assert coverage(options) == 0
    assert receipts(options, SESSIONS, 30) == 0
    to = world.folder / "back"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 0
    found, wanted = truth_of(to / "claude-projects"), truth_of(world.home / ".claude/projects")
    assert {k: (v.kind, v.mode, v.content) for k, v in found.items()} == {
        k: (v.kind, v.mode, v.content) for k, v in wanted.items()
    }


def test_append_is_enough_for_the_vault(notes: Any, any_store: "Store", tmp_path: Path) -> None:  # noqa: ANN401 - the fixture
    """Snapshot, a second one, list, restore, drill and receipts likewise."""
    vault = notes.home / "Vault"
    write_vault(vault, notes=6, seed=1, now=time.time())
    _lead(notes, any_store, tmp_path, "vault-backups")
    options = Options(config=notes.write(), quiet=True)
    for _ in range(2):
        assert snapshot.run(SnapshotOptions(config=notes.write(), quiet=True)) == 0
    to = notes.folder / "back"

    assert run_list(options) == 0
    assert run_vault_restore(VaultRestoreOptions(config=notes.write(), quiet=True, to=to)) == 0
    assert drill.run(DrillOptions(config=notes.write(), quiet=True)) == 0
    assert receipts(options, VAULT, 30) == 0

    assert (notes_of(to), history_of(to)) == (notes_of(vault), history_of(vault))
