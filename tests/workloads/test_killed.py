"""A run that is killed at any point is completed by the same command, and leaves nothing that looks whole."""

import os
import random
import time
from dataclasses import replace
from typing import Any

import pytest

from sandbox.transcripts import truth_of
from tests.sizes import sized
from trials.killed_archive import POINTS, calls_of, run_calls, run_until
from workloads.sessions import archive
from workloads.sessions.restoring import RestoreOptions, run_restore

PACK_BYTES = 30_000


def _fill(world: Any, seed: int = 1) -> dict[bytes, Any]:  # noqa: ANN401 - the fixture's own class
    """Five files of 20 kB that do not shrink: three packs."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    for name in "abcde":
        path = world.home / "s" / f"{name}.jsonl"
        path.write_bytes(chance.randbytes(20_000).hex().encode() + b"\n")
        os.utime(path, (time.time() - 86400 * 3,) * 2)
    return truth_of(world.home / "s")


def _restored(world: Any) -> dict[bytes, Any] | None:  # noqa: ANN401 - the fixture's own class
    """What a restore gives; None if it finds nothing."""
    to = world.folder / f"back-{time.time_ns()}"
    status = run_restore(RestoreOptions(config=world.write(), quiet=True, to=to))
    return truth_of(to / "s") if status == 0 else None


def _left_behind(world: Any) -> set[str]:  # noqa: ANN401 - the fixture's own class
    """The unfinished packs."""
    return {path.name for path in (world.folder / "state/sessions").rglob("*") if path.parent.name == "work"}


def _completed(world: Any, truth: dict[bytes, Any]) -> None:  # noqa: ANN401 - the fixture's own class
    found = _restored(world)
    committed = bool(world.keys(".commit.json"))
    assert found == (truth if committed else None)

    assert run_until(world.write(), "", 0, PACK_BYTES) == 0

    assert _restored(world) == truth
    assert len(world.keys(".commit.json")) == 1
    assert _left_behind(world) == set()
    assert truth_of(world.home / "s") == truth


@pytest.mark.parametrize(("point", "times"), POINTS)
def test_killed_at_a_point(world: Any, point: str, times: int) -> None:  # noqa: ANN401 - the fixture's own class
    """Before the commit nothing is restored, after it everything; the second run completes it with one commit."""
    truth = _fill(world)

    assert run_until(world.write(), point, times, PACK_BYTES) == -9

    _completed(world, truth)


def test_folder_became_a_file_before_the_run_went_on(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """The commit has both the file and what was in the folder; the file, which came later, is restored."""
    truth = _fill(world)
    below = world.home / "s/folder/x.jsonl"
    below.parent.mkdir()
    below.write_text('{"x": 1}\n')
    assert run_until(world.write(), "all packs stored", 1, PACK_BYTES) == -9
    below.unlink()
    below.parent.rmdir()
    below.parent.write_text("a file now\n")

    assert world.archive() == 0

    assert set(_restored(world) or ()) == {*truth, b"folder"}


@pytest.mark.parametrize("part", range(2))
def test_killed_at_any_time(world: Any, monkeypatch: pytest.MonkeyPatch, part: int) -> None:  # noqa: ANN401 - the fixture's own class
    """Likewise at any of its calls, each time on a machine of its own; all the times that the run is killed."""
    monkeypatch.setattr(archive, "PACK_BYTES", PACK_BYTES)
    truth = _fill(world)
    made = calls_of(world.write(), PACK_BYTES)
    chance = random.Random(part)  # noqa: S311 - not for secrets
    for number in range(sized(5, 100)):
        box = replace(world, folder=world.folder.with_name(f"box{part}{number}"), name=f"box{part}-{number}")
        config = box.write()
        calls = chance.randrange(1, made * 9 // 10)
        assert run_calls(config, calls, PACK_BYTES) == -9
        committed = any(f"/{box.name}/" in key for key in world.keys(".commit.json"))
        assert _restored(box) == (truth if committed else None), calls

        assert box.archive() == 0, calls

        assert _restored(box) == truth, calls
        assert len([key for key in world.keys(".commit.json") if f"/{box.name}/" in key]) == 1, calls
        assert _left_behind(box) == set()


def test_packs_of_a_killed_run_are_kept(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """What was read back before the kill is not stored again."""
    _fill(world)
    run_until(world.write(), "all packs stored", 1, PACK_BYTES)
    packs = world.keys(".tar.zst")

    assert run_until(world.write(), "", 0, PACK_BYTES) == 0

    assert world.keys(".tar.zst") == packs
    assert len(packs) == 3


def test_file_that_grew_after_the_kill(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """The completed run holds the new end too, in one commit."""
    _fill(world)
    run_until(world.write(), "manifest stored", 1, PACK_BYTES)
    path = world.home / "s/a.jsonl"
    with path.open("ab") as file:
        file.write(b"{}\n")
    os.utime(path, (time.time() - 86400,) * 2)

    assert run_until(world.write(), "", 0, PACK_BYTES) == 0

    assert _restored(world) == truth_of(world.home / "s")
    assert len(world.keys(".commit.json")) == 1
