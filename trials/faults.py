"""What a store can do wrong between the suite and itself, one class a fault, for `trials.faulty_proxy`.

The rule: a fault says for which requests it is (`when`), is asked once for each, and changes nothing of the others. It
knows no sockets: how an answer ends and how long it waits are values that the proxy acts on. Signatures stay the
client's own, but for the faults that must sign again what they changed, with the key that the request names.
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
# Of one connection alone, and never part of a signature that is to pass a proxy.
HOP_BY_HOP = frozenset({"connection", "expect", "keep-alive", "proxy-connection", "te", "upgrade"})
_CREDENTIAL = re.compile(r"Credential=([^/,]+)/")


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header, whatever the spelling of its name."""
    return next((value for held, value in headers if held.lower() == name.lower()), None)


def without(headers: Headers, name: str) -> Headers:
    """All headers but one."""
    return tuple((held, value) for held, value in headers if held.lower() != name.lower())


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    Attributes:
        method: As sent.
        path: As sent, percent-encoded, without the query.
        query: As sent, without the question mark.
        headers: In the order of arrival.
        body: As sent, without the chunks of HTTP; empty while a fault's `when` is asked.
        count: Its number among all that the proxy was sent, from 1.
        secure: It came by TLS.
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
        """Path and query as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Ending(Enum):
    """How an answer ends; an answer without a body is lost as a whole unless it ends well.

    By TLS Python's clients see both of the bad endings as the missing rest: OpenSSL calls a reset an early end.
    """

    WELL = auto()
    RESET = auto()
    TRUNCATED = auto()


@dataclass(frozen=True)
class Response:
    """An answer; its Content-Length is that of the body, or what a HEAD was told."""

    status: int
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    ending: Ending = Ending.WELL


When = Callable[[Request], bool]


@dataclass
class On:
    """Which requests a fault is for; usable from several threads.

    Attributes:
        method: A regular expression that the whole method matches.
        path: One that is found in the path.
        query: One that is found in the query.
        skip: So many of these requests are let alone first.
        times: Then so many are meant; None for all that follow.
    """

    method: str = ".*"
    path: str = ""
    query: str = ""
    skip: int = 0
    times: int | None = None
    seen: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __call__(self, request: Request) -> bool:
        """Whether the fault is for this request; each is counted once."""
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
    """A presigned URL whose time is up."""
    given = parse_qs(request.query)
    if "X-Amz-Date" not in given or "X-Amz-Expires" not in given:
        return False
    signed_at = datetime.strptime(given["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return datetime.now(UTC) > signed_at + timedelta(seconds=int(given["X-Amz-Expires"][0]))


@dataclass
class Fault:
    """No fault at all; the others change one of its methods.

    Attributes:
        when: For which requests it is.
        resets_request: The connection is reset when half of the request's body has come; the store hears nothing.
        ends_service: The connection is reset, every other one too, and nobody listens any longer.
        stall_seconds: So long the store's answer is kept back.
    """

    when: When = field(default=always, kw_only=True)
    resets_request = False
    ends_service = False
    stall_seconds = 0.0

    def rewrite(self, request: Request) -> Request:
        """What the store gets."""
        return request

    def answer(self, request: Request) -> Response | None:
        """An answer in the store's place; None to ask the store."""
        del request
        return None

    def alter(self, request: Request, response: Response) -> Response:
        """What the client gets."""
        del request
        return response


@dataclass
class Gone(Fault):
    """The server is no more: from the first such request on, connections are refused."""

    ends_service = True


@dataclass
class ResetRequest(Fault):
    """The connection is reset while the request is being sent."""

    resets_request = True


@dataclass
class ResetAnswer(Fault):
    """The store did it, and the connection is reset in the middle of its answer."""

    def alter(self, request: Request, response: Response) -> Response:
        """Only the end differs."""
        del request
        return replace(response, ending=Ending.RESET)


@dataclass
class TruncateAnswer(Fault):
    """The connection is closed when half of the promised body was sent."""

    def alter(self, request: Request, response: Response) -> Response:
        """Only the end differs."""
        del request
        return replace(response, ending=Ending.TRUNCATED)


@dataclass
class SlowDown(Fault):
    """503 SlowDown; the store hears nothing."""

    def answer(self, request: Request) -> Response | None:
        """As S3 says it."""
        del request
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        return Response(503, (("Content-Type", "application/xml"),), body)


@dataclass
class Stall(Fault):
    """The store did it, and its answer comes late."""

    stall_seconds: float = 30.0


@dataclass
class WrongEtag(Fault):
    """The answer's ETag is of other bytes."""

    etag: str = '"00000000000000000000000000000000"'

    def alter(self, request: Request, response: Response) -> Response:
        """An answer without one gets none."""
        del request
        changed = tuple((n, self.etag if n.lower() == "etag" else v) for n, v in response.headers)
        return replace(response, headers=changed)


@dataclass
class DropHeader(Fault):
    """A header is missing from the answer, such as `x-amz-expiration`."""

    name: str

    def alter(self, request: Request, response: Response) -> Response:
        """All but that one."""
        del request
        return replace(response, headers=without(response.headers, self.name))


@dataclass
class AcceptBadLinks(Fault):
    """Any presigned URL is taken for right: expired, tampered with, or for another key or method.

    It is signed again with the secret of the key that it names; of a key that is not given it stays as it is.

    Attributes:
        keys: Secret access key by access key id.
        region: What requests are signed for.
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
    """The store does not know a header, such as `If-None-Match`; signed again where it was part of the signature.

    Attributes:
        name: Of the header.
        keys: Secret access key by access key id.
        region: What requests are signed for.
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
class Hook(Fault):
    """Whatever a test wants: three functions with the meaning of the methods."""

    rewriting: Callable[[Request], Request] | None = None
    answering: Callable[[Request], Response | None] | None = None
    altering: Callable[[Request, Response], Response] | None = None

    def rewrite(self, request: Request) -> Request:
        """As given."""
        return request if self.rewriting is None else self.rewriting(request)

    def answer(self, request: Request) -> Response | None:
        """As given."""
        return None if self.answering is None else self.answering(request)

    def alter(self, request: Request, response: Response) -> Response:
        """As given."""
        return response if self.altering is None else self.altering(request, response)


def keys_of(target: Target) -> dict[str, str]:
    """The secrets of all identities by access key id, for the faults that sign again."""
    return {p.access_key_id: p.secret_access_key.get_secret_value() for p in target.credentials.values()}


class _AsSent(S3SigV4Auth):
    """Keeps what the client said of its body, which may be that it did not hash it."""

    def __init__(self, credentials: Credentials, region: str, digest: str | None) -> None:
        super().__init__(credentials, "s3", region)
        self._digest = digest

    def payload(self, request: AWSRequest) -> str:
        return self._digest or super().payload(request)


def signed(request: Request, access_key_id: str, secret_access_key: str, region: str) -> Request:
    """The request with a signature of its own in its headers, over all of them and for its own Host."""
    host = header(request.headers, "host")
    # Content-Length is the proxy's to set.
    unsigned = HOP_BY_HOP | {"authorization", "content-length"}
    kept = {name: value for name, value in request.headers if name.lower() not in unsigned}
    made = AWSRequest(request.method, f"https://{host}{request.target}", headers=kept, data=request.body)
    digest = header(request.headers, "x-amz-content-sha256")
    _AsSent(Credentials(access_key_id, secret_access_key), region, digest).add_auth(made)
    return replace(request, headers=tuple((name, str(value)) for name, value in made.headers.items()))
