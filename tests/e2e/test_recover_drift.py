"""What was lost behind the stack's back comes back by `object-store recover` and a plain `pulumi up`, and nothing else.

For each store: by the plugin (v3), by our own resources (v4), and on AWS, whose answers come from its documentation.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model.resources import About, By
from ops.recover.command import find
from ops.recover.lost import Held, held_in
from tests.console import command
from tests.e2e.conftest import lead_here
from tests.sizes import IS_LONG, on, sized
from trials.checkout import Checkout, copy_deployed
from trials.losses import can_be_lost, can_be_off, lose, switch_off

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.e2e

recover = command("recover")
#: Seeds of each store; together ten for a change and 200 with `make long`.
SEEDS = {"v3": sized(4, 70), "v4": sized(3, 65), "aws": sized(3, 65)}


@dataclass(frozen=True)
class Store:
    """A deployed stack and its server.

    Attributes:
        checkout: Its sandbox.
        by: What implements its identities.
    """

    checkout: Checkout
    by: By

    @property
    def stack(self) -> str:
        """The stack's name."""
        return "aws" if self.by == "aws" else "local"

    def state(self) -> dict[str, Any]:
        """The exported state."""
        found: dict[str, Any] = json.loads(
            self.checkout.pulumi(self.stack, "stack", "export", "--stack", self.stack).output
        )
        return found

    def s3(self) -> "S3Client":
        """An S3 client with the admin's key."""
        client: S3Client = self.checkout.client(self.stack)
        return client

    def damage(self, gone: Sequence[Held], off: Sequence[Held] = ()) -> None:
        """Lose some resources, then switch others off: MinIO detaches nothing from a user that is off."""
        s3 = self.s3()
        identities = self.checkout.client("aws", "iam") if self.by == "aws" else self.checkout.admin_api("local")
        for one in gone:
            lose(one, s3, identities)
        for one in off:
            switch_off(one, identities)

    def up(self, *, refresh: bool = False) -> None:
        """A plain `pulumi up`, or one that reads the live store first."""
        done = self.checkout.up(self.stack, "--stack", self.stack, *(("--refresh",) if refresh else ()))
        assert done.status == 0, done.output

    def check_unchanged(self) -> None:
        """The preview is empty."""
        done = self.checkout.pulumi(self.stack, "preview", "--expect-no-changes", "--stack", self.stack)
        assert done.status == 0, done.output

    def check_proven(self) -> None:
        """The verification proves everything; for a change, of a warm and a cold bucket."""
        some = () if IS_LONG else ("--bucket", "docs-derived", "--bucket", "media-raw")
        done = self.checkout.python("verify", "--stack", self.stack, *some, stack=self.stack)
        assert done.status == 0, done.output


@pytest.fixture(scope="module", name="store", params=["v3", "v4", "aws"])
def _store(request: pytest.FixtureRequest, snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of its own, with an object in each bucket."""
    path = tmp_path_factory.mktemp(f"recover-{request.param}")
    store = Store(Checkout(path), request.param)
    try:
        copy_deployed(snapshot, path, [store.stack])
        if request.param == "v3":  # a new stack gets v4
            moved = store.checkout.python(
                "cli", "switch-admin-api", "--stack", "local", "--to", "v3", "--yes", stack="local"
            )
            assert moved.status == 0, moved.output
        yield store
    finally:
        store.checkout.python("cli", "sandbox", "down", "--stack", store.stack)


def made(state: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The id and the time of creation of each resource of a state, by URN: a replaced one has other ones."""
    return {one["urn"]: (one.get("id", ""), one.get("created", "")) for one in state["deployment"]["resources"]}


def the(held: list[Held], what: About, subject: str) -> Held:
    """A resource by what it configures and whose it is."""
    return next(one for one in held if (one.what, one.subject) == (what, subject))


def survivors(held: list[Held], gone: list[Held]) -> set[str]:
    """The URNs of what is not gone, alone or with its bucket or user."""
    buckets = {one.of for one in gone if one.what is About.BUCKET}
    users = {one.of for one in gone if one.what in (About.USER, About.ROLE)}
    policies = {one.id for one in gone if one.what is About.POLICY}
    lost = {one.urn for one in gone} | {
        one.urn
        for one in held
        if one.of in buckets or one.policy in policies or (one.of in users and one.what is not About.POLICY)
    }
    return {one.urn for one in held} - lost


@on("store", ["v4"], left=["v3", "aws"])
def test_many_losses_at_once_are_mended(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warm bucket, a lifecycle, a retention, a user, a policy, a key, and what is switched off come back together.

    The other keys stay, nothing else is replaced, and the preview is empty.
    """
    lead_here(store.checkout, store.stack, monkeypatch)
    state = store.state()
    before, held = made(state), held_in(state)
    gone = [
        the(held, About.BUCKET, "docs-derived"),
        the(held, About.LIFECYCLE, "media-derived"),
        the(held, About.RETENTION, "media-raw"),
        the(held, About.USER, "worker"),
        the(held, About.POLICY, "reader"),
        the(held, About.KEY, "otel-exporter"),
    ]
    off = [the(held, About.KEY, "vault-backup")]
    if store.by != "aws":
        off.append(the(held, About.USER, "session-archiver"))
    store.damage(gone, off)

    assert recover(["--stack", store.stack]) == 0
    store.up()

    said = capsys.readouterr().out
    assert "New access keys: otel-exporter, worker" in said
    after = made(store.state())
    assert after.keys() == before.keys()
    assert {urn: after[urn] for urn in survivors(held, gone)} == {urn: before[urn] for urn in survivors(held, gone)}
    store.check_unchanged()
    assert list(store.checkout.path.glob("recover-*.json"))


@on("store", ["aws"], left=["v3", "v4"])
def test_emptied_server_is_filled_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If everything is gone, only --all-gone believes it; then one `up` makes the whole store."""
    lead_here(store.checkout, store.stack, monkeypatch)
    held = held_in(store.state())
    users = [one for one in held if one.what is About.USER]
    policies = [one for one in held if one.what is About.POLICY]
    store.damage([one for one in held if one.what is About.BUCKET] + users + policies)

    assert recover(["--stack", store.stack]) == 2
    assert "--all-gone" in capsys.readouterr().err
    assert recover(["--stack", store.stack, "--all-gone"]) == 0
    store.up()

    assert find(store.stack, all_gone=False).causes == ()


@on("store", ["v4", "aws"], left=["v3"])
def test_any_losses_come_back_and_nothing_else_changes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is lost, the one way back ends with a whole store, and nothing that was there is replaced or deleted.

    After `recover` a refresh does no harm either: both lines of `model.remedies` end the same way.
    """
    lead_here(store.checkout, store.stack, monkeypatch)
    state = store.state()
    for seed in range(SEEDS[store.by]):
        chosen = random.Random(f"{store.by} {seed}")  # noqa: S311 - a seed makes the same choice each time
        before, held = made(state), held_in(state)
        gone, off = choice(held, chosen)
        store.damage(gone, off)

        assert recover(["--stack", store.stack]) == 0, (seed, gone, off)
        store.up(refresh=seed % 2 == 1)

        found = find(store.stack, all_gone=False)
        state = dict(found.before)
        after, kept = made(state), survivors(held, gone)
        assert {urn: after[urn] for urn in kept} == {urn: before[urn] for urn in kept}, (seed, gone, off)
        assert after.keys() == before.keys(), (seed, gone, off)
        assert found.causes == (), (seed, gone, off)
        if IS_LONG or seed == SEEDS[store.by] - 1:
            store.check_unchanged()
    store.check_proven()


def choice(held: list[Held], chosen: random.Random) -> tuple[list[Held], list[Held]]:
    """Some resources to lose, and some others to switch off; at least one bucket and one user stay."""
    possible = [one for one in held if can_be_lost(one)]
    stays = chosen.choice([one for one in possible if one.what is About.BUCKET])
    picked = chosen.sample(possible, chosen.choice([1, 2, 5, 12, 30]))
    users = [one for one in possible if one.what is About.USER]
    stay = [stays, *(users[:1] if set(users) <= set(picked) else ())]
    gone = [one for one in picked if one not in stay]
    alive = survivors(held, gone)
    # What goes with something else cannot be lost by itself any more.
    roots = {one.of for one in gone if one.what in (About.BUCKET, About.USER, About.ROLE)}
    gone = [
        one for one in gone if one.of not in roots or one.what in (About.BUCKET, About.USER, About.ROLE, About.POLICY)
    ]
    lost_policies = {one.id for one in gone if one.what is About.POLICY}
    gone = [one for one in gone if one.policy not in lost_policies]
    off = [one for one in held if one.urn in alive and can_be_off(one) and chosen.random() < 0.2]
    return gone, off
