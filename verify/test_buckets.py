"""The suite itself: every check on every bucket, on the facts of the session."""

import pytest

from verify.checks import Finding, Status, find
from verify.facts import Facts
from verify.target import Target


def test_bucket(bucket: str, check: str, target: Target, facts: Facts, findings: list[Finding]) -> None:
    """The bucket is as the plan says, as far as this check sees."""
    plan = next(planned for planned in target.deployment.plan.buckets if planned.name == bucket)
    finding = find(check, target.deployment, plan, facts)
    findings.append(finding)
    if finding.status is Status.FAIL:
        pytest.fail(str(finding), pytrace=False)
    if finding.status is Status.CANNOT_TELL:
        pytest.skip(str(finding))
