"""Policies on who gets in, and on where access keys may be."""

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
    """A key made by the store, as it is after an update."""
    names = ("accessKey", "secretKey") if cloud != "aws" else ("id", "secret")
    given = {**dict(zip(names, (KEY_ID, SECRET), strict=True)), "policy": POLICY, **props}
    return Thing(TYPES[cloud]["key"], given, "key", parent=(STACK, TYPES[cloud]["store"]))


def stack(**outputs: object) -> Thing:
    """A stack with outputs."""
    return Thing(STACK, outputs, "stack", parent=())


def test_public_access_block_is_there_and_complete() -> None:
    """Each of the four, on each AWS bucket; AIStor has none."""
    assert judged("public-access-block", bucket("aws"), block()) == []
    assert judged("public-access-block", bucket("aistor")) == []
    assert "0 public-access blocks" in judged("public-access-block", bucket("aws"))[0]
    for name in BLOCKS:
        for off in (False, None):
            assert judged("public-access-block", bucket("aws"), block(**{name: off})) == [
                f"media-raw: its public-access block leaves off {name}"
            ]
    with pytest.raises(UnknownValueError):
        judged("public-access-block", bucket("aws"), block(blockPublicAcls=UNKNOWN))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_user_has_no_force_destroy(cloud: str) -> None:
    """On users of both clouds."""
    user = TYPES[cloud]["user"]

    assert judged("user-force-destroy", Thing(user, {"name": "a", "forceDestroy": False})) == []
    assert judged("user-force-destroy", Thing(user, {"name": "a", "forceDestroy": True})) == ["forceDestroy is on"]


@pytest.mark.parametrize("cloud", ["aistor", "own"])
def test_service_account_has_a_policy(cloud: str) -> None:
    """None, an empty one and what is no document are refused; one that is not known yet is not judged."""
    assert judged("service-account-policy", key(cloud)) == []
    for absent in (None, "", "{", '{"Statement": []}'):
        assert len(judged("service-account-policy", key(cloud, policy=absent))) == 1
    with pytest.raises(UnknownValueError):
        judged("service-account-policy", key(cloud, policy=UNKNOWN))


def test_secret_of_our_own_user_is_one() -> None:
    """It is handed to nobody, and stands in no other resource and no output."""
    user = Thing(TYPES["own"]["user"], {"name": "a", "secret": SECRET, "__provider": "gASV"}, "user")

    assert judged("key-outputs", user, stack(note="nothing")) == []
    assert len(judged("key-outputs", user, stack(note=SECRET), bucket("own", tags={"note": SECRET}))) == 2


def test_what_the_engine_adds_to_our_own_resources_trips_nothing() -> None:
    """A pickled class in each of them, and the stack's config in their provider."""
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
    """A key under the stack, under another component or under nothing belongs to no identity."""
    kind = TYPES[cloud]["key"]

    assert judged("key-maker", key(cloud)) == []
    for parent in ((STACK,), (STACK, "other:index:Thing"), (TYPES[cloud]["store"], "other:index:Thing"), ()):
        assert len(judged("key-maker", Thing(kind, {}, parent=parent))) == 1


@pytest.mark.parametrize("cloud", WHERE)
def test_keys_are_in_the_credentials_and_nowhere_else(cloud: str) -> None:
    """The output `credentials` may hold both halves; what the program exports beside it passes."""
    outputs = {
        "credentials": {"worker": {"access_key_id": KEY_ID, "secret_access_key": SECRET}},
        "deployment": {"version": 1, "plan": {"buckets": [{"name": BUCKET, "retention": None}]}},
    }

    assert judged("key-outputs", stack(**outputs), key(cloud), bucket(cloud)) == []


@pytest.mark.parametrize("cloud", WHERE)
@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        ({"note": f"use {SECRET}"}, "the output note holds an access key"),
        ({"note": ["x", {"y": KEY_ID}]}, "the output note.1.y holds an access key"),
        ({"note": "AKIA" + "A" * 16}, "the output note holds an access key"),
        ({"workerSecret": "anything"}, "the output workerSecret is named as a key"),
        ({"keys": {"access_key_id": "anything"}}, "the output keys.access_key_id is named as a key"),
        ({"adminPassword": UNKNOWN}, "the output adminPassword is named as a key"),
    ],
)
def test_key_in_another_output_is_refused(cloud: str, outputs: dict[str, object], problem: str) -> None:
    """By its value wherever it stands, by the form of AWS's key ids, and by the output's name; never shown."""
    (found,) = judged("key-outputs", key(cloud), stack(**outputs))

    assert found.startswith(f"stack: {problem}")
    assert SECRET not in found
    assert KEY_ID not in found


def test_unknown_output_is_not_taken_for_a_pass() -> None:
    """It is said that it cannot be told, after what is certain; unknown credentials are where they belong."""
    fresh = key("aws", id=UNKNOWN, secret=UNKNOWN)

    assert judged("key-outputs", fresh, stack(credentials={"worker": {"secret_access_key": UNKNOWN}})) == []
    with pytest.raises(UnknownValueError) as caught:
        judged("key-outputs", fresh, stack(note=UNKNOWN, workerSecret=UNKNOWN))
    assert caught.value.props == ["stack", "note"]
    assert len(caught.value.reported) == 1  # type: ignore[attr-defined]  # put there by the judge


@pytest.mark.parametrize("cloud", WHERE)
def test_secret_in_another_resource_is_refused(cloud: str) -> None:
    """A tag, a document, a component's output: none of them is kept as a secret."""
    (found,) = judged("key-outputs", key(cloud), bucket(cloud, tags={"note": f"use {SECRET}"}), stack())

    assert found == "media-raw: the property tags.note holds a secret key"
