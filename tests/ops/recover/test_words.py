"""ops.recover.words: one line for each loss, and what follows."""

import pytest

from model.resources import About
from ops.recover.lost import Cause, Live, causes, held_in
from ops.recover.words import consequences, said_of
from tests.ops.recover.states import NAMES, exported, one_of

PLANNED = dict.fromkeys(NAMES, (1,))


def test_bucket_and_user_name_what_goes_with_them() -> None:
    """A loss with all that hangs on it is one line."""
    state = exported("v3")
    gone = dict.fromkeys([one_of(state, About.BUCKET, "warm-one"), one_of(state, About.USER, "worker")], Live.GONE)

    assert said_of(causes(held_in(state), gone)) == [
        "bucket b-warm is gone, with its lifecycle and its versioning",
        "user u-worker is gone, with its attachment and its key",
    ]


def test_single_losses_say_whose_they_are() -> None:
    """Each other kind names its bucket or user."""
    state = exported("v3")
    lifecycle, policy = one_of(state, About.LIFECYCLE, "hot-one"), one_of(state, About.POLICY, "reader")
    attachment, key = one_of(state, About.ATTACHMENT, "reader"), one_of(state, About.KEY, "worker")
    off = one_of(state, About.USER, "reader")

    assert said_of(
        causes(held_in(state), {**dict.fromkeys([lifecycle, policy, attachment, key], Live.GONE), off: Live.OFF})
    ) == [
        "the lifecycle of bucket b-hot is gone",
        "key AKV3WORKER of user u-worker is gone",
        "user u-reader is switched off",
        "policy u-reader is gone",
        "the attachment of policy u-reader to user u-reader is gone",
    ]


def test_several_of_a_kind_are_counted() -> None:
    """Two attachments are not two words."""
    state = exported("aws")
    user, attachment = one_of(state, About.USER, "worker"), one_of(state, About.ATTACHMENT, "worker")

    (line,) = said_of([Cause(user, Live.GONE, (attachment, attachment))])
    assert line == "user u-worker is gone, with its 2 attachments"


def test_new_and_old_keys_are_named() -> None:
    """Whose key is made anew is delivered again; the other keys go on working; an empty bucket is said."""
    state = exported("v3")
    held = held_in(state)
    gone = {one_of(state, About.USER, "worker"): Live.GONE, one_of(state, About.BUCKET, "hot-one"): Live.GONE}

    assert consequences("local", causes(held, gone), held, PLANNED) == [
        "A recreated bucket is empty: its objects are lost.",
        "New access keys: worker. After `pulumi up`, deliver them to their own targets:",
        "  object-store keys deliver --stack local --identity worker --to TARGET",
        "Access keys that stay as they are: reader.",
    ]
    rule = {one_of(state, About.LIFECYCLE, "hot-one"): Live.GONE}
    stay = "Access keys that stay as they are: reader, worker."
    assert consequences("local", causes(held, rule), held, PLANNED) == [stay]


@pytest.mark.parametrize("what", [About.KEY, About.USER])
def test_what_is_off_is_switched_on_again_unless_it_was_meant(what: About) -> None:
    """Whoever switched a key off because it got out reads, before the update, what switches it off for good."""
    held = held_in(exported("v3"))
    one = next(one for one in held if (one.what, one.subject) == (what, "worker"))
    name = {About.KEY: "key AKV3WORKER of user u-worker", About.USER: "user u-worker"}[what]
    purpose = "if it was switched off on purpose: object-store keys revoke worker --stack local"
    on_again = f"`pulumi up` switches {name} on again; {purpose}"

    assert consequences("local", causes(held, {one: Live.OFF}), held, PLANNED) == [
        on_again,
        "Access keys that stay as they are: reader.",
    ]


@pytest.mark.parametrize("live", [Live.GONE, Live.OFF])
def test_what_the_update_would_delete_promises_nothing(live: Live) -> None:
    """Neither a replaced key that waits for its deletion nor a retired generation is made anew, or switched on."""
    state = exported("v3")
    key = one_of(state, About.KEY, "worker")
    resources = state["deployment"]["resources"]
    resources.append({**resources[key.place], "delete": True, "id": "AK0"})
    held = held_in(state)
    waiting = held[-1]

    assert consequences("local", causes(held, {waiting: live}), held, PLANNED) == [
        "Access keys that stay as they are: reader, worker."
    ]
    assert consequences("local", causes(held, {key: live}), held, {"worker": (2,), "reader": (1,)}) == [
        "Access keys that stay as they are: reader."
    ]
