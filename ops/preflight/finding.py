"""The finding of a preflight check.

The rule: STOP means that the next command would fail or do harm. WARN means that a person should know it, or that the
check has no answer (its found text begins with `cannot tell`). What harms only a refresh is a STOP before a refresh and
a WARN before `pulumi up`, because a plain `up` repairs it.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Literal

from ops.preflight.facts import NOT_ASKED
from verify.facts import Answer

Before = Literal["up", "refresh"]


@unique
class Level(StrEnum):
    """The verdict of a check."""

    PASS = "PASS"  # noqa: S105 - a verdict
    WARN = "WARN"
    STOP = "STOP"


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        check: Its id, `thing_state`.
        level: The verdict.
        wanted: The required condition.
        found: The actual condition.
        remedy: What to do; empty with PASS, and if another finding says it.
    """

    check: str
    level: Level
    wanted: str
    found: str
    remedy: str = ""


def passed(check: str, wanted: str, found: str) -> Finding:
    """PASS."""
    return Finding(check, Level.PASS, wanted, found)


def untold(check: str, wanted: str, answer: Answer[Any]) -> Finding:
    """WARN, because the question was not asked or the answer decides nothing."""
    if answer.code == NOT_ASKED:
        return Finding(check, Level.WARN, wanted, f"cannot tell: {answer.said}")
    remedy = "fix every STOP, then run the preflight again"
    return Finding(check, Level.WARN, wanted, f"cannot tell: {answer.code}", remedy)


def harms_refresh(before: Before) -> Level:
    """The level of a problem that harms only a refresh."""
    return Level.STOP if before == "refresh" else Level.WARN
