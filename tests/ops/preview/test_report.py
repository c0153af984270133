"""ops.preview.report: acknowledgements, exit codes, totals, and the lines to paste."""

import json
from typing import Any

import pytest
import yaml

from ops.preview.change import Aspect, Change, Risk
from ops.preview.data_at_risk import AtRisk
from ops.preview.report import Report, lines_to_paste

SHORTER = Change("logs", "objects now expire after 9 days (was 10)", Risk.DANGER, Aspect.LIFECYCLE, "think")
GONE = Change("vaults", "bucket would be DELETED", Risk.DANGER, Aspect.WHOLE)
NOTED = Change("logs", "unfinished uploads are now removed after 1 day (was 2)", Risk.NOTICE, Aspect.LIFECYCLE)
FINE = Change("media", "versions are now kept", Risk.SAFE, Aspect.VERSIONING)


def report(*changes: Change, **more: Any) -> Report:  # noqa: ANN401 - any field's value
    """A report of the stack `s`."""
    return Report(stack="s", source="plans", changes=changes, **more)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (report(), 0),
        (report(FINE), 0),
        (report(NOTED, FINE), 0),
        (report(SHORTER), 1),
        (report(SHORTER, acknowledged=(SHORTER.sentence,)), 0),
        (report(SHORTER, GONE, acknowledged=(SHORTER.sentence,)), 1),
        (report(SHORTER, GONE, acknowledged=(GONE.sentence, SHORTER.sentence)), 0),
        (report(SHORTER, acknowledged=("logs: objects now expire after 9 days (was 11)",)), 1),
        (report(SHORTER, acknowledged=("objects now expire after 9 days (was 10)", "logs")), 1),
        (report(SHORTER, acknowledged=(SHORTER.sentence.upper(),)), 1),
        (report(acknowledged=(SHORTER.sentence,)), 0),
        (report(errors=("wrong",)), 2),
        (report(SHORTER, errors=("wrong",)), 2),
        (report(SHORTER, acknowledged=(SHORTER.sentence,), errors=("wrong",)), 2),
        # The danger comes first; once it is acknowledged, the engine would stop.
        (report(GONE, protected=("vaults",)), 1),
        (report(GONE, protected=("vaults",), acknowledged=(GONE.sentence,)), 2),
        (report(FINE, protected=("vaults",)), 2),
        (report(FINE, unread=("no",), unseen=("all",)), 0),
    ],
)
def test_exit_code(found: Report, code: int) -> None:
    """1 for a danger without its exact acknowledgement, 2 for an update that would fail, otherwise 0."""
    assert found.exit_code == code
    assert found.as_json()["exit_code"] == code


def test_refused_is_said_once_the_danger_is_acknowledged() -> None:
    """Before that, only the danger matters."""
    assert report(GONE, protected=("vaults",)).refused == ()
    assert report(GONE, protected=("vaults",), acknowledged=(GONE.sentence,)).refused == (
        "vaults: the bucket is protected, so the update would stop there",
    )


@pytest.mark.parametrize(
    ("found", "stale"),
    [
        (report(acknowledged=("a: b", "c: d")), ("a: b", "c: d")),
        (report(SHORTER, acknowledged=("a: b", SHORTER.sentence)), ("a: b",)),
        # A change that is not a danger needs no acknowledgement.
        (report(NOTED, FINE, acknowledged=(NOTED.sentence, FINE.sentence)), (NOTED.sentence, FINE.sentence)),
        (report(SHORTER), ()),
        # A failed preview is incomplete.
        (report(acknowledged=("a: b",), errors=("wrong",)), ()),
    ],
)
def test_stale_acknowledgements(found: Report, stale: tuple[str, ...]) -> None:
    """They are the ones that no danger of this preview has."""
    assert found.stale == stale
    assert found.as_json()["stale_acknowledgements"] == list(stale)


@pytest.mark.parametrize(
    ("found", "totals"),
    [
        (report(), "no change"),
        (report(unchanged=0), "no change; 0 resources unchanged"),
        (report(unchanged=53), "no change; 53 resources unchanged"),
        (report(SHORTER, NOTED, FINE), "1 dangerous, 1 to notice, 1 safe"),
        (report(FINE, unchanged=7), "0 dangerous, 0 to notice, 1 safe; 7 resources unchanged"),
        (
            report(SHORTER, GONE, FINE, FINE, acknowledged=(GONE.sentence,)),
            "2 dangerous (1 acknowledged), 0 to notice, 2 safe",
        ),
    ],
)
def test_totals(found: Report, totals: str) -> None:
    """The totals are one line."""
    assert found.totals == totals


def test_json_has_everything() -> None:
    """The report is plain data of version 1."""
    at_risk = AtRisk("logs", "x-logs")
    found = report(
        SHORTER,
        GONE,
        NOTED,
        FINE,
        acknowledged=(GONE.sentence, NOTED.sentence),
        unchanged=4,
        protected=("vaults",),
        at_risk=(at_risk,),
        unread=("media: no key",),
        unseen=("drift",),
    ).as_json()

    assert json.loads(json.dumps(found, default=str)) == found
    assert found["version"] == 1
    assert (found["stack"], found["source"]) == ("s", "plans")
    assert found["totals"] == {"danger": 2, "notice": 1, "safe": 1, "acknowledged": 1, "unchanged": 4}
    assert found["changes"][0] == {
        "subject": "logs",
        "sentence": SHORTER.sentence,
        "risk": "danger",
        "aspect": "lifecycle",
        "advice": "think",
        "acknowledged": False,
    }
    assert [change["acknowledged"] for change in found["changes"]] == [False, True, False, False]
    assert found["stale_acknowledgements"] == [NOTED.sentence]
    assert found["data_at_risk"][0]["sentences"] == list(at_risk.sentences())
    assert (found["protected"], found["unread"], found["unseen"]) == (["vaults"], ["media: no key"], ["drift"])


@pytest.mark.parametrize(
    "what",
    [
        "bucket would be DELETED",
        'may now s3:ListBucket if {"StringLike": {"s3:prefix": ["a/*"]}} in media',
        "objects under it's: #1, `a\\b` & \x1b[1m\té {x} now expire after 1 day (was never)",
        "objects under *, !, % and @ …",
    ],
)
def test_pasted_lines_acknowledge(what: str) -> None:
    """They are YAML and give the exact sentence back, with any content."""
    dangers = (Change("logs", what, Risk.DANGER, Aspect.OTHER), GONE)
    lines = lines_to_paste(dangers, "s")

    assert lines[0] == "# Pulumi.s.yaml"
    pasted = yaml.safe_load("\n".join(lines))["config"]["object-store:acknowledge"]
    assert pasted == [change.sentence for change in dangers]
    assert report(*dangers, acknowledged=tuple(pasted)).exit_code == 0


def test_nothing_to_paste() -> None:
    """Without a danger there are no lines."""
    assert lines_to_paste((), "s") == []
