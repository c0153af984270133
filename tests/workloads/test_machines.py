"""A machine is known by its name alone: what happens if that, its clock or its memory changes."""

import os
import shutil
import socket
import time
from datetime import timedelta
from typing import Any

import pytest

from model.exit_codes import ExitCode
from sandbox.transcripts import truth_of
from tests.workloads.conftest import World, old
from workloads.archive import clock
from workloads.sessions.restoring import RestoreOptions, run_restore


def restored(world: Any) -> dict[bytes, Any]:  # noqa: ANN401 - the fixture's own class
    """What a restore gives."""
    to = world.folder / f"back-{time.time_ns()}"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == ExitCode.DONE
    return truth_of(to / "s")


def write(world: Any, text: bytes, days: float) -> None:  # noqa: ANN401 - the fixture's own class
    """One transcript, last written some days ago."""
    path = world.home / "s/a.jsonl"
    path.write_bytes(text)
    old(path, days)


def test_name_of_the_host_changes(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """With its network: the archive is one, and nothing is sent again."""
    world.name = None
    write(world, b"{}\n", 3)
    for number, host in enumerate(("mac", "mac.fritz.box", "mac-2.local")):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        assert world.archive() == ExitCode.DONE
        assert world.receipts()[-1]["machine"] == "mac"
        assert bool(world.receipts()[-1]["sources"][0]["commit"]) == (number == 0)


def test_two_machines_with_one_name(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """Two new ones with the factory's name: the first one's next run names the other, and loses nothing."""
    monkeypatch.setattr(socket, "gethostname", lambda: "MacBook-Pro.local")
    world.name = None
    write(world, b'{"of":1}\n', 3)
    twin = World(world.home, world.folder.with_name("twin"), world.bucket, world.client, world.endpoint, None)  # type: ignore[arg-type] # no name
    other = world.home / "other"
    other.mkdir()
    (other / "b.jsonl").write_bytes(b'{"of":2}\n')
    twin.sources = {"s": str(other)}
    assert world.archive() == ExitCode.DONE
    twin.archive()

    assert world.archive() == ExitCode.WRONG

    assert "another installation" in world.receipts()[-1]["sources"][0]["problems"][0]
    assert set(restored(world)) == {b"a.jsonl", b"b.jsonl"}


def test_clock_was_set_back(world: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:  # noqa: ANN401 - fixtures
    """The state that was committed last is restored, although its time and its key are earlier; the run is named."""
    write(world, b'{"n":1}\n' * 9, 3)
    assert world.archive() == ExitCode.DONE
    write(world, b'{"n":2}\n' * 9, 2)
    real = clock.now_utc
    monkeypatch.setattr(clock, "now_utc", lambda: real() - timedelta(hours=2))
    assert world.archive() == ExitCode.DONE
    monkeypatch.undo()
    keys = world.keys(".commit.json")
    assert len(keys) == 2

    for state_is_lost in (False, True):
        if state_is_lost:
            shutil.rmtree(world.folder / "state")
        assert restored(world)[b"a.jsonl"].content == b'{"n":2}\n' * 9
        run = min(keys).rpartition("/")[2].partition(".")[0]
        assert f"the clock was set back before the run {run}" in capsys.readouterr().err


@pytest.mark.parametrize("memory", ["none", "of a month ago"])
def test_machine_was_set_up_again(world: Any, memory: str) -> None:  # noqa: ANN401 - the fixture's own class
    """After a restore of the machine the store's commits count: the new lines are stored, and only they."""
    state, kept = world.folder / "state", world.folder.with_name("kept")
    write(world, b'{"n":1}\n' * 500, 30)
    world.archive()
    shutil.copytree(state, kept)
    for number in (2, 3):
        write(world, b'{"n":1}\n' * 500 + b'{"n":2}\n' * 500 * (number - 1), 30 - number)
        world.archive()
    shutil.rmtree(state)
    if memory != "none":
        shutil.move(kept, state)
    with (world.home / "s/a.jsonl").open("ab") as file:
        file.write(b'{"n":4}\n')
    os.utime(world.home / "s/a.jsonl", (time.time() - 86400,) * 2)

    assert world.archive() == ExitCode.DONE

    counts = world.receipts()[-1]["sources"][0]["counts"]
    assert (counts["tails"], counts["whole"], counts["content_bytes"]) == (1, 0, 8)
    assert restored(world) == truth_of(world.home / "s")
