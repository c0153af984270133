"""What a check of the preflight says.

The rule: STOP stands for what would fail or do harm, WARN for what a person should know and for what could not be told
(its found text begins with `cannot tell`). What would harm a refresh only stops a refresh: before `pulumi up` it is a
WARN, because a plain `up` is what mends it.
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
    """What a check found.

    Attributes:
        check: Its id, `thing_state`.
        level: The verdict.
        wanted: What ought to be.
        found: What is.
        remedy: What to do; empty with PASS, and where another finding says it.
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
    """WARN, because it could not be asked or the answer says nothing."""
    if answer.code == NOT_ASKED:
        return Finding(check, Level.WARN, wanted, f"cannot tell: {answer.said}")
    remedy = "mend what stops, then run the preflight again"
    return Finding(check, Level.WARN, wanted, f"cannot tell: {answer.code}", remedy)


def harms_refresh(before: Before) -> Level:
    """The level of what a refresh would suffer from."""
    return Level.STOP if before == "refresh" else Level.WARN
