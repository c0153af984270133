"""model.allowed.requests: every operation, with the permissions that it needs and the resources that it can name."""

import pytest

from model.allowed.requests import DELETE_SEVERAL, Need, domains, operations, place, unlisted
from model.allowed.statements import Cloud
from model.allowed.strings import matches
from tests.model.allowed.plans import CLOUDS


@pytest.mark.parametrize("cloud", CLOUDS)
def test_an_operation_needs_the_action_that_names_it(cloud: Cloud) -> None:
    """At least one way asks for it, and no way is empty: nothing is allowed to everybody."""
    for one in operations(cloud):
        assert all(one.ways)
        assert one.action in {need.action for way in one.ways for need in way}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_operation_stands_twice(cloud: Cloud) -> None:
    """An action stands once, or with what it does otherwise."""
    names = [(one.action, one.says) for one in operations(cloud)]

    assert len(names) == len(set(names))


def test_minio_deletes_versions_by_two_permissions() -> None:
    """The second counts unless a policy denies it; a multi-object delete has no version that a condition sees."""
    way = (Need("s3:DeleteObject"), Need("s3:DeleteObjectVersion", unless_denied=True))
    found = {one.says: one for one in operations("aistor") if one.action == "s3:DeleteObject"}

    assert (found["delete versions"].ways, found["delete versions"].version) == ((way,), True)
    assert (found[DELETE_SEVERAL].ways, found[DELETE_SEVERAL].version) == ((way,), None)
    assert found[""].version is False


def test_minio_lists_versions_by_either_permission() -> None:
    """`s3:ListBucket` lists them as well (cmd/auth-handler.go)."""
    (found,) = [one for one in operations("aistor") if one.action == "s3:ListBucketVersions"]

    assert set(found.ways) == {(Need("s3:ListBucketVersions"),), (Need("s3:ListBucket"),)}


@pytest.mark.parametrize(
    ("action", "kind"),
    [("admin:New", "server"), ("kms:New", "kms"), ("sts:New", "server"), ("s3:New", "any"), ("x", "any")],
)
def test_an_action_that_no_list_has_is_of_its_namespace(action: str, kind: str) -> None:
    """On AWS it may name anything."""
    assert unlisted(action, "aistor").kind == kind
    assert unlisted(action, "aws").kind == "any"


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize(
    ("resource", "kind", "is_there"),
    [
        ("arn:aws:s3:::b/k", "object", True),
        ("arn:aws:s3:::b", "object", False),
        ("arn:aws:s3:::b/k", "bucket", False),
        ("arn:aws:s3:::/k", "object", False),
    ],
)
def test_resources_have_kinds(cloud: Cloud, resource: str, kind: str, *, anonymous: bool, is_there: bool) -> None:
    """A key makes an object; a bucket alone is none, and an object is no bucket."""
    if kind not in (found := domains(cloud, anonymous=anonymous)):
        pytest.fail(f"no {kind}")
    patterns = tuple(dict.fromkeys(pattern for one in found.values() for pattern in one.patterns()))
    numbers = {pattern: n for n, pattern in enumerate(patterns)}
    mask = sum(1 << n for pattern, n in numbers.items() if matches(pattern, resource))

    assert found[kind].has(mask, numbers) is is_there


def test_a_place_has_a_bucket_and_a_key() -> None:
    """What is no ARN of S3 has neither, and so has the resource for all buckets."""
    assert place("arn:aws:s3:::b/a/c") == ("b", "a/c")
    assert place("arn:aws:s3:::b") == ("b", "")
    assert place("arn:aws:s3:::*") == ("", "")
    assert place("arn:aws:iam::1:user/x") == ("", "")
