"""The result of a check, and the sentences that checks share.

The rule: PASS, FAIL or CANNOT TELL. CANNOT TELL never counts as PASS, and is never used where the backend can tell. It
is only for what the deployment lists as unsupported, and for what cannot be tried without harm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from model.deployment import Deployment
from model.remedies import Remedy
from verify.facts import NOT_TRIED, Answer

UP = f"run {Remedy.EITHER} to restore the planned state"
LOOK_POLICY = "check the verifier's policy and the server"
SEE_TRUST = "provide a token that the identity's role trusts: see docs/oidc.md"
NO_WRITER = "the verifier put the object, because no role that may put here could be assumed"
STAND_IN = "the verifier put the object under a short governance lock"
NO_WORKLOAD = (
    "in COMPLIANCE mode a workload's probe cannot be removed before its retention ends, so the run puts none; "
    "`--leave-locked-probe` puts one and leaves it there"
)
RENEW = f"check the policy and the access key of {{0}}; {Remedy.EITHER} restore both"


@unique
class Status(StrEnum):
    """The verdict of a check."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    CANNOT_TELL = "CANNOT TELL"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        status: The verdict; NOT_ASKED if the check does not apply or was not run.
        wanted: What the plan says.
        found: What the store says.
        remedy: One sentence that says what to do; with PASS it is a warning.
        leans_on: The identities on whose refusals a PASS leans; see `verify.checks.evidence`.
    """

    status: Status
    wanted: str
    found: str
    remedy: str = ""
    leans_on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finding:
    """A verdict and the resource that it is about.

    Attributes:
        check: The check's id, `thing_state`.
        resource: What it is about: a bucket, an identity, an identity in a bucket, or the store.
        status: The verdict.
        wanted: What the plan says.
        found: What the store says.
        remedy: One sentence that says what to do; with PASS it is a warning.
        bucket: The bucket's name, if it is about one.
        identity: The identity's name, if it is about one.
        action: The action of the matrix, if it is about one.
    """

    check: str
    resource: str
    status: Status
    wanted: str
    found: str
    remedy: str = ""
    bucket: str | None = None
    identity: str | None = None
    action: str | None = None

    def __str__(self) -> str:
        """The whole finding in one or two sentences."""
        return f"{self.resource}: {self.check}: {self.status}: wanted {self.wanted}, found {self.found}. {self.remedy}"


def judged(right: bool, wanted: str, found: str, remedy: str, leans_on: Iterable[str] = ()) -> Verdict:  # noqa: FBT001 - the verdict itself
    """PASS if `right`, else FAIL with the remedy."""
    if not right:
        return fail(wanted, found, remedy)
    return Verdict(Status.PASS, wanted, found, leans_on=frozenset(leans_on))


def fail(wanted: str, found: str, remedy: str) -> Verdict:
    """FAIL, with the remedy."""
    return Verdict(Status.FAIL, wanted, found, remedy)


def cannot_tell(wanted: str, reason: str, remedy: str = "") -> Verdict:
    """CANNOT TELL, with the reason as `found`."""
    return Verdict(Status.CANNOT_TELL, wanted, reason, remedy)


def not_asked(why: str) -> Verdict:
    """Not asked, with the reason as `found`."""
    return Verdict(Status.NOT_ASKED, "nothing", why)


def all_refused(
    answers: Mapping[str, Answer[Any]],
    codes: frozenset[str],
    wanted: str,
    remedy: str,
    leans_on: Iterable[str] | None = None,
) -> Verdict:
    """PASS if every answer is a refusal with one of the codes; `found` names each answer that is not.

    If every attempt was refused but some were not made, the verdict is CANNOT TELL with the reason. The PASS leans on
    `leans_on`; without it the answers are by identity, and it leans on each of them.
    """
    untried = {who: answer for who, answer in answers.items() if answer.code == NOT_TRIED}
    wrong = {who: answer for who, answer in answers.items() if answer.code not in codes and who not in untried}
    if untried and not wrong:
        return cannot_tell(
            f"{wanted} ({' or '.join(sorted(codes))})",
            "; ".join(answer.said for answer in untried.values()),
            SEE_TRUST,
        )
    found = "; ".join(f"{who}: {outcome(answer)}" for who, answer in wrong.items())
    if not wrong:
        by_code = {code: [who for who, answer in answers.items() if answer.code == code] for code in sorted(codes)}
        found = "; ".join(f"{code} to {', '.join(who)}" for code, who in by_code.items() if who)
    wanted = f"{wanted} ({' or '.join(sorted(codes))})"
    return judged(not wrong, wanted, found or "no attempt was made", remedy, answers if leans_on is None else leans_on)


def verifiers(deployment: Deployment) -> frozenset[str]:
    """The verifier's name: it signs what is compared with a request without a signature."""
    verifier = deployment.plan.verifier
    return frozenset() if verifier is None else frozenset({verifier.name})


def outcome(answer: Answer[Any]) -> str:
    """The result of an attempt, in words."""
    return "allowed" if answer.ok else str(answer)
