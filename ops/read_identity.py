"""Chooses the identity that reads a live bucket for the preview: one that may list it, with its own key pair.

The rule: never the administrator. The identity comes from the published plan, and the client uses the key pair that the
stack published for it. The verifier is unsuitable, because it may list only `.verify/`. It leaves out where the key
pairs come from, and what is read.
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra import s3_client
from model.deployment import Deployment, KeyPair
from model.plan import IdentityPlan
from model.taxonomy import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

#: The least access that suffices comes first.
_PREFERRED = (Access.READ, Access.APPEND, Access.WRITE)


def reader_for(deployment: Deployment, bucket: str) -> IdentityPlan | None:
    """The identity that may list a bucket and has the fewest other rights in it; None if there is none.

    An identity with a role is skipped, because it has no key pair.
    """
    found = [
        (_PREFERRED.index(grant.access), place, identity)
        for place, identity in enumerate(deployment.plan.identities)
        if identity.name not in deployment.roles
        for grant in identity.grants
        if grant.bucket == bucket
    ]
    return min(found)[2] if found else None


@contextmanager
def open_client(deployment: Deployment, key_pair: KeyPair) -> "Iterator[S3Client]":
    """An S3 client with an identity's own key pair, for the duration of the block.

    It uses the provisioning endpoint, since a preview runs where provisioning runs; on AWS the SDK finds the endpoint.
    """
    with s3_client.open_client(
        endpoint=deployment.provisioning_endpoint or deployment.endpoint,
        region=deployment.region,
        ca_pem=deployment.ca_pem,
        access_key_id=key_pair.access_key_id,
        secret_access_key=key_pair.secret_access_key.get_secret_value(),
    ) as client:
        yield client
