"""What governs each identity of the shipped plan, on both clouds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from model.allowed import Access
from model.plan import StorePlan, build_plan
from model.policies import as_json, bucket_policy, identity_policies, service_account_policy
from model.taxonomy_file import load
from tests.model.allowed import servers

if TYPE_CHECKING:
    from model.allowed.statements import Cloud, Document

CLOUDS: tuple[Cloud, ...] = ("aistor", "aws")


@cache
def plan() -> StorePlan:
    """The shipped plan, with a Deny of plain http and of overwrites where the server can refuse them."""
    return build_plan(load(), env="local", region_code="usw2", tls_only=True, where="test: ", refuses_overwrites=True)


def governed(name: str, cloud: Cloud, *more: Document, by_own_key: bool = False) -> Access:
    """What governs an identity, with further documents of its own.

    Args:
        name: The identity.
        cloud: Whose rules hold.
        more: Further documents.
        by_own_key: Whether the request is signed with a key that has a policy of its own (MinIO only).
    """
    identity = next(one for one in plan().identities if one.name == name)
    documents = tuple(as_json(one) for one in identity_policies(plan(), identity, cloud))
    account = frozenset((f"arn:aws:iam::{servers.ACCOUNT}:root", servers.ACCOUNT))
    access = Access(
        name,
        cloud,
        ((*documents, *more),),
        names=frozenset((servers.user_arn(name),)),
        accounts=account,
        known={"aws:username": (name,)},
    )
    if cloud == "aws":
        return replace(access, of_resources={one.name: as_json(bucket_policy(one.name)) for one in plan().buckets})
    if by_own_key:
        return replace(access, layers=(*access.layers, (as_json(service_account_policy(plan(), identity)),)))
    return access
