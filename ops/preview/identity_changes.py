"""What a change does to an identity: its key, its role, and its permissions.

The rule: a change that grants more on an existing bucket is a danger, and so is one that ends a credential without
overlap. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ops.preview.access import KINDS_OF_PUT, OVERWRITES, PUT, Allowed, Denied, words
from ops.preview.change import Aspect, Change, Risk
from ops.preview.shape import IdentityShape

_NAMES_ONLY = {"s3:ListAllMyBuckets"}


@dataclass(frozen=True)
class BucketNames:
    """The domain of each bucket, before and after, and the domains that exist on both sides."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    kept: frozenset[str]


def identity_changes(
    name: str, before: IdentityShape | None, after: IdentityShape | None, recreated: set[str], names: BucketNames
) -> list[Change]:
    """What happens to one identity.

    Args:
        name: Its name.
        before: The identity as the stack has it; None if it is new.
        after: The identity as it would be; None if it would be deleted.
        recreated: Identities whose user or key would be recreated.
        names: The domain of each bucket.
    """
    if after is None:
        return (
            [Change(name, f"identity would be DELETED; its {_means(before)} stops working", Risk.NOTICE, Aspect.WHOLE)]
            if before
            else []
        )
    changes = []
    if before is None:
        what = f"identity is new ({'user' if after.trusted is None else 'role'} {after.user_name})"
        changes.append(Change(name, what, Risk.SAFE, Aspect.WHOLE))
        before = replace(after, access=frozenset(), off=frozenset())
    elif (before.trusted is None) != (after.trusted is None):
        what = f"its {_means(before)} would be DELETED without overlap: a {_means(after)} takes its place"
        advice = "its callers need a token first: docs/oidc.md" if before.trusted is None else "deliver the key"
        changes.append(Change(name, what, Risk.DANGER, Aspect.WHOLE, advice))
    elif before.user_name != after.user_name or name in recreated:
        changes.append(
            Change(
                name, "credential would be REPLACED without overlap", Risk.DANGER, Aspect.WHOLE, "deliver the new one"
            )
        )
    else:
        changes += [*_keys(name, before.keys, after.keys), *_switches(name, before, after)]
        changes += _trusted(name, before.trusted or frozenset(), after.trusted or frozenset())
    if before.access is not None and after.access is not None:
        changes += _access(name, before.access, after.access, names)
        changes += _denied(name, before, after, names)
    elif before.access is not None:
        changes.append(Change(name, "its permissions are not known before the update", Risk.DANGER, Aspect.ACCESS))
    if before.tls_only is True and after.tls_only is False:
        changes.append(Change(name, "plain http is no longer refused", Risk.NOTICE, Aspect.ACCESS))
    elif before.tls_only is False and after.tls_only is True:
        changes.append(Change(name, "plain http is now refused", Risk.NOTICE, Aspect.ACCESS))
    return changes


def _means(identity: IdentityShape) -> str:
    """How it authenticates."""
    return "key" if identity.trusted is None else "role"


def _trusted(name: str, before: frozenset[str], after: frozenset[str]) -> list[Change]:
    """Who may assume an existing role."""
    return [
        *(Change(name, f"may now be assumed by {who}", Risk.DANGER, Aspect.TRUST) for who in sorted(after - before)),
        *(Change(name, f"may no longer be assumed by {w}", Risk.NOTICE, Aspect.TRUST) for w in sorted(before - after)),
    ]


def _keys(name: str, before: frozenset[str], after: frozenset[str]) -> list[Change]:
    gone, new = sorted(before - after), sorted(after - before)
    if not before & after and gone:
        return [
            Change(name, "credential would be REPLACED without overlap", Risk.DANGER, Aspect.KEY, "deliver the new one")
        ]
    # If no key exists, each workload holds an old key that no longer works.
    advice = "" if before else "deliver the new one"
    changes = [Change(name, f"{key} is created", Risk.SAFE, Aspect.KEY, advice) for key in new]
    return changes + [Change(name, f"{key} would be DELETED", Risk.NOTICE, Aspect.KEY) for key in gone]


def _switches(name: str, before: IdentityShape, after: IdentityShape) -> list[Change]:
    """An existing user or key that is switched on or off."""
    standing = {"user", *(before.keys & after.keys)}
    changes = []
    for word in sorted(standing & (before.off ^ after.off)):
        aspect = Aspect.USER if word == "user" else Aspect.KEY
        if word in after.off:
            changes.append(Change(name, f"{word} would be SWITCHED OFF", Risk.DANGER, aspect))
        else:
            advice = "check whether it was switched off on purpose"
            changes.append(Change(name, f"{word} is switched on again", Risk.NOTICE, aspect, advice))
    return changes


def _access(name: str, before: frozenset[Allowed], after: frozenset[Allowed], names: BucketNames) -> list[Change]:
    old, new = _by_domain(before, names.before), _by_domain(after, names.after)
    changes = []
    for domain in sorted({*old, *new}):
        held, wanted = old.get(domain, frozenset()), new.get(domain, frozenset())
        # The grants on a deleted bucket end with it.
        going = domain in names.before.values() and domain not in names.after.values()
        gained, lost = wanted - held, held - wanted
        if gained:
            fresh = domain in names.after.values() and domain not in names.kept
            # In a first deployment no bucket of the stack exists, and a list of bucket names reveals no contents.
            fresh |= not names.kept and all(pair.action in _NAMES_ONLY for pair in gained)
            what = f"may now {words(gained, wanted)} in {domain}"
            changes.append(Change(name, what, Risk.SAFE if fresh else Risk.DANGER, Aspect.ACCESS))
        if lost:
            what = f"may no longer {words(lost, held)} in {domain}"
            changes.append(Change(name, what, Risk.SAFE if going else Risk.NOTICE, Aspect.ACCESS))
    return changes


def _denied(name: str, before: IdentityShape, after: IdentityShape, names: BucketNames) -> list[Change]:
    """What the policies deny from now on, and no longer; a kind of put counts only where both sides may put."""
    old, new = (
        {Denied(domains.get(one.bucket, one.bucket), one.what) for one in side.denied}
        for side, domains in ((before, names.before), (after, names.after))
    )
    put_before, put_after = (
        {domains.get(pair.bucket, pair.bucket) for pair in side.access or () if pair.action == PUT}
        for side, domains in ((before, names.before), (after, names.after))
    )
    putting = put_before & put_after & names.kept
    more, less = (
        {one for one in side if one.what not in KINDS_OF_PUT or (one.bucket in putting if one.bucket else putting)}
        for side in (new - old, old - new)
    )
    changes = []
    cut_off = {one for one in more if one.what in OVERWRITES}
    if cut_off:
        # It cuts off a writer that sends no condition, and the condition is accepted before the update, too.
        advice = "let its writers send If-None-Match first (S3_WRITE_ONCE): docs/changes.md"
        changes.append(Change(name, f"is now refused: {_denials(cut_off)}", Risk.DANGER, Aspect.ACCESS, advice))
    if more - cut_off:
        changes.append(Change(name, f"is now refused: {_denials(more - cut_off)}", Risk.NOTICE, Aspect.ACCESS))
    if less:
        risk = Risk.DANGER if any(one.what in KINDS_OF_PUT for one in less) else Risk.NOTICE
        changes.append(Change(name, f"is no longer refused: {_denials(less)}", risk, Aspect.ACCESS))
    return changes


def _denials(pairs: Iterable[Denied]) -> str:
    """What is denied, with the domains where it is not everywhere."""
    domains: dict[str, list[str]] = {}
    for one in sorted(pairs):
        domains.setdefault(one.what, []).append(one.bucket)
    told = [what + (f" in {', '.join(names)}" if all(names) else "") for what, names in domains.items()]
    return "; ".join(sorted(told))


def _by_domain(pairs: Iterable[Allowed], names: Mapping[str, str]) -> dict[str, frozenset[Allowed]]:
    """Pairs by domain, without the bucket's name, because the bucket may have another name on the other side."""
    found: dict[str, set[Allowed]] = {}
    for pair in pairs:
        found.setdefault(names.get(pair.bucket, pair.bucket), set()).add(pair._replace(bucket=""))
    return {domain: frozenset(own) for domain, own in found.items()}
