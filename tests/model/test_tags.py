"""model.tags: what S3 and IAM refuse of a stack's tags."""

import pytest

from model.tags import own_tags, tag_problems

WHERE = "Pulumi.aws.yaml: object-store:tags"
OWN = own_tags("prod", "aws")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"aws:team": "home"}, "AWS reserves the prefix aws:"),
        ({"AWS:team": "home"}, "AWS reserves the prefix aws:"),
        ({"": "home"}, "the key has 0 characters"),
        ({"k" * 129: "home"}, "the key has 129 characters"),
        ({"team": "v" * 257}, "the value has 257 characters"),
        ({"team;": "home"}, "the key 'team;' has illegal characters"),
        ({"team": "a,b"}, "the value 'a,b' has illegal characters"),
        ({"team": "home\n"}, "illegal characters"),
        ({"team": "home", "Team": "work"}, "differs from 'team' only in case"),
        ({"project": "other"}, "the program sets this tag itself"),
        ({"Env": "test"}, "the program sets this tag itself"),
        ({f"tag{number}": "" for number in range(47)}, "holds 47 tags\n  legal: at most 46"),
    ],
)
def test_what_aws_refuses_is_said_first(tags: dict[str, str], expected: str) -> None:
    """One problem with the key, the legal values and the line to write."""
    (problem,) = tag_problems(tags, OWN, WHERE)

    assert expected in str(problem)
    assert WHERE in problem.where


def test_what_both_services_accept_is_accepted() -> None:
    """Letters of every script, spaces and IAM's signs; the longest key and value; an empty value; 46 tags."""
    tags = {"k" * 128: "v" * 256, "Größe": "日本 1", "a_.:/=+-@": "", "awsome": "x"}

    assert tag_problems(tags, OWN, WHERE) == []
    assert tag_problems({f"tag{number}": "" for number in range(46)}, OWN, WHERE) == []
