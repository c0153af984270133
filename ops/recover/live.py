"""Asks the server of a stack what of its state is there.

The rule: it asks with the config's endpoint and credentials, never with the state's, because those may be what is
wrong. It changes nothing.
"""

from collections.abc import Sequence
from contextlib import closing

import boto3
from botocore.config import Config

from infra.admin_api import AdminApi
from infra.live_buckets import admin_client, existing_buckets
from infra.reachable import check_reachable
from infra.settings import Settings
from model.loaded_cas import load_cas_once
from model.resources import About
from ops.adopt.live import account_id
from ops.recover import aistor, aws
from ops.recover.buckets import AT_ONCE, live_buckets
from ops.recover.lost import OF_BUCKET, Held, Live

_PATIENT = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=AT_ONCE)


def live_of(settings: Settings, held: Sequence[Held]) -> dict[Held, Live]:
    """What the server says of each resource; what is gone with its bucket or user may be left out.

    Raises:
        AdoptionError: AWS refuses the credentials, or their account is not allowed.
        CannotTellError: The server refused a question or did not answer it.
        InvalidInputError: No server answers at the endpoint, or it refuses the admin.
    """
    if not held:
        return {}
    own = settings.aistor
    if own is None:
        aws.check_account(account_id(settings), held)
    else:
        check_reachable(own.endpoint, own.ca_pem, f"{settings.where}endpoint")
    # A half-emptied state may have a setting whose bucket it has no more.
    names = {one.of for one in held if one.what is About.BUCKET or one.what in OF_BUCKET}
    there = existing_buckets(names, settings, names)
    with admin_client(settings) as client:
        found = live_buckets(client, held, there)
    if own is None:
        with closing(
            load_cas_once(boto3.session.Session()).client("iam", region_name=settings.region, config=_PATIENT)
        ) as iam:
            return found | aws.live_identities(iam, held)
    with AdminApi.of(own, settings.region) as api:
        return found | aistor.live_identities(api, held)
