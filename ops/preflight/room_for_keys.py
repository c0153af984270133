"""Finds users on AWS that have no room for the access keys that an update makes.

The rule: the question and its meaning are those of the program. It asks only a server that has let the admin in.
"""

from collections.abc import Iterable

from infra.room_for_keys import new_keys, without_room
from infra.settings import Settings
from infra.user_keys import keys_of_users
from model.plan import StorePlan
from model.problems import InvalidInputError, Problem
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
    new = new_keys(plan, state.generations)
    try:
        return Answer(tuple(without_room(plan, new, keys_of_users(new, settings), state.key_ids, settings.stack)))
    except InvalidInputError as error:
        return Answer(code="NoAnswer", said=str(error))


def room_for_keys(answer: Answer[tuple[Problem, ...]]) -> Iterable[Finding]:
    """Users without room for the access keys of the next update."""
    check, wanted = "room_for_keys", "every user has room for the access keys that the next update makes"
    if answer.value is None:
        yield untold(check, wanted, answer)
        return
    for problem in answer.value:
        remedy = f"once no program uses the key: {problem.paste}"
        yield Finding(check, Level.STOP, wanted, f"{problem.where}: {problem.wrong}", remedy)
    if not answer.value:
        yield passed(check, wanted, "all of them")
