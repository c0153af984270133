"""Two shapes compared: each change in the project's words, with its risk.

The rule: `danger` is what can lose data, open it or cut a workload off: a bucket deleted or replaced, expiry
introduced or shortened, retention shortened or weakened, versioning suspended, a grant widened, public access, a
credential replaced without overlap or by a role, a role's trust widened, protection taken off. A grant on a bucket
that this very change makes is no danger: nothing is in it. Pure; what the engine alone knows comes as `Touched` and is
never dropped unsaid.
"""

from collections.abc import Iterable, Mapping

from ops.preview.bucket_changes import band_of, bucket_changes
from ops.preview.change import Aspect, Change, Risk, Touched
from ops.preview.identity_changes import BucketNames, identity_changes
from ops.preview.shape import BucketShape, StoreShape

_TAGS = {"tags", "tagsAll"}
# What our own resources have of the way to the server.
_WAY = {"endpoint", "region", "caPem", "ca_pem"}


def explain(
    before: StoreShape,
    after: StoreShape,
    *,
    renamed: Mapping[str, str] | None = None,
    replaced: Iterable[str] = (),
    touched: Iterable[Touched] = (),
    further: Iterable[Change] = (),
) -> list[Change]:
    """Every change, the dangerous first.

    Args:
        before: What the stack has.
        after: What it would have.
        renamed: Former to present domain, of buckets that are kept.
        replaced: Domains whose bucket, and identities whose user or key, would be made anew.
        touched: All that the engine would change; what no sentence covers is said by name.
        further: What is known from elsewhere.
    """
    present = dict(renamed or {})
    buckets = {present.get(domain, domain): bucket for domain, bucket in before.buckets.items()}
    anew = set(replaced)
    changes = [
        Change(new, f"renamed from {old}; its bucket {buckets[new].name} is kept", Risk.SAFE, Aspect.OTHER)
        for old, new in present.items()
        if new not in anew and new in after.buckets and buckets[new].name == after.buckets[new].name
    ]
    for domain in sorted({*buckets, *after.buckets}):
        changes += bucket_changes(domain, buckets.get(domain), after.buckets.get(domain), anew)
    changes += _rename_advice(changes, buckets, after.buckets)
    names = BucketNames(
        {bucket.name: domain for domain, bucket in buckets.items()},
        {bucket.name: bucket.domain for bucket in after.buckets.values()},
        frozenset(buckets) & frozenset(after.buckets),
    )
    for name in sorted({*before.identities, *after.identities}):
        changes += identity_changes(name, before.identities.get(name), after.identities.get(name), anew, names)
    changes += [*_unsaid(changes, touched), *further]
    order = list(Risk)
    return sorted(_distinct(changes), key=lambda change: (-order.index(change.risk), change.subject))


def _distinct(changes: Iterable[Change]) -> list[Change]:
    found: dict[str, Change] = {}
    for change in changes:
        found.setdefault(change.sentence, change)
    return list(found.values())


def _rename_advice(
    changes: Iterable[Change], before: Mapping[str, BucketShape], after: Mapping[str, BucketShape]
) -> list[Change]:
    """Where one bucket goes and another of its band comes, it may be a rename."""
    gone = [change.subject for change in changes if change.subject in before and change.subject not in after]
    new = [change.subject for change in changes if change.subject in after and change.subject not in before]
    if len(gone) != 1 or len(new) != 1 or band_of(before[gone[0]]) is not band_of(after[new[0]]):
        return []
    return [
        Change(
            new[0],
            f"is it {gone[0]} under a new name?",
            Risk.NOTICE,
            Aspect.OTHER,
            f"`renamed_from: {gone[0]}` under domains.{new[0]} keeps the bucket",
        )
    ]


def _unsaid(changes: Iterable[Change], touched: Iterable[Touched]) -> list[Change]:
    """What the engine would change and no sentence covers."""
    covered = {(change.subject, change.aspect) for change in changes}
    said = []
    for item in touched:
        if {(item.subject, item.aspect), (item.subject, Aspect.WHOLE)} & covered:
            continue
        said.append(_by_name(item))
    # What is said of user, access and key alike is said once.
    return list(dict.fromkeys(said))


def _by_name(item: Touched) -> Change:
    """What is left to say of a resource: that it changes, and which of its inputs."""
    if item.operation == "update" and item.properties and set(item.properties) <= _TAGS:
        return Change(item.subject, "its tags change", Risk.SAFE, item.aspect)
    of_ours = item.aspect is not Aspect.CONNECTION  # a provider's own region is said as that
    if of_ours and item.operation == "update" and item.properties and set(item.properties) <= _WAY:
        what = f"is reached another way ({', '.join(item.properties)}), and stays as it is"
        return Change(item.subject, what, Risk.SAFE, Aspect.CONNECTION)
    if item.operation == "update" and item.aspect is Aspect.ACCESS and set(item.properties) <= {"policy", *_TAGS}:
        what = "its policy is written anew, what it allows does not change"
        return Change(item.subject, what, Risk.SAFE, item.aspect)
    what = {"create": "is made", "delete": "would be DELETED", "replace": "would be REPLACED"}.get(
        item.operation, "is updated"
    )
    inputs = f" ({', '.join(item.properties)})" if item.properties else ""
    risk = Risk.NOTICE if item.operation in ("delete", "replace") else Risk.SAFE
    return Change(item.subject, f"{item.aspect} {what}{inputs}", risk, item.aspect)
