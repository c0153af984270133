"""Policies on buckets themselves."""

import pytest
from pulumi_policy.proxy import UnknownValueError

from tests.policy.conftest import BUCKET, CLOUDS, TYPES, UNKNOWN, Thing, bucket, judged

pytestmark = pytest.mark.parametrize("cloud", CLOUDS)


def test_sound_bucket_breaks_nothing(cloud: str) -> None:
    """A bucket as the program declares it passes every policy on buckets."""
    for policy in ("bucket-name", "bucket-protect", "bucket-force-destroy", "bucket-acl"):
        assert judged(policy, bucket(cloud, acl="private")) == []


@pytest.mark.parametrize(
    "name",
    [
        "media-raw",
        "joelclaw-test-media-raw",
        "joelclaw-test-usw2-media.raw",
        "joelclaw-test-usw2-Media-raw",
        "joelclaw-test-usw2-media--raw",
        "joelclaw-test-usw2-media-raw\n",
        "joelclaw-thirteen-long-usw2-media-raw",
    ],
)
def test_name_against_the_convention_is_refused(cloud: str, name: str) -> None:
    """A name is project, environment, region code and domain, in lower case, without dots or a suffix."""
    (problem,) = judged("bucket-name", bucket(cloud, bucket=name))

    assert "joelclaw-{env}-{region code}-{domain}" in problem


def test_name_of_63_characters_is_the_longest(cloud: str) -> None:
    """S3's limit applies to the whole name."""
    longest = "joelclaw-test-usw2-".ljust(63, "a")

    assert judged("bucket-name", bucket(cloud, bucket=longest)) == []
    assert judged("bucket-name", bucket(cloud, bucket=longest + "a")) == [
        "the name has 64 characters, but S3 allows at most 63"
    ]


@pytest.mark.parametrize("end", ["-s3alias", "-an"])
def test_end_that_s3_reserves_is_refused(cloud: str, end: str) -> None:
    """S3 refuses the name, also where another program made it."""
    assert judged("bucket-name", bucket(cloud, bucket=f"{BUCKET}{end}")) == [
        f"the name ends with {end}, which S3 reserves for names that it makes itself"
    ]


def test_name_that_the_provider_makes_up_is_refused(cloud: str) -> None:
    """A missing name is refused; an unknown name is neither right nor wrong."""
    (problem,) = judged("bucket-name", bucket(cloud, bucket=None))
    assert "invents one" in problem

    with pytest.raises(UnknownValueError):
        judged("bucket-name", bucket(cloud, bucket=UNKNOWN))


def test_unprotected_bucket_is_refused_unless_the_stack_is_disposable(cloud: str) -> None:
    """Only the pack's own config can mark the stack as disposable, and only with `true`."""
    unprotected = bucket(cloud, protect=False)

    assert len(judged("bucket-protect", unprotected)) == 1
    assert len(judged("bucket-protect", unprotected, config={"disposable": False})) == 1
    assert len(judged("bucket-protect", unprotected, config={"disposable": "no"})) == 1
    assert judged("bucket-protect", unprotected, config={"disposable": True}) == []


def test_force_destroy_is_refused_unless_the_stack_is_disposable(cloud: str) -> None:
    """On a bucket with object lock it is always refused, because it would never end."""
    disposable = {"disposable": True}

    assert len(judged("bucket-force-destroy", bucket(cloud, forceDestroy=True))) == 1
    assert judged("bucket-force-destroy", bucket(cloud, forceDestroy=True), config=disposable) == []
    locked = bucket(cloud, locked=True, forceDestroy=True)
    assert judged("bucket-force-destroy", locked, config=disposable) == [
        "forceDestroy is enabled on a bucket with object lock"
    ]


def test_acl_that_lets_others_in_is_refused(cloud: str) -> None:
    """Only the canned ACL private is allowed, and no list of grants, on the bucket or in a separate resource."""
    assert len(judged("bucket-acl", bucket(cloud, acl="public-read"))) == 1
    assert len(judged("bucket-acl", bucket(cloud, grants=[{"permissions": ["READ"]}]))) == 1
    if cloud == "aws":
        beside = Thing(TYPES["aws"]["acl"], {"bucket": BUCKET, "accessControlPolicy": {"grants": []}})
        assert len(judged("bucket-acl", beside)) == 1
        assert judged("bucket-acl", Thing(TYPES["aws"]["acl"], {"bucket": BUCKET, "acl": "private"})) == []
