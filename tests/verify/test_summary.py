"""verify.report.summary: it shows what the findings say, each message once, and counts nothing else as proven."""

import io
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from verify.answer_codes import SILENT
from verify.checks import BUCKET_CHECKS, GRANT_CHECKS, STORE_CHECKS, Finding, Status, judge
from verify.facts import DONE, NOT_TRIED, Answer, Certificate, Facts, Tried
from verify.report.groups import GROUP_OF, Group
from verify.report.lives import Kind, Life
from verify.report.matrix import Deviation, HeatCell, Holding, Match
from verify.report.summary import Summary, Tally, summarise
from verify.report.terminal import print_report
from verify.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from trials.stores import Store

REFUSED: Tried = Answer(code="AccessDenied", said="no")
LET_IN: Tried = Answer(DONE)
UNKNOWN: Tried = Answer(code="InvalidAccessKeyId")


def summary_of(store: "Store", facts: Facts, selection: Selection = EVERYTHING) -> Summary:
    """The summary of the facts and their findings."""
    return summarise(store.deployment, facts, judge(store.deployment, facts, selection), selection)


def answered(store: "Store", facts: Facts, identity: str, domain: str, **answers: Tried) -> Facts:
    """The facts with other answers in a cell of the matrix."""
    bucket, cells = store.plan.bucket(domain).name, facts.grants[identity]
    return replace(facts, grants={**facts.grants, identity: {**cells, bucket: {**cells[bucket], **answers}}})


def cell_of(summary: Summary, identity: str, domain: str) -> HeatCell:
    """A cell of the heat map."""
    row = next(row for row in summary.heat if row.bucket.domain == domain)
    return row.cells[summary.identities.index(identity)]


def life_of(summary: Summary, domain: str) -> Life:
    """What happens to objects of a domain."""
    return next(life for life in summary.lives if domain in life.domains)


def test_every_check_has_a_group() -> None:
    """Every check is in a table, and no column is empty."""
    assert set(GROUP_OF) == {*STORE_CHECKS, *BUCKET_CHECKS, *GRANT_CHECKS}
    assert set(GROUP_OF.values()) == set(Group)
    assert {name for name, group in GROUP_OF.items() if group is Group.STORE} == set(STORE_CHECKS)
    assert {name for name, group in GROUP_OF.items() if group is Group.GRANTS} == set(GRANT_CHECKS)


def test_counts_are_those_of_the_findings(store: "Store", facts: Facts) -> None:
    """The tables count every finding once, and CANNOT TELL separately from what is proven."""
    counts = Counter(finding.status for finding in judge(store.deployment, facts, EVERYTHING))
    summary = summary_of(store, facts)
    in_tables = [tally for row in summary.rows for tally in row.tallies.values()]

    assert summary.tally.passed == counts[Status.PASS] > 0
    assert summary.tally.untold == counts[Status.CANNOT_TELL] > 0
    assert sum(tally.untold for tally in in_tables) + sum(
        finding.status is Status.CANNOT_TELL for finding in summary.store
    ) == (summary.tally.untold)
    assert sum(tally.passed for tally in in_tables) + sum(
        finding.status is Status.PASS for finding in summary.store
    ) == (summary.tally.passed)
    assert sum(line.tally.passed for line in summary.checks) == summary.tally.passed
    assert f"5 buckets: {counts[Status.PASS]} proven, 0 failed, {counts[Status.CANNOT_TELL]} cannot" in summary.line


@pytest.mark.parametrize(
    ("tally", "worst"),
    [
        (Tally(5, 1, 1, 1), Status.FAIL),
        (Tally(5, 0, 1, 1), Status.CANNOT_TELL),
        (Tally(5, 0, 0, 1), Status.PASS),
        (Tally(0, 0, 0, 1), Status.NOT_ASKED),
        (Tally(), Status.NOT_ASKED),
    ],
)
def test_worst_of_a_group(tally: Tally, worst: Status) -> None:
    """One failure is worse than anything else, and one CANNOT TELL is worse than any number of proven checks."""
    assert tally.worst is worst


def test_row_is_as_bad_as_its_worst_group(store: "Store", facts: Facts) -> None:
    """A failure is in the group of its check and in no other."""
    name = store.plan.bucket("scratch").name
    changed = replace(facts.buckets[name], versioning=Answer("Enabled"))
    summary = summary_of(store, replace(facts, buckets={**facts.buckets, name: changed}))
    row = next(row for row in summary.rows if row.bucket.domain == "scratch")

    assert row.worst is Status.FAIL
    assert {group for group, tally in row.tallies.items() if tally.failed} == {Group.CONFIGURATION}


class TestHeatMap:
    """The verdict on each identity in each bucket."""

    def test_store_as_planned_is_exact_everywhere(self, store: "Store", facts: Facts) -> None:
        """Every cell agrees with the plan's grants."""
        summary = summary_of(store, facts)

        assert {cell.match for row in summary.heat for cell in row.cells} == {Match.EXACT}
        assert cell_of(summary, "worker", "scratch").holding is Holding.WRITE
        assert cell_of(summary, "worker", "replay").holding is Holding.APPEND
        assert cell_of(summary, "worker", "orphan").holding is Holding.NONE
        assert cell_of(summary, "reader", "orphan").holding is Holding.READ
        assert cell_of(summary, "verifier", "orphan").holding is Holding.VERIFIER

    @pytest.mark.parametrize(
        ("answers", "match", "actions"),
        [
            ({"put": Answer(code="PreconditionFailed")}, Match.WIDER, ["put"]),
            ({"get": REFUSED}, Match.NARROWER, ["get"]),
            ({"put": UNKNOWN}, Match.UNCLEAR, ["put"]),
            ({"put": Answer(code=NOT_TRIED, said="it would stay")}, Match.CANNOT_TELL, ["put"]),
            ({"put": Answer(code=SILENT, said="gave up")}, Match.NOT_TRIED, ["put"]),
            # The most harmful deviation is the verdict and comes first.
            ({"get": REFUSED, "put": UNKNOWN, "delete": LET_IN}, Match.WIDER, ["delete", "get", "put"]),
        ],
    )
    def test_deviation(
        self, store: "Store", facts: Facts, answers: dict[str, Tried], match: Match, actions: list[str]
    ) -> None:
        """The worst result of an identity's attempts is the verdict of the cell, and the cell names the actions."""
        summary = summary_of(store, answered(store, facts, "reader", "replay", **answers))
        cell = cell_of(summary, "reader", "replay")

        assert (cell.holding, cell.match) == (Holding.READ, match)
        assert [deviation.action for deviation in cell.deviations] == actions
        assert [row.bucket.domain for row in summary.heat if row.amiss] == (
            ["replay"] if match in (Match.WIDER, Match.NARROWER, Match.UNCLEAR) else []
        )

    def test_deviation_says_what_was_found(self, store: "Store", facts: Facts) -> None:
        """A deviation has the finding's `wanted` and `found`."""
        summary = summary_of(store, answered(store, facts, "reader", "replay", delete=LET_IN))

        assert cell_of(summary, "reader", "replay").deviations == (
            Deviation("delete", Match.WIDER, "refused", "allowed (done)"),
        )

    def test_facts_that_are_missing_are_unclear(self, store: "Store", facts: Facts) -> None:
        """A cell whose facts were not gathered proves nothing."""
        bucket = store.plan.bucket("replay").name
        left = {name: cell for name, cell in facts.grants["reader"].items() if name != bucket}
        summary = summary_of(store, replace(facts, grants={**facts.grants, "reader": left}))

        assert cell_of(summary, "reader", "replay").match is Match.UNCLEAR

    def test_cell_without_findings_was_not_tried(self, store: "Store", facts: Facts) -> None:
        """A cell that was left out is shown as not tried."""
        findings = [
            finding
            for finding in judge(store.deployment, facts, EVERYTHING)
            if (finding.identity, finding.bucket) != ("reader", store.plan.bucket("orphan").name)
        ]
        cell = cell_of(summarise(store.deployment, facts, findings, EVERYTHING), "reader", "orphan")

        assert (cell.match, cell.tried, cell.holding) == (Match.NOT_TRIED, 0, Holding.READ)

    def test_identities_that_were_not_asked_for_have_no_column(self, store: "Store", facts: Facts) -> None:
        """A run of one identity and one bucket shows only these."""
        selection = Selection(identities=frozenset({"reader"}), buckets=frozenset({store.plan.bucket("replay").name}))
        summary = summary_of(store, facts, selection)

        assert summary.identities == ("reader",)
        assert [row.bucket.domain for row in summary.heat] == ["replay"]
        assert [row.bucket.domain for row in summary.rows] == ["replay"]


class TestTold:
    """Failures, warnings, and what cannot be told."""

    def test_same_failure_in_many_buckets_is_told_once(self, store: "Store", facts: Facts) -> None:
        """The message appears once, with all its places, what was wanted, what was found and the remedy."""
        suspended = {name: replace(held, versioning=Answer("Suspended")) for name, held in facts.buckets.items()}
        summary = summary_of(store, replace(facts, buckets=suspended))
        told = [told for told in summary.failures if told.check == "versioning_as_planned"]

        assert [(t.wanted, t.found, len(t.places)) for t in told] == [
            ("Enabled", "Suspended", 3),
        ]
        assert all(t.remedy and t.meaning for t in told)
        assert summary.tally.failed == 3

    def test_cell_of_the_matrix_is_told_as_one(self, store: "Store", facts: Facts) -> None:
        """All wrong actions of a cell are one failure."""
        changed = answered(store, facts, "reader", "replay", delete=LET_IN, get=REFUSED)
        (told,) = summary_of(store, changed).failures

        assert told.places == (f"reader in {store.plan.bucket('replay').name}",)
        assert told.wanted == "get allowed; delete refused"
        assert told.found == "get AccessDenied: no; delete allowed (done)"
        assert "reader" in told.remedy

    def test_what_cannot_be_told_has_its_reason(self, store: "Store", facts: Facts) -> None:
        """The backend's limit appears once for all buckets, and is not a failure."""
        summary = summary_of(store, facts)
        (told,) = [told for told in summary.untold if told.check == "abort_multipart_as_planned"]

        assert told.found == store.deployment.cannot("abort_multipart")
        assert len(told.places) == 5
        assert told.where.startswith("5 of: ")
        assert summary.failures == ()
        assert summary.unsupported == store.deployment.unsupported

    def test_warning(self, store: "Store", facts: Facts) -> None:
        """A certificate that expires soon is a warning with a remedy, and counts as proven."""
        soon = replace(facts.door, certificate=Answer(Certificate(("localhost",), "2026-01-09T00:00:00+00:00")))
        summary = summary_of(store, replace(facts, door=soon, taken_at="2026-01-01T00:00:00+00:00"))

        assert [(told.check, told.remedy) for told in summary.warnings] == [
            ("certificate_valid", "renew the certificate: it expires in 8 days")
        ]
        assert summary.tally.failed == 0

    def test_places_are_named_where_they_are_few(self, store: "Store", facts: Facts) -> None:
        """A single place is named; of many places the first is named, with the number."""
        (told,) = summary_of(store, answered(store, facts, "reader", "replay", delete=LET_IN)).failures

        assert told.where == f"reader in {store.plan.bucket('replay').name}"


class TestLives:
    """When objects expire."""

    def test_by_band(self, store: "Store", facts: Facts) -> None:
        """The days are the plan's; a band without an expiration has never."""
        summary = summary_of(store, facts)
        days = {
            domain: {event.kind: event.days for event in life_of(summary, domain).events}
            for domain in ("scratch", "replay", "archive")
        }

        assert days["scratch"] == {Kind.EXPIRE: 14, Kind.REPLACED: 30, Kind.ABORT: 2}
        # An append may put over an object there, so the old version lives as long as a new one.
        replaced = 180 if store.target.deployment.cloud == "aistor" else 30
        assert days["replay"] == {Kind.EXPIRE: 180, Kind.REPLACED: replaced, Kind.MOVE: 30, Kind.ABORT: 7}
        assert days["archive"] == {Kind.LOCK: 365, Kind.EXPIRE: None, Kind.REPLACED: 395, Kind.MOVE: 30, Kind.ABORT: 7}

    def test_retention_modes_are_kept_apart(self, store: "Store", facts: Facts) -> None:
        """COMPLIANCE and GOVERNANCE are shown separately, even with the same days."""
        summary = summary_of(store, facts)

        assert "COMPLIANCE" in life_of(summary, "ledger").events[0].text
        assert "GOVERNANCE" in life_of(summary, "archive").events[0].text
        assert [life.band for life in summary.lives[:-1]] == ["hot", "warm", "cold", "cold"]

    def test_what_the_backend_does_not_do_has_its_reason(
        self, store: "Store", facts: Facts, aws_store: "Store", aws_facts: Facts
    ) -> None:
        """On AIStor a transition is unsupported, with the reason; on AWS it is supported."""
        (here,) = [e for e in life_of(summary_of(store, facts), "archive").events if e.kind is Kind.MOVE]
        (there,) = [e for e in life_of(summary_of(aws_store, aws_facts), "archive").events if e.kind is Kind.MOVE]

        assert here.unsupported == store.deployment.cannot("transition")
        assert there.unsupported == ""
        assert "GLACIER_IR after 30 d" in there.text

    def test_probes_are_told_once_for_all_buckets(self, store: "Store", facts: Facts) -> None:
        """The suite's keys expire after a day in every band."""
        life = summary_of(store, facts).lives[-1]

        assert (life.band, len(life.domains)) == ("keys under .verify/", 5)
        assert [(event.kind, event.days) for event in life.events] == [(Kind.EXPIRE, 1)]


def test_shut_door_is_no_proof(store: "Store", facts: Facts) -> None:
    """If no server answers, only the names are proven, and everything else is not asked."""
    shut = replace(facts.door, reached=Answer(code="EndpointUnreachable", said="no answer"))
    summary = summary_of(store, Facts(facts.run_id, facts.taken_at, shut))

    assert not summary.door_open
    assert {row.worst for row in summary.rows} == {Status.NOT_ASKED}
    assert [told.check for told in summary.failures] == ["endpoint_reached"]
    assert summary.heat == ()


def test_finding_of_an_unknown_check_is_no_silent_loss(store: "Store", facts: Facts) -> None:
    """A check without a column raises an error, so that no finding is lost."""
    foreign = Finding("new_check", "x", Status.FAIL, "a", "b", bucket=store.plan.buckets[0].name)

    with pytest.raises(KeyError, match="new_check"):
        summarise(store.deployment, facts, [foreign], EVERYTHING)


def test_terminal_obeys_nothing_of_an_answer(store: "Store", facts: Facts) -> None:
    """What a server said is shown with escapes, for failures and for what cannot be told."""
    said = "\x1b]0;title\x07 \u202e[bold]"
    name = store.plan.bucket("scratch").name
    held = {**facts.buckets, name: replace(facts.buckets[name], versioning=Answer(said))}
    changed = answered(store, replace(facts, buckets=held), "reader", "replay", get=Answer("Odd", said=said))
    written = io.StringIO()

    print_report(
        Console(file=written, width=200),
        store.deployment,
        changed,
        judge(store.deployment, changed, EVERYTHING),
        EVERYTHING,
    )

    assert r"\x1b]0;title\x07 \u202e[bold]" in written.getvalue()
    assert not {"\x1b", "\x07", "\u202e"} & set(written.getvalue())
