"""What a check says, and the words that checks share.

The rule: PASS, FAIL or CANNOT TELL. CANNOT TELL is never counted as PASS and never used where the backend can tell: it
stands only for what the deployment itself lists as unsupported, or for what cannot be tried without harm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from verify.facts import NOT_TRIED, Answer

UP = "`pulumi up --refresh` puts it right"
LOOK_POLICY = "look at the verifier's policy and at the server"
SEE_TRUST = "give it a token that its role trusts: docs/oidc.md"
NO_WRITER = "put by the verifier, because no role that may put here could be assumed"
STAND_IN = "put by the verifier under a short governance lock"
NO_WORKLOAD = (
    "in COMPLIANCE mode nobody could remove a workload's probe before its date, so none is put; "
    "`--leave-locked-probe` puts one and leaves it there"
)
RENEW = "look at the policy and the key of {0}: `pulumi up --refresh` renews both"


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
        status: The verdict; NOT_ASKED where the plan asks nothing of the kind.
        wanted: What the plan says.
        found: What the store says.
        remedy: One sentence that says what to do; with PASS it is a warning.
    """

    status: Status
    wanted: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Finding:
    """A verdict and where it belongs.

    Attributes:
        check: The check's id, `thing_state`.
        resource: What it is about: a bucket, an identity, an identity in a bucket, or the store.
        status: The verdict.
        wanted: What the plan says.
        found: What the store says.
        remedy: One sentence that says what to do; with PASS it is a warning.
        bucket: The bucket's name, where it is about one.
        identity: The identity's name, where it is about one.
        action: The action of the matrix, where it is about one.
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
        """The whole finding in one sentence or two."""
        return f"{self.resource}: {self.check}: {self.status}: wanted {self.wanted}, found {self.found}. {self.remedy}"


def judged(right: bool, wanted: str, found: str, remedy: str) -> Verdict:  # noqa: FBT001 - the verdict itself
    """PASS where it is right, else FAIL with what to do."""
    return Verdict(Status.PASS, wanted, found) if right else fail(wanted, found, remedy)


def fail(wanted: str, found: str, remedy: str) -> Verdict:
    """FAIL, with what to do."""
    return Verdict(Status.FAIL, wanted, found, remedy)


def cannot_tell(wanted: str, reason: str, remedy: str = "") -> Verdict:
    """CANNOT TELL, with the backend's limit as what was found."""
    return Verdict(Status.CANNOT_TELL, wanted, reason, remedy)


def not_asked(why: str) -> Verdict:
    """The plan asks nothing of the kind."""
    return Verdict(Status.NOT_ASKED, "nothing", why)


def all_refused(answers: Mapping[str, Answer[Any]], codes: frozenset[str], wanted: str, remedy: str) -> Verdict:
    """PASS where each answer is a refusal by one of the codes; the found text names every other.

    Where all that were tried are refused but not all were tried, CANNOT TELL says why.
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
    return judged(not wrong, f"{wanted} ({' or '.join(sorted(codes))})", found or "nobody tried", remedy)


def outcome(answer: Answer[Any]) -> str:
    """What became of an attempt, in words."""
    return "it was let in" if answer.ok else str(answer)
