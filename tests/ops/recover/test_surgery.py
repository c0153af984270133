"""ops.recover.surgery: what leaves the state leaves nothing that points at it."""

import copy
import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.resources import TYPES, About, By
from ops.recover.lost import Live, causes, held_in
from ops.recover.surgery import operated
from tests.ops.recover.states import exported, key_id, one_of, urn


@given(by=st.sampled_from(get_args(By)), data=st.data())
def test_no_reference_dangles(by: By, data: st.DataObject) -> None:
    """Whatever is gone, the state names no resource that it does not have, and what is there is unchanged otherwise."""
    state = exported(by)
    before = copy.deepcopy(state)
    held = held_in(state)
    gone = data.draw(st.sets(st.sampled_from(held)))

    after = operated(state, causes(held, dict.fromkeys(gone, Live.GONE)))

    left = {one["urn"]: one for one in after["deployment"]["resources"]}
    assert state == before
    assert not {one.urn for one in gone} & left.keys()
    for resource in left.values():
        named = {*resource.get("dependencies", []), *resource.get("propertyDependencies", {}).get("x", [])}
        assert named <= left.keys()
    for resource in before["deployment"]["resources"]:
        if resource["urn"] in left:
            kept = left[resource["urn"]]
            assert {**kept, "dependencies": 0, "propertyDependencies": 0} == {
                **resource,
                "dependencies": 0,
                "propertyDependencies": 0,
            }


def test_deleted_with_what_is_gone_is_forgotten() -> None:
    """`deletedWith` and `replaceWith` name no lost resource either."""
    state = exported("v3")
    bucket = one_of(state, About.BUCKET, "hot-one")
    other = state["deployment"]["resources"][-1]
    other |= {"deletedWith": bucket.urn, "replaceWith": [bucket.urn]}

    after = operated(state, causes(held_in(state), {bucket: Live.GONE}))

    assert bucket.urn not in json.dumps(after)


def test_replacement_keeps_its_references() -> None:
    """If only the old one of a replacement is gone, what depends on the URN goes on doing so."""
    state = exported("v3")
    user = one_of(state, About.USER, "worker")
    old = {**state["deployment"]["resources"][user.place], "delete": True, "id": "u-old"}
    state["deployment"]["resources"].append(old)
    gone = held_in(state)[-1]

    after = operated(state, causes(held_in(state), {gone: Live.GONE}))

    assert user.urn in json.dumps([one["dependencies"] for one in after["deployment"]["resources"][1:]])
    assert [one["id"] for one in after["deployment"]["resources"] if one["urn"] == user.urn] == ["u-worker"]


def test_lost_replacement_leaves_no_reference_to_the_old_one() -> None:
    """If only the new one of a replacement is gone, nothing depends on the old one, which waits for its deletion."""
    state = exported("v3")
    policy = one_of(state, About.POLICY, "worker")
    old = {**state["deployment"]["resources"][policy.place], "delete": True, "id": "u-old"}
    state["deployment"]["resources"].append(old)

    after = operated(state, causes(held_in(state), {policy: Live.GONE}))

    assert policy.urn in {one["urn"] for one in after["deployment"]["resources"]}
    assert policy.urn not in json.dumps([one.get("dependencies") for one in after["deployment"]["resources"]])


@pytest.mark.parametrize(
    ("by", "what", "written"),
    [
        ("v3", About.USER, {"disableUser": True, "status": "disabled"}),
        ("v3", About.KEY, {"disableUser": True, "status": "off"}),
        ("v4", About.USER, {"status": "disabled"}),
        ("v4", About.KEY, {"status": "off"}),
        ("aws", About.KEY, {"status": "Inactive"}),
    ],
)
def test_what_is_off_is_off_in_the_outputs(by: By, what: About, written: dict[str, object]) -> None:
    """The outputs say what the server says; an input that the program leaves to the provider keeps no old value."""
    state = exported(by)
    one = one_of(state, what, "worker")
    inputs = {**state["deployment"]["resources"][one.place]["inputs"], **written, "__defaults": ["x", *written]}
    state["deployment"]["resources"][one.place]["inputs"] = inputs

    after = operated(state, causes(held_in(state), {one: Live.OFF}))

    was, now = state["deployment"]["resources"][one.place], after["deployment"]["resources"][one.place]
    assert now["outputs"] == {**was["outputs"], **written}
    left = {key: value for key, value in inputs.items() if key not in written}
    assert now["inputs"] == (inputs if by == "v4" else {**left, "__defaults": ["x"]})


def test_states_of_the_tests_have_every_kind() -> None:
    """The URNs of the tests' states are the program's, and all kinds but a role's are in them."""
    for by in get_args(By):
        kinds = {one.what for one in held_in(exported(by))}
        assert set(TYPES[by]) - kinds <= {About.ROLE, About.ROLE_ATTACHMENT, About.BUCKET_POLICY}
    assert urn("v3", About.KEY, "worker", 1).endswith("::worker-key-1")
    assert key_id("v3", "worker") == "AKV3WORKER"
