"""What the commands of the archives tell a person at a terminal."""

import os
import socket
import time
from typing import Any

import pytest

from model.exit_codes import ExitCode
from tests.workloads.conftest import old
from workloads import receipts
from workloads.context import SESSIONS, Options
from workloads.machine import machine_of
from workloads.sessions import archive, coverage, prune
from workloads.sessions.archive import ArchiveOptions
from workloads.sessions.prune import PruneOptions
from workloads.sessions.restoring import RestoreOptions, run_restore
from workloads.settings import Workloads


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that breaks no line."""
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture(name="full")
def _full(world: Any) -> Any:  # noqa: ANN401 - the fixture's own class
    """A machine whose source has a file, a larger one that shrank after it was archived, a link and a pipe."""
    first = world.home / "s/a.jsonl"
    first.write_bytes(b'{"n":1}\n' * 100)
    old(first)
    large = world.home / "s/large.json"
    large.write_bytes(os.urandom(20_000))
    old(large)
    assert world.archive() == ExitCode.DONE
    large.write_bytes(b"{}\n")
    (world.home / "s/link").symlink_to("a.jsonl")
    os.mkfifo(world.home / "s/pipe")
    return world


def test_archive(full: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """The table has a line for each source; what shrank, and what was left out, is named."""
    assert archive.run(ArchiveOptions(config=full.write())) == ExitCode.DONE

    said = capsys.readouterr().out
    (line,) = (line for line in said.splitlines() if line.startswith("s "))
    assert line.split() == ["s", "2", "1", "0", "0", "1", "0.0", "MB", "0.0", "MB", "ok"]
    assert "s: large.json shrank by more than half" in said
    assert "s: left out: pipe: " in said
    assert "complete: receipt " in said
    assert "the store keeps it for 365 days" in said


def test_archive_that_lost_its_files(full: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """The line is marked, and the reason has the option to give if the loss is meant."""
    for path in (full.home / "s").iterdir():
        path.unlink()

    assert archive.run(ArchiveOptions(config=full.write())) == ExitCode.WRONG

    said = capsys.readouterr().out
    assert "INCOMPLETE" in said
    assert "s: no file was found; if that is meant: --meant s" in said


def test_coverage(full: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """What is in no commit is a table, oldest first; packs are counted by the days that they have left."""
    old(full.home / "s/large.json", days=21)

    assert coverage.run(Options(config=full.write())) == ExitCode.WRONG

    said = capsys.readouterr().out
    assert "21.0  s       large.json" in said
    assert "2 files, 1 in no commit" in said
    assert "1 files were last written 20 days ago or more" in said
    assert "packs by the days that they have left: 1 with " in said


def test_receipts(full: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Each run has a line, the newest first; a failed one is marked with its first reason."""
    (full.home / "s/a.jsonl").unlink()
    (full.home / "s/large.json").unlink()
    assert full.archive() == ExitCode.WRONG

    assert receipts.run(Options(config=full.write()), work=SESSIONS, days=30) == ExitCode.WRONG

    _, newest, first = (line.split() for line in capsys.readouterr().out.splitlines())
    assert newest[0] == "!"
    assert "incomplete" in newest
    assert "complete" in first


def test_no_receipt(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """A machine that never ran says so."""
    receipts.run(Options(config=world.write()), work=SESSIONS, days=30)

    assert "no receipt" in capsys.readouterr().out


def test_stored_states(full: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Each stored state of a file has a line; the one that is hollow is marked."""
    assert full.archive() == ExitCode.DONE

    assert run_restore(RestoreOptions(config=full.write(), names=["large"], show=True)) == ExitCode.DONE

    lines = [line for line in capsys.readouterr().out.splitlines() if "large.json" in line]
    assert [("20000" in line, "shrank by more than half" in line) for line in lines] == [(False, True), (True, False)]


def test_restore(full: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """The last line counts what came back."""
    to = full.folder / "back"

    assert run_restore(RestoreOptions(config=full.write(), to=to)) == ExitCode.DONE
    assert f"restored 2 files (0.0 MB), 0 folders, 0 links to {to}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--to: is missing\n  legal: an empty folder\n  write: --to FOLDER"),
        ({"show": True, "at": "yesterday"}, "--at: 'yesterday' is not a time"),
        ({"show": True, "machine": "other"}, "--machine: no machine 'other' has an archive\n  legal: box"),
        ({"show": True, "sources": ["t"]}, "--source: unknown source 't'\n  legal: s\n  write: --source s"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:12],
)
def test_wrong_option(full: Any, capsys: pytest.CaptureFixture[str], options: dict[str, Any], said: str) -> None:  # noqa: ANN401 - the fixture's own class
    """The message names the option, what is legal, and what to write."""
    assert run_restore(RestoreOptions(config=full.write(), **options)) == ExitCode.CANNOT
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("dry_run", "verb"), [(True, "would be removed"), (False, "removed")])
def test_prune(world: Any, capsys: pytest.CaptureFixture[str], verb: str, *, dry_run: bool) -> None:  # noqa: ANN401 - the fixture's own class
    """What was removed is counted, and how long the store keeps it."""
    path = world.home / "s/a.jsonl"
    path.write_bytes(b"{}\n")
    old(path, days=8)
    assert world.archive() == ExitCode.DONE
    config = world.write(prune={"after_days": 7, "sources": ["s"]})

    assert prune.run(PruneOptions(config=config, dry_run=dry_run)) == ExitCode.DONE
    assert f"1 files {verb}, 0 kept; the store keeps them for 365 days" in capsys.readouterr().out
    assert path.exists() == dry_run


@pytest.mark.parametrize(
    ("host", "name"), [("Joels-Mac.local", "joels-mac"), ("10.0.0.1", "machine-10"), ("föhn", "f-hn")]
)
def test_name_of_a_machine_stays(world: Any, monkeypatch: pytest.MonkeyPatch, host: str, name: str) -> None:  # noqa: ANN401 - the fixture's own class
    """Without a configured name it is made of the host's at the first use, and then kept."""
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    state = world.folder / "state"

    assert machine_of(Workloads(), state) == name
    monkeypatch.setattr(socket, "gethostname", lambda: f"other-{time.time_ns()}")
    assert machine_of(Workloads(), state) == name
    assert machine_of(Workloads(machine="box"), state) == "box"
