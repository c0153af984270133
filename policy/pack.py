"""The whole pack. The rule: every policy is mandatory; a policy that may be relaxed has a config option for it."""

from pulumi_policy import EnforcementLevel, Policy, PolicyPack

from policy import access, buckets, documents, lifecycle, retention, trust

NAME = "joelclaw-object-store"
POLICIES: list[Policy] = [
    *buckets.POLICIES,
    *lifecycle.POLICIES,
    *retention.POLICIES,
    *documents.POLICIES,
    *access.POLICIES,
    *trust.POLICIES,
]


def serve() -> None:
    """Serve the engine until the engine ends this process."""
    PolicyPack(NAME, POLICIES, enforcement_level=EnforcementLevel.MANDATORY)
