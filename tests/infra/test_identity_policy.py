"""infra.identity.policy: documents are compared by meaning."""

import json
from typing import Any

import pytest

from infra.admin_api import ATTEMPTS
from infra.identity.connection import IdentityError
from infra.identity.policy import PolicyProvider
from model.policy_meaning import same_meaning
from tests.infra.identity_server import Fault, IdentityServer, configured, fail_afterwards, lose_answer, refuse, reset

NAME = "joelclaw-local-worker"
STATEMENT = {
    "Sid": "Bound",
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:PutObject"],
    "Resource": "arn:aws:s3:::media-raw/*",
    "Condition": {"StringLike": {"s3:prefix": "a/*"}},
}


def document(**changes: object) -> str:
    """A document; the arguments change its one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{**STATEMENT, **changes}]})


#: The same document in another spelling.
RESPELT = [
    document(Action=["s3:PutObject", "s3:GetObject"]),
    document(Resource=["arn:aws:s3:::media-raw/*"]),
    document(Condition={"StringLike": {"s3:prefix": ["a/*"]}}),
    json.dumps(json.loads(document()), indent=4, sort_keys=True),
]
WORDS = ["order of actions", "resource as list", "condition as list", "layout"]
#: Something else.
WIDENED = [
    document(Action=["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
    document(Resource="arn:aws:s3:::*"),
    document(Condition={}),
    document(Condition={"StringLike": {"s3:prefix": ["a/*", "b/*"]}}),
]
WIDER = ["action", "resource", "no condition", "value"]


@pytest.fixture(name="provider")
def _provider() -> PolicyProvider:
    return configured(PolicyProvider)


@pytest.fixture(name="props")
def _props(identities: IdentityServer) -> dict[str, Any]:
    return {"name": NAME, "policy": document(), **identities.connection}


@pytest.fixture(name="made")
def _made(provider: PolicyProvider, props: dict[str, Any], identities: IdentityServer) -> dict[str, Any]:
    """The outputs of a created policy."""
    created = provider.create(props)
    identities.asked.clear()
    assert (created.id, created.outs) == (NAME, props)
    return props


def is_live(identities: IdentityServer, text: str) -> bool:
    """Whether the server has this document, which it stores in its own spelling."""
    return same_meaning(json.dumps(identities.policies[NAME]), text)


class TestCreate:
    """Creating a policy."""

    def test_document_is_on_the_server(self, made: dict[str, Any], identities: IdentityServer) -> None:
        """The server has the given document."""
        assert is_live(identities, made["policy"])

    @pytest.mark.parametrize("text", WIDENED, ids=WIDER)
    def test_policy_of_another_document_is_refused(
        self, provider: PolicyProvider, props: dict[str, Any], identities: IdentityServer, text: str
    ) -> None:
        """An existing policy of another owner stays unchanged."""
        identities.iam.add_canned_policy(NAME, json.loads(text))
        with pytest.raises(IdentityError, match=r"exists with another document .*object-store preflight --stack NAME"):
            provider.create(props)

        assert is_live(identities, text)

    @pytest.mark.parametrize("text", [document(), *RESPELT], ids=["as it is", *WORDS])
    def test_policy_of_the_same_meaning_is_taken(
        self, provider: PolicyProvider, props: dict[str, Any], identities: IdentityServer, text: str
    ) -> None:
        """An update that was interrupted after the creation can be repeated."""
        identities.iam.add_canned_policy(NAME, json.loads(text))

        assert provider.create(props).id == NAME

    @pytest.mark.parametrize(
        "fault",
        [fail_afterwards, lose_answer, refuse(503), reset],
        ids=["503 though made", "reset though made", "503", "reset"],
    )
    def test_failure_can_be_done_again(
        self, provider: PolicyProvider, props: dict[str, Any], identities: IdentityServer, fault: Fault
    ) -> None:
        """A failed creation can be repeated, whether or not the policy was created."""
        identities.fault("add-canned-policy", fault, times=ATTEMPTS)
        with pytest.raises(IdentityError, match="cannot create policy joelclaw-local-worker"):
            provider.create(props)

        assert provider.create(props).id == NAME


class TestRead:
    """What a refresh reads."""

    @pytest.mark.parametrize("text", [document(), *RESPELT], ids=["as it is", *WORDS])
    def test_same_meaning_is_no_drift(
        self, provider: PolicyProvider, made: dict[str, Any], identities: IdentityServer, text: str
    ) -> None:
        """The program's text stays in the state."""
        identities.iam.add_canned_policy(NAME, json.loads(text))
        found = provider.read(NAME, made)

        assert (found.id, found.outs) == (NAME, made)

    @pytest.mark.parametrize("text", WIDENED, ids=WIDER)
    def test_widened_policy_is_seen(
        self, provider: PolicyProvider, made: dict[str, Any], identities: IdentityServer, text: str
    ) -> None:
        """The live document is in the state, and the next preview shows an update."""
        identities.iam.add_canned_policy(NAME, json.loads(text))
        found = provider.read(NAME, made).outs

        assert found is not None
        assert same_meaning(found["policy"], text)
        difference = provider.diff(NAME, found, made)
        assert (difference.changes, difference.replaces) == (True, [])

    def test_policy_that_the_server_cannot_show_is_replaced(
        self, provider: PolicyProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """MinIO applies a document with NotAction and fails to show it; the next update writes the planned one."""
        hidden = {"Effect": "Allow", "NotAction": ["s3:GetObject"], "Resource": ["arn:aws:s3:::media-raw/*"]}
        identities.iam.add_canned_policy(NAME, {"Version": "2012-10-17", "Statement": [hidden]})

        found = provider.read(NAME, made).outs
        assert found is not None
        assert provider.diff(NAME, found, made).changes
        provider.update(NAME, found, made)

        assert is_live(identities, made["policy"])

    def test_policy_that_was_removed_is_gone(
        self, provider: PolicyProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The next update creates it."""
        identities.iam.remove_canned_policy(NAME)

        assert provider.read(NAME, made).id == ""

    def test_import_reads_the_live_document(
        self, provider: PolicyProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """An import reads the document although the state has none yet."""
        found = provider.read(NAME, identities.connection).outs

        assert found is not None
        assert found["name"] == NAME
        assert same_meaning(found["policy"], made["policy"])


class TestDiff:
    """Which differences are changes."""

    @pytest.mark.parametrize("text", RESPELT, ids=WORDS)
    def test_other_words_are_none(self, provider: PolicyProvider, text: str) -> None:
        """Order, lists of one and white space are not changes."""
        olds = {"name": NAME, "policy": document()}

        assert not provider.diff(NAME, olds, {**olds, "policy": text}).changes

    @pytest.mark.parametrize("text", WIDENED, ids=WIDER)
    def test_another_meaning_is_an_update(self, provider: PolicyProvider, text: str) -> None:
        """The update is in place, because a policy in use cannot be removed."""
        olds = {"name": NAME, "policy": document()}
        difference = provider.diff(NAME, olds, {**olds, "policy": text})

        assert (difference.changes, difference.replaces) == (True, [])

    def test_another_name_replaces(self, provider: PolicyProvider) -> None:
        """A policy cannot be renamed."""
        olds = {"name": NAME, "policy": document()}

        assert provider.diff(NAME, olds, {**olds, "name": "another"}).replaces == ["name"]


def test_update_replaces_the_document(
    provider: PolicyProvider, made: dict[str, Any], identities: IdentityServer
) -> None:
    """One command replaces the document completely."""
    news = {**made, "policy": document(Action=["s3:GetObject"])}

    assert provider.update(NAME, made, news).outs == news
    assert is_live(identities, news["policy"])
    assert identities.commands() == ["add-canned-policy"]


class TestDelete:
    """Removing a policy."""

    def test_policy_is_removed_once_and_again(
        self, provider: PolicyProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """A missing policy is not an error."""
        provider.delete(NAME, made)
        provider.delete(NAME, made)

        assert NAME not in identities.policies

    def test_policy_that_somebody_has_is_not_removed(
        self, provider: PolicyProvider, made: dict[str, Any], identities: IdentityServer
    ) -> None:
        """The error asks whether the policy is manually attached to another user."""
        identities.iam.add_user("by-hand", "its-own-secret")
        identities.iam.attach_policy("by-hand", [NAME])
        with pytest.raises(IdentityError, match="is it manually attached to another user"):
            provider.delete(NAME, made)

        assert NAME in identities.policies
