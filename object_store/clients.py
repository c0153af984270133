"""The two clients of a store, each made from its `StoreConfig` alone: obstore's for objects, botocore's for listing.

obstore reads every `AWS_…` variable of the process, even beside explicit arguments. A stray `AWS_ENDPOINT_URL_S3` or
`AWS_SESSION_TOKEN` would override the configuration, and `AWS_SKIP_SIGNATURE` would send the request unsigned. So this
module sets each of these options. It passes the credential through a provider, which also keeps the secret out of the
client's own attributes. One variable cannot be overridden, `AWS_SERVER_SIDE_ENCRYPTION`, so `config` refuses it.

botocore does the listing because obstore's paths are not S3's keys. obstore lists `dir/` as `dir` and `/x` as `x`. It
fails on the whole listing if one key holds `//`. It turns the prefix `2026-1` into `2026-1/`, which finds nothing.

Sources: https://developmentseed.org/obstore/latest/api/store/aws/,
https://docs.rs/object_store/latest/object_store/aws/struct.AmazonS3Builder.html
"""

from __future__ import annotations

import os
from datetime import timedelta
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from obstore.store import HTTPStore, S3Store

from object_store.config import aws_endpoint

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mypy_boto3_s3 import S3Client
    from obstore.store import ClientConfig, RetryConfig, S3Credential

    from object_store.config import StoreConfig

# The last retry begins at most this long after the first try. With a connect timeout of 2 s and three retries, an
# endpoint that drops packets is reported in under 10 s.
_RETRY_WINDOW = timedelta(seconds=8)
_FIRST_BACKOFF = timedelta(milliseconds=200)
_LONGEST_BACKOFF = timedelta(seconds=1)

# By default obstore limits the whole transfer to 30 s, which cuts off large downloads. The stall timeout ends a dead
# transfer.
_WHOLE_TRANSFER = timedelta(hours=12)

# obstore reads the environment's proxies unless it is given one, so "none" is a proxy that no host uses.
_UNUSED_PROXY = "http://127.0.0.1:9"
_EVERY_HOST = "*,0.0.0.0/0,::/0"


def object_client(config: StoreConfig, bucket: str) -> S3Store:
    """Client for the objects of one bucket."""
    endpoint, virtual_hosted = _address(config, bucket)

    def credential() -> S3Credential:
        return {
            "access_key_id": config.access_key_id,
            "secret_access_key": config.secret_access_key,
            "token": config.session_token,
            "expires_at": None,
        }

    return S3Store(
        bucket,
        endpoint=endpoint,
        aws_endpoint_url_s3=endpoint,
        virtual_hosted_style_request=virtual_hosted,
        region=config.region,
        credential_provider=credential,
        # On AWS a bucket with object lock refuses an upload without a checksum; each part gets one too.
        checksum_algorithm="sha256",
        # One DELETE per object: the answer's status shows an error, not a line inside a 200.
        disable_bulk_delete=True,
        conditional_put="etag",
        copy_if_not_exists="multipart",
        disable_tagging=False,
        skip_signature=False,
        unsigned_payload=False,
        request_payer=False,
        s3_express=False,
        client_options=_options(config),
        retry_config=_retries(config),
    )


def bare_client(config: StoreConfig) -> HTTPStore:
    """Client that connects to the endpoint exactly as `object_client` does, but signs nothing."""
    return HTTPStore.from_url(str(config.endpoint), client_options=_options(config), retry_config=_retries(config))


def _options(config: StoreConfig) -> ClientConfig:
    proxy, ca = config.proxy, config.read_ca()
    options: ClientConfig = {
        "allow_http": not config.is_tls,
        "allow_invalid_certificates": False,
        "connect_timeout": config.connect_timeout,
        "read_timeout": config.stall_timeout,
        "timeout": _WHOLE_TRANSFER,
        "proxy_url": proxy.url if proxy else _UNUSED_PROXY,
        "proxy_excludes": "" if proxy else _EVERY_HOST,
    }
    return options | {"root_certificate": ca} if ca is not None else options


def _retries(config: StoreConfig) -> RetryConfig:
    return {
        "max_retries": config.max_retries,
        "retry_timeout": _RETRY_WINDOW,
        "backoff": {"init_backoff": _FIRST_BACKOFF, "max_backoff": _LONGEST_BACKOFF, "base": 2},
    }


def _address(config: StoreConfig, bucket: str) -> tuple[str, bool]:
    """URL that obstore prepends to a key, and whether its host already names the bucket."""
    if config.endpoint is not None:
        return config.endpoint, False
    url = aws_endpoint(config.region)
    if config.path_style or "." in bucket:  # AWS's wildcard certificate covers one label
        return url, False
    return url.replace("https://", f"https://{bucket}."), True


def listing_client(config: StoreConfig, ca_file: str | None) -> S3Client:
    """Client for listing any bucket.

    Args:
        config: the store's configuration.
        ca_file: PEM file that replaces the public CAs; None for the public CAs.
    """
    with _session_lock:
        client = _session().create_client(
            "s3",
            endpoint_url=config.endpoint,
            region_name=config.region,
            aws_access_key_id=config.access_key_id,
            aws_secret_access_key=config.secret_access_key,
            aws_session_token=config.session_token,
            verify=ca_file or True,
            config=Config(
                connect_timeout=config.connect_timeout.total_seconds(),
                read_timeout=config.stall_timeout.total_seconds(),
                retries={"total_max_attempts": 1 + config.max_retries, "mode": "standard"},
                s3={
                    "addressing_style": "auto" if config.endpoint is None and not config.path_style else "path",
                    "us_east_1_regional_endpoint": "regional",  # as obstore; else a variable decides
                },
                signature_version="s3v4",
                proxies=config.botocore_proxies,
            ),
        )
    client.meta.events.register("before-call.s3", _signed_for_one_region)
    return cast("S3Client", client)


def _signed_for_one_region(context: MutableMapping[str, Any], **_: object) -> None:
    """Mark the request as sent to another region already: obstore follows to none, so botocore must not, either."""
    context.setdefault("s3_redirect", {})["redirected"] = True


# Threads may share botocore's clients, but not the session that makes them.
_session_lock = Lock()


@cache
def _session() -> botocore.session.Session:
    """The one session of the process: it holds no setting of a store, only botocore's parsed description of S3."""
    # (name in a profile, variable, value, conversion): botocore reads neither of the first two, as `config` promises.
    settings = {
        name: (None, None, value, convert) for name, (_, _, value, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    session = botocore.session.Session(
        session_vars={
            **settings,
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
            "ignore_configured_endpoint_urls": (None, None, True, None),
        }
    )
    # Parsing the time of each object takes as long as parsing the rest of a listing, and the adapter does not use it.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    return session
