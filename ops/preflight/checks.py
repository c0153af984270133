"""Judges what both clouds are asked: the clock, whose the buckets are, and whether the state and the server agree.

Pure: from facts to findings, as `ops.preflight.aistor` and `ops.preflight.aws`, which hold the rest.
"""

from collections.abc import Iterable, Sequence

from ops.preflight.facts import StackFacts
from ops.preflight.finding import Before, Finding, Level, harms_refresh, passed, untold
from verify.facts import Answer

SKEW_WARN_SECONDS = 60
SKEW_STOP_SECONDS = 900  # S3 refuses a signature that is further off
SHOWN = 5


def clock_in_step(skew: Answer[float]) -> Finding:
    """This machine's clock against the server's."""
    check, wanted = "clock_in_step", f"at most {SKEW_WARN_SECONDS} s from the server's clock"
    if skew.value is None:
        return untold(check, wanted, skew)
    off = abs(skew.value)
    # The Date header counts whole seconds.
    found = "less than 2 s off" if off < 2 else f"this machine is {off:.0f} s {'ahead' if skew.value > 0 else 'behind'}"  # noqa: PLR2004 - said on the same line
    if off <= SKEW_WARN_SECONDS:
        return passed(check, wanted, found)
    level = Level.STOP if off > SKEW_STOP_SECONDS else Level.WARN
    remedy = f"set the clock that is wrong (NTP); beyond {SKEW_STOP_SECONDS} s every signature is refused"
    return Finding(check, level, wanted, found, remedy)


def buckets_ours(stack: StackFacts, buckets: Answer[frozenset[str]]) -> Iterable[Finding]:
    """Buckets of planned names that were made by somebody else; the plugins refuse to make them again."""
    check, wanted = "buckets_ours", "no bucket of a planned name that the state does not hold"
    if buckets.value is None:
        yield untold(check, wanted, buckets)
        return
    foreign = sorted((buckets.value & stack.planned.keys()) - stack.state.buckets - stack.state.pending)
    for name in foreign:
        remedy = f"if what is in it is yours, adopt it: object-store adopt --stack {stack.name}"
        yield Finding(check, Level.STOP, wanted, f"{name} exists and is not in the state", remedy)
    if not foreign:
        held = len(stack.planned.keys() & stack.state.buckets)
        yield passed(check, wanted, f"{len(stack.planned)} planned, {held} in the state")


def state_buckets_seen(stack: StackFacts, buckets: Answer[frozenset[str]], before: Before) -> Finding:
    """The state's buckets that the admin cannot see: a refresh would drop them."""
    check, wanted = "state_buckets_seen", "every bucket of the state is seen on the server"
    if buckets.value is None:
        level = harms_refresh(before) if stack.state.buckets else Level.WARN
        told = untold(check, wanted, buckets)
        return Finding(
            check, level, wanted, told.found, "do not refresh: what cannot be seen is dropped from the state"
        )
    hidden = sorted(stack.state.buckets - buckets.value)
    if not hidden:
        return passed(check, wanted, f"{len(stack.state.buckets)} of {len(stack.state.buckets)}")
    remedy = (
        f"do not refresh: it would drop them from the state. If they are gone for good, "
        f"`pulumi up --refresh --stack {stack.name}` makes them anew, empty"
    )
    return Finding(check, harms_refresh(before), wanted, f"not seen: {some(hidden)}", remedy)


def some(names: Sequence[str]) -> str:
    """The first names of many."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def nothing_interrupted(stack: StackFacts) -> Iterable[Finding]:
    """What an engine that was killed left under way."""
    if stack.state.interrupted:
        remedy = f"`object-store recover --stack {stack.name}` takes it up; it refreshes, so mend what stops first"
        found = f"{stack.state.interrupted} operations of a killed update are under way"
        yield Finding("nothing_interrupted", Level.WARN, "no operation under way", found, remedy)
