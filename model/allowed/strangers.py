"""What the policies of buckets, or a role's trust policy, allow principals that the plan does not name.

The rule: everyone whom a live document names is asked about by name, then a principal that none names, then an
anonymous caller. Together these are all principals, because a document tells no others apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.allowed.decide import Access, more_allowed
from model.allowed.statements import EVERYBODY, statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model.allowed.decide import Request
    from model.allowed.statements import Cloud, Document

#: A principal that no document names: the account does not exist.
STRANGER = "arn:aws:iam::000000000000:user/stranger"


def for_strangers(
    live: Mapping[str, Document],
    planned: Mapping[str, Document],
    cloud: Cloud,
    declared: frozenset[str] = frozenset(),
) -> Iterator[Request]:
    """One request for each principal outside the plan that may do more than planned.

    Args:
        live: By bucket, its policy; under the empty name, a role's trust policy.
        planned: The same by plan.
        cloud: Whose rules hold.
        declared: The ARNs that are decided elsewhere, with everything that governs them, and the root of the own
            account, which only delegates.
    """
    for name in [*sorted(_named(live, cloud) - declared), STRANGER]:
        if cloud == "aws":
            have, want = (Access(name, cloud, (), one, frozenset((name,))) for one in (live, planned))
            if (found := more_allowed(have, want)) is not None:
                yield found
    if (found := more_allowed(Access("", cloud, (), live), Access("", cloud, (), planned))) is not None:
        yield found


def same_for_everybody(live: Document, planned: Document, bucket: str, cloud: Cloud) -> bool:
    """Whether two policies of a bucket allow and deny everybody the same, beside all else that allows it."""
    sides = {bucket: live}, {bucket: planned}
    names = [*sorted(_named(sides[0], cloud) | _named(sides[1], cloud)), STRANGER] if cloud == "aws" else []
    for name in (*names, ""):
        for layers in ((), _EVERYTHING) if name else ((),):
            have, want = (Access(name, cloud, layers, one, frozenset({name} if name else ())) for one in sides)
            if more_allowed(have, want) is not None or more_allowed(want, have) is not None:
                return False
    return True


#: What lets a principal do everything that a bucket's policy does not deny.
_EVERYTHING = (({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},),)


def _named(documents: Mapping[str, Document], cloud: Cloud) -> set[str]:
    found = {
        name
        for document in documents.values()
        for one in statements(document, cloud, {}, of_resource=True)
        for name in (*(one.principals or ()), *one.not_principals)
    }
    return found - {EVERYBODY}
