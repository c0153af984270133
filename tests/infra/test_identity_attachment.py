"""infra.identity.attachment: one policy of one user, and none of the user's other policies."""

import json
from typing import Any

import pytest

from infra.admin_api import ATTEMPTS
from infra.identity.attachment import AttachmentProvider
from infra.identity.connection import IdentityError
from infra.identity.policy import PolicyProvider
from infra.identity.user import UserProvider
from tests.infra.identity_server import Fault, IdentityServer, configured, fail_afterwards, lose_answer, refuse

USER, POLICY, OTHER = "joelclaw-local-worker", "joelclaw-local-worker", "joelclaw-local-worker-too"
ID = f"{USER}/{POLICY}"
DOCUMENT: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::a/*"]}],
}


@pytest.fixture(name="provider")
def _provider() -> AttachmentProvider:
    return configured(AttachmentProvider)


@pytest.fixture(name="props")
def _props(identities: IdentityServer) -> dict[str, Any]:
    """The inputs for an existing user and policy; the user already has another policy."""
    identities.iam.add_user(USER, "its-own-secret")
    for name in (POLICY, OTHER):
        identities.iam.add_canned_policy(name, json.loads(json.dumps(DOCUMENT)))
    identities.iam.attach_policy(USER, [OTHER])
    return {"userName": USER, "policyName": POLICY, **identities.connection}


def attached(identities: IdentityServer) -> set[str]:
    """The user's policies."""
    return set(identities.users[USER].policies)


class TestCreate:
    """Attaching."""

    def test_policy_is_added_to_those_of_the_user(
        self, provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The user's other policies stay."""
        created = provider.create(props)

        assert (created.id, created.outs) == (ID, props)
        assert attached(identities) == {POLICY, OTHER}

    def test_what_is_attached_is_as_it_should_be(
        self, provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """An existing attachment is accepted."""
        provider.create(props)

        assert provider.create(props).id == ID
        assert attached(identities) == {POLICY, OTHER}

    @pytest.mark.parametrize(
        "fault", [fail_afterwards, lose_answer, refuse(503)], ids=["503 though made", "reset", "503"]
    )
    def test_lost_answer_is_success(
        self, provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """The next attempt finds the policy attached, or attaches it."""
        identities.fault("idp/builtin/policy/attach", fault)

        assert provider.create(props).id == ID
        assert attached(identities) == {POLICY, OTHER}

    @pytest.mark.parametrize(("key", "code"), [("userName", "NoSuchUser"), ("policyName", "NoSuchPolicy")])
    def test_what_is_not_there_is_said(
        self, provider: AttachmentProvider, props: dict[str, Any], key: str, code: str
    ) -> None:
        """A missing user or policy is an error."""
        with pytest.raises(IdentityError, match=rf"cannot attach policy .* to user .*XMinioAdmin{code}"):
            provider.create({**props, key: "nobody"})


class TestRead:
    """What a refresh reads."""

    def test_what_is_attached_is_read(self, provider: AttachmentProvider, props: dict[str, Any]) -> None:
        """The policy is found among others."""
        provider.create(props)
        found = provider.read(ID, props)

        assert (found.id, found.outs) == (ID, props)

    def test_policy_that_was_taken_away_is_gone(
        self, provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """Another policy whose name starts with the same letters does not count."""
        provider.create(props)
        identities.iam.detach_policy(USER, [POLICY])

        assert provider.read(ID, props).id == ""
        assert attached(identities) == {OTHER}

    def test_user_without_any_policy_or_none_at_all_is_gone(
        self, provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The attachment is gone, and the next update attaches it."""
        identities.iam.detach_policy(USER, [OTHER])
        assert provider.read(ID, props).id == ""

        identities.iam.remove_user(USER)
        assert provider.read(ID, props).id == ""


def test_update_makes_sure(provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer) -> None:
    """An update with a new connection ensures the attachment."""
    for _ in range(2):
        assert provider.update(ID, {}, props).outs == props
        assert attached(identities) == {POLICY, OTHER}


@pytest.mark.parametrize("key", ["userName", "policyName"])
def test_another_user_or_policy_replaces(provider: AttachmentProvider, props: dict[str, Any], key: str) -> None:
    """Another user or policy makes it another attachment."""
    difference = provider.diff(ID, props, {**props, key: "another"})

    assert (difference.changes, difference.replaces) == (True, [key])


def test_user_switched_off_is_said(
    provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer
) -> None:
    """The server answers that such a user does not exist; the error says that it is off and what switches it on."""
    identities.iam.set_user_status(USER, "disabled")
    with pytest.raises(
        IdentityError, match=r"cannot attach policy .* is switched off.*object-store recover --stack NAME"
    ):
        provider.create(props)

    assert attached(identities) == {OTHER}


def test_removed_identity_goes_although_its_user_is_switched_off(
    provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer
) -> None:
    """The server detaches nothing from such a user; in the order of deletion the user goes next, then the policy."""
    provider.create(props)
    identities.iam.set_user_status(USER, "disabled")

    provider.delete(ID, props)
    with pytest.raises(IdentityError, match="or to one that is switched off"):
        configured(PolicyProvider).delete(POLICY, {"name": POLICY, **identities.connection})
    configured(UserProvider).delete(USER, {"name": USER, **identities.connection})
    configured(PolicyProvider).delete(POLICY, {"name": POLICY, **identities.connection})

    assert USER not in identities.iam.list_users()
    assert POLICY not in identities.iam.list_canned_policies()


class TestDelete:
    """Detaching."""

    def test_policy_alone_is_taken_once_and_again(
        self, provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The user's other policies stay; detaching twice is not an error."""
        provider.create(props)
        provider.delete(ID, props)
        provider.delete(ID, props)

        assert attached(identities) == {OTHER}

    @pytest.mark.parametrize("what", ["user", "policy"])
    def test_user_or_policy_that_is_gone_is_no_error(
        self, provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer, what: str
    ) -> None:
        """With a missing user or policy nothing is left to detach."""
        if what == "user":
            identities.iam.remove_user(USER)
        else:
            identities.iam.remove_canned_policy(POLICY)

        provider.delete(ID, props)

    def test_failure_is_no_detachment(
        self, provider: AttachmentProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """A failure raises an error."""
        provider.create(props)
        identities.fault("idp/builtin/policy/detach", refuse(500), times=ATTEMPTS)
        with pytest.raises(IdentityError, match=r"cannot detach policy .* from user"):
            provider.delete(ID, props)

        assert attached(identities) == {POLICY, OTHER}
