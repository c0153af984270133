"""The exit status of every command follows one table."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from cli import main as console
from cli.main import main
from model.exit_codes import MEANING, ExitCode
from tests.cli.test_commands import GROUPS, LEAVES
from tests.sizes import ELSEWHERE

ROOT = Path(__file__).parents[2]
STACK = ("--stack", "nowhere")
CONFIG = ("--config", "/nonexistent/workloads.yaml")
DAY = ("--from", "2026-11-30", "--to", "2026-11-30")
FILES = ("--deployment", "/nonexistent/d.json", "--credentials", "/nonexistent/c.json", "--identity", "worker")
# Arguments with which each command fails before it does anything: a missing stack, file or server.
CANNOT: dict[tuple[str, ...], tuple[str, ...]] = {
    ("preflight",): STACK,
    ("preview",): STACK,
    ("adopt",): (*STACK, "--yes"),
    ("recover",): STACK,
    ("switch-admin-api",): (*STACK, "--to", "v4", "--yes"),
    ("admin-policy",): STACK,
    ("verify",): STACK,
    ("verify-job",): STACK,
    ("keys", "status"): STACK,
    ("keys", "rotate"): ("worker", *STACK, "--yes"),
    ("keys", "retire"): ("worker", *STACK, "--yes"),
    ("keys", "revoke"): ("worker", *STACK, "--yes"),
    ("keys", "deliver"): (*STACK, "--to", "json"),
    ("put",): ("/dev/null", "s3://bucket/key", *FILES),
    ("get",): ("s3://bucket/key", "-", *FILES),
    ("ls",): ("s3://bucket", *FILES),
    ("stat",): ("s3://bucket/key", *FILES),
    ("presign",): ("s3://bucket/key", *FILES),
    ("rm",): ("s3://bucket/key", *FILES),
    ("parity",): ("/nonexistent", "s3://bucket/prefix", *FILES),
    ("sessions", "archive"): CONFIG,
    ("sessions", "coverage"): CONFIG,
    ("sessions", "restore"): (*CONFIG, "--to", "/nonexistent/folder"),
    ("sessions", "cat"): ("name", *CONFIG),
    ("sessions", "prune"): CONFIG,
    ("vault", "snapshot"): CONFIG,
    ("vault", "list"): CONFIG,
    ("vault", "restore"): (*CONFIG, "--to", "/nonexistent/folder"),
    ("vault", "drill"): CONFIG,
    ("otel", "export"): CONFIG,
    ("otel", "gaps"): CONFIG,
    ("otel", "backfill"): CONFIG,
    ("otel", "restore"): (*CONFIG, *DAY, "--to-file", "/nonexistent/file"),
    ("otel", "query"): ("SELECT 1", *CONFIG, *DAY),
    ("discovery", "put"): ("https://page.test/", "--at", "2026-11-30", *CONFIG),
    ("media", "put"): ("/nonexistent/photo.jpg", "--source", "telegram", "--at", "2026-11-30", *CONFIG),
    ("media", "presign-upload"): (
        *("--name", "a.jpg", "--size", "3", "--sha256", "a" * 64, "--source", "telegram", "--at", "2026-11-30"),
        *CONFIG,
    ),
    ("media", "confirm"): ("s3://media/chat/telegram/2026/11/30/aaaaaaaaaaaaaaaa/a.jpg", *CONFIG),
    ("documents", "put"): ("/nonexistent/document.pdf", *CONFIG),
    ("documents", "backfill"): ("/nonexistent/documents", *CONFIG),
    ("documents", "job"): ("/nonexistent/documents", "--shards", "8", *CONFIG),
    ("events", "resolve"): ("/nonexistent/event.json", "--to", "file", *CONFIG),
    ("events", "shims"): CONFIG,
    ("receipts",): CONFIG,
    ("scrub",): CONFIG,
    ("window", "status"): CONFIG,
    ("window", "reconcile"): CONFIG,
    ("window", "end"): (*CONFIG, "--reason", "done"),
    ("schedule",): (*CONFIG, "--for", "launchd"),
    ("sandbox", "env"): ("local",),
    ("sandbox", "rehearse"): ("--stack", "local"),
}
# Of the sandbox's commands, `up`, `down`, `deploy` and `engine` work in any folder, and `status` reports.
DOING = {("sandbox", name) for name in ("up", "down", "deploy", "engine", "status", "verify")}
WAITING = [words for words, rest in CANNOT.items() if "--stack" in rest and words[0] != "sandbox"]


@pytest.fixture(name="pulumi")
def _pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The only `pulumi` on PATH runs a script, and no stack exists."""

    def make(script: str) -> None:
        path = tmp_path / "bin" / "pulumi"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    monkeypatch.chdir(tmp_path)
    return make


def test_every_command_is_tried() -> None:
    """A new command needs a line above."""
    assert CANNOT.keys() | DOING == set(LEAVES)


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """An unknown option gives one message that names it."""
    assert main([*words, "--no-such-option"]) == ExitCode.CANNOT
    assert "--no-such-option" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("frobnicate",), *((group, "frobnicate") for group in GROUPS)], ids=" ".join)
def test_unknown_command_is_2(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """This holds for the program and for each group."""
    assert main(words) == ExitCode.CANNOT
    assert "No such command 'frobnicate'" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "rest"), CANNOT.items(), ids=lambda words: " ".join(words) if words else "")
def test_what_cannot_be_done_is_2(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    pulumi: Callable[[str], None],
    words: tuple[str, ...],
    rest: tuple[str, ...],
) -> None:
    """Without the stack, the file or a running server: one message on standard error, no traceback."""
    pulumi("echo \"error: no stack named 'nowhere' found\" >&2; exit 255")
    monkeypatch.setattr("sandbox.folder.repository", Path.cwd)  # its sandbox does not run, also if this checkout's does

    assert main([*words, *rest]) == ExitCode.CANNOT
    said = capfd.readouterr()
    assert said.err + said.out
    assert "Traceback" not in said.err + said.out


def signalled() -> Iterator[ParameterSet]:
    """Every command with each signal; for a change with one of them in turn, because a program starts for each."""
    both = (signal.SIGINT, signal.SIGTERM)
    for place, words in enumerate(WAITING):
        for number in both:
            marks = [] if number == both[place % 2] else [ELSEWHERE]
            yield pytest.param(words, number, id=f"{' '.join(words)}-{number}", marks=marks)


@pytest.mark.parametrize(("words", "number"), list(signalled()))
def test_signal_ends_it_and_is_told(
    pulumi: Callable[[str], None], tmp_path: Path, words: tuple[str, ...], number: signal.Signals
) -> None:
    """The status is 130 or 143, no process is left, and no traceback is shown."""
    pulumi(f"echo $$ > {tmp_path}/waiting; exec sleep 60")
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "cli", *words, *CANNOT[words]],
        cwd=ROOT,
        env={**os.environ, "PULUMI_OPTION_CWD": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "waiting").exists() or not (tmp_path / "waiting").read_text():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        said = "".join(process.communicate(timeout=60))

    assert process.returncode == 128 + number, said
    assert "Traceback" not in said


def test_signal_before_anything_is_imported_is_told() -> None:
    """A command installs its signal handlers first, so even an immediate signal shows no traceback."""
    program = (
        "import os, signal, sys\n"
        "from cli import main as console\n"
        "run, console._run = console._run, lambda words: (os.kill(os.getpid(), signal.SIGTERM), run(words))\n"
        "sys.exit(console.main(['--help']))\n"
    )
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (143, "", "interrupted\n")


def test_signal_of_which_a_library_makes_its_own_error_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a module of Rust that is being imported; without a signal the error is no end of the command."""

    class PanicError(BaseException):
        pass

    def interrupted(words: list[str]) -> int:
        try:
            if words:
                signal.raise_signal(signal.SIGTERM)
        finally:
            raise PanicError

    monkeypatch.setattr(console, "_run", interrupted)

    assert console.main(["sessions"]) == 143
    assert capsys.readouterr().err == "interrupted\n"
    with pytest.raises(PanicError):
        console.main([])


def test_mistake_of_ours_is_2_and_shows_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug never ends with 1, which means that a check found something wrong."""

    def broken(_: list[str]) -> int:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(console, "_run", broken)

    assert main([]) == ExitCode.CANNOT
    assert "ZeroDivisionError: a mistake" in capsys.readouterr().err


def test_ignored_signal_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """`nohup` relies on it; and the handlers after a command are those before it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(console, "_run", lambda _: signal.raise_signal(signal.SIGHUP) or 0)  # type: ignore[func-returns-value]
        assert main([]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_table_is_whole() -> None:
    """Each status has a meaning, and nothing else has one."""
    assert list(MEANING) == list(ExitCode)


@pytest.mark.parametrize("module", ["cli", "verify"])
def test_python_without_docstrings_is_refused(module: str) -> None:
    """`PYTHONOPTIMIZE=2` removes the texts of commands and checks: one sentence with the remedy, and status 2."""
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        env={**os.environ, "PYTHONOPTIMIZE": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("python -OO removes the texts")
    assert done.stderr.count("\n") == 1
