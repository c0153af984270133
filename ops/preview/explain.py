"""Compares two shapes and describes each change in the project's words, with its risk.

The rule: `danger` is a change that can lose data, expose it, or cut off a workload: a bucket deleted or replaced,
expiry introduced or shortened, retention shortened or weakened, versioning suspended, a grant widened, public access, a
credential replaced without overlap or by a role, a role's trust widened, protection removed. A grant on a bucket that
the same change creates is not a danger, because the bucket is empty. Pure. Changes that only the engine knows arrive as
`Touched`, and each of them is reported.
"""

from collections.abc import Iterable, Mapping

from ops.preview.bucket_changes import band_of, bucket_changes
from ops.preview.change import Aspect, Change, Risk, Touched
from ops.preview.identity_changes import BucketNames, identity_changes
from ops.preview.shape import BucketShape, StoreShape

_TAGS = {"tags", "tagsAll"}
# The inputs of our own resources that say how to reach the server.
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
    """Every change, the dangers first.

    Args:
        before: The stack as it is.
        after: The stack as it would be.
        renamed: From the former to the present domain, for buckets that are kept.
        replaced: Domains whose bucket, and identities whose user or key, would be recreated.
        touched: Every resource that the engine would change; those that no sentence covers are listed by name.
        further: Changes known from another source.
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
    """If one bucket disappears and a new one of the same band appears, it may be a rename."""
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
    """Changes of the engine that no sentence covers."""
    covered = {(change.subject, change.aspect) for change in changes}
    said = []
    for item in touched:
        if {(item.subject, item.aspect), (item.subject, Aspect.WHOLE)} & covered:
            continue
        said.append(_by_name(item))
    # A sentence that holds for user, access and key alike appears once.
    return list(dict.fromkeys(said))


def _by_name(item: Touched) -> Change:
    """A resource's change, described only by the names of its inputs."""
    if item.operation == "update" and item.properties and set(item.properties) <= _TAGS:
        return Change(item.subject, "its tags change", Risk.SAFE, item.aspect)
    of_ours = item.aspect is not Aspect.CONNECTION  # a change of a provider's own region is described below
    if of_ours and item.operation == "update" and item.properties and set(item.properties) <= _WAY:
        what = f"its connection changes ({', '.join(item.properties)}); the resource itself does not"
        return Change(item.subject, what, Risk.SAFE, Aspect.CONNECTION)
    if item.operation == "update" and item.aspect is Aspect.ACCESS and set(item.properties) <= {"policy", *_TAGS}:
        what = "its policy is rewritten; what it allows does not change"
        return Change(item.subject, what, Risk.SAFE, item.aspect)
    what = {"create": "is created", "delete": "would be DELETED", "replace": "would be REPLACED"}.get(
        item.operation, "is updated"
    )
    inputs = f" ({', '.join(item.properties)})" if item.properties else ""
    risk = Risk.NOTICE if item.operation in ("delete", "replace") else Risk.SAFE
    return Change(item.subject, f"{item.aspect} {what}{inputs}", risk, item.aspect)
