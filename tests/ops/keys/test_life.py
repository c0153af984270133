"""rotate, retire, revoke and status in process, on a stack that is a value: actions, refusals, questions, messages.

The real engine and the servers are tested in tests/e2e/test_credentials.py.
"""

import io
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from rich.console import Console

from infra.settings import Settings, settings_from
from model.deployment import KeyPair, build_deployment
from model.generations import Generations
from model.plan import build_plan
from model.policies import Cloud
from model.taxonomy_file import load
from ops.keys import rotation, settled, status
from ops.keys.config_lines import Written
from ops.keys.live_keys import KeysError, LastUse
from ops.keys.settled import Stack
from ops.keys.standing_keys import StandingKey
from stack.outputs import Published
from stack.runner import EngineError
from tests.console import command as console

main = console("keys")

NOW = datetime.now(UTC)
CONFIG: dict[Cloud, dict[str, str]] = {
    "aws": {"cloud": "aws", "env": "prod", "region": "us-west-2"},
    "aistor": {
        "cloud": "aistor",
        "env": "local",
        "endpoint": "https://127.0.0.1:9000",
        "adminUser": "provisioner",
        "adminPassword": "planted-admin-password",
    },
}


@dataclass
class World:
    """A stack and its server.

    Attributes:
        cloud: The cloud.
        config: The generations of `worker` in the stack's config.
        standing: Access keys of `worker` in the state, by generation.
        live: Its access keys on the server.
        last_use: The last use of every key; None if the server does not record it.
        pending: Other changes in the preview.
        broken: Existing access keys that do not work.
        updates: How often the stack was updated.
        made_at: When its keys were created, by the state.
        dated: How long ago the server made every key; None if it does not record it.
        published_generations: The published generations, if they differ from the config.
    """

    cloud: Cloud = "aws"
    config: Generations = field(default_factory=Generations)
    standing: dict[int, str] = field(default_factory=lambda: {1: "KEY1"})
    live: list[str] = field(default_factory=lambda: ["KEY1"])
    last_use: LastUse | None = field(default_factory=lambda: LastUse(None))
    pending: list[dict[str, Any]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    updates: int = 0
    made_at: datetime | None = NOW
    dated: timedelta | None = None
    published_generations: Generations | None = None

    def settings(self) -> Settings:
        """The settings of its config."""
        return settings_from(CONFIG[self.cloud], self.cloud, Path(), {})

    def stack(self, name: str = "s") -> Stack:
        """The stack as `look` finds it."""
        plan = build_plan(
            load(), env="prod", region_code="usw2", tls_only=True, where="x:", generations={"worker": self.config}
        )
        keys = tuple(
            StandingKey("worker", number, key, f"urn::{key}", self.made_at) for number, key in self.standing.items()
        )
        return Stack(name, self.settings(), plan, keys, {"worker": self.published_generations or self.config})

    def published(self) -> Published:
        """Its published outputs."""
        pairs = [
            KeyPair(access_key_id=self.standing[number], secret_access_key=SecretStr("planted-secret"))
            for number in sorted(self.standing, reverse=True)
        ]
        pair = pairs[0] if len(pairs) == 1 else pairs[0].model_copy(update={"previous": pairs[1]})
        deployment = build_deployment(self.stack().plan, stack="s", cloud=self.cloud, region="us-west-2")
        return Published(deployment, {"worker": pair}, "stack s")

    def update(self) -> None:
        """Do what the engine does: create new keys before deleting old ones."""
        self.updates += 1
        self.published_generations = None
        for number in self.config.live:
            if number not in self.standing:
                self.standing[number] = f"KEY{number}"
                self.live.append(f"KEY{number}")
        if self.cloud == "aws":
            assert len(self.live) <= 2
        for number in set(self.standing) - set(self.config.live):
            self.live.remove(self.standing.pop(number))

    def of(self, user_name: str) -> list[str]:
        """The access keys of a user."""
        return list(self.live) if user_name.endswith("-worker") else []

    def use(self, access_key_id: str) -> LastUse | None:
        """The last use of a key."""
        del access_key_id
        return self.last_use

    def age(self, user_name: str, access_key_id: str) -> timedelta | None:
        """The age of a key; the server refuses the question about a key that it does not have."""
        assert user_name.endswith("-worker")
        assert access_key_id in self.live
        return self.dated

    def remove(self, user_name: str, access_key_id: str) -> None:
        """Remove a key by hand."""
        del user_name
        self.live.remove(access_key_id)


@pytest.fixture(name="world")
def _world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    @contextmanager
    def live_keys(settings: Settings) -> Iterator[Any]:
        del settings

        class Keys:
            of = staticmethod(world.of)
            last_use = staticmethod(world.use)
            age = staticmethod(world.age)
            remove = staticmethod(world.remove)

        yield Keys()

    def write(stack: str, identity: str, before: Generations, after: Generations) -> Written:
        assert (identity, before) == ("worker", world.config)
        world.config = after
        return Written((f"Pulumi.{stack}.yaml:9: + current: {after.current}",))

    def works(deployment: object, identity: str, pair: KeyPair, **more: object) -> str | None:
        del deployment, identity, more
        lives = pair.access_key_id in world.live and pair.access_key_id not in world.broken
        return None if lives else "the store does not know the access key id"

    def preview(stack: str, *, refresh: bool) -> tuple[dict[str, Any], int]:
        del stack, refresh
        return {"steps": world.pending}, 0

    monkeypatch.setattr(rotation, "settle", lambda stack, _say: world.stack(stack))
    monkeypatch.setattr(rotation, "look", world.stack)
    monkeypatch.setattr(status, "look", world.stack)
    monkeypatch.setattr(rotation, "read_published", lambda _stack: world.published())
    monkeypatch.setattr(rotation, "update", lambda _stack, _say: world.update())
    monkeypatch.setattr(rotation, "write_generations", write)
    monkeypatch.setattr(rotation, "works", works)
    monkeypatch.setattr(rotation, "engine_preview", preview)
    for module in (rotation, status, settled):
        monkeypatch.setattr(module, "live_keys", live_keys)
    for name in ("REFUSED_WITHIN_SECONDS", "PAUSE_SECONDS"):
        monkeypatch.setattr(rotation, name, 0.01)
    return world


def run(*arguments: str) -> int:
    """Run the command on the stack `s` with consent."""
    return main([*arguments, "worker", "--stack", "s", "--yes"])


def test_rotation_ends_with_two_keys_and_retiring_with_one(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The changed config lines and the next step are shown."""
    assert run("rotate") == 0
    assert (world.config.live, world.live) == ((2, 1), ["KEY1", "KEY2"])
    said = capsys.readouterr().out
    assert "Pulumi.s.yaml:9: + current: 2" in said
    assert "object-store keys deliver --stack s --identity worker" in said

    assert run("retire") == 0
    assert (world.config.live, world.live) == ((2,), ["KEY2"])
    said = capsys.readouterr().out
    assert "generation 1 was used never" in said
    assert "the server refuses key KEY1" in said
    assert "planted" not in said


def test_nothing_to_retire_is_no_error(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A single key stays."""
    assert run("retire") == 0
    assert "nothing to retire" in capsys.readouterr().out
    assert world.updates == 0


@pytest.mark.parametrize("command", ["rotate", "retire", "revoke"])
def test_unknown_identity_is_bad_input(world: World, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists the identities."""
    assert main([command, "wroker", "--stack", "s", "--yes"]) == 2
    assert "legal: worker, session-archiver" in capsys.readouterr().err
    assert world.updates == 0


def refused(world: World, command: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message of a refused command, which changes nothing."""
    before = replace(world, standing=dict(world.standing), live=list(world.live))
    assert run(command, *arguments) == 1
    assert (world.config, world.standing, world.live, world.updates) == (
        before.config,
        before.standing,
        before.live,
        before.updates,
    )
    return capsys.readouterr().err


def two(world: World) -> None:
    """Two keys exist."""
    world.config, world.standing, world.live = (
        Generations(current=2, previous=1),
        {2: "KEY2", 1: "KEY1"},
        ["KEY1", "KEY2"],
    )


def test_third_generation_is_refused_with_advice(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The old key must be retired first."""
    two(world)
    assert "object-store keys retire worker --stack s" in refused(world, "rotate", capsys)


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_third_key_that_somebody_made_by_hand_is_named(
    world: World, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """AWS allows no third key; the key's age and last use, and the command that removes it, are shown."""
    world.live.append("BYHAND")
    world.dated = timedelta(days=4)
    world.last_use = LastUse(NOW - timedelta(days=1), "s3 in us-west-2")
    said = refused(world, command, capsys)
    assert "BYHAND (made 20" in said
    assert f"last used {NOW - timedelta(days=1):%Y-%m-%d %H:%M} UTC" in said
    assert "aws iam delete-access-key --user-name joelclaw-prod-usw2-worker --access-key-id BYHAND" in said


def test_key_made_by_hand_leaves_room_on_aistor(world: World) -> None:
    """There a user may have any number of keys."""
    world.cloud = "aistor"
    world.live.append("BYHAND")
    assert run("rotate") == 0


def test_other_changes_are_not_taken_along(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """An update that would change anything else is refused before the config is edited, and the change is named."""
    bucket = {"type": "minio:index/s3Bucket:S3Bucket", "urn": "urn:pulumi:s::object-store::x::media-raw"}
    world.pending = [{"op": "create", "urn": bucket["urn"], "newState": {**bucket, "inputs": {"bucket": "b"}}}]
    assert "media-raw bucket (create)" in refused(world, "rotate", capsys)


def test_preview_that_fails_edits_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine's own message is shown."""
    wrong = {"steps": [], "diagnostics": [{"severity": "error", "message": "no server"}]}
    monkeypatch.setattr(rotation, "engine_preview", lambda *_, **__: (wrong, 1))
    assert "no server" in refused(world, "rotate", capsys)


def test_old_key_stays_while_the_new_one_does_not_work(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The current key is tried first."""
    two(world)
    world.broken = {"KEY2"}
    assert "generation 2 of worker's key does not work" in refused(world, "retire", capsys)


def test_old_key_stays_while_somebody_uses_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A use within the required time is refused, if the server records it; a longer pause is enough."""
    two(world)
    world.last_use = LastUse(datetime.now(UTC) - timedelta(minutes=90), "s3 in us-west-2")
    assert "s3 in us-west-2" in refused(world, "retire", capsys, "--unused-for", "2")
    assert run("retire") == 0


def test_server_that_tells_nothing_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """MinIO does not record the last use, so it is unknown whether the key is unused."""
    two(world)
    world.cloud, world.last_use = "aistor", None
    assert run("retire") == 0
    assert "cannot tell whether" in capsys.readouterr().out


def test_removed_key_that_still_works_is_an_error(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The server must finally refuse a removed key."""
    two(world)
    world.remove = lambda *_: None  # type: ignore[method-assign]  # a server that forgets nothing
    world.live = _Sticky(["KEY1", "KEY2"])
    assert run("retire") == 1
    assert "still works" in capsys.readouterr().err


class _Sticky(list[str]):
    """Keys that cannot be removed."""

    def remove(self, _key: str) -> None:
        """Do nothing."""


@pytest.mark.parametrize("cloud", ["aws", "aistor"])
def test_revocation_of_two_leaves_the_third(world: World, cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """On AWS two updates, because it allows no third key; elsewhere one. The affected programs are named."""
    two(world)
    world.cloud = cloud
    assert run("revoke") == 0
    assert world.live == ["KEY3"]
    assert world.updates == (2 if cloud == "aws" else 1)
    said = capsys.readouterr().out
    assert "KEY2 (generation 2)" in said
    assert "media-raw (append)" in said


def test_revocation_of_two_by_config_alone_takes_two_steps_on_aws(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first edit makes room; the user runs the update in between."""
    two(world)
    assert run("revoke", "--config-only") == 1
    assert world.config == Generations(current=2)
    assert "then revoke worker again" in capsys.readouterr().err
    world.update()
    assert run("revoke", "--config-only") == 0
    assert world.config == Generations(current=3)


@pytest.mark.parametrize(
    ("command", "config", "standing", "published", "after"),
    [
        ("rotate", Generations(current=2, previous=1), {1: "KEY1"}, Generations(), ["KEY1", "KEY2"]),
        ("retire", Generations(current=2), {2: "KEY2", 1: "KEY1"}, Generations(current=2, previous=1), ["KEY2"]),
        ("revoke", Generations(current=2), {1: "KEY1"}, Generations(), ["KEY2"]),
        ("revoke", Generations(current=2), {2: "KEY2", 1: "KEY1"}, Generations(), ["KEY2"]),
    ],
)
def test_what_was_begun_is_finished(
    world: World,
    command: str,
    config: Generations,
    standing: Mapping[int, str],
    published: Generations,
    after: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If the config is ahead of the state, the same command only updates."""
    world.config, world.standing, world.live = config, dict(standing), sorted(standing.values())
    world.published_generations = published
    assert run(command) == 0
    assert (world.config, sorted(world.live)) == (config, after)
    said = capsys.readouterr().out
    assert "completing the unfinished change" in said
    assert ("the server refuses key KEY1" in said) is ("KEY1" not in after)


def test_old_key_goes_with_what_was_begun_only_if_the_new_one_works(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A config without the previous generation is not applied while the server refuses the current key."""
    two(world)
    world.config, world.published_generations = Generations(current=2), Generations(current=2, previous=1)
    world.broken = {"KEY2"}
    assert "does not work" in refused(world, "retire", capsys)
    assert run("retire", "--config-only") == 0
    assert "completing the unfinished change needs: pulumi up" in capsys.readouterr().out
    assert world.updates == 0


def test_revocation_that_made_room_and_was_killed_goes_on(world: World) -> None:
    """On AWS the first of its two updates leaves the current key valid, so that key is not revoked yet."""
    two(world)
    world.config, world.published_generations = Generations(current=2), Generations(current=2, previous=1)
    assert run("revoke") == 0
    assert (world.config.live, world.live) == ((3,), ["KEY3"])


def test_key_that_is_not_on_the_server_is_no_key_to_go_on(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A rotation would claim that it still works; one line brings it back, whatever manages it."""
    world.live = []
    assert "object-store keys status --stack s" in refused(world, "rotate", capsys)
    for cloud in ("aws", "aistor"):
        world.cloud = cloud
        assert "`object-store recover --stack s`, then `pulumi up --stack s`" in told(capsys=capsys)[0]["warning"]


def test_update_that_was_killed_before_it_published_is_finished(world: World) -> None:
    """Both keys exist but the new one is unpublished: the rotation continues and creates no third key."""
    two(world)
    world.published_generations = Generations()
    assert run("rotate") == 0
    assert (world.live, world.updates) == (["KEY1", "KEY2"], 1)
    assert run("rotate") == 1


def test_retiring_right_after_an_unfinished_rotation_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new key exists but is not delivered yet, so the old one stays."""
    world.config = Generations(current=2, previous=1)
    assert run("retire") == 1
    assert world.live == ["KEY1", "KEY2"]
    assert "only created now" in capsys.readouterr().err


def test_stack_without_keys_is_deployed_first(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A rotation does not do the first deployment."""
    world.standing, world.live = {}, []
    assert "first run: pulumi up --stack s" in refused(world, "rotate", capsys)


def test_update_that_does_not_bring_it_about_is_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The state is checked after the update."""
    monkeypatch.setattr(rotation, "update", lambda *_: None)
    assert run("rotate") == 1
    assert "differ from the config" in capsys.readouterr().err
    assert world.live == ["KEY1"]


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_person_is_asked(
    world: World, answer: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only yes means yes."""
    monkeypatch.setattr("sys.stdin", _Terminal(f"{answer}\n"))
    assert main(["rotate", "worker", "--stack", "s"]) == code
    assert world.updates == (1 if code == 0 else 0)
    assert ("Nothing was changed" in capsys.readouterr().out) is (code == 1)


class _Terminal(io.StringIO):
    """A user at a terminal who answers."""

    def isatty(self) -> bool:
        """It is a terminal."""
        return True


def test_quiet_says_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """With --quiet only errors are printed."""
    assert run("rotate", "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert world.live == ["KEY1", "KEY2"]


@pytest.mark.parametrize("failure", [EngineError("no pulumi"), KeysError("IAM refused")])
def test_what_cannot_be_tried_exits_2(
    world: World, failure: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors of engine and server differ from a refusal of ours."""
    del world

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(rotation, "settle", fail)
    assert run("rotate") == 2
    assert str(failure) in capsys.readouterr().err


def told(*arguments: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The output of `status --json` for worker."""
    assert main(["status", "--stack", "s", "--json", *arguments]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return [one for one in found if one["identity"] == "worker"]


def test_status_tells_what_is_to_be_done(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind of key has its advice: previous, too old, not created, leftover, and not this stack's."""
    two(world)
    current, previous = told(capsys=capsys)
    assert (current["warning"], current["last_used"], current["age_days"]) == ("", "never", 0)
    assert "retire worker" in previous["warning"]

    world.made_at = NOW - timedelta(days=91)
    assert "over 90 d" in told(capsys=capsys)[0]["warning"]
    assert told("--max-age-days", "91", capsys=capsys)[0]["warning"] == ""

    world.config = Generations(current=3)
    world.live = ["KEY2", "BYHAND"]
    world.last_use = None
    found = {one["access_key_id"]: one for one in told(capsys=capsys)}
    assert found[""]["role"] == "wanted"
    assert (found["KEY2"]["role"], found["KEY2"]["last_used"]) == ("leftover", "not told")
    assert "not on the server" in found["KEY1"]["warning"]
    assert (found["BYHAND"]["role"], found["BYHAND"]["generation"]) == ("unknown", None)


def test_age_is_the_one_of_the_server_else_of_the_state(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that was adopted has a time in no state; one that nobody dates may be too old, and the warning says so."""
    world.made_at, world.dated = None, timedelta(days=91, hours=5)
    (found,) = told(capsys=capsys)
    assert (found["age_days"], "over 90 d: object-store keys rotate worker" in found["warning"]) == (91, True)

    world.made_at, world.dated = NOW - timedelta(days=200), timedelta(days=5)
    (found,) = told(capsys=capsys)
    assert (found["age_days"], found["warning"]) == (5, "")

    world.made_at, world.dated = None, None
    (found,) = told(capsys=capsys)
    assert found["age_days"] is None
    assert found["warning"].startswith("its age is unknown and may be over 90 d: object-store keys rotate worker")

    world.live, world.dated = ["BYHAND"], timedelta(days=3)
    assert [one["age_days"] for one in told(capsys=capsys)] == [None, 3]


@pytest.mark.parametrize("terminal", [True, False])
def test_status_is_a_table_or_lines(world: World, *, terminal: bool) -> None:
    """A terminal gets a table, a pipe gets one line for each key; neither has a secret."""
    world.last_use = LastUse(NOW, "s3 in us-west-2")
    out = io.StringIO()
    status.show(status.status("s", None), Console(file=out, force_terminal=terminal, width=200))
    assert "KEY1" in out.getvalue()
    assert ("identity worker, key KEY1, generation 1, state current" in out.getvalue()) is not terminal
    assert "planted" not in out.getvalue()


# The remains of an interrupted update.


def locked(host: str, pid: int) -> str:
    """The engine's message about a lock."""
    return (
        "error: the stack is currently locked by 1 lock(s). Either wait or delete the lock file with `pulumi cancel`.\n"
        f"  file:///s/.pulumi/locks/x.json: created by root@{host} (pid {pid}) at 2026-11-26T03:00:00Z"
    )


@pytest.mark.parametrize(
    ("said", "abandoned"),
    [
        (locked(socket.gethostname(), 2**22 + 1), True),
        (locked(socket.gethostname(), os.getpid()), False),
        (locked(socket.gethostname(), 1), False),
        (locked("another-host", 2**22 + 1), False),
        ("error: something else", False),
    ],
)
def test_lock_is_taken_off_only_where_its_holder_is_known_to_be_gone(
    said: str,
    abandoned: bool,  # noqa: FBT001 - a row
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A running engine, or one of another machine, keeps its lock, and the error remains."""
    calls: list[str] = []

    def run_pulumi(*arguments: str) -> None:
        calls.append(arguments[0])
        if len(calls) == 1:
            raise EngineError(said)

    monkeypatch.setattr(settled, "run_pulumi", run_pulumi)
    monkeypatch.setattr(settled, "recover", lambda _stack: calls.append("recover"))
    if abandoned:
        settled.update("s", lambda _: None)
        assert calls == ["up", "recover", "up"]
    else:
        with pytest.raises(EngineError):
            settled.update("s", lambda _: None)
        assert calls == ["up"]
