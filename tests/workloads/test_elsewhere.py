"""Content that is not here: a file that the system keeps in its cloud, and a pack in an archive class."""

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.exit_codes import ExitCode
from sandbox.transcripts import truth_of
from tests.workloads.conftest import old
from trials.faults import Hook, On, Request, Response
from trials.faulty_proxy import FaultyProxy
from workloads.archive import proof
from workloads.context import Options
from workloads.sessions import coverage, prune
from workloads.sessions.prune import PruneOptions
from workloads.sessions.restoring import RestoreOptions, run_cat, run_restore

NOT_HERE = "its content is in the cloud, not on this machine"


def restored(world: Any) -> dict[bytes, Any]:  # noqa: ANN401 - the fixture's own class
    """What a restore gives."""
    to = world.folder / f"back-{time.time_ns()}"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == ExitCode.DONE
    return truth_of(to / "s")


@pytest.mark.parametrize("form", ["without blocks", "placeholder"])
def test_file_in_the_cloud(world: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, form: str) -> None:  # noqa: ANN401 - fixtures
    """It is named and not read; it does not count as lost, and what was archived of it comes back."""
    names = [f"{number}.md" for number in range(20)]
    for name in names:
        old(_written(world.home / "s" / name, name.encode() * 50))
    assert world.archive() == ExitCode.DONE
    truth = truth_of(world.home / "s")
    gone = names[:15]
    if form == "placeholder":
        for name in gone:
            (world.home / "s" / name).unlink()
            _written(world.home / f"s/.{name}.icloud", b"bplist00" + bytes(190))
    else:
        whole = os.lstat

        def flagged(path: Any) -> Any:  # noqa: ANN401 - what it takes and gives
            status = whole(path)
            if os.fsdecode(path).rpartition("/")[2] not in gone:
                return status
            kept = {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
            return SimpleNamespace(**{**kept, "st_flags": 0x40000000, "st_blocks": 0})

        monkeypatch.setattr("workloads.archive.source.os.lstat", flagged)
        monkeypatch.setattr("workloads.archive.reading.os.open", _fails_on(gone))

    assert world.archive() == ExitCode.WRONG

    problems = world.receipts()[-1]["sources"][0]["problems"]
    assert sorted(problems) == sorted(f"{name}: {NOT_HERE}" for name in gone)
    capsys.readouterr()
    assert coverage.run(Options(config=world.write(), quiet=True)) == ExitCode.WRONG
    assert f"s: {gone[0]}: {NOT_HERE}" in capsys.readouterr().out
    monkeypatch.undo()
    assert restored(world) == truth


def test_pack_in_an_archive_class(world: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:  # noqa: ANN401 - fixtures
    """HEAD works and GET is 403: each command names the class and the line, none the rights, and nothing is removed."""
    path = old(_written(world.home / "s/a.jsonl", b"{}\n"), 8)
    assert world.archive() == ExitCode.DONE
    upstream = world.endpoint
    body = (
        b"<Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the object.</Message></Error>"
    )

    def cold(request: Request) -> Response:
        del request
        return Response(403, (("Content-Type", "application/xml"),), body)

    with FaultyProxy(upstream, None, Hook(when=On(method="GET", path="tar.zst"), answering=cold), plain=True) as proxy:
        world.endpoint = proxy.endpoint_plain
        config = world.write(prune={"after_days": 7, "sources": ["s"]})
        capsys.readouterr()
        for command in (run_restore, run_cat):
            options = RestoreOptions(config=config, quiet=True, names=["a"], to=world.folder / "back")
            assert command(options) == ExitCode.CANNOT
            said = capsys.readouterr().err
            assert "is in an archive class" in said
            assert "aws s3api restore-object --bucket" in said
        assert not (world.folder / "back").exists()
        assert prune.run(PruneOptions(config=config, quiet=True)) == ExitCode.WRONG
        assert "is in an archive class" in world.receipts()[-1]["kept"][0]
        assert path.exists()
        monkeypatch.setattr(proof, "_DAY", -86400)
        assert world.archive() == ExitCode.WRONG
        assert "is in an archive class" in str(world.receipts()[-1]["proven"])
    world.endpoint = upstream
    assert world.archive() == ExitCode.DONE
    assert world.receipts()[-1]["sources"][0]["counts"]["renewed"] == 1


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _fails_on(names: list[str]) -> Any:  # noqa: ANN401 - a function
    whole = os.open

    def opened(path: Any, *rest: Any, **named: Any) -> int:  # noqa: ANN401 - what it takes
        assert os.fsdecode(path).rpartition("/")[2] not in names, "reading it fetches it"
        return whole(path, *rest, **named)

    return opened
