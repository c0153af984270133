"""A store that lies: commits and manifests that somebody made, packs that are gone, receipts of another form."""

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from model.exit_codes import ExitCode
from sandbox.transcripts import truth_of
from tests.workloads.conftest import old
from workloads import receipts
from workloads.archive import clock
from workloads.archive.commit import sha256_of
from workloads.archive.zstd import ZstdDecompressor, compressor
from workloads.context import SESSIONS, Options
from workloads.sessions import coverage
from workloads.sessions.restoring import RestoreOptions, run_cat, run_restore
from workloads.window import status
from workloads.window.nas import MARKER

Change = Callable[[dict[str, Any]], dict[str, Any]]
OUT = 2**70


def write(world: Any, count: int = 3) -> None:  # noqa: ANN401 - the fixture's own class
    """Files that were last written some days ago."""
    for number in range(count):
        path = world.home / f"s/{number}.jsonl"
        path.write_bytes(b'{"n":%d}\n' % number * 100)
        old(path)


def restored(world: Any, **more: Any) -> int:  # noqa: ANN401 - the fixture's own class
    """The exit status of a restore to a new folder."""
    to = world.folder / f"back-{time.time_ns()}"
    return run_restore(RestoreOptions(config=world.write(), quiet=True, to=to, **more))


def forge(world: Any, commit: Change, entry: Callable[[str], str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Replace commit and manifest by others that fit together, as somebody with the archiver's key could."""
    (commit_key,), (manifest_key,) = world.keys(".commit.json"), world.keys(".manifest.ndjson.zst")

    def read(key: str) -> bytes:
        body: bytes = world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read()
        return body

    def put(key: str, body: bytes) -> dict[str, Any]:
        metadata = {"sha256": sha256_of(body)}
        answer = world.client.put_object(Bucket=world.bucket, Key=key, Body=body, Metadata=metadata)
        return {"etag": answer["ETag"].strip('"'), "sha256": sha256_of(body), "size": len(body)}

    head, *lines = ZstdDecompressor().decompress(read(manifest_key)).decode().splitlines()
    content = compressor()
    text = "".join(f"{line}\n" for line in [head, *map(entry, lines)])
    made = put(manifest_key, content.compress(text.encode()) + content.flush())
    whole = json.loads(read(commit_key))
    whole["manifest"] |= made
    put(commit_key, json.dumps(commit(whole)).encode())


def entry_with(**values: object) -> Callable[[str], str]:
    """Change an entry's keys."""
    return lambda line: json.dumps(json.loads(line) | values)


COMMITS: dict[str, Change] = {
    "a sequence that leaves no next one": lambda one: one | {"sequence": 2**63 - 1},
    "a sequence of 70 bits": lambda one: one | {"sequence": OUT},
    "a time without a zone": lambda one: one | {"started_at": "2026-01-01T00:00:00"},
    "a time after the last year": lambda one: one | {"started_at": "9999-12-31T23:59:59-12:00"},
    "a size of 70 bits": lambda one: one | {"manifest": one["manifest"] | {"size": OUT}},
    "another source": lambda one: one | {"source": "2026"},
}
ENTRIES = {
    "permissions of 70 bits": entry_with(mode=OUT),
    "set-user-id": entry_with(mode=0o4755),
    "an infinite mode": lambda line: line.replace('"mode":', '"mode":1e999,"was":'),
    "a time of 100 bits": entry_with(mtime_ns=2**100),
    "a link to nothing": entry_with(kind="link", target="", size=0, segments=[]),
    "a link with NUL": entry_with(kind="link", target="a\0b", size=0, segments=[]),
    "a path that is null": entry_with(path=None),
    "a path that leads out": entry_with(path="../x"),
    "a list of lists": lambda _: "[" * 100_000 + "]" * 100_000,
}


@pytest.mark.parametrize("what", [*COMMITS, *ENTRIES])
def test_forged_commit_or_manifest(world: Any, capsys: pytest.CaptureFixture[str], what: str) -> None:  # noqa: ANN401 - the fixture's own class
    """It is named, and nothing of it is believed; the next run stores what is still here again, and restore gives that.

    An administrator may bring the right one back: then the damage is over.
    """
    write(world)
    assert world.archive() == ExitCode.DONE
    key = world.keys(".commit.json" if what in COMMITS else ".manifest.ndjson.zst")[0]
    forge(world, COMMITS.get(what, lambda one: one), ENTRIES.get(what, lambda line: line))
    shutil.rmtree(world.folder / "state")
    capsys.readouterr()

    assert restored(world) == ExitCode.CANNOT
    assert key in capsys.readouterr().err
    assert not list(world.folder.glob("back*"))
    assert coverage.run(Options(config=world.write(), quiet=True)) == ExitCode.WRONG
    assert key in capsys.readouterr().out
    shutil.rmtree(world.folder / "state")
    assert world.archive() == ExitCode.WRONG
    assert key in world.receipts()[-1]["proven"]
    assert world.archive() == ExitCode.DONE  # nothing more can be done about it, so it is told once
    assert restored(world) == ExitCode.WRONG
    assert f"DAMAGED {key}" in capsys.readouterr().err
    (to,) = world.folder.glob("back*")
    assert truth_of(to / "s") == truth_of(world.home / "s")


@pytest.mark.parametrize("which", [".commit.json", ".manifest.ndjson.zst"])
def test_newest_commit_is_damaged_and_the_state_is_lost(
    world: Any,  # noqa: ANN401 - the fixture's own class
    capsys: pytest.CaptureFixture[str],
    which: str,
) -> None:
    """Earlier commits come back, with the damage named; a run goes on; what is brought back is taken in again."""
    write(world)
    assert world.archive() == ExitCode.DONE
    first, held = truth_of(world.home / "s"), set(world.keys())
    (world.home / "s/later.jsonl").write_bytes(b"{}\n" * 100)
    assert world.archive() == ExitCode.DONE
    both = truth_of(world.home / "s")
    (key,) = (one for one in world.keys(which) if one not in held)
    whole = world.client.get_object(Bucket=world.bucket, Key=key)
    body = whole["Body"].read()
    world.client.put_object(Bucket=world.bucket, Key=key, Body=b"!" + body[1:], Metadata=whole["Metadata"])
    (world.home / "s/later.jsonl").unlink()
    shutil.rmtree(world.folder / "state")

    assert restored(world) == ExitCode.WRONG
    assert f"DAMAGED {key} " in capsys.readouterr().err
    (to,) = world.folder.glob("back*")
    assert truth_of(to / "s").keys() == first.keys()
    shutil.rmtree(to)
    assert world.archive() == ExitCode.WRONG
    assert key in world.receipts()[-1]["proven"]
    assert world.archive() == ExitCode.DONE
    world.client.put_object(Bucket=world.bucket, Key=key, Body=body, Metadata=whole["Metadata"])
    assert restored(world) == ExitCode.DONE
    (to,) = world.folder.glob("back*")
    assert truth_of(to / "s").keys() == both.keys()


def test_frame_that_is_damaged_is_named(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """The message has the pack's key."""
    write(world)
    assert world.archive() == ExitCode.DONE

    def entry(line: str) -> str:
        held = json.loads(line)
        return json.dumps(held | {"segments": [[*part[:3], OUT, *part[4:]] for part in held["segments"]]})

    forge(world, lambda one: one, entry)
    shutil.rmtree(world.folder / "state")

    assert restored(world) == ExitCode.CANNOT
    assert world.keys(".tar.zst")[0] in capsys.readouterr().err
    assert run_cat(RestoreOptions(config=world.write(), quiet=True, names=("0",))) == ExitCode.CANNOT
    assert world.keys(".tar.zst")[0] in capsys.readouterr().err


def test_year_after_the_last_one_is_listed(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Some disks hold such times; the list shows seconds."""
    write(world)
    assert world.archive() == ExitCode.DONE
    forge(world, lambda one: one, entry_with(mtime_ns=600_000_000_000 * 10**9))
    shutil.rmtree(world.folder / "state")

    assert run_restore(RestoreOptions(config=world.write(), quiet=True, show=True)) == ExitCode.DONE
    assert "@600000000000 " in capsys.readouterr().out


def test_pack_that_is_gone(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Its files count as in no commit, whatever the commit says; the next run stores what is still here."""
    write(world, 1)
    assert world.archive() == ExitCode.DONE
    (pack,) = world.keys(".tar.zst")
    (world.home / "s/later.jsonl").write_bytes(b"{}\n")
    old(world.home / "s/later.jsonl")
    assert world.archive() == ExitCode.DONE
    world.client.delete_object(Bucket=world.bucket, Key=pack)
    capsys.readouterr()

    coverage.run(Options(config=world.write(), quiet=True, as_json=True))
    assert [one["path"] for one in json.loads(capsys.readouterr().out)["uncovered"]] == ["0.jsonl"]
    assert restored(world) == ExitCode.CANNOT
    err = capsys.readouterr().err
    assert f"the pack {pack} is gone" in err
    assert "1 files, such as s/0.jsonl" in err
    assert "write: --without-gone" in err
    assert restored(world, without_gone=True) == ExitCode.WRONG
    (to,) = world.folder.glob("back*")
    assert sorted(truth_of(to / "s")) == [b"later.jsonl"]
    assert "left out, because the store has deleted a part: 1 files" in capsys.readouterr().err
    world.archive()
    assert restored(world) == ExitCode.DONE


def test_commit_alone_is_gone(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """What a later commit needs of its packs still comes back, with the state and without it."""
    path = world.home / "s/a.jsonl"
    path.write_bytes(b"{}\n" * 100)
    old(path)
    assert world.archive() == ExitCode.DONE
    first = world.keys(".commit.json")
    with path.open("ab") as file:
        file.write(b"{}\n" * 10)
    old(path, 2)
    assert world.archive() == ExitCode.DONE
    world.client.delete_object(Bucket=world.bucket, Key=first[0])

    assert restored(world) == ExitCode.DONE
    shutil.rmtree(world.folder / "state")
    assert restored(world) == ExitCode.DONE


def test_head_that_has_expired(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """A file that was deleted here, whose beginning is a year old and whose end is not, does not keep the rest back."""
    start = datetime.now(UTC)
    path = world.home / "s/a.jsonl"
    path.write_bytes(b"{}\n" * 100)
    old(path)
    write(world, 1)
    assert world.archive() == ExitCode.DONE
    expired = world.keys()
    monkeypatch.setattr(clock, "now_utc", lambda: start + timedelta(days=100))
    with path.open("ab") as file:
        file.write(b"{}\n" * 10)
    old(path, 2)
    assert world.archive() == ExitCode.DONE
    path.unlink()
    monkeypatch.setattr(clock, "now_utc", lambda: start + timedelta(days=200))
    assert world.archive() == ExitCode.DONE
    monkeypatch.setattr(clock, "now_utc", lambda: start + timedelta(days=366))
    for key in expired:
        world.client.delete_object(Bucket=world.bucket, Key=key)

    for _ in range(3):
        assert world.archive() == ExitCode.DONE  # nothing can be done about it, so it is no alarm
    assert restored(world) == ExitCode.CANNOT
    assert restored(world, without_gone=True) == ExitCode.WRONG
    (to,) = world.folder.glob("back*")
    assert truth_of(to / "s") == truth_of(world.home / "s")


def test_pack_of_a_killed_run_is_gone(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """The run that goes on does not commit it: the bucket was emptied, or made again."""
    write(world)

    class Killed(BaseException):
        """As a power cut."""

    def stage(name: str) -> None:
        if name == "pack remembered":
            raise Killed

    with pytest.raises(Killed):
        world.archive(stage=stage)
    (pack,) = world.keys(".tar.zst")
    world.client.delete_object(Bucket=world.bucket, Key=pack)

    assert world.archive() == ExitCode.DONE
    assert restored(world) == ExitCode.DONE


def test_receipt_of_another_form(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """A time without a zone is none: `receipts` and `coverage` do not compare it with others."""
    write(world)
    assert world.archive() == ExitCode.DONE
    listed = world.client.list_objects_v2(Bucket=world.bucket, Prefix="receipts/")["Contents"]
    (key,) = (one["Key"] for one in listed if not one["Key"].endswith(".started.json"))
    whole = json.loads(world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read())
    forged = whole | {"started_at": whole["started_at"].partition(".")[0].rstrip("Z"), "run": "20990101T000000Z-0"}
    other = f"{os.path.dirname(key)}/sessions.archive-20990101T000000Z-0.json"  # noqa: PTH120 - a key, and no path
    world.client.put_object(Bucket=world.bucket, Key=other, Body=json.dumps(forged).encode())

    assert receipts.run(Options(config=world.write(), quiet=True), SESSIONS, 30) == ExitCode.DONE
    assert coverage.run(Options(config=world.write(), quiet=True)) == ExitCode.DONE


def test_marks_of_folders(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """What another program puts where it shows a folder is no machine, no commit and no receipt."""
    write(world)
    day = f"{datetime.now(UTC):%Y/%m/%d}"
    (world.folder / "nas").mkdir(parents=True)
    (world.folder / "nas" / MARKER).touch()
    window = {"nas": str(world.folder / "nas"), "since": "2026-01-01", "reason": "both"}
    world.more["window"] = {"sessions": window}
    for key in (
        "receipts/window/v1/sessions/",
        f"receipts/v1/box/{day}/",
        f"v1/box/s/{day}/",
        "v1/",
        "v1//",
        "v1/box/",
        "v1/box/s/",
        "receipts/",
        "receipts/v1/",
        "receipts/v1/box/",
    ):
        world.client.put_object(Bucket=world.bucket, Key=key, Body=b"")
    assert world.archive() == ExitCode.DONE
    options = Options(config=world.write(), quiet=True)

    assert coverage.run(options) == receipts.run(options, SESSIONS, 30) == ExitCode.DONE
    assert status.run(options, SESSIONS) == ExitCode.DONE
    assert restored(world) == ExitCode.DONE
    assert restored(world, machine="other") == ExitCode.CANNOT
    assert "legal: box\n" in capsys.readouterr().err


def test_commit_of_a_killed_run_is_damaged(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """The run that goes on finds its key taken, and the one after it begins a new one."""
    write(world)

    class Killed(BaseException):
        """As a power cut."""

    def stage(name: str) -> None:
        if name == "committed":
            raise Killed

    with pytest.raises(Killed):
        world.archive(stage=stage)
    (key,) = world.keys(".commit.json")
    world.client.put_object(Bucket=world.bucket, Key=key, Body=b"{}", Metadata={"sha256": "0" * 64})

    assert world.archive() == ExitCode.CANNOT
    assert key in world.receipts()[-1]["error"]
    assert world.archive() == ExitCode.WRONG
    assert key in world.receipts()[-1]["proven"]
    assert world.archive() == ExitCode.DONE
    assert restored(world) == ExitCode.WRONG
    (to,) = world.folder.glob("back*")
    assert truth_of(to / "s") == truth_of(world.home / "s")
