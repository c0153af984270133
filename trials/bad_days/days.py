"""The bad days: what happens, to which kinds of stack, the section of the docs that leads back, and what it costs.

The rule: a day costs the access keys that it names, and no others. `docs/operations.md` shows this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from model.resources import By
from trials.bad_days import changes_of_access as access
from trials.bad_days import damages, passphrase
from trials.bad_days.damages import COLD, HOT, IDENTITY, WARM
from trials.bad_days.lines import Section
from trials.bad_days.stack import Stack

ALL: tuple[By, ...] = ("v3", "v4", "aws")
AISTOR: tuple[By, ...] = ("v3", "v4")
AWS: tuple[By, ...] = ("aws",)
#: The identities whose access keys are new afterwards.
Keys = Literal["none", "one", "all"]


def _nothing(_: Stack) -> None:
    """Nothing is left to take back."""


@dataclass(frozen=True)
class BadDay:
    """Something that is lost or goes wrong.

    Attributes:
        name: What happens, as a sentence without its full stop.
        damage: Does it.
        section: The section of the docs whose lines lead back.
        kinds: The kinds of stack that it can happen to.
        keys: Which identities have new access keys afterwards: none, the damaged one, or all.
        after: Takes back what the damage set up beside the damage itself, once the day is over.
        own_server: Whether the damage is to the server itself, so that it needs the sandbox.
        values: Texts of the documented lines, and what stands in their place for a stack.
    """

    name: str
    damage: Callable[[Stack], None]
    section: Section
    kinds: tuple[By, ...] = ALL
    keys: Keys = "none"
    after: Callable[[Stack], None] = _nothing
    own_server: bool = False
    values: Callable[[Stack], dict[str, str]] = lambda _: {}


def _operations(heading: str) -> Section:
    return Section("operations.md", heading)


GONE = _operations("Something was deleted or switched off")
ADMIN = _operations("The admin's access key changed")
CA = _operations("The CA changed")
EMPTIED = _operations("A refresh emptied the state")
DESTROYED = _operations("Somebody ran pulumi destroy")
PASSPHRASE = _operations("The passphrase is lost")
CHANGED = _operations("A setting was changed by hand")

DAYS: tuple[BadDay, ...] = (
    BadDay("a hot bucket is deleted", damages.delete_bucket(HOT), GONE),
    BadDay("a versioned bucket is deleted", damages.delete_bucket(WARM), GONE),
    BadDay("a locked bucket is deleted", damages.delete_bucket(COLD), GONE),
    BadDay("the lifecycle rules of a bucket are removed", damages.remove_rules, GONE),
    BadDay("the versioning of a bucket is suspended", damages.suspend_versioning, GONE),
    BadDay("the default retention of a bucket is cleared", damages.clear_retention, GONE),
    BadDay("the policy and the public-access block of a bucket are deleted", damages.drop_bucket_policy, GONE, AWS),
    BadDay("a user is deleted", damages.delete_user, GONE, keys="one"),
    BadDay("a user is switched off", damages.disable_user, GONE, AISTOR),
    BadDay("a policy is deleted", damages.delete_policy, GONE),
    BadDay("a policy is detached from its user", damages.detach_policy, GONE),
    BadDay("an access key is deleted", damages.delete_key, GONE, keys="one"),
    BadDay("an access key is switched off", damages.disable_key, GONE),
    BadDay("a role is deleted", damages.delete_role, GONE, AWS),
    BadDay("a bucket is made public", damages.make_public, CHANGED),
    BadDay(
        "a bucket exists already",
        damages.create_bucket_by_hand,
        _operations("A bucket exists already"),
        after=damages.forget_late_domain,
    ),
    BadDay("the state is lost", damages.lose_state, _operations("Adopt without a copy"), keys="all"),
    BadDay(
        "the state is lost and a copy is left", damages.lose_state_with_copy, _operations("Import a copy of the state")
    ),
    BadDay("the state is emptied", damages.empty_state, EMPTIED, keys="all"),
    BadDay("half of the state is lost", damages.half_empty_state, EMPTIED, keys="all"),
    BadDay(
        "the state is emptied and a new one takes its place",
        damages.empty_state,
        _operations("Start with a new state"),
        keys="all",
    ),
    BadDay("the attributes beside the state are empty", damages.empty_attributes, _operations("The engine was killed")),
    BadDay(
        "the state's file is torn",
        damages.tear_state,
        _operations("The checkpoint cannot be loaded"),
        values=damages.whole_state,
    ),
    BadDay(
        "the state is older than the store",
        damages.restore_older_state,
        _operations("The state is older than the store"),
        after=damages.forget_late_domain,
    ),
    BadDay(
        "the passphrase is lost",
        passphrase.lose_passphrase,
        PASSPHRASE,
        keys="all",
        values=passphrase.new_passphrase,
    ),
    BadDay(
        "the passphrase is lost, but not the access keys",
        passphrase.lose_passphrase_but_no_keys,
        PASSPHRASE,
        values=passphrase.new_passphrase_and_old_keys,
    ),
    BadDay(
        "the engine is killed",
        damages.kill_engine,
        _operations("The engine was killed"),
        after=damages.forget_late_domain,
    ),
    BadDay(
        "an update fails half way",
        access.fail_update,
        _operations("An update failed"),
        AISTOR,
        after=access.forget_failed_update,
    ),
    BadDay("two people update at once", damages.two_updates_at_once, _operations("Two people update at once")),
    BadDay("pulumi destroy runs without a preview", damages.destroy, DESTROYED, keys="all"),
    BadDay(
        "the server is replaced by an empty one",
        damages.replace_server,
        _operations("The server is empty"),
        AISTOR,
        keys="all",
        own_server=True,
    ),
    BadDay(
        "the admin's access key changes on the server, then in the config",
        access.change_admin_on_the_server,
        ADMIN,
        AISTOR,
        after=access.forget_admin,
        values=access.new_password,
    ),
    BadDay(
        "the admin's access key changes in the config, then on the server",
        access.change_admin_in_the_config,
        ADMIN,
        AISTOR,
        after=access.forget_admin,
        values=access.new_password,
    ),
    BadDay(
        "the endpoint moves",
        access.move_endpoint,
        _operations("The endpoint changed"),
        AISTOR,
        own_server=True,
        values=access.new_endpoint,
    ),
    BadDay("the config names another CA", access.name_another_ca, CA, AISTOR, own_server=True, values=access.right_ca),
    BadDay("the server gets a new CA", access.renew_ca, CA, AISTOR, own_server=True, values=access.right_ca),
    BadDay(
        "the server's certificate is renewed",
        access.renew_certificate,
        _operations("The certificate was renewed"),
        AISTOR,
        own_server=True,
    ),
    BadDay(
        "the clock is wrong",
        access.set_clock_wrong,
        _operations("The clock is wrong"),
        own_server=True,
        values=access.right_clock,
    ),
    BadDay("the provider is upgraded", damages.older_provider, _operations("The provider is upgraded")),
)
__all__ = ["DAYS", "IDENTITY", "BadDay", "Keys"]
