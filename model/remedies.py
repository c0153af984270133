"""The lines that lead back to the plan, by what happened to the store: one table for every finding and error.

The rule: `object-store recover` is the only line for what is gone or switched off, because a provider cannot read it
any more and a refresh fails or does nothing. `pulumi up --refresh` is for what exists and differs. After `recover`,
it serves both. tests/e2e/test_recover_drift.py tries each line after such damage.
"""

from enum import StrEnum

#: Stands for the stack's name until `for_stack` puts it there.
STACK = "<stack>"


class Remedy(StrEnum):
    """The lines for a stack, by the damage."""

    #: Something is gone, or a user or key is switched off.
    LOST = f"`object-store recover --stack {STACK}`, then `pulumi up --stack {STACK}`"
    #: None of the state's buckets, or none of its users and keys, is there, and the endpoint is right.
    ALL_LOST = f"`object-store recover --stack {STACK} --all-gone`, then `pulumi up --stack {STACK}`"
    #: Something exists and differs from the plan.
    CHANGED = f"`pulumi up --refresh --stack {STACK}`"
    #: A policy is there, and the server cannot show it: the plugin of `adminApi: v3` cannot read it, our resource can.
    UNSHOWN = f"`object-store switch-admin-api --stack {STACK} --to v4`, then `pulumi up --refresh --stack {STACK}`"
    #: The store differs from the plan, and it may be either.
    EITHER = f"`object-store recover --stack {STACK}`, then `pulumi up --refresh --stack {STACK}`"


def for_stack(text: str, stack: str) -> str:
    """A text with its lines for one stack."""
    return text.replace(STACK, stack)


#: The line that gives a store an auditor, for `infra/taxonomy.yaml` or a stack's `object-store:identities`.
AUDITOR_LINE = "auditor: { purpose: reads all that governs the store, audits: true }"


def s3api(command: str, bucket: str, endpoint: str | None, *arguments: str) -> str:
    """A line of the AWS CLI about a bucket, with an administrator's key in the environment."""
    at = ("--endpoint-url", endpoint) if endpoint else ()
    return " ".join(("aws s3api", command, "--bucket", bucket, *arguments, *at))
