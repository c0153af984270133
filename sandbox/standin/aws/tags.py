"""Tags: a resource has its own tags, which override the provider's default tags.

The one rule: `tagsAll` is computed before Check, so it is one of the inputs. Tags from the server are split again: a
default tag on the server is not one of the resource's own tags. Left out: `ignoreTags`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypedDict

from sandbox.standin.values import UNKNOWN, Bag, has_unknown

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import TagTypeDef


class Tag(TypedDict):
    """A tag in AWS's own form."""

    Key: str
    Value: str


def with_all_tags(inputs: Mapping[str, object], default_tags: Mapping[str, str]) -> Bag:
    """Return the inputs with `tagsAll`, as the AWS provider's own hook before Check does."""
    own = inputs.get("tags")
    if own is UNKNOWN or has_unknown(own):
        return {**inputs, "tagsAll": UNKNOWN}
    return {**inputs, "tagsAll": {**default_tags, **(own if isinstance(own, Mapping) else {})}}


def listed(tags: object) -> list[Tag]:
    """Return tags in AWS's own form, in a fixed order."""
    if not isinstance(tags, Mapping):
        return []
    return [Tag(Key=key, Value=str(tags[key])) for key in sorted(tags)]


def read_back(found: Iterable[Tag | TagTypeDef], default_tags: Mapping[str, str], own: object) -> Bag:
    """Return `tags` and `tagsAll` for the tags on the server.

    `tags` omits a tag that equals the provider's default, unless the resource itself gives it.
    """
    everything = {tag["Key"]: tag["Value"] for tag in found}
    declared = own if isinstance(own, Mapping) else {}
    mine = {key: value for key, value in everything.items() if key in declared or default_tags.get(key) != value}
    return {"tags": mine, "tagsAll": everything}


def changes(state: Bag, planned: Bag) -> tuple[list[str], dict[str, str]]:
    """Return the tags to remove and the tags to set."""
    before, after = state.get("tagsAll") or {}, planned.get("tagsAll") or {}
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return sorted(before.keys() - after.keys()), changed
