"""infra.identity.service_account: keys that stay, and a policy that every update sends."""

import json
import string
import traceback
from typing import Any

import pytest

from infra.admin_api import ATTEMPTS
from infra.identity.connection import IdentityError
from infra.identity.service_account import ServiceAccountProvider
from model.policy_meaning import same_meaning
from tests.infra.identity_server import Fault, IdentityServer, configured, fail_afterwards, lose_answer, refuse, reset

USER = "joelclaw-local-worker"
ADD, DELETE = "add-service-account", "delete-service-account"


def document(*actions: str) -> str:
    """A policy that allows these actions."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "arn:aws:s3:::media-raw/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


POLICY = document("s3:GetObject", "s3:PutObject")
RESPELT = document("s3:PutObject", "s3:GetObject").replace('"arn:aws:s3:::media-raw/*"', '["arn:aws:s3:::media-raw/*"]')
WIDENED = document("s3:*")


@pytest.fixture(name="provider")
def _provider() -> ServiceAccountProvider:
    return configured(ServiceAccountProvider)


@pytest.fixture(name="props")
def _props(identities: IdentityServer) -> dict[str, Any]:
    """The inputs for an existing user; outputs are inputs without a value, as the program declares them."""
    identities.iam.add_user(USER, "its-own-secret")
    return {
        "targetUser": USER,
        "policy": POLICY,
        "status": "on",
        "accessKey": None,
        "secretKey": None,
        **identities.connection,
    }


@pytest.fixture(name="made")
def _made(provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer) -> dict[str, Any]:
    """The outputs of a created account."""
    created = provider.create(props)
    identities.asked.clear()
    assert created.outs is not None
    assert created.id == created.outs["accessKey"]
    return created.outs


class TestCreate:
    """Creating an account."""

    def test_account_is_made_with_keys_of_its_own(
        self, provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The keys have the maximum length and are unique, and the account has the policy."""
        first, second = provider.create(props), provider.create(props)

        for created in (first, second):
            assert created.outs is not None
            account = identities.accounts[created.id]
            assert created.outs == {**props, "accessKey": created.id, "secretKey": account.secret_key}
            assert (account.parent, account.enabled) == (USER, True)
            assert same_meaning(json.dumps(account.policy), POLICY)
            assert len(created.id) == 20
            assert set(created.id) <= set(string.ascii_uppercase + string.digits)
            assert len(account.secret_key) == 40
        assert first.id != second.id
        assert len(identities.accounts) == 2

    def test_user_switched_off_is_said(
        self, provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The server answers that such a user does not exist; the error says that it is off and what switches it on."""
        identities.iam.set_user_status(USER, "disabled")
        with pytest.raises(
            IdentityError, match=r"cannot create a key .* is switched off.*object-store recover --stack NAME"
        ):
            provider.create(props)

        assert identities.accounts == {}

    @pytest.mark.parametrize(
        "fault",
        [fail_afterwards, lose_answer, refuse(503), reset],
        ids=["503 though made", "reset though made", "503", "reset"],
    )
    def test_one_account_is_made_whatever_answer_is_lost(
        self, provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """If an answer is lost, the next attempt finds its own account and succeeds with the same keys."""
        identities.fault(ADD, fault)
        created = provider.create(props)

        assert created.outs is not None
        assert {key: one.secret_key for key, one in identities.accounts.items()} == {
            created.id: created.outs["secretKey"]
        }

    def test_key_of_another_user_is_not_taken(
        self,
        provider: ServiceAccountProvider,
        props: dict[str, Any],
        identities: IdentityServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A key that belongs to another user is an error and stays with its owner."""
        identities.iam.add_user("another", "its-own-secret")
        identities.iam.add_service_account("another", access_key="A" * 20, secret_key="a-secret-of-its-own")
        monkeypatch.setattr("infra.identity.service_account._access_key", lambda: "A" * 20)
        with pytest.raises(IdentityError, match="is taken by another user"):
            provider.create(props)

        assert identities.accounts["A" * 20].parent == "another"

    @pytest.mark.parametrize(
        "fault",
        [fail_afterwards, lose_answer, refuse(503), reset],
        ids=["503 though made", "reset though made", "503", "reset"],
    )
    def test_unknown_outcome_is_taken_back(
        self, provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """No unknown key remains."""
        identities.fault(ADD, fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match=f"cannot create a key for user {USER}"):
            provider.create(props)

        assert identities.accounts == {}

    def test_account_that_cannot_be_looked_at_is_taken_back(
        self, provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The key is taken, and its owner is unknown."""
        identities.fault(ADD, lose_answer)
        identities.fault("info-service-account", refuse(503), times=ATTEMPTS)
        with pytest.raises(IdentityError, match=f"cannot create a key for user {USER}"):
            provider.create(props)

        assert identities.accounts == {}

    def test_refusal_for_another_reason_is_said_as_it_is(
        self, provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The server uses the code of a taken key for other errors, too; the original error is reported."""
        identities.fault(ADD, refuse(400, "XMinioIAMServiceAccountNotAllowed", "not for this user"))
        with pytest.raises(IdentityError, match="XMinioIAMServiceAccountNotAllowed: not for this user"):
            provider.create(props)

    def test_key_that_may_be_left_is_named(
        self, provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """If the removal fails, the error has the access key and the command to remove it, but not the secret key."""
        identities.fault(ADD, fail_afterwards)
        identities.fault(ADD, refuse(503), times=ATTEMPTS)
        identities.fault(DELETE, reset, times=ATTEMPTS)
        with pytest.raises(IdentityError) as caught:
            provider.create(props)

        ((access_key, account),) = identities.accounts.items()
        assert f"mc admin accesskey rm store/ {access_key}" in str(caught.value)
        assert account.secret_key not in "".join(traceback.format_exception(caught.value))

    def test_unknown_user_is_said(
        self, provider: ServiceAccountProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """Nothing was created and nothing is removed."""
        with pytest.raises(IdentityError, match="XMinioAdminNoSuchUser"):
            provider.create({**props, "targetUser": "nobody"})

        assert DELETE not in identities.commands()


class TestRead:
    """What a refresh reads."""

    def test_what_stands_is_read(self, provider: ServiceAccountProvider, made: dict[str, Any]) -> None:
        """After creation nothing differs, although the server stores the policy in its own spelling."""
        found = provider.read(made["accessKey"], made)

        assert (found.id, found.outs) == (made["accessKey"], made)

    def test_other_words_are_no_drift(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The program's text stays in the state."""
        identities.iam.update_service_account(made["accessKey"], new_policy=json.loads(RESPELT))

        assert provider.read(made["accessKey"], made).outs == made

    def test_account_that_was_switched_off_is_seen(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The live status is an output, and the next preview shows an update."""
        identities.iam.update_service_account(made["accessKey"], new_policy=json.loads(POLICY), new_status="off")
        self.drifts(provider, made, "status", "off")

    def test_policy_that_was_changed_is_seen(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The live document is in the state."""
        identities.iam.update_service_account(made["accessKey"], new_policy=json.loads(WIDENED))
        found = self.drifts(provider, made, "policy")

        assert same_meaning(found["policy"], WIDENED)

    def test_policy_that_is_inherited_is_seen(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """A manual update without the policy removed it, so it reads as empty."""
        identities.iam.update_service_account(made["accessKey"], new_status="on")
        self.drifts(provider, made, "policy", "")

    def test_account_that_was_removed_is_gone(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The account was removed alone or with its user."""
        identities.iam.delete_service_account(made["accessKey"])
        assert provider.read(made["accessKey"], made).id == ""

        again = provider.create(made)
        identities.iam.remove_user(USER)
        assert provider.read(again.id, made).id == ""

    @staticmethod
    def drifts(
        provider: ServiceAccountProvider, made: dict[str, Any], key: str, value: str | None = None
    ) -> dict[str, Any]:
        """The outputs read; only the given one differs, and an update corrects it in place."""
        found = provider.read(made["accessKey"], made).outs
        assert found is not None
        assert found == {**made, key: found[key]}
        assert found[key] != made[key]
        assert value in (None, found[key])
        difference = provider.diff(made["accessKey"], found, made)
        assert (difference.changes, difference.replaces) == (True, [])
        return found


class TestUpdate:
    """Changing an account in place."""

    @pytest.mark.parametrize(
        "change", [{"policy": WIDENED}, {"status": "off"}, {"endpoint": ""}], ids=["policy", "status", "connection"]
    )
    def test_policy_and_status_are_always_sent_and_the_keys_stay(
        self,
        provider: ServiceAccountProvider,
        made: dict[str, Any],
        identities: IdentityServer,
        change: dict[str, str],
    ) -> None:
        """An update without the policy would make the account inherit all permissions of its user."""
        news = {**made, "accessKey": None, "secretKey": None, **change, "endpoint": identities.endpoint}
        outputs = provider.update(made["accessKey"], made, news).outs

        assert outputs == {**news, "accessKey": made["accessKey"], "secretKey": made["secretKey"]}
        (asked,) = identities.asked
        assert asked.body == {"newPolicy": json.loads(news["policy"]), "newStatus": news["status"]}
        account = identities.accounts[made["accessKey"]]
        assert account.enabled is (news["status"] == "on")
        assert same_meaning(json.dumps(account.policy), news["policy"])
        assert account.secret_key == made["secretKey"]

    def test_every_drift_is_mended(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """A disabled account with an inherited policy is restored as declared, and then reads so."""
        identities.iam.update_service_account(made["accessKey"], new_status="off")
        drifted = provider.read(made["accessKey"], made).outs
        assert drifted is not None
        outputs = provider.update(made["accessKey"], drifted, made).outs

        assert outputs == made
        assert provider.read(made["accessKey"], made).outs == made

    def test_account_that_is_gone_is_an_error(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """An update cannot recreate it with the same keys; a refresh reports it as gone."""
        identities.iam.delete_service_account(made["accessKey"])
        with pytest.raises(IdentityError, match=f"cannot change key {made['accessKey']}"):
            provider.update(made["accessKey"], made, made)


class TestDiff:
    """Which differences are changes."""

    def test_another_user_replaces(self, provider: ServiceAccountProvider, made: dict[str, Any]) -> None:
        """An account cannot move to another user."""
        difference = provider.diff(made["accessKey"], made, {**made, "targetUser": "another"})

        assert (difference.changes, difference.replaces) == (True, ["targetUser"])

    @pytest.mark.parametrize("change", [{"policy": RESPELT}, {"accessKey": None, "secretKey": None}])
    def test_other_words_and_outputs_are_none(
        self, provider: ServiceAccountProvider, made: dict[str, Any], change: dict[str, Any]
    ) -> None:
        """The keys are outputs, so missing inputs for them are not a change."""
        assert not provider.diff(made["accessKey"], made, {**made, **change}).changes


class TestDelete:
    """Removing an account."""

    def test_account_is_removed_once_and_again(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """An account that is missing, with its user or alone, is not an error."""
        provider.delete(made["accessKey"], made)
        provider.delete(made["accessKey"], made)

        assert identities.accounts == {}
        assert list(identities.users) == [USER]

    @pytest.mark.parametrize(
        "fault", [refuse(500), refuse(400, "XMinioInvalidIAMCredentials"), reset], ids=["500", "400", "reset"]
    )
    def test_failure_is_no_removal(
        self, provider: ServiceAccountProvider, made: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """A failure raises an error."""
        identities.fault(DELETE, fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match="cannot remove key"):
            provider.delete(made["accessKey"], made)

        assert list(identities.accounts) == [made["accessKey"]]
