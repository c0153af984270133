"""model.allowed.decide: what is wider is found with a request that shows it; what means the same is proven the same."""

from typing import Any

import pytest

from model.allowed import Access, example, more_allowed, sentence
from model.allowed.statements import Cloud, Document
from model.plan import StorePlan, build_plan
from model.policies import as_json, bucket_policy, identity_policies
from model.taxonomy_file import load

RAW = "arn:aws:s3:::joelclaw-local-usw2-media-raw"
CLOUDS: tuple[Cloud, ...] = ("aistor", "aws")


@pytest.fixture(name="plan", scope="module")
def _plan() -> StorePlan:
    return build_plan(load(), env="local", region_code="usw2", tls_only=True, where="test: ", refuses_overwrites=True)


def governed(plan: StorePlan, name: str, cloud: Cloud, *more: Document) -> Access:
    """What governs an identity of the plan, with further documents."""
    identity = next(one for one in plan.identities if one.name == name)
    documents = [as_json(one) for one in identity_policies(plan, identity, cloud)]
    of_buckets = {one.name: as_json(bucket_policy(one.name)) for one in plan.buckets} if cloud == "aws" else {}
    return Access(
        name,
        cloud,
        ((*documents, *more),),
        of_buckets,
        names=frozenset((f"arn:aws:iam::123456789012:user/{name}",)),
        known={"aws:username": (name,)},
    )


def allow(*actions: str, resource: object = f"{RAW}/*", **more: object) -> dict[str, Any]:
    """A document of one statement."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_plan_is_proven_equal_to_itself(plan: StorePlan, cloud: Cloud) -> None:
    """The documents of each identity allow nothing more than themselves."""
    for identity in plan.identities:
        access = governed(plan, identity.name, cloud)

        assert more_allowed(access, access) is None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_put_under_a_prefix_is_found(plan: StorePlan, cloud: Cloud) -> None:
    """A second policy that lets the reader put under a prefix is found, and said in words."""
    planned = governed(plan, "reader", cloud)
    live = governed(plan, "reader", cloud, allow("s3:PutObject", resource=f"{RAW}/2026/*"))

    found = more_allowed(live, planned)

    assert found is not None
    assert (found.action, found.bucket, found.key[:5]) == ("s3:PutObject", RAW.partition(":::")[2], "2026/")
    assert sentence(found) == "`reader` may put under `2026/*` of `joelclaw-local-usw2-media-raw`"
    assert example(found).startswith(f"`s3:PutObject` on `{RAW}/2026/")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_less_is_not_more(plan: StorePlan, cloud: Cloud) -> None:
    """Documents without some of the planned ones allow nothing more."""
    planned = governed(plan, "reader", cloud, allow("s3:PutObject", resource=f"{RAW}/2026/*"))

    assert more_allowed(governed(plan, "reader", cloud), planned) is None
