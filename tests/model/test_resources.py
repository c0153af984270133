"""model.resources: types, names and subjects agree in both directions."""

import pytest

from model.resources import (
    TYPES,
    About,
    By,
    about,
    identity_types,
    logical_name,
    numbered,
    subject_of,
    types_about,
    with_numbers,
)

ALL: list[tuple[By, About]] = [(by, what) for by, types in TYPES.items() for what in types]
SUBJECT = "docs-policy-2"  # a name that looks like the end of another


@pytest.mark.parametrize(("by", "what"), ALL)
def test_type_tells_what_it_is_about(by: By, what: About) -> None:
    """Each type configures one thing, for any implementation."""
    assert about(TYPES[by][what]) is what
    assert TYPES[by][what] in types_about(what)


@pytest.mark.parametrize(("by", "what"), ALL)
@pytest.mark.parametrize("number", [None, 1, 2, 17])
def test_name_tells_whose_it_is(by: By, what: About, number: int | None) -> None:
    """A composed name can be split again; only numbered resources have a number, and a key always has one."""
    has_number = what in (About.POLICY, About.ATTACHMENT, About.ROLE_ATTACHMENT, About.KEY)
    if (number is not None and not has_number) or (number is None and what is About.KEY):
        return
    name = logical_name(SUBJECT, what, number)
    subject, ending = subject_of(TYPES[by][what], name)

    assert (subject, subject + ending) == (SUBJECT, name)


@pytest.mark.parametrize(
    ("what", "number", "name"),
    [
        (About.BUCKET, None, "d"),
        (About.VERSIONING, None, "d-versioning"),
        (About.RETENTION, None, "d-retention"),
        (About.LIFECYCLE, None, "d-lifecycle"),
        (About.PUBLIC_ACCESS, None, "d-public-access"),
        (About.OWNERSHIP, None, "d-ownership"),
        (About.ENCRYPTION, None, "d-encryption"),
        (About.BUCKET_POLICY, None, "d-policy"),
        (About.USER, None, "d-user"),
        (About.POLICY, None, "d-policy"),
        (About.POLICY, 2, "d-policy-2"),
        (About.ATTACHMENT, None, "d-attachment"),
        (About.ROLE, None, "d-role"),
        (About.ROLE_ATTACHMENT, 3, "d-attachment-3"),
        (About.KEY, 1, "d-key-1"),
    ],
)
def test_names_are_those_of_stacks_that_stand(what: About, number: int | None, name: str) -> None:
    """Names match deployed stacks; another name would recreate the resource on every stack."""
    assert logical_name("d", what, number) == name


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        (TYPES["v3"][About.KEY], "worker-key", ("worker-key", "")),
        (TYPES["v3"][About.USER], "worker", ("worker", "")),
        (TYPES["aws"][About.KEY], "worker-key-12", ("worker", "-key-12")),
        ("random:index/randomId:RandomId", "worker-user", ("worker-user", "")),
        ("", "x", ("x", "")),
    ],
)
def test_name_of_another_is_whole(kind: str, name: str, found: tuple[str, str]) -> None:
    """A name that this project did not compose has no subject."""
    assert subject_of(kind, name) == found


def test_policies_are_numbered_from_the_second() -> None:
    """The first policy keeps its name when others are added."""
    assert [numbered("p", number) for number, _ in with_numbers("abc")] == ["p", "p-2", "p-3"]
    assert (list(with_numbers("")), list(with_numbers("a"))) == ([], [(None, "a")])


def test_types_of_another_program_are_about_nothing() -> None:
    """Foreign types have no subject and are still shown by their type."""
    assert about("aws:s3/bucketNotification:BucketNotification") is None


def test_identities_differ_by_admin_api_and_buckets_do_not() -> None:
    """A stack that moves to the other admin API keeps its buckets' resources unchanged."""
    assert not identity_types("v3") & identity_types("v4")
    assert TYPES["v3"][About.LIFECYCLE] == TYPES["v4"][About.LIFECYCLE]
