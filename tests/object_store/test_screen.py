"""The screen of `python -m object_store` hides secrets; each test runs its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "planted/secret+that=nobody-may-see"  # noqa: S105  # planted, to be searched for
TOKEN = "planted-token/that=nobody-may-see"  # noqa: S105  # likewise
HEAD = """
import json, logging, os, sys
from urllib.parse import quote
from object_store.screen import SCREEN, put_up, reveal
put_up()
secret, token = os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"]
"""


def ran(body: str) -> subprocess.CompletedProcess[str]:
    """A process with the screen up."""
    return subprocess.run(  # noqa: S603  # our own interpreter and text
        [sys.executable, "-c", HEAD + body],
        env={"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "body",
    [
        "print(secret, quote(secret, safe=''), json.dumps(token))",
        "print(secret, token, file=sys.stderr)",
        "sys.stderr.writelines([secret, token])",
        "raise RuntimeError(secret + ' ' + quote(token, safe=''))",
        "logging.getLogger('some.library').warning('headers %s', {'X-Amz-Security-Token': token})",
        "logging.getLogger('x').error(secret)",
        "\ntry:\n    raise RuntimeError(secret)\nexcept RuntimeError:\n    logging.exception('x')",
        "from rich.console import Console; Console(stderr=True).print(secret)",
        "SCREEN.hide(['of-the-file-0123']); print('of-the-file-0123')",
    ],
)
def test_nothing_shows_them(body: str) -> None:
    """No stream, log or traceback shows them, as they are or in a URL."""
    done = ran(body)
    shown = done.stdout + done.stderr

    assert "***" in shown
    for value in (SECRET, TOKEN, "of-the-file-0123"):
        assert value not in shown.replace("\n", "")
        assert value == "of-the-file-0123" or quote(value, safe="") not in shown


def test_what_is_asked_for_is_revealed() -> None:
    """A presigned URL holds the token of a temporary credential, and is shown."""
    done = ran("reveal('https://h/?X-Amz-Security-Token=' + token + '\\n'); sys.stdout.buffer.write(secret.encode())")

    assert SECRET in done.stdout
    assert f"https://h/?X-Amz-Security-Token={TOKEN}\n" in done.stdout


def test_no_core_is_left() -> None:
    """A core file would hold all that the process knows."""
    assert ran("import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0])").stdout == "0\n"
