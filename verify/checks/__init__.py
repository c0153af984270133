"""Checks: pure functions from (deployment, facts) to findings.

The rule: each check has an id of the form `thing_state`, belongs to one kind of resource and one part of the facts, and
compares with the declared value. `judge` runs every check that was selected; the three tables list all checks.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from model.deployment import Deployment
from model.plan import BucketPlan
from model.remedies import for_stack
from verify.answer_codes import BUSY, NO_ANSWER, SILENT
from verify.checks import configuration, evidence, exposure, grants, identities, locks, objects, settings
from verify.checks.finding import Finding, Status, Verdict
from verify.facts import BucketFacts, Facts
from verify.probe.actions import ACTIONS
from verify.selection import Part, Selection

__all__ = [
    "BUCKET_CHECKS",
    "GRANT_CHECKS",
    "STORE_CHECKS",
    "Check",
    "Finding",
    "Status",
    "Verdict",
    "judge",
    "parts_of",
]

BucketCheck = Callable[[Deployment, BucketPlan, BucketFacts], Verdict]
StoreCheck = Callable[[Deployment, Facts], Verdict]
STORE = "the store"
# Further codes of an answer that did not arrive complete.
_UNREACHED = (
    NO_ANSWER
    | BUSY
    | {"ConnectionResetError", "IncompleteRead", "RemoteDisconnected", "ResponseStreamingError", "TimeoutError"}
)
NO_FACTS_REMEDY = "the run gathered no facts of this bucket; run the verification again"


@dataclass(frozen=True)
class Check:
    """A check of one kind.

    Attributes:
        name: Its id.
        meaning: The fact that it proves.
        part: The part of the facts that it needs besides the configuration; None if it needs no other part.
    """

    name: str
    meaning: str
    part: Part | None


def _named(part: Part | None, *functions: Callable[..., Verdict]) -> dict[str, tuple[Check, Callable[..., Verdict]]]:
    return {f.__name__: (Check(f.__name__, (f.__doc__ or "").strip().splitlines()[0], part), f) for f in functions}


BUCKET_CHECKS: Mapping[str, tuple[Check, BucketCheck]] = {
    **_named(
        None,
        configuration.bucket_in_region,
        configuration.versioning_as_planned,
        configuration.lifecycle_as_planned,
        configuration.abort_multipart_as_planned,
        configuration.transition_as_planned,
        configuration.retention_as_planned,
        configuration.encryption_as_planned,
        configuration.ownership_enforced,
        configuration.policy_as_planned,
    ),
    **_named(
        Part.SMOKE,
        configuration.expiry_announced,
        objects.object_uploaded,
        objects.object_read_back,
        objects.object_listed,
        objects.object_presigned,
        objects.object_deleted,
        locks.retention_applied,
    ),
    **_named(
        Part.OBJECTS,
        objects.sizes_survive,
        objects.multipart_survives,
        objects.keys_survive,
        objects.odd_keys_refused,
        objects.metadata_survives,
        objects.overwrite_refused_on_condition,
        objects.range_read,
        objects.listing_complete,
    ),
    **_named(
        Part.LOCK,
        locks.old_version_kept_on_overwrite,
        locks.old_version_kept_on_delete,
        locks.version_delete_refused,
        locks.lock_bypass_refused,
        locks.retention_shortening_refused,
    ),
    **_named(
        Part.LINKS,
        objects.presign_works,
        objects.tampered_presign_refused,
        objects.expired_presign_refused,
        objects.presign_bound_to_key,
        objects.presign_bound_to_method,
        objects.long_presign_refused,
    ),
    **_named(
        Part.STRANGERS,
        configuration.public_access_blocked,
        exposure.anonymous_refused,
        exposure.plain_http_refused,
        exposure.verifier_confined,
    ),
    **_named(Part.AUDIT, settings.settings_audited, settings.held_versions_audited),
    **_named(None, objects.probes_removed),
}
STORE_CHECKS: Mapping[str, tuple[Check, StoreCheck]] = {
    **_named(None, exposure.endpoint_reached, exposure.certificate_valid, exposure.names_as_convention),
    **_named(
        Part.STORE,
        exposure.declared_buckets_present,
        exposure.undeclared_buckets_absent,
        exposure.default_keys_refused,
        exposure.admin_api_refused,
        exposure.other_stacks_refused,
    ),
    **_named(
        Part.AUDIT,
        identities.grants_audited,
        identities.others_audited,
        identities.keys_audited,
        identities.trusts_audited,
    ),
}
GRANT_CHECKS: Mapping[str, Check] = {
    f"{action.name}_as_granted": Check(
        f"{action.name}_as_granted",
        f"{action.name.replace('_', ' ')}: allowed exactly where the plan grants it.",
        Part.GRANTS,
    )
    for action in ACTIONS.values()
}


def parts_of(names: Iterable[str]) -> frozenset[Part]:
    """The parts of the facts that these checks need."""
    known = {
        **{name: check for name, (check, _) in (*BUCKET_CHECKS.items(), *STORE_CHECKS.items())},
        **GRANT_CHECKS,
    }
    return frozenset(part for name in names if (part := known[name].part) is not None)


def judge(
    deployment: Deployment, facts: Facts, selection: Selection, only: frozenset[str] | None = None
) -> list[Finding]:
    """Every finding of the selected checks.

    Args:
        deployment: What the store should be.
        facts: What the store is.
        selection: Which facts were gathered.
        only: The checks to run; None for all checks of the gathered parts.
    """

    def asked(check: Check) -> bool:
        return (only is None or check.name in only) and (check.part is None or check.part in selection.parts)

    known = evidence.let_in(facts)
    found = [
        _finding(check.name, STORE, evidence.weighed(function(deployment, facts), known))
        for check, function in STORE_CHECKS.values()
        if asked(check)
    ]
    for bucket in selection.chosen(deployment.plan):
        verdicts = {
            check.name: evidence.weighed(_bucket_verdict(function, deployment, bucket, facts), known)
            for check, function in BUCKET_CHECKS.values()
            if asked(check)
        }
        found += [_finding(name, bucket.name, verdict, bucket=bucket.name) for name, verdict in verdicts.items()]
    if Part.GRANTS in selection.parts:
        found += _grant_findings(deployment, facts, known, selection, only)
    codes = {SILENT} | (_UNREACHED if facts.gave_up else set())
    told = [replace(finding, remedy=for_stack(finding.remedy, deployment.stack)) for finding in found]
    return [_unless_silent(finding, codes) for finding in told]


def _unless_silent(finding: Finding, codes: AbstractSet[str]) -> Finding:
    """A check that got no answer from a server that stopped answering does not fail; `endpoint_reached` fails instead.

    `probes_removed` fails nevertheless, because objects that the run could not remove are still there.
    """
    parts = finding.found.split("; ")
    silent = all(any(f"{code}: " in part for code in codes) for part in parts)
    if finding.status is Status.FAIL and silent and finding.check != "probes_removed":
        return replace(finding, status=Status.NOT_ASKED, remedy="")
    return finding


def _bucket_verdict(function: BucketCheck, deployment: Deployment, bucket: BucketPlan, facts: Facts) -> Verdict:
    if not facts.door.open:
        return Verdict(Status.NOT_ASKED, "facts", "no request was sent: no trusted answer from the endpoint")
    if bucket.name not in facts.buckets:
        return Verdict(Status.FAIL, "facts", "none", NO_FACTS_REMEDY)
    return function(deployment, bucket, facts.buckets[bucket.name])


def _grant_findings(
    deployment: Deployment, facts: Facts, known: AbstractSet[str], selection: Selection, only: frozenset[str] | None
) -> list[Finding]:
    found = []
    for identity, bucket in selection.cells(deployment.plan):
        verdicts = grants.judge_cell(deployment, facts, identity, bucket)
        if not verdicts and facts.door.open:
            verdicts = dict.fromkeys(ACTIONS, Verdict(Status.FAIL, "facts", "none", NO_FACTS_REMEDY))
        found += [
            _finding(
                f"{action}_as_granted",
                f"{identity.name} in {bucket.name}",
                evidence.weighed(verdict, known),
                bucket=bucket.name,
                identity=identity.name,
                action=action,
            )
            for action, verdict in verdicts.items()
            if only is None or f"{action}_as_granted" in only
        ]
    return found


def _finding(
    check: str,
    resource: str,
    verdict: Verdict,
    *,
    bucket: str | None = None,
    identity: str | None = None,
    action: str | None = None,
) -> Finding:
    return Finding(
        check, resource, verdict.status, verdict.wanted, verdict.found, verdict.remedy, bucket, identity, action
    )
