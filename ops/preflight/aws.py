"""Judges the answers of AWS: the credentials, their account, and whether the planned names are available.

The rule: pure, from facts to findings.
"""

from collections.abc import Iterable

from model.regions import region_code
from ops.preflight.checks import buckets_ours, clock_in_step, nothing_interrupted, some, state_buckets_seen
from ops.preflight.facts import AwsFacts, StackFacts
from ops.preflight.finding import Before, Finding, Level, passed, untold
from verify.facts import Answer


def judge_aws(stack: StackFacts, facts: AwsFacts, before: Before, *, all_gone: bool = False) -> list[Finding]:
    """All findings on AWS; `all_gone` as in `state_buckets_seen`."""
    return [
        _credentials_accepted(facts.account),
        _account_allowed(stack, facts.account),
        clock_in_step(facts.skew_seconds),
        *_code_of_region(stack),
        *buckets_ours(stack, facts.buckets),
        *_names_free(facts),
        state_buckets_seen(stack, facts.buckets, before, all_gone=all_gone),
        *nothing_interrupted(stack),
    ]


def _credentials_accepted(account: Answer[str]) -> Finding:
    check, wanted = "credentials_accepted", "AWS accepts the credentials of the SDK's own chain"
    if account.ok:
        return passed(check, wanted, f"account {account.value}")
    remedy = "set AWS_PROFILE, or sign in again (`aws sso login`); `aws sts get-caller-identity` makes the same test"
    return Finding(check, Level.STOP, wanted, str(account), remedy)


def _account_allowed(stack: StackFacts, account: Answer[str]) -> Finding:
    allowed, check = stack.allowed_account_ids, "account_allowed"
    wanted = f"account {' or '.join(allowed)}" if allowed else "object-store:allowedAccountIds names the account"
    if account.value is None:
        return untold(check, wanted, account)
    if account.value in allowed:
        return passed(check, wanted, account.value)
    name_it = f"`pulumi config set --path --type string 'object-store:allowedAccountIds[0]' {account.value}`"
    if allowed:
        remedy = f"use credentials of that account; if the setting is wrong: {name_it}"
        return Finding(check, Level.STOP, wanted, account.value, remedy)
    return Finding(check, Level.WARN, wanted, f"{account.value}, and any account is allowed", name_it)


def _code_of_region(stack: StackFacts) -> Iterable[Finding]:
    """Names that say another region; buckets that exist keep their names, so nothing is said of them."""
    code = region_code(stack.region)
    if code and code != stack.region_code and not stack.state.buckets:
        wanted = f"the names of buckets say {code}, which stands for {stack.region}"
        remedy = f"`pulumi config set object-store:regionCode {code}`, before the first update"
        yield Finding("region_in_names", Level.WARN, wanted, f"regionCode is {stack.region_code}", remedy)


def _names_free(facts: AwsFacts) -> Iterable[Finding]:
    check, wanted = "names_free", "no planned name is a bucket of another account"
    if not facts.account.ok:
        yield untold(check, wanted, facts.buckets)
        return
    taken = sorted(name for name, head in facts.others.items() if head.ok or head.code in ("403", "301"))
    unclear = {name: head for name, head in facts.others.items() if name not in taken and head.code != "404"}
    if taken:
        remedy = "bucket names are unique across AWS: choose another object-store:env or regionCode"
        if not facts.buckets.ok:
            remedy += "; to see whether one belongs to this account, grant s3:ListAllMyBuckets"
        yield Finding(check, Level.STOP, wanted, f"taken: {some(taken)}", remedy)
    if unclear:
        name, head = next(iter(unclear.items()))
        yield untold(check, wanted, Answer(code=head.code, said=f"{name}: {head.said}"))
    if not taken and not unclear:
        yield passed(check, wanted, f"{len(facts.others)} new names are free")
