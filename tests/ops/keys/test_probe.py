"""The probe: None if a key pair works, and otherwise a sentence that contains no key."""

import time

import pytest
from pydantic import SecretStr

from model.deployment import KeyPair
from ops.keys.probe import works
from trials.stores import Store

PLANTED = "planted-Secret0123456789/abcdefghijklmnop"


@pytest.mark.parametrize("identity", ["worker", "reader", "verifier", "auditor"])
def test_published_pair_works(store: Store, identity: str) -> None:
    """Every kind of identity may make the probe's request, on AIStor."""
    assert works(store.deployment, identity, store.target.credentials[identity]) is None


@pytest.mark.parametrize("identity", ["worker", "verifier", "auditor"])
def test_published_pair_works_on_aws(aws_store: Store, identity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on AWS, whose endpoint the SDK finds."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_store.server.endpoint)

    assert works(aws_store.deployment, identity, aws_store.target.credentials[identity]) is None


def test_refusals_are_told_apart(store: Store) -> None:
    """An unknown key, a wrong secret, and a key without the right have different messages."""
    pair = store.target.credentials["worker"]
    other = KeyPair(access_key_id=pair.access_key_id, secret_access_key=SecretStr(PLANTED))
    unknown = KeyPair(access_key_id="NOSUCHKEY0123456789X", secret_access_key=SecretStr(PLANTED))

    wrong = works(store.deployment, "worker", other, patience_seconds=0)
    absent = works(store.deployment, "worker", unknown, patience_seconds=0)
    store.set_user_policy("worker", [{"Effect": "Deny", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::*"]}])
    try:
        denied = works(store.deployment, "worker", pair, patience_seconds=0)
    finally:
        store.restore_user_policy("worker")

    assert wrong is not None
    assert "SignatureDoesNotMatch: the secret access key does not belong to the access key id" in wrong
    assert absent is not None
    assert "InvalidAccessKeyId: the store does not know the access key id" in absent
    assert denied is not None
    assert "AccessDenied: the store accepts the key pair but refuses" in denied
    for said in (wrong, absent, denied):
        assert PLANTED not in said


def test_refusal_counts_only_once_it_has_lasted(store: Store) -> None:
    """A key that is refused at first and accepted later, such as a new one on AWS, works."""
    pair = store.target.credentials["worker"]
    store.set_user_policy("worker", [{"Effect": "Deny", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::*"]}])
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            store.restore_user_policy("worker")

    try:
        assert works(store.deployment, "worker", pair, patience_seconds=60, sleep=wait) is None
    finally:
        store.restore_user_policy("worker")
    assert len(waits) == 2


def test_nothing_there_is_not_waited_for_as_a_refusal(store: Store) -> None:
    """An unreachable endpoint is not a refusal: the client's own attempts are enough."""
    deployment = store.deployment.model_copy(update={"provisioning_endpoint": "https://localhost:1"})
    started = time.monotonic()

    said = works(deployment, "worker", store.target.credentials["worker"], patience_seconds=600)

    assert said is not None
    assert said.startswith("cannot list ")
    assert "at https://localhost:1 (" in said
    assert time.monotonic() - started < 60


def test_identity_without_a_place(store: Store) -> None:
    """Without a grant or an identity, the probe says so and sends nothing."""
    pair = store.target.credentials["worker"]
    plan = store.plan
    bare = plan.model_copy(
        update={
            "identities": tuple(one.model_copy(update={"grants": (), "verifies": False}) for one in plan.identities)
        }
    )

    assert works(store.deployment, "nobody", pair) == "the deployment has no identity 'nobody'"
    said = works(store.deployment.model_copy(update={"plan": bare}), "worker", pair)
    assert said == "worker has no grant on any bucket, so its key pair cannot be tried"
