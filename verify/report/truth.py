"""Who may do what, by plan and in truth: one line for each identity, and for everybody else who reaches a bucket. Pure.

The rule: it shows what the audit found; without an auditor there are no lines. The heat map beside it shows what was
tried.
"""

from dataclasses import dataclass

from model.deployment import Deployment
from verify.checks import identities
from verify.checks.finding import Status
from verify.facts import Facts


@dataclass(frozen=True)
class TruthLine:
    """One identity.

    Attributes:
        who: Its name.
        planned: What the plan grants it.
        truth: What it may do in truth.
        status: PASS if both are the same, CANNOT TELL if something could not be read.
    """

    who: str
    planned: str
    truth: str
    status: Status


def truth_lines(deployment: Deployment, facts: Facts) -> tuple[TruthLine, ...]:
    """The lines, those of the plan first; none if the audit read nothing."""
    audit = facts.audit
    if audit is None or audit.why_not or not audit.principals.ok:
        return ()
    holders = [*identities.declared(deployment, facts), *identities.others(deployment, facts)]
    return tuple(_line(one) for one in holders)


def _line(one: identities.Holder) -> TruthLine:
    status = Status.FAIL if one.differences else Status.CANNOT_TELL if one.unread else Status.PASS
    return TruthLine(one.name, one.planned or "nothing", one.truth, status)
