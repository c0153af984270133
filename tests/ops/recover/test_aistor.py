"""ops.recover.aistor: what the admin API says of identities."""

from typing import Any, cast

import pytest

from infra.admin_api import AdminApi, CannotShowError, CredentialsRefusedError, NotFoundError
from model.resources import About, By
from ops.recover.aistor import live_identities
from ops.recover.lost import CannotTellError, Live, held_in
from tests.ops.recover.states import NAMES, exported, key_id, one_of


class Server:
    """The admin API of a server with the users, policies and accounts of the tests' states."""

    def __init__(self, by: By) -> None:
        """Everything is there."""
        self.users: dict[str, dict[str, Any]] = {
            f"u-{name}": {"status": "enabled", "policyName": f"other,u-{name}"} for name in NAMES
        }
        self.policies: dict[str, dict[str, Any]] = {
            f"u-{name}": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]} for name in NAMES
        }
        self.accounts: dict[str, dict[str, Any]] = {
            key_id(by, name): {"parentUser": f"u-{name}", "accountStatus": "on"} for name in NAMES
        }
        self.asked: list[str] = []

    def user(self, name: str) -> dict[str, Any]:
        """A user."""
        return self._found(self.users, name)

    def policy(self, name: str) -> dict[str, Any]:
        """A policy."""
        return self._found(self.policies, name)

    def service_account(self, access_key: str) -> dict[str, Any]:
        """A service account."""
        return self._found(self.accounts, access_key)

    def _found(self, where: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
        self.asked.append(name)
        if name not in where:
            raise NotFoundError("info", "XMinioAdminNoSuchUser", "none")
        return where[name]


def changed(by: By, server: Server) -> dict[tuple[About, str], Live]:
    """What the server says is not there, by what it is and whose."""
    found = live_identities(cast("AdminApi", server), held_in(exported(by)))
    return {(one.what, one.subject): live for one, live in found.items() if live is not Live.THERE}


both = pytest.mark.parametrize("by", ["v3", "v4"])


@both
def test_what_is_there_is_there(by: By) -> None:
    """Nothing of a whole server is gone or off."""
    assert changed(by, Server(by)) == {}


@both
def test_missing_user_has_no_attachment_and_no_key(by: By) -> None:
    """A missing user's attachment is gone, and its key needs no question."""
    server = Server(by)
    del server.users["u-worker"]

    assert changed(by, server) == {(what, "worker"): Live.GONE for what in (About.USER, About.ATTACHMENT, About.KEY)}
    assert key_id(by, "worker") not in server.asked


@both
def test_each_single_loss_is_seen(by: By) -> None:
    """A missing policy, attachment and key, each by itself."""
    server = Server(by)
    del server.policies["u-worker"]
    server.users["u-reader"] = {"status": "enabled", "policyName": "u-reader-2"}
    del server.accounts[key_id(by, "worker")]

    assert changed(by, server) == {
        (About.POLICY, "worker"): Live.GONE,
        (About.ATTACHMENT, "reader"): Live.GONE,
        (About.KEY, "worker"): Live.GONE,
    }


@both
def test_what_is_switched_off_is_off(by: By) -> None:
    """A disabled user and a disabled account are off, not gone."""
    server = Server(by)
    server.users["u-worker"]["status"] = "disabled"
    server.accounts[key_id(by, "reader")]["accountStatus"] = "off"

    assert changed(by, server) == {(About.USER, "worker"): Live.OFF, (About.KEY, "reader"): Live.OFF}


@both
def test_policy_that_the_server_cannot_show_is_there(by: By) -> None:
    """It stays in the state, and the question about everything else goes on."""

    class Hiding(Server):
        def policy(self, name: str) -> dict[str, Any]:
            if name == "u-worker":
                raise CannotShowError("info-canned-policy", "InternalError", "empty actions not allowed")
            return super().policy(name)

    assert changed(by, Hiding(by)) == {}


def test_refusal_is_never_gone() -> None:
    """An admin that may not ask does not know whether a user exists."""

    class Refusing(Server):
        def user(self, name: str) -> dict[str, Any]:
            raise CredentialsRefusedError("user-info", "AccessDenied", name)

    with pytest.raises(CannotTellError, match="cannot tell whether user u-reader is there: user-info: AccessDenied"):
        changed("v3", Refusing("v3"))


@both
@pytest.mark.parametrize(
    ("where", "answer", "said"),
    [
        ("users", {}, "user u-worker .* no status"),
        ("users", {"status": "paused"}, "user u-worker .* status 'paused', not enabled or disabled"),
        ("policies", {}, "policy u-worker .* no Statement"),
        ("accounts", {"parentUser": "u-worker"}, "of user u-worker .* no accountStatus"),
        ("accounts", {"parentUser": "u-worker", "accountStatus": "?"}, "accountStatus '\\?', not on or off"),
        ("accounts", {"parentUser": "other", "accountStatus": "on"}, "it is a key of user other"),
        ("accounts", {"accountStatus": "on"}, "no parentUser"),
    ],
)
def test_answer_without_what_decides_is_unknown(by: By, where: str, answer: dict[str, Any], said: str) -> None:
    """A proxy's empty answer, or another version's words, mean neither there nor off."""
    server = Server(by)
    getattr(server, where)[key_id(by, "worker") if where == "accounts" else "u-worker"] = answer

    with pytest.raises(CannotTellError, match=f"^cannot tell whether .*{said}"):
        changed(by, server)


@both
def test_key_of_a_user_that_the_state_has_no_more(by: By) -> None:
    """After a half-failed refresh the state has a key whose user it dropped: the key is gone with the user."""
    server = Server(by)
    del server.users["u-worker"]
    state = exported(by)
    user = one_of(state, About.USER, "worker")
    del state["deployment"]["resources"][user.place]

    found = live_identities(cast("AdminApi", server), held_in(state))

    assert found[one_of(state, About.KEY, "worker")] is Live.GONE
