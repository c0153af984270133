"""Sorts the errors of botocore, and the answers that are errors, into the tree of `errors`.

The S3 error code from the server decides. The HTTP status decides only if a server sent a code that is not known here.
Of the raw text only the code, the server's own message and, if there was no answer, one line of ours pass: the rest may
hold URLs, headers and signed data. Secrets are removed from the message too.

A fault of this machine is never the server's answer: `LocalFault` (no descriptor, no memory, no temporary folder).
botocore wraps it in an error of its own, so its causes are searched too.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList, and MinIO's own (`XMinio…`).
"""

from __future__ import annotations

import errno
import html
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

import urllib3.exceptions
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError

from object_store import errors
from object_store.exchange import NotHttp
from object_store.plain import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BOTOCORE_ERRORS = (BotoCoreError, ClientError, ResponseParserError, HTTPError)
"""The errors of botocore and of its HTTP library; they have no common base."""

_LOCAL_ERRNOS = frozenset({
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC, errno.EADDRNOTAVAIL, errno.EACCES,
})  # fmt: skip
_NO_NETWORK = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})

_MAX_MESSAGE = 300
SPEAKS_TLS: Final = "SpeaksTls"
"""What `clients` adds to an answer that botocore parses."""

# One code for many refusals (InvalidRequest, AccessDenied), so only the text says that it is the lock's: of MinIO and
# versitygw ("WORM protected"), and of AWS ("because object protected by object lock").
KEPT: Final = "the object is kept until its retention or legal hold ends"
_LOCKED = re.compile(r"WORM protected|protected by object lock", re.IGNORECASE)

_CODES: Final[dict[str, type[errors.ObjectStoreError]]] = {
    code: error
    for error, codes in {
        errors.NotFound: "NoSuchKey NoSuchVersion",
        errors.BucketNotFound: "NoSuchBucket",
        errors.AccessDenied: "AccessDenied AllAccessDisabled AccountProblem",
        errors.BadCredentials: (
            "InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken InvalidSecurity NotSignedUp "
            "InvalidClientTokenId TokenRefreshRequired XAdminUserNotFound"  # the last one is versitygw's, with 404
        ),
        errors.ClockSkew: "RequestTimeTooSkewed",
        errors.WrongRegion: (
            "AuthorizationHeaderMalformed PermanentRedirect TemporaryRedirect IllegalLocationConstraintException "
            "InvalidRegion"
        ),
        errors.Unavailable: (
            "SlowDown SlowDownRead SlowDownWrite ServiceUnavailable InternalError ServerBusy RequestTimeout "
            "XMinioServerNotInitialized"
        ),
        errors.QuotaExceeded: "QuotaExceeded XMinioAdminBucketQuotaExceeded XMinioStorageFull",
        errors.InvalidKey: "KeyTooLongError XMinioInvalidObjectName",
        errors.InvalidBucketName: "InvalidBucketName",
    }.items()
    for code in codes.split()
}

_CERTIFICATE_BY_PYTHON = re.compile(r"(?:certificate verify failed: |(?=hostname|no appropriate subject))([^(]+)")
_UNUSABLE: Final = (
    ("no appropriate subjectAltName", "there is no name in the certificate (no subjectAltName)"),
    ("key too weak", "its key is too short"),
    ("certificate has expired", "it has expired, or this machine's clock is ahead"),
    ("certificate is not yet valid", "it is not valid yet, or this machine's clock is behind"),
)
# As Go's servers, nginx, Apache and Tomcat say it.
_TLS_PORT = re.compile(r"HTTPS (?:server|port)|only speaks HTTPS|SSL-enabled|requires TLS", re.IGNORECASE)
_BROKEN_OFF = re.compile(r"EOF occurred|UNEXPECTED_EOF|reset by peer", re.IGNORECASE)
_LOST = "the connection was lost before the answer was complete"
_NO_TLS = "the server there does not speak TLS; is it an http:// endpoint?"
_SIGNED_QUERY = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"'<>]+", re.IGNORECASE)

# Of botocore and of urllib3, in this order: the first that fits.
_NO_ANSWER: Final = (
    ((EndpointConnectionError, NewConnectionError), "nothing listens there, or its name does not resolve"),
    ((ConnectTimeoutError, urllib3.exceptions.ConnectTimeoutError), "no answer in time"),
    ((ProxyConnectionError, ProxyError), "the proxy cannot be reached, or lets no connection through"),
    ((HTTPClientError, HTTPError), _LOST),
)


@dataclass(frozen=True)
class Place:
    """The subject of an operation, and the secrets that its messages must not hold."""

    endpoint: str
    bucket: str | None
    key: str | None
    secrets: tuple[str, ...]
    proxy: str | None = None

    @property
    def is_aws(self) -> bool:
        """Whether it is AWS, found by the SDKs' rule or named as an endpoint."""
        return not self.endpoint.startswith("http") or ".amazonaws.com" in self.endpoint

    @property
    def server(self) -> str:
        """The endpoint, and how it is reached."""
        return f"{self.endpoint} (through the proxy {self.proxy})" if self.proxy else self.endpoint


@dataclass(frozen=True)
class Said:
    """What a server said when it refused a request.

    Attributes:
        status: the HTTP status.
        code: the S3 error code; None if there is none.
        message: the server's own words.
        location: where a redirect leads.
        speaks_tls: whether the body says that the port expects TLS.
    """

    status: int
    code: str | None
    message: str
    location: str | None = None
    speaks_tls: bool = False

    @classmethod
    def of(cls, status: int, body: str, location: str | None = None) -> Said:
        """Read the body of an answer, which is XML if S3 sent it."""
        code, message = (re.search(rf"<{name}>([^<]*)</{name}>", body) for name in ("Code", "Message"))
        said = html.unescape(message[1]) if message else ""
        return cls(status, code[1] if code else None, said, location, says_tls(body))


def says_tls(body: str) -> bool:
    """Whether an answer to plain HTTP says that its port expects TLS."""
    return _TLS_PORT.search(body) is not None


def is_of_a_client(raw: BaseException) -> bool:
    """Whether an exception is to be translated; all others (an interruption, a fault of the program) pass unchanged."""
    known = (*BOTOCORE_ERRORS, errors.ObjectStoreError, OSError, MemoryError)
    return isinstance(raw, known) or _is_without_thread(raw)


def translated(raw: BaseException, place: Place) -> errors.ObjectStoreError:
    """Turn an error of a client into one of ours; return one of ours unchanged."""
    if isinstance(raw, errors.ObjectStoreError):
        return raw
    fault = _fault_of_this_machine(raw)
    if fault is not None:
        return errors.LocalFault(fault, bucket=place.bucket, key=place.key)
    if _errno_of(raw) in _NO_NETWORK:
        return _unreachable("no network leads there from this machine", place)
    return _from_botocore(raw, place)


def _fault_of_this_machine(raw: BaseException) -> str | None:
    """Why this machine could not do it; None if it could."""
    if isinstance(raw, MemoryError) or _is_without_thread(raw):
        return f"this machine has too little left: {raw or 'no memory'}"
    if isinstance(raw, OSError) and raw.errno is not None and not isinstance(raw, ConnectionError | TimeoutError):
        where = f" ({raw.filename})" if raw.filename else ""
        return f"this machine cannot do it: {raw.strerror}{where}"
    number = _errno_of(raw)
    return f"this machine cannot do it: {os.strerror(number)}" if number in _LOCAL_ERRNOS else None


def _errno_of(raw: BaseException) -> int | None:
    """The system's number for the fault of a connection, wherever a client keeps it."""
    return next((each.errno for each in _causes(raw) if isinstance(each, OSError)), None)


def _is_without_thread(raw: BaseException) -> bool:
    return isinstance(raw, RuntimeError) and "can't start new thread" in str(raw)


def _causes(raw: BaseException | None) -> Iterator[BaseException]:
    """The errors behind one of botocore's or urllib3's, which hold the first as an argument."""
    while raw is not None:
        yield raw
        held = (getattr(raw, "kwargs", {}).get("error"), *raw.args)
        raw = next((each for each in held if isinstance(each, BaseException)), raw.__cause__)


def _from_botocore(raw: BaseException, place: Place) -> errors.ObjectStoreError:
    if isinstance(raw, ClientError):
        given = raw.response["Error"]
        code, status = given.get("Code") or "", raw.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == "500":  # the code that botocore sets for a 200 that it cannot read
            return errors.UnexpectedAnswer(
                f"the answer of {place.server} broke off, or is not an S3 answer",
                bucket=place.bucket,
                key=place.key,
            )
        # botocore sets the status as the code if an answer has no code.
        named, message = None if code.isdigit() else code or None, given.get("Message") or ""
        return refused(Said(status, named, message, speaks_tls=bool(raw.response.get(SPEAKS_TLS))), place)
    if isinstance(raw, SSLError | urllib3.exceptions.SSLError):
        certificate = _CERTIFICATE_BY_PYTHON.search(str(raw))
        if certificate:
            return _untrusted(certificate[1], str(raw), place)
        return _unreachable(_LOST if broke_off(raw) else _NO_TLS, place)
    for kinds, reason in () if isinstance(raw, NotHttp) else _NO_ANSWER:
        if isinstance(raw, kinds):
            return _unreachable(reason, place)
    return errors.UnexpectedAnswer(
        f"the answer of {place.server} is not understood ({type(raw).__name__})",
        bucket=place.bucket,
        key=place.key,
    )


def broke_off(raw: BaseException) -> bool:
    """Whether a TLS connection ended too early, rather than that the certificate is wrong."""
    return _BROKEN_OFF.search(str(raw)) is not None


def refused(answer: Said, place: Place) -> errors.ObjectStoreError:
    """Turn an answer other than a success into one of our errors."""
    if answer.code is None:
        return _without_code(answer, place)
    message = without_secrets(answer.message, place.secrets)
    error = _CODES.get(answer.code) or _by_status(answer.status)
    if _LOCKED.search(answer.message):
        error, message = errors.ObjectLocked, f"{KEPT}: {message}"
    return error(
        message or f"the server answered {answer.status}",
        bucket=place.bucket,
        key=place.key,
        code=without_secrets(answer.code, place.secrets),
        status=answer.status,
    )


def _by_status(status: int) -> type[errors.ObjectStoreError]:
    """Class for a code that is not in the table."""
    by_status: dict[int, type[errors.ObjectStoreError]] = {
        401: errors.BadCredentials,
        403: errors.AccessDenied,
        404: errors.NotFound,
        429: errors.Unavailable,
    }
    return by_status.get(status, errors.Unavailable if status >= 500 else errors.RequestRefused)  # noqa: PLR2004  # HTTP


def _without_code(answer: Said, place: Place) -> errors.ObjectStoreError:
    """Translate an answer that no S3 server gives: from a proxy, a console, or a port that speaks TLS."""
    status = answer.status
    if status == 407:  # noqa: PLR2004  # HTTP: from a proxy, never from a server
        return _unreachable("the proxy wants a user and a password, or others than these", place)
    if status == 400 and answer.speaks_tls and place.endpoint.startswith("http://"):  # noqa: PLR2004  # HTTP
        return _unreachable("the server there does not speak plain HTTP; is it an https:// endpoint?", place)
    error = errors.Unavailable if status >= 500 else errors.UnexpectedAnswer  # noqa: PLR2004  # HTTP
    leads = f", a redirect to {without_secrets(answer.location, place.secrets)}," if answer.location else ""
    return error(
        f"{place.server} answered {status}{leads} without an S3 error",
        bucket=place.bucket,
        key=place.key,
        status=status,
    )


def _untrusted(detail: str, text: str, place: Place) -> errors.CertificateNotTrusted:
    reason = next((reason for mark, reason in _UNUSABLE if mark in text), None)
    error = errors.CertificateNotTrusted if reason is None else errors.CertificateUnusable
    return error(
        f"the TLS certificate of {place.server} is not trusted: {reason or detail.strip()}",
        bucket=place.bucket,
        key=place.key,
    )


def _unreachable(reason: str, place: Place) -> errors.EndpointUnreachable:
    if reason is _LOST and place.endpoint.startswith("http://"):
        reason += "; if the server speaks TLS, the endpoint must begin with https://"
    if place.proxy is not None:
        reason += "; if it is reached without a proxy, add its host to NO_PROXY"
    return errors.EndpointUnreachable(f"{place.server} cannot be reached: {reason}", bucket=place.bucket, key=place.key)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return a server's text as one line for a terminal, without secrets and of limited length."""
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote_plus(secret), quote(secret)}:
            text = text.replace(form, "***")
    return escaped(" ".join(_SIGNED_QUERY.sub(r"\1***", text).split())[:_MAX_MESSAGE])
