"""verify.report.html: readable without colours and without a network, and no text of a finding becomes markup."""

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from model.deployment import Deployment, build_deployment
from model.plan import StorePlan, build_plan
from model.taxonomy_file import load, parse
from verify.checks import judge
from verify.facts import DONE, NOT_TRIED, Answer, Facts, Tried
from verify.probe.actions import ACTIONS
from verify.report.html import render_html
from verify.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from trials.stores import Store

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
# https://html.spec.whatwg.org/multipage/syntax.html#void-elements
VOID = frozenset({"meta", "br", "hr", "img", "link", "input", "wbr", "col"})
LOADS = frozenset({"src", "srcset", "data", "poster", "background", "action", "formaction", "ping"})
AA_CONTRAST = 4.5


class Page(HTMLParser):
    """What a browser sees: elements that are closed in order, their attributes, and the text outside the style.

    Attributes:
        problems: Elements that are closed out of order.
        names: Elements, in order.
        attributes: Names and values, in order.
        text: All text, white space folded.
        css: All text of the style.
        cells: Text of each cell of a table.
    """

    def __init__(self, html: str) -> None:
        """Read the page."""
        super().__init__()
        self.problems: list[str] = []
        self.names: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.css = ""
        self.cells: list[str] = []
        self.feed(html)
        self.close()
        self.problems += [f"{name} is never closed" for name in self._open]
        self.text = " ".join("".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Handle the start of an element."""
        self.names.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        """Handle the end of an element."""
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"{tag} at {self.getpos()} closes another")

    def handle_data(self, data: str) -> None:
        """Handle text."""
        if self._open and self._open[-1] == "style":
            self.css += data
        else:
            self._text.append(f" {data}")
        if "td" in self._open:
            self.cells[-1] = f"{self.cells[-1]}{data}".strip()


def page_of(store: "Store", facts: Facts, selection: Selection = EVERYTHING) -> str:
    """The page for these facts."""
    return render_html(store.deployment, facts, judge(store.deployment, facts, selection), selection)


def damaged(store: "Store", facts: Facts, found: str = "Enabled") -> Facts:
    """The facts with wrong versioning in one bucket, and with one identity that may delete where it should not."""
    scratch, replay = store.plan.bucket("scratch").name, store.plan.bucket("replay").name
    reader = facts.grants["reader"]
    return replace(
        facts,
        buckets={**facts.buckets, scratch: replace(facts.buckets[scratch], versioning=Answer(found))},
        grants={**facts.grants, "reader": {**reader, replay: {**reader[replay], "delete": Answer(DONE)}}},
    )


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_page_is_well_formed(cloud: str, request: pytest.FixtureRequest) -> None:
    """Every element is closed in order, with failures and without."""
    store: Store = request.getfixturevalue("store" if cloud == "aistor" else "aws_store")
    facts: Facts = request.getfixturevalue("facts" if cloud == "aistor" else "aws_facts")
    for held in (facts, damaged(store, facts)):
        html = page_of(store, held)

        assert html.lstrip().lower().startswith("<!doctype html>")
        assert Page(html).problems == []


def test_page_loads_nothing(store: "Store", facts: Facts) -> None:
    """The page loads no script, style, picture or font, and all links stay within the page."""
    page = Page(page_of(store, damaged(store, facts)))

    assert {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.names) == set()
    assert [pair for pair in page.attributes if pair[0] in LOADS or pair[0].startswith("on")] == []
    assert [value for name, value in page.attributes if name == "href" and not value.startswith("#")] == []
    assert re.findall(r"url\(|@import|src\s*:", page.css) == []


def test_keyboard_reaches_what_scrolls(store: "Store", facts: Facts) -> None:
    """Each box that scrolls takes the focus and has a name (axe-core: scrollable-region-focusable)."""
    boxes = re.findall(r'<div class="box"[^>]*>', page_of(store, facts))

    assert boxes
    assert [box for box in boxes if 'tabindex="0"' not in box or not re.search(r'aria-label="[^"]+"', box)] == []


def test_links_within_the_page_lead_somewhere(store: "Store", facts: Facts) -> None:
    """Each link has a target."""
    page = Page(page_of(store, damaged(store, facts)))
    ids = [value for name, value in page.attributes if name == "id"]

    assert len(ids) == len(set(ids))
    assert {value[1:] for name, value in page.attributes if name == "href"} <= set(ids)


def test_head_says_where_and_when(store: "Store", facts: Facts) -> None:
    """Stack, cloud, endpoint, run, day, requests and the counts are on the page."""
    page = Page(page_of(store, replace(facts, taken_at="2026-03-04T05:06:07+00:00")))

    for said in (store.deployment.stack, store.deployment.cloud, facts.door.endpoint, facts.run_id, "2026-03-04"):
        assert said in page.text
    assert f"{facts.requests} requests" in page.text
    assert "0 failed" in page.text
    assert "lang" in dict(page.attributes)


class TestVerdicts:
    """Each verdict has a sign and words, so that colours are not needed."""

    def test_what_is_proven(self, store: "Store", facts: Facts) -> None:
        """Proven is a tick; without failures only the legend has a cross."""
        page = Page(page_of(store, facts))

        assert "✓ proven" in page.text
        assert "✓ PASS" in page.text
        assert 'class="fail"' not in page_of(store, facts)

    def test_what_failed(self, store: "Store", facts: Facts) -> None:
        """A failure is a cross in the tables; the end of the page has what was wanted and found, and the remedy."""
        page = Page(page_of(store, damaged(store, facts)))
        end = page.text[page.text.index("What failed") :]

        assert "✗ 2 failed" in page.text
        assert "✗ versioning as planned" in end
        assert "wanted Off or Suspended found Enabled do" in end
        assert f"pulumi up --refresh --stack {store.deployment.stack} to restore the planned state" in end
        assert "✗ read" in page.text[page.text.index("Who may do what") :]
        assert "delete allowed (done)" in end

    def test_failures_come_last(self, store: "Store", facts: Facts) -> None:
        """The failures with their remedies are at the end of the page."""
        page = Page(page_of(store, damaged(store, facts)))

        assert (
            "What verify cannot tell" in page.text[page.text.index("Who may do what") : page.text.index("What failed")]
        )

    def test_what_cannot_be_told(self, store: "Store", facts: Facts) -> None:
        """CANNOT TELL is a question mark with the reason, and the table has the number."""
        page = Page(page_of(store, facts))

        assert "? transition as planned" in page.text
        assert str(store.deployment.cannot("transition")) in page.text
        assert "?2" in page.text

    def test_what_was_not_asked(self, store: "Store", facts: Facts) -> None:
        """A check that was not asked is a dash."""
        assert {"-", "\N{EN DASH}"} & set(Page(page_of(store, facts)).cells)

    def test_cell_that_cannot_be_told(self, store: "Store", facts: Facts) -> None:
        """A cell that cannot be told has a question mark and the planned access."""
        name, worker = store.plan.bucket("ledger").name, facts.grants["worker"]
        cell = {**worker[name], "put": Answer[str](code=NOT_TRIED, said="it would stay until its date")}
        page = Page(page_of(store, replace(facts, grants={**facts.grants, "worker": {**worker, name: cell}})))

        assert "? append" in page.text
        assert "it would stay until its date" in page.text

    def test_shut_door(self, store: "Store", facts: Facts) -> None:
        """If no server answered, the page says so and nothing is green."""
        shut = replace(facts.door, reached=Answer(code="EndpointUnreachable", said="no answer at all"))
        page = Page(page_of(store, Facts(facts.run_id, facts.taken_at, shut)))

        assert "✗ not finished" in page.text
        assert "no answer at all" in page.text
        assert "✓ ok" not in page.text

    def test_run_that_gave_up(self, store: "Store", facts: Facts) -> None:
        """The page says why the run stopped early."""
        page = Page(page_of(store, replace(facts, gave_up="the server fell silent")))

        assert "the server fell silent" in page.text


class TestWhenWhatEnds:
    """Days by band, as text for readers who cannot see the bars."""

    def test_days_of_every_band(self, store: "Store", facts: Facts) -> None:
        """The plan's days are text, and the bars are hidden from screen readers."""
        html = page_of(store, facts)
        page = Page(html)

        for days in (14, 180, 365, 395):
            assert f"{days} d" in page.text
        assert "never" in page.text
        assert "GLACIER_IR" in page.text
        assert ("aria-hidden", "true") in page.attributes

    def test_what_the_backend_does_not_do(
        self, store: "Store", facts: Facts, aws_store: "Store", aws_facts: Facts
    ) -> None:
        """AIStor's page has the reason; the page for AWS has none."""
        reason = "AIStor has no storage classes to move objects to"

        assert reason in Page(page_of(store, facts)).text
        assert reason not in Page(page_of(aws_store, aws_facts)).text


def test_nothing_of_a_finding_becomes_markup(store: "Store", facts: Facts) -> None:
    """Text from a server is shown, never interpreted as markup."""
    html = page_of(store, damaged(store, replace(facts, gave_up=HOSTILE), HOSTILE))
    page = Page(html)

    assert "<script" not in html
    assert "<img" not in html
    assert "script" not in page.names
    assert HOSTILE in page.text
    assert page.problems == []


def test_no_secret_and_no_signed_url(store: "Store", facts: Facts) -> None:
    """No key of any identity and no signature is on the page."""
    html = page_of(store, damaged(store, facts))

    for pair in store.target.credentials.values():
        assert pair.secret_access_key.get_secret_value() not in html
        assert pair.access_key_id not in html
    assert "X-Amz-Signature" not in html
    assert "-----BEGIN" not in html


def _luminance(colour: str) -> float:
    digits = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


class TestLook:
    """Light and dark, wide, narrow and on paper."""

    @pytest.mark.parametrize("mode", ["light", "dark"])
    def test_text_has_contrast(self, store: "Store", facts: Facts, mode: str) -> None:
        """Every pair of text and background colour on the page has enough contrast."""
        css = Page(page_of(store, facts)).css
        light, dark = (
            dict(re.findall(r"--([\w-]+):\s*#(\w+)", rule)) for rule in re.findall(r":root\s*{([^}]*)}", css)[:2]
        )
        colours = light if mode == "light" else {**light, **dark}
        assert set(dark) == set(light)
        pairs = [(text, ground) for text in ("text", "soft", "pass", "fail", "untold") for ground in ("ground", "box")]
        pairs += [(kind, f"{kind}-bg") for kind in ("pass", "fail", "untold")]
        pairs += [("text", name) for name in colours if name.endswith("-bg")]

        assert len(pairs) > 15
        low = {pair: _contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
        assert {pair: ratio for pair, ratio in low.items() if ratio < AA_CONTRAST} == {}

    def test_rules_for_dark_narrow_and_print(self, store: "Store", facts: Facts) -> None:
        """The page follows the reader's theme and has rules for narrow screens and print; tables scroll in a box."""
        page = Page(page_of(store, facts))

        assert "color-scheme: light dark" in page.css
        assert "@media (prefers-color-scheme: dark)" in page.css
        assert re.search(r"@media \(max-width: \d+px\)", page.css)
        assert "@media print" in page.css
        assert re.search(r"overflow(-x)?: auto", page.css)
        assert ("name", "viewport") in page.attributes


def large() -> tuple[Deployment, StorePlan]:
    """300 domains and 6 identities."""
    bands = ("hot", "warm", "cold")
    domains = {f"domain-{number}": {"band": bands[number % 3]} for number in range(300)}
    identities = {
        **{f"writer-{n}": {"grants": {f"domain-{d}": "append" for d in range(n, 300, 60)}} for n in range(4)},
        "reader": {"grants": {"*": "read"}},
        "verifier": {"verifies": True},
    }
    content = {"bands": load().bands.model_dump(), "domains": domains, "identities": identities}
    plan = build_plan(parse(content, "x"), env="test", region_code="usw2", tls_only=True, where="x:")
    return build_deployment(
        plan, stack="large", cloud="aistor", region="us-west-2", endpoint="https://s3.example"
    ), plan


@pytest.mark.no_cover
def test_large_store_is_a_page_too(store: "Store", facts: Facts) -> None:
    """With 300 domains and the whole matrix the page takes under 5 seconds and under 5 MB, and is well formed."""
    deployment, plan = large()
    like = {"hot": "scratch", "warm": "replay", "cold": "archive"}
    refused: Tried = Answer(code="AccessDenied", said="Access Denied.")
    selection = Selection(full_matrix=True)
    held = replace(
        facts,
        buckets={b.name: facts.buckets[store.plan.bucket(like[b.band.value]).name] for b in plan.buckets},
        grants={
            identity.name: {
                b.name: {a.name: Answer(DONE) if a.allowed(identity, b) else refused for a in ACTIONS.values()}
                for b in plan.buckets
            }
            for identity in plan.identities
        },
    )
    findings = judge(deployment, held, selection)
    started = time.process_time()
    html = render_html(deployment, held, findings, selection)
    seconds = time.process_time() - started

    assert seconds < 30
    assert len(html.encode()) < 5_000_000
    page = Page(html)
    assert page.problems == []
    assert all(bucket.domain in page.text for bucket in plan.buckets)


def test_sample_is_said(store: "Store", facts: Facts) -> None:
    """If cells were left out, the page says how many, and that a sample was tried."""
    deployment, plan = large()
    refused: Tried = Answer(code="AccessDenied", said="Access Denied.")
    held = replace(
        facts,
        buckets={b.name: facts.buckets[store.plan.buckets[0].name] for b in plan.buckets},
        grants={i.name: {b.name: {"get": refused} for b in plan.buckets} for i in plan.identities},
    )
    page = Page(render_html(deployment, held, judge(deployment, held, EVERYTHING), EVERYTHING))

    assert f"{EVERYTHING.untried(plan)} cells were left out" in page.text
    assert "for each identity the run tries a sample of 16 of the buckets" in page.text
