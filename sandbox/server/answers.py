"""Responses that the server itself creates: refusals, in the format of each API.

The rule: S3 refuses in XML, IAM and STS in their own XML, MinIO's admin API in JSON. A HEAD gets the status and no
body. Left out: responses of moto, which pass unchanged.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from xml.sax.saxutils import escape

BUCKET_REGION = "x-amz-bucket-region"


class ApiError(Exception):
    """A refusal with the code, message and status of the real server."""

    def __init__(self, code: str, message: str, status: int, **extra: str) -> None:
        """`extra` holds further elements of the XML."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.extra = extra


@dataclass(slots=True)
class Answer:
    """A complete HTTP response."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def status_line(self) -> str:
        """The status in WSGI's form: the number and a phrase."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unknown"


def s3_error(error: ApiError, resource: str) -> Answer:
    """A refusal in the format of S3."""
    request_id = uuid.uuid4().hex[:16].upper()
    extra = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in error.extra.items())
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>{extra}"
        f"<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId>"
        f"<HostId>{request_id}</HostId></Error>"
    ).encode()
    headers = [("Content-Type", "application/xml"), ("x-amz-request-id", request_id)]
    if "Region" in error.extra:
        # The answer to a HEAD has no body, and the SDKs sign again for the region that this header names.
        headers.append((BUCKET_REGION, error.extra["Region"]))
    return Answer(error.status, headers, body)


def iam_error(error: ApiError) -> Answer:
    """A refusal in the format of IAM and STS."""
    request_id = str(uuid.uuid4())
    body = (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()
    return Answer(error.status, [("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)], body)


def admin_error(error: ApiError, resource: str) -> Answer:
    """A refusal in the format of MinIO's admin API."""
    request_id = uuid.uuid4().hex[:16].upper()
    body = {
        "Code": error.code,
        "Message": error.message,
        "Resource": resource,
        "RequestId": request_id,
        "HostId": request_id,
    }
    return json_answer(error.status, body)


def json_answer(status: int, body: object) -> Answer:
    """A JSON response, without a body if there is no content."""
    if body is None:
        return Answer(status)
    return Answer(status, [("Content-Type", "application/json")], json.dumps(body).encode())
