"""Checks of the grants matrix: every identity in every bucket may do what the plan says, and nothing else.

The rule: a refusal leans on the identity (`verify.checks.evidence`). An answer that is neither success nor the
backend's own code for a refusal fails: it proves nothing.
"""

from model.deployment import Deployment
from model.plan import BucketPlan, IdentityPlan
from verify.checks.finding import RENEW, Verdict, cannot_tell, judged
from verify.facts import NOT_TRIED, Facts, Tried
from verify.probe.actions import ACTIONS, Action, refused

ABSENT = "NotImplemented"


def judge_cell(deployment: Deployment, facts: Facts, identity: IdentityPlan, bucket: BucketPlan) -> dict[str, Verdict]:
    """The verdict on each action that was tried by the identity in the bucket."""
    cell = facts.grants.get(identity.name, {}).get(bucket.name, {})
    return {name: _judge(deployment, ACTIONS[name], identity, bucket, answer) for name, answer in cell.items()}


def _judge(
    deployment: Deployment, action: Action, identity: IdentityPlan, bucket: BucketPlan, answer: Tried
) -> Verdict:
    let_in = action.let_in(answer)
    found = f"allowed ({answer.code or 'done'})" if let_in else str(answer)
    if answer.code == NOT_TRIED:
        return cannot_tell("allowed" if action.allowed(identity, bucket) else "refused", answer.said)
    if action.allowed(identity, bucket):
        return judged(let_in, "allowed", found, RENEW.format(identity.name))
    if answer.code == ABSENT:
        return cannot_tell("refused", f"the server does not implement this call: {found}")
    remedy = RENEW.format(identity.name)
    return judged(refused(answer, deployment.cloud), "refused", found, remedy, {identity.name})
