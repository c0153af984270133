"""What a change of taxonomy or config cannot do to what stands, and the steps that would do it.

The rule: object lock is given when a bucket is made and never taken off. The engine would say "update" and do nothing
(AIStor: pulumi-minio 0.17.1) or destroy the bucket to make another (AWS: `object_lock_enabled` replaces,
terraform-provider-aws issue 36529), so the program refuses before the engine is asked. Days within a band and moves
between hot and warm are done in place. Pure: what stands is read by `infra.standing`.
"""

from collections.abc import Collection, Iterable, Mapping

from model.plan import BucketPlan, StorePlan
from model.problems import Problem
from model.resources import TYPES, About, subject_of, types_about
from model.taxonomy import BandName

KEY_TYPES = types_about(About.KEY)
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
KEYS_PER_USER = 2
# A user or a key tells by which admin API all of an identity is managed.
MANAGED_BY = {TYPES[by][what]: by for by in ("v3", "v4") for what in (About.USER, About.KEY)}


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


def managed_by(types: Iterable[str]) -> frozenset[str]:
    """The admin APIs that manage identities of a state, given the types of its resources; none where it has none."""
    return frozenset(MANAGED_BY[kind] for kind in types if kind in MANAGED_BY)


def unswitched(held: Collection[str], wanted: str, where: str, stack: str) -> list[Problem]:
    """Identities that an update would make anew and then delete, because another admin API manages them.

    Args:
        held: By what the state's identities are managed (`managed_by`).
        wanted: What the config says.
        where: How a problem names the config.
        stack: The stack's name.
    """
    others = sorted(set(held) - {wanted})
    return [
        Problem(
            f"{where}adminApi",
            f"it says {wanted}, and the users, policies and keys of this stack are managed by {other}: an update would "
            "make them anew and delete the old ones, keys included",
            f"{other}, or {wanted} once the stack was moved",
            f"object-store switch-admin-api --stack {stack} --to {wanted}",
        )
        for other in others
    ]


def key_name(kind: str, urn: str) -> tuple[str, int] | None:
    """Whose key a resource is and of which generation; None for what is no key."""
    if kind not in KEY_TYPES:
        return None
    identity, ending = subject_of(kind, urn.rpartition("::")[2])
    return (identity, int(ending.rpartition("-")[2])) if ending else None


def generations_of(resources: Iterable[tuple[str, str]]) -> dict[str, frozenset[int]]:
    """By identity, the generations of its key that a state holds, given type and URN of its resources."""
    found: dict[str, set[int]] = {}
    for kind, urn in resources:
        named = key_name(kind, urn)
        if named is not None:
            found.setdefault(named[0], set()).add(named[1])
    return {identity: frozenset(generations) for identity, generations in found.items()}


def too_many_keys(plan: StorePlan, held: Mapping[str, Collection[int]], where: str, stack: str) -> list[Problem]:
    """Identities whose user would have more than two access keys while the update runs: new ones come before old go.

    Args:
        plan: What is wanted, on AWS.
        held: By identity, the generations that stand.
        where: How a problem names the config.
        stack: The stack's name.
    """
    problems = []
    for identity in plan.identities:
        if identity.trust is not None:
            continue
        standing = set(held.get(identity.name, ()))
        wanted = set(identity.credential.live)
        if len(standing | wanted) > KEYS_PER_USER and wanted - standing:
            keys = " and ".join(map(str, sorted(standing)))
            problems.append(
                Problem(
                    f"{where}credentials.{identity.name}",
                    f"generations {keys} of its key live, and AWS gives a user two access keys: there is no room for "
                    f"generation {max(wanted - standing)}",
                    f"{max(standing)}, with or without the one before, until one of the two is gone",
                    f"object-store keys retire {identity.name} --stack {stack}",
                )
            )
    return problems


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
            f"object-store adopt --stack {stack} (or, if an update was broken off: "
            f"object-store recover --stack {stack})",
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
