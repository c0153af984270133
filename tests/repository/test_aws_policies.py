"""docs.aws_policies: parliament judges every document for AWS, and finds what AWS's reference does not know."""

import json

import pytest

from docs.aws_policies import documents, findings, unlisted_actions

ALLOW = {"Sid": "A", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::a-bucket/*"]}


def test_every_document_passes() -> None:
    """No finding in any document that is generated for AWS; each kind is among them."""
    judged = list(documents())

    assert {"worker 1", "reader 1", "verifier 1", "mixed 2", "clock 1", "bucket", "admin"} <= {one for one, _ in judged}
    assert [line for name, document in judged for line in findings(name, document)] == []


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        ({"Action": ["s3:ListAllMyBuckets"], "Resource": ["arn:aws:s3:::*"]}, "RESOURCE_MISMATCH"),
        ({"Action": ["s3:GetObjekt"]}, "UNKNOWN_ACTION"),
        (
            {"Condition": {"StringLike": {"s3:versionid": "?*"}}, "Action": ["s3:PutObject"]},
            "UNKNOWN_CONDITION_FOR_ACTION",
        ),
    ],
)
def test_faulty_document_is_found(change: dict[str, object], issue: str) -> None:
    """A resource in another form, an unknown action, and a condition key that its action does not have."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW | change]})

    assert [line.split()[1] for line in findings("x", document)] == [issue]


def test_the_actions_of_aws_are_listed() -> None:
    """`model.allowed` names the same actions of S3 as AWS's service reference."""
    assert unlisted_actions() == []
