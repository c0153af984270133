"""The benchmark of the archives runs, on a few files: its figures are no verdict there."""

from pathlib import Path

import pytest

from bench.archives import main
from tests.sizes import IS_LONG
from tests.workloads.conftest import KEY, SECRET


def test_benchmark_runs(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each figure is on its last line, and the exit status says whether a goal is missed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("PATH", str(tmp_path))  # without rclone and s5cmd
    parts = [] if IS_LONG else ["--only", "speed", "--only", "one"]
    sizes = ["--files", "12", "--packs", "2", "--memory", "2", "--rounds", "1", "--folder", str(tmp_path)]

    status = main(["--endpoint", endpoint, *sizes, *parts])

    lines = capsys.readouterr().out.splitlines()
    figures = dict(pair.split("=") for pair in lines[-1].split())
    assert {"first_seconds", "stored", "second_to_first", "one_seconds", "one_seconds_new_machine"} <= figures.keys()
    assert figures["not_measured"] == "2"
    assert status == (figures["missed"] != "0")
