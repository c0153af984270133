"""ops.preview.access: what policy documents allow, and the words for a difference."""

import json
from typing import Any

import pytest

from model.plan import PROBE_PREFIX, IdentityPlan, StorePlan, build_plan
from model.policies import POLICY_SIZE, Cloud, identity_policies, identity_policy, service_account_policy
from model.taxonomy_file import load
from ops.preview.access import Allowed, allowed, lets_anyone_in, refuses_plain_http, words
from tests.ops.preview.handmade import allow, deny

READ = {
    Allowed("b", None, "s3:GetBucketLocation"),
    Allowed("b", None, "s3:ListBucket"),
    Allowed("b", None, "s3:ListBucketVersions"),
    Allowed("b", "", "s3:GetObject"),
    Allowed("b", "", "s3:GetObjectVersion"),
}
PUT = {
    Allowed("b", "", "s3:AbortMultipartUpload"),
    Allowed("b", "", "s3:ListMultipartUploadParts"),
    Allowed("b", "", "s3:PutObject"),
}
DELETE = {Allowed("b", "", "s3:DeleteObject")}
PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def plan() -> StorePlan:
    """The shipped plan."""
    return build_plan(load(), env="local", region_code="usw2", tls_only=True, where="x:")


def verifies(bucket: str) -> set[Allowed]:
    """All permissions of the shipped verifier in a bucket."""
    identity = plan().verifier
    assert identity is not None
    return {
        pair._replace(bucket="b")
        for pair in allowed([identity_policy(plan(), identity, "aws")])
        if pair.bucket == bucket
    }


def test_each_action_on_each_area_is_a_pair() -> None:
    """The bucket, all its keys and the keys of a prefix are three areas; a single string is a list of one."""
    found = allowed(
        [
            policy(allow(["s3:GetObject", "s3:PutObject"], ["b/*", "c/logs/*"])),
            {"Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}},
        ]
    )

    assert found == {
        Allowed("b", "", "s3:GetObject"),
        Allowed("b", "", "s3:PutObject"),
        Allowed("c", "logs/", "s3:GetObject"),
        Allowed("c", "logs/", "s3:PutObject"),
        Allowed("b", None, "s3:ListBucket"),
    }


@pytest.mark.parametrize("nothing", [{}, {"Statement": []}, policy({"Effect": "Allow"}), policy({"Effect": "Deny"})])
def test_what_says_nothing_allows_nothing(nothing: dict[str, Any]) -> None:
    """An empty document or statement is not an error."""
    assert allowed([nothing]) == frozenset()


@pytest.mark.parametrize(
    ("denied", "left"),
    [
        (deny(["s3:PutObject"], ["b/*"]), {"s3:GetObject", "s3:ListBucket"}),
        (deny(["s3:*"], ["b/*"]), {"s3:ListBucket"}),
        (deny(["s3:*"], ["b"]), {"s3:GetObject", "s3:PutObject"}),
        (deny(["s3:*"], ["*"]), set()),
        (deny(["s3:PutObject"], ["c/*"]), {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}),
        (deny(["s3:PutObject"], ["b/*"], Condition=PLAIN_HTTP), {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}),
    ],
)
def test_deny_takes_away(denied: dict[str, Any], left: set[str]) -> None:
    """A denial removes a permission from any document; a denial with a condition does not always apply."""
    documents = [
        policy(allow(["s3:GetObject", "s3:PutObject"], ["b/*"])),
        policy(denied, allow(["s3:ListBucket"], ["b"])),
    ]

    assert {pair.action for pair in allowed(documents)} == left


def test_condition_makes_another_action() -> None:
    """Listing a prefix differs from listing the bucket; the order of a condition's keys does not matter."""
    one = {"StringLike": {"s3:prefix": ["a/*"]}, "Bool": {"aws:SecureTransport": "true"}}
    turned = dict(reversed(one.items()))

    assert list(one) != list(turned)
    plain, under, same = (
        allowed([policy(allow(["s3:ListBucket"], ["b"], **more))])
        for more in ({}, {"Condition": one}, {"Condition": turned})
    )
    assert under == same
    assert not plain & under


def test_condition_does_not_hide_from_deny_and_bounds() -> None:
    """An unconditional denial or bound also applies to an action with a condition."""
    under = policy(allow(["s3:ListBucket"], ["b"], Condition={"StringLike": {"s3:prefix": "a/*"}}))

    assert not allowed([under, policy(deny(["s3:ListBucket"], ["b"]))])
    assert allowed([under], [policy(allow(["s3:*"], ["b"]))]) == allowed([under])
    assert not allowed([under], [policy(allow(["s3:GetObject"], ["b/*"]))])


@pytest.mark.parametrize(
    ("within", "left"),
    [
        ([], {"s3:GetObject", "s3:PutObject"}),
        ([policy(allow(["s3:GetObject"], ["b/*"]))], {"s3:GetObject"}),
        ([policy(allow(["s3:*"], ["b*", "b*/*"]))], {"s3:GetObject", "s3:PutObject"}),
        ([policy(allow(["s3:*"], ["b/*"]), deny(["s3:PutObject"], ["b/*"]))], {"s3:GetObject"}),
        ([policy(allow(["s3:*"], ["c/*"]))], set()),
        ([policy()], set()),
        ([policy(allow(["s3:DeleteObject", "s3:GetObject"], ["b/*"]))], {"s3:GetObject"}),
    ],
)
def test_bound_takes_away_and_gives_nothing(within: list[dict[str, Any]], left: set[str]) -> None:
    """A service account may do what both its user's policy and its own policy allow."""
    found = allowed([policy(allow(["s3:GetObject", "s3:PutObject"], ["b/*"]))], within)

    assert {pair.action for pair in found} == left


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_shipped_policies_come_to_the_same_however_they_are_given(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several policies or a service account's own policy give an identity the same permissions."""
    for identity in plan().identities:
        document = identity_policy(plan(), identity, cloud)
        whole = allowed([document])
        assert whole
        with monkeypatch.context() as patched:
            patched.setitem(POLICY_SIZE, cloud, 2250)
            documents = identity_policies(plan(), identity, cloud)
        assert allowed(documents) == whole
        assert identity.name != "verifier" or len(documents) > 1
        if cloud == "aistor":
            assert allowed([document], [service_account_policy(plan(), identity)]) == whole


def test_shipped_policies_never_allow_to_delete_versions() -> None:
    """No policy allows it outside the verifier's own prefix."""
    for identity in plan().identities:
        found = allowed([identity_policy(plan(), identity, "aistor")])
        assert not [p for p in found if p.action == "s3:DeleteObjectVersion" and p.prefix != PROBE_PREFIX]


@pytest.mark.parametrize(
    ("pairs", "held", "said"),
    [
        (READ, READ, "read"),
        (READ | PUT, READ | PUT, "read and put"),
        (READ | PUT | DELETE, READ | PUT | DELETE, "read, put and delete"),
        (DELETE, READ | PUT | DELETE, "delete"),
        # The added action completes a grant.
        ({Allowed("b", "", "s3:GetObject")}, READ, "read"),
        ({Allowed("b", "", "s3:GetObject")}, {Allowed("b", "", "s3:GetObject")}, "s3:GetObject"),
        ({Allowed("b", "logs/", "s3:PutObject")}, READ, "s3:PutObject under logs/"),
        ({Allowed("b", "logs/", "s3:DeleteObject")}, READ | DELETE, "s3:DeleteObject under logs/"),
        (
            {Allowed("b", "", "s3:PutBucketPolicy"), Allowed("b", "", "s3:DeleteObjectVersion")} | DELETE,
            DELETE,
            "delete, s3:DeleteObjectVersion and s3:PutBucketPolicy",
        ),
        ({Allowed("b", "", "s3:*")}, {Allowed("b", "", "s3:*")}, "s3:*"),
    ],
)
def test_difference_in_words(pairs: set[Allowed], held: set[Allowed], said: str) -> None:
    """All actions of a grant appear as its word, other actions by name."""
    assert words(pairs, held) == said


def test_verifier_in_one_word() -> None:
    """The word "verify" covers its probes and its rights to read a bucket's configuration."""
    held = verifies("joelclaw-local-usw2-media-raw")

    assert len(held) > 20
    assert words(held, held) == "verify"


@pytest.mark.parametrize(
    ("further", "said"),
    [
        (READ, "read and verify"),
        ({Allowed("b", "", "s3:GetObject")}, "verify and s3:GetObject"),
        ({Allowed("b", "", "s3:GetObjectVersion")}, "verify and s3:GetObjectVersion"),
        (DELETE, "delete and verify"),
        ({Allowed("b", None, "s3:PutBucketPolicy")}, "verify and s3:PutBucketPolicy"),
    ],
)
def test_verify_hides_nothing(further: set[Allowed], said: str) -> None:
    """The word "verify" never covers objects outside the probes."""
    held = verifies("joelclaw-local-usw2-media-raw") | further

    assert words(held, held) == said


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_auditor_in_two_words(cloud: Cloud) -> None:
    """The auditor's permissions are named as a whole, those on the server without a resource too; nothing is hidden."""
    identity = IdentityPlan(name="auditor", user_name="auditor", grants=(), audits=True)
    found: dict[str, set[Allowed]] = {}
    for pair in allowed([identity_policy(plan(), identity, cloud)]):
        found.setdefault(pair.bucket, set()).add(pair)
    buckets = found[f"{plan().bucket_prefix}*"]
    more = {Allowed("*", None, "admin:CreateUser"), *found["*"]}
    less = {pair for pair in buckets if pair.action != "s3:GetObjectRetention"}

    assert set(found) == {f"{plan().bucket_prefix}*", "*"}
    assert words(buckets, buckets) == "audit settings and locks"
    assert words(found["*"], found["*"]) == "audit identities"
    assert words(more, more) == "audit identities and admin:CreateUser"
    assert "s3:GetObjectLegalHold" in words(less, less)


def test_statement_without_a_resource_is_about_the_server() -> None:
    """MinIO's `admin:` actions take no resource: a permission, and one that a Deny takes away."""
    statement = {"Effect": "Allow", "Action": ["admin:CreateUser", "admin:CreatePolicy"]}

    found = allowed([policy(statement, {"Effect": "Deny", "Action": ["admin:CreatePolicy"]})])

    assert found == {Allowed("*", None, "admin:CreateUser")}


def test_part_of_the_probes_is_said_by_action() -> None:
    """Only the complete set of actions is "verify"."""
    some = {Allowed("b", PROBE_PREFIX, "s3:PutObject"), Allowed("b", PROBE_PREFIX, "s3:GetObject")}

    assert words(some, some) == "s3:GetObject under .verify/ and s3:PutObject under .verify/"


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        (deny(["s3:*"], ["*"], Condition={"Bool": {"aws:SecureTransport": "false"}}), True),
        (deny(["s3:*"], ["*"], Condition={"Bool": {"aws:SecureTransport": False}}), True),
        (deny(["s3:*"], ["*"], Condition={"Bool": {"aws:SecureTransport": "true"}}), False),
        (allow(["s3:*"], ["*"], Condition={"Bool": {"aws:SecureTransport": "false"}}), False),
        (deny(["s3:*"], ["*"]), False),
    ],
)
def test_plain_http(statement: dict[str, Any], *, refused: bool) -> None:
    """A denial for insecure transport refuses plain http."""
    assert refuses_plain_http([policy(), policy(statement)]) is refused


@pytest.mark.parametrize(
    ("principal", "anyone"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": ["*"]}, True),
        ({"AWS": ["arn:aws:iam::123456789012:root", "*"]}, True),
        ({"CanonicalUser": "*"}, True),
        ({"AWS": "arn:aws:iam::123456789012:root"}, False),
        ({"Service": "logging.s3.amazonaws.com"}, False),
        (None, False),
    ],
)
def test_everybody(principal: object, *, anyone: bool) -> None:
    """Every form of "everyone" counts; a denial to everyone grants nothing."""
    given = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}

    assert lets_anyone_in(policy(given)) is anyone
    assert lets_anyone_in(json.loads(json.dumps(policy({**given, "Effect": "Deny"})))) is False


def test_condition_means_the_same_in_every_form() -> None:
    """A MinIO server returns each value of a condition as a list; access and refusals stay the same."""

    def document(transport: object, prefix: object) -> dict[str, Any]:
        return {
            "Statement": [
                {
                    "Effect": "Deny",
                    "Action": ["s3:*"],
                    "Resource": ["arn:aws:s3:::*"],
                    "Condition": {"Bool": {"aws:SecureTransport": transport}},
                },
                {
                    "Effect": "Allow",
                    "Action": ["s3:ListBucket"],
                    "Resource": ["arn:aws:s3:::logs"],
                    "Condition": {"StringLike": {"s3:prefix": prefix}},
                },
            ]
        }

    sent, read = document("false", ["a/*", "b/*"]), document(["false"], ["b/*", "a/*"])
    assert refuses_plain_http([sent])
    assert refuses_plain_http([read])
    assert refuses_plain_http([document(False, "a/*")])  # noqa: FBT003 - a JSON value
    assert not refuses_plain_http([document("true", "a/*")])
    assert allowed([sent]) == allowed([read])
    assert allowed([document("false", "a/*")]) == allowed([document("false", ["a/*"])])
