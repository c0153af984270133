"""botocore's client of a store, made from its `StoreConfig` alone: for listings, removals and uploads in parts.

The rule: botocore reads neither a variable of the environment nor a profile, only what this module sets. `wire` sends
what carries a body.
"""

from __future__ import annotations

import os
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast

import botocore.session
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from object_store.loaded_cas import loaded_once
from object_store.translation import SPEAKS_TLS, says_tls

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from mypy_boto3_s3 import S3Client

    from object_store.config import StoreConfig


_BAD_REQUEST: Final = 400


def listing_client(config: StoreConfig, ca_file: str | None) -> S3Client:
    """Client for listing any bucket.

    Args:
        config: the store's configuration.
        ca_file: PEM file that replaces the public CAs; None for the public CAs.
    """
    with _session_lock:
        client: Any = _session().create_client(
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
                    "us_east_1_regional_endpoint": "regional",  # as `wire`; else a variable decides
                },
                signature_version="s3v4",
                proxies=config.botocore_proxies,
            ),
        )
    loaded_once(client._endpoint.http_session)  # noqa: SLF001 - no public way leads to it
    client.meta.events.register("before-call.s3", _signed_for_one_region)
    client.meta.events.register("before-parse.s3", _with_what_was_said)
    return cast("S3Client", client)


def _signed_for_one_region(context: MutableMapping[str, Any], **_: object) -> None:
    """Mark the request as sent to another region already: `wire` follows to none, so botocore must not, either."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _with_what_was_said(
    response_dict: Mapping[str, Any], customized_response_dict: MutableMapping[str, Any], **_: object
) -> None:
    """Keep what botocore's error leaves out of an answer that is not S3's: whether its port wants TLS."""
    if response_dict["status_code"] == _BAD_REQUEST:
        customized_response_dict[SPEAKS_TLS] = says_tls(response_dict["body"].decode("utf-8", "replace"))


# Threads may share botocore's clients, but not the session that makes them.
_session_lock = Lock()
if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    # A child has no thread that could release it.
    os.register_at_fork(
        before=_session_lock.acquire, after_in_parent=_session_lock.release, after_in_child=_session_lock.release
    )


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
