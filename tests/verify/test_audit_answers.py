"""Answers that are no answer: nothing of them counts as read, and what they leave out proves nothing about a store."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from trials.stores import AUDITED_IDENTITIES, small_plan
from verify.audit import aistor, aws
from verify.audit.read import Audit
from verify.audit.signed import Auditor
from verify.facts import Answer, Principal
from verify.probe.answers import UNEXPECTED

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]}
AISTOR: dict[str, Any] = {
    "list-users": {"joelclaw-test-usw2-auditor": {"status": "enabled", "policyName": "a, b", "memberOf": ["g"]}},
    "groups": ["g"],
    "group?group=g": {"status": "enabled", "members": ["joelclaw-test-usw2-auditor"], "policy": "c"},
    "list-canned-policies": {"a": POLICY, "b": POLICY, "c": POLICY},
    "list-access-keys-bulk?listType=svcacc-only&all=true": {
        "joelclaw-test-usw2-auditor": {"serviceAccounts": [{"accessKey": "K", "new": 1}], "stsKeys": None}
    },
    "info-service-account?accessKey=K": {"accountStatus": "on", "impliedPolicy": False, "policy": "{}", "new": {}},
}


class Fake(Auditor):
    """An auditor whose server gives these answers: JSON by command, or XML by the call of IAM with its marker."""

    def __init__(self, answers: dict[str, Any], cloud: str = "aistor") -> None:
        """Answer these questions, and no others."""
        client = SimpleNamespace(meta=SimpleNamespace(endpoint_url="https://store.example"))
        deployment = SimpleNamespace(administrators=(), cloud=cloud, region="us-west-2")
        session = SimpleNamespace(client=lambda _: client, target=SimpleNamespace(deployment=deployment))
        super().__init__(cast("Any", session), "auditor")
        self.answers, self.asked = answers, list[str]()

    def _s3(self, url: str) -> Answer[bytes]:
        return self._answer(url.partition("/admin/")[2].partition("/")[2])

    def _decrypted(self, body: bytes) -> bytes:
        return body

    def iam(self, action: str, parameters: Mapping[str, str]) -> Answer[bytes]:
        """The answer to the call, with its marker, and for a user."""
        own = {key: value for key, value in parameters.items() if not key.startswith("Filter")}
        return self._answer(f"{action}?{urlencode(own)}".rstrip("?"))

    def _answer(self, question: str) -> Answer[bytes]:
        self.asked.append(question)
        found = self.answers.get(question)
        if found is None:
            return Answer(code="NoSuchEntity", said=question)
        return Answer((found if isinstance(found, str) else json.dumps(found)).encode())


def read(fake: Fake, cloud: str) -> Answer[tuple[Principal, ...]]:
    """Everybody, as an audit reads them."""
    audit = Audit(fake, "")
    audit.read_principals(small_plan("aws" if cloud == "aws" else "aistor", identities=AUDITED_IDENTITIES))
    return audit.principals


def test_whole_answers_are_read() -> None:
    """What a newer server adds is no harm; a group's policy counts."""
    (found,) = read(Fake(AISTOR), "aistor").value or ()

    assert [(one.name, one.group) for one in found.documents] == [("a", ""), ("b", ""), ("c", "g")]
    assert [key.access_key_id for key in found.keys.value or ()] == ["K"]


def test_keys_of_others_are_not_asked_for() -> None:
    """A server may have thousands of users; only those of the plan, and root, have keys to look at."""
    fake = Fake(AISTOR)

    (found,) = aistor.read_principals(fake, asks_keys=lambda _: False).value or ()

    assert found.keys == Answer(())
    assert not [one for one in fake.asked if one.startswith("info-service-account")]


def test_group_that_names_a_user_has_it() -> None:
    """A user whose own entry leaves out a group is in it all the same."""
    told = {**AISTOR, "list-users": {"joelclaw-test-usw2-auditor": {"status": "enabled"}}}

    (found,) = read(Fake(told), "aistor").value or ()

    assert [one.group for one in found.documents] == ["g"]


def test_no_group_is_null() -> None:
    """MinIO answers null where there is no group."""
    told = {**AISTOR, "groups": None, "list-users": {"joelclaw-test-usw2-auditor": {"status": "enabled"}}}
    fake = Fake(told)
    fake.answers["groups"] = "null"

    assert read(fake, "aistor").ok


HALVES: dict[str, tuple[dict[str, Any], str]] = {
    "no users": ({"list-users": {}}, "lacks joelclaw-test-usw2-auditor itself"),
    "a list of users": ({"list-users": []}, "list-users"),
    "users without a status": ({"list-users": {"x": {}}}, "list-users"),
    "HTML": ({"list-users": "<html></html>"}, "list-users"),
    "policies as a list": ({"list-canned-policies": [POLICY]}, "list-canned-policies"),
    "a policy that is not listed": ({"list-canned-policies": {"a": POLICY, "c": POLICY}}, "policy b"),
    "no policies": ({"list-canned-policies": {}}, "policy a"),
    "a group that is not listed": ({"groups": []}, "group g"),
    "a group's policy that is not listed": ({"list-canned-policies": {"a": POLICY, "b": POLICY}}, "policy c"),
    "a group in another form": ({"group?group=g": []}, "group g"),
    "groups as an object": ({"groups": {"g": {}}}, "groups"),
    "keys as a list": ({"list-access-keys-bulk?listType=svcacc-only&all=true": []}, "list-access-keys-bulk"),
    "a key without a name": (
        {"list-access-keys-bulk?listType=svcacc-only&all=true": {"x": {"serviceAccounts": [{}]}}},
        "list-access-keys-bulk",
    ),
}


@pytest.mark.parametrize("name", HALVES)
def test_half_an_answer_of_aistor_is_none(name: str) -> None:
    """A list that is cut short, contradicts another or has another form is named, and nobody counts as read."""
    changes, told = HALVES[name]

    found = read(Fake({**AISTOR, **changes}), "aistor")

    assert found.code == UNEXPECTED
    assert told in found.said


def test_key_that_is_not_described_is_not_read() -> None:
    """A key without its status and policy is named as unread."""
    found = aistor.read_principals(Fake({**AISTOR, "info-service-account?accessKey=K": {}}), asks_keys=lambda _: True)

    assert [one.keys.code for one in found.value or ()] == [UNEXPECTED]


def details(*, groups: str = "<member><GroupName>g</GroupName></member>", cut: str = "", members: str = "g") -> str:
    """One page of the account's details, as AWS writes it."""
    return (
        '<R xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetAccountAuthorizationDetailsResult>'
        f"{cut}<UserDetailList><member><UserName>joelclaw-test-usw2-auditor</UserName><Arn>arn:x</Arn><New>1</New>"
        f"<GroupList><member>{members}</member></GroupList></member></UserDetailList>"
        f"<GroupDetailList>{groups}</GroupDetailList></GetAccountAuthorizationDetailsResult></R>"
    )


NO_KEYS = "<R><ListAccessKeysResult><AccessKeyMetadata/></ListAccessKeysResult></R>"
AWS = {
    "GetAccountAuthorizationDetails": details(),
    "ListAccessKeys?UserName=joelclaw-test-usw2-auditor": NO_KEYS,
}
CUT = "<IsTruncated>true</IsTruncated>"


def test_whole_answers_of_aws_are_read() -> None:
    """All pages are read, and a user without a password has none."""
    last = "GetAccountAuthorizationDetails?Marker=2"
    first = details(cut=f"{CUT}<Marker>2</Marker>", groups="")

    (found, _) = read(Fake({**AWS, "GetAccountAuthorizationDetails": first, last: details()}, "aws"), "aws").value or ()

    assert found.login == Answer(value=False)
    assert found.keys == Answer(())


LIES: dict[str, tuple[dict[str, str], str]] = {
    "cut short without a marker": ({"GetAccountAuthorizationDetails": details(cut=CUT)}, "cut short"),
    "a marker that leads back": (
        {
            "GetAccountAuthorizationDetails": details(cut=f"{CUT}<Marker>2</Marker>"),
            "GetAccountAuthorizationDetails?Marker=2": details(cut=f"{CUT}<Marker>2</Marker>"),
        },
        "cut short",
    ),
    "no users": (
        {"GetAccountAuthorizationDetails": "<R><GetAccountAuthorizationDetailsResult/></R>"},
        "lacks joelclaw-test-usw2-auditor itself",
    ),
    "a page of something else": (
        {"GetAccountAuthorizationDetails": "<html/>"},
        "no GetAccountAuthorizationDetailsResult",
    ),
    "an error with 200": ({"GetAccountAuthorizationDetails": "<Error><Code>x</Code></Error>"}, "no GetAccount"),
    "not XML": ({"GetAccountAuthorizationDetails": "<html>"}, "not XML"),
    "a group that is not listed": ({"GetAccountAuthorizationDetails": details(groups="")}, "group g"),
}


@pytest.mark.parametrize("name", LIES)
def test_half_an_answer_of_aws_is_none(name: str) -> None:
    """A list that is cut short, contradicts another or has another form is named, and nobody counts as read."""
    changes, told = LIES[name]
    fake = Fake({**AWS, **changes}, "aws")

    found = read(fake, "aws")

    assert found.code == UNEXPECTED
    assert told in found.said
    assert len(fake.asked) < 5


@pytest.mark.parametrize(
    "listed", ["<html/>", "<R><ListAccessKeysResult><IsTruncated>true</IsTruncated></ListAccessKeysResult></R>"]
)
def test_keys_of_half_an_answer_are_not_read(listed: str) -> None:
    """A list of keys that is none, or is cut short, is unread."""
    fake = Fake({**AWS, "ListAccessKeys?UserName=joelclaw-test-usw2-auditor": listed}, "aws")

    (found,) = aws.read_principals(fake, asks_keys=lambda _: True).value or ()

    assert found.keys.code == UNEXPECTED


def test_password_of_half_an_answer_is_not_read() -> None:
    """A 200 that is no login profile tells nothing about a password."""
    fake = Fake({**AWS, "GetLoginProfile?UserName=joelclaw-test-usw2-auditor": "<html/>"}, "aws")

    (found,) = aws.read_principals(fake, asks_keys=lambda _: True).value or ()

    assert found.login is not None
    assert found.login.code == UNEXPECTED
