"""ops.preflight.names: users and policies that another stack has, before the update meets them."""

from pathlib import Path

import pytest

from infra.program import plan_for
from infra.settings import settings_from
from model.plan import StorePlan
from model.problems import InvalidInputError, Problem
from model.resources import About
from model.user_names import ServerName, Taken, UserNames
from ops.preflight import names
from ops.preflight.facts import NOT_ASKED
from ops.preflight.finding import Level
from ops.preflight.names import ask_names, names_ours
from verify.facts import Answer

SETTINGS = settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2"}, "second", Path.cwd(), {})
PLAN = plan_for(SETTINGS, UserNames.BY_ENV)
USER = ServerName(About.USER, "joelclaw-prod-worker")


@pytest.mark.parametrize(
    ("taken", "said", "remedy"),
    [
        (
            Taken(USER, frozenset({"joelclaw-prod-euw1-"})),
            "for the buckets joelclaw-prod-euw1-…",
            "object-store:env NAME",
        ),
        (Taken(USER, stack="first"), "its tags name the stack first", "object-store adopt --stack second"),
        (Taken(USER), "not in the stack", "object-store recover --stack second"),
    ],
)
def test_name_of_another_stack_stops(taken: Taken, said: str, remedy: str) -> None:
    """The finding names it, whose it is as far as that can be told, and the line to paste."""
    (finding,) = names_ours("second", PLAN, Answer((taken,)))

    assert finding.level is Level.STOP
    assert finding.found.startswith("joelclaw-prod-worker: the user already exists")
    assert said in finding.found
    assert remedy in finding.remedy


def test_own_names_pass() -> None:
    """Nothing else is taken."""
    (finding,) = names_ours("second", PLAN, Answer(()))

    assert finding.level is Level.PASS


def test_unasked_and_unanswered_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refused the admin is not asked; a refusal does not make a name free."""

    def refused(_plan: StorePlan, _settings: object, _held: object) -> list[Taken]:
        raise InvalidInputError([Problem("x", "the server says nothing", "", "y")])

    monkeypatch.setattr(names, "foreign_names", refused)
    unasked = ask_names(SETTINGS, PLAN, set(), let_in=False)
    unknown = ask_names(SETTINGS, PLAN, set(), let_in=True)

    assert unasked.code == NOT_ASKED
    assert "the server says nothing" in unknown.said
    assert {finding.level for one in (unasked, unknown) for finding in names_ours("second", PLAN, one)} == {Level.WARN}
