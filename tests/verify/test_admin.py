"""The calls of the IAM and admin API: each finds its own permission, and none changes anything."""

from typing import TYPE_CHECKING, Any

import pytest

from tests.verify.test_roles import deployment
from verify.facts import Answer, Tried
from verify.probe import new_keys
from verify.probe.admin import AISTOR_CALLS, aws_calls, try_admin
from verify.probe.session import StoreSession

if TYPE_CHECKING:
    from model.plan import IdentityPlan
    from trials.stores import Store


def tried(store: "Store", name: str = "reader") -> Tried:
    """What the calls of one identity gave."""
    with StoreSession(store.target, 1) as session:
        return try_admin(session, identity(store, name))


def identity(store: "Store", name: str = "reader") -> "IdentityPlan":
    """An identity of the plan."""
    return next(one for one in store.plan.identities if one.name == name)


def administration(store: "Store") -> Any:  # noqa: ANN401 - what each backend lists
    """All users, policies and keys, as the administrator sees them."""
    iam: Any = store.identities.iam  # type: ignore[attr-defined]  # both kinds have one
    if store.deployment.cloud == "aistor":
        return iam.list_users(), sorted(iam.list_canned_policies())
    users = sorted(user["UserName"] for user in iam.list_users()["Users"])
    keys = {user: iam.list_access_keys(UserName=user)["AccessKeyMetadata"] for user in users}
    inline = {user: iam.list_user_policies(UserName=user)["PolicyNames"] for user in users}
    return keys, inline, iam.get_account_authorization_details()["UserDetailList"]


def test_all_is_refused_as_planned(any_store: "Store") -> None:
    """No identity may call any of it; the answer is the refusal."""
    assert {tried(any_store, one.name).code for one in any_store.plan.identities} == {"AccessDenied"}


def test_each_call_finds_its_permission_and_changes_nothing(any_store: "Store") -> None:
    """An identity that may do everything is told of every call, and leaves users, keys and policies as they were."""
    everything: dict[str, Any] = {"Sid": "All", "Effect": "Allow", "Action": ["admin:*"]}
    if any_store.deployment.cloud == "aws":
        everything |= {"Action": ["iam:*"], "Resource": ["*"]}
    planned = [dict(statement) for statement in any_store.planned_policy("reader")["Statement"]]
    any_store.set_user_policy("reader", [*planned, everything])
    try:
        before = administration(any_store)
        found = tried(any_store)
        after = administration(any_store)
    finally:
        any_store.restore_user_policy("reader")

    calls = (
        {command.partition("?")[0] for _, command, _ in AISTOR_CALLS}
        if any_store.deployment.cloud == "aistor"
        else {action for action, _ in aws_calls(identity(any_store))}
    )
    assert {told.partition(":")[0] for told in found.said.split("; ")} == calls
    assert before == after


@pytest.mark.parametrize("action", ["admin:ConfigUpdate", "admin:SetBucketQuota", "admin:ImportIAM"])
def test_one_permission_is_told_by_its_call(store: "Store", action: str) -> None:
    """The answer names the call, so that the finding says what is allowed."""
    planned = [dict(statement) for statement in store.planned_policy("reader")["Statement"]]
    store.set_user_policy("reader", [*planned, {"Sid": "One", "Effect": "Allow", "Action": [action]}])
    try:
        found = tried(store)
    finally:
        store.restore_user_policy("reader")

    call = {"ConfigUpdate": "set-config-kv", "SetBucketQuota": "set-bucket-quota", "ImportIAM": "import-iam"}
    assert found.said.startswith(f"{call[action.removeprefix('admin:')]}: ")
    assert "; " not in found.said


def test_a_role_names_no_user() -> None:
    """An identity with a role has no user of its own, so no call could make one."""
    (role,) = (one for one in deployment("worker").plan.identities if one.name == "worker")
    calls = dict(aws_calls(role))

    assert role.trust is not None
    assert "CreateUser" not in calls
    assert {parameters["UserName"] for parameters in calls.values() if "UserName" in parameters} == {"verify-none"}


def test_a_key_that_another_service_learns_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is bounded; an answer that time does not change is not waited for."""

    class Session:
        pauses = 0

        def pause(self, _: float) -> None:
            self.pauses += 1

    monkeypatch.setattr(new_keys, "PAUSES", {"InvalidClientTokenId": 5})
    unknown: Tried = Answer(code="InvalidClientTokenId")
    for script, pauses in (([unknown] * 3 + [Answer("done")], 3), ([unknown] * 99, 5), ([Answer(code="x")], 0)):
        session, answers = Session(), iter(script)
        new_keys.when_known(session, lambda: next(answers))  # type: ignore[arg-type]  # noqa: B023 - called at once

        assert session.pauses == pauses
