"""ops.recover.lost: what of a state can be lost, and what goes with it."""

from typing import get_args

import pytest

from model.resources import About, By
from ops.recover.lost import Live, causes, held_in, nothing_there
from tests.ops.recover.states import BUCKETS, SETTINGS, exported, key_id, one_of

every = pytest.mark.parametrize("by", get_args(By))


@every
def test_each_resource_names_its_bucket_or_user(by: By) -> None:
    """A setting belongs to a bucket; attachments and keys to a user; a key has its generation."""
    state = exported(by)
    held = held_in(state)

    assert len(held) == len(state["deployment"]["resources"]) - 1  # all but the stack
    assert one_of(state, About.LIFECYCLE, "warm-one").of == "b-warm"
    attachment = one_of(state, About.ATTACHMENT, "worker")
    assert (attachment.of, attachment.policy.rpartition("/")[2]) == ("u-worker", "u-worker")
    key = one_of(state, About.KEY, "worker")
    assert (key.of, key.id, key.generation) == ("u-worker", key_id(by, "worker"), 1)


@every
def test_settings_go_with_their_bucket(by: By) -> None:
    """A missing bucket is one loss, with its settings and no other bucket's."""
    state = exported(by)
    bucket = one_of(state, About.BUCKET, "warm-one")

    (cause,) = causes(held_in(state), {bucket: Live.GONE})

    assert cause.root == bucket
    assert {one.what for one in cause.taken} == {*SETTINGS[by], About.VERSIONING}
    assert {one.of for one in cause.taken} == {"b-warm"}


@every
def test_key_and_attachment_go_with_their_user(by: By) -> None:
    """A missing user is one loss, with its attachment and key; its policy stays."""
    state = exported(by)
    user = one_of(state, About.USER, "worker")
    live = {
        one: Live.GONE if one.of == "u-worker" and one.what is not About.POLICY else Live.THERE
        for one in held_in(state)
    }

    (cause,) = causes(held_in(state), live)

    assert cause.root == user
    assert {(one.what, one.of) for one in cause.taken} == {(About.ATTACHMENT, "u-worker"), (About.KEY, "u-worker")}


@every
def test_single_losses_and_what_is_off_are_told_apart(by: By) -> None:
    """A missing lifecycle is gone, a switched-off key is off, and the rest is there."""
    state = exported(by)
    lifecycle, key = one_of(state, About.LIFECYCLE, "hot-one"), one_of(state, About.KEY, "reader")

    found = causes(held_in(state), {lifecycle: Live.GONE, key: Live.OFF})

    assert [(cause.root, cause.live, cause.taken) for cause in found] == [
        (lifecycle, Live.GONE, ()),
        (key, Live.OFF, ()),
    ]


@every
def test_server_without_any_bucket_is_suspicious(by: By) -> None:
    """Without one of the state's buckets nothing is there, whatever users there are; one bucket is enough."""
    held = held_in(exported(by))
    buckets = [one for one in held if one.what is About.BUCKET]

    assert len(buckets) == len(BUCKETS)
    assert nothing_there(held, dict.fromkeys(buckets, Live.GONE))
    assert not nothing_there(held, {**dict.fromkeys(buckets, Live.GONE), buckets[0]: Live.THERE})
    users = [one for one in held if one.what is About.USER]
    assert nothing_there(users, dict.fromkeys(users, Live.GONE))
    assert not nothing_there([], {})


@every
def test_server_with_the_buckets_and_without_any_identity_is_suspicious(by: By) -> None:
    """A replica has the buckets and none of the users and keys; one user, or one key, is enough to be the server."""
    held = held_in(exported(by))
    identities = [one for one in held if one.what in (About.USER, About.KEY)]
    gone = dict.fromkeys(identities, Live.GONE)

    assert nothing_there(held, gone) == tuple(identities)
    for one in identities:
        assert not nothing_there(held, {**gone, one: Live.THERE})
        assert not nothing_there(held, {**gone, one: Live.OFF})


@every
def test_only_user_of_a_state_may_be_lost(by: By) -> None:
    """A state with one identity whose user was deleted lost no more than that user."""
    held = [one for one in held_in(exported(by)) if one.subject != "reader"]
    gone = [one for one in held if one.what in (About.USER, About.KEY)]

    assert not nothing_there(held, dict.fromkeys(gone, Live.GONE))
