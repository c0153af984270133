"""Proof goes on after the commit: what is damaged, hidden, gone or in a wrong place is named with its files."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.workloads.conftest import old
from trials.faults import Hook, On, Request, Response
from trials.faulty_proxy import FaultyProxy
from workloads import receipts
from workloads.archive import clock
from workloads.context import SESSIONS, VAULT, Options
from workloads.scrubbing import ScrubOptions
from workloads.scrubbing import run as scrub
from workloads.sessions import coverage
from workloads.vault import snapshot
from workloads.vault.snapshot import SnapshotOptions

World = Any
Move = Callable[[float], None]


@pytest.fixture(name="day")
def _day(monkeypatch: pytest.MonkeyPatch) -> Move:
    """Sets the clock to so many days from now."""
    start = datetime.now(UTC)

    def move(days: float) -> None:
        monkeypatch.setattr(clock, "now_utc", lambda: start + timedelta(days=days))

    return move


def filled(world: World, day: Move, days: int = 3) -> list[str]:
    """Archive one file a day; return the packs, the oldest first."""
    for number in range(days):
        day(number)
        path = world.home / f"s/{number}.jsonl"
        path.write_bytes(b'{"n":%d}\n' % number * 100)
        old(path)
        assert world.archive() == 0
    found: list[str] = sorted(world.keys(".tar.zst"))
    assert len(found) == days
    return found


def scrubbed(world: World, **more: Any) -> int:  # noqa: ANN401 - options
    """The exit status of a scrub."""
    return scrub(ScrubOptions(config=world.write(), quiet=True, **more), SESSIONS)


def wrong(world: World) -> dict[str, str]:
    """What the last receipt says is wrong, by the object's key."""
    proven: dict[str, str] = world.receipts()[-1]["proven"]
    return {key: text for key, text in proven.items() if text}


def flip(world: World, key: str) -> None:
    """Change one byte of an object."""
    body = bytearray(world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    world.client.put_object(Bucket=world.bucket, Key=key, Body=bytes(body))


def test_packs_are_read_in_turn(world: World, day: Move, capsys: pytest.CaptureFixture[str]) -> None:
    """Every day so many bytes, the longest unread first; after a round each pack was read, and the dates are shown."""
    packs = filled(world, day)
    size = world.client.head_object(Bucket=world.bucket, Key=packs[0])["ContentLength"]
    day(40)
    order = [packs[1], packs[0], packs[2]]  # the archive's own last run read the first one back
    for number, pack in enumerate(order):
        day(40 + number)
        assert scrubbed(world, size=size + 5) == 0
        assert list(world.receipts()[-1]["proven"]) == [pack]
        assert scrubbed(world, size=size + 5) == 0
        assert world.receipts()[-1]["proven"] == {}  # that was all for this day
    capsys.readouterr()

    assert scrubbed(world, show=True, as_json=True) == 0

    listed = json.loads(capsys.readouterr().out)["packs"]
    assert [one["pack"] for one in listed] == order
    assert [one["proven_at"][:10] for one in listed] == [
        f"{clock.now_utc() - timedelta(days=2 - number):%Y-%m-%d}" for number in range(3)
    ]
    assert scrub(ScrubOptions(config=world.write(), show=True), SESSIONS) == 0
    assert packs[0] in capsys.readouterr().out


def test_damaged_pack_of_old(world: World, day: Move) -> None:
    """It is named with its files each day, until they are stored again; what is gone here stays an alarm."""
    packs = filled(world, day)
    flip(world, packs[0])
    flip(world, packs[1])
    (world.home / "s/1.jsonl").unlink()
    day(40)

    assert scrubbed(world) == 1

    assert "needed by s/0.jsonl" in wrong(world)[packs[0]]
    assert "needed by s/1.jsonl" in wrong(world)[packs[1]]
    assert coverage.run(Options(config=world.write(), quiet=True)) == 1
    assert world.archive() == 1
    day(41)
    assert scrubbed(world) == 1
    assert set(wrong(world)) == {packs[1]}


@pytest.mark.parametrize("suffix", [".tar.zst", ".commit.json"])
def test_disk_that_rots(world: World, day: Move, suffix: str) -> None:
    """A body that is not the one of its etag is damage, also of a commit, and keeps nothing else from being read."""
    filled(world, day, 2)
    key = min(world.keys(suffix))
    shutil.rmtree(world.folder / "state")
    day(40)

    def rotten(_: Request, response: Response) -> Response:
        body = bytearray(response.body)
        body[len(body) // 2] ^= 1
        return Response(response.status, response.headers, bytes(body))

    with FaultyProxy(world.endpoint, None, Hook(when=On("GET", path=key), altering=rotten), plain=True) as proxy:
        world.endpoint = proxy.endpoint_plain
        assert scrubbed(world) == 1

    assert "its MD5 is another" in wrong(world)[key]
    assert len(world.receipts()[-1]["proven"]) == 2


def test_damage_that_only_earlier_states_need(world: World, day: Move) -> None:
    """It is told once, with the files: nothing on this machine can mend it."""
    (pack,) = filled(world, day, 1)
    path = world.home / "s/0.jsonl"
    path.write_bytes(b"rewritten\n")
    old(path, 2)
    assert world.archive() == 0
    flip(world, pack)
    day(40)

    assert scrubbed(world) == 1

    assert "needed by earlier states of s/0.jsonl" in wrong(world)[pack]
    day(50)
    assert scrubbed(world) == 0


def test_delete_marker(world: World, day: Move) -> None:
    """A pack below a delete marker is named, with the line that shows it; so does the archive's own run."""
    world.client.put_bucket_versioning(Bucket=world.bucket, VersioningConfiguration={"Status": "Enabled"})
    packs = filled(world, day)
    for pack in packs[:2]:
        world.client.delete_object(Bucket=world.bucket, Key=pack)
    day(3)

    assert scrubbed(world) == 1

    text = wrong(world)[packs[0]]
    assert "hidden by a delete marker (aws s3api list-object-versions" in text
    assert "needed by s/0.jsonl" in text
    assert world.archive() == 0  # it was told, and is stored again
    assert scrubbed(world) == 0


def test_commit_that_is_gone_or_copied(world: World, day: Move) -> None:
    """Both are named with their files, by the next run of the archive, too; a copy counts for nothing."""
    filled(world, day)
    first, _, last = sorted(world.keys(".commit.json"))
    held = world.client.get_object(Bucket=world.bucket, Key=first)
    other = f"{first.rpartition('/')[0]}/20200101T000000Z-00000000.commit.json"
    world.client.put_object(Bucket=world.bucket, Key=other, Body=held["Body"].read(), Metadata=held["Metadata"])
    world.client.delete_object(Bucket=world.bucket, Key=last)
    day(4)

    assert world.archive() == 1

    assert f"copied here from {first}" in wrong(world)[other]
    assert wrong(world)[other].endswith("it names s/0.jsonl")
    assert wrong(world)[last].endswith("it held s/2.jsonl")
    day(5)
    assert world.archive() == 0
    shutil.rmtree(world.folder / "state")
    assert scrubbed(world) == 1
    assert "it names s/0.jsonl" in wrong(world)[other]


def test_commit_that_was_moved(world: World, day: Move) -> None:
    """Where its own key is gone, nothing is believed, and the key that it belongs to is named."""
    filled(world, day, 1)
    (first,) = world.keys(".commit.json")
    held = world.client.get_object(Bucket=world.bucket, Key=first)
    other = f"{first.rpartition('/')[0]}/20200101T000000Z-00000000.commit.json"
    world.client.put_object(Bucket=world.bucket, Key=other, Body=held["Body"].read(), Metadata=held["Metadata"])
    world.client.delete_object(Bucket=world.bucket, Key=first)

    assert scrubbed(world) == 1

    assert f"copied here from {first}" in wrong(world)[other]


def test_expired_objects_are_no_alarm(world: World, day: Move) -> None:
    """What the store deletes by its age is not missed."""
    filled(world, day)
    for path in (world.home / "s").iterdir():
        path.unlink()
    day(400)
    for key in list(world.keys()):
        world.client.delete_object(Bucket=world.bucket, Key=key)

    assert scrubbed(world) == 0


def test_another_store(world: World, day: Move) -> None:
    """A run whose store is not the one of the last receipts says both, once."""
    filled(world, day, 1)
    assert scrubbed(world) == 0
    there = world.bucket
    world.bucket = f"{there}-other"
    world.client.create_bucket(Bucket=world.bucket)
    day(1)

    assert scrubbed(world) == 1

    (note,) = world.receipts()[-1]["notes"]
    assert f"are of {world.endpoint} {there}, and this run is of {world.endpoint} {world.bucket}" in note
    day(2)
    assert scrubbed(world) == 0


def test_archive_class(world: World, day: Move) -> None:
    """A pack that HEAD has and GET refuses is named with the line that brings it back: it is not taken for proven."""
    (pack,) = filled(world, day, 1)
    day(40)

    def cold(_: Request) -> Response:
        body = b"<Error><Code>InvalidObjectState</Code><Message>no</Message></Error>"
        return Response(403, (("Content-Type", "application/xml"),), body)

    upstream = world.endpoint
    hook = Hook(when=On("GET", r"\.tar\.zst$"), answering=cold)
    with FaultyProxy(upstream, None, hook, plain=True) as proxy:
        world.endpoint = proxy.endpoint_plain
        assert scrubbed(world) == 1
    assert "aws s3api restore-object" in wrong(world)[pack]
    assert "needed by s/0.jsonl" in wrong(world)[pack]


CUT: dict[str, Callable[[bytes], bytes]] = {
    "cut in the middle": lambda body: body[: len(body) // 2],
    "empty": lambda _: b"",
    "truncated without a token": lambda body: re.sub(rb"<IsTruncated>\w+<", b"<IsTruncated>true<", body),
}


@pytest.mark.parametrize("how", CUT)
def test_listing_that_was_cut(world: World, day: Move, how: str) -> None:
    """No command takes it for the whole: each ends with 2, and nothing is taken for gone."""
    filled(world, day, 1)
    assert scrubbed(world) == 0

    def cut(_: Request, response: Response) -> Response:
        return replace(response, body=CUT[how](response.body))

    upstream, hook = world.endpoint, Hook(when=On("GET", query="list-type"), altering=cut)
    with FaultyProxy(upstream, None, hook, plain=True) as proxy:
        world.endpoint = proxy.endpoint_plain
        options = Options(config=world.write(), quiet=True)
        assert scrubbed(world) == 2
        assert coverage.run(options) == 2
        assert receipts.run(options, SESSIONS, 30) == 2
    world.endpoint = upstream
    assert coverage.run(Options(config=world.write(), quiet=True)) == 0


def test_vault(notes: World, day: Move) -> None:
    """A pack that only earlier snapshots need is read, too, and named."""
    vault = notes.home / "Vault"
    vault.mkdir()
    for number in range(2):
        day(number)
        (vault / "note.md").write_bytes(b"%d\n" % number * 100)
        assert snapshot.run(SnapshotOptions(config=notes.write(), quiet=True)) == 0
    first = min(notes.keys(".tar.zst"))
    flip(notes, first)
    day(40)

    assert scrub(ScrubOptions(config=notes.write(), quiet=True), VAULT) == 1

    assert "needed by what was committed with it" in wrong(notes)[first]
