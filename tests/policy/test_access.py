"""Policies on access, and on where access keys may appear."""

import json

import pytest
from pulumi_policy.proxy import UnknownValueError

from tests.policy.conftest import BUCKET, BY_NAME, CLOUDS, STACK, TYPES, UNKNOWN, WHERE, Thing, bucket, judged

BLOCKS = {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True}
SECRET = "planted-secret-of-the-worker"  # noqa: S105 - planted
KEY_ID = "PLANTED0KEY0ID"
POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})


def block(**changes: object) -> Thing:
    """A public-access block of the bucket."""
    return Thing(TYPES["aws"]["block"], {"bucket": BUCKET, **BLOCKS, **changes}, "block")


def key(cloud: str, **props: object) -> Thing:
    """A key that the store created, as it is after an update."""
    names = ("accessKey", "secretKey") if cloud != "aws" else ("id", "secret")
    given = {**dict(zip(names, (KEY_ID, SECRET), strict=True)), "policy": POLICY, **props}
    return Thing(TYPES[cloud]["key"], given, "key", parent=(STACK, TYPES[cloud]["store"]))


def stack(**outputs: object) -> Thing:
    """A stack with outputs."""
    return Thing(STACK, outputs, "stack", parent=())


def test_public_access_block_is_there_and_complete() -> None:
    """Each AWS bucket has a block with all four settings; AIStor has none."""
    assert judged("public-access-block", bucket("aws"), block()) == []
    assert judged("public-access-block", bucket("aistor")) == []
    assert "0 public-access blocks" in judged("public-access-block", bucket("aws"))[0]
    for name in BLOCKS:
        for off in (False, None):
            assert judged("public-access-block", bucket("aws"), block(**{name: off})) == [
                f"media-raw: its public-access block does not enable {name}"
            ]
    with pytest.raises(UnknownValueError):
        judged("public-access-block", bucket("aws"), block(blockPublicAcls=UNKNOWN))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_user_has_no_force_destroy(cloud: str) -> None:
    """The policy applies to users of both clouds."""
    user = TYPES[cloud]["user"]

    assert judged("user-force-destroy", Thing(user, {"name": "a", "forceDestroy": False})) == []
    assert judged("user-force-destroy", Thing(user, {"name": "a", "forceDestroy": True})) == [
        "the user has forceDestroy enabled"
    ]


@pytest.mark.parametrize("cloud", ["aistor", "own"])
def test_service_account_has_a_policy(cloud: str) -> None:
    """A missing, empty or malformed policy is refused; an unknown one is not judged yet."""
    assert judged("service-account-policy", key(cloud)) == []
    for absent in (None, "", "{", '{"Statement": []}'):
        assert len(judged("service-account-policy", key(cloud, policy=absent))) == 1
    with pytest.raises(UnknownValueError):
        judged("service-account-policy", key(cloud, policy=UNKNOWN))


def test_secret_of_our_own_user_is_one() -> None:
    """The secret key of a user appears in no other resource and in no output."""
    user = Thing(TYPES["own"]["user"], {"name": "a", "secret": SECRET, "__provider": "gASV"}, "user")

    assert judged("key-outputs", user, stack(note="nothing")) == []
    assert len(judged("key-outputs", user, stack(note=SECRET), bucket("own", tags={"note": SECRET}))) == 2


def test_what_the_engine_adds_to_our_own_resources_trips_nothing() -> None:
    """The pickled class in each resource and the stack's config in the provider break no policy."""
    pickled = {"__provider": "gASVKwAAAAAAAACME2luZnJhLmlkZW50aXR5LnVzZXKUjAxVc2VyUHJvdmlkZXKUk5QpgZQu"}
    where = {"endpoint": "https://127.0.0.1:9000", "region": "us-west-2", "caPem": "", **pickled}
    user = Thing(TYPES["own"]["user"], {"name": "a", "status": "enabled", "secret": SECRET, **where}, "user")
    policy = Thing(TYPES["own"]["policy"], {"name": "a", "policy": POLICY, **where}, "policy")
    attachment = Thing(
        "pulumi-python:dynamic/identity:Attachment", {"userName": "a", "policyName": "a", **where}, "attachment"
    )
    config = {"object-store:adminUser": "admin", "object-store:adminPassword": "planted-password-of-the-admin"}
    provider = Thing("pulumi:providers:pulumi-python", config, "default")

    for name in BY_NAME:
        assert judged(name, provider, user, policy, attachment, key("own", **where), stack()) == [], name


@pytest.mark.parametrize("cloud", WHERE)
def test_keys_are_made_by_the_store(cloud: str) -> None:
    """A key outside the store's component belongs to no identity."""
    kind = TYPES[cloud]["key"]

    assert judged("key-maker", key(cloud)) == []
    for parent in ((STACK,), (STACK, "other:index:Thing"), (TYPES[cloud]["store"], "other:index:Thing"), ()):
        assert len(judged("key-maker", Thing(kind, {}, parent=parent))) == 1


@pytest.mark.parametrize("cloud", WHERE)
def test_keys_are_in_the_credentials_and_nowhere_else(cloud: str) -> None:
    """The output `credentials` may contain both halves; the program's other outputs pass."""
    outputs = {
        "credentials": {"worker": {"access_key_id": KEY_ID, "secret_access_key": SECRET}},
        "deployment": {"version": 1, "plan": {"buckets": [{"name": BUCKET, "retention": None}]}},
    }

    assert judged("key-outputs", stack(**outputs), key(cloud), bucket(cloud)) == []


@pytest.mark.parametrize("cloud", WHERE)
@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        ({"note": f"use {SECRET}"}, "the output note contains an access key"),
        ({"note": ["x", {"y": KEY_ID}]}, "the output note.1.y contains an access key"),
        ({"note": "AKIA" + "A" * 16}, "the output note contains an access key"),
        ({"workerSecret": "anything"}, "the output workerSecret has the name of a key"),
        ({"keys": {"access_key_id": "anything"}}, "the output keys.access_key_id has the name of a key"),
        ({"adminPassword": UNKNOWN}, "the output adminPassword has the name of a key"),
    ],
)
def test_key_in_another_output_is_refused(cloud: str, outputs: dict[str, object], problem: str) -> None:
    """A key is found by its value, by the form of AWS's key ids, or by the output's name; it is never shown."""
    (found,) = judged("key-outputs", key(cloud), stack(**outputs))

    assert found.startswith(f"stack: {problem}")
    assert SECRET not in found
    assert KEY_ID not in found


def test_unknown_output_is_not_taken_for_a_pass() -> None:
    """An unknown output is reported as unknown, after certain violations; unknown credentials are allowed."""
    fresh = key("aws", id=UNKNOWN, secret=UNKNOWN)

    assert judged("key-outputs", fresh, stack(credentials={"worker": {"secret_access_key": UNKNOWN}})) == []
    with pytest.raises(UnknownValueError) as caught:
        judged("key-outputs", fresh, stack(note=UNKNOWN, workerSecret=UNKNOWN))
    assert caught.value.props == ["stack", "note"]
    assert len(caught.value.reported) == 1  # type: ignore[attr-defined]  # put there by the judge


@pytest.mark.parametrize("cloud", WHERE)
def test_secret_in_another_resource_is_refused(cloud: str) -> None:
    """A tag, a document, or a component's output must not contain a secret, because none is stored as a secret."""
    (found,) = judged("key-outputs", key(cloud), bucket(cloud, tags={"note": f"use {SECRET}"}), stack())

    assert found == "media-raw: the property tags.note contains a secret key"
