"""The suite itself: every check, on the facts of the session.

The rule: one test for each check of the store, for each check of each bucket, and for each cell of the grants matrix,
which has a finding for each action. CANNOT TELL and `not asked` are skips with their reason.
"""

from collections.abc import Sequence

import pytest

from verify.checks import Finding, Status


def test_store(store_findings: Sequence[Finding]) -> None:
    """The store as a whole agrees with the plan, as far as this check covers it."""
    _tell(store_findings)


def test_bucket(bucket_findings: Sequence[Finding]) -> None:
    """The bucket agrees with the plan, as far as this check covers it."""
    _tell(bucket_findings)


def test_grants(cell_findings: Sequence[Finding]) -> None:
    """The identity may do in the bucket what the plan grants, and nothing else."""
    _tell(cell_findings)


def _tell(findings: Sequence[Finding]) -> None:
    failed = [str(finding) for finding in findings if finding.status is Status.FAIL]
    if failed:
        pytest.fail("\n".join(failed), pytrace=False)
    untold = [str(f) for f in findings if f.status in (Status.CANNOT_TELL, Status.NOT_ASKED)]
    if untold or not findings:
        pytest.skip("\n".join(untold) or "no request was sent: no trusted answer from the endpoint")
