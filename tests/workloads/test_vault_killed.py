"""A snapshot or a drill that is killed at any point is completed by the same command, and leaves nothing half."""

import os
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.notes import live_a_day, write_vault
from tests.sizes import sized
from tests.workloads.test_vault import history_of, notes_of, snapshots
from trials.killed_archive import VAULT_POINTS, calls_of, run_calls, run_until
from workloads.vault.restoring import RestoreOptions, run_restore

PACK_BYTES = 30_000
SNAPSHOT, DRILL = "vault snapshot", "vault drill"
World = Any


@pytest.fixture(name="vault")
def _vault(notes: World) -> Path:
    """A vault of three packs."""
    root: Path = notes.home / "Vault"
    write_vault(root, notes=6, seed=1, now=time.time(), odd=False)
    chance = random.Random(1)  # noqa: S311 - not for secrets
    for name in "abcde":
        (root / f"{name}.bin").write_bytes(chance.randbytes(20_000))
        os.utime(root / f"{name}.bin", (time.time() - 86400,) * 2)
    return root


def restored(world: World) -> dict[bytes, Any] | None:
    """What a restore gives; None if there is no snapshot."""
    to = world.folder / f"back-{time.time_ns()}"
    status = run_restore(RestoreOptions(config=world.write(), quiet=True, to=to))
    return notes_of(to) if status == 0 else None


def left_behind(world: World) -> set[str]:
    """Unfinished packs and restored folders."""
    state = world.folder / "state/vault"
    return {path.name for path in state.rglob("*") if path.parent.name == "work" or "drill" in path.name}


@pytest.mark.parametrize(("point", "times"), VAULT_POINTS)
def test_killed_at_a_point(notes: World, vault: Path, point: str, times: int) -> None:
    """Before the commit nothing is restored, after it everything; the next one is exact, without what went since."""
    truth = notes_of(vault)
    assert run_until(notes.write(), point, times, PACK_BYTES, SNAPSHOT) == -9
    committed = bool(notes.keys(".commit.json"))
    assert restored(notes) == (truth if committed else None)
    (vault / "a.bin").unlink()
    shutil.rmtree(vault / ".obsidian")

    assert run_until(notes.write(), "", 0, PACK_BYTES, SNAPSHOT) == 0

    assert restored(notes) == notes_of(vault)
    assert len(notes.keys(".commit.json")) == 1 + committed
    assert left_behind(notes) == set()


@pytest.mark.parametrize("command", [SNAPSHOT, DRILL])
def test_killed_at_any_time(notes: World, vault: Path, command: str) -> None:
    """Likewise at any of its calls; the drill as well leaves no folder behind that the next one does not remove."""
    for box in (notes,):
        assert run_until(box.write(), "", 0, PACK_BYTES, SNAPSHOT) == 0
    made = calls_of(notes.write(), PACK_BYTES, command)
    chance = random.Random(command)  # noqa: S311 - not for secrets
    for number in range(sized(5, 30)):
        box = replace(notes, folder=notes.folder.with_name(f"box{number}"), name=f"box-{number}")
        box.more = {**notes.more}
        if command == DRILL:
            assert run_until(box.write(), "", 0, PACK_BYTES, SNAPSHOT) == 0
        calls = chance.randrange(1, made * 8 // 10)
        assert run_calls(box.write(), calls, PACK_BYTES, command) == -9

        assert run_until(box.write(), "", 0, PACK_BYTES, command) == 0, calls

        assert restored(box) == notes_of(vault), calls
        assert left_behind(box) == set()
        if command == DRILL:
            assert box.receipts()[-1]["restore_proven_at"], calls


def test_packs_of_a_killed_snapshot_are_kept(notes: World, vault: Path) -> None:
    """What was read back before the kill is not stored again, and what changed since is as it is now."""
    run_until(notes.write(), "all packs stored", 1, PACK_BYTES, SNAPSHOT)
    packs = notes.keys(".tar.zst")
    live_a_day(vault, 1, time.time() - 100)

    assert run_until(notes.write(), "", 0, PACK_BYTES, SNAPSHOT) == 0

    assert len(packs) == 3
    assert set(packs) < set(notes.keys(".tar.zst"))
    assert snapshots(notes)[0].commit.counts.content_bytes < 20_000
    assert restored(notes) == notes_of(vault)


def test_history_of_a_killed_snapshot_is_kept(notes: World, vault: Path) -> None:
    """The bundle of a killed run is found again under its name."""
    run_until(notes.write(), "before the walk", 1, PACK_BYTES, SNAPSHOT)
    assert run_until(notes.write(), "", 0, PACK_BYTES, SNAPSHOT) == 0

    assert len(notes.keys(".git.bundle")) == 1
    to = notes.folder / "back"
    assert run_restore(RestoreOptions(config=notes.write(), quiet=True, to=to)) == 0
    assert history_of(to) == history_of(vault)
