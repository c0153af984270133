"""ops.preflight.room_for_keys: users without room for a new access key, before the update meets them."""

from pathlib import Path

import pytest

from infra.program import plan_for
from infra.room_for_keys import UserKey
from infra.settings import settings_from
from model.problems import InvalidInputError, Problem
from model.user_names import UserNames
from ops.preflight import room_for_keys as room
from ops.preflight.facts import NOT_ASKED, StateFacts
from ops.preflight.finding import Level
from ops.preflight.room_for_keys import ask_room, room_for_keys

SETTINGS = settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2"}, "aws", Path.cwd(), {})
PLAN = plan_for(SETTINGS, UserNames.BY_REGION)
WORKER = "joelclaw-prod-usw2-worker"
GENERATIONS = {identity.name: frozenset({1}) for identity in PLAN.identities}


@pytest.mark.parametrize(("generations", "level"), [(GENERATIONS, Level.PASS), ({}, Level.STOP)])
def test_user_that_gets_a_third_key_stops(
    monkeypatch: pytest.MonkeyPatch, generations: dict[str, frozenset[int]], level: Level
) -> None:
    """Users are asked for only where the state lacks a key; the finding has the line that makes room."""
    monkeypatch.setattr(room, "keys_of_users", lambda new, _: {user: [UserKey("A"), UserKey("B")] for user in new})
    found = list(room_for_keys(ask_room(SETTINGS, PLAN, StateFacts(generations=generations), let_in=True)))

    assert {one.level for one in found} == {level}
    if level is Level.STOP:
        (worker,) = [one for one in found if one.found.startswith(f"user {WORKER}:")]
        assert f"aws iam delete-access-key --user-name {WORKER} --access-key-id A" in worker.remedy


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
