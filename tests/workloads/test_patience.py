"""A disk that no longer answers: the file is named, the run ends, and nothing waits for a call that never returns."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from model.exit_codes import ExitCode
from sandbox.transcripts import truth_of
from tests.workloads.conftest import old
from workloads.archive import patience, reading
from workloads.context import Options
from workloads.sessions import coverage, prune
from workloads.sessions.prune import PruneOptions
from workloads.sessions.restoring import RestoreOptions, run_restore

SILENT = "its disk or mount does not answer"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is told after a moment."""
    monkeypatch.setattr(patience, "STALL_SECONDS", 0.4)
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.05)


@pytest.fixture(name="answered")
def _answered() -> Iterator[threading.Event]:
    """Set at the end, so that what hangs goes on."""
    event = threading.Event()
    yield event
    event.set()


def hang(monkeypatch: pytest.MonkeyPatch, paths: Iterable[Path], answered: threading.Event) -> None:
    """Let the reading of some files hang."""
    whole, inodes = reading.fill, {path.stat().st_ino for path in paths}

    def fill(file: io.FileIO, buffer: memoryview, at: int) -> int:
        if os.fstat(file.fileno()).st_ino in inodes:
            answered.wait(60)
        return whole(file, buffer, at)

    monkeypatch.setattr(reading, "fill", fill)


def write(world: Any, count: int) -> None:  # noqa: ANN401 - the fixture's own class
    """Files that were last written some days ago."""
    for number in range(count):
        path = world.home / f"s/{number:02}.jsonl"
        path.write_bytes(b'{"n":%d}\n' % number * 100)
        old(path)


def problems(world: Any) -> list[str]:  # noqa: ANN401 - the fixture's own class
    """What the last receipt says is wrong with the one source."""
    (source,) = world.receipts()[-1]["sources"]
    found: list[str] = source["problems"]
    return found


def test_file_that_hangs_is_named(world: Any, monkeypatch: pytest.MonkeyPatch, answered: threading.Event) -> None:  # noqa: ANN401 - the fixture's own class
    """All else is archived, also what comes after it; the next run takes the file."""
    write(world, 12)
    with monkeypatch.context() as patched:
        hang(patched, [world.home / "s/03.jsonl", world.home / "s/07.jsonl"], answered)

        assert world.archive() == ExitCode.WRONG

    assert [text.partition(":")[0] for text in problems(world)] == ["03.jsonl", "07.jsonl"]
    assert all(SILENT in text for text in problems(world))
    assert world.receipts()[-1]["sources"][0]["counts"]["whole"] == 10
    assert world.archive() == ExitCode.DONE
    to = world.folder / "back"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == ExitCode.DONE
    assert truth_of(to / "s") == truth_of(world.home / "s")


def test_mount_that_hangs_is_left(world: Any, monkeypatch: pytest.MonkeyPatch, answered: threading.Event) -> None:  # noqa: ANN401 - the fixture's own class
    """After three files that hang the rest is left: it is said, what was read counts, and nothing counts as lost."""
    write(world, 30)
    assert world.archive() == ExitCode.DONE
    for path in (world.home / "s").iterdir():
        path.write_bytes(b"{}\n" * 50)
        old(path)
    with monkeypatch.context() as patched:
        hang(patched, sorted((world.home / "s").iterdir())[2:], answered)
        before = time.monotonic()

        assert world.archive() == ExitCode.WRONG

    assert time.monotonic() - before < 20
    found = problems(world)
    assert any("3 files gave nothing, so what comes after" in text for text in found)
    assert not any("are gone" in text for text in found)
    assert world.receipts()[-1]["sources"][0]["commit"]
    assert world.archive() == ExitCode.DONE


@pytest.mark.parametrize("call", ["scandir", "lstat", "stat"])
def test_folder_that_hangs(
    world: Any,  # noqa: ANN401 - the fixture's own class
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answered: threading.Event,
    call: str,
) -> None:
    """Archive, coverage and prune end, and name the place; nothing is removed."""
    write(world, 3)
    (world.home / "s/zz").mkdir()
    assert world.archive() == ExitCode.DONE
    at = os.fsencode(world.home / "s") if call == "stat" else os.fsencode(world.home / "s/zz")
    source = "pathlib.os.stat" if call == "stat" else f"workloads.archive.source.os.{call}"
    whole = getattr(os, call)

    def hanging(path: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - what it takes and gives
        if not isinstance(path, int) and os.fsencode(path) == at and threading.current_thread().name[:7] == "archive":
            answered.wait(60)
        return whole(path, *rest, **named)

    with monkeypatch.context() as patched:
        patched.setattr(source, hanging)
        assert world.archive() == ExitCode.WRONG
        assert any(SILENT in text for text in problems(world))
        assert coverage.run(Options(config=world.write(), quiet=True)) == ExitCode.WRONG
        assert SILENT in capsys.readouterr().out
        rule = {"after_days": 7, "sources": ["s"]}
        assert prune.run(PruneOptions(config=world.write(prune=rule), quiet=True)) == ExitCode.CANNOT
        assert SILENT in capsys.readouterr().err
    assert len(list((world.home / "s").iterdir())) == 4


def test_slow_file_is_read(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """A file that takes longer than the limit, and gives something all the time, is archived."""
    path = world.home / "s/slow.bin"
    path.write_bytes(os.urandom(6 * 2**20))
    old(path)
    whole = reading.fill

    def slow(file: io.FileIO, buffer: memoryview, at: int) -> int:
        time.sleep(0.15)
        return whole(file, buffer, at)

    monkeypatch.setattr(reading, "fill", slow)
    assert world.archive() == ExitCode.DONE


@pytest.mark.parametrize("number", [None, signal.SIGINT])
def test_process_ends(world: Any, number: signal.Signals | None) -> None:  # noqa: ANN401 - the fixture's own class
    """The process does not wait for a call that never returns: at its end, and if it is stopped while it waits."""
    write(world, 6)
    limit = 0.4 if number is None else 100
    program = (
        "import os, sys, time\nfrom cli.main import main\nfrom workloads.archive import patience, reading\n"
        f"patience.STALL_SECONDS = {limit}\npatience.LOOK_SECONDS = 0.05\nwhole = reading.fill\n"
        "def fill(file, buffer, at):\n"
        f"    if os.fstat(file.fileno()).st_ino == {(world.home / 's/03.jsonl').stat().st_ino}:\n"
        "        print('hangs', flush=True)\n        time.sleep(1000)\n    return whole(file, buffer, at)\n"
        "reading.fill = fill\n"
        f"sys.exit(main(['sessions', 'archive', '--quiet', '--config', {str(world.write())!r}]))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as run:  # noqa: S603 - our own text
        assert run.stdout is not None
        assert run.stdout.readline() == b"hangs\n"
        if number is not None:
            time.sleep(1)
            run.send_signal(number)
        status = run.wait(timeout=30)

    assert status == (ExitCode.WRONG if number is None else 128 + signal.SIGINT)
    assert world.receipts()[-1]["status"] == ("incomplete" if number is None else "stopped")
    assert world.archive() == ExitCode.DONE


def test_what_is_raised_by_the_thread_comes_out() -> None:
    """All items come first, then the error; a consumer that stops ends the thread."""

    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("five")

    made = patience.patient(items(), 2)
    assert [next(made) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(made)
    with pytest.raises(ValueError, match="six"):
        patience.called(lambda: int("six"))
    some = patience.patient(iter(range(10**9)), 2)
    assert next(some) == 0
    some.close()
    time.sleep(0.3)
    assert not [one for one in threading.enumerate() if one.name == "archive-walk"]


def test_what_has_limits_of_its_own() -> None:
    """While a call waits for a store, its silence is not that of a disk; in a part of that which is a disk's, it is."""
    pulse, over = patience.Pulse(), threading.Event()

    def call(*, of_disk: bool) -> int:
        with pulse.elsewhere(), pulse.elsewhere(is_so=not of_disk):
            return over.wait(60 if of_disk else 1)

    threads = patience.Threads(1, "test")
    assert not patience.waited(threads.submit(partial(call, of_disk=False)), pulse)
    with pytest.raises(patience.StalledError):
        patience.waited(threads.submit(partial(call, of_disk=True)), pulse)
    over.set()
    threads.close()
