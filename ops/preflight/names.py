"""Finds users, roles and policies with planned names that the stack did not make.

The rule: the question and its meaning are those of the program. It asks only a server that has let the admin in.
"""

from collections.abc import Collection, Iterable

from infra.live_names import foreign_names
from infra.moves import names_taken
from infra.settings import Settings
from model.plan import StorePlan
from model.problems import InvalidInputError
from model.user_names import ServerName, Taken
from ops.preflight.facts import NOT_ASKED
from ops.preflight.finding import Finding, Level, passed, untold
from verify.facts import Answer


def ask_names(
    settings: Settings, plan: StorePlan, held: Collection[ServerName], *, let_in: bool
) -> Answer[tuple[Taken, ...]]:
    """The planned names that exist on the server and are not in the state.

    Args:
        settings: The stack's settings.
        plan: Its plan.
        held: The names in its state.
        let_in: The server answered the admin.
    """
    if not let_in:
        return Answer(code=NOT_ASKED, said="the server did not let the admin in")
    try:
        return Answer(tuple(foreign_names(plan, settings, held)))
    except InvalidInputError as error:
        return Answer(code="NoAnswer", said=str(error))


def names_ours(stack: str, plan: StorePlan, taken: Answer[tuple[Taken, ...]]) -> Iterable[Finding]:
    """Users, roles and policies with a planned name that this stack did not create."""
    check, wanted = "names_ours", "every existing user, role and policy with a planned name is in the state"
    if taken.value is None:
        yield untold(check, wanted, taken)
        return
    problems = names_taken(taken.value, plan, stack)
    for problem in problems:
        yield Finding(check, Level.STOP, wanted, f"{problem.where}: {problem.wrong}", problem.paste)
    if not problems:
        yield passed(check, wanted, "all of them")
