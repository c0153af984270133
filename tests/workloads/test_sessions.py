"""Sessions reach the store whole and come back."""

import json
import os
import random
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.transcripts import grow, lines, truth_of, write_tree
from tests.sizes import sized
from workloads.context import Options
from workloads.sessions.coverage import run as coverage
from workloads.sessions.restoring import RestoreOptions, run_cat, run_restore

KINDS = {
    "pi-agent-sessions": ".pi/agent/sessions",
    "claude-projects": ".claude/projects",
    "codex-sessions": ".codex/sessions",
    "joelclaw-gateway-sessions": ".joelclaw/sessions/gateway",
}


def restored(world: Any, *names: str, **more: Any) -> Path:  # noqa: ANN401 - the fixture's own class
    """The folder of a restore that succeeded."""
    folder: Path = world.folder / f"restored-{time.time_ns()}"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, names=names, to=folder, **more)) == 0
    return folder


@pytest.mark.parametrize("seed", range(sized(1, 30)))
def test_tree_comes_back(world: Any, seed: int) -> None:  # noqa: ANN401 - the fixture's own class
    """Bytes, modes, times, links and empty folders are those of the four sources; a second run sends nothing."""
    write_tree(world.home, files=sized(24, 200), seed=seed, now=time.time(), median_bytes=sized(4000, 100_000))
    world.sources = {name: str(world.home / path) for name, path in KINDS.items()}

    assert world.archive() == 0
    stored = world.keys()
    assert world.archive() == 0

    assert world.keys() == stored
    assert len([key for key in stored if key.endswith(".commit.json")]) == len(KINDS)
    folder = restored(world)
    for name, path in KINDS.items():
        found, wanted = truth_of(folder / name), truth_of(world.home / path)
        twins = [one for one in wanted if wanted[one].inode]
        assert {k: (v.kind, v.mode, v.mtime_ns, v.content) for k, v in found.items()} == {
            k: (v.kind, v.mode, v.mtime_ns, v.content) for k, v in wanted.items()
        }
        assert len({found[one].inode for one in twins}) == (1 if twins else 0)
    assert coverage(Options(config=world.write(), quiet=True)) == 0


def test_pack_is_a_tar_for_stock_tools(world: Any, tmp_path: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """`zstd -dc PACK | tar x` unpacks a pack."""
    write_tree(world.home, files=4, seed=1, now=time.time(), median_bytes=2000)
    world.sources = {"claude-projects": str(world.home / ".claude/projects")}
    world.archive()
    (key,) = world.keys(".tar.zst")
    pack = tmp_path / "pack"
    pack.write_bytes(world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read())
    out = tmp_path / "out"
    out.mkdir()

    subprocess.run(f"zstd -dc {pack} | tar x -C {out}", shell=True, check=True)  # noqa: S602 - as the docs have it

    found, wanted = truth_of(out / "claude-projects"), truth_of(world.home / ".claude/projects")
    assert {k: (v.kind, v.content) for k, v in found.items()} == {k: (v.kind, v.content) for k, v in wanted.items()}


def test_only_the_new_end_is_stored(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """Of a file that grew only the new end goes up; the whole comes back."""
    chance = random.Random(1)  # noqa: S311 - not for secrets
    path = world.home / "s/a.jsonl"
    path.write_bytes(lines(chance, "pi", "a", 300_000))
    os.utime(path, (time.time() - 86400 * 3,) * 2)
    assert world.archive() == 0
    grow(path, chance, 2000, time.time() - 86400)

    assert world.archive() == 0

    (source,) = world.receipts()[-1]["sources"]
    assert (source["counts"]["tails"], source["counts"]["whole"]) == (1, 0)
    assert source["counts"]["content_bytes"] < 10_000
    assert (restored(world) / "s/a.jsonl").read_bytes() == path.read_bytes()


def test_rewritten_and_hollowed_file(world: Any, capfdbinary: pytest.CaptureFixture[bytes]) -> None:  # noqa: ANN401 - the fixture's own class
    """Both states are kept and can be asked for; the receipt names the one that shrank by more than half."""
    path = world.home / "s/0f3a.jsonl"
    full = lines(random.Random(2), "claude", "0f3a", 50_000)  # noqa: S311 - not for secrets
    path.write_bytes(full)
    os.utime(path, (time.time() - 86400 * 3,) * 2)
    world.archive()
    between = datetime.now(UTC).isoformat()
    path.write_bytes(b'{"content":""}\n')
    os.utime(path, (time.time() - 86400,) * 2)

    assert world.archive() == 0

    (source,) = world.receipts()[-1]["sources"]
    assert source["hollow"] == ["0f3a.jsonl"]
    config = world.write()
    assert run_cat(RestoreOptions(config=config, names=("0f3a",), quiet=True)) == 0
    assert capfdbinary.readouterr().out == b'{"content":""}\n'
    assert run_cat(RestoreOptions(config=config, names=("0f3a",), at=between, quiet=True)) == 0
    assert capfdbinary.readouterr().out == full


def test_open_file_ends_at_its_last_whole_line(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """A line that is being written waits for the next run, and then the whole is there."""
    path = world.home / "s/live.jsonl"
    path.write_bytes(b'{"a":1}\n{"b":')
    assert world.archive() == 0
    assert (restored(world) / "s/live.jsonl").read_bytes() == b'{"a":1}\n'
    with path.open("ab") as file:
        file.write(b"2}\n")

    assert world.archive() == 0

    assert (restored(world) / "s/live.jsonl").read_bytes() == b'{"a":1}\n{"b":2}\n'


def test_new_machine_goes_on_from_the_store(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """A state folder that is lost or damaged costs no upload: what is archived comes from the store's commits."""
    path = world.home / "s/a.jsonl"
    path.write_bytes(b"{}\n" * 1000)
    os.utime(path, (time.time() - 86400 * 3,) * 2)
    world.archive()
    stored = world.keys()
    (base,) = (world.folder / "state/sessions").rglob("state.sqlite")
    base.write_bytes(b"not a database" * 100)

    assert world.archive() == 0

    assert world.keys() == stored
    with path.open("ab") as file:
        file.write(b"new\n")
    assert world.archive() == 0
    assert world.receipts()[-1]["sources"][0]["counts"]["tails"] == 1


def test_two_machines_with_the_same_path(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """Each has its own archive in one bucket."""
    (world.home / "s/a.jsonl").write_bytes(b"one\n")
    world.archive()
    other = type(world)(world.home, world.folder.with_name("box2"), world.bucket, world.client, world.endpoint, "box2")
    other.sources = world.sources
    (world.home / "s/a.jsonl").write_bytes(b"two two\n")
    other.archive()

    assert (restored(world) / "s/a.jsonl").read_bytes() == b"one\n"
    assert (restored(world, machine="box2") / "s/a.jsonl").read_bytes() == b"two two\n"


def test_summary_and_json(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """`coverage` names what is in no commit, oldest first, and fails from 20 days on."""
    world.archive("s")
    for days in (25, 3):
        path = world.home / f"s/{days}.jsonl"
        path.write_bytes(b"{}\n")
        os.utime(path, (time.time() - 86400 * days,) * 2)
    capsys.readouterr()

    assert coverage(Options(config=world.write(), quiet=True, as_json=True)) == 1

    report = json.loads(capsys.readouterr().out)
    assert [one["path"] for one in report["uncovered"]] == ["25.jsonl", "3.jsonl"]
    assert any("20 days" in text for text in report["wrong"])
