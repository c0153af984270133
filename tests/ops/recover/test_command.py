"""ops.recover.command: what is asked, saved, written and said, and every way that ends without a change."""

import json
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings
from model.resources import About
from ops.keys.standing_keys import standing_keys
from ops.recover import command
from ops.recover.lost import CannotTellError, Held, Live
from stack.runner import EngineError
from tests.console import command as console
from tests.ops.recover.states import exported, key_id, one_of
from tests.ops.recover.test_interrupted import creating, pending

main = console("recover")
CONFIG: dict[str, Any] = {
    "object-store:cloud": {"value": "aistor"},
    "object-store:env": {"value": "local"},
    "object-store:endpoint": {"value": "https://127.0.0.1:9000"},
    "object-store:adminUser": {"value": "provisioner"},
    "object-store:adminPassword": {"value": "planted-admin-password", "secret": True},
}
FAKE = """#!/bin/sh
folder=$(dirname "$0")
echo "$1 $2" >> "$folder/calls"
if [ "$1 $2" = cancel\\ --yes ]; then rm -f "$folder/lock"; fi
if [ "$1 $2" = "$FAKE_CHANGES_AT" ]; then cp "$folder/meanwhile.json" "$folder/state.json"; fi
if [ "$1 $2" = "stack import" ] && [ -f "$folder/lock" ]; then cat "$folder/lock" >&2; exit 1; fi
if [ "$1 $2" = "$FAKE_FAILS" ]; then echo "it failed" >&2; exit 1; fi
case "$1 $2" in
    "config --json") cat "$folder/config.json" ;;
    "stack export") cat "$folder/state.json" ;;
    "stack import") cat > "$folder/state.json" ;;
esac
"""
GONE_PID = 2**22 + 1  # beyond the largest number of a process
LOOKS = ["stack export", "config --json"]
WRITES = ["stack export", "stack import"]
LOCKED = "the stack is currently locked by 1 lock(s).\n  file:///x.json: created by me@{host} (pid {pid}) at noon"


class World:
    """A stack's state, and what its server says of it."""

    def __init__(self, folder: Path) -> None:
        """A whole stack by admin API v3, with everything there."""
        self.folder = folder
        self.gone: dict[Held, Live] = {}
        self.gone_ids: set[str] = set()
        self.state = exported("v3")
        self.asked: list[Settings] = []
        self.written: list[Settings] = []

    @property
    def state(self) -> dict[str, Any]:
        """The state."""
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        return found

    @state.setter
    def state(self, content: Mapping[str, Any]) -> None:
        (self.folder / "state.json").write_text(json.dumps(content), encoding="utf-8")

    def lose(self, what: About, subject: str, live: Live = Live.GONE) -> Held:
        """Lose something on the server."""
        one = one_of(self.state, what, subject)
        self.gone[one] = live
        return one

    def answer(self, settings: Settings, held: Sequence[Held]) -> dict[Held, Live]:
        """What the server says."""
        self.asked.append(settings)
        by_urn = {one.urn: live for one, live in self.gone.items()}
        return {one: Live.GONE if one.id in self.gone_ids else by_urn.get(one.urn, Live.THERE) for one in held}

    def calls(self) -> list[str]:
        """The commands given to pulumi."""
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()

    def saved(self) -> list[Path]:
        """The files with states as they were."""
        return sorted(self.folder.glob("recover-*.json"))


@pytest.fixture(name="world", autouse=True)
def _world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "pulumi").write_text(FAKE, encoding="utf-8")
    (tmp_path / "pulumi").chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path)
    monkeypatch.setattr(command, "live_of", world.answer)
    monkeypatch.setattr(command, "write_tried_access", world.written.append)
    return world


def test_what_is_gone_leaves_the_state(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The state is saved as it was, what is gone is taken out of it, nothing is refreshed, and each loss is said."""
    before = world.state
    user = world.lose(About.USER, "worker")

    assert main(["--stack", "org/object-store/local"]) == 0

    left = {one["urn"] for one in world.state["deployment"]["resources"]}
    assert {one["urn"] for one in before["deployment"]["resources"]} - left == {
        user.urn,
        one_of(before, About.ATTACHMENT, "worker").urn,
        one_of(before, About.KEY, "worker").urn,
    }
    assert world.calls() == [*LOOKS, *WRITES]
    (saved,) = world.saved()
    assert (saved.name, stat.S_IMODE(saved.stat().st_mode)) == ("recover-local.json", 0o600)
    assert json.loads(saved.read_text(encoding="utf-8")) == before
    said = capsys.readouterr().out
    assert "  user u-worker is gone, with its attachment and its key\n" in said
    assert f"pulumi stack import --stack org/object-store/local --file {saved}" in said
    assert "  object-store keys deliver --stack org/object-store/local --identity worker --to TARGET\n" in said
    assert "Access keys that stay as they are: reader.\n" in said
    assert said.endswith("Next: pulumi up --stack org/object-store/local\n")


def test_server_is_asked_with_the_config(world: World) -> None:
    """The endpoint and the admin's pair are the config's, never the state's."""
    main(["--stack", "local"])

    (settings,) = world.asked
    assert settings.aistor is not None
    assert (settings.aistor.endpoint.url, settings.aistor.admin_user) == ("https://127.0.0.1:9000", "provisioner")


def test_what_is_off_stays_in_the_state(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A disabled user is written as the server has it, and no key becomes new."""
    user = world.lose(About.USER, "worker", Live.OFF)

    assert main(["--stack", "local"]) == 0

    assert world.state["deployment"]["resources"][user.place]["outputs"]["status"] == "disabled"
    assert len(standing_keys(world.state)) == 2
    said = capsys.readouterr().out
    assert "user u-worker is switched off" in said
    assert "`pulumi up` switches user u-worker on again" in said
    assert "Access keys that stay as they are: reader." in said
    assert "New access keys" not in said


def test_whole_stack_is_left_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """If everything is there and nothing is pending, nothing is saved, and the state is written as it is.

    Only a command that writes says who holds the lock.
    """
    before = world.state
    assert main(["--stack", "local"]) == 0

    assert world.calls() == [*LOOKS, *WRITES]
    assert (world.state, world.saved()) == (before, [])
    said = capsys.readouterr().out
    assert "no operation is pending, and everything in the state is on the server" in said
    assert "pulumi up --refresh --stack local" in said


def test_new_stack_asks_no_server(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A stack that was never deployed has nothing to lose, and its config may still be missing.

    An emptied state must not be called whole: the line that fills it is named.
    """
    world.state = {"version": 3, "deployment": None}

    assert main(["--stack", "local"]) == 0
    assert world.asked == []
    said = capsys.readouterr().out
    assert "the state has no bucket and no identity" in said
    assert "object-store adopt --stack local" in said


def test_dry_run_shows_and_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It only reads, does not unlock, and ends with 1 if something is lost."""
    world.lose(About.LIFECYCLE, "hot-one")

    assert main(["--stack", "local", "--dry-run"]) == 1

    assert world.calls() == LOOKS
    assert world.saved() == []
    assert "the lifecycle of bucket b-hot is gone" in capsys.readouterr().out
    world.gone.clear()
    assert main(["--stack", "local", "--dry-run"]) == 0


def test_second_run_keeps_the_first_file(world: World) -> None:
    """A run after an interrupted one saves to a new file."""
    world.lose(About.LIFECYCLE, "hot-one")
    main(["--stack", "local"])
    world.lose(About.POLICY, "reader")
    main(["--stack", "local"])

    assert [path.name for path in world.saved()] == ["recover-local-2.json", "recover-local.json"]


def test_server_without_any_bucket_is_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong endpoint is likelier than an emptied server: both are named, and --all-gone decides."""
    for subject in ("hot-one", "warm-one", "cold-one"):
        world.lose(About.BUCKET, subject)

    assert main(["--stack", "local"]) == 2

    assert "import" not in " ".join(world.calls())
    said = capsys.readouterr().err
    assert "none of the 3 buckets of the state is on https://127.0.0.1:9000" in said
    assert "object-store:endpoint" in said
    assert "`object-store recover --stack local --all-gone`, then `pulumi up --stack local`" in said
    assert main(["--stack", "local", "--all-gone"]) == 0
    assert not [one for one in world.state["deployment"]["resources"] if "ucket" in one["type"]]


def test_server_without_any_identity_is_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A replica has the buckets and none of the identities: the keys on the true server must stay in the state."""
    for what in (About.USER, About.KEY):
        for subject in ("worker", "reader"):
            world.lose(what, subject)

    assert main(["--stack", "local"]) == 2

    assert "import" not in " ".join(world.calls())
    said = capsys.readouterr().err
    assert "none of the 4 users, roles and access keys of the state is on https://127.0.0.1:9000" in said
    assert "object-store:endpoint" in said
    assert "`object-store recover --stack local --all-gone`, then `pulumi up --stack local`" in said
    assert main(["--stack", "local", "--all-gone"]) == 0
    assert standing_keys(world.state) == []


def test_unknown_answer_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the server does not say whether something exists, nothing is written, and the preflight is named."""

    def refused(*_: object) -> dict[Held, Live]:
        raise CannotTellError("cannot tell whether the bucket of b is there: S3 answered 403")

    monkeypatch.setattr(command, "live_of", refused)

    assert main(["--stack", "local"]) == 2
    assert world.saved() == []
    said = capsys.readouterr().err
    assert "S3 answered 403" in said
    assert "Nothing was changed; see also: object-store preflight --stack local" in said


def test_interrupted_stack_is_taken_up_and_refreshed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A pending creation that is on the server becomes a resource whose outputs a refresh reads."""
    state = exported("v3")
    state["deployment"]["pending_operations"] = [
        creating("minio:index/s3Bucket:S3Bucket", bucket="b"),
        creating("minio:index/iamServiceAccount:IamServiceAccount", targetUser="u"),
    ]
    world.state = state

    assert main(["--stack", "local"]) == 0

    assert world.calls() == [*LOOKS, *WRITES, "refresh --yes"]
    assert world.written == world.asked
    assert world.state["deployment"]["resources"][-1]["id"] == "b"
    said = capsys.readouterr().out
    assert "resolved 2 interrupted operations" in said
    assert "an unused key may remain on the server; find and remove it: urn::minio:index/iamServiceAccount" in said
    assert "lost" not in said


@pytest.mark.parametrize("step", ["config --json", "cancel --yes"])
def test_state_that_changed_meanwhile_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    """What another machine wrote after the first look stays, also if it did so before its lock was removed."""
    world.lose(About.LIFECYCLE, "hot-one")
    other = exported("v4")
    (world.folder / "meanwhile.json").write_text(json.dumps(other), encoding="utf-8")
    (world.folder / "lock").write_text(LOCKED.format(host="elsewhere", pid=1), "utf-8")
    monkeypatch.setenv("FAKE_CHANGES_AT", step)

    assert main(["--stack", "local"]) == 2

    assert world.state == other
    assert "the state changed meanwhile; run it again" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["creating", "updating"])
def test_refresh_that_did_not_happen_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A run that ended between import and refresh leaves a mark in the state, so that the next one refreshes."""
    state = exported("v3")
    bucket = state["deployment"]["resources"][one_of(state, About.BUCKET, "hot-one").place]
    new = creating("minio:index/s3Bucket:S3Bucket", bucket="b")
    state["deployment"]["pending_operations"] = [new if kind == "creating" else {"type": kind, "resource": bucket}]
    world.state = state
    monkeypatch.setenv("FAKE_FAILS", "refresh --yes")
    assert main(["--stack", "local"]) == 2
    monkeypatch.delenv("FAKE_FAILS")
    first = len(world.calls())

    assert main(["--stack", "local", "--dry-run"]) == 1
    assert main(["--stack", "local"]) == 0

    assert world.calls()[first:] == [*LOOKS, *LOOKS, *WRITES, "refresh --yes"]


@pytest.mark.parametrize("made", [True, False])
def test_replacement_that_was_under_way_keeps_what_the_server_has(world: World, *, made: bool) -> None:
    """The new attachment lives if the server has it, and the old one is deleted; else the old one lives on."""
    state = exported("v4")
    old = one_of(state, About.ATTACHMENT, "worker")
    new = {"type": old.kind, "urn": old.urn, "inputs": {"userName": "u-worker", "policyName": "u-worker-2"}}
    state["deployment"]["pending_operations"] = [{"type": "creating", "resource": new}]
    world.state = state
    world.gone_ids = set() if made else {"u-worker/u-worker-2"}

    assert main(["--stack", "local"]) == 0

    found = [one for one in world.state["deployment"]["resources"] if one["urn"] == old.urn]
    kept = [(one["id"], one.get("delete", False)) for one in found]
    assert kept == ([("u-worker/u-worker-2", False), (old.id, True)] if made else [(old.id, False)])
    assert len(standing_keys(world.state)) == 2


def test_creation_that_did_not_happen_is_no_loss(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A pending creation that is not on the server leaves no trace; nor does a key whose deletion was pending."""
    state = exported("v3")
    key = one_of(state, About.KEY, "worker")
    state["deployment"]["pending_operations"] = [
        creating("minio:index/s3Bucket:S3Bucket", bucket="b"),
        {"type": "deleting", "resource": state["deployment"]["resources"][key.place]},
    ]
    world.state = state
    world.gone = {Held(99, "urn::minio:index/s3Bucket:S3Bucket", "", About.BUCKET, "b", "b", "b"): Live.GONE}
    world.gone[key] = Live.GONE

    assert main(["--stack", "local"]) == 0

    assert {one.get("id") for one in world.state["deployment"]["resources"]}.isdisjoint({"b", key_id("v3", "worker")})
    assert "lost" not in capsys.readouterr().out


def test_loss_of_what_was_being_updated_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """An update makes nothing go away: a user that was being updated and is gone has its key made anew."""
    user = world.lose(About.USER, "worker")
    state = world.state
    state["deployment"]["pending_operations"] = [
        {"type": "updating", "resource": state["deployment"]["resources"][user.place]}
    ]
    world.state = state

    assert main(["--stack", "local"]) == 0

    said = capsys.readouterr().out
    assert "user u-worker is gone, with its attachment and its key" in said
    assert "New access keys: worker." in said


def test_buckets_that_were_being_updated_do_not_hide_another_server(world: World) -> None:
    """With an update pending on each bucket, a server that has none of them is refused as ever."""
    state = world.state
    for subject in ("hot-one", "warm-one", "cold-one"):
        bucket = world.lose(About.BUCKET, subject)
        operation = {"type": "updating", "resource": state["deployment"]["resources"][bucket.place]}
        state["deployment"].setdefault("pending_operations", []).append(operation)
    world.state = state

    assert main(["--stack", "local"]) == 2
    assert world.state == state


def test_first_update_that_made_nothing_is_not_suspicious(world: World) -> None:
    """If only pending creations are missing, the server need not be another one."""
    world.state = pending(creating("minio:index/s3Bucket:S3Bucket", bucket="b"))
    world.gone = {Held(1, "urn::minio:index/s3Bucket:S3Bucket", "", About.BUCKET, "b", "b", "b"): Live.GONE}

    assert main(["--stack", "local"]) == 0
    assert [one["urn"] for one in world.state["deployment"]["resources"]] == ["urn::there"]


def test_keys_repair_only_what_was_interrupted(world: World) -> None:
    """For `object-store keys` a stack without pending operations does not change, whatever is lost.

    With some, only these are resolved, and the state as it was is saved; what is off stays as the state has it.
    """
    world.lose(About.USER, "worker")
    before = world.state

    assert command.recover("local", unlock=False) is None

    assert (world.state, world.asked, world.calls()) == (before, [], ["stack export"])
    world.gone.clear()
    key = world.lose(About.KEY, "worker", Live.OFF)
    lifecycle = world.lose(About.LIFECYCLE, "hot-one")
    deleting = {"type": "deleting", "resource": before["deployment"]["resources"][lifecycle.place]}
    interrupted = {**before, "deployment": {**before["deployment"], "pending_operations": [deleting]}}
    world.state = interrupted

    saved = command.recover("local")

    assert "cancel --yes" in world.calls()
    assert saved is not None
    assert json.loads(saved.read_text(encoding="utf-8")) == interrupted
    left = {one["urn"]: one for one in world.state["deployment"]["resources"]}
    assert left == {one["urn"]: one for one in before["deployment"]["resources"] if one["urn"] != lifecycle.urn}
    assert left[key.urn]["outputs"]["status"] == "on"


def test_keys_repeat_a_refresh_that_did_not_happen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`object-store keys` finishes an earlier run, too."""
    bucket = creating("minio:index/s3Bucket:S3Bucket", bucket="b")
    world.state = pending(bucket)
    monkeypatch.setenv("FAKE_FAILS", "refresh --yes")
    with pytest.raises(EngineError):
        command.recover("local", unlock=False)
    monkeypatch.delenv("FAKE_FAILS")

    command.recover("local", unlock=False)

    assert world.calls()[-2:] == ["stack import", "refresh --yes"]


def test_keys_hear_what_else_is_lost(world: World) -> None:
    """`object-store keys` takes nothing out of the state that the interrupted update does not explain."""
    world.lose(About.USER, "worker")
    before = world.state
    interrupted = {
        **before,
        "deployment": {**before["deployment"], "pending_operations": [creating("x:y:Z", bucket="b")]},
    }
    world.state = interrupted

    with pytest.raises(EngineError, match="user u-worker is gone") as caught:
        command.recover("local", unlock=False)

    assert "`object-store recover --stack local`, then `pulumi up --stack local`" in str(caught.value)
    assert (world.state, world.saved()) == (interrupted, [])


def test_keys_hear_that_it_is_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server does not say is an engine's error to `object-store keys`."""
    world.state = pending(creating("minio:index/s3Bucket:S3Bucket", bucket="b"))

    def refused(*_: object) -> dict[Held, Live]:
        raise CannotTellError("nobody answers")

    monkeypatch.setattr(command, "live_of", refused)
    with pytest.raises(EngineError, match="nobody answers"):
        command.recover("local")


@pytest.mark.parametrize("is_whole", [False, True], ids=["damaged", "whole"])
@pytest.mark.parametrize(
    ("host", "alive", "status"),
    [("elsewhere", True, 0), ("", False, 0), ("", True, 2)],
    ids=["unknown", "dead", "alive"],
)
def test_lock_is_removed_unless_its_holder_runs_here(
    world: World, capsys: pytest.CaptureFixture[str], host: str, *, alive: bool, status: int, is_whole: bool
) -> None:
    """A killed engine's lock goes; an update that runs on this machine keeps its lock, and the state stays."""
    if not is_whole:
        world.lose(About.LIFECYCLE, "hot-one")
    before, pid = world.state, os.getpid() if alive else GONE_PID
    (world.folder / "lock").write_text(LOCKED.format(host=host or socket.gethostname(), pid=pid), "utf-8")

    assert main(["--stack", "local"]) == status

    assert ("cancel --yes" in world.calls()) == (status == 0)
    assert (world.state == before) == (status != 0 or is_whole)
    assert ("created by me" in capsys.readouterr().err) == (status != 0)


def test_only_a_lock_is_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails for another reason cancels nothing, because another machine's update may run."""
    world.lose(About.LIFECYCLE, "hot-one")
    monkeypatch.setenv("FAKE_FAILS", "stack import")

    assert main(["--stack", "local"]) == 2
    assert "cancel --yes" not in world.calls()


def test_conflict_in_pulumi_cloud_is_a_lock(world: World) -> None:
    """Pulumi Cloud has no lock file and names no holder."""
    world.lose(About.LIFECYCLE, "hot-one")
    (world.folder / "lock").write_text("error: [409] Conflict: Another update is currently in progress.", "utf-8")

    assert main(["--stack", "local"]) == 0
    assert "cancel --yes" in world.calls()


@pytest.mark.parametrize("step", ["stack export", "config --json", "stack import"])
def test_failure_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    """A failed step ends it with pulumi's own message."""
    world.lose(About.LIFECYCLE, "hot-one")
    monkeypatch.setenv("FAKE_FAILS", step)

    assert main(["--stack", "local"]) == 2
    assert "it failed" in capsys.readouterr().err


def test_no_pulumi_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an engine nothing can be mended."""
    monkeypatch.setenv("PATH", "/nowhere")

    assert main(["--stack", "local"]) == 2
    assert "pulumi is not on the path" in capsys.readouterr().err
