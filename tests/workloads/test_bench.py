"""The benchmarks of archive, vault and events run, on a few of them: their figures are no verdict there."""

import shutil
from pathlib import Path

import pytest

from bench import archives, otel, vault
from sandbox.clickhouse.running import is_installed
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

    status = archives.main(["--endpoint", endpoint, *sizes, *parts])

    lines = capsys.readouterr().out.splitlines()
    figures = dict(pair.split("=") for pair in lines[-1].split())
    assert {"first_seconds", "stored", "second_to_first", "one_seconds", "one_seconds_new_machine"} <= figures.keys()
    assert figures["not_measured"] == "2"
    assert status == (figures["missed"] != "0")


def test_benchmark_of_the_vault_runs(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Likewise; without restic the comparison is named as not measured."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # without restic

    status = vault.main(["--endpoint", endpoint, "--notes", "8", "--rounds", "1", "--folder", str(tmp_path)])

    lines = capsys.readouterr().out.splitlines()
    figures = dict(pair.split("=") for pair in lines[-1].split())
    assert {"first_seconds", "second_seconds", "restore_seconds", "second_to_first", "peak_mb"} <= figures.keys()
    assert figures["not_measured"] == "2"
    assert "not measured: restic backup, restic restore" in lines
    assert status == (figures["missed"] != "0")


@pytest.mark.skipif(not is_installed(), reason="chdb-core-lite has no wheel for this Python")
def test_benchmark_of_the_events_runs(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Likewise; with one size, how it grows is named as not measured."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    sizes = ["--rows", "500", "--larger", "1", "--rounds", "1", "--folder", str(tmp_path)]

    status = otel.main(["--endpoint", endpoint, *sizes])

    lines = capsys.readouterr().out.splitlines()
    figures = dict(pair.split("=") for pair in lines[-1].split())
    assert {"own_seconds", "rate_to_answer", "rate_to_s3", "rate_to_gzip", "peak_mb"} <= figures.keys()
    assert "not measured: growth, memory with more rows" in lines
    assert status == (figures["missed"] != "0")
