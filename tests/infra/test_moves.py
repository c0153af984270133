"""Changes that cannot be made to an existing bucket, checked before the engine starts."""

import pytest

from infra.moves import already_there, gone_buckets, impossible_moves
from model.plan import StorePlan, build_plan
from model.taxonomy_file import load, parse


def plan_of(domains: dict[str, dict[str, object]]) -> StorePlan:
    """A plan of these domains."""
    taxonomy = parse(
        {
            "bands": load().bands.model_dump(),
            "domains": domains,
            "identities": {"reader": {"grants": {"*": "read"}}},
        },
        "test",
    )
    return build_plan(taxonomy, env="local", region_code="usw2", tls_only=True, where="test: ")


def test_lock_on_a_bucket_without_one_is_refused_with_the_steps() -> None:
    """The problem names the domain, the bucket, what is legal, and four steps with a new domain."""
    (problem,) = impossible_moves(plan_of({"a": {"band": "cold"}}), {"joelclaw-local-usw2-a": False})

    assert problem.where == "domains.a.band"
    assert "joelclaw-local-usw2-a has no object lock" in problem.wrong
    assert problem.legal == "hot or warm for this domain; cold for a new one"
    assert "a-locked: {band: cold}" in problem.paste
    assert [line.strip()[:2] for line in problem.paste.splitlines()] == ["1.", "2.", "3.", "4."]
    parse(
        {
            "bands": load().bands.model_dump(),
            "domains": {"a-locked": {"band": "cold"}},
            "identities": {"i": {"verifies": True}},
        },
        "pasted",
    )


@pytest.mark.parametrize(
    ("band", "line"), [("hot", "a-hot: {band: hot}"), ("warm", "a-warm: {band: warm, expire_after_days: 180}")]
)
def test_leaving_cold_is_refused_with_the_steps(band: str, line: str) -> None:
    """A lock is never removed, and the message names what stays locked."""
    (problem,) = impossible_moves(plan_of({"a": {"band": band}}), {"joelclaw-local-usw2-a": True})

    assert "has object lock, which cannot be removed" in problem.wrong
    assert line in problem.paste
    assert "its locked versions remain until their retention ends" in problem.paste


def test_what_can_be_done_in_place_is_not_refused() -> None:
    """Moves between hot and warm, cold buckets that stay cold, new buckets and unplanned buckets are allowed."""
    plan = plan_of({"a": {"band": "hot"}, "b": {"band": "warm"}, "c": {"band": "cold"}, "d": {"band": "cold"}})
    standing = {f"joelclaw-local-usw2-{name}": locked for name, locked in (("a", False), ("b", False), ("c", True))}

    assert impossible_moves(plan, {**standing, "joelclaw-local-usw2-gone": True}) == []


def test_renamed_domain_answers_for_its_bucket() -> None:
    """A renamed domain's bucket is the existing one with the former name."""
    plan = plan_of({"b": {"band": "hot", "renamed_from": "a"}})

    (problem,) = impossible_moves(plan, {"joelclaw-local-usw2-a": True})
    assert problem.where == "domains.b.band"


def test_buckets_that_exist_are_named_with_the_way_to_adopt_them() -> None:
    """Each existing bucket gives one problem, in order, with both commands."""
    problems = already_there({"joelclaw-b", "joelclaw-a"}, "aws")

    assert [problem.where for problem in problems] == ["joelclaw-a", "joelclaw-b"]
    assert "object-store adopt --stack aws (or, after an interrupted update: object-store recover --stack aws)" in (
        problems[0].paste
    )
    assert "if another stack has it: pulumi config set --stack aws object-store:env NAME" in problems[0].paste


def test_bucket_that_is_gone_is_named_with_the_way_back() -> None:
    """Each one has a problem of its own, which leads to `recover` and then to an update."""
    first, second = gone_buckets(["c", "a", "b"], {"b", "other"}, "https://s3", "local.yaml: ", "local")

    assert [first.where, second.where] == ["a", "c"]
    assert "the server does not have it" in first.wrong
    assert first.paste.startswith("`object-store recover --stack local`, then `pulumi up --stack local`,")
    assert gone_buckets([], set(), "https://s3", "local.yaml: ", "local") == []
    assert gone_buckets(["a"], {"a"}, None, "aws.yaml: ", "aws") == []


@pytest.mark.parametrize(
    ("endpoint", "where", "wrong", "write"),
    [
        (
            "https://s3",
            "local.yaml: object-store:endpoint",
            "https://s3 has none of the stack's 2 buckets",
            "the right endpoint",
        ),
        (None, "the SDK's credential chain", "AWS has none of the stack's 2 buckets", "the right credentials"),
    ],
)
def test_server_with_none_of_the_buckets_is_another_one_or_empty(
    endpoint: str | None, where: str, wrong: str, write: str
) -> None:
    """Both are said: the config key, or the credentials, and the command for a server that is empty."""
    (problem,) = gone_buckets(["a", "b"], {"other"}, endpoint, "local.yaml: object-store:", "local")

    assert (problem.where, problem.wrong) == (where, wrong)
    assert problem.paste.startswith(write)
    assert "`object-store recover --stack local --all-gone`, then `pulumi up --stack local`" in problem.paste
