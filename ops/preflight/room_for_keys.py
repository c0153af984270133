"""Finds users on AWS that have no room for the access keys that an update makes.

The rule: the question and its meaning are those of the program. It asks only a server that has let the admin in.
"""

from collections.abc import Iterable

from infra.room_for_keys import lost_keys, new_keys, without_room
from infra.settings import Settings
from infra.user_keys import keys_of_users
from model.plan import StorePlan
from model.problems import InvalidInputError, Problem
from model.resources import About
from ops.preflight.facts import NOT_ASKED, StateFacts
from ops.preflight.finding import Finding, Level, passed, untold
from verify.facts import Answer


def ask_room(settings: Settings, plan: StorePlan, state: StateFacts, *, let_in: bool) -> Answer[tuple[Problem, ...]]:
    """The users that would have a third access key.

    Args:
        settings: The stack's settings.
        plan: Its plan.
        state: What its state holds.
        let_in: AWS answered the admin.
    """
    if not let_in:
        return Answer(code=NOT_ASKED, said="the server did not let the admin in")
    # A user that the state does not have may be another stack's; `names_ours` names it.
    there = {name.name for name in state.names if name.what is About.USER}
    new = {user: count for user, count in new_keys(plan, state.generations).items() if user in there}
    lost = lost_keys(plan, state.generations)
    try:
        live = keys_of_users(new, settings)
        return Answer(tuple(without_room(plan, new, live, state.key_ids, settings.stack, lost=lost)))
    except InvalidInputError as error:
        return Answer(code="NoAnswer", said=str(error))


def room_for_keys(answer: Answer[tuple[Problem, ...]]) -> Iterable[Finding]:
    """Users without room for the access keys of the next update."""
    check, wanted = "room_for_keys", "every user has room for the access keys that the next update makes"
    if answer.value is None:
        yield untold(check, wanted, answer)
        return
    for problem in answer.value:
        yield Finding(check, Level.STOP, wanted, f"{problem.where}: {problem.wrong}", problem.paste)
    if not answer.value:
        yield passed(check, wanted, "all of them")
