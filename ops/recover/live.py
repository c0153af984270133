"""Asks the server of a stack what of its state is there.

The rule: it asks with the config's endpoint and credentials, never with the state's, because those may be what is
wrong. It changes nothing.
"""

from collections.abc import Sequence
from contextlib import closing

import boto3
from botocore.config import Config

from infra.admin_api import AdminApi
from infra.reachable import check_reachable
from infra.s3_client import open_client
from infra.settings import AistorSettings, Settings
from ops.adopt.live import account_id
from ops.recover import aistor, aws
from ops.recover.buckets import AT_ONCE, live_buckets
from ops.recover.lost import Held, Live

_PATIENT = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=AT_ONCE)


def live_of(settings: Settings, held: Sequence[Held]) -> dict[Held, Live]:
    """What the server says of each resource; what is gone with its bucket or user may be left out.

    Raises:
        AdoptionError: AWS refuses the credentials, or their account is not allowed.
        CannotTellError: The server refused a question or did not answer it.
        InvalidInputError: No server answers at the endpoint.
    """
    if not held:
        return {}
    own = settings.aistor
    return _on_aws(settings, held) if own is None else _on_aistor(settings, own, held)


def _on_aistor(settings: Settings, own: AistorSettings, held: Sequence[Held]) -> dict[Held, Live]:
    check_reachable(own.endpoint, own.ca_pem, f"{settings.where}endpoint")
    with open_client(
        endpoint=own.endpoint.url,
        region=settings.region,
        ca_pem=own.ca_pem,
        access_key_id=own.admin_user,
        secret_access_key=own.admin_password,
    ) as client:
        found = live_buckets(client, held)
    with AdminApi(
        endpoint=own.endpoint.url,
        region=settings.region,
        ca_pem=own.ca_pem,
        access_key_id=own.admin_user,
        secret_access_key=own.admin_password,
    ) as api:
        return found | aistor.live_identities(api, held)


def _on_aws(settings: Settings, held: Sequence[Held]) -> dict[Held, Live]:
    aws.check_account(account_id(settings), held)
    with open_client(
        endpoint=None, region=settings.region, ca_pem=None, access_key_id=None, secret_access_key=None
    ) as client:
        found = live_buckets(client, held)
    with closing(boto3.session.Session().client("iam", region_name=settings.region, config=_PATIENT)) as iam:
        return found | aws.live_identities(iam, held)
