"""What an interrupted update left: a key is removed only if that update provably created it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings, settings_from
from model.plan import build_plan
from model.policies import Cloud
from model.taxonomy_file import load
from ops.keys import settled
from ops.keys.live_keys import LastUse
from ops.keys.settled import Stack
from ops.keys.standing_keys import StandingKey

KILLED_AT = timedelta(minutes=5)
CONFIG: Mapping[Cloud, Mapping[str, str]] = {
    "aws": {"cloud": "aws", "env": "prod", "region": "us-west-2"},
    "aistor": {
        "cloud": "aistor",
        "env": "prod",
        "endpoint": "https://127.0.0.1:9000",
        "adminUser": "provisioner",
        "adminPassword": "planted-admin-password",
    },
}


@dataclass
class World:
    """The keys of `worker` on the server: the ages that it records, and the last uses; KEY1 is in the state.

    Attributes:
        ages: How long ago the server made each key; None if it does not say.
        used: When a key was last used; a key that is missing here was never used.
        said: What was printed.
        unlocked: Whether each repair removed the engine's lock.
    """

    ages: dict[str, timedelta | None]
    used: dict[str, datetime] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    unlocked: list[bool] = field(default_factory=list)

    def of(self, user_name: str) -> list[str]:
        """The access keys of a user."""
        return list(self.ages) if user_name == "joelclaw-prod-usw2-worker" else []

    def age(self, user_name: str, access_key_id: str) -> timedelta | None:
        """The age of a key."""
        assert user_name == "joelclaw-prod-usw2-worker"
        return self.ages[access_key_id]

    def last_use(self, access_key_id: str) -> LastUse:
        """The last use of a key."""
        return LastUse(self.used.get(access_key_id))

    def remove(self, user_name: str, access_key_id: str) -> None:
        """Remove a key."""
        assert user_name == "joelclaw-prod-usw2-worker"
        del self.ages[access_key_id]


def settle(world: World, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, is_dated: bool = True) -> None:
    """Settle a stack whose update was killed `KILLED_AT` ago while it created a key of `worker`."""
    plan = build_plan(load(), env="prod", region_code="usw2", tls_only=True, where="x:")
    settings = settings_from(CONFIG[cloud], cloud, Path(), {})
    found = Stack("s", settings, plan, (StandingKey("worker", 1, "KEY1", "urn::KEY1", None),), {})
    operation = {
        "type": "creating",
        "resource": {"type": "aws:iam/accessKey:AccessKey", "urn": "urn:pulumi:s::object-store::x::worker-key-2"},
    }
    deployment: dict[str, Any] = {"pending_operations": [operation]}
    if is_dated:
        deployment["manifest"] = {"time": (datetime.now(UTC) - KILLED_AT).isoformat()}

    @contextmanager
    def live_keys(given: Settings) -> Iterator[World]:
        assert given == settings
        yield world

    monkeypatch.setattr(settled, "read_state", lambda _stack: {"deployment": deployment})
    monkeypatch.setattr(settled, "recover", lambda _stack, *, unlock=True: world.unlocked.append(unlock))
    monkeypatch.setattr(settled, "look", lambda _stack: found)
    monkeypatch.setattr(settled, "live_keys", live_keys)
    settled.settle("s", world.said.append)


def minutes(count: float) -> timedelta:
    """A number of minutes."""
    return timedelta(minutes=count)


def test_no_unknown_key_is_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request did not arrive; the engine's lock is left to its holder."""
    world = World({"KEY1": minutes(900)})

    settle(world, "aws", monkeypatch)

    assert list(world.ages) == ["KEY1"]
    assert world.unlocked == [False]
    assert not any("KEY1" in line for line in world.said)


def test_key_of_the_interrupted_update_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made after the update had begun to create one, and it was never used."""
    world = World({"KEY1": minutes(900), "LEFT": minutes(4)})

    settle(world, "aws", monkeypatch)

    assert list(world.ages) == ["KEY1"]
    assert "removed key LEFT of user joelclaw-prod-usw2-worker" in world.said[-1]


@pytest.mark.parametrize(
    ("ages", "used"),
    [
        ({"OLD": minutes(6)}, {}),
        ({"OLD": minutes(4)}, {"OLD": datetime(2026, 11, 29, tzinfo=UTC)}),
        ({"OLD": None}, {}),
        ({"OLD": minutes(4), "OTHER": minutes(3)}, {}),
    ],
    ids=["older than the update", "used", "of unknown age", "one of two"],
)
def test_key_that_may_be_in_use_stays_and_is_named(
    ages: dict[str, timedelta | None], used: dict[str, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may still use it; the message has the line that removes it, for whoever knows."""
    world = World({"KEY1": minutes(900), **ages}, used)

    settle(world, "aws", monkeypatch)

    assert set(world.ages) == {"KEY1", *ages}
    for key in ages:
        line = f"aws iam delete-access-key --user-name joelclaw-prod-usw2-worker --access-key-id {key}"
        assert any(line in said for said in world.said)


def test_only_the_key_of_the_interrupted_update_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older unknown key beside it stays."""
    world = World({"OLD": minutes(900), "LEFT": minutes(4)})

    settle(world, "aws", monkeypatch)

    assert list(world.ages) == ["OLD"]


def test_key_stays_if_the_state_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the time of the killed update nothing is proven."""
    world = World({"KEY1": minutes(900), "LEFT": minutes(1)})

    settle(world, "aws", monkeypatch, is_dated=False)

    assert "LEFT" in world.ages


def test_key_on_aistor_stays_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """MinIO records neither the time nor the use of a key, and allows a user any number of them."""
    world = World({"KEY1": None, "LEFT": None})

    settle(world, "aistor", monkeypatch)

    assert "LEFT" in world.ages
    assert "mc admin accesskey rm ALIAS LEFT" in world.said[-1]
    assert "object-store keys status --stack s" in world.said[-1]
