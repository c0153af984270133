"""model.user_names: the two forms of a name, which one a state has, and whose a policy document is."""

from itertools import product
from typing import Any

import pytest

from model.resources import TYPES, About, By, logical_name
from model.user_names import ServerName, UserNames, bucket_prefixes_in, form_in, names_in, stack_prefix, user_name


def resource(by: By, what: About, identity: str, **outputs: str) -> dict[str, Any]:
    """A resource of a state."""
    kind = TYPES[by][what]
    number = 1 if what is About.KEY else None
    return {"type": kind, "urn": f"urn:pulumi:s::p::{kind}::{logical_name(identity, what, number)}", "outputs": outputs}


def test_no_two_new_stacks_share_a_name() -> None:
    """Whatever the environments, region codes and identities are, the names of different ones differ."""
    envs, codes, identities = ("a", "ausw2", "lab"), ("usw2", "euw1", "apse4"), ("w", "usw2-w", "euw1-usw2-w", "w-2")
    names = [user_name(UserNames.BY_REGION, *parts) for parts in product(envs, codes, identities)]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("by", "what", "key"),
    [
        ("v3", About.USER, "name"),
        ("v4", About.POLICY, "name"),
        ("v3", About.ATTACHMENT, "userName"),
        ("v4", About.KEY, "targetUser"),
        ("aws", About.ATTACHMENT, "user"),
        ("aws", About.KEY, "user"),
        ("aws", About.ROLE, "name"),
        ("aws", About.ROLE_ATTACHMENT, "role"),
    ],
)
@pytest.mark.parametrize("names", UserNames)
@pytest.mark.parametrize("identity", ["worker", "usw2-worker", "worker-2"])
def test_one_resource_of_an_identity_tells_the_form(
    by: By, what: About, key: str, names: UserNames, identity: str
) -> None:
    """A state that has lost the rest of its identities keeps its names; an identity may look like a region code."""
    name = user_name(names, "local", "usw2", identity)
    held = resource(by, what, identity, **{key: name})

    assert form_in([{"type": "aws:s3/bucket:Bucket", "urn": "x::media-raw"}, held]) is names
    assert {found.name for found in names_in([held])} == {name}


def test_further_policy_has_a_number() -> None:
    """The second document of an identity tells the form, too."""
    kind = TYPES["aws"][About.POLICY]
    urn = f"urn:pulumi:s::p::{kind}::{logical_name('reader', About.POLICY, 2)}"
    (name,) = names_in([held := {"type": kind, "urn": urn, "inputs": {"name": "joelclaw-prod-reader-2"}}])

    assert (name, form_in([held])) == (ServerName(About.POLICY, "joelclaw-prod-reader-2"), UserNames.BY_ENV)


def test_state_without_identities_has_no_form() -> None:
    """Neither has a name that no stack of this project gives."""
    assert form_in([{"type": "pulumi:pulumi:Stack", "urn": "x"}]) is None
    assert form_in([resource("v4", About.USER, "worker", name="by-hand")]) is None


def test_one_name_of_before_suffices() -> None:
    """A standing stack's names never change, so a mixed state keeps the form of before."""
    mixed = [
        resource("v4", About.USER, "reader", name="joelclaw-local-usw2-reader"),
        resource("v4", About.USER, "worker", name="joelclaw-local-worker"),
    ]

    assert form_in(mixed) is form_in(mixed[::-1]) is UserNames.BY_ENV


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"Statement": [{"Resource": ["arn:aws:s3:::joelclaw-a-usw2-x/*", "arn:aws:s3:::other"]}]},
            {"joelclaw-a-usw2-"},
        ),
        ({"Statement": {"Resource": "arn:aws:s3:::joelclaw-a-euw1-*/*"}}, {"joelclaw-a-euw1-"}),
        ({"Statement": [{"Resource": "*"}, "odd", {"NotResource": "x"}]}, set()),
        ("odd", set()),
    ],
)
def test_document_names_the_buckets_of_its_stacks(document: object, expected: set[str]) -> None:
    """Anything else in a document, also a malformed one, names no stack."""
    assert bucket_prefixes_in(document) == expected


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        ("joelclaw-local-euw1-media-raw", "joelclaw-local-euw1-"),
        ("joelclaw-pulumi-state", ""),
        ("joelclaw-local-media-raw", ""),
        ("other", ""),
    ],
)
def test_bucket_tells_its_stack(bucket: str, expected: str) -> None:
    """Only a name by the convention does."""
    assert stack_prefix(bucket) == expected
