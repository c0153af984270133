"""ops.preview.render: text, markdown below its limit, and JSON, without active content and without secrets."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from rich.console import Console

from model.plan import LifecycleRule, Retention
from model.taxonomy import RetentionMode
from ops.preview.change import Aspect, Change, Risk
from ops.preview.data_at_risk import AtRisk, Eligible, Tally
from ops.preview.explain import explain
from ops.preview.render import COMMENT_CHARACTERS, as_json, as_markdown, as_text, marker
from ops.preview.report import Report
from ops.preview.shape import BucketShape, StoreShape
from ops.preview.steps import acknowledged_in, clients_told, read_preview
from tests.ops.preview.handmade import AWS, MINIO, allow, document, preview, step, urn
from tests.sizes import sized

LIMITS = (2000, 2500, 3000, 5000, 10_000, 20_000, 40_000, COMMENT_CHARACTERS)
MANY = sized(800, 2000)
TITLES = {Risk.DANGER: "Dangerous", Risk.NOTICE: "To notice", Risk.SAFE: "Safe"}


def change(number: int, risk: Risk = Risk.DANGER) -> Change:
    """One of many changes."""
    return Change(f"domain-{number:04}", f"objects now expire after {number} days (was never)", risk, Aspect.LIFECYCLE)


def report(*changes: Change, **more: Any) -> Report:  # noqa: ANN401 - any field's value
    """A report of the stack `s`."""
    return Report(stack="s", source="the engine's preview on the stack's state", changes=changes, **more)


def text(found: Report) -> str:
    """The text as the command writes it to a file."""
    written = io.StringIO()
    as_text(found, Console(file=written, soft_wrap=True, highlight=False, color_system=None))
    return written.getvalue()


def domains_changed(count: int) -> Report:
    """A stack in which every domain has a danger, a notice and a safe change."""
    rule = LifecycleRule(
        id="band", expire_after_days=365, expire_noncurrent_after_days=30, abort_multipart_after_days=7
    )
    shorter = rule.model_copy(
        update={"expire_after_days": 90, "expire_noncurrent_after_days": 60, "abort_multipart_after_days": 2}
    )
    retention = Retention(mode=RetentionMode.GOVERNANCE, days=365)
    before, after = {}, {}
    for number in range(count):
        domain = f"a-rather-long-domain-name-{number:04}"
        bucket = BucketShape(domain, f"joelclaw-prod-usw2-{domain}", (rule,), retention, versioned=True, tls_only=True)
        before[domain] = bucket
        after[domain] = replace(
            bucket, rules=(shorter,), retention=retention.model_copy(update={"days": 730}), tls_only=False
        )
    return report(*explain(StoreShape(before), StoreShape(after)), unchanged=12)


def counted(markdown: str) -> dict[Risk, tuple[int, int, int]]:
    """For each risk: the number in its title, the items shown, and the number of further items."""
    found = {}
    for risk, title in TITLES.items():
        match = re.search(rf"(?:\*\*|<summary>){title}: (\d+)(?:\*\*|</summary>)\n\n((?:- .*\n)*)", markdown)
        if match:
            lines = match.group(2).splitlines()
            more = re.fullmatch(r"- … and (\d+) more", lines[-1]) if lines else None
            found[risk] = (int(match.group(1)), len(lines) - bool(more), int(more.group(1)) if more else 0)
    return found


def test_everything_is_shown_where_it_fits() -> None:
    """A small report is complete, in any mix of changes."""
    changes = [change(number, risk) for risk in Risk for number in range(3)]
    found = as_markdown(report(*changes))

    assert counted(found) == dict.fromkeys(Risk, (3, 3, 0))
    assert "more" not in found
    assert all(f"**{one.subject}**: {one.what}" in found for one in changes)


@pytest.mark.parametrize(
    "more",
    [
        {"errors": ("one", "two")},
        {"unread": ("one", "two")},
        {"unseen": ("one", "two")},
        {"acknowledged": ("one", "two")},
        {"at_risk": (AtRisk("one", "x"), AtRisk("two", "y"))},
    ],
)
def test_what_follows_is_shown_without_any_change(more: dict[str, Any]) -> None:
    """Above all an error, because then there is no change to show."""
    found = as_markdown(report(**more))

    assert "- one" in found
    assert "- two" in found
    assert "more" not in found


@pytest.mark.no_cover
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("count", [1, 10, sized(50, 200), sized(250, 1000)])
def test_markdown_stays_under_its_limit(count: int, limit: int) -> None:
    """With any number of domains, hidden items are counted, and no element stays open."""
    found = domains_changed(count)
    markdown = as_markdown(found, limit)

    assert len(markdown) < limit
    assert markdown.splitlines()[0] == marker("s") == "<!-- object-store-preview: s -->"
    assert found.totals in markdown
    assert {risk: total for risk, (total, _, _) in counted(markdown).items()} == {
        risk: len(found.of(risk)) for risk in Risk
    }
    assert all(shown + more == total for total, shown, more in counted(markdown).values())
    assert markdown.count("<details>") == markdown.count("</details>") == 2
    assert markdown.count("```") == 2


def test_two_hundred_domains_take_much_of_a_comment() -> None:
    """The comment is not truncated more than necessary."""
    found = domains_changed(200)
    markdown = as_markdown(found)

    assert (len(found.of(Risk.DANGER)), len(found.of(Risk.NOTICE)), len(found.of(Risk.SAFE))) == (200, 400, 400)
    assert counted(markdown)[Risk.DANGER] == (200, 200, 0)
    assert COMMENT_CHARACTERS * 0.6 < len(markdown) < COMMENT_CHARACTERS


@pytest.mark.parametrize("limit", LIMITS)
def test_dangers_are_kept_longest(limit: int) -> None:
    """No other item is shown while a danger is hidden."""
    changes = [change(number, risk) for risk in Risk for number in range(300)]
    shown = counted(as_markdown(report(*changes), limit))

    (_, dangers, cut), notices, safe = shown[Risk.DANGER], shown[Risk.NOTICE][1], shown[Risk.SAFE][1]
    assert dangers >= 10 * max(notices, safe) or not cut
    assert dangers > 0


@pytest.mark.no_cover
@pytest.mark.parametrize("limit", LIMITS)
def test_many_dangers(limit: int) -> None:
    """The comment has the first dangers, as many lines to paste, and the number of further ones."""
    markdown = as_markdown(report(*(change(number) for number in range(MANY))), limit)
    total, shown, more = counted(markdown)[Risk.DANGER]

    assert len(markdown) < limit
    assert (total, shown + more) == (MANY, MANY)
    assert shown >= limit // 400
    pasted = re.search(r"```yaml\n(.*?)```", markdown, re.DOTALL)
    assert pasted
    assert yaml.safe_load(pasted.group(1))["config"]["object-store:acknowledge"] == [
        change(number).sentence for number in range(shown)
    ]
    assert f"# … and {more} more" in pasted.group(1)


def test_a_little_over_the_limit_is_cut_a_little() -> None:
    """The limit is found by bisection, so only a little is truncated."""
    found = report(*(change(number) for number in range(400)))
    whole = as_markdown(found, 10**9)

    assert counted(as_markdown(found, len(whole) + 1))[Risk.DANGER] == (400, 400, 0)
    assert counted(as_markdown(found, len(whole)))[Risk.DANGER][1] >= 398


@pytest.mark.parametrize("limit", LIMITS)
def test_one_item_does_not_crowd_out_the_others(limit: int) -> None:
    """A very long message is truncated by itself."""
    markdown = as_markdown(report(change(1), errors=("x" * 100_000, "second")), limit)

    assert len(markdown) < limit
    assert "**domain-0001**" in markdown
    assert "x" * 100 in markdown
    assert "- second" in markdown


def test_many_errors_are_counted() -> None:
    """Errors are counted like changes."""
    markdown = as_markdown(report(errors=tuple(f"error {number}" for number in range(9000))))
    shown, more = len(re.findall(r"^- error ", markdown, re.MULTILINE)), re.search(r"… and (\d+) more", markdown)

    assert len(markdown) < COMMENT_CHARACTERS
    assert more
    assert shown + int(more.group(1)) == 9000
    assert shown > 2000


ACTING = "a\x1b[31mb\x1b]8;;https://x\x07c\x08\x00\x9b1m\rd"


def whole_report(evil: str) -> Report:
    """A report that has the same text in every part."""
    dangerous = Change(f"d-{evil}", evil, Risk.DANGER, Aspect.OTHER, evil)
    return Report(
        stack="s",
        source=f"plans: {evil}",
        changes=(
            dangerous,
            replace(dangerous, subject="held"),
            replace(dangerous, risk=Risk.NOTICE),
            replace(dangerous, risk=Risk.SAFE, subject="safe"),
        ),
        acknowledged=(f"held: {evil}", f"stale {evil}"),
        protected=(evil,),
        errors=(evil,),
        at_risk=(AtRisk(evil, evil, exists=False),),
        unread=(evil,),
        unseen=(evil,),
    )


@pytest.mark.parametrize("write", [text, as_markdown, as_json])
def test_no_escape_code_gets_out(write: Any) -> None:  # noqa: ANN401 - three writers
    """Not into a text file, markdown or JSON."""
    written = write(whole_report(ACTING))

    assert not re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", written)
    assert "]8;;https://x" in written


def test_colours_are_for_a_terminal_alone() -> None:
    """A terminal gets colours, and the text without them is the same."""
    written = io.StringIO()
    found = whole_report("x")
    as_text(found, Console(file=written, soft_wrap=True, highlight=False, force_terminal=True, color_system="standard"))

    assert "\x1b[" in written.getvalue()
    assert re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue()) == text(found)
    assert "\x1b" not in text(found)


EVIL = (
    "<script>alert(1)</script> <!-- object-store-preview: s --> **b** _i_ `c` [l](https://x) ![i](https://x) @octocat "
    "a|b ~~s~~ </details> &lt;\n\n# heading\n- item\n```\nfenced\n```\n\\"
)


def test_markdown_and_html_in_a_name_or_error_are_text() -> None:
    """Outside the block to paste, nothing is left that GitHub would interpret."""
    markdown = as_markdown(whole_report(EVIL))
    before, _, rest = markdown.partition("```yaml\n")
    block, _, after = rest.partition("\n```\n")
    outside = before + after

    assert "<script" not in outside
    assert "&lt;script&gt;" in outside
    assert outside.count("<!--") == 1
    assert set(re.findall(r"</?[a-z]+>", outside)) == {"<details>", "</details>", "<summary>", "</summary>", "<br>"}
    assert outside.count("</details>") == outside.count("<details>") == 2
    for mark in ("`", "[", "]", "|", "~"):
        # The stack's name in the title is the only code span of the report.
        bare = re.findall(rf"(?<!\\)(?:\\\\)*{re.escape(mark)}", outside.replace("`s`", ""))
        assert not bare, mark
    assert "&amp;lt;" in outside
    assert "\\\\" in outside
    assert "@octocat" not in outside
    assert not re.search(r"^(#+ (?!Store)|- item|fenced)", outside, re.MULTILINE)
    assert "`" not in block
    assert not re.search(r"^(# heading|- item)", block, re.MULTILINE)


def test_block_to_paste_gives_the_sentence_back() -> None:
    """With any content, back quotes included."""
    found = whole_report(EVIL)
    block = as_markdown(found).partition("```yaml\n")[2].partition("\n```\n")[0]

    assert yaml.safe_load(block)["config"]["object-store:acknowledge"] == [c.sentence for c in found.open_dangers]


def test_text_is_whole_and_on_lines_of_its_own() -> None:
    """No line is wrapped, markup is plain text, and the lines to paste can be pasted."""
    long = Change("logs", f"[bold]{'x' * 300}[/bold] :smile: {{}}", Risk.DANGER, Aspect.OTHER, "first think")
    written = text(report(long, change(2, Risk.NOTICE), change(1, Risk.SAFE)))

    lines = written.splitlines()
    assert lines[0] == "s: 1 dangerous, 1 to notice, 1 safe"
    assert f"danger  {long.sentence}" in lines
    assert "          first think" in lines
    assert [line.split()[0] for line in lines[2:] if not line.startswith(" ")][:3] == ["danger", "notice", "safe"]
    assert f"      - {json.dumps(long.sentence)}" in lines


def test_text_says_what_is_acknowledged() -> None:
    """And it then offers nothing to paste."""
    written = text(report(change(1), acknowledged=(change(1).sentence, "old: one")))

    assert f"{change(1).sentence} (acknowledged)" in written
    assert "to acknowledge" not in written
    assert "no longer needed" in written
    assert "  old: one" in written


def test_markdown_says_what_is_acknowledged() -> None:
    """And it then offers nothing to paste."""
    markdown = as_markdown(report(change(1), acknowledged=(change(1).sentence,)))

    assert "_(acknowledged)_" in markdown
    assert "```" not in markdown


def test_json_has_moments_as_text() -> None:
    """This concerns the data at risk of a bucket."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    tally = Tally(1, 2, moment, moment)
    found = json.loads(as_json(report(at_risk=(AtRisk("logs", "x", current=Eligible(tally, tally)),))))

    assert found["data_at_risk"][0]["current"]["at_once"]["oldest"] == "2026-01-02T03:04:05+00:00"
    assert as_json(report()).endswith("}\n")


PLANTED = [f"planted-{number}-Zm9vYmFyLXNlY3JldA" for number in range(12)]


def planted_preview() -> dict[str, Any]:
    """Changes of both clouds with a secret in every place where the engine could leave one, some of them masked."""
    one = iter(PLANTED)
    old = {"minioPassword": next(one), "minioUser": "a", "minioServer": "x"}
    provider = step(
        "update",
        "pulumi:providers:minio",
        "aistor",
        old,
        {**old, "minioPassword": next(one)},
        diffReasons=["minioPassword"],
        detailedDiff={"minioPassword": {"kind": "update", "inputDiff": True}},
    )
    key = step(
        "update",
        MINIO["key"],
        "worker-key-1",
        {"secretKey": next(one), "accessKey": "A"},
        {"secretKey": next(one), "accessKey": "A"},
        diffReasons=["secretKey"],
    )
    key["newState"]["outputs"] = {"secretKey": next(one), "accessKey": "[secret]"}
    retention = step(
        "update",
        MINIO["retention"],
        "logs-retention",
        {"__provider": next(one), "mode": "GOVERNANCE", "days": 9, "adminPassword": next(one)},
        {"__provider": "[secret]", "mode": "GOVERNANCE", "days": 8, "adminPassword": "[secret]"},
    )
    made = step("create", AWS["key"], "auditor-key-1", None, {"user": "x-auditor", "secret": next(one)})
    grown = step(
        "update",
        MINIO["policy"],
        "worker-policy",
        {"policy": document(allow(["s3:GetObject"], ["x-logs/*"]))},
        {"policy": document(allow(["s3:GetObject", "s3:PutObject"], ["x-logs/*"], Sid=next(one)))},
        diffReasons=["policy"],
    )
    odd = step("update", "random:index/password:Password", "it", {"result": next(one)}, {"result": "[secret]"})
    name = "urn:pulumi:s::object-store::pulumi:pulumi:Stack::object-store-s"
    outputs = {"credentials": {"worker": next(one)}, "deployment": {"endpoint": "https://a", "region": "r"}}
    state = {"urn": name, "type": "pulumi:pulumi:Stack", "outputs": outputs}
    return preview(
        {"op": "update", "urn": name, "oldState": state, "newState": state},
        provider,
        step("same", MINIO["bucket"], "logs", {"bucket": "x-logs", "objectLocking": True}),
        step("same", MINIO["user"], "worker-user", {"name": "x-worker"}),
        step("create", AWS["user"], "auditor-user", None, {"name": "x-auditor"}),
        key,
        retention,
        made,
        grown,
        odd,
        config={
            "object-store:adminPassword": next(one),
            "object-store:adminUser": "[secret]",
            "object-store:endpoint": "https://b",
            "object-store:region": "r",
        },
        diagnostics=[
            {"urn": urn(MINIO["key"], "worker-key-1"), "message": "error: wrong [secret]", "severity": "error"}
        ],
    )


def test_no_secret_gets_out() -> None:
    """No value of inputs, outputs or config appears in any form, masked by the engine or not."""
    told = planted_preview()
    assert all(secret in json.dumps(told) for secret in PLANTED)
    found = read_preview(told)
    changes = explain(
        found.before,
        found.after,
        renamed=found.renamed,
        replaced=found.replaced,
        touched=found.touched,
        further=clients_told(told),
    )
    done = report(*changes, acknowledged=acknowledged_in(told), unchanged=found.unchanged, errors=found.errors)

    assert [one.sentence for one in changes] == [
        "logs: retention of new objects is now 8 days (was 9)",
        "worker: may now s3:PutObject in logs",
        "stack: clients now get the endpoint https://b (was https://a)",
        "auditor: identity is new (user x-auditor)",
        "stack: connection is updated (minioPassword)",
        "stack: other is updated",
        "worker: key is updated (secretKey)",
    ]
    written = text(done) + as_markdown(done) + as_json(done) + repr(done) + repr(found)
    assert not [secret for secret in PLANTED if secret in written]
