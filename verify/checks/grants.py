"""Checks of the grants matrix: every identity in every bucket may do what the plan says, and nothing else.

The rule: a refusal counts only if the identity's key worked somewhere, because a server refuses an unknown key
everywhere. An answer that is neither success nor the backend's own code for a refusal fails: it proves nothing.
"""

from model.deployment import Deployment
from model.plan import BucketPlan, IdentityPlan
from verify.checks.finding import RENEW, Status, Verdict, cannot_tell, fail, judged
from verify.facts import NOT_TRIED, Facts, Tried
from verify.probe.actions import ACTIONS, Action, refused

ABSENT = "NotImplemented"


def seen_to_work(facts: Facts, identity: str) -> bool:
    """Whether the server ever allowed a request with the identity's key."""
    return any(
        ACTIONS[name].let_in(answer)
        for cell in facts.grants.get(identity, {}).values()
        for name, answer in cell.items()
    )


def judge_cell(deployment: Deployment, facts: Facts, identity: IdentityPlan, bucket: BucketPlan) -> dict[str, Verdict]:
    """The verdict on each action that was tried by the identity in the bucket."""
    works = seen_to_work(facts, identity.name)
    cell = facts.grants.get(identity.name, {}).get(bucket.name, {})
    return {
        name: _judge(deployment, ACTIONS[name], identity, bucket, answer, works=works) for name, answer in cell.items()
    }


def _judge(
    deployment: Deployment, action: Action, identity: IdentityPlan, bucket: BucketPlan, answer: Tried, *, works: bool
) -> Verdict:
    let_in = action.let_in(answer)
    found = f"allowed ({answer.code or 'done'})" if let_in else str(answer)
    if answer.code == NOT_TRIED:
        return cannot_tell("allowed" if action.allowed(identity, bucket) else "refused", answer.said)
    if action.allowed(identity, bucket):
        return judged(let_in, "allowed", found, RENEW.format(identity.name))
    if answer.code == ABSENT:
        return cannot_tell("refused", f"the server does not implement this call: {found}")
    if not refused(answer, deployment.cloud):
        return fail("refused", found, RENEW.format(identity.name))
    if not works:
        return Verdict(
            Status.CANNOT_TELL,
            "refused",
            f"{found}, but no request of {identity.name} ever succeeded, so its refusals prove nothing",
            f"pass a bucket that {identity.name} may use to `--bucket`, or check that the server knows its key",
        )
    return Verdict(Status.PASS, "refused", found)
