"""Finds what of a state is lost on the server besides its buckets: settings, users, policies, attachments and keys.

The rule: the questions and their meaning are those of `object-store recover`. It asks only a server that has let the
admin in, and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.settings import Settings
from model.problems import InvalidInputError
from model.remedies import Remedy, for_stack
from model.resources import About
from ops.adopt.live import AdoptionError
from ops.preflight.checks import some
from ops.preflight.facts import NOT_ASKED
from ops.preflight.finding import Before, Finding, Level, harms_refresh, passed, untold
from ops.recover.live import live_of
from ops.recover.lost import CannotTellError, Cause, Held, Live, causes, nothing_there
from ops.recover.words import said_of
from verify.facts import Answer


@dataclass(frozen=True)
class Losses:
    """What the server has lost of a state.

    Attributes:
        causes: Each loss.
        all_gone: So much is gone that `object-store recover` takes the server for another one.
    """

    causes: tuple[Cause, ...] = ()
    all_gone: bool = False


def ask_losses(settings: Settings, held: Sequence[Held], *, let_in: bool) -> Answer[Losses]:
    """What the server has lost of a state.

    Args:
        settings: The stack's settings.
        held: The resources of the state.
        let_in: The server answered the admin.
    """
    if not let_in:
        return Answer(code=NOT_ASKED, said="the server did not let the admin in")
    try:
        live = live_of(settings, held)
    except (AdoptionError, CannotTellError, InvalidInputError) as error:
        return Answer(code="NoAnswer", said=str(error))
    return Answer(Losses(tuple(causes(held, live)), bool(nothing_there(held, live))))


def nothing_lost(stack: str, answer: Answer[Losses], before: Before) -> Finding:
    """The state's resources that the server does not have, or has switched off; a refresh fails for them."""
    check, wanted = "nothing_lost", "everything in the state is on the server and switched on"
    if answer.value is None:
        return untold(check, wanted, answer)
    # A missing bucket has its own check, `state_buckets_seen`.
    lost = [cause for cause in answer.value.causes if cause.root.what is not About.BUCKET]
    if not lost:
        return passed(check, wanted, "all of it")
    if answer.value.all_gone:
        line = for_stack(Remedy.ALL_LOST, stack)
        remedy = f"the right endpoint or account; only if this server is empty or takes the other one's place: {line}"
        return Finding(check, Level.STOP, wanted, some(said_of(lost)), remedy)
    level = harms_refresh(before) if any(cause.live is Live.GONE for cause in lost) else Level.WARN
    return Finding(check, level, wanted, some(said_of(lost)), f"run {for_stack(Remedy.LOST, stack)}")
