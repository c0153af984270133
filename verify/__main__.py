"""`python -m verify`: runs the suite and says 0 all proven, 1 something fails, 2 it could not run.

The rule: whatever is not an option of ours goes to pytest as it stands (`-k`, `--junitxml FILE`, …). CANNOT TELL does
not make a run fail; it is in the report and in the JUnit file as a skip with its reason.
"""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

from model.secrecy.output_guard import guard_output

FOLDER = Path(__file__).parent
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
USAGE = """usage: python -m verify --stack NAME | --deployment FILE | --from-facts FILE [options]
       python -m verify preflight --stack NAME      before the first `pulumi up`, and before any refresh
       python -m verify job --stack NAME            a Kubernetes Job that verifies from a pod

  --stack NAME         the stack's outputs, read by the pulumi on the path
  --deployment FILE    a published deployment (pulumi stack output deployment --json), for a place without Pulumi
  --credentials FILE   with --deployment: key pairs as JSON, mode 0600; without: OBJECTSTORE_<IDENTITY>_ACCESS_KEY_ID
                       and OBJECTSTORE_<IDENTITY>_SECRET_ACCESS_KEY from the environment
  --ca-bundle FILE     with --deployment: CA certificates in place of the deployment's own
  --via WHICH          client or provisioning: which endpoint to use (default: provisioning with --stack, else client)
  --from-facts FILE    judge facts that were saved, without a store

what to verify:
  --only CHECK         only this check, by id (docs/verification.md); may be given several times, as may the next two
  --bucket NAME        only this bucket, by domain or name
  --identity NAME      only this identity in the grants matrix
  -k EXPRESSION        only tests whose id matches, such as media-raw or lifecycle; everything is asked all the same
  --deep               large bodies in every bucket (else in one of each band), and listings of more than a page
  --full-matrix        every identity in every bucket (else all that it holds and a sample of 16 others)
  --leave-locked-probe let workloads write in COMPLIANCE buckets: a probe stays there until its date
  --jobs N             tasks at a time (default 8)

what to write:
  --html FILE          a report for a browser, one file
  --json FILE          a report for programs
  --junitxml FILE      a JUnit report, pytest's own
  --save-facts FILE    the facts, an audit record without secrets
  --quiet              no progress bar

exit status: 0 all proven, 1 something fails, 2 could not run
"""


def main(arguments: list[str]) -> int:
    """Run the suite with pytest and translate its exit status."""
    if arguments[:1] == ["job"]:
        from verify.job import main as job  # noqa: PLC0415 - a run of the suite needs none of it

        return job(arguments[1:])
    if arguments[:1] == ["preflight"]:
        return _preflight(arguments[1:])
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        return 0 if arguments else 2
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it, or a script's background
            signal.signal(number, _end)
    status = pytest.main([str(FOLDER), "-c", str(FOLDER / "pytest.ini"), f"--rootdir={FOLDER}", *arguments], plugins=[])
    return {pytest.ExitCode.OK: 0, pytest.ExitCode.TESTS_FAILED: 1}.get(pytest.ExitCode(status), 2)


def _end(*_: object) -> NoReturn:
    """End the run: what it has written is removed first, and no further signal stops that."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _preflight(arguments: list[str]) -> int:
    """Become `python -m ops.preflight`, a program of the rooms above, which nothing here may import."""
    if find_spec("ops") is None:
        sys.stderr.write("preflight could not run: it runs where the stack is deployed from (`make env` there)\n")
        return 2
    sys.stdout.flush()
    return os.execv(sys.executable, [sys.executable, "-m", "ops.preflight", *arguments])  # noqa: S606 - our own program


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
