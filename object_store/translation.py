"""Sorts the errors of obstore and botocore into the tree of `errors`.

The S3 error code from the server decides. The HTTP status decides only if a server sent a code that is not known here.
Of the raw text only the code, the server's own message and, if there was no answer, one line of ours pass: the rest may
hold URLs, headers and signed data. Secrets are removed from the message too. obstore gives an answer only as text
(version 0.12.1), so this module reads the answer from that text; the tests hold every form of it.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList, and MinIO's own (`XMinio…`).
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from obstore.exceptions import BaseError

from object_store import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

BOTOCORE_ERRORS = (BotoCoreError, ClientError, ResponseParserError)
"""botocore's errors; they have no common base."""

OBSTORE_ERRORS = (BaseError, OSError, ValueError)
"""obstore's errors: its own tree, FileNotFoundError for a 404, ValueError for a client that cannot be made."""

_MAX_MESSAGE = 300

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

_ANSWER = re.compile(r"Server returned non-2xx status code: (?P<status>\d{3})[^:\n]*: (?P<body>.*)", re.DOTALL)
_NO_ANSWER = re.compile(r"HttpError|reqwest::Error")
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(\w+)")
_CERTIFICATE_BY_PYTHON = re.compile(r"(?:certificate verify failed: |(?=hostname))([^(]+)")
_BROKEN_OFF = re.compile(r"EOF occurred|UNEXPECTED_EOF|reset by peer", re.IGNORECASE)
_LOST = "the connection was lost before the answer was complete"
_NO_TLS = "the server there does not speak TLS; is it an http:// endpoint?"
_SIGNED_QUERY = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"'<>]+", re.IGNORECASE)

# Searched in the part of obstore's text about the connection; the first match is the reason.
_CONNECTION_FAULTS = (
    ("dns error", "the host name does not resolve"),
    ("ConnectionRefused", "nothing listens there (connection refused)"),
    ("InvalidContentType", _NO_TLS),
    ("TimedOut", "no answer in time"),
    ("kind: Timeout", "no answer in time"),
    ("ConnectionReset", _LOST),
    ("IncompleteMessage", _LOST),
    ("UnexpectedEof", _LOST),
    ("BrokenPipe", _LOST),
)

_BOTOCORE_FAULTS = (
    (EndpointConnectionError, "nothing listens there, or its name does not resolve"),
    (ConnectTimeoutError, "no answer in time"),
    (HTTPClientError, _LOST),
)


@dataclass(frozen=True)
class Place:
    """The subject of an operation, and the secrets that its messages must not hold."""

    endpoint: str
    bucket: str
    key: str | None
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What a server said when it refused a request."""

    status: int
    code: str | None
    message: str


def translated(raw: Exception, place: Place) -> errors.ObjectStoreError:
    """Turn an error of a client into one of ours; return one of ours unchanged."""
    if isinstance(raw, errors.ObjectStoreError):
        return raw
    if isinstance(raw, BOTOCORE_ERRORS):
        return _from_botocore(raw, place)
    return _from_obstore(raw, place)


def _from_obstore(raw: Exception, place: Place) -> errors.ObjectStoreError:
    text = str(raw)
    answer = answer_of(raw)
    if answer is not None:
        return _from_answer(answer, place)
    if "incorrectly configured region" in text:
        return errors.WrongRegion("the server redirected the request", bucket=place.bucket, key=place.key)
    connection = _NO_ANSWER.search(text)
    if connection is not None:
        return _from_connection(text[connection.start() :], place)
    first_line = _clean(text.partition("\n")[0], place.secrets)
    return errors.UnexpectedAnswer(
        f"the answer of {place.endpoint} is not understood: {first_line}", bucket=place.bucket, key=place.key
    )


def _from_botocore(raw: Exception, place: Place) -> errors.ObjectStoreError:
    if isinstance(raw, ClientError):
        given = raw.response["Error"]
        code, status = given.get("Code", ""), raw.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == "500":  # the code that botocore sets for a 200 that it cannot read
            return errors.UnexpectedAnswer(
                f"the answer of {place.endpoint} broke off, or is not an S3 answer",
                bucket=place.bucket,
                key=place.key,
            )
        # botocore sets the status as the code if an answer has no code.
        return _from_answer(Answer(status, None if code.isdigit() else code or None, given.get("Message", "")), place)
    if isinstance(raw, SSLError):
        certificate = _CERTIFICATE_BY_PYTHON.search(str(raw))
        if certificate:
            return _untrusted(certificate, place)
        return _unreachable(_LOST if _BROKEN_OFF.search(str(raw)) else _NO_TLS, place)
    for kind, reason in _BOTOCORE_FAULTS:
        if isinstance(raw, kind):
            return _unreachable(reason, place)
    return errors.UnexpectedAnswer(
        f"the answer of {place.endpoint} is not understood ({type(raw).__name__})",
        bucket=place.bucket,
        key=place.key,
    )


def answer_of(raw: Exception) -> Answer | None:
    """Read a server's answer from obstore's text; None if there was no answer."""
    text = str(raw).partition("\n\nDebug source:")[0]
    found = _ANSWER.search(text)
    if found is None:
        return None
    body = found["body"]
    code, message = (re.search(rf"<{name}>([^<]*)</{name}>", body) for name in ("Code", "Message"))
    return Answer(
        status=int(found["status"]),
        code=code[1] if code else None,
        message=html.unescape(message[1]) if message else "",
    )


def _from_answer(answer: Answer, place: Place) -> errors.ObjectStoreError:
    if answer.code is None:
        return _without_code(answer.status, place)
    message = _clean(answer.message, place.secrets)
    error = _CODES.get(answer.code) or _by_status(answer.status)
    return error(
        message or f"the server answered {answer.status}",
        bucket=place.bucket,
        key=place.key,
        code=_clean(answer.code, place.secrets),
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


def _without_code(status: int, place: Place) -> errors.ObjectStoreError:
    """Translate an answer that no S3 server gives: from a proxy, a console, or a port that speaks TLS."""
    if status == 400 and place.endpoint.startswith("http://"):  # noqa: PLR2004  # HTTP
        return _unreachable("the server there does not speak plain HTTP; is it an https:// endpoint?", place)
    error = errors.Unavailable if status >= 500 else errors.UnexpectedAnswer  # noqa: PLR2004  # HTTP
    return error(
        f"{place.endpoint} answered {status} without an S3 error", bucket=place.bucket, key=place.key, status=status
    )


def _from_connection(text: str, place: Place) -> errors.ObjectStoreError:
    certificate = _CERTIFICATE.search(text)
    if certificate is not None:
        return _untrusted(certificate, place)
    reasons = (reason for mark, reason in _CONNECTION_FAULTS if mark in text)
    return _unreachable(next(reasons, "the connection failed"), place)


def _untrusted(found: re.Match[str] | None, place: Place) -> errors.CertificateNotTrusted:
    detail = f" ({found[1].strip()})" if found else ""
    return errors.CertificateNotTrusted(
        f"the TLS certificate of {place.endpoint} is not trusted{detail}", bucket=place.bucket, key=place.key
    )


def _unreachable(reason: str, place: Place) -> errors.EndpointUnreachable:
    if reason is _LOST and place.endpoint.startswith("http://"):
        reason += "; if the server speaks TLS, the endpoint must begin with https://"
    return errors.EndpointUnreachable(
        f"{place.endpoint} cannot be reached: {reason}", bucket=place.bucket, key=place.key
    )


def _clean(text: str, secrets: Iterable[str]) -> str:
    """Return a server's text as one line, without secrets and of limited length."""
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote_plus(secret), quote(secret)}:
            text = text.replace(form, "***")
    return " ".join(_SIGNED_QUERY.sub(r"\1***", text).split())[:_MAX_MESSAGE]
