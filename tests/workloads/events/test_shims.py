"""`events shims`: what is counted, what may go, and what proves nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from model.exit_codes import ExitCode
from object_store import EndpointUnreachable, ObjectStore
from tests.workloads.events.conftest import REQUESTED
from tests.workloads.test_listings import CUT, cut_on_second_page
from workloads.events.shims import PERIOD_DAYS, SHIMS, ShimsOptions, Tally, Verdict
from workloads.events.shims import run as shims
from workloads.events.use import BYTES_MAXIMUM, PREFIX, Use, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.workloads.events.conftest import Consumer

RECEIVED = "media/received"


def ago(days: float) -> str:
    """The date some days ago."""
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"


def use(days: float, form: str = "reference", event: str = REQUESTED, number: int = 0, **more: Any) -> Use:  # noqa: ANN401 - of Use
    """A use some days ago."""
    run = f"{datetime.now(UTC) - timedelta(days=days):%Y%m%dT%H%M%SZ}-{number:08x}"
    given = {"machine": "box", "field": "objectRef", "status": "given", **more}
    return Use.model_validate({"run": run, "event": event, "form": form, **given})


def plant(consumer: Consumer, *planted: Use, body: bytes = b"") -> list[str]:
    """Store receipts; their keys."""
    for one in planted:
        consumer.world.client.put_object(Bucket=consumer.receipts, Key=one.key, Body=body or one.to_text().encode())
    return [one.key for one in planted]


def test_silence_is_no_proof(consumer: Consumer) -> None:
    """Without any use no path may go; what is not seen is listed."""
    assert consumer.shims() == ExitCode.WRONG
    assert [row["verdict"] for row in consumer.printed["shims"]] == ["not seen"] * len(SHIMS)
    assert all(row["countedSince"] is None and row["lastPath"] is None for row in consumer.printed["shims"])


def test_references_for_the_whole_period(consumer: Consumer) -> None:
    """By reference, and by both, since before it began: the paths of this event may go, and of no other."""
    plant(consumer, use(PERIOD_DAYS + 1), use(3), use(2, "both"), use(40, "path"))

    assert consumer.shims() == ExitCode.DONE

    assert consumer.counts() == (1, 0, 1, 0)
    assert consumer.row()["verdict"] == "may go"
    assert consumer.row(RECEIVED)["verdict"] == "not seen"


def test_path_in_the_period(consumer: Consumer) -> None:
    """The last one is named, with its machine and the event's id; one that failed needs the path as well."""
    older = use(9, "path", machine="mac", event_id="e-8")
    last = use(8, "path", machine="mini", event_id="e-9", status="failed", number=1)
    plant(consumer, use(40), use(1), last, older)

    assert consumer.shims() == ExitCode.WRONG

    assert consumer.counts() == (1, 2, 0, 1)
    row = consumer.row()
    assert row["lastPath"] == {"at": last.at.isoformat(), "machine": "mini", "eventId": "e-9"}
    assert (row["verdict"], row["reason"]) == ("in use", "last on mini")
    assert consumer.shims(since=ago(7)) == ExitCode.DONE
    assert consumer.row()["lastPath"] is None


def test_counted_for_less_than_the_period(consumer: Consumer) -> None:
    """A count that began in it proves less than 30 days; a person may choose a shorter period."""
    first = use(2)
    plant(consumer, first, use(1))

    assert consumer.shims() == ExitCode.WRONG
    assert consumer.row()["verdict"] == "too early"
    assert f"counted since {first.at:%Y-%m-%d}; ask again on " in consumer.row()["reason"]
    assert f"{first.at + timedelta(days=30):%Y-%m-%d}" in consumer.row()["reason"]
    assert consumer.shims(since=ago(0)) == ExitCode.WRONG  # nothing today
    assert consumer.shims(since=f"{first.at - timedelta(days=1):%Y-%m-%d}") == ExitCode.DONE
    assert consumer.row()["countedSince"] == first.at.isoformat()


def test_resolve_is_counted(consumer: Consumer) -> None:
    """What `resolve` did, in the three forms, and by a reference that failed."""
    ref = consumer.store(b"x")
    (consumer.folder / "f").write_bytes(b"y")
    path = {"filePath": str(consumer.folder / "f")}
    forms: list[tuple[dict[str, Any], int]] = [({"objectRef": ref}, 0), ({"objectRef": ref, **path}, 0), (path, 0)]
    for data, status in [*forms, ({"objectRef": {**ref, "etag": "e"}}, 1)]:
        assert consumer.resolve(data, replace=True) == status, consumer.errors

    assert consumer.shims(since=ago(0)) == ExitCode.WRONG
    assert consumer.counts() == (2, 1, 1, 1)
    assert consumer.row()["lastPath"]["eventId"] == "e-1"


def test_references_that_all_fail(consumer: Consumer) -> None:
    """They prove nothing: the path that they would take the place of is the only way."""
    plant(consumer, use(40, status="failed"), use(1, status="failed"), use(2, "both", status="running"))

    assert consumer.shims() == ExitCode.WRONG
    assert (consumer.row()["verdict"], consumer.row()["reason"]) == ("cannot tell", "no reference gave its bytes")


def test_one_event(consumer: Consumer) -> None:
    """Of another, a path does not matter; an older name is today's; one without a path is refused."""
    plant(consumer, use(40), use(1), use(1, "path", event=RECEIVED))

    assert consumer.shims() == ExitCode.WRONG
    assert consumer.shims(event=REQUESTED) == ExitCode.DONE
    assert [row["event"] for row in consumer.printed["shims"]] == [REQUESTED]
    assert consumer.shims(event=RECEIVED) == ExitCode.WRONG
    assert consumer.shims(event="pipeline/transcript.process") == ExitCode.WRONG
    assert [row["event"] for row in consumer.printed["shims"]] == ["pipeline/transcript.requested"]
    for wrong in ("discovery/captured", "media/recieved"):
        assert consumer.shims(event=wrong) == ExitCode.CANNOT
        assert f"--event: {wrong!r} has no path that may go" in consumer.errors
        assert "legal: pipeline/video.downloaded, " in consumer.errors


DAMAGES: dict[str, tuple[Callable[[Use], bytes], str]] = {
    "empty": (lambda _: b"", "JSON"),
    "cut": (lambda one: one.to_text().encode()[:-20], "JSON"),
    "other form": (lambda _: b'{"version": 2, "run": "SECRET"}', "version: Input should be 1"),
    "more fields": (lambda one: one.to_text().replace('"event"', '"x": "SECRET", "event"').encode(), "x: Extra inputs"),
    "no such field": (lambda one: one.to_text().replace("objectRef", "rawRef").encode(), "its event has no such field"),
    "no such event": (lambda one: one.to_text().replace("docs/ingest", "docs/digest").encode(), "has no such field"),
    "older name": (
        lambda one: one.to_text().replace(REQUESTED, "pipeline/transcript.process").encode(), "has no such field",
    ),
    "copy": (lambda _: use(3, number=7).to_text().encode(), "is a copy of receipts/events/v1/docs.ingest.requested/"),
    "large": (lambda one: one.to_text().encode() + b" " * BYTES_MAXIMUM, "and a receipt has at most 4096"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGES)
def test_damaged_receipt_is_named(consumer: Consumer, case: str) -> None:
    """It may have been of a path: its event may not lose it. The others are counted, also those of the same event."""
    plant(consumer, use(40), use(1), use(40, event=RECEIVED), use(1, event=RECEIVED))
    damage, says = DAMAGES[case]
    damaged = use(2, number=9)
    consumer.world.client.put_object(Bucket=consumer.receipts, Key=damaged.key, Body=damage(damaged))

    assert consumer.shims() == ExitCode.WRONG

    assert consumer.counts() == (1, 0, 0, 0)
    assert (consumer.row()["verdict"], consumer.row(RECEIVED)["verdict"]) == ("cannot tell", "may go")
    assert list(consumer.printed["wrong"]) == [damaged.key]
    assert says in consumer.printed["wrong"][damaged.key]
    assert f"NOT COUNTED s3://{consumer.receipts}/{damaged.key}: " in consumer.errors
    assert "SECRET" not in consumer.errors
    assert consumer.shims(since=ago(0)) == ExitCode.WRONG
    assert not consumer.printed["wrong"]  # it is not of today


@pytest.mark.parametrize(
    "key", ["x", "docs.ingest.requested/2026/13/40/20261340T000000Z-00000000-box.json", "a.b/x.json", "x/y.txt"]
)
def test_foreign_object_is_named(consumer: Consumer, key: str) -> None:
    """What is no receipt in their place: named with what removes it; the mark of a folder is left out."""
    plant(consumer, use(40), use(1))
    for name in (PREFIX, f"{PREFIX}docs.ingest.requested/"):
        consumer.world.client.put_object(Bucket=consumer.receipts, Key=name, Body=b"")
    assert consumer.shims() == ExitCode.DONE
    consumer.world.client.put_object(Bucket=consumer.receipts, Key=f"{PREFIX}{key}", Body=b"x")

    assert consumer.shims() == ExitCode.WRONG

    assert consumer.counts() == (1, 0, 0, 0)
    assert "is not the key of a receipt; if it is of no use: object-store rm" in consumer.errors
    assert consumer.errors.count("\n") == 1


def test_damaged_file_here_is_named(consumer: Consumer) -> None:
    """Of what this machine still has; a file that is being written is none."""
    plant(consumer, use(40), use(1))
    consumer.world.folder.mkdir()
    folder = consumer.world.folder / f"state/events/{consumer.receipts}/uses"
    folder.mkdir(parents=True)
    (folder / "20261201T000000Z-00000000.json").write_text("{")
    (folder / ".20261201T000000Z-00000001.json.x7").write_text("{")
    (folder / "folder").mkdir()

    assert consumer.resolve({"objectRef": consumer.store(b"x")}) == ExitCode.DONE, consumer.errors
    assert consumer.shims() == ExitCode.WRONG
    assert list(consumer.printed["wrong"]) == [
        str(folder / name) for name in ("20261201T000000Z-00000000.json", "folder")
    ]
    assert consumer.counts() == (2, 0, 0, 0)


def test_what_is_here_counts_once(consumer: Consumer) -> None:
    """Also if the store has it as well; of a killed call it counts as failed."""
    one = use(1, "path", status="running")
    folder = consumer.world.folder / f"state/events/{consumer.receipts}/uses"
    folder.mkdir(parents=True)
    (folder / one.file_name).write_text(one.to_text())

    assert consumer.shims() == ExitCode.WRONG
    assert consumer.counts() == (0, 1, 0, 1)
    assert consumer.shims(since=ago(0)) == ExitCode.WRONG
    assert consumer.counts() == (0, 0, 0, 0)
    plant(consumer, one)
    assert consumer.shims() == ExitCode.WRONG
    assert consumer.counts() == (0, 1, 0, 1)


def test_what_earlier_calls_left(consumer: Consumer) -> None:
    """The next call sends it, also that of a call that died a day ago; one that may run keeps it, an old one goes."""
    dead, running, old = (
        use(1.1, "path", status="running"), use(0.1, "path", status="running"), use(366, "path", number=1)
    )  # fmt: skip
    folder = consumer.world.folder / f"state/events/{consumer.receipts}/uses"
    folder.mkdir(parents=True)
    for one in (dead, running, old):
        (folder / one.file_name).write_text(one.to_text())

    assert consumer.resolve({"objectRef": consumer.store(b"x")}) == ExitCode.DONE

    assert [path.name for path in consumer.unsent()] == [running.file_name]
    assert dead.key in consumer.uses()
    assert len(consumer.uses()) == 2


def test_more_than_a_page(consumer: Consumer) -> None:
    """A listing has 1,000 keys: all are counted."""
    plant(consumer, use(40), *(use(1, number=number) for number in range(1100)), use(1, "path", number=1200))

    assert consumer.shims() == ExitCode.WRONG
    assert consumer.counts() == (1100, 1, 0, 0)


@pytest.mark.parametrize("since", ["tomorrow", "2026-11-30T04:00", "2999-01-01", "2020-01-01", ""])
def test_period(consumer: Consumer, since: str) -> None:
    """It is a time that receipts are kept for; without one it is 30 days."""
    before = datetime.now(UTC)
    status = consumer.shims(since=since)

    if since:
        assert status == ExitCode.CANNOT
        assert f"--since: {since!r} " in consumer.errors
    else:
        began = datetime.fromisoformat(consumer.printed["since"])
        assert before <= began + timedelta(days=30) <= datetime.now(UTC)


def test_store_away(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot tell, whether the listing or a receipt does not come; it is not taken for a damaged one."""
    plant(consumer, use(40), use(1))

    def away(*_: object, **__: object) -> None:
        raise EndpointUnreachable("no connection")

    for name in ("list", "download"):
        with monkeypatch.context() as patched:
            patched.setattr(ObjectStore, name, away)
            assert consumer.shims() == ExitCode.CANNOT
        assert "no connection" in consumer.errors
        assert not consumer.printed


def test_table(consumer: Consumer) -> None:
    """A line for each event with a path, on one line each in a pipe."""
    plant(consumer, use(40), use(1, "path", machine="mini"))

    assert shims(ShimsOptions(consumer.config())) == ExitCode.WRONG

    lines = consumer.capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(SHIMS)
    assert lines[0].startswith("uses since ")
    (line,) = [line for line in lines if line.startswith(REQUESTED)]
    assert line.split()[:3] == [REQUESTED, "filePath,", "nasPath"]
    assert line.rstrip().endswith("in use: last on mini")


USES = some.builds(
    use,
    days=some.floats(0, 60),
    form=some.sampled_from(["reference", "path", "both"]),
    number=some.integers(0, 2**32 - 1),
    status=some.sampled_from(["given", "failed", "running"]),
)


@given(given_uses=some.lists(USES, max_size=12), damaged=some.integers(0, 1), chosen=some.booleans())
def test_paths_go_only_if_none_was_used(given_uses: list[Use], damaged: int, *, chosen: bool) -> None:
    """In every order: one path, one receipt that cannot be read, or no reference that worked keeps them."""
    since = datetime.now(UTC) - timedelta(days=PERIOD_DAYS)
    tally = Tally(damaged=damaged, first=min((one.at for one in given_uses), default=None))
    seen = [one for one in given_uses if one.at >= since]
    for one in seen:
        tally.add(one)

    verdict, reason = tally.verdict(since, is_given=chosen)

    paths = [one for one in seen if one.form == "path"]
    works = any(one.form != "path" and one.status == "given" for one in seen)
    long_enough = chosen or (tally.first is not None and tally.first <= since)
    assert (verdict == Verdict.MAY_GO) == (not paths and not damaged and works and long_enough)
    assert bool(reason) == (verdict != Verdict.MAY_GO)
    assert tally.reference + tally.path + tally.both == len(seen)
    assert tally.last_path == max(paths, key=lambda one: one.run, default=None)


@given(USES)
def test_key_names_the_use(one: Use) -> None:
    """Event and time come from the key alone, and text and back gives the same."""
    assert named(one.key) == (one.event, one.at)
    assert Use.of(one.to_text().encode()) == one
    assert json.loads(one.to_text())["run"] == one.run
    assert len(one.to_text()) < BYTES_MAXIMUM


@pytest.mark.parametrize("how", CUT)
def test_listing_that_is_cut(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A part of the receipts is no answer, even if there is no path among them."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")
    plant(consumer, use(40), *(use(1, number=number) for number in range(9)))
    assert consumer.shims() == ExitCode.DONE
    with cut_on_second_page(consumer.world, how) as proxy:
        consumer.world.endpoint = proxy.endpoint_plain
        assert consumer.shims() == ExitCode.CANNOT
    assert not consumer.printed
