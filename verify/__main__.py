"""`python -m verify`: runs the suite, in a pod or by `object-store verify`.

Exit status: 0 all proven, 1 something fails, 2 it could not run, 130 and 143 interrupted.

The rule: whatever is not an option of ours goes to pytest as it stands (`-k`, `--junitxml FILE`, …). CANNOT TELL does
not make a run fail; it is in the report and in the JUnit file as a skip with its reason.
"""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from model.exit_codes import ExitCode
from model.secrecy.output_guard import guard_output

FOLDER = Path(__file__).parent
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDED_BY: list[int] = []
_PYTEST_STATUS = {0: ExitCode.DONE, 1: ExitCode.WRONG}
USAGE = """usage: python -m verify --stack NAME | --deployment FILE | --from-facts FILE [options]

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

exit status: 0 all proven, 1 something fails, 2 could not run, 130 and 143 interrupted
"""


def main(arguments: list[str]) -> int:
    """Run the suite with pytest and translate its exit status."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        return 0 if arguments else 2
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it, or a script's background
            signal.signal(number, _end)
    status = None
    with suppress(KeyboardInterrupt):  # pytest lets it out while it starts
        status = _run(arguments)
    if _ENDED_BY:
        return 128 + _ENDED_BY[0]
    return ExitCode.INTERRUPTED if status is None else _PYTEST_STATUS.get(status, ExitCode.CANNOT)


def _run(arguments: list[str]) -> int:
    import pytest  # noqa: PLC0415 - it takes time, in which a signal may come

    return pytest.main([str(FOLDER), "-c", str(FOLDER / "pytest.ini"), f"--rootdir={FOLDER}", *arguments], plugins=[])


def _end(got: int, _: object) -> NoReturn:
    """End the run: what it has written is removed first, and no further signal stops that."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    _ENDED_BY.append(got)
    raise KeyboardInterrupt


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
