"""Uploads by an HTML form (POST to a bucket): the form holds the key, the policy and its signature.

The rule: this module reads a form, checks its signature and its policy, and returns the put that it stands for. Left
out: what the uploader may do, which the gate decides.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html; on MinIO `PostPolicyBucketHandler`
(cmd/bucket-handlers.go).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.formparser import parse_form_data

from sandbox.server.answers import ApiError
from sandbox.server.signatures import Signature
from sandbox.server.web import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SIGNING = ("key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")


@dataclass(frozen=True, slots=True)
class Form:
    """An upload by a form.

    Attributes:
        signature: Who signed the policy.
        fields: The other fields by name in lower case.
        key: The object's key.
        policy: The policy as it was signed, in base64.
        body: The file.
    """

    signature: Signature
    fields: Mapping[str, str]
    key: str
    policy: str
    body: bytes


def read(request: Request) -> Form | None:
    """The form of a request, or None if it is none."""
    of_form = request.headers.get("content-type", "").startswith("multipart/form-data")
    if request.method != "POST" or not request.bucket or request.key or not of_form:
        return None
    _, texts, files = parse_form_data({**request.environ, "wsgi.input": io.BytesIO(request.body)})
    fields = {name.lower(): value for name, value in texts.items()}
    file = files.get("file")
    if file is None or any(name not in fields for name in _SIGNING):
        raise ApiError("MalformedPOSTRequest", "The body of your POST request is not well-formed.", 400)
    key_id, day, region, service, _ = [*fields["x-amz-credential"].rsplit("/", 4), *[""] * 4][:5]
    signature = Signature(
        key_id, region, service, fields["x-amz-date"], (day,), fields["x-amz-signature"], None, of_form=True
    )
    others = {name: value for name, value in fields.items() if name not in _SIGNING}
    return Form(signature, others, fields["key"], fields["policy"], file.read())


def verify(form: Form, bucket: str, secret_key: str, now: Callable[[], datetime]) -> None:
    """Refuse unless the policy is signed with this secret, has not ended, and covers the form."""
    signature, key = form.signature, f"AWS4{secret_key}".encode()
    for part in (*signature.signed_headers, signature.region, signature.service, "aws4_request", form.policy):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(key.hex(), signature.value):
        raise ApiError("SignatureDoesNotMatch", "The request signature we calculated does not match.", 403)
    policy = json.loads(base64.b64decode(form.policy))
    if datetime.fromisoformat(policy["expiration"]) < now():
        raise ApiError("AccessDenied", "Invalid according to Policy: Policy expired.", 403)
    given = {**form.fields, "key": form.key, "bucket": bucket}
    if not all(_holds(condition, given) for condition in policy["conditions"]):
        raise ApiError("AccessDenied", "Invalid according to Policy: Policy Condition failed", 403)


def _holds(condition: Any, given: Mapping[str, str]) -> bool:  # noqa: ANN401 - an object or a list, as JSON gives it
    if isinstance(condition, dict):
        return all(_is(name, value, given) for name, value in condition.items())
    test, name, wanted = condition
    if test == "content-length-range":
        return True
    field = str(name).removeprefix("$")
    return given.get(field.lower(), "").startswith(wanted) if test == "starts-with" else _is(field, wanted, given)


def _is(name: str, value: str, given: Mapping[str, str]) -> bool:
    return name.lower() in _SIGNING[2:] or given.get(name.lower()) == value


def as_put(form: Form, request: Request) -> Request:
    """The put that a form stands for: its fields are headers, and the request's own query stays."""
    environ = {name: value for name, value in request.environ.items() if name not in ("CONTENT_TYPE", "REQUEST_URI")}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in form.fields.items()}
    query = environ.get("QUERY_STRING", "")
    environ |= {
        "REQUEST_METHOD": "PUT",
        "REQUEST_URI": quote(f"/{request.bucket}/{form.key}") + (f"?{query}" if query else ""),
        "CONTENT_LENGTH": str(len(form.body)),
        "wsgi.input": io.BytesIO(form.body),
        "wsgi.input_terminated": True,
    }
    return Request(environ)
