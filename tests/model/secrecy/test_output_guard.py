"""What a guarded process writes: each test runs its own process and reads that process's streams from outside."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SECRET = "planted/secret+that=nobody-may-see"  # noqa: S105 - planted, to be searched for
HEAD = """
import logging, os, sys, threading, warnings
from model.secrecy.output_guard import guard_output, reveal
from model.secrecy.redaction import keep_secret
early = logging.StreamHandler()
guard_output()
secret = keep_secret(os.environ["PLANTED"])
"""


def ran(body: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a guarded process that has read the secret."""
    return subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", HEAD + body],
        env={"PLANTED": SECRET, "PYTHONPATH": str(ROOT), **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "body",
    [
        "print('out', secret)",
        "print('out', secret, file=sys.stderr)",
        "sys.stdout.writelines(['out ', secret[:20], secret[20:]])",
        "for letter in 'out ' + secret: print(letter, end='')",
        "print('out', secret, file=sys.__stdout__)",
        "print('out', {'key': secret})",
        "print('out'); raise RuntimeError(secret)",
        "print('out')\ntry:\n    int(secret)\nexcept ValueError as error:\n    raise KeyError('x') from error",
        "print('out'); sys.exit(secret)",
        "print('out'); t = threading.Thread(target=lambda: int(secret)); t.start(); t.join()",
        "print('out'); warnings.warn(secret)",
        "import argparse; print('out', flush=True); argparse.ArgumentParser().parse_args([secret])",
        "from rich.console import Console; Console().print('out', secret); Console(stderr=True).print(secret)",
        "from rich.console import Console; Console(force_terminal=True, width=200).print('out', secret)",
        "from rich.traceback import install; install(show_locals=True); print('out'); raise RuntimeError(secret)",
        "import typer; typer.echo('out ' + secret); typer.echo(secret, err=True)",
        "class Late:\n    def __del__(self): raise RuntimeError(secret)\nprint('out'); Late()",
        "import atexit; atexit.register(lambda: print('out', secret))",
    ],
)
def test_no_stream_shows_it(body: str) -> None:
    """No stream shows the secret: whole or letter by letter, by traceback, thread, warning, argparse, rich, typer."""
    done = ran(body)
    shown = done.stdout + done.stderr

    assert "out" in shown
    assert "[secret]" in shown
    assert SECRET not in shown.replace("\n", "")


@pytest.mark.parametrize(
    "body",
    [
        "log.warning('x ' + secret)",
        "log.warning('x %s', secret)",
        "log.warning('x %(key)s', {'key': secret})",
        "log.warning('x %s', {'key': secret})",
        "log.warning('x %s', RuntimeError(secret))",
        "log.warning('x', stack_info=True, extra={'a': 1}); log.warning(secret)",
        "\ntry:\n    raise RuntimeError(secret)\nexcept RuntimeError:\n    log.exception('x')",
    ],
)
@pytest.mark.parametrize("handler", ["early", "logging.FileHandler(os.environ['LOG'])"])
def test_no_log_shows_it(tmp_path: Path, body: str, handler: str) -> None:
    """No log shows the secret, with a handler that was added before or after the guard, to any logger."""
    path = tmp_path / "debug.log"
    done = ran(
        f"log = logging.getLogger('some.library'); log.addHandler({handler}){'; ' * (body[0] != chr(10))}{body}",
        LOG=str(path),
    )
    shown = done.stderr + (path.read_text("utf-8") if path.exists() else "")

    assert done.returncode == 0, done.stderr
    assert "[secret]" in shown
    assert SECRET not in shown


def test_ordinary_records_are_as_ever() -> None:
    """Text, arguments of other types, and mappings are formatted as logging formats them."""
    done = ran("log = logging.getLogger(); log.warning('%s %d %r', 'a', 2, [3]); log.warning('%(n)03d', {'n': 7})")

    assert done.stderr.splitlines() == ["a 2 [3]", "007"]


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "PULUMI_CONFIG_PASSPHRASE",
        "PULUMI_ACCESS_TOKEN",
        "AISTOR_ROOT_PASSWORD",
        "OBJECTSTORE_VAULT_BACKUP_SECRET_ACCESS_KEY",
    ],
)
def test_secrets_of_the_environment_are_known_from_the_start(name: str) -> None:
    """Secrets of the environment are redacted before any code reads them."""
    done = ran(f"print('out', os.environ[{name!r}])", **{name: "of-the-environment-0123"})

    assert done.stdout == "out [secret]\n"


def test_what_is_asked_for_is_revealed() -> None:
    """Revealed text is printed unchanged and in its place among other output."""
    done = ran("print('before'); reveal(secret + '\\n'); print('after', secret)")

    assert done.stdout == f"before\n{SECRET}\nafter [secret]\n"


def test_what_looks_like_a_beginning_is_not_lost() -> None:
    """A possible beginning of a secret waits and is written at the end; a flush writes only a few characters of it."""
    done = ran("print(secret[:10], end='', flush=True); print(secret[:3], end='', file=sys.stderr); os.write(1, b'|')")

    assert (done.stdout, done.stderr) == (f"|{SECRET[:10]}", SECRET[:3])
    assert ran("print(secret[:3], end='', flush=True); os.write(1, b'|')").stdout == f"{SECRET[:3]}|"


def test_bytes_pass_as_they_are() -> None:
    """Bytes pass unchanged, because they are the content of an object."""
    assert ran("sys.stdout.buffer.write(secret.encode())").stdout == SECRET


def test_a_fatal_signal_leaves_no_core_and_tells_no_value() -> None:
    """No core file is written even if the caller allows it, because it would hold every value of the process."""
    done = ran(
        "import resource, signal; print(resource.getrlimit(resource.RLIMIT_CORE)[0], flush=True)\n"
        "def show(value): os.kill(os.getpid(), signal.SIGSEGV)\nshow(secret)",
        PYTHONFAULTHANDLER="1",
    )

    assert done.stdout == "0\n"
    assert "Fatal Python error: Segmentation fault" in done.stderr
    assert "in show" in done.stderr
    assert SECRET not in done.stderr


def test_the_limit_of_the_caller_may_be_raised_again() -> None:
    """Only the soft limit is set, so that a child process can raise it for its own core files."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    done = ran("import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[1])")

    assert done.stdout == f"{hard}\n"
