"""ops.recover.words: one line for each loss, and what follows."""

from model.resources import About
from ops.recover.lost import Cause, Live, causes, held_in
from ops.recover.words import consequences, said_of
from tests.ops.recover.states import exported, one_of


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

    assert consequences("local", causes(held, gone), held) == [
        "A recreated bucket is empty: its objects are lost.",
        "New access keys: worker. After `pulumi up`, deliver them to their own targets:",
        "  object-store keys deliver --stack local --identity worker --to TARGET",
        "Access keys that stay as they are: reader.",
    ]
    rule = {one_of(state, About.LIFECYCLE, "hot-one"): Live.GONE}
    assert consequences("local", causes(held, rule), held) == ["Access keys that stay as they are: reader, worker."]
