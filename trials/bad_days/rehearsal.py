"""Rehearses a bad day: damage, the documented lines, and the three conditions of a good end.

The rule: a good end is a `verify` without a failure, with which the documented lines end, an empty preview after a
refresh, and the access keys that the day did not cost are the same as before and let their identity in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from trials.bad_days.days import IDENTITY, BadDay
from trials.bad_days.lines import lines_of
from trials.bad_days.stack import BadDayError, Pair, Stack

_TAIL_CHARACTERS = 1500


@dataclass(frozen=True)
class Outcome:
    """How a day ended.

    Attributes:
        wrong: What is not as it must be; empty after a good end.
    """

    wrong: tuple[str, ...]


def rehearse(day: BadDay, stack: Stack) -> Outcome:
    """Let a day happen to a healthy stack; after a good end the stack is healthy again, without keys of before.

    Raises:
        BadDayError: The damage cannot be done, or a command that must succeed failed.
    """
    before = stack.credentials()
    day.damage(stack)
    lines = _for_stack(lines_of(day.section), stack, day.values(stack))
    done = stack.script(lines)
    if done.status:
        return Outcome((f"the documented lines end with status {done.status}: {done.output[-_TAIL_CHARACTERS:]}",))
    wrong = tuple(_wrong(day, stack, before))
    if not wrong:
        stack.remove_old_keys()
        day.after(stack)
    return Outcome(wrong)


def _wrong(day: BadDay, stack: Stack, before: Mapping[str, Pair]) -> list[str]:
    wrong = []
    preview = stack.pulumi("preview", "--refresh", "--expect-no-changes")
    if preview.status:
        wrong.append(f"the preview is not empty: {preview.output[-_TAIL_CHARACTERS:]}")
    after = stack.credentials()
    cost = {"none": set(), "one": {IDENTITY}, "all": set(before)}[day.keys]
    for identity, pair in before.items():
        if identity not in cost and (after.get(identity) != pair or not stack.works(identity, pair)):
            wrong.append(f"the access key of {identity} no longer works")
    wrong += [f"the new access key of {one} does not work" for one in after if not stack.works(one, after[one])]
    return wrong


def _for_stack(lines: str, stack: Stack, values: Mapping[str, str]) -> str:
    """The lines for another stack than the `local` of the docs."""
    for text, value in values.items():
        if text not in lines:
            raise BadDayError(f"the documented lines do not hold {text!r}")
        lines = lines.replace(text, value)
    return re.sub(r"(--stack|init|select|rm) local\b", rf"\1 {stack.name}", lines)
