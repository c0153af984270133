"""Each vendor's server accepts, refuses and announces lifecycle rules in its own way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.server.answers import ApiError
from sandbox.server.lifecycle import StoredObject, accepted, expiration_header, midnight_after
from sandbox.server.s3_actions import Cloud

MOMENT = datetime(2026, 11, 25, 4, 30, tzinfo=UTC)


def rule(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a rule
    """An enabled rule for everything."""
    return {"ID": "one", "Status": "Enabled", "Filter": {"Prefix": ""}, **more}


def test_abort_alone_is_refused_on_aistor() -> None:
    """AIStor has no abort action, so a rule with nothing else has no action."""
    with pytest.raises(ApiError, match="InvalidArgument"):
        accepted([rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": "2"})], Cloud.AISTOR)


def test_abort_beside_another_action_is_dropped_on_aistor() -> None:
    """AIStor accepts the rule and silently drops the abort action."""
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": "2"}}
    given_rule = rule(Expiration={"Days": "3"}, **abort)

    assert abort.keys().isdisjoint(accepted([given_rule], Cloud.AISTOR)[0])
    assert abort.items() <= accepted([given_rule], Cloud.AWS)[0].items()


@pytest.mark.parametrize(
    "expiration", [{"Days": "0"}, {"Days": "x"}, {"Days": "3", "ExpiredObjectDeleteMarker": "true"}]
)
def test_impossible_expirations_are_refused(expiration: dict[str, str]) -> None:
    """Days must be a positive number without another time."""
    with pytest.raises(ApiError, match="InvalidArgument"):
        accepted([rule(Expiration=expiration)], Cloud.AISTOR)


def test_transitions_need_a_tier_on_aistor_and_thirty_days_on_aws() -> None:
    """AIStor has no remote tier here; S3's own minimum before STANDARD_IA is 30 days."""
    early, late = ({"Days": days, "StorageClass": "STANDARD_IA"} for days in ("29", "30"))
    with pytest.raises(ApiError, match="InvalidStorageClass"):
        accepted([rule(Transition=late)], Cloud.AISTOR)
    with pytest.raises(ApiError, match="greater than or equal to 30"):
        accepted([rule(Transition=early)], Cloud.AWS)

    assert accepted([rule(Transition=late)], Cloud.AWS)[0]["Transition"] == late


def test_rules_get_ids_and_ids_are_unique() -> None:
    """A rule without an id gets one; two rules with the same id are refused."""
    nameless = rule(Expiration={"Days": "1"}) | {"ID": None}

    assert accepted([nameless], Cloud.AISTOR)[0]["ID"]
    with pytest.raises(ApiError, match="unique"):
        accepted([rule(Expiration={"Days": "1"})] * 2, Cloud.AISTOR)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule(Expiration={"Days": "14"})], 'expiry-date="Thu, 10 Dec 2026 00:00:00 GMT", rule-id="one"'),
        ([rule(Expiration={"Days": "14"}, Status="Disabled")], None),
        ([rule(Expiration={"Days": "14"}, Filter={"Prefix": "other/"})], None),
        ([rule(Expiration={"Days": "14"}, Filter={"Tag": {"Key": "a", "Value": "c"}})], None),
        ([rule(NoncurrentVersionExpiration={"NoncurrentDays": "3"})], None),
        (
            [rule(Expiration={"Days": "14"}), rule(ID="two", Expiration={"Days": "1"}, Filter={"Prefix": ".verify/"})],
            'expiry-date="Fri, 27 Nov 2026 00:00:00 GMT", rule-id="two"',
        ),
        (
            [rule(Expiration={"Days": "1"}, Filter={"And": {"Prefix": ".v", "Tag": [{"Key": "a", "Value": "b"}]}})],
            'expiry-date="Fri, 27 Nov 2026 00:00:00 GMT", rule-id="one"',
        ),
    ],
)
def test_header_names_the_rule_that_governs(rules: list[dict[str, Any]], expected: str | None) -> None:
    """The server announces the earliest matching rule."""
    assert expiration_header(rules, StoredObject(".verify/x", 1, MOMENT, {"a": "b"})) == expected


@given(moment=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)), days=st.integers(1, 3650))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_days_are_rounded_up_to_midnight(moment: datetime, days: int) -> None:
    """An object lives at least its days and at most one more, until a midnight of UTC."""
    later = midnight_after(moment.replace(tzinfo=UTC), days) - moment.replace(tzinfo=UTC)

    assert days * 86400 < later.total_seconds() <= (days + 1) * 86400
