"""ops.preflight.losses: what of the state is lost on the server, and the line that brings it back."""

from collections.abc import Sequence
from typing import cast

import pytest

from infra.settings import Settings
from model.resources import About
from ops.preflight import losses
from ops.preflight.facts import NOT_ASKED
from ops.preflight.finding import Before, Level
from ops.preflight.losses import Losses, ask_losses, nothing_lost
from ops.recover.lost import CannotTellError, Cause, Held, Live, held_in
from tests.ops.recover.states import exported, one_of
from verify.facts import Answer

STATE = exported("v3")
SETTINGS = cast("Settings", None)  # what is asked is replaced
USER, BUCKET = one_of(STATE, About.USER, "worker"), one_of(STATE, About.BUCKET, "hot-one")
REMEDY = "run `object-store recover --stack local`, then `pulumi up --stack local`"


@pytest.mark.parametrize(("before", "level"), [("refresh", Level.STOP), ("up", Level.WARN)])
def test_missing_user_stops_a_refresh(before: Before, level: Level) -> None:
    """A refresh cannot read what hangs on a missing user; the remedy is one line."""
    found = nothing_lost("local", Answer(Losses((Cause(USER, Live.GONE),))), before)

    assert (found.level, found.found, found.remedy) == (level, "user u-worker is gone", REMEDY)


def test_user_that_is_off_is_a_warning() -> None:
    """A refresh does no harm to it, and it does no good either."""
    found = nothing_lost("local", Answer(Losses((Cause(USER, Live.OFF),))), "refresh")

    assert (found.level, found.found, found.remedy) == (Level.WARN, "user u-worker is switched off", REMEDY)


def test_missing_bucket_is_said_elsewhere() -> None:
    """`state_buckets_seen` says it, so that nothing is said twice."""
    assert nothing_lost("local", Answer(Losses((Cause(BUCKET, Live.GONE),))), "up").level is Level.PASS
    assert nothing_lost("local", Answer(Losses()), "up").level is Level.PASS


def test_server_that_refuses_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another check has found out costs no further question; a refusal is no loss."""

    def refused(_settings: Settings, _held: Sequence[Held]) -> dict[Held, Live]:
        raise CannotTellError("the server says nothing")

    monkeypatch.setattr(losses, "live_of", refused)

    unasked = ask_losses(SETTINGS, [USER], let_in=False)
    unknown = ask_losses(SETTINGS, [USER], let_in=True)
    assert (unasked.code, unknown.said) == (NOT_ASKED, "the server says nothing")
    assert {nothing_lost("local", one, "up").level for one in (unasked, unknown)} == {Level.WARN}


def test_losses_are_those_of_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same questions have the same meaning."""
    monkeypatch.setattr(losses, "live_of", lambda _settings, held: dict.fromkeys(held, Live.GONE))

    assert ask_losses(SETTINGS, [USER, BUCKET], let_in=True).value == Losses(
        (Cause(USER, Live.GONE), Cause(BUCKET, Live.GONE)), all_gone=True
    )


@pytest.mark.parametrize("before", ["refresh", "up"])
def test_another_server_gets_the_line_that_recover_accepts(before: Before, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no user and no key is left, `recover` refuses without --all-gone, and an update serves no purpose."""
    held = held_in(STATE)
    gone = {one: Live.THERE if one.what is About.BUCKET else Live.GONE for one in held}
    monkeypatch.setattr(losses, "live_of", lambda _settings, _held: gone)

    answer = ask_losses(SETTINGS, held, let_in=True)
    found = nothing_lost("local", answer, before)

    assert found.level is Level.STOP
    assert "the right endpoint" in found.remedy
    assert "`object-store recover --stack local --all-gone`, then `pulumi up --stack local`" in found.remedy
    assert "`object-store recover --stack local`" not in found.remedy
