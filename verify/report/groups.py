"""The groups of checks: the columns of the reports.

The rule: a check belongs to the group of what it proves, regardless of where its facts come from.
"""

from collections.abc import Mapping
from enum import StrEnum, unique

from verify.checks import BUCKET_CHECKS, GRANT_CHECKS, STORE_CHECKS, Check
from verify.selection import Part


@unique
class Group(StrEnum):
    """What a check is about; each group is a column of the reports."""

    CONFIGURATION = "configuration"
    DATA_PATH = "data path"
    LINKS = "links"
    IMMUTABILITY = "immutability"
    EXPOSURE = "exposure"
    GRANTS = "grants"
    AUDIT = "audit"
    STORE = "store"


_BY_PART: Mapping[Part | None, Group] = {
    None: Group.CONFIGURATION,
    Part.SMOKE: Group.DATA_PATH,
    Part.OBJECTS: Group.DATA_PATH,
    Part.LINKS: Group.LINKS,
    Part.LOCK: Group.IMMUTABILITY,
    Part.STRANGERS: Group.EXPOSURE,
    Part.GRANTS: Group.GRANTS,
    Part.AUDIT: Group.AUDIT,
}
# Checks whose facts belong to another part than the one that the check is about.
_ELSEWHERE: Mapping[str, Group] = {
    "expiry_announced": Group.CONFIGURATION,
    "object_presigned": Group.LINKS,
    "ownership_enforced": Group.EXPOSURE,
    "policy_as_planned": Group.EXPOSURE,
    "probes_removed": Group.DATA_PATH,
    "retention_applied": Group.IMMUTABILITY,
}
CHECKS: Mapping[str, Check] = {
    **{name: check for name, (check, _) in STORE_CHECKS.items()},
    **{name: check for name, (check, _) in BUCKET_CHECKS.items()},
    **GRANT_CHECKS,
}
GROUP_OF: Mapping[str, Group] = {
    name: Group.STORE if name in STORE_CHECKS else _ELSEWHERE.get(name, _BY_PART[check.part])
    for name, check in CHECKS.items()
}
