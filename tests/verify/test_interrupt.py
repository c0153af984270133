"""An interrupted run, two concurrent runs, leftovers of an earlier run: nothing stays, and no run disturbs another.

The rule: a real process gets the interrupt from outside, in the middle, when the administrator sees its first objects.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.plan import PROBE_PREFIX
from tests.sizes import sized
from trials.faults import Hook, On, Request
from trials.faulty_proxy import FaultyProxy
from trials.stores import credentials_json
from verify.facts import Answer
from verify.gather import gather_facts
from verify.probe.mark import MARK
from verify.probe.seeds import short_lock
from verify.selection import Part, Selection

if TYPE_CHECKING:
    from trials.stores import Store

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
REQUESTS = 60  # of a run about one bucket and one identity, at least
END_SECONDS = 60


@pytest.fixture(name="command")
def _command(store: "Store", tmp_path: Path) -> list[str]:
    """The whole command line against the store."""
    deployment, credentials = tmp_path / "deployment.json", tmp_path / "credentials.json"
    deployment.write_text(store.deployment.model_dump_json(), encoding="utf-8")
    credentials.touch(mode=0o600)
    credentials.write_text(credentials_json(store), encoding="utf-8")
    target = ["--deployment", str(deployment), "--credentials", str(credentials)]
    return [sys.executable, "-m", "verify", *target]


@pytest.fixture(autouse=True)
def _clean(store: "Store") -> Iterator[None]:
    """Leftovers of another test do not count as an active run here, and a failed test leaves nothing to the next."""
    store.remove_probes()
    yield
    store.remove_probes()


@pytest.mark.parametrize("loaded", ["_pytest.config", "model.plan", "verify.checks.locks"])
def test_signal_while_it_starts_ends_it(loaded: str, command: list[str]) -> None:
    """The exit status shows the interrupt, without a traceback, also before pytest handles interrupts."""
    run = started([command[0], "-X", "importtime", *command[1:]])
    assert run.stdout is not None
    while not (line := run.stdout.readline()).endswith(f" {loaded}\n"):
        assert line, f"{loaded} is not loaded"
    run.send_signal(signal.SIGTERM)
    output, _ = run.communicate(timeout=END_SECONDS)

    assert "Traceback" not in output, output[-2000:]
    assert run.returncode == 128 + signal.SIGTERM


def started(command: list[str]) -> subprocess.Popen[str]:
    """A run in its own process."""
    # S603: this interpreter, on a module of this checkout.
    return subprocess.Popen(  # noqa: S603
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def versions_in(store: "Store", prefix: str = PROBE_PREFIX) -> list[tuple[str, str, str]]:
    """Bucket, key and version id of every version and delete marker under a prefix, in any bucket."""
    found = []
    for bucket in store.plan.buckets:
        page = store.client.list_object_versions(Bucket=bucket.name, Prefix=prefix)
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        found += [(bucket.name, entry["Key"], entry["VersionId"]) for entry in entries]
    return found


def uploads_in(store: "Store") -> list[str]:
    """Keys of the unfinished multipart uploads in any bucket."""
    return [
        upload["Key"]
        for bucket in store.plan.buckets
        for upload in store.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", [])
    ]


def in_the_middle(store: "Store", process: subprocess.Popen[str]) -> None:
    """Return once the run has written something and has not ended; the process is stopped so that it cannot end."""
    deadline = time.monotonic() + START_SECONDS
    process.send_signal(signal.SIGSTOP)
    try:
        while not versions_in(store):
            process.send_signal(signal.SIGCONT)
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "the run wrote nothing"
            time.sleep(0.1)
            process.send_signal(signal.SIGSTOP)
    except BaseException:
        process.kill()  # else it would write among the next tests
        raise


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_nothing(store: "Store", command: list[str], number: signal.Signals) -> None:
    """The run ends within seconds, without a stack trace, and leaves no version, delete marker or upload."""
    process = started(command)
    in_the_middle(store, process)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=END_SECONDS)

    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert " proven, " not in said
    assert versions_in(store) == []
    assert uploads_in(store) == []


@pytest.mark.parametrize("seed", range(sized(3, 30)))
def test_signal_at_any_request(store: "Store", command: list[str], tmp_path: Path, seed: int) -> None:
    """SIGTERM and SIGINT leave nothing, SIGKILL only probes that the next run removes, or the bucket's rule."""
    number = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)[seed % 3]
    moment = random.Random(seed).randrange(REQUESTS)  # noqa: S311 - no secret
    deployment, report = tmp_path / "deployment.json", tmp_path / "report.json"
    report.write_text("old", encoding="utf-8")
    run: subprocess.Popen[str] | None = None

    def end(request: Request) -> Request:
        assert run is not None
        run.send_signal(number)
        return request

    with FaultyProxy(store.server.endpoint, store.server.ca_bundle) as proxy:
        content = json.loads(deployment.read_text("utf-8"))
        content |= {"endpoint": proxy.endpoint, "provisioning_endpoint": proxy.endpoint, "ca_pem": proxy.ca_pem}
        deployment.write_text(json.dumps(content), encoding="utf-8")
        proxy.faults = (Hook(rewriting=end, when=On(skip=moment, times=1)),)
        run = started([*command, "--bucket", "archive", "--identity", "worker", "--json", str(report)])
        said, _ = run.communicate(timeout=3 * END_SECONDS)
    left = versions_in(store)

    assert run.returncode == (-number if number == signal.SIGKILL else 128 + number), said
    assert "Traceback" not in said
    assert report.read_text("utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert number == signal.SIGKILL or (left, uploads_in(store)) == ([], [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verify.probe.seeds.LEFTOVER_AFTER", timedelta(0))
        one = frozenset({store.plan.bucket("archive").name})
        gather_facts(store.target, selection=Selection(parts=frozenset({Part.SMOKE}), buckets=one))
    assert versions_in(store) == []
    # After SIGKILL an upload in parts waits for the bucket's rule for unfinished uploads.
    assert all(key.startswith(PROBE_PREFIX) for key in uploads_in(store))


def test_signals_while_it_sweeps_do_not_stop_the_sweep(store: "Store", command: list[str]) -> None:
    """Pressing Ctrl-C again and again leaves nothing behind either."""
    process = started(command)
    in_the_middle(store, process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        # With pauses, so that each signal arrives separately while the workers end and the sweep runs.
        time.sleep(0.05)
        process.send_signal(again)
    said, _ = process.communicate(timeout=END_SECONDS)

    assert process.returncode == 128 + signal.SIGINT, said
    assert versions_in(store) == []
    assert uploads_in(store) == []


def test_two_runs_at_once_are_both_right(store: "Store", command: list[str]) -> None:
    """Neither run reads or removes the other's objects, in a locked bucket and in another one."""
    buckets = [f"--bucket={store.plan.bucket(domain).name}" for domain in ("scratch", "archive")]
    both = [started([*command, *buckets]), started([*command, *buckets])]
    said = [process.communicate(timeout=180)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], "\n".join(said)
    assert all(" 0 failed" in text for text in said)
    assert versions_in(store) == []


def test_leftovers_are_swept_when_they_are_old(store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
    """A younger leftover may belong to an active run; an old locked version and its delete marker are removed."""
    run = "20260101T000000Z-aaaaaa"
    other = f"{PROBE_PREFIX}{run}/"
    scratch, archive = (store.plan.bucket(domain) for domain in ("scratch", "archive"))
    for bucket in (scratch, archive):
        store.client.put_object(
            Bucket=bucket.name, Key=f"{other}seed", Body=b"x", ChecksumAlgorithm="SHA256", Metadata={MARK: run}
        )
    store.client.delete_object(Bucket=archive.name, Key=f"{other}seed")
    beside = f"not{other}"
    store.client.put_object(Bucket=scratch.name, Key=beside, Body=b"x")
    selection = Selection(parts=frozenset({Part.SMOKE}), buckets=frozenset({scratch.name, archive.name}))

    try:
        facts = gather_facts(store.target, selection=selection)
        assert [key for _, key, _ in versions_in(store)] == 3 * [f"{other}seed"]
        assert [facts.buckets[name].left.value for name in (scratch.name, archive.name)] == [0, 0]

        monkeypatch.setattr("verify.probe.seeds.LEFTOVER_AFTER", timedelta(0))
        gather_facts(store.target, selection=selection)
        assert versions_in(store) == []
        assert len(versions_in(store, beside)) == 1
    finally:
        store.client.delete_object(Bucket=scratch.name, Key=beside)


def test_what_no_verifier_wrote_is_never_swept(store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
    """A workload's data under `.verify/` stays, however old, in whatever form of key, locked or hidden by a marker."""
    monkeypatch.setattr("verify.probe.seeds.LEFTOVER_AFTER", timedelta(0))
    run = "20260101T000000Z-bbbbbb"
    archive = store.plan.bucket("archive")
    lock = short_lock(archive, datetime.now(UTC))
    keys = (f"{PROBE_PREFIX}{run}/data", f"{PROBE_PREFIX}data", f"{PROBE_PREFIX}{run}/of-another-run")
    marks: tuple[dict[str, str], ...] = ({}, {MARK: run}, {MARK: "20260101T000000Z-cccccc"})
    for key, mark in zip(keys, marks, strict=True):
        store.client.put_object(Bucket=archive.name, Key=key, Body=b"x", Metadata=mark, **lock)
    store.client.delete_object(Bucket=archive.name, Key=keys[0])
    before = versions_in(store)
    selection = Selection(parts=frozenset({Part.SMOKE}), buckets=frozenset({archive.name}))

    try:
        gather_facts(store.target, selection=selection)
        assert versions_in(store) == before
        assert len(before) == 4
    finally:
        for bucket, key, version in before:
            store.client.delete_object(Bucket=bucket, Key=key, VersionId=version, BypassGovernanceRetention=True)


def test_all_that_a_run_leaves_is_proven_to_be_its_own(store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
    """Every object of a run that was killed before its sweep has the mark, so a later run removes all of it."""
    monkeypatch.setattr("verify.gather.sweep", lambda *_: Answer(0))
    names = frozenset(store.plan.bucket(domain).name for domain in ("scratch", "archive"))
    gather_facts(store.target, selection=Selection(buckets=names))
    left = versions_in(store)
    monkeypatch.undo()
    monkeypatch.setattr("verify.probe.seeds.LEFTOVER_AFTER", timedelta(0))
    gather_facts(store.target, selection=Selection(parts=frozenset({Part.SMOKE})))

    assert {key.rpartition("/")[2] for _, key, _ in left} >= {"seed", "smoke", "linked"}
    assert versions_in(store) == []
