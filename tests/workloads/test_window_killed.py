"""What is killed while it writes to the NAS leaves nothing there that looks whole; the same command completes it."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from model.exit_codes import ExitCode
from tests.sizes import sized
from tests.workloads.conftest import old
from trials.killed_archive import WINDOW_POINTS, calls_of, run_calls, run_until
from workloads.window.nas import MARKER

PACK_BYTES = 1_000_000
RECONCILE = "window reconcile"


@pytest.fixture(name="nas")
def _nas(world: Any, tmp_path: Path) -> Path:  # noqa: ANN401 - the fixture's own class
    """The NAS of a machine with one transcript."""
    folder = tmp_path / "nas"
    folder.mkdir()
    (folder / MARKER).touch()
    world.more["window"] = {"sessions": {"nas": str(folder), "since": "2026-11-01", "reason": "both"}}
    path = world.home / "s/a.jsonl"
    path.write_text("{}\n" * 100)
    old(path)
    return folder


def _files(nas: Path) -> dict[str, bytes]:
    return {str(one.relative_to(nas)): one.read_bytes() for one in (nas / "v1").rglob("*") if one.is_file()}


def _whole(world: Any) -> dict[str, bytes]:  # noqa: ANN401 - the fixture's own class
    """What the store holds."""
    return {key: world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read() for key in world.keys("")}


def _named(nas: Path) -> dict[str, bytes]:
    """What has its name on the NAS."""
    return {key: body for key, body in _files(nas).items() if ".object-store-partial-" not in key}


def _check(nas: Path, whole: dict[str, bytes]) -> None:
    """Under its name each file is whole, and a commit is only where everything is."""
    named = _named(nas)
    assert named.items() <= whole.items()
    for key, body in named.items():
        if key.endswith(".commit.json"):
            commit = json.loads(body)
            for one in (*commit["packs"], commit["manifest"]):
                assert hashlib.sha256(named[one["key"]]).hexdigest() == one["sha256"]


@pytest.mark.parametrize(("point", "times"), WINDOW_POINTS)
def test_run_that_is_killed(world: Any, nas: Path, point: str, times: int) -> None:  # noqa: ANN401 - the fixture's own class
    """The store has its commit, and the next run completes the NAS."""
    assert run_until(world.write(), point, times, PACK_BYTES) == -9
    whole = _whole(world)
    _check(nas, whole)

    assert world.archive() == ExitCode.DONE

    assert _files(nas) == whole == _whole(world)


@pytest.mark.parametrize(("point", "times"), [("nas: put aside", 1), *WINDOW_POINTS[:4:2]])
def test_reconcile_that_is_killed(world: Any, nas: Path, point: str, times: int) -> None:  # noqa: ANN401 - the fixture's own class
    """What differed is kept beside, and the same command completes the NAS."""
    assert world.archive() == ExitCode.DONE
    whole = _whole(world)
    pack = next(nas.rglob("*.tar.zst"))
    pack.write_bytes(b"other")
    assert run_until(world.write(), point, times, PACK_BYTES, RECONCILE) == -9
    left = _named(nas)
    if point != "nas: named":
        assert left.pop(str(pack.relative_to(nas)), b"other") == b"other"
    assert left.items() <= whole.items()

    assert run_until(world.write(), "", 0, PACK_BYTES, RECONCILE) == ExitCode.DONE

    assert _files(nas) == whole == _whole(world)
    assert [path.read_bytes() for path in (nas / "aside").rglob("*.tar.zst")] == [b"other"]


def test_killed_at_any_time(world: Any, nas: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """Likewise at any of its calls, when the NAS lacks everything or the store lacks the pack."""
    assert world.archive() == ExitCode.DONE
    whole = _whole(world)
    (pack,) = world.keys(".tar.zst")
    _lose(nas, whole)
    made = calls_of(world.write(), PACK_BYTES, RECONCILE)
    chance = random.Random(1)  # noqa: S311 - not for secrets
    for number in range(sized(4, 60)):
        if number % 2:
            world.client.delete_object(Bucket=world.bucket, Key=pack)
        else:
            _lose(nas, whole)
        calls = chance.randrange(made // 4, made * 9 // 10)
        assert run_calls(world.write(), calls, PACK_BYTES, RECONCILE) == -9
        _check(nas, whole)

        assert run_until(world.write(), "", 0, PACK_BYTES, RECONCILE) == ExitCode.DONE, calls

        assert _files(nas) == whole == _whole(world), calls


def _lose(nas: Path, whole: dict[str, bytes]) -> None:
    for key in whole:
        (nas / key).unlink()
