"""The harness catches a deliberate leak through each channel, in each form; without findings it would prove nothing."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.leaks.planted import Planted, forms, shown
from tests.leaks.watch import SITE, Left, Sampler, files_since, run

SECRET = 'planted/Secret+of="nobody" 0123456789'  # noqa: S105 - planted, to be searched for
PLANTED = (Planted("the secret", SECRET),)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def left_by(folder: Path, body: str, *, debug: bool = False, kill: tuple[float, signal.Signals] | None = None) -> Left:
    """The traces of a Python process with the secret in its environment."""
    environ = {"PATH": os.environ["PATH"], "PLANTED": SECRET, "PYTHONPATH": str(SITE), "PYTHONFAULTHANDLER": "1"}
    if debug:
        environ["LEAKS_DEBUG"] = str(folder)
    head = "import base64, json, logging, os, subprocess, sys, tempfile, time; secret = os.environ['PLANTED']\n"
    return run(
        [sys.executable, "-c", head + body], cwd=folder, environ=environ, notes=folder.parent / "notes", kill=kill
    )


@pytest.mark.parametrize(
    ("form", "how"),
    [
        (SECRET, "in clear"),
        (json.dumps({"a": SECRET}), "in JSON"),
        (json.dumps(json.dumps({"a": SECRET})), "in JSON within JSON"),
        (quote(SECRET, safe=""), "in a URL"),
        (quote(SECRET), "in a URL"),
        *((base64.b64encode(f"{user}{SECRET}}}".encode()).decode(), "in base64") for user in ("", "u", "u:", "usr")),
    ],
)
def test_each_form_is_found(form: str, how: str) -> None:
    """A secret is found in the middle of any text."""
    assert f"the secret, {how}" in shown(f"before {form} after".encode(), PLANTED)


def test_a_folded_or_coloured_value_is_found() -> None:
    """A value is found if a narrow table splits it, or a terminal's colours separate its words."""
    assert shown(f"{SECRET[:9]}\n   {SECRET[9:]}".encode(), PLANTED) == {"the secret, in clear"}
    assert shown(SECRET.replace("=", "\x1b[1m=\x1b[0m").encode(), PLANTED) == {"the secret, in clear"}


def test_ordinary_text_shows_none() -> None:
    """No form is so short that it could appear by chance."""
    assert min(map(len, forms(SECRET))) >= 16
    assert shown(b"nobody 0123456789 planted", PLANTED) == set()
    with pytest.raises(ValueError, match="could be anything"):
        Planted("short", "x" * 15)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("print(secret)", "output"),
        ("print(base64.b64encode(secret.encode()).decode())", "output"),
        ("print(secret, file=sys.stderr)", "errors"),
        ("raise RuntimeError(secret)", "errors"),
        ("logging.error('%s', json.dumps([secret]))", "errors"),
        ("subprocess.run(['true', secret])", "arguments"),
        ("os.posix_spawn('/bin/true', ['true', '--key=' + secret], {}); time.sleep(0.1)", "arguments"),
        ("os.execv('/bin/true', ['true', secret])", "arguments"),
    ],
)
def test_a_leak_is_caught(folder: Path, body: str, where: str) -> None:
    """A leak is caught in a stream, an exception, a log, and an argument of a short-lived child."""
    left = left_by(folder, body)

    assert {name for name in ("output", "errors", "arguments") if shown(getattr(left, name), PLANTED)} == {where}


def test_an_environment_is_no_argument(folder: Path) -> None:
    """Passing a secret by a variable is allowed."""
    left = left_by(
        folder, "subprocess.run(['true'], env={'KEY': secret}); os.posix_spawn('/bin/true', ['true'], {'K': secret})"
    )

    assert b"true" in left.arguments
    assert shown(left.arguments, PLANTED) == set()


def test_a_leak_to_a_file_is_caught(folder: Path) -> None:
    """A new or rewritten file counts; a file from before does not belong to the command."""
    (folder / "old").write_text(SECRET)
    os.utime(folder / "old", (1, 1))
    time.sleep(0.3)
    left = left_by(folder, "os.mkdir('deep'); open('deep/new', 'w').write(secret)")

    assert {path.name for path, content, _ in files_since([folder], left.began) if shown(content, PLANTED)} == {"new"}


def test_a_leak_to_the_log_at_debug_level_is_caught(folder: Path) -> None:
    """A leak in a debug log of any library is caught."""
    left = left_by(folder, "logging.getLogger('some.library').debug('key %s', secret)", debug=True)
    logs = [content for path, content, _ in files_since([folder], left.began) if path.name.startswith("debug-")]

    assert shown(b"".join(logs), PLANTED) == {"the secret, in clear"}


def test_a_core_file_is_caught(folder: Path) -> None:
    """A core file beside the process is searched, if the machine writes one; a traceback shows no values."""
    left = left_by(folder, "subprocess.run(['true']); time.sleep(60)", kill=(0, signal.SIGABRT))

    assert left.status == -signal.SIGABRT
    assert b"Fatal Python error" in left.errors
    assert shown(left.errors, PLANTED) == set()
    if Path("/proc/sys/kernel/core_pattern").read_text("ascii").strip() == "core" and _cores_are_allowed():
        cores = [content for path, content, _ in files_since([folder], left.began) if path.name.startswith("core")]
        assert shown(b"".join(cores), PLANTED)


def _cores_are_allowed() -> bool:
    import resource  # noqa: PLC0415 - only for this

    return resource.getrlimit(resource.RLIMIT_CORE)[1] != 0


def test_what_passes_by_is_caught(folder: Path) -> None:
    """The watch finds an argument of an unreported process, and a file that is gone at the end."""
    body = (
        "with tempfile.NamedTemporaryFile(dir='.') as file:\n"
        "    file.write(secret.encode()); file.flush()\n"
        "    subprocess.run(['sh', '-c', 'sleep 0.7; true \"$0\"', secret])"
    )
    with Sampler([folder]) as sampler:
        left_by(folder, body)

    assert sampler.shown_arguments(PLANTED) == {"the secret, in clear"}
    assert any(shown(content, PLANTED) for content in sampler.files.values())
    assert list(folder.iterdir()) == []


def test_late_argument_is_seen(folder: Path) -> None:
    """A process that becomes another program long after its start is read again."""
    late = 'sleep 1; exec "$0" -c "import time; time.sleep(60)" "$PLANTED"'
    environ = {"PATH": os.environ["PATH"], "PLANTED": SECRET}
    with (
        Sampler([folder]) as sampler,
        subprocess.Popen(["/bin/sh", "-c", late, sys.executable], env=environ) as process,  # noqa: S603 - our own
    ):
        deadline = time.monotonic() + 50
        while not sampler.shown_arguments(PLANTED) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()

    assert sampler.shown_arguments(PLANTED) == {"the secret, in clear"}
