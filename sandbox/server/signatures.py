"""Verification of SigV4 signatures, in headers and in presigned URLs, by computing them again with botocore's signers.

The rule: a signature is valid if botocore computes the same one from the secret, the signed headers and the request as
it arrived. Only signed input of the client is used. A temporary key is valid only with its session token and before its
end. SigV2 is refused, because no client here uses it. Left out: the owner of the key and its permissions.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from sandbox.server.answers import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server.web import Request

MAX_SKEW = timedelta(minutes=15)
MAX_PRESIGNED = 604800  # seconds (a week)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_HEX_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_HEADER = re.compile(r"AWS4-HMAC-SHA256\s+Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)\s*")
_QUERY_NAMES = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


class _Exactly:
    """Signs exactly the headers that the client signed."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        headers = HTTPHeaders()
        for name in request.context["signed"]:
            headers[name.lower()] = request.headers.get(name, "")
        return headers


class _S3Header(_Exactly, S3SigV4Auth):
    pass


class _S3Query(_Exactly, S3SigV4QueryAuth):
    pass


class _Plain(_Exactly, SigV4Auth):
    pass


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature in a request, and its parameters."""

    access_key: str
    region: str
    service: str
    timestamp: str
    signed_headers: tuple[str, ...]
    value: str
    #: Lifetime of a presigned URL in seconds; None for a signature in the header.
    expires: int | None
    #: Whether it signs the policy of a form (`sandbox.server.forms`).
    of_form: bool = False

    @property
    def way(self) -> Literal["POST", "REST-HEADER", "REST-QUERY-STRING"]:
        """The value of the condition key s3:authType."""
        if self.of_form:
            return "POST"
        return "REST-HEADER" if self.expires is None else "REST-QUERY-STRING"


@dataclass(frozen=True, slots=True)
class Session:
    """The token of a temporary key, and its end."""

    token: str
    expires: datetime

    def __repr__(self) -> str:
        """Without the token."""
        return f"Session({self.expires.isoformat()})"


def read_signature(request: Request) -> Signature | None:
    """The signature of a request, or None for an unsigned request. Refuses a malformed signature."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _from_header(authorization, request)
    if "X-Amz-Signature" in request.parameters or "X-Amz-Algorithm" in request.parameters:
        return _from_query(request)
    if "Signature" in request.parameters and "AWSAccessKeyId" in request.parameters:
        raise _unsupported()
    return None


def _from_header(authorization: str, request: Request) -> Signature:
    if not authorization.startswith("AWS4-HMAC-SHA256"):
        raise _unsupported()
    found = _HEADER.fullmatch(authorization)
    scope = found.group(1).rsplit("/", 4) if found else []
    if found is None or len(scope) != 5 or scope[4] != "aws4_request":  # noqa: PLR2004 - key, date, region, service, end
        raise ApiError("AuthorizationHeaderMalformed", "The authorization header that you provided is not valid.", 400)
    timestamp = request.headers.get("x-amz-date", "")
    if _moment(timestamp) is None or not timestamp.startswith(scope[1]):
        raise ApiError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", 403)
    headers = tuple(found.group(2).split(";"))
    return Signature(scope[0], scope[2], scope[3], timestamp, headers, found.group(3), None)


def _from_query(request: Request) -> Signature:
    given = [request.parameters.get(name) for name in _QUERY_NAMES]
    values = [value for value in given if value is not None]
    if len(values) != len(given):
        raise _query_error(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    algorithm, credential, value, timestamp, headers, expires = values
    scope = credential.rsplit("/", 4)
    if algorithm != "AWS4-HMAC-SHA256" or len(scope) != 5 or scope[4] != "aws4_request":  # noqa: PLR2004 - key, date, region, service, end
        raise _query_error("Error parsing the X-Amz-Credential parameter.")
    if _moment(timestamp) is None:
        raise _query_error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    if not re.fullmatch(r"-?\d+", expires):
        raise _query_error("X-Amz-Expires should be a number")
    if int(expires) < 0:
        raise _query_error("X-Amz-Expires must be non-negative")
    if int(expires) > MAX_PRESIGNED:
        raise _query_error(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
            "less than 604800 seconds"
        )
    return Signature(scope[0], scope[2], scope[3], timestamp, tuple(headers.split(";")), value, int(expires))


def verify(
    request: Request,
    signature: Signature,
    secret_key: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    session: Session | None = None,
) -> None:
    """Refuse unless the signature is valid now, covers this body, and has the session token that the key needs.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (ExpiredToken, InvalidToken)
    """
    token = request.headers.get("x-amz-security-token", request.parameters.get("X-Amz-Security-Token"))
    if session is not None and token is None:
        raise ApiError("InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.", 403)
    if token != (None if session is None else session.token):
        raise ApiError("InvalidToken", "The provided token is malformed or otherwise invalid.", 400)
    if session is not None and now() >= session.expires:
        raise ApiError("ExpiredToken", "The provided token has expired.", 400)
    if not hmac.compare_digest(_computed(request, signature, secret_key).encode(), signature.value.encode()):
        raise ApiError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            403,
        )
    _check_time(signature, now())
    _check_body(request)


def _computed(request: Request, signature: Signature, secret_key: str) -> str:
    signer = _signer(signature)(Credentials(signature.access_key, secret_key), signature.service, signature.region)
    names = signature.signed_headers
    aws_request = AWSRequest(
        method=request.method,
        url=f"https://{request.headers.get('host', '')}{request.quoted_path}",
        headers={name: request.headers.get(name, "") for name in names},
        data=request.sent_body,
    )
    # A list keeps repeated parameters; the mapping in the stubs would not.
    aws_request.params = [pair for pair in request.query if pair[0] != "X-Amz-Signature"]  # type: ignore[assignment]
    digest = request.parameters.get("X-Amz-Content-Sha256")
    if signature.expires is not None and digest:
        aws_request.headers["X-Amz-Content-SHA256"] = digest
    aws_request.context.update(timestamp=signature.timestamp, signed=names)
    to_sign = signer.string_to_sign(aws_request, signer.canonical_request(aws_request))
    computed: str = signer.signature(to_sign, aws_request)
    return computed


def _signer(signature: Signature) -> Any:  # noqa: ANN401 - botocore's signers have no common typed base
    if signature.expires is not None:
        return _S3Query
    return _S3Header if signature.service == "s3" else _Plain


def _check_time(signature: Signature, now: datetime) -> None:
    signed_at = _moment(signature.timestamp) or datetime.min.replace(tzinfo=UTC)
    if signature.expires is None:
        if abs(now - signed_at) > MAX_SKEW:
            raise ApiError(
                "RequestTimeTooSkewed",
                "The difference between the request time and the server's time is too large.",
                403,
            )
        return
    if signed_at - now > MAX_SKEW:
        raise ApiError("AccessDenied", "Request is not valid yet", 403)
    if now > signed_at + timedelta(seconds=signature.expires):
        raise ApiError("AccessDenied", "Request has expired", 403)


def _check_body(request: Request) -> None:
    digest = request.headers.get("x-amz-content-sha256", "")
    if _HEX_DIGEST.fullmatch(digest) and hashlib.sha256(request.sent_body).hexdigest() != digest.lower():
        raise ApiError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
        )


def _moment(timestamp: str) -> datetime | None:
    try:
        return datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _unsupported() -> ApiError:
    return ApiError(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        400,
    )


def _query_error(message: str) -> ApiError:
    return ApiError("AuthorizationQueryParametersError", message, 400)
