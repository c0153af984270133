"""What the suite reports about a faulty server, how long that takes, and what it leaves behind.

The rule: each fault comes from `trials.faults` through a proxy, has one right verdict, and ends in bounded time.
Waiting times are shortened, never left out. It leaves out answers with wrong content: `trials.mutations` has those.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from trials.faults import (
    Fault,
    Gone,
    Hook,
    On,
    Request,
    ResetAnswer,
    ResetRequest,
    Response,
    SlowDown,
    Stall,
    TruncateAnswer,
    WrongEtag,
)
from trials.faulty_proxy import shut_endpoint
from trials.mutations import through
from verify.checks import Finding, Status, judge
from verify.gather import gather_facts
from verify.probe.seeds import sweep
from verify.probe.session import StoreSession
from verify.selection import Part, Selection

if TYPE_CHECKING:
    from trials.stores import Store
    from verify.facts import Facts
    from verify.target import Target

PROBE = ".verify/"
# Far longer than any run takes: the tests assert only that a run ends.
BOUND_SECONDS = 90
GAVE_UP = "the server gave no answer to 6 requests in a row (the last: {0}), so the run sent no more requests"
ASKED = frozenset(Part)


@dataclass(frozen=True)
class Outcome:
    """A run against a faulty server."""

    facts: "Facts"
    findings: Sequence[Finding]
    seconds: float

    @property
    def failed(self) -> dict[str, str]:
        """By check: the last finding that failed."""
        return {f.check: str(f) for f in self.findings if f.status is Status.FAIL}

    @property
    def statuses(self) -> set[Status]:
        """All statuses that occur."""
        return {finding.status for finding in self.findings}


def run_through(store: "Store", *faults: Fault, selection: Selection) -> Outcome:
    """Gather and judge through a proxy."""
    with through(lambda _: faults)(store) as target:
        return run(store, target, selection)


def run(store: "Store", target: "Target", selection: Selection) -> Outcome:
    """Gather and judge."""
    began = time.monotonic()
    facts = gather_facts(target, selection=selection)
    return Outcome(facts, judge(store.deployment, facts, selection), time.monotonic() - began)


def wish_for(store: "Store", *domains: str, parts: frozenset[Part] = ASKED) -> Selection:
    """Some parts of some buckets."""
    return Selection(parts=parts, buckets=frozenset(store.plan.bucket(domain).name for domain in domains))


def left_in(store: "Store") -> list[str]:
    """Every version, delete marker and upload under the probe prefix in any bucket, as the administrator sees them."""
    found = []
    for bucket in store.plan.buckets:
        page = store.client.list_object_versions(Bucket=bucket.name, Prefix=PROBE)
        uploads = store.client.list_multipart_uploads(Bucket=bucket.name, Prefix=PROBE).get("Uploads", [])
        found += [e["Key"] for e in [*page.get("Versions", []), *page.get("DeleteMarkers", []), *uploads]]
    return found


@contextmanager
def swept_at_last(store: "Store", monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove through the healthy endpoint what a run could not remove; the test asserts what that was."""
    try:
        yield
    finally:
        monkeypatch.setattr("verify.probe.seeds.LEFTOVER_AFTER", timedelta(0))
        sweep_all(store)
        # The server expires an upload that could not be aborted: MinIO lists none by a prefix.
        for bucket in store.plan.buckets:
            for upload in store.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []):
                store.client.abort_multipart_upload(Bucket=bucket.name, Key=upload["Key"], UploadId=upload["UploadId"])


def sweep_all(store: "Store") -> None:
    """Sweep as a later run without objects does."""
    verifier = store.plan.verifier
    assert verifier is not None
    with StoreSession(store.target, 1) as session:
        for bucket in store.plan.buckets:
            assert sweep(session, verifier.name, bucket, f"{PROBE}none/").ok


@pytest.fixture(name="impatient")
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Very short read timeouts; the tests show that they apply."""
    monkeypatch.setattr("verify.probe.session.READ_TIMEOUT_SECONDS", 0.7)
    monkeypatch.setattr("verify.gather.READ_TIMEOUT_SECONDS", 0.7)
    monkeypatch.setattr("verify.probe.session.ATTEMPTS", 2)


class TestGone:
    """No server listens."""

    def test_from_the_beginning(self, store: "Store") -> None:
        """One check fails, in one sentence; no other request was sent."""
        endpoint = shut_endpoint()
        found = run(store, replace(store.target, endpoint=endpoint), Selection())

        assert found.seconds < BOUND_SECONDS
        assert list(found.failed) == ["endpoint_reached"]
        assert f"found no server answers at {endpoint}: Connection refused. check" in found.failed["endpoint_reached"]
        others = [f for f in found.findings if f.check not in ("endpoint_reached", "names_as_convention")]
        assert {finding.status for finding in others} == {Status.NOT_ASKED}
        assert {finding.resource for finding in others} >= {bucket.name for bucket in store.plan.buckets}

    def test_in_the_middle(self, store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
        """The run ends soon, only known faults fail, and a later run removes leftovers that are a day old."""
        with swept_at_last(store, monkeypatch):
            found = run_through(store, Gone(when=On(skip=120)), selection=Selection())
            left = left_in(store)

            assert found.seconds < BOUND_SECONDS
            assert GAVE_UP.format("")[:60] in found.failed["endpoint_reached"]
            assert set(found.failed) == {"endpoint_reached", "probes_removed"}
            assert {Status.PASS, Status.NOT_ASKED} <= found.statuses
            assert left
            run(store, store.target, wish_for(store, "scratch", "archive", parts=frozenset()))
            assert sorted(left_in(store)) == sorted(left)
        assert left_in(store) == []


class TestBroken:
    """The connection breaks at each request for one object."""

    @pytest.mark.parametrize(
        ("fault", "fails", "sentence"),
        [
            (
                ResetAnswer(when=On("GET", "/size-1$")),
                {"sizes_survive"},
                "found 1 byte: ResponseStreamingError: no usable answer. check the server",
            ),
            (
                ResetRequest(when=On("PUT", "/metadata$")),
                {"metadata_survives", "range_read"},
                ": no usable answer. check the server",
            ),
            (
                TruncateAnswer(when=On("GET", "/size-5242881$")),
                {"sizes_survive"},
                "found 5 MiB + 1: ResponseStreamingError: no usable answer. check the server",
            ),
            (
                ResetRequest(when=On("PUT", "/multipart$", "partNumber=2")),
                {"multipart_survives"},
                "found 12 MiB in parts, with SHA-256: ",
            ),
        ],
        ids=["reset answer", "reset request", "truncated answer", "reset part"],
    )
    def test_the_right_check_fails(self, store: "Store", fault: Fault, fails: set[str], sentence: str) -> None:
        """Only the checks of that object fail, and the probes are removed."""
        parts = frozenset({Part.OBJECTS})
        found = run_through(store, fault, selection=wish_for(store, "scratch", parts=parts))

        assert found.seconds < BOUND_SECONDS
        assert set(found.failed) == fails
        assert any(sentence in said for said in found.failed.values())
        assert left_in(store) == []

    @pytest.mark.parametrize(
        "make", [lambda when: ResetRequest(when=when), lambda when: ResetAnswer(when=when), TruncateAnswer]
    )
    def test_once_is_nothing(self, store: "Store", make: Callable[..., Fault]) -> None:
        """A request whose connection broke is retried."""
        found = run_through(store, make(when=On("PUT|DELETE|POST", times=3)), selection=wish_for(store, "scratch"))

        assert found.failed == {}
        assert left_in(store) == []

    def test_wrong_etag(self, store: "Store") -> None:
        """HEAD returns another etag than the upload."""
        selection = wish_for(store, "scratch", parts=frozenset({Part.SMOKE}))
        found = run_through(store, WrongEtag(when=On("HEAD", "/smoke$")), selection=selection)

        assert set(found.failed) == {"object_read_back"}
        assert f"etag {32 * '0'}" in found.failed["object_read_back"]
        assert left_in(store) == []

    def test_truncated_presigned_answer(self, store: "Store") -> None:
        """A plain GET that breaks off becomes an answer like any other, and the run continues."""
        selection = wish_for(store, "scratch", parts=frozenset({Part.SMOKE}))
        found = run_through(store, TruncateAnswer(when=On("GET", "/smoke$", "X-Amz-Signature")), selection=selection)

        assert set(found.failed) == {"object_presigned"}
        assert "found ProtocolError: a GET of the presigned URL: no usable answer" in found.failed["object_presigned"]
        assert left_in(store) == []

    @pytest.mark.parametrize(
        ("query", "check"), [("location", "bucket_in_region"), ("lifecycle", "lifecycle_as_planned")]
    )
    def test_no_xml(self, store: "Store", query: str, check: str) -> None:
        """An answer that cannot be parsed is an error of the server like any other, and the run continues."""

        def other(_: Request, response: Response) -> Response:
            return replace(response, body=b"<html>busy") if response.status == 200 else response

        selection = wish_for(store, "scratch", parts=frozenset({Part.OBJECTS}))
        found = run_through(store, Hook(altering=other, when=On("GET", query=f"^{query}")), selection=selection)

        assert set(found.failed) == {check}
        assert left_in(store) == []


class TestSlowDown:
    """The server answers that it is too busy."""

    def test_burst_is_sat_out(self, store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
        """All is proven, although the busy answers used up each client's own retries."""
        monkeypatch.setattr("verify.probe.session.ATTEMPTS", 2)
        monkeypatch.setattr("verify.probe.session.BUSY_PAUSES_SECONDS", (0.1, 0.1))
        burst = On(times=30)
        found = run_through(store, SlowDown(when=burst), selection=wish_for(store, "scratch", "archive"))

        assert burst.seen > 100
        assert found.failed == {}
        assert found.seconds < BOUND_SECONDS
        assert left_in(store) == []

    def test_for_ever(self, store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
        """The run gives up and names the server as the cause."""
        monkeypatch.setattr("verify.probe.session.ATTEMPTS", 1)
        monkeypatch.setattr("verify.probe.session.BUSY_PAUSES_SECONDS", (0.1,))
        with swept_at_last(store, monkeypatch):
            found = run_through(store, SlowDown(when=On(skip=60)), selection=wish_for(store, "scratch", "archive"))

            assert found.seconds < BOUND_SECONDS
            # The answer to a HEAD has no body that names the code, so its status is named.
            assert found.facts.gave_up in (GAVE_UP.format("SlowDown"), GAVE_UP.format("503"))
            assert set(found.failed) == {"endpoint_reached", "probes_removed"}


@pytest.mark.usefixtures("impatient")
class TestStall:
    """An answer comes late or never."""

    def test_once_is_nothing(self, store: "Store") -> None:
        """The request is retried, and all is proven."""
        stalled = On("GET|PUT|DELETE|POST", skip=40, times=2)
        found = run_through(store, Stall(stall_seconds=3, when=stalled), selection=wish_for(store, "scratch"))

        assert stalled.seen > 42
        assert found.failed == {}
        assert left_in(store) == []

    def test_for_ever(self, store: "Store", monkeypatch: pytest.MonkeyPatch) -> None:
        """The run gives up, does not wait for the sweep of each bucket, and reports that."""
        with swept_at_last(store, monkeypatch):
            selection = wish_for(store, *(bucket.domain for bucket in store.plan.buckets))
            found = run_through(store, Stall(stall_seconds=60, when=On(skip=75)), selection=selection)

            assert found.seconds < BOUND_SECONDS
            assert found.facts.gave_up.endswith("so the run sent no more requests")
            assert set(found.failed) == {"endpoint_reached", "probes_removed"}
