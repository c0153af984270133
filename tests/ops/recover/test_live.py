"""ops.recover.live: buckets, settings and identities are asked for with the config's pair, on both clouds."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.settings import Settings
from model.problems import InvalidInputError, Problem
from model.resources import About
from ops.recover import live
from ops.recover.lost import CannotTellError, Live, held_in
from tests.ops.recover.states import ACCOUNT, BUCKETS, exported

AISTOR = SimpleNamespace(
    endpoint=SimpleNamespace(url="https://store:9000"), ca_pem=None, admin_user="provisioner", admin_password="planted"
)


def settings(aistor: object) -> Settings:
    """The settings that count here."""
    return cast("Settings", SimpleNamespace(aistor=aistor, region="us-west-2", where=""))


@pytest.fixture(name="asked")
def _asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is asked, of a server that has no warm bucket and everything else."""
    asked: list[tuple[str, Any]] = []

    def buckets(names: set[str], _settings: Settings, ours: set[str]) -> set[str]:
        asked.append(("buckets", (names, ours)))
        return names - {"b-warm"}

    @contextmanager
    def client(_settings: Settings) -> Iterator[None]:
        yield None

    @contextmanager
    def api(own: SimpleNamespace, region: str) -> Iterator[None]:
        asked.append(("admin API", (own.admin_user, own.admin_password, region)))
        yield None

    def settings_of(_client: None, _held: list[Any], there: set[str]) -> dict[Any, Live]:
        asked.append(("settings", there))
        return {}

    def identities(_server: object, held: list[Any]) -> dict[Any, Live]:
        return {one: Live.THERE for one in held if one.what is About.KEY}

    monkeypatch.setattr(live, "check_reachable", lambda endpoint, *_: asked.append(("door", endpoint.url)))
    monkeypatch.setattr(live, "account_id", lambda _: ACCOUNT)
    monkeypatch.setattr(live, "existing_buckets", buckets)
    monkeypatch.setattr(live, "admin_client", client)
    monkeypatch.setattr(live, "live_buckets", settings_of)
    monkeypatch.setattr(live, "AdminApi", SimpleNamespace(of=api))
    monkeypatch.setattr("ops.recover.aistor.live_identities", identities)
    monkeypatch.setattr("ops.recover.aws.live_identities", identities)
    return asked


def test_aistor_is_asked_with_the_configs_pair(asked: list[tuple[str, Any]]) -> None:
    """Door, buckets, then the admin API, each with what the config says."""
    found = live.live_of(settings(AISTOR), held_in(exported("v3")))

    names = set(BUCKETS.values())
    assert asked == [
        ("door", "https://store:9000"),
        ("buckets", (names, names)),
        ("settings", names - {"b-warm"}),
        ("admin API", ("provisioner", "planted", "us-west-2")),
    ]
    assert {one.what for one in found} == {About.KEY}


def test_aws_is_asked_in_the_states_account(asked: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is compared before anything is asked."""
    live.live_of(settings(None), held_in(exported("aws")))
    assert [what for what, _ in asked] == ["buckets", "settings"]

    asked.clear()
    monkeypatch.setattr(live, "account_id", lambda _: "999988887777")
    with pytest.raises(CannotTellError, match="999988887777"):
        live.live_of(settings(None), held_in(exported("aws")))
    assert asked == []


def test_closed_door_is_an_error(asked: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is never asked, and nothing counts as gone."""

    def closed(*_: object) -> None:
        raise InvalidInputError([Problem("endpoint", "no usable server answers", "", "")])

    monkeypatch.setattr(live, "check_reachable", closed)
    with pytest.raises(InvalidInputError, match="no usable server"):
        live.live_of(settings(AISTOR), held_in(exported("v4")))
    assert asked == []


def test_empty_state_asks_nothing(asked: list[tuple[str, Any]]) -> None:
    """A state that has nothing to lose needs no server."""
    assert live.live_of(settings(AISTOR), []) == {}
    assert asked == []
