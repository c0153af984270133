"""The signature of a request is the one that botocore computes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from object_store import signing
from object_store.signing import origin_of, signed_headers, target_of
from tests.object_store.conftest import config_for

DIGEST = "ab" * 32


class _Botocore(S3SigV4Auth):
    def payload(self, _: Any) -> str:  # noqa: ANN401 - botocore's request
        return DIGEST


@pytest.mark.parametrize("token", [None, "token=/+"])
@pytest.mark.parametrize("key", ["k", "a b+ü%/x~y", "'(!*)'", "日本/k&=?#"])
@pytest.mark.parametrize(
    ("endpoint", "bucket"),
    [
        ("http://127.0.0.1:9000", "probe"),
        ("https://store.example:443", "probe"),
        (None, "probe"),
        (None, "with.dot"),
    ],
)
@pytest.mark.parametrize("query", [{}, {"uploadId": "U+/=", "partNumber": "3"}])
def test_signature_is_botocores(
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str | None,
    bucket: str,
    key: str,
    query: dict[str, str],
    token: str | None,
) -> None:
    """Keys of any script, parameters, metadata with more than one space, a session token, any host."""
    config = config_for(endpoint, session_token=token)
    origin, target = origin_of(config, bucket), target_of(config, bucket, key, query)
    headers = {"content-type": "text/plain", "x-amz-meta-n": "two  spaces"}
    theirs = AWSRequest("PUT", origin + target, headers=dict(headers), data=b"")
    credential = Credentials(config.access_key_id, config.secret_access_key, config.session_token)
    _Botocore(credential, "s3", config.region).add_auth(theirs)
    at = datetime.strptime(theirs.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    class Clock:
        @staticmethod
        def time() -> float:
            return at.timestamp()

    monkeypatch.setattr(signing, "time", Clock)
    ours = signed_headers(config, "PUT", origin.partition("//")[2], target, headers, DIGEST)

    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours.get("x-amz-security-token") == config.session_token
