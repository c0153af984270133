"""`python -m verify`: runs the suite, in a pod or by `object-store verify`.

Exit status: 0 all proven, 1 something fails, 2 it could not run or could not finish, 130 and 143 interrupted.

The rule: options that this command does not know go to pytest unchanged (`-k`, `--junitxml FILE`, …). CANNOT TELL does
not make a run fail; the report and the JUnit file show it as a skip with its reason.
"""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from model.environment import Reader, is_taken, python_fault
from model.exit_codes import ExitCode, ended_by
from model.secrecy.output_guard import guard_output

FOLDER = Path(__file__).parent
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PYTEST_STATUS = {0: ExitCode.DONE, 1: ExitCode.WRONG}
USAGE = """usage: python -m verify --stack NAME | --deployment FILE | --from-facts FILE [options]

  --stack NAME         verify this stack; `pulumi` on the PATH reads its outputs
  --deployment FILE    verify a published deployment (pulumi stack output deployment --json); does not need Pulumi
  --credentials FILE   with --deployment: key pairs as JSON, mode 0600; default: OBJECTSTORE_<IDENTITY>_ACCESS_KEY_ID
                       and OBJECTSTORE_<IDENTITY>_SECRET_ACCESS_KEY from the environment
  --ca-bundle FILE     with --deployment: CA certificates to use instead of the deployment's
  --via WHICH          client or provisioning: which endpoint to use (default: provisioning with --stack, else client)
  --from-facts FILE    check saved facts; does not contact a store

what to verify:
  --only CHECK         only this check, by id (docs/verification.md); repeatable, like --bucket and --identity
  --bucket NAME        only this bucket, by domain or name
  --identity NAME      only this identity in the grants matrix
  -k EXPRESSION        report only tests whose id matches, such as media-raw or lifecycle; all requests are still sent
  --deep               large objects in every bucket (default: one bucket of each band), and listings of several pages
  --full-matrix        every identity in every bucket (default: the buckets that it holds, and a sample of 16 others)
  --leave-locked-probe workloads write probes in COMPLIANCE buckets, where they stay until their retention ends
  --jobs N             number of concurrent tasks (default 8)

what to write:
  --html FILE          an HTML report in one file
  --json FILE          a JSON report for programs
  --junitxml FILE      pytest's JUnit report
  --save-facts FILE    the facts: an audit record without secrets
  --quiet              no progress bar

Only the variables of docs/environment.md have an effect; those of pytest have none.

exit status: 0 all proven, 1 something fails, 2 could not run or could not finish, 130 and 143 interrupted
"""


def main(arguments: list[str]) -> int:
    """Run the suite with pytest and translate its exit status."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        return 0 if arguments else 2
    status = None
    with _first_signal() as got, suppress(KeyboardInterrupt):  # pytest does not catch it while it starts
        status = _run(arguments)
    if got:
        return ended_by(got[0])
    return ExitCode.INTERRUPTED if status is None else _PYTEST_STATUS.get(status, ExitCode.CANNOT)


def _run(arguments: list[str]) -> int:
    import pytest  # noqa: PLC0415 - the import takes time, and a signal may arrive meanwhile

    given = [str(FOLDER), "-c", str(FOLDER / "pytest.ini"), f"--rootdir={FOLDER}", *arguments]
    try:
        with _without_variables_of_pytest():
            return pytest.main(given, plugins=[])
    except Exception as error:  # noqa: BLE001 - pytest passes on what a hook raises
        from verify.unfinished import reason_of  # noqa: PLC0415 - needed only now

        sys.stderr.write(f"verify could not finish: {reason_of(error)}\n")
        return ExitCode.CANNOT


@contextmanager
def _without_variables_of_pytest() -> Iterator[None]:
    """Take out the variables that would change which checks run (`model.environment`)."""
    removed = {name: os.environ.pop(name) for name in list(os.environ) if is_taken(name, Reader.PYTEST)}
    try:
        yield
    finally:
        os.environ.update(removed)


@contextmanager
def _first_signal() -> Iterator[list[int]]:
    """Let the first signal end the run, and record its number.

    The run then removes what it has written, and no further signal interrupts that, or the end of the process.
    """
    got: list[int] = []
    # As under nohup, or in the background of a script: a signal that is ignored stays ignored.
    before = {number: held for number in _ENDING if (held := signal.getsignal(number)) is not signal.SIG_IGN}

    def end(number: int, _: object) -> NoReturn:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        got.append(number)
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, end)
    try:
        yield got
    finally:
        if not got:
            for number, held in before.items():
                signal.signal(number, held)


if __name__ == "__main__":
    guard_output()
    fault = python_fault()
    if fault is not None:
        sys.stderr.write(f"{fault}\n")
        sys.exit(ExitCode.CANNOT)
    warnings.simplefilter("ignore")  # as `cli.main` does
    sys.exit(main(sys.argv[1:]))
