"""One signed request about one object, and its answer with every header.

The rule: an answer counts only in its own form. A redirect is never followed: an S3 server sends one only for another
region, and a client that follows it believes another host. What a 2xx answer means is read by `answers`; every other
one becomes an error of `errors` here. Requests that may be repeated are repeated after a lost connection, 429 and 5xx.

botocore's own client takes four times as long for a small object, and hides the status of an answer. obstore, which the
adapter used before, hides the headers, and follows redirects (docs/adr/0021).

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import random
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final, Literal

from urllib3.exceptions import HTTPError, ProxyError, SSLError

from object_store.connections import Connections
from object_store.signing import origin_of, signed_headers, target_of
from object_store.translation import Said, broke_off, refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from object_store.config import StoreConfig
    from object_store.exchange import Answer
    from object_store.translation import Place

_EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_ERROR_BYTES_MAXIMUM: Final = 64 * 1024
# The last retry begins at most this long after the first try. With a connect timeout of 2 s and three retries, an
# endpoint that drops packets is reported in under 10 s.
_RETRY_WINDOW_SECONDS: Final = 8.0
_FIRST_BACKOFF_SECONDS: Final = 0.2
_LONGEST_BACKOFF_SECONDS: Final = 1.0
_OK: Final = range(200, 300)
_REPEATED: Final = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Ask:
    """A request about an object.

    Attributes:
        method: GET, HEAD or PUT.
        bucket: the bucket's name.
        key: the whole key, unescaped.
        query: parameters.
        headers: headers besides those of the signature.
        body: the whole body.
        sha256: SHA-256 of the body, hexadecimal.
    """

    method: Literal["GET", "HEAD", "PUT"]
    bucket: str
    key: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    sha256: str = _EMPTY_SHA256


class Wire:
    """The connections to one server, with one credential; threads may share it."""

    def __init__(self, config: StoreConfig, ca_file: str | None) -> None:
        """Prepare the connections; nothing is sent.

        Args:
            config: the server, the credential and the limits.
            ca_file: PEM file that replaces the public CAs; None for the public CAs.
        """
        self._config = config
        self._connections = Connections(config, ca_file)

    def send(self, ask: Ask, place: Place) -> Answer:
        """Send a request, and return its 2xx answer.

        Raises:
            ObjectStoreError: any other answer.
            urllib3's errors: no answer.
        """
        ends = time.monotonic() + _RETRY_WINDOW_SECONDS
        for tried in count(1):
            pause = min(_FIRST_BACKOFF_SECONDS * 2**tried, _LONGEST_BACKOFF_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            last = tried > self._config.max_retries or time.monotonic() + pause > ends
            try:
                answer = self._once(ask)
            except HTTPError as fault:
                if last or not _may_pass(fault):
                    raise
            else:
                if answer.status in _OK:
                    return answer
                said = said_in(answer)
                if last or answer.status not in _REPEATED:
                    raise refused(said, place)
            time.sleep(pause)
        raise AssertionError  # the last try returns or raises

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close()

    def _once(self, ask: Ask) -> Answer:
        origin, target = origin_of(self._config, ask.bucket), target_of(self._config, ask.bucket, ask.key, ask.query)
        host = origin.partition("//")[2]
        headers = signed_headers(self._config, ask.method, host, target, ask.headers, ask.sha256)
        return self._connections.send(ask.method, origin, target, headers, ask.body)


def _may_pass(fault: Exception) -> bool:
    """Whether a repeated request may succeed."""
    if isinstance(fault, SSLError):
        return broke_off(fault)
    return not isinstance(fault, ProxyError)


def said_in(answer: Answer) -> Said:
    """What an answer says that is an error; its connection is let go."""
    body = b""
    with closing(answer), suppress(HTTPError):  # an answer that breaks off still has its status
        body = answer.read(_ERROR_BYTES_MAXIMUM)
    return Said.of(answer.status, body.decode("utf-8", "replace"), answer.headers.get("location"))
