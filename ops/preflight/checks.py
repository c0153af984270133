"""Judges the answers common to both clouds: the clock, the owner of the buckets, and whether state and server agree.

The rule: pure, from facts to findings. It leaves out the rest, which is in `ops.preflight.aistor` and
`ops.preflight.aws`.
"""

from collections.abc import Iterable, Sequence

from infra.moves import ours_or_another
from model.remedies import Remedy, for_stack
from ops.preflight.facts import StackFacts
from ops.preflight.finding import Before, Finding, Level, harms_refresh, passed, untold
from verify.facts import Answer

SKEW_WARN_SECONDS = 60
SKEW_STOP_SECONDS = 900  # S3 refuses signatures beyond this skew
SHOWN = 5


def clock_in_step(skew: Answer[float]) -> Finding:
    """Compare this machine's clock with the server's."""
    check, wanted = "clock_in_step", f"at most {SKEW_WARN_SECONDS} s from the server's clock"
    if skew.value is None:
        return untold(check, wanted, skew)
    off = abs(skew.value)
    # The Date header has a resolution of one second.
    found = "less than 2 s off" if off < 2 else f"this machine is {off:.0f} s {'ahead' if skew.value > 0 else 'behind'}"  # noqa: PLR2004 - said on the same line
    if off <= SKEW_WARN_SECONDS:
        return passed(check, wanted, found)
    level = Level.STOP if off > SKEW_STOP_SECONDS else Level.WARN
    remedy = f"correct the wrong clock (NTP); beyond {SKEW_STOP_SECONDS} s the server refuses every signature"
    return Finding(check, level, wanted, found, remedy)


def buckets_ours(stack: StackFacts, buckets: Answer[frozenset[str]]) -> Iterable[Finding]:
    """Buckets with a planned name that this stack did not create; the plugins refuse to create them again."""
    check, wanted = "buckets_ours", "every existing bucket with a planned name is in the state"
    if buckets.value is None:
        yield untold(check, wanted, buckets)
        return
    foreign = sorted((buckets.value & stack.planned.keys()) - stack.state.buckets - stack.state.pending)
    if foreign:
        one = len(foreign) == 1
        found = f"{', '.join(foreign)} {'exists but is' if one else 'exist but are'} not in the state"
        remedy = ours_or_another(stack.name)
        yield Finding(check, Level.STOP, wanted, found, remedy)
    else:
        held = len(stack.planned.keys() & stack.state.buckets)
        yield passed(check, wanted, f"{len(stack.planned)} planned, {held} in the state")


def state_buckets_seen(
    stack: StackFacts, buckets: Answer[frozenset[str]], before: Before, *, all_gone: bool = False
) -> Finding:
    """The state's buckets that the admin cannot see: a refresh would drop them, and an update stops.

    Args:
        stack: The stack.
        buckets: The buckets that the admin sees.
        before: What comes next.
        all_gone: `object-store recover` takes the server for another one (`ops.preflight.losses`).
    """
    check, wanted = "state_buckets_seen", "the admin sees every bucket of the state on the server"
    if buckets.value is None:
        level = harms_refresh(before) if stack.state.buckets else Level.WARN
        told = untold(check, wanted, buckets)
        return Finding(
            check, level, wanted, told.found, "do not refresh: it drops every bucket that it cannot see from the state"
        )
    hidden = sorted(stack.state.buckets - buckets.value)
    if not hidden:
        return passed(check, wanted, f"{len(stack.state.buckets)} of {len(stack.state.buckets)}")
    some_left = stack.state.buckets & buckets.value and not all_gone
    remedy = (
        f"do not refresh: it would drop them from the state. If they are permanently gone, "
        f"{for_stack(Remedy.LOST if some_left else Remedy.ALL_LOST, stack.name)} recreate them, empty"
    )
    # The program stops at them, too.
    return Finding(check, Level.STOP, wanted, f"not seen: {some(hidden)}", remedy)


def some(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def nothing_interrupted(stack: StackFacts) -> Iterable[Finding]:
    """The operations that a killed engine left pending."""
    if stack.state.interrupted:
        remedy = f"run `object-store recover --stack {stack.name}`; it refreshes, so fix every STOP first"
        found = f"{stack.state.interrupted} operations of a killed update are pending"
        yield Finding("nothing_interrupted", Level.WARN, "no pending operation", found, remedy)
