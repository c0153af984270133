"""What IAM refuses because it exceeds a default quota of an account, or the length of a name.

Pure: numbers and texts in, a refusal or nothing out; `sandbox.server.moto_amendments` asks it. Left out: quotas of what
this project does not create (groups, inline policies, versions beyond moto's own check).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from moto.iam.exceptions import LimitExceededException, ValidationError

#: The quotas by the names that IAM gives them in a refusal. A policy's size is in characters, without white space.
QUOTAS = {
    "PolicySize": 6144,
    "ACLSizePerRole": 2048,
    "PoliciesPerUser": 10,
    "PoliciesPerRole": 10,
    "PoliciesPerAccount": 1500,
    "UsersPerAccount": 5000,
    "RolesPerAccount": 1000,
}
USER_NAME, POLICY_NAME = 64, 128


def within(quota: str, count: int) -> None:
    """Refuse a count above a quota."""
    if count > QUOTAS[quota]:
        raise LimitExceededException(f"Cannot exceed quota for {quota}: {QUOTAS[quota]}")


def sized(quota: str, document: str) -> None:
    """Refuse a document that is larger than a quota."""
    within(quota, len("".join(document.split())))


def named(field: str, name: str, most: int) -> None:
    """Refuse a name that is too long."""
    if len(name) > most:
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: Member must have "
            f"length less than or equal to {most}"
        )
