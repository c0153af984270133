"""model.allowed.statements: nothing of a document is ignored."""

import json
from typing import Any

import pytest

from model.allowed.statements import EVERYBODY, Cloud, Statement, key_name, principals_of, statements
from model.allowed.strings import matches
from tests.model.allowed.plans import CLOUDS

ONE: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def read(cloud: Cloud, *more: dict[str, Any], of_resource: bool = False, **document: object) -> list[Statement]:
    """The statements of a document."""
    content = {"Version": "2012-10-17", "Statement": list(more), **document}
    return statements(content, cloud, {"aws:username": ("worker",)}, of_resource=of_resource)


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize(
    ("element", "told"),
    [
        ({"Effect": "allow"}, 'Effect: "allow"'),
        ({"Effect": None}, "Effect: null"),
        ({"Action": 1}, "Action: 1"),
        ({"Resource": {}}, "Resource: {}"),
        ({"Resource": "bucket/*"}, "Resource: "),
        ({"Resource": "arn:aws:s3:::${aws:PrincipalTag/team}/*"}, "Resource: "),
        ({"Condition": []}, "Condition: []"),
        ({"Condition": {"StringLike": []}}, "StringLike: []"),
        ({"Condition": {"StringLike": {"s3:prefix": {}}}}, "StringLike s3:prefix: {}"),
        ({"Until": "2027"}, 'element Until: "2027"'),
        ({"Principal": "*"}, 'element Principal: "*"'),
    ],
)
def test_what_is_not_understood_is_an_unknown(cloud: Cloud, element: dict[str, Any], told: str) -> None:
    """It is named, and the same text is the same unknown in every document."""
    (found,) = read(cloud, {**ONE, **element})
    (again,) = read(cloud, {**ONE, **element})

    assert [one for one in found.unknowns if one.startswith(told)]
    assert found == again


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "null", '{"Statement": "x"}', '{"Statement": ["x"]}'])
def test_what_is_no_document_may_allow_anything(cloud: Cloud, text: str) -> None:
    """A text of another form is one statement that matches everything if the unknown holds."""
    (found,) = statements(text, cloud, {})

    assert found.allow
    assert found.actions.some is None
    assert found.unknowns


@pytest.mark.parametrize("cloud", CLOUDS)
def test_an_unknown_element_of_the_document_is_of_each_statement(cloud: Cloud) -> None:
    """Beside the statements there may be something that changes them all."""
    found = read(cloud, ONE, {**ONE, "Effect": "Deny"}, Scope="x")

    assert [one.unknowns for one in found] == [('element Scope: "x"',)] * 2


@pytest.mark.parametrize("cloud", CLOUDS)
def test_one_statement_needs_no_list(cloud: Cloud) -> None:
    """The grammar allows a statement in place of a list of one."""
    assert statements(json.dumps({"Statement": ONE}), cloud, {}) == read(cloud, ONE)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_variable_with_a_known_value_is_replaced(cloud: Cloud) -> None:
    """The user's own name in a resource is a text; AWS needs the document's version for it."""
    (found,) = read(cloud, {**ONE, "Resource": "arn:aws:s3:::b/${aws:username}/*"})
    (old,) = read(cloud, {**ONE, "Resource": "arn:aws:s3:::b/${aws:username}/*"}, Version="2008-10-17")

    assert any(matches(one, "arn:aws:s3:::b/worker/x") for one in found.resources.some or ())
    assert any(matches(one, "arn:aws:s3:::b/worker/x") for one in old.resources.some or ()) is (cloud == "aistor")


def test_aws_ignores_the_case_of_actions_and_keys() -> None:
    """MinIO compares both exactly."""
    (aws,) = read("aws", {**ONE, "Action": "S3:getobject"})
    (minio,) = read("aistor", {**ONE, "Action": "S3:getobject"})

    assert any(matches(one, "s3:getobject") for one in aws.actions.some or ())
    assert not any(matches(one, "s3:GetObject") for one in minio.actions.some or ())
    assert key_name("AWS:SourceIp", "aws") == "aws:sourceip"
    assert key_name("s3:prefix", "aistor") == key_name("aws:prefix", "aistor") == "prefix"


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ("*", (EVERYBODY,)),
        ({"AWS": "*"}, (EVERYBODY,)),
        ({"AWS": "123456789012"}, ("arn:aws:iam::123456789012:root",)),
        (
            {"AWS": ["arn:aws:iam::1:user/a"], "Service": "s3.amazonaws.com"},
            ("arn:aws:iam::1:user/a", "Service s3.amazonaws.com"),
        ),
        ({"CanonicalUser": "79a5"}, ("CanonicalUser 79a5",)),
        ("somebody", None),
        ({"Robot": "x"}, None),
        ({"AWS": 1}, None),
        (["*"], None),
    ],
)
def test_principals_have_names(raw: object, names: tuple[str, ...] | None) -> None:
    """Each form has one; what has another form is not understood."""
    assert principals_of(raw) == names
