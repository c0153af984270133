"""Where an object is, as URL, and the signature of a request for it: AWS Signature Version 4.

botocore's signer of headers takes a third of the time of a small request, so `signed_headers` is our own. Presigned
URLs, of which a program makes few, are botocore's.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from object_store.config import aws_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from object_store.config import StoreConfig

_DEFAULT_PORT: Final = re.compile(r"^(https://.*(?=:443$)|http://.*(?=:80$)):[0-9]+$")


def origin_of(config: StoreConfig, bucket: str) -> str:
    """Scheme and host of a bucket's URL, as the `Host` header names it: without a default port."""
    if config.endpoint is not None:
        return _without_default_port(config.endpoint)
    url = aws_endpoint(config.region)
    return url if _is_in_path(config, bucket) else url.replace("https://", f"https://{bucket}.")


@lru_cache(maxsize=64)
def _without_default_port(endpoint: str) -> str:
    return _DEFAULT_PORT.sub(r"\1", endpoint)


def target_of(config: StoreConfig, bucket: str, key: str, query: Mapping[str, str] | None = None) -> str:
    """Path and query of an object's URL, percent-encoded, the parameters in order."""
    path = quote(f"/{bucket}/{key}" if _is_in_path(config, bucket) else f"/{key}", safe="-._~/")
    return f"{path}?{urlencode(sorted(query.items()), quote_via=quote)}" if query else path


def presigned(
    config: StoreConfig, method: str, bucket: str, key: str, seconds: int, headers: Mapping[str, str] | None = None
) -> str:
    """URL with which its holder can do one thing until it expires, and only with these headers."""
    url = origin_of(config, bucket) + target_of(config, bucket, key)
    request = AWSRequest(method=method, url=url, headers=dict(headers or {}))
    credential = Credentials(config.access_key_id, config.secret_access_key, config.session_token)
    S3SigV4QueryAuth(credential, "s3", config.region, expires=seconds).add_auth(request)
    return str(request.url)


def _is_in_path(config: StoreConfig, bucket: str) -> bool:
    # AWS's wildcard certificate covers one label.
    return config.endpoint is not None or config.path_style or "." in bucket


def signed_headers(
    config: StoreConfig, method: str, host: str, target: str, headers: Mapping[str, str], sha256: str
) -> dict[str, str]:
    """Return all headers of a request, the signature with them.

    Args:
        config: region and credential.
        method: the HTTP method.
        host: the `Host` header, without a default port.
        target: path and query as they are sent: percent-encoded, parameters in order.
        headers: further headers, by lower-case name.
        sha256: SHA-256 of the body, hexadecimal.
    """
    now = _shown(int(time.time()))
    signed = {**headers, "host": host, "x-amz-content-sha256": sha256, "x-amz-date": now}
    if config.session_token is not None:
        signed["x-amz-security-token"] = config.session_token
    names = sorted(signed)
    listed = ";".join(names)
    lines = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in names)
    path, _, query = target.partition("?")
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{listed}\n{sha256}"
    scope = f"{now[:8]}/{config.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = _digest(_key(config.secret_access_key, now[:8], config.region), text).hex()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={config.access_key_id}/{scope}, SignedHeaders={listed}, Signature={signature}"
    )
    return signed


@lru_cache(maxsize=8)
def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=64)
def _key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _digest(key, part)
    return key


def _digest(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
