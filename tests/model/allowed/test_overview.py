"""model.allowed.overview: each bucket and kind of operation, with where it is allowed by plan and in truth."""

import pytest

from model.allowed import Access, Line, overview
from model.allowed.statements import Cloud
from tests.model.allowed.plans import CLOUDS, governed, plan

RAW = "joelclaw-local-usw2-media-raw"
BUCKETS = [one.name for one in plan().buckets]
MORE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{RAW}/2026/*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::elsewhere/*"},
    ],
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_line_for_each_right(cloud: Cloud) -> None:
    """The reader reads and lists each bucket by plan; in truth it also puts in one, and reads another bucket."""
    planned, live = governed("reader", cloud), governed("reader", cloud, MORE)

    lines = overview(live, planned, BUCKETS)

    as_planned = [Line(name, does, ("*",), ("*",)) for name in BUCKETS for does in ("read", "list", "list versions")]
    assert [one for one in lines if one.planned == one.live and one.does != "read versions"] == as_planned
    assert [one for one in lines if one.planned != one.live] == [
        Line(RAW, "put", (), ("2026/*",)),
        Line("", "read", (), ("*",)),
    ]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_conditions_are_shown(cloud: Cloud) -> None:
    """The verifier lists what begins with the probes' prefix, and bypasses governance only there."""
    access = governed("verifier", cloud)

    lines = {(one.bucket, one.does): one.live for one in overview(access, access, BUCKETS)}

    assert lines[RAW, "list"] == ("* if StringLike s3:prefix .verify/*",)
    assert lines[RAW, "bypass governance retention"] == (".verify/*",)
    assert lines["", "list the names of all buckets"] == ("*",)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_right_without_a_condition_is_shown(cloud: Cloud) -> None:
    """Documents without any condition have their lines, too."""
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{RAW}/*"}
    access = Access("x", cloud, (({"Version": "2012-10-17", "Statement": [read]},),), names=frozenset({"x"}))

    assert overview(access, access, [RAW]) == (Line(RAW, "read", ("*",), ("*",)),)
