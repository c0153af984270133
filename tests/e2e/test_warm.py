"""The warm Python of the end-to-end tests is like the real one for whoever starts it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import trials.checkout
from tests.sandbox.waiting import is_running, wait_until


@pytest.fixture(name="waiting")
def _waiting(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A module that waits for its end, after its first line, which is its process id."""
    (tmp_path / "cli.py").write_text(
        "import atexit, os, sys, time\n"
        "atexit.register(lambda: open('ended', 'w').close())\n"
        "try:\n    print(os.getpid(), flush=True)\n    while True:\n        time.sleep(0.1)\n"
        "except KeyboardInterrupt:\n    sys.exit(7)\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own
        [trials.checkout.PYTHON, "-m", "cli"], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, stdout=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def test_it_runs_with_the_arguments_environment_folder_and_streams(tmp_path: Path) -> None:
    """What a module sees and says is as with the real Python, its exit status too."""
    (tmp_path / "cli.py").write_text(
        "import os, sys, tempfile\n"
        "print(sys.argv[1:], os.environ['TRIED'], os.getcwd(), sys.stdin.read(), __name__, tempfile.gettempdir())\n"
        "print('said', file=sys.stderr)\nsys.exit(5)\n"
    )
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['TRIED'] += ', seen by sitecustomize'\n")
    for python in (trials.checkout.PYTHON, sys.executable):
        done = subprocess.run(  # noqa: S603 - our own
            [python, "-m", "cli", "a b", "ü"],
            cwd=tmp_path,
            env={"TRIED": "x=y", "PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)},
            input="given",
            capture_output=True,
            text=True,
            check=False,
        )

        tried = "x=y, seen by sitecustomize"
        assert done.stdout == f"['a b', 'ü'] {tried} {tmp_path} given __main__ {tmp_path}\n", python
        assert (done.stderr, done.returncode) == ("said\n", 5), python


def test_interrupt_is_passed_on(waiting: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """The module sees a KeyboardInterrupt, ends in order, and its status is the process's."""
    assert waiting.stdout is not None
    waiting.stdout.readline()
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(60) == 7
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_of_the_process_is_the_end_of_the_module(waiting: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Ended by a signal, also by one that no process can catch: nothing stays, and the status names the signal."""
    assert waiting.stdout is not None
    pid = int(waiting.stdout.readline())
    assert is_running(pid)
    waiting.send_signal(number)
    assert waiting.wait(60) == -number
    wait_until(lambda: not is_running(pid))


def test_module_that_is_killed_ends_the_process_alike(tmp_path: Path) -> None:
    """The status names the signal that nobody can catch."""
    (tmp_path / "cli.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    done = subprocess.run([trials.checkout.PYTHON, "-m", "cli"], cwd=tmp_path, capture_output=True, check=False)  # noqa: S603 - our own

    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")


def test_anything_else_is_the_real_pythons() -> None:
    """A script that it does not know runs in the real Python, in the process that was started."""
    asked = [trials.checkout.PYTHON, "-c", "import os, sys; print(os.getpid(), sys.executable)"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        said, _ = process.communicate()

    assert said == f"{process.pid} {sys.executable}\n"
