"""New keys: the run waits for each of them, and for a bounded time, before it tries anything.

The rule: a key is introduced by a request that the plan allows. A key that was refused at first must be accepted
several times in a row, because the servers of IAM learn a new key one after the other:
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html
"""

from collections.abc import Callable, Sequence

from model.plan import BucketPlan, IdentityPlan
from verify.facts import Tried
from verify.probe.actions import ACTIONS, Place
from verify.probe.session import StoreSession

PAUSE_SECONDS = 1.0
# How many pauses an answer is worth: a key that nobody knows yet, and a policy that is not attached yet.
PAUSES = {"InvalidAccessKeyId": 60, "InvalidClientTokenId": 60, "AccessDenied": 20}
_UNKNOWN = ("InvalidAccessKeyId", "InvalidClientTokenId")
# How often in a row a key must be accepted after it was refused.
STEADY = 3
# In how many buckets an identity is tried until one accepts it.
_DOORS = 3


def when_known(session: StoreSession, attempt: Callable[[], Tried]) -> Tried:
    """The answer to an attempt once the server knows the key: another service may learn it later than S3."""
    waited, found = 0, attempt()
    while found.code in _UNKNOWN and waited < PAUSES.get(found.code, 0):
        session.pause(PAUSE_SECONDS)
        waited, found = waited + 1, attempt()
    return found


def introduce(session: StoreSession, identity: IdentityPlan, buckets: Sequence[BucketPlan], prefix: str) -> Tried:
    """Wait until the server accepts an identity's key, or it is clear that it does not; returns the last answer.

    Args:
        session: Of the run.
        identity: The identity; one without a grant only needs to be known.
        buckets: The plan's buckets.
        prefix: The run's prefix.
    """
    action = ACTIONS["list"]
    held = [bucket for bucket in buckets if action.allowed(identity, bucket)][:_DOORS]
    waits = PAUSES if held else {code: count for code, count in PAUSES.items() if code != "AccessDenied"}
    waited, in_a_row, needed = 0, 0, 1
    while True:
        answers = [action.attempt(Place(session, identity.name, bucket, prefix)) for bucket in held or buckets[:1]]
        found = next((answer for answer in answers if answer.ok), answers[0])
        in_a_row = in_a_row + 1 if found.ok else 0
        if in_a_row == needed or (not found.ok and waited >= waits.get(found.code or "", 0)):
            return found
        if not found.ok:
            needed = STEADY
        session.pause(PAUSE_SECONDS)
        waited += 1
