"""`python -m verify`: runs the suite and says 0 all proven, 1 something fails, 2 it could not run.

The rule: whatever is not an option of ours goes to pytest as it stands (`-k`, `--junitxml FILE`, …). CANNOT TELL does
not make a run fail; it is in the report and in the JUnit file as a skip with its reason.
"""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
USAGE = """usage: python -m verify --stack NAME | --deployment FILE [options]

  --stack NAME         the stack's outputs, read by the pulumi on the path
  --deployment FILE    a published deployment (pulumi stack output deployment --json), for a place without Pulumi
  --credentials FILE   with --deployment: key pairs as JSON, mode 0600; without: OBJECTSTORE_<IDENTITY>_ACCESS_KEY_ID
                       and OBJECTSTORE_<IDENTITY>_SECRET_ACCESS_KEY from the environment
  --via WHICH          client or provisioning: which endpoint to use (default: provisioning with --stack, else client)
  --jobs N             buckets at a time (default 8)
  -k EXPRESSION        only tests whose id matches, such as media-raw or lifecycle
  --junitxml FILE      a JUnit report, pytest's own
  --quiet              no progress bar

exit status: 0 all proven, 1 something fails, 2 could not run
"""


def main(arguments: list[str]) -> int:
    """Run the suite with pytest and translate its exit status."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        return 0 if arguments else 2
    status = pytest.main([str(FOLDER), "-c", str(FOLDER / "pytest.ini"), f"--rootdir={FOLDER}", *arguments], plugins=[])
    return {pytest.ExitCode.OK: 0, pytest.ExitCode.TESTS_FAILED: 1}.get(pytest.ExitCode(status), 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
