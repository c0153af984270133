"""ops.preflight.room_for_keys: users without room for a new access key, before the update meets them."""

from pathlib import Path

import pytest

from infra.program import plan_for
from infra.room_for_keys import UserKey
from infra.settings import settings_from
from model.problems import InvalidInputError, Problem
from model.resources import About
from model.user_names import ServerName, UserNames
from ops.preflight import room_for_keys as room
from ops.preflight.facts import NOT_ASKED, StateFacts
from ops.preflight.finding import Level
from ops.preflight.room_for_keys import ask_room, room_for_keys

SETTINGS = settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2"}, "aws", Path.cwd(), {})
PLAN = plan_for(SETTINGS, UserNames.BY_REGION)
WORKER = "joelclaw-prod-usw2-worker"
GENERATIONS = {identity.name: frozenset({1}) for identity in PLAN.identities}


NAMES = frozenset(ServerName(About.USER, identity.user_name) for identity in PLAN.identities)


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (StateFacts(generations=GENERATIONS, names=NAMES), Level.PASS),
        (StateFacts(names=NAMES), Level.STOP),
        (StateFacts(), Level.PASS),
    ],
)
def test_user_that_gets_a_third_key_stops(monkeypatch: pytest.MonkeyPatch, state: StateFacts, level: Level) -> None:
    """Only users of the state are asked for, where it lacks a key; another stack's users are its own affair."""
    monkeypatch.setattr(room, "keys_of_users", lambda new, _: {user: [UserKey("A"), UserKey("B")] for user in new})
    found = list(room_for_keys(ask_room(SETTINGS, PLAN, state, let_in=True)))

    assert {one.level for one in found} == {level}
    if level is Level.STOP:
        (worker,) = [one for one in found if one.found.startswith(f"user {WORKER}:")]
        assert worker.remedy == "object-store adopt --stack aws"


def test_unasked_and_unanswered_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of the question is no room."""

    def refused(_new: object, _settings: object) -> None:
        raise InvalidInputError([Problem("x", "AWS says nothing", "", "y")])

    monkeypatch.setattr(room, "keys_of_users", refused)
    unasked = ask_room(SETTINGS, PLAN, StateFacts(), let_in=False)
    unknown = ask_room(SETTINGS, PLAN, StateFacts(), let_in=True)

    assert unasked.code == NOT_ASKED
    assert "AWS says nothing" in unknown.said
    assert {one.level for answer in (unasked, unknown) for one in room_for_keys(answer)} == {Level.WARN}
