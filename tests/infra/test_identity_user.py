"""infra.identity.user: made, read, switched and removed; and what all four providers have in common."""

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
    """The outputs of a user that was made."""
    outputs = provider.create(props).outs
    identities.asked.clear()
    assert outputs is not None
    return outputs


class TestCreate:
    """Making one."""

    def test_user_is_made_with_a_long_secret_of_its_own(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The id is the name, the secret what the server has, as long as it may be, and no other user's."""
        first, second = provider.create(props), provider.create({**props, "name": "another"})

        assert first.id == NAME
        assert first.outs == {**props, "secret": identities.users[NAME].secret_key}
        assert len(first.outs["secret"]) == 40
        assert second.outs is not None
        assert first.outs["secret"] != second.outs["secret"]

    def test_user_that_exists_is_refused_and_keeps_its_secret(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """Adding it would change the secret without a word; the way to take it over is said."""
        identities.iam.add_user(NAME, ITS_OWN)
        with pytest.raises(IdentityError, match=r"user joelclaw-local-worker exists .*object-store adopt --stack"):
            provider.create(props)

        assert identities.users[NAME].secret_key == ITS_OWN

    @pytest.mark.parametrize("fault", [fail_afterwards, lose_answer], ids=["503", "reset"])
    def test_user_that_was_made_unheard_has_the_secret_that_is_kept(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """One answer that is lost is no failure."""
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
        """What may be there is removed, so that the next update can make it."""
        identities.fault("add-user", fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match="user joelclaw-local-worker could not be made"):
            provider.create(props)

        assert identities.users == {}
        provider.create(props)

    def test_refusal_removes_nothing(
        self, provider: UserProvider, props: dict[str, Any], identities: IdentityServer
    ) -> None:
        """A user that was refused is not there, or is somebody else's."""
        identities.fault("add-user", refuse(403, "AccessDenied"))
        with pytest.raises(IdentityError, match="AccessDenied"):
            provider.create(props)

        assert "remove-user" not in identities.commands()


class TestRead:
    """What a refresh finds."""

    def test_what_stands_is_read(self, provider: UserProvider, made: dict[str, Any]) -> None:
        """Nothing is different after it was made, the secret is kept."""
        found = provider.read(NAME, made)

        assert (found.id, found.outs) == (NAME, made)

    def test_user_that_was_switched_off_is_seen(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The live status is an output, and the next preview an update."""
        identities.iam.set_user_status(NAME, "disabled")
        found = provider.read(NAME, made).outs

        assert found is not None
        assert found["status"] == "disabled"
        difference = provider.diff(NAME, found, {**made, "status": "enabled"})
        assert (difference.changes, difference.replaces) == (True, [])

    def test_user_that_was_removed_is_gone(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """Without an id the engine takes it out of the state, and the next update makes it."""
        identities.iam.remove_user(NAME)

        assert provider.read(NAME, made).id == ""


class TestUpdate:
    """Changing one in place."""

    @pytest.mark.parametrize("status", ["enabled", "disabled"])
    def test_status_is_set_and_the_secret_kept(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer, status: str
    ) -> None:
        """By the one command that does not touch the secret."""
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
    """Removing one."""

    def test_user_is_removed_once_and_again(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """What is gone is no error."""
        provider.delete(NAME, made)
        provider.delete(NAME, made)

        assert identities.users == {}

    @pytest.mark.parametrize(
        "fault", [refuse(500), refuse(403, "AccessDenied"), html(404), reset], ids=["500", "403", "page", "reset"]
    )
    def test_failure_is_no_removal(
        self, provider: UserProvider, made: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """An error stays one, and the user stays in the state."""
        identities.fault("remove-user", fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match="user joelclaw-local-worker could not be removed"):
            provider.delete(NAME, made)

        assert list(identities.users) == [NAME]


@pytest.mark.parametrize("kind", PICKLED)
class TestEveryProvider:
    """What holds for all four."""

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
        """Only the server's own word takes a thing out of the state."""
        for command in ("user-info", "info-canned-policy", "info-service-account"):
            identities.fault(command, fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match="could not be read"):
            configured(kind).read(NAME, {**self.props, **identities.connection})

    def test_wrong_password_is_said_and_not_told(
        self, kind: type[IdentityProvider], identities: IdentityServer
    ) -> None:
        """A refresh with it raises, with what to look at and without the password."""
        provider = configured(kind, "another-password")
        with pytest.raises(IdentityError, match="object-store:adminUser, adminPassword") as caught:
            provider.read(NAME, {**self.props, **identities.connection})

        assert "another-password" not in "".join(traceback.format_exception(caught.value))
        assert len(identities.asked) == 1

    def test_serialised_form_is_a_reference_to_the_class(self, kind: type[IdentityProvider]) -> None:
        """No field, no path, no secret: the same on every machine, and no secret of the engine's."""
        form, is_secret = _serialize(True, serialize_provider, kind())  # noqa: FBT003 - as pulumi.dynamic calls it

        assert (form, is_secret) == (PICKLED[kind], False)
        assert type(pickle.loads(base64.b64decode(form))) is kind  # noqa: S301 - made above
        assert kind.serialize_as_secret_always is False

    def test_another_way_to_the_server_is_an_update(self, kind: type[IdentityProvider]) -> None:
        """Endpoint, region and CA are set in place: the thing is the same."""
        olds = {**self.props, "endpoint": "https://a", "region": "us-west-2", "caPem": ""}
        assert set(CONNECTION) == {"endpoint", "region", "caPem"}
        assert not kind().diff(NAME, olds, dict(olds)).changes
        for name in CONNECTION:
            difference = kind().diff(NAME, olds, {**olds, name: "another"})
            assert (difference.changes, difference.replaces) == (True, [])

    def test_keys_come_from_the_environment_where_the_config_has_none(
        self, kind: type[IdentityProvider], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As the plugin's do; and without any the provider says what to set."""
        monkeypatch.setenv("AISTOR_ROOT_USER", ADMIN)
        monkeypatch.setenv("AISTOR_ROOT_PASSWORD", PASSWORD)
        provider = kind()
        provider.configure(dynamic.ConfigureRequest(Config({}, "object-store")))
        assert (provider._user, provider._password) == (ADMIN, PASSWORD)

        monkeypatch.delenv("AISTOR_ROOT_PASSWORD")
        with pytest.raises(InvalidInputError, match="no admin credentials"):
            kind().configure(dynamic.ConfigureRequest(Config({}, "object-store")))
