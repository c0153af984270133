"""ops.identities_in_state: a state's identities move between the two forms, with unchanged ids and secrets."""

import copy
import json
from typing import Any

import pytest

from model.resources import TYPES, About, identity_types
from ops.identities_in_state import Place, StateError, added, engine_config, identities_of, moved

STACK = "urn:pulumi:local::object-store::"
ROOT = f"{STACK}pulumi:pulumi:Stack::object-store-local"
STORE = f"{STACK}object-store:storage:AistorStore::store"
PLUGIN = f"{STACK}pulumi:providers:minio::aistor"
DYNAMIC = f"{STACK}pulumi:providers:pulumi-python::default"
CIPHERTEXT = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc:def"}
POLICY = '{"Version":"2012-10-17","Statement":[]}'
PLACE = Place(
    stack="local",
    project="object-store",
    connection={"endpoint": "https://store:9000", "region": "us-west-2", "caPem": "PEM"},
    config=engine_config({"object-store:env": ("local", False), "object-store:adminPassword": ("planted-pw", True)}),
)


def urn(kind: str, name: str) -> str:
    """The URN of a resource under the store."""
    return f"{STACK}object-store:storage:AistorStore${kind}::{name}"


def of_plugin(word: str, name: str, own_id: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    """A resource as the plugin leaves it in a state (recorded from pulumi-minio 0.17.1)."""
    return {
        "urn": urn(TYPES["v3"][About(word)], name),
        "custom": True,
        "id": own_id,
        "type": TYPES["v3"][About(word)],
        "inputs": inputs,
        "outputs": {"__pulumi_raw_state_delta": {"obj": {}}, "id": own_id, **outputs},
        "parent": STORE,
        "provider": f"{PLUGIN}::11",
        "sourcePosition": "project:///infra/aistor.py#86",
        "created": "2026-11-25T04:46:27Z",
    }


def state(*, dynamic: bool = True) -> dict[str, Any]:
    """A stack after the plugin's `up`: one bucket, one identity; the dynamic provider comes late."""
    user = of_plugin(
        "user",
        "worker-user",
        "jc-worker",
        {"name": "jc-worker"},
        {
            "name": "jc-worker",
            "status": "enabled",
            "secret": CIPHERTEXT,
            "disableUser": False,
            "forceDestroy": False,
            "updateSecret": False,
            "tags": None,
        },
    )
    user["additionalSecretOutputs"] = ["secret"]
    names = {"name": "jc-worker", "policy": POLICY}
    policy = of_plugin("policy", "worker-policy", "jc-worker", dict(names), dict(names))
    pair = {"userName": "jc-worker", "policyName": "jc-worker"}
    attachment = of_plugin("attachment", "worker-attachment", "jc-worker-2026", dict(pair), dict(pair))
    attachment["dependencies"] = [user["urn"], policy["urn"]]
    attachment["propertyDependencies"] = {"userName": [user["urn"]], "policyName": [policy["urn"]]}
    account = of_plugin(
        "key",
        "worker-key-1",
        "AKAKAK",
        {"targetUser": "jc-worker", "policy": POLICY},
        {
            "targetUser": "jc-worker",
            "policy": POLICY,
            "accessKey": "AKAKAK",
            "secretKey": CIPHERTEXT,
            "status": "on",
            "disableUser": False,
            "updateSecret": False,
        },
    )
    account["dependencies"] = [attachment["urn"], user["urn"]]
    account["additionalSecretOutputs"] = ["secretKey"]
    bucket = {
        "urn": urn("minio:index/s3Bucket:S3Bucket", "media-raw"),
        "custom": True,
        "id": "b",
        "type": "minio:index/s3Bucket:S3Bucket",
        "inputs": {"bucket": "b"},
        "outputs": {"bucket": "b"},
        "parent": STORE,
        "provider": f"{PLUGIN}::11",
    }
    providers = [{"urn": DYNAMIC, "custom": True, "id": "22", "type": "pulumi:providers:pulumi-python"}]
    return {
        "version": 3,
        "deployment": {
            "manifest": {"magic": "m"},
            "resources": [
                {"urn": ROOT, "custom": False, "type": "pulumi:pulumi:Stack"},
                {"urn": PLUGIN, "custom": True, "id": "11", "type": "pulumi:providers:minio", "parent": ROOT},
                {"urn": STORE, "custom": False, "type": "object-store:storage:AistorStore", "parent": ROOT},
                bucket,
                user,
                policy,
                *(providers if dynamic else []),
                attachment,
                account,
            ],
        },
    }


def named(exported: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The resources by name."""
    return {one["urn"].rpartition("::")[2]: one for one in exported["deployment"]["resources"]}


def test_identities_become_our_own_under_their_names() -> None:
    """Types, URNs and provider are ours; names, ids, parents, secrets and dependencies stay."""
    before = state()

    found = named(moved(before, "v4", PLACE))

    assert set(found) == set(named(before))
    for word, name in (("user", "worker-user"), ("key", "worker-key-1")):
        assert found[name]["type"] == TYPES["v4"][About(word)]
        assert found[name]["urn"] == urn(TYPES["v4"][About(word)], name)
        assert found[name]["provider"] == f"{DYNAMIC}::22"
        assert (found[name]["id"], found[name]["parent"]) == (named(before)[name]["id"], STORE)
    assert found["worker-user"]["inputs"].items() >= {"name": "jc-worker", "status": "enabled", "caPem": "PEM"}.items()
    assert found["worker-user"]["outputs"]["secret"] == CIPHERTEXT
    assert found["worker-key-1"]["outputs"]["secretKey"] == CIPHERTEXT
    assert "secretKey" not in found["worker-key-1"]["inputs"]
    assert found["worker-key-1"]["additionalSecretOutputs"] == ["secretKey"]
    assert found["worker-attachment"]["dependencies"] == [found["worker-user"]["urn"], found["worker-policy"]["urn"]]
    assert found["worker-attachment"]["propertyDependencies"]["userName"] == [found["worker-user"]["urn"]]
    assert found["media-raw"] == named(before)["media-raw"]


def test_nothing_of_the_plugin_is_left_behind() -> None:
    """No identity mentions a type, a provider or a raw state of the plugin."""
    after = moved(state(), "v4", PLACE)
    text = json.dumps([one for one in after["deployment"]["resources"] if one["type"] in identity_types("v4")])

    assert "minio" not in text
    assert "raw_state" not in text
    assert identities_of(after, "v3") == []
    assert len(identities_of(after, "v4")) == 4


def test_there_and_back_is_as_before() -> None:
    """A state that moved to v4 and back equals the first in everything that the engine compares."""
    before = state()

    after = named(moved(moved(before, "v4", PLACE), "v3", PLACE))

    for name, resource in named(before).items():
        wanted = {key: value for key, value in resource.items() if key != "sourcePosition"}
        if "outputs" in wanted:
            wanted["outputs"] = {k: v for k, v in wanted["outputs"].items() if k != "__pulumi_raw_state_delta"}
        assert after[name] == wanted, name


def test_state_that_is_handed_in_is_not_changed() -> None:
    """The caller's copy stays unchanged."""
    before = state()
    kept = copy.deepcopy(before)

    moved(before, "v4", PLACE)

    assert before == kept


def test_provider_stands_before_what_needs_it() -> None:
    """The engine refuses a state in which a resource precedes its provider."""
    after = moved(state(), "v4", PLACE)["deployment"]["resources"]
    order = [one["urn"] for one in after]

    assert order.index(DYNAMIC) < order.index(urn(TYPES["v4"][About.USER], "worker-user"))


def test_missing_dynamic_provider_is_made_with_the_config() -> None:
    """A stack without one gets it, with the stack's config, and secrets are marked for the engine."""
    after = named(moved(state(dynamic=False), "v4", PLACE))["default"]

    assert after["inputs"]["object-store:env"] == "local"
    secret = after["inputs"]["object-store:adminPassword"]
    assert secret == {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": '"planted-pw"',
    }


def test_drift_that_the_state_knows_is_kept() -> None:
    """A user that a refresh read as disabled stays so in the outputs, and the next `up` enables it."""
    before = state()
    named(before)["worker-user"]["outputs"]["status"] = "disabled"

    there = moved(before, "v4", PLACE)
    back = named(moved(there, "v3", PLACE))["worker-user"]

    assert named(there)["worker-user"]["outputs"]["status"] == "disabled"
    assert named(there)["worker-user"]["inputs"]["status"] == "enabled"
    assert back["outputs"]["disableUser"] is True


def test_half_replaced_resource_is_refused() -> None:
    """A resource pending deletion cannot be distinguished from its replacement."""
    before = state()
    named(before)["worker-key-1"]["delete"] = True

    with pytest.raises(StateError, match=r"the replacement of \S+ is incomplete"):
        moved(before, "v4", PLACE)


def test_no_plugin_no_way_back() -> None:
    """Without the plugin's provider in the state, the plugin cannot manage anything."""
    before = moved(state(), "v4", PLACE)
    before["deployment"]["resources"] = [one for one in before["deployment"]["resources"] if one["urn"] != PLUGIN]

    with pytest.raises(StateError, match="pulumi up"):
        moved(before, "v3", PLACE)


def test_default_provider_of_the_plugin_is_not_ours() -> None:
    """A default provider has the same type; our resources never use it."""
    before = moved(state(), "v4", PLACE)
    default = {"urn": f"{STACK}pulumi:providers:minio::default", "custom": True, "id": "99"}
    before["deployment"]["resources"].insert(1, {**default, "type": "pulumi:providers:minio"})

    assert named(moved(before, "v3", PLACE))["worker-user"]["provider"] == f"{PLUGIN}::11"


@pytest.mark.parametrize("exported", [{"version": 3, "deployment": None}, {"version": 3, "deployment": {}}])
def test_what_exists_is_added_to_an_empty_state(exported: dict[str, Any]) -> None:
    """Stack, store and provider are added too, each before its children."""
    live = [
        (About.USER, "worker-user", "jc-worker", {"name": "jc-worker", "status": "disabled"}),
        (About.ATTACHMENT, "worker-attachment", "jc-worker/p", {"userName": "jc-worker", "policyName": "p"}),
    ]

    after = added(exported, live, PLACE)

    urns = [one["urn"] for one in after["deployment"]["resources"]]
    assert urns == [
        ROOT,
        DYNAMIC,
        STORE,
        urn(TYPES["v4"][About.USER], "worker-user"),
        urn(TYPES["v4"][About.ATTACHMENT], "worker-attachment"),
    ]
    user = named(after)["worker-user"]
    assert (user["inputs"]["status"], user["outputs"]["status"]) == ("enabled", "disabled")
    assert user["provider"].startswith(f"{DYNAMIC}::")


def test_what_exists_is_added_beside_what_is_there() -> None:
    """Existing stack, store and provider resources are used."""
    before = state()

    after = added(before, [(About.POLICY, "other-policy", "o", {"name": "o", "policy": POLICY})], PLACE)

    assert len(after["deployment"]["resources"]) == len(before["deployment"]["resources"]) + 1
    assert named(after)["other-policy"]["provider"] == f"{DYNAMIC}::22"
    assert named(after)["other-policy"]["parent"] == STORE
