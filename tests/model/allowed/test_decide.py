"""model.allowed.decide: what is wider is found with a request that shows it; what means the same is proven the same."""

from typing import Any

import pytest

from model.allowed import example, more_allowed, sentence
from model.allowed.statements import Cloud
from tests.model.allowed.plans import CLOUDS, governed, plan

RAW = "arn:aws:s3:::joelclaw-local-usw2-media-raw"


def allow(*actions: str, resource: object = f"{RAW}/*", **more: object) -> dict[str, Any]:
    """A document of one statement."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_plan_is_proven_equal_to_itself(cloud: Cloud) -> None:
    """The documents of each identity allow nothing more than themselves."""
    for identity in plan().identities:
        access = governed(identity.name, cloud)

        assert more_allowed(access, access) is None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_put_under_a_prefix_is_found(cloud: Cloud) -> None:
    """A second policy that lets the reader put under a prefix is found, and said in words."""
    planned = governed("reader", cloud)
    live = governed("reader", cloud, allow("s3:PutObject", resource=f"{RAW}/2026/*"))

    found = more_allowed(live, planned)

    assert found is not None
    assert (found.action, found.bucket, found.key[:5]) == ("s3:PutObject", RAW.partition(":::")[2], "2026/")
    assert sentence(found) == "`reader` may put under `2026/*` of `joelclaw-local-usw2-media-raw`"
    assert example(found).startswith(f"`s3:PutObject` on `{RAW}/2026/")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_less_is_not_more(cloud: Cloud) -> None:
    """Documents without some of the planned ones allow nothing more."""
    planned = governed("reader", cloud, allow("s3:PutObject", resource=f"{RAW}/2026/*"))

    assert more_allowed(governed("reader", cloud), planned) is None
