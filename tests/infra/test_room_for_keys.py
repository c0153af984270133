"""Whether users on AWS have room for new access keys: the rule, and what IAM says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import AccessKeyLastUsed, iam_backends

from infra.room_for_keys import UserKey, ids_of_keys, lost_keys, new_keys, without_room
from infra.settings import settings_from
from infra.user_keys import keys_of_users
from model.generations import Generations
from model.plan import build_plan
from model.problems import InvalidInputError
from model.taxonomy_file import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_iam import IAMClient

AWS = settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2"}, "aws", Path(), {})
PLAN = build_plan(
    load(),
    env="prod",
    region_code="usw2",
    tls_only=True,
    where="x:",
    generations={"worker": Generations(current=2, previous=1)},
)
ALL = {identity.name: identity.credential.live for identity in PLAN.identities}
WORKER = "joelclaw-prod-usw2-worker"
MADE = datetime(2026, 3, 1, tzinfo=UTC)
KEY = "aws:iam/accessKey:AccessKey"


def key(name: str, used_days: int | None = None, made_days: int = 0) -> UserKey:
    """A key that was made some days after March, and used some days later."""
    made = MADE + timedelta(days=made_days)
    return UserKey(name, made, None if used_days is None else made + timedelta(days=used_days), use_is_known=True)


PREVIOUS = "pulumi config rm --stack aws --path 'object-store:credentials[\"worker\"].previous'"
REMOVE = f"aws iam delete-access-key --user-name {WORKER} --access-key-id "
ADOPT = "object-store adopt --stack aws"


@pytest.mark.parametrize(
    ("live", "held", "wants", "remedy"),
    [
        ((), (), (), None),
        (("A",), ("A",), (1,), None),
        (("A", "B"), ("A",), (1,), f"{REMOVE}B"),
        (("A", "B"), (), (1,), f"{REMOVE}A"),
        (("A", "B"), ("A",), (2, 1), None),
        (("A", "B"), ("A", "B"), (1,), None),
        # The only key that is left may be the one that works: first one new key less, and none is removed.
        (("A",), (), (), PREVIOUS),
        (("A", "B"), (), (), PREVIOUS),
    ],
)
def test_keys_that_the_stack_does_not_know_count(
    live: tuple[str, ...], held: tuple[str, ...], wants: tuple[int, ...], remedy: str | None
) -> None:
    """An update without a new key asks for no room, and no key is proposed for removal where another line helps."""
    new = new_keys(PLAN, ALL | {"worker": wants})
    assert new == ({WORKER: 2 - len(wants)} if len(wants) < 2 else {})
    keys = {WORKER: [key(one) for one in live]}
    found = without_room(PLAN, new, keys, held, "aws")
    assert [problem.paste for problem in found] == ([remedy] if remedy else [])
    # The stack may have published a key that its state has lost, and only `adopt` knows.
    found = without_room(PLAN, new, keys, held, "aws", lost={WORKER})
    assert [problem.paste for problem in found] == ([ADOPT] if remedy else [])


def test_users_without_any_key_in_the_state() -> None:
    """One generation in the state suffices to know that the others are no loss."""
    assert lost_keys(PLAN, ALL | {"worker": (1,)}) == frozenset()
    assert lost_keys(PLAN, ALL | {"worker": ()}) == {WORKER}


def test_the_least_recently_used_is_proposed_and_each_is_told_apart() -> None:
    """A person must see which key a program uses."""
    live = [key("USED", used_days=200), key("OLD", used_days=3)]
    (problem,) = without_room(PLAN, {WORKER: 1}, {WORKER: live}, (), "aws")
    assert problem.paste.endswith("--access-key-id OLD")
    assert "USED (made 2026-03-01 00:00 UTC, last used 2026-09-17 00:00 UTC)" in problem.wrong
    assert "object-store keys status --stack aws" in problem.legal
    (problem,) = without_room(PLAN, {WORKER: 1}, {WORKER: [key("LATE", made_days=9), key("FIRST")]}, (), "aws")
    assert problem.paste.endswith("--access-key-id FIRST")
    assert "never used" in problem.wrong
    (problem,) = without_room(PLAN, {WORKER: 1}, {WORKER: [UserKey("X"), UserKey("Y")]}, (), "aws")
    assert "X (age not told, last use not told)" in problem.wrong


def test_ids_are_those_of_the_export_and_of_the_engine() -> None:
    """The engine's answer has a key's id among its outputs."""
    resources: list[dict[str, Any]] = [
        {"type": KEY, "id": "A"},
        {"type": KEY, "outputs": {"id": "B"}},
        {"type": "x", "id": "C"},
    ]
    assert ids_of_keys(resources) == {"A", "B"}


@pytest.fixture(name="iam")
def _iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[IAMClient]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAADMIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-admin-secret")
    with mock_aws():
        yield boto3.session.Session().client("iam", region_name="us-west-2")


def refuse(monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    """Let IAM refuse an operation."""
    whole: Any = vars(BaseClient)["_make_api_call"]

    def call(client: BaseClient, operation: str, given: dict[str, Any]) -> Any:  # noqa: ANN401 - of every operation
        if operation == refused:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return whole(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)


def test_iam_says_which_keys_there_are(iam: IAMClient) -> None:
    """The last use is asked for only where there is no room; a user that does not exist has no key."""
    iam.create_user(UserName=WORKER)
    made = [iam.create_access_key(UserName=WORKER)["AccessKey"]["AccessKeyId"]]
    found = keys_of_users({WORKER: 1, "other": 2}, AWS)
    assert [one.use_is_known for one in found[WORKER]] == [False]
    assert found["other"] == []

    made.append(iam.create_access_key(UserName=WORKER)["AccessKey"]["AccessKeyId"])
    used = datetime(2026, 11, 30, 12, tzinfo=UTC)
    (_, second) = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].users[WORKER].access_keys
    second.last_used = AccessKeyLastUsed(timestamp=used, service="s3", region="us-west-2")
    found = keys_of_users({WORKER: 1}, AWS)
    assert [(one.access_key_id, one.used_at, one.use_is_known) for one in found[WORKER]] == [
        (made[0], None, True),
        (made[1], used, True),
    ]
    assert keys_of_users({}, AWS) == {}


def test_a_last_use_that_may_not_be_read_is_not_told(iam: IAMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of an update needs the count alone."""
    iam.create_user(UserName=WORKER)
    for _ in range(2):
        iam.create_access_key(UserName=WORKER)
    refuse(monkeypatch, "GetAccessKeyLastUsed")
    assert {str(one).partition(" ")[2] for one in keys_of_users({WORKER: 1}, AWS)[WORKER]} == {
        f"(made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, last use not told)"
    }
    refuse(monkeypatch, "ListAccessKeys")
    with pytest.raises(InvalidInputError, match=r"room for new access keys: AWS answers .*AccessDenied"):
        keys_of_users({WORKER: 1}, AWS)
