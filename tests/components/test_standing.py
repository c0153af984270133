"""The program and what stands: refused before anything is declared, or kept under a new name."""

from typing import TYPE_CHECKING

import pulumi
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.components.conftest import Run

TYPES = {
    "aistor": ("minio:index/s3Bucket:S3Bucket", "objectLocking"),
    "aws": ("aws:s3/bucket:Bucket", "objectLockEnabled"),
}


def state(cloud: str, **locked: bool) -> "dict[str, Any]":
    """A stack's state with these buckets, and a resource that is none."""
    kind, lock = TYPES[cloud]
    buckets = {
        f"urn:{name}": {
            "type": kind,
            "outputs": {"bucket": f"joelclaw-local-usw2-{name}".replace("_", "-"), lock: value},
        }
        for name, value in locked.items()
    }
    return {**buckets, "urn:user": {"type": "aws:iam/user:User", "outputs": {"name": "x"}}}


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_move_that_cannot_be_done_declares_nothing(run_program: "Callable[..., Run]", cloud: str) -> None:
    """A lock that would have to come or go ends the program with both problems."""
    with pytest.raises(pulumi.RunError) as caught:
        run_program(cloud, state=state(cloud, media_raw=False, session_archive=True))

    assert "domains.media-raw.band: joelclaw-local-usw2-media-raw stands without object lock" in str(caught.value)
    assert "domains.session-archive.band: joelclaw-local-usw2-session-archive stands with object lock" in str(
        caught.value
    )


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_bucket_that_exists_and_is_not_the_stacks_declares_nothing(
    run_program: "Callable[..., Run]", cloud: str
) -> None:
    """Only a bucket that the state does not hold is asked for."""
    known = state(cloud, media_raw=True)
    both = {"joelclaw-local-usw2-media-raw", "joelclaw-local-usw2-docs-raw"}
    with pytest.raises(pulumi.RunError) as caught:
        run_program(cloud, state=known, existing=both)

    assert "joelclaw-local-usw2-docs-raw: the bucket exists already" in str(caught.value)
    assert "joelclaw-local-usw2-media-raw" not in str(caught.value)
    assert "python -m infra.adopt --stack test" in str(caught.value)


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_renamed_domain_keeps_its_bucket_and_answers_to_its_former_names(
    run_program: "Callable[..., Run]", cloud: str
) -> None:
    """Every resource of the bucket has the former names as aliases, and the bucket has the oldest name."""
    domains = {"third": {"band": "warm", "renamed_from": ["first", "second"]}}
    run = run_program(cloud, domains=domains)

    own = run.children("third")
    assert len(own) >= 3
    for resource in own:
        suffix = resource.name.removeprefix("third")
        assert resource.aliases == (f"first{suffix}", f"second{suffix}")
    bucket = next(resource for resource in own if resource.name == "third")
    assert bucket.inputs["bucket"] == "joelclaw-local-usw2-first"
    assert all(not resource.aliases for resource in run.children("media-raw"))


def test_domain_that_got_its_first_name_back_is_no_alias_of_itself(run_program: "Callable[..., Run]") -> None:
    """The name in between is the only alias."""
    run = run_program("aistor", domains={"first": {"band": "hot", "renamed_from": ["first", "second"]}})

    assert [resource.aliases[0] for resource in run.children("first")] == ["second", "second-lifecycle"]


def test_state_that_is_being_written_is_read_again(run_program: "Callable[..., Run]") -> None:
    """The engine writes its checkpoint while the program starts; what cannot be read then can be read soon."""
    run = run_program("aistor", unreadable=3)

    assert len(run.of("S3Bucket")) == 9


def test_state_that_stays_unreadable_declares_nothing(
    run_program: "Callable[..., Run]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last attempt the program ends with the engine's words."""
    monkeypatch.setattr("infra.standing.STATE_SECONDS", 0.3)
    with pytest.raises(pulumi.RunError, match=r"cannot be read, so nothing was declared: .*failed to load checkpoint"):
        run_program("aistor", unreadable=1000)
