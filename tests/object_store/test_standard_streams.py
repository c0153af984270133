"""A command whose standard output is full or closed: one line and exit status 2; without standard error, no harm."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.object_store.conftest import ACCESS_KEY, REGION, SECRET_KEY

URL = f"{sys.executable} -m object_store presign s3://bucket/k"


@pytest.mark.parametrize(
    ("line", "status", "shown"),
    [
        (f"PYTHONUNBUFFERED=1 {URL} >/dev/full", 2, "standard output cannot be written: No space left on device.\n"),
        (f"{URL} >&-", 2, "standard output cannot be written: Bad file descriptor.\n"),
        (f"{URL} --json >/dev/null 2>&-", 0, ""),
        (f"{URL} --expires soon 2>/dev/full", 2, ""),
        (
            f"{sys.executable} -m object_store put - s3://bucket/k <&-",
            2,
            "bucket 'bucket', key 'k': the body cannot be read: Bad file descriptor.\n",
        ),
        (
            f"{sys.executable} -m object_store --help >/dev/full",
            2,
            "standard output cannot be written: No space left on device.\n",
        ),
    ],
    ids=["full", "closed", "no errors", "fault untold", "no input", "help"],
)
def test_result_that_reaches_nobody(line: str, status: int, shown: str) -> None:
    """The status says whether the results arrived; no traceback, and not the interpreter's 120."""
    done = subprocess.run(  # noqa: S603  # our own command
        ["/bin/bash", "-c", line],
        env=os.environ
        | {
            "S3_ENDPOINT": "http://127.0.0.1:9",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "PYTHONUNBUFFERED": "",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout, done.stderr) == (status, "", shown)
