"""Faults between the suite and a store, one class for each fault, for `trials.faulty_proxy`.

The rule: `when` says which requests a fault applies to; it is called once for each request, and other requests stay
unchanged. A fault does not use sockets: how an answer ends and how long it waits are values that the proxy acts on.
Requests keep the client's signature, except where a fault changes signed parts and signs again with the request's key.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from threading import Lock
from urllib.parse import parse_qs

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from verify.target import Target

Headers = tuple[tuple[str, str], ...]
_SIGNATURE_PARAMETERS = re.compile(
    r"X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Security-Token|Content-Sha256)=", re.IGNORECASE
)
# Headers of a single connection, which must not be part of a signature that passes a proxy.
HOP_BY_HOP = frozenset({"connection", "expect", "keep-alive", "proxy-connection", "te", "upgrade"})
_CREDENTIAL = re.compile(r"Credential=([^/,]+)/")


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header; upper and lower case in its name do not matter."""
    return next((value for held, value in headers if held.lower() == name.lower()), None)


def without(headers: Headers, name: str) -> Headers:
    """All headers except one."""
    return tuple((held, value) for held, value in headers if held.lower() != name.lower())


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    Attributes:
        method: As sent.
        path: As sent, percent-encoded, without the query.
        query: As sent, without the question mark.
        headers: In the order of arrival.
        body: As sent, without the chunk framing of HTTP; empty when a fault's `when` is called.
        count: Its number among all requests to the proxy, from 1.
        secure: Whether it came over TLS.
    """

    method: str
    path: str
    query: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    count: int
    secure: bool

    @property
    def target(self) -> str:
        """Path and query, as in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Ending(Enum):
    """How an answer ends; an answer without a body is lost completely unless it ends well.

    Over TLS Python's clients see both bad endings as a truncated answer: OpenSSL reports a reset as an early end.
    """

    WELL = auto()
    RESET = auto()
    TRUNCATED = auto()


@dataclass(frozen=True)
class Response:
    """An answer; its Content-Length is the body's length, or the header's value for a HEAD.

    Attributes:
        status: Of HTTP.
        headers: In their order.
        body: Without the chunk framing of HTTP.
        ending: How it ends.
        as_is: Headers and body are sent without a Content-Length of the proxy's, and the connection is closed after it.
        version: Of HTTP.
    """

    status: int
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    ending: Ending = Ending.WELL
    as_is: bool = False
    version: str = "HTTP/1.1"


When = Callable[[Request], bool]


@dataclass
class On:
    """Which requests a fault applies to; thread-safe.

    Attributes:
        method: A regular expression that matches the whole method.
        path: A regular expression that is found in the path.
        query: A regular expression that is found in the query.
        skip: How many of these requests are left unchanged first.
        times: To how many requests it applies then; None for all that follow.
    """

    method: str = ".*"
    path: str = ""
    query: str = ""
    skip: int = 0
    times: int | None = None
    seen: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __call__(self, request: Request) -> bool:
        """Whether the fault applies to this request; each request is counted once."""
        fits = re.fullmatch(self.method, request.method) and re.search(self.path, request.path)
        if not fits or not re.search(self.query, request.query):
            return False
        with self._lock:
            self.seen += 1
            return self.seen > self.skip and (self.times is None or self.seen <= self.skip + self.times)


def always(_: Request) -> bool:
    """Every request."""
    return True


def expired_link(request: Request) -> bool:
    """A presigned URL that has expired."""
    given = parse_qs(request.query)
    if "X-Amz-Date" not in given or "X-Amz-Expires" not in given:
        return False
    signed_at = datetime.strptime(given["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return datetime.now(UTC) > signed_at + timedelta(seconds=int(given["X-Amz-Expires"][0]))


@dataclass
class Fault:
    """The base class, without a fault; subclasses override one of its methods.

    Attributes:
        when: Which requests it applies to.
        resets_request: The proxy resets the connection after half of the request's body; the store gets nothing.
        ends_service: The proxy resets every connection and stops listening.
        stall_seconds: How long the proxy delays the store's answer.
    """

    when: When = field(default=always, kw_only=True)
    resets_request = False
    ends_service = False
    stall_seconds = 0.0

    def rewrite(self, request: Request) -> Request:
        """The request that the store gets."""
        return request

    def answer(self, request: Request) -> Response | None:
        """An answer instead of the store's; None to forward the request to the store."""
        del request
        return None

    def alter(self, request: Request, response: Response) -> Response:
        """The answer that the client gets."""
        del request
        return response


@dataclass
class Gone(Fault):
    """The server is gone: from the first such request on, connections are refused."""

    ends_service = True


@dataclass
class ResetRequest(Fault):
    """The connection is reset while the request is being sent."""

    resets_request = True


@dataclass
class ResetAnswer(Fault):
    """The store has done what was requested, but the connection is reset in the middle of the answer."""

    def alter(self, request: Request, response: Response) -> Response:
        """The same answer with another ending."""
        del request
        return replace(response, ending=Ending.RESET)


@dataclass
class TruncateAnswer(Fault):
    """The connection is closed after half of the announced body."""

    def alter(self, request: Request, response: Response) -> Response:
        """The same answer with another ending."""
        del request
        return replace(response, ending=Ending.TRUNCATED)


@dataclass
class SlowDown(Fault):
    """503 SlowDown; the store gets nothing."""

    def answer(self, request: Request) -> Response | None:
        """The same answer as S3's."""
        del request
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        return Response(503, (("Content-Type", "application/xml"),), body)


@dataclass
class Stall(Fault):
    """The store has done what was requested, but its answer comes late."""

    stall_seconds: float = 30.0


@dataclass
class WrongEtag(Fault):
    """The answer has the ETag of other bytes."""

    etag: str = '"00000000000000000000000000000000"'

    def alter(self, request: Request, response: Response) -> Response:
        """An answer without an ETag is unchanged."""
        del request
        changed = tuple((n, self.etag if n.lower() == "etag" else v) for n, v in response.headers)
        return replace(response, headers=changed)


@dataclass
class DropHeader(Fault):
    """A header is missing from the answer, such as `x-amz-expiration`."""

    name: str

    def alter(self, request: Request, response: Response) -> Response:
        """The answer without that header."""
        del request
        return replace(response, headers=without(response.headers, self.name))


@dataclass
class AcceptBadLinks(Fault):
    """Every presigned URL is accepted: expired, tampered with, or for another key or method.

    The proxy signs it again with the secret of the access key that it names; with an unknown key it is unchanged.

    Attributes:
        keys: Secret access key by access key id.
        region: The region that requests are signed for.
    """

    keys: Mapping[str, str] = field(repr=False)
    region: str

    def rewrite(self, request: Request) -> Request:
        """The same request with a signature in its headers."""
        key = parse_qs(request.query).get("X-Amz-Credential", [""])[0].partition("/")[0]
        if key not in self.keys:
            return request
        query = "&".join(pair for pair in request.query.split("&") if not _SIGNATURE_PARAMETERS.match(pair))
        return signed(replace(request, query=query), key, self.keys[key], self.region)


@dataclass
class IgnoreHeader(Fault):
    """The store does not know a header, such as `If-None-Match`; the proxy signs again if the header was signed.

    Attributes:
        name: The name of the header.
        keys: Secret access key by access key id.
        region: The region that requests are signed for.
    """

    name: str
    keys: Mapping[str, str] = field(repr=False)
    region: str

    def rewrite(self, request: Request) -> Request:
        """The same request without the header."""
        bare = replace(request, headers=without(request.headers, self.name))
        found = _CREDENTIAL.search(header(request.headers, "authorization") or "")
        if found is None or found[1] not in self.keys or bare.headers == request.headers:
            return bare
        return signed(bare, found[1], self.keys[found[1]], self.region)


@dataclass
class DoneAllTheSame(IgnoreHeader):
    """The store does a put without its condition, and the answer is the refusal."""

    def alter(self, request: Request, response: Response) -> Response:
        """S3's refusal of a put with `If-None-Match: *`."""
        del request, response
        body = b"<Error><Code>PreconditionFailed</Code><Message>The condition did not hold.</Message></Error>"
        return Response(412, (("Content-Type", "application/xml"),), body)


@dataclass
class Hook(Fault):
    """A fault that a test defines by three functions with the meaning of the methods."""

    rewriting: Callable[[Request], Request] | None = None
    answering: Callable[[Request], Response | None] | None = None
    altering: Callable[[Request, Response], Response] | None = None

    def rewrite(self, request: Request) -> Request:
        """Call the test's function, if it is given."""
        return request if self.rewriting is None else self.rewriting(request)

    def answer(self, request: Request) -> Response | None:
        """Call the test's function, if it is given."""
        return None if self.answering is None else self.answering(request)

    def alter(self, request: Request, response: Response) -> Response:
        """Call the test's function, if it is given."""
        return response if self.altering is None else self.altering(request, response)


def keys_of(target: Target) -> dict[str, str]:
    """The secrets of all identities by access key id, for faults that sign again."""
    return {p.access_key_id: p.secret_access_key.get_secret_value() for p in target.credentials.values()}


class _AsSent(S3SigV4Auth):
    """Keeps the client's payload hash header, which may say that the payload is unsigned."""

    def __init__(self, credentials: Credentials, region: str, digest: str | None) -> None:
        super().__init__(credentials, "s3", region)
        self._digest = digest

    def payload(self, request: AWSRequest) -> str:
        return self._digest or super().payload(request)


def signed(request: Request, access_key_id: str, secret_access_key: str, region: str) -> Request:
    """The request with a new signature in its headers, over all headers and for its Host."""
    host = header(request.headers, "host")
    # The proxy sets Content-Length.
    unsigned = HOP_BY_HOP | {"authorization", "content-length"}
    kept = {name: value for name, value in request.headers if name.lower() not in unsigned}
    made = AWSRequest(request.method, f"https://{host}{request.target}", headers=kept, data=request.body)
    digest = header(request.headers, "x-amz-content-sha256")
    _AsSent(Credentials(access_key_id, secret_access_key), region, digest).add_auth(made)
    return replace(request, headers=tuple((name, str(value)) for name, value in made.headers.items()))
