"""model.policy_meaning: different spellings of a document are equal; any change of what it allows is not."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.plan import build_plan
from model.policies import as_json, identity_policy, service_account_policy
from model.policy_meaning import same_meaning
from model.taxonomy_file import load

Document = dict[str, Any]

ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetBucketLocation"]
RESOURCES = [f"arn:aws:s3:::{name}" for name in ("a", "a/*", "b", "b/*", "c/.verify/*")]
TESTS = ["StringLike", "StringEquals", "Bool", "NumericLessThan"]
KEYS = ["s3:prefix", "aws:SecureTransport", "s3:max-keys"]
VALUES = ["x/*", "true", "10", "y"]


def some(values: list[str]) -> st.SearchStrategy[list[str]]:
    """One or more of them, without repetition."""
    return st.lists(st.sampled_from(values), min_size=1, unique=True)


STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": some(ACTIONS), "Resource": some(RESOURCES)},
    optional={
        "Condition": st.dictionaries(
            st.sampled_from(TESTS), st.dictionaries(st.sampled_from(KEYS), some(VALUES), min_size=1), min_size=1
        ),
    },
)
# Each statement has its own name, so that a changed statement cannot equal another one.
DOCUMENTS: st.SearchStrategy[Document] = st.lists(STATEMENTS, min_size=1, max_size=4).map(
    lambda found: {
        "Version": "2012-10-17",
        "Statement": [{"Sid": f"S{number}", **one} for number, one in enumerate(found)],
    }
)


def respelt(draw: st.DrawFn, value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same value in another order, with a list of one written as a list or as a single value."""
    if isinstance(value, dict):
        return {key: respelt(draw, value[key]) for key in draw(st.permutations(list(value)))}
    if isinstance(value, list):
        listed = [respelt(draw, one) for one in draw(st.permutations(value))]
        return listed[0] if len(listed) == 1 and draw(st.booleans()) else listed
    return value


@st.composite
def spelt_twice(draw: st.DrawFn) -> tuple[str, str]:
    """A document in two spellings."""
    document = draw(DOCUMENTS)
    return json.dumps(document), json.dumps(respelt(draw, document))


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, str]:
    """A document, and another spelling of it with one change."""
    document = draw(DOCUMENTS)
    other = deepcopy(document)
    statement = draw(st.sampled_from(other["Statement"]))
    kinds = ["Effect", "Action", "Resource", "more actions", "fewer statements"]
    if "Condition" in statement:
        kinds += ["value", "no condition"]
    kind = draw(st.sampled_from(kinds))
    if kind == "Effect":
        statement["Effect"] = {"Allow": "Deny", "Deny": "Allow"}[statement["Effect"]]
    elif kind in ("Action", "Resource"):
        statement[kind][draw(st.integers(0, len(statement[kind]) - 1))] = "s3:Another"
    elif kind == "more actions":
        statement["Action"].append("s3:*")
    elif kind == "fewer statements":
        other["Statement"].remove(statement)
    elif kind == "no condition":
        del statement["Condition"]
    else:
        values = draw(st.sampled_from([values for keys in statement["Condition"].values() for values in keys.values()]))
        values[0] = "another"
    return json.dumps(document), json.dumps(respelt(draw, other))


@given(spelt_twice())
def test_any_spelling_is_the_same(documents: tuple[str, str]) -> None:
    """The order of all lists, and a list of one against a single value, make no difference in either direction."""
    one, other = documents

    assert same_meaning(one, other)
    assert same_meaning(other, one)


@given(changed())
def test_any_change_is_a_change(documents: tuple[str, str]) -> None:
    """A changed action, resource, effect, condition or value makes a difference in either direction."""
    one, other = documents

    assert not same_meaning(one, other)
    assert not same_meaning(other, one)


def document(**statement: object) -> str:
    """A document with one statement."""
    usual = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**usual, **statement}]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Sid": ""}, {}),
        ({"Condition": {}}, {}),
        ({"Action": ["s3:A", "s3:A"]}, {"Action": "s3:A"}),
        (
            {"Condition": {"Bool": {"aws:SecureTransport": False}}},
            {"Condition": {"Bool": {"aws:securetransport": ["false"]}}},
        ),
        (
            {"Condition": {"NumericLessThan": {"s3:max-keys": 10}}},
            {"Condition": {"NumericLessThan": {"s3:max-keys": "10"}}},
        ),
        ({"Principal": {"AWS": "*"}}, {"Principal": {"AWS": ["*"]}}),
        ({"Principal": "*"}, {"Principal": {"AWS": "*"}}),
        ({"Principal": ["*"]}, {"Principal": {"AWS": ["*", "*"]}}),
        ({"NotPrincipal": "*"}, {"NotPrincipal": {"AWS": "*"}}),
        ({"Principal": {"AWS": "123456789012"}}, {"Principal": {"AWS": ["arn:aws:iam::123456789012:root"]}}),
        (
            {"Condition": {"Bool": {"aws:SecureTransport": True, "aws:MultiFactorAuthPresent": "true"}}},
            {"Condition": {"Bool": {"AWS:MULTIFACTORAUTHPRESENT": [True], "AWS:SECURETRANSPORT": "true"}}},
        ),
        ({"NotAction": ["s3:B", "s3:A"]}, {"NotAction": ["s3:A", "s3:B"]}),
    ],
)
def test_what_the_server_writes_differently_is_the_same(one: Document, other: Document) -> None:
    """Empty and repeated values, booleans and numbers as text, case of condition keys, wildcards and accounts."""
    assert same_meaning(document(**one), document(**other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Sid": "a"}, {"Sid": "b"}),
        ({"NotAction": "s3:A"}, {"NotAction": "s3:B"}),
        ({"Principal": {"AWS": "*"}}, {"Principal": {"AWS": "arn:aws:iam::1:root"}}),
        ({"Principal": "*"}, {}),
        ({"Principal": "*"}, {"NotPrincipal": "*"}),
        ({"Principal": "*"}, {"Principal": {"Service": "*"}}),
        ({"Principal": "*"}, {"Principal": {"AWS": "*", "Service": "x.amazonaws.com"}}),
        ({"Principal": {"AWS": "123456789012"}}, {"Principal": {"AWS": "123456789013"}}),
        ({"Principal": {"Federated": "123456789012"}}, {"Principal": {"Federated": "arn:aws:iam::123456789012:root"}}),
        ({"Condition": {"Bool": {"a:B": "true", "A:b": "false"}}}, {"Condition": {"Bool": {"a:b": "false"}}}),
        ({"Action": "s3:getobject"}, {"Action": "s3:GetObject"}),
        ({"Condition": {"StringLike": {"s3:prefix": "A"}}}, {"Condition": {"StringLike": {"s3:prefix": "a"}}}),
        ({"Condition": {"StringLike": {"s3:prefix": "a"}}}, {"Condition": {"StringEquals": {"s3:prefix": "a"}}}),
    ],
)
def test_what_matters_is_not_the_same(one: Document, other: Document) -> None:
    """Actions and values are case-sensitive, as in MinIO."""
    assert not same_meaning(document(**one), document(**other))


def test_version_matters() -> None:
    """Documents with different grammar versions differ."""
    assert not same_meaning(document(), document().replace("2012-10-17", "2008-10-17"))


def test_one_statement_needs_no_list() -> None:
    """A single statement needs no list, as AWS and MinIO accept it."""
    listed = json.loads(document())

    assert same_meaning(json.dumps(listed), json.dumps({**listed, "Statement": listed["Statement"][0]}))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "5", '"x"', '{"Statement": [1]}', '{"Statement": 1}', '{"Statement": ["x"]}']
)
def test_text_that_is_no_document_equals_itself_alone(text: str) -> None:
    """Text that is not a document raises no error and never equals a document."""
    assert same_meaning(text, text)
    assert not same_meaning(text, document())
    assert not same_meaning(document(), text)
    assert not same_meaning(text, text + " ")


def test_every_policy_of_the_plan_survives_what_the_server_does_to_it() -> None:
    """All documents of the taxonomy stay equal with reversed actions and single values in place of lists of one."""
    plan = build_plan(load(), env="local", region_code="usw2", tls_only=True, where="test: ")
    for identity in plan.identities:
        for text in (
            as_json(identity_policy(plan, identity, "aistor")),
            as_json(service_account_policy(plan, identity)),
        ):
            given_back = json.loads(text)
            for statement in given_back["Statement"]:
                for key in ("Action", "Resource"):
                    listed = statement[key] if isinstance(statement[key], list) else [statement[key]]
                    statement[key] = listed[0] if len(listed) == 1 else listed[::-1]
            given_back["Statement"].reverse()
            assert same_meaning(text, json.dumps(given_back, indent=1))
