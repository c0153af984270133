"""The pack as a whole. The rule: every policy is mandatory; what may be looser says so in its own config."""

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
    """Serve the engine until it ends this process."""
    PolicyPack(NAME, POLICIES, enforcement_level=EnforcementLevel.MANDATORY)
