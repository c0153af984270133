"""What a change of the taxonomy cannot do to a bucket that stands, and the steps that would do it.

The rule: object lock is given when a bucket is made and never taken off. The engine would say "update" and do nothing
(AIStor: pulumi-minio 0.17.1) or destroy the bucket to make another (AWS: `object_lock_enabled` replaces,
terraform-provider-aws issue 36529), so the program refuses before the engine is asked. Days within a band and moves
between hot and warm are done in place. Pure: what stands is read by `infra.standing`.
"""

from collections.abc import Collection, Mapping

from infra.plan import BucketPlan, StorePlan
from infra.problems import Problem
from infra.taxonomy import BandName


def impossible_moves(plan: StorePlan, locked: Mapping[str, bool]) -> list[Problem]:
    """The buckets whose lock would have to change.

    Args:
        plan: What is wanted.
        locked: The buckets of the stack as it is, by name: made with object lock or not.
    """
    return [
        _lock_problem(bucket)
        for bucket in plan.buckets
        if bucket.name in locked and locked[bucket.name] != bucket.locked
    ]


def already_there(found: Collection[str], stack: str) -> list[Problem]:
    """The buckets that exist on the server and not in the stack.

    Creating them would fail or, on AWS in us-east-1, silently take them over:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html (BucketAlreadyOwnedByYou).
    """
    return [
        Problem(
            name,
            "the bucket exists already, and the stack does not know it",
            "a bucket that the stack made or adopted, or a name that is free",
            f"python -m infra.adopt --stack {stack} (or, if an update was broken off: "
            f"python -m infra.recover --stack {stack})",
        )
        for name in sorted(found)
    ]


def _lock_problem(bucket: BucketPlan) -> Problem:
    domain = bucket.domain
    if bucket.locked:
        wrong = f"{bucket.name} stands without object lock, and a bucket gets it only when it is made"
        legal = "hot or warm for this domain; cold for a new one"
        new = f"{domain}-locked: {{band: cold}}"
    else:
        wrong = f"{bucket.name} stands with object lock, which cannot be taken off: it cannot leave the cold band"
        legal = "cold for this domain; another band for a new one"
        days = "" if bucket.band is BandName.HOT else ", expire_after_days: 180"
        new = f"{domain}-{bucket.band}: {{band: {bucket.band}{days}}}"
    name = new.partition(":")[0]
    return Problem(
        f"domains.{domain}.band",
        wrong,
        legal,
        f"1. {domain}: its former band, and a new domain beside it, {new}, with the same grants; pulumi up\n"
        f"         2. copy the objects: rclone copy --metadata OLD:{bucket.name} NEW:(the bucket of {name})\n"
        f"         3. lead the writers and readers to {name}\n"
        f"         4. when nothing reads {domain} any more, remove it and its grants"
        + ("" if bucket.locked else "; its locked versions stay until their retention ends"),
    )
