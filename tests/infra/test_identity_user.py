"""infra.identity.user: created, read, enabled or disabled, and removed; and the common part of all four providers."""

import base64
import pickle
import traceback
from typing import Any

import pytest
from pulumi import dynamic
from pulumi.dynamic.config import Config
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime._serialization import _serialize

from infra.admin_api import ATTEMPTS
from infra.identity.attachment import AttachmentProvider
from infra.identity.connection import CONNECTION, IdentityError, IdentityProvider
from infra.identity.policy import PolicyProvider
from infra.identity.service_account import ServiceAccountProvider
from infra.identity.user import UserProvider
from model.problems import InvalidInputError
from tests.infra.identity_server import (
    ADMIN,
    PASSWORD,
    Fault,
    IdentityServer,
    configured,
    fail_afterwards,
    html,
    lose_answer,
    refuse,
    reset,
)

NAME = "joelclaw-local-worker"
ITS_OWN = "its-own-secret"
PICKLED: dict[type[IdentityProvider], str] = {
    UserProvider: "gASVKwAAAAAAAACME2luZnJhLmlkZW50aXR5LnVzZXKUjAxVc2VyUHJvdmlkZXKUk5QpgZQu",
    PolicyProvider: "gASVLwAAAAAAAACMFWluZnJhLmlkZW50aXR5LnBvbGljeZSMDlBvbGljeVByb3ZpZGVylJOUKYGULg==",
    AttachmentProvider: ("gASVNwAAAAAAAACMGWluZnJhLmlkZW50aXR5LmF0dGFjaG1lbnSUjBJBdHRhY2htZW50UHJvdmlkZXKUk5QpgZQu"),
    ServiceAccountProvider: (
        "gASVQAAAAAAAAACMHmluZnJhLmlkZW50aXR5LnNlcnZpY2VfYWNjb3VudJSMFlNlcnZpY2VBY2NvdW50UHJvdmlkZXKUk5QpgZQu"
    ),
}


@pytest.fixture(name="provider")
def _provider() -> UserProvider:
    return configured(UserProvider)


@pytest.fixture(name="props")
def _props(identities: IdentityServer) -> dict[str, Any]:
    return {"name": NAME, "status": "enabled", **identities.connection}


@pytest.fixture(name="made")
def _made(provider: UserProvider, props: dict[str, Any], identities: IdentityServer) -> dict[str, Any]:
    """The outputs of a created user."""
    outputs = provider.create(props).outs
    identities.asked.clear()
    assert outputs is not None
    return outputs


class TestCreate:
    """Creating a user."""

    def test_user_is_made_with_a_long_secret_of_its_own(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The id is the name; the secret key is the server's, has the maximum length and is unique."""
        first, second = provider.create(props), provider.create({**props, "name": "another"})

        assert first.id == NAME
        assert first.outs == {**props, "secret": identities.users[NAME].secret_key}
        assert len(first.outs["secret"]) == 40
        assert second.outs is not None
        assert first.outs["secret"] != second.outs["secret"]

    def test_user_that_exists_is_refused_and_keeps_its_secret(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """Adding it would silently change the secret key; the error says how to adopt the user."""
        identities.iam.add_user(NAME, ITS_OWN)
        refusal = r"user joelclaw-local-worker already exists .*object-store preflight --stack"
        with pytest.raises(IdentityError, match=refusal):
            provider.create(props)

        assert identities.users[NAME].secret_key == ITS_OWN

    @pytest.mark.parametrize("fault", [fail_afterwards, lose_answer], ids=["503", "reset"])
    def test_user_that_was_made_unheard_has_the_secret_that_is_kept(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """One lost answer is not a failure."""
        identities.fault("add-user", fault)
        outputs = provider.create(props).outs

        assert outputs is not None
        assert outputs["secret"] == identities.users[NAME].secret_key

    @pytest.mark.parametrize(
        "fault", [fail_afterwards, lose_answer, refuse(503)], ids=["503 though made", "reset", "503"]
    )
    def test_unknown_outcome_is_taken_back(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """A user that may exist is removed, so that the next update can create it."""
        identities.fault("add-user", fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match="cannot create user joelclaw-local-worker"):
            provider.create(props)

        assert identities.users == {}
        provider.create(props)

    def test_refusal_removes_nothing(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """A refused user does not exist, or belongs to another owner."""
        identities.fault("add-user", refuse(403, "AccessDenied"))
        with pytest.raises(IdentityError, match="AccessDenied"):
            provider.create(props)

        assert "remove-user" not in identities.commands()


class TestRead:
    """What a refresh reads."""

    def test_what_stands_is_read(self, provider: UserProvider, made: dict[str, Any]) -> None:
        """After creation nothing differs, and the secret key is kept."""
        found = provider.read(NAME, made)

        assert (found.id, found.outs) == (NAME, made)

    def test_user_that_was_switched_off_is_seen(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The live status is an output, and the next preview shows an update."""
        identities.iam.set_user_status(NAME, "disabled")
        found = provider.read(NAME, made).outs

        assert found is not None
        assert found["status"] == "disabled"
        difference = provider.diff(NAME, found, {**made, "status": "enabled"})
        assert (difference.changes, difference.replaces) == (True, [])

    def test_user_that_was_removed_is_gone(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """Without an id the engine removes it from the state, and the next update creates it."""
        identities.iam.remove_user(NAME)

        assert provider.read(NAME, made).id == ""


class TestUpdate:
    """Changing a user in place."""

    @pytest.mark.parametrize("status", ["enabled", "disabled"])
    def test_status_is_set_and_the_secret_kept(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer, status: str
    ) -> None:
        """The update uses the one command that does not change the secret key."""
        news = {key: value for key, value in made.items() if key != "secret"} | {"status": status}
        outputs = provider.update(NAME, made, news).outs

        assert outputs == {**made, "status": status}
        assert identities.users[NAME].enabled is (status == "enabled")
        assert identities.users[NAME].secret_key == made["secret"]
        assert identities.commands() == ["set-user-status"]

    def test_another_name_replaces(self, provider: UserProvider, made: dict[str, Any]) -> None:
        """A user cannot be renamed."""
        difference = provider.diff(NAME, made, {**made, "name": "another"})

        assert (difference.changes, difference.replaces) == (True, ["name"])


class TestDelete:
    """Removing a user."""

    def test_user_is_removed_once_and_again(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """A missing user is not an error."""
        provider.delete(NAME, made)
        provider.delete(NAME, made)

        assert identities.users == {}

    @pytest.mark.parametrize(
        "fault", [refuse(500), refuse(403, "AccessDenied"), html(404), reset], ids=["500", "403", "page", "reset"]
    )
    def test_failure_is_no_removal(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """A failure raises an error, and the user stays in the state."""
        identities.fault("remove-user", fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match="cannot remove user joelclaw-local-worker"):
            provider.delete(NAME, made)

        assert list(identities.users) == [NAME]


@pytest.mark.parametrize("kind", PICKLED)
class TestEveryProvider:
    """What holds for all four providers."""

    props: dict[str, Any] = {  # noqa: RUF012 - read only
        "name": NAME,
        "userName": NAME,
        "policyName": NAME,
        "targetUser": NAME,
        "status": "enabled",
        "policy": "{}",
    }

    @pytest.mark.parametrize(
        "fault",
        [refuse(500), refuse(503), refuse(403, "AccessDenied"), refuse(403, "RequestTimeTooSkewed"), html(404), reset],
        ids=["500", "503", "403", "clock", "page", "reset"],
    )
    def test_error_is_not_taken_for_gone(
        self, kind: type[IdentityProvider], identities: IdentityServer, fault: Fault
    ) -> None:
        """Only the server's own answer removes a resource from the state."""
        for command in ("user-info", "info-canned-policy", "info-service-account"):
            identities.fault(command, fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match=r"cannot read (user|policy|key|the policies of user) "):
            configured(kind).read(NAME, {**self.props, **identities.connection})

    def test_wrong_password_is_said_and_not_told(
        self, kind: type[IdentityProvider], identities: IdentityServer
    ) -> None:
        """A refresh with a wrong password raises an error that says what to check, without the password."""
        provider = configured(kind, "another-password")
        with pytest.raises(IdentityError, match="object-store:adminUser, adminPassword") as caught:
            provider.read(NAME, {**self.props, **identities.connection})

        assert "another-password" not in "".join(traceback.format_exception(caught.value))
        assert len(identities.asked) == 1

    def test_serialised_form_is_a_reference_to_the_class(self, kind: type[IdentityProvider]) -> None:
        """It has no field, path or secret, so it is the same on every machine and needs no encryption."""
        form, is_secret = _serialize(True, serialize_provider, kind())  # noqa: FBT003 - pulumi.dynamic calls it so

        assert (form, is_secret) == (PICKLED[kind], False)
        assert type(pickle.loads(base64.b64decode(form))) is kind  # noqa: S301 - made above
        assert kind.serialize_as_secret_always is False

    def test_another_way_to_the_server_is_an_update(self, kind: type[IdentityProvider]) -> None:
        """Endpoint, region and CA are updated in place, because the resource is the same."""
        olds = {**self.props, "endpoint": "https://a", "region": "us-west-2", "caPem": ""}
        assert set(CONNECTION) == {"endpoint", "region", "caPem"}
        assert not kind().diff(NAME, olds, dict(olds)).changes
        for name in CONNECTION:
            difference = kind().diff(NAME, olds, {**olds, name: "another"})
            assert (difference.changes, difference.replaces) == (True, [])

    def test_keys_come_from_the_environment_where_the_config_has_none(
        self, kind: type[IdentityProvider], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The provider reads the plugin's variables; without any it says what to set."""
        monkeypatch.setenv("AISTOR_ROOT_USER", ADMIN)
        monkeypatch.setenv("AISTOR_ROOT_PASSWORD", PASSWORD)
        provider = kind()
        provider.configure(dynamic.ConfigureRequest(Config({}, "object-store")))
        assert (provider._user, provider._password) == (ADMIN, PASSWORD)

        monkeypatch.delenv("AISTOR_ROOT_PASSWORD")
        with pytest.raises(InvalidInputError, match="no admin credentials"):
            kind().configure(dynamic.ConfigureRequest(Config({}, "object-store")))
