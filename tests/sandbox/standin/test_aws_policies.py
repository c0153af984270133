"""The policy documents that the AWS provider treats as the same, and those that it stores and refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.standin.aws import policies

STATEMENT: dict[str, Any] = {
    "Sid": "Objects",
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:aws:iam::123456789012:user/a", "arn:aws:iam::123456789012:user/b"]},
    "Action": ["s3:GetObject", "s3:PutObject"],
    "Resource": "arn:aws:s3:::x/*",
    "Condition": {"Bool": {"aws:SecureTransport": "true"}},
}


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _changed(**changes: Any) -> str:  # noqa: ANN401 - elements of a statement
    return _document({**STATEMENT, **changes})


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_changed(Action=["s3:PutObject", "s3:GetObject"]), id="actions in another order"),
        pytest.param(_changed(Resource=["arn:aws:s3:::x/*"]), id="a list of one resource"),
        pytest.param(_changed(Principal={"AWS": STATEMENT["Principal"]["AWS"][::-1]}), id="principals reversed"),
        pytest.param(
            _changed(Condition={"Bool": {"aws:SecureTransport": [True]}}), id="a condition's boolean in a list"
        ),
        pytest.param(json.dumps(json.loads(_document(STATEMENT)), indent=3, sort_keys=True), id="spaces, sorted keys"),
        pytest.param(json.dumps({"Statement": STATEMENT, "Version": "2012-10-17"}), id="one statement without a list"),
    ],
)
def test_is_the_same(other: str) -> None:
    """A difference in order or spacing, or between a string and a list of one string, is not a change."""
    assert policies.equivalent(_document(STATEMENT), other)
    assert policies.kept_or_read(_document(STATEMENT), other) == policies.normalised(_document(STATEMENT))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_changed(Effect="Deny"), id="effect"),
        pytest.param(_changed(Sid="Other"), id="sid"),
        pytest.param(_changed(Action="s3:GetObject"), id="one action less"),
        pytest.param(_changed(Condition={"Bool": {"aws:SecureTransport": "false"}}), id="a condition's value"),
        pytest.param(_changed(Principal="*"), id="everyone"),
        pytest.param(_document(STATEMENT, STATEMENT), id="a statement twice"),
        pytest.param(_document(STATEMENT).replace("2012", "2008"), id="version"),
        pytest.param("{", id="no JSON"),
    ],
)
def test_is_another(other: str) -> None:
    """A difference in meaning is a change, and the read document is stored."""
    assert not policies.equivalent(_document(STATEMENT), other)
    assert policies.kept_or_read(_document(STATEMENT), other) == policies.normalised(other)


def test_statements_have_no_order() -> None:
    """The order of two statements does not matter."""
    second = {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}

    assert policies.equivalent(_document(STATEMENT, second), _document(second, STATEMENT))


def test_stored_form_is_compact_and_sorted() -> None:
    """The state holds the form in the recorded iam-user upgrade test of pulumi-aws."""
    given = '{ "Version": "2012-10-17", "Statement": [ { "Action": "s3:*", "Resource": "*", "Effect": "Allow" } ] }'
    stored = '{"Statement":[{"Action":"s3:*","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}'

    assert policies.normalised(given) == stored


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("", '"policy" is an empty string, which is not a valid JSON value'),
        ('"{}"', '"policy" contains an invalid JSON policy: contains a JSON-encoded string, not a JSON-encoded object'),
        ("[]", '"policy" contains an invalid JSON policy: contains a JSON array, not a JSON object'),
        ("yes", '"policy" contains an invalid JSON policy: not a JSON object'),
        ("{}", None),
    ],
)
def test_complaint(value: str, complaint: str | None) -> None:
    """A document that is not a JSON object is refused before AWS sees it."""
    assert policies.why_invalid(value, "policy") == complaint
