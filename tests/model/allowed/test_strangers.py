"""model.allowed.strangers: whoever a document of a resource lets in, by name or as one of all."""

from typing import Any

import pytest

from model.allowed import STRANGER, for_strangers, same_for_everybody
from model.allowed.statements import Cloud
from model.policies import bucket_policy
from tests.model.allowed.plans import CLOUDS

BUCKET = "b"
DENY = bucket_policy(BUCKET)
OTHER = "arn:aws:iam::999999999999:user/x"


def letting(principal: object, **more: object) -> dict[str, Any]:
    """The planned policy, and a statement that lets somebody read."""
    one = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    return {"Version": "2012-10-17", "Statement": [*DENY["Statement"], {**one, **more}]}


@pytest.mark.parametrize(
    ("principal", "found"),
    [("*", [STRANGER, ""]), ({"AWS": OTHER}, [OTHER]), ({"Service": "a.b"}, ["Service a.b"]), ({"AWS": []}, [])],
)
def test_each_stranger_on_aws_has_a_request(principal: object, found: list[str]) -> None:
    """A name, then one whom no document names, then nobody's."""
    asked = for_strangers({BUCKET: letting(principal)}, {BUCKET: DENY}, "aws")

    assert [one.principal for one in asked] == found


def test_minio_lets_in_anonymous_callers_alone() -> None:
    """A bucket's policy there is for those without a key."""
    asked = for_strangers({BUCKET: letting({"AWS": ["*"]})}, {}, "aistor")

    assert [one.principal for one in asked] == [""]


def test_declared_principals_are_left_out() -> None:
    """All that governs them is compared elsewhere."""
    assert not list(for_strangers({BUCKET: letting({"AWS": OTHER})}, {BUCKET: DENY}, "aws", frozenset({OTHER})))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_policy_is_the_same_as_itself(cloud: Cloud) -> None:
    """And without what it allows more, or denies less, it is not."""
    wider = letting("*")

    assert same_for_everybody(wider, wider, BUCKET, cloud)
    assert not same_for_everybody(wider, {"Statement": []}, BUCKET, cloud)


@pytest.mark.parametrize(
    "other",
    [
        {"Version": "2012-10-17", "Statement": []},
        letting({"AWS": OTHER}),
        letting("*", Effect="Deny"),
        letting({"AWS": OTHER}, Effect="Deny"),
        {
            "Version": "2012-10-17",
            "Statement": [{**DENY["Statement"][0], "NotPrincipal": {"AWS": OTHER}, "Principal": None}],
        },
    ],
)
def test_a_policy_that_denies_or_allows_somebody_otherwise_is_another(other: dict[str, Any]) -> None:
    """In both directions, for one principal as for all, also where only a Deny differs."""
    assert not same_for_everybody(other, DENY, BUCKET, "aws")
    assert not same_for_everybody(DENY, other, BUCKET, "aws")
