"""The gate before moto: it authenticates and authorises every request, and refuses as the vendor does.

The rule: moto's own enforcement stays off, because it has no conditions, no expiry of presigned URLs and only one
vendor's errors. The gate holds one lock from the decision to moto's response: moto is not thread safe, and the data
must not change between the decision and the action. It reads bodies and computes signatures outside the lock.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from sandbox.server import (
    forms,
    kept_settings,
    lifecycle,
    minio_admin_api,
    minio_iam_commands,
    minio_policy,
    minio_writes,
    moto_store,
    policy_engine,
    signatures,
    web_identity,
)
from sandbox.server.answers import BUCKET_REGION, Answer, ApiError, admin_error, iam_error, s3_error
from sandbox.server.clock import machine_clock
from sandbox.server.moto_amendments import RIGHTS, Rights
from sandbox.server.s3_actions import (
    Cloud,
    Need,
    creates_object,
    delete_need,
    is_multi_delete,
    needs,
    version_of_source,
)
from sandbox.server.web import Request

if TYPE_CHECKING:
    from sandbox.server.authority import Authority, Caller
    from sandbox.server.minio_iam import MinioIam
    from sandbox.server.signatures import Signature

_NO_RIGHTS = Rights(lambda *_: False, lambda _: False, lambda _: False)
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

log = logging.getLogger(__name__)

_BUCKET_NAME = re.compile(r"(?!xn--)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_READING = ("GET", "HEAD")
_DONE = (200, 204)
#: Headers that moto invents and no S3 server sends, or that the gate sends itself.
_MOTO_HEADERS = (
    "access-control-allow-origin",
    "connection",
    "date",
    "server",
    "x-amz-content-sha256",
    "x-amz-sdk-checksum-algorithm",
)
_LOCK_HEADERS = {
    "x-amz-object-lock-mode": "s3:GetObjectRetention",
    "x-amz-object-lock-retain-until-date": "s3:GetObjectRetention",
    "x-amz-object-lock-legal-hold": "s3:GetObjectLegalHold",
}
#: Parts of S3 that MinIO does not have: it refuses a GET as not implemented, and a PUT as malformed XML.
_NOT_IN_AISTOR = (
    "accelerate",
    "analytics",
    "intelligent-tiering",
    "inventory",
    "logging",
    "metrics",
    "ownershipControls",
    "publicAccessBlock",
    "requestPayment",
    "website",
)


@dataclass(frozen=True, slots=True)
class Backends:
    """The moto applications behind the gate, by the service in the signature."""

    s3: Wsgi
    iam: Wsgi
    sts: Wsgi


@dataclass(frozen=True, slots=True)
class _Known:
    """A request whose signature was checked."""

    request: Request
    signature: Signature | None
    caller: Caller | None


class Gate:
    """The WSGI application that the server runs."""

    def __init__(
        self,
        cloud: Cloud,
        authority: Authority,
        backends: Backends,
        minio_iam: MinioIam | None = None,
        on_change: Callable[[], None] = lambda: None,
        admin_api: str = "v3",
        now: Callable[[], datetime] = machine_clock,
    ) -> None:
        """The gate calls `on_change` after each request that may have changed data. It speaks one admin API version."""
        self._cloud = cloud
        self._authority = authority
        self._backends = backends
        self._minio_iam = minio_iam
        self._on_change = on_change
        self._admin_api = admin_api
        self._now = now
        #: Held while moto works; the snapshot holds it too.
        self.lock = threading.RLock()
        self._server_name = "MinIO" if cloud is Cloud.AISTOR else "AmazonS3"
        self._denied = "Access Denied." if cloud is Cloud.AISTOR else "Access Denied"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request, also after an error."""
        try:
            request = Request(environ)
        except ApiError as error:
            answer = s3_error(error, environ.get("PATH_INFO", "/"))
            return self._send(answer, environ["REQUEST_METHOD"], start_response)
        try:
            answer = self._answer(request)
        except ApiError as error:
            answer = self._refusal(error, request)
        except Exception:
            log.exception("failed on %s %s", request.method, request.path)
            answer = self._refusal(
                ApiError("InternalError", "We encountered an internal error. Please try again.", 500), request
            )
        log.debug("%s %s %s", answer.status, request.method, request.path)
        return self._send(answer, request.method, start_response)

    def _send(self, answer: Answer, method: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = [
            ("x-amz-request-id" if name.lower() == "x-amzn-requestid" else name, value)
            for name, value in answer.headers
            if name.lower() not in _MOTO_HEADERS
        ]
        headers.append(("Server", self._server_name))
        headers.append(("Date", format_datetime(self._now(), usegmt=True)))
        names = {name.lower() for name, _ in headers}
        if self._cloud is Cloud.AISTOR and BUCKET_REGION not in names:
            # MinIO with a site region names it in every answer (`setCommonHeaders` in cmd/api-headers.go).
            headers.append((BUCKET_REGION, moto_store.REGION))
        bodiless = method == "HEAD" or answer.status in (204, 304)
        if "content-length" not in names and answer.status not in (204, 304):
            headers.append(("Content-Length", str(0 if method == "HEAD" else len(answer.body))))
        start_response(answer.status_line, headers)
        return [] if bodiless else [answer.body]

    def _refusal(self, error: ApiError, request: Request) -> Answer:
        if request.path.startswith(("/minio/", "/sandbox/")):
            return admin_error(error, request.path)
        authorization = request.headers.get("authorization", "")
        of_iam = re.search(r"/(iam|sts)/aws4_request", authorization) or web_identity.is_asked(request)
        if self._cloud is Cloud.AWS and of_iam:
            return iam_error(error)
        return s3_error(error, request.path)

    def _answer(self, request: Request) -> Answer:
        if self._minio_iam is not None and request.path.startswith("/minio/"):
            return self._minio_path(request, self._minio_iam)
        if (form := forms.read(request)) is not None:
            return self._form(request, form)
        signature = signatures.read_signature(request)
        caller = self._authenticate(request, signature)
        known = _Known(request, signature, caller)
        request.unwrap()
        if self._minio_iam is not None and request.path.startswith(minio_iam_commands.PREFIX):
            return self._minio_command(known, self._minio_iam)
        if self._cloud is Cloud.AWS and signature is None and web_identity.is_asked(request):
            return self._assume(request)
        if signature is not None and signature.service in ("iam", "sts") and self._cloud is Cloud.AWS:
            return self._iam(known, signature.service)
        if signature is not None and signature.service != "s3":
            raise ApiError("NotImplemented", f"this server has no service {signature.service!r}", 501)
        return self._s3(known)

    # Authentication

    def _authenticate(self, request: Request, signature: Signature | None) -> Caller | None:
        if signature is None:
            return None
        of_s3 = signature.service == "s3"
        with self.lock:
            caller = self._authority.caller(signature.access_key)
        if caller is None:
            if of_s3:
                raise ApiError(
                    "InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.", 403
                )
            raise ApiError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        if of_s3:
            self._check_region(request, signature)
        signatures.verify(request, signature, caller.secret_key, self._now, caller.session)
        return caller

    def _check_region(self, request: Request, signature: Signature) -> None:
        of_admin = minio_admin_api.is_admin_path(request.path)
        anywhere = self._cloud is Cloud.AISTOR and (of_admin or not request.bucket or "location" in request.parameters)
        if signature.region == moto_store.REGION or anywhere or not request.path.strip("/"):
            return
        code = "AuthorizationHeaderMalformed" if signature.expires is None else "AuthorizationQueryParametersError"
        raise ApiError(
            code,
            f"The authorization header is malformed; the region '{signature.region}' is wrong; expecting "
            f"'{moto_store.REGION}'",
            400,
            Region=moto_store.REGION,
        )

    def _context(self, known: _Known, version_id: str | None = None) -> dict[str, tuple[str, ...]]:
        """The condition keys of a request, in lower case."""
        request, now = known.request, datetime.now(UTC)
        context = {
            "aws:securetransport": "true" if request.secure else "false",
            "aws:sourceip": request.environ.get("REMOTE_ADDR", ""),
            "aws:currenttime": now.isoformat(),
            "aws:epochtime": str(int(now.timestamp())),
            "aws:useragent": request.headers.get("user-agent", ""),
            "aws:referer": request.headers.get("referer", ""),
            "s3:prefix": request.parameters.get("prefix"),
            "s3:delimiter": request.parameters.get("delimiter"),
            "s3:max-keys": request.parameters.get("max-keys"),
            "s3:versionid": version_id or request.parameters.get("versionId"),
            "s3:object-lock-mode": request.headers.get("x-amz-object-lock-mode"),
            "s3:object-lock-retain-until-date": request.headers.get("x-amz-object-lock-retain-until-date"),
            "s3:object-lock-legal-hold": request.headers.get("x-amz-object-lock-legal-hold"),
        }
        if self._cloud is Cloud.AWS:
            context |= {
                "s3:if-none-match": request.headers.get("if-none-match"),
                "s3:if-match": request.headers.get("if-match"),
                "s3:objectcreationoperation": str(creates_object(request)).lower() if request.key else None,
            }
        else:  # getConditionValues in MinIO's cmd/bucket-policy.go
            context["s3:versionid"] = context["s3:versionid"] or version_of_source(request) or ""
        if known.signature is not None:
            context |= {"s3:authtype": known.signature.way, "s3:signatureversion": "AWS4-HMAC-SHA256"}
        if known.caller is not None:
            user = known.caller.user
            context |= {"aws:username": user, "aws:userid": user, "aws:principalarn": known.caller.arn}
        sent = dict(request.headers)
        if self._cloud is Cloud.AWS:  # the SDKs move headers to the query of a presigned URL, in any spelling
            sent |= {name.lower(): value for name, value in request.query}
        for name, value in sent.items():
            if name.startswith("x-amz-"):
                context.setdefault(f"s3:{name}", value)
        given: dict[str, tuple[str, ...]] = {name: (value,) for name, value in context.items() if value is not None}
        tags = parse_qs(request.headers.get("x-amz-tagging", ""), keep_blank_values=True)
        given |= {"s3:requestobjecttagkeys": tuple(tags)} if tags else {}
        return given | (minio_policy.believed(request) if self._cloud is Cloud.AISTOR else {})

    def _allows(self, known: _Known, need: Need, version_id: str | None = None) -> bool:
        return self._authority.allows(known.caller, need, self._context(known, version_id))

    def _demand(self, known: _Known, need: Need) -> None:
        if not self._allows(known, need):
            self._note_refusal(known, need)
            raise ApiError("AccessDenied", self._denied, 403)

    @staticmethod
    def _note_refusal(known: _Known, need: Need) -> None:
        """Log the refused action, for the author of a policy; the response does not name it, like the vendors'."""
        log.info(
            "refused %s on %s to %s", need.action, need.resource, known.caller.arn if known.caller else "anonymous"
        )

    # S3

    def _s3(self, known: _Known) -> Answer:
        request = known.request
        wrong = self._checksum_fault(request)
        with self.lock:
            self._refuse_missing(request)
            self._authorise(known)
            if wrong is not None:
                raise wrong
            self._before(request)
            kept = kept_settings.answer(request, self._cloud)
            answer = kept or self._after(known, self._call(self._backends.s3, request, self._rights(known)))
            if kept is None and answer.status in _DONE:
                kept_settings.remember(request, self._cloud)
        if request.method not in _READING:
            self._on_change()
        return answer

    def _form(self, request: Request, form: forms.Form) -> Answer:
        with self.lock:
            caller = self._authority.caller(form.signature.access_key)
        if caller is None:
            raise ApiError("InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.", 403)
        forms.verify(form, request.bucket, caller.secret_key, self._now)
        put = forms.as_put(form, request)
        if self._cloud is Cloud.AISTOR:
            # MinIO's policies see the request, never the fields of the form (PostPolicyBucketHandler).
            with self.lock:
                self._demand(_Known(request, form.signature, caller), Need("s3:PutObject", request.bucket, form.key))
                put.environ[minio_writes.OF_FORM] = True
                answer = self._call(self._backends.s3, put, _NO_RIGHTS)
            self._on_change()
        else:
            answer = self._s3(_Known(put, form.signature, caller))
        return Answer(204, answer.headers) if answer.status == 200 else answer  # noqa: PLR2004 - stored

    def _authorise(self, known: _Known) -> None:
        request = known.request
        wanted = needs(request, self._cloud)
        if request.bucket:
            self._check_bucket(request, wanted)
        listing = wanted == [Need("s3:ListAllMyBuckets")]
        if listing and self._cloud is Cloud.AISTOR and known.caller is not None:
            return  # the listing decides bucket by bucket what the caller sees
        if is_multi_delete(request) and known.caller is None:
            raise ApiError("AccessDenied", self._denied, 403)
        heads_bucket = request.method == "HEAD" and not request.key and self._cloud is Cloud.AISTOR
        if heads_bucket and self._allows(known, Need("s3:HeadBucket", request.bucket)):
            return
        if self._cloud is Cloud.AISTOR and known.caller is not None and _retains(request):
            return  # MinIO looks at the lock first, and then at the permission
        for need in wanted:
            self._demand(known, need)
        if self._cloud is Cloud.AWS and _bypasses(request) and request.method != "POST":
            self._demand(known, Need("s3:BypassGovernanceRetention", request.bucket, request.key))

    def _check_bucket(self, request: Request, wanted: list[Need]) -> None:
        making = Need("s3:CreateBucket", request.bucket) in wanted
        if (making or self._cloud is Cloud.AISTOR) and (
            not _BUCKET_NAME.fullmatch(request.bucket) or ".." in request.bucket
        ):
            raise ApiError("InvalidBucketName", "The specified bucket is not valid.", 400)
        if self._cloud is Cloud.AWS and not making and moto_store.bucket(request.bucket) is None:
            raise ApiError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=request.bucket)

    def _rights(self, known: _Known) -> Rights:
        request = known.request

        def may_delete(key: str, version_id: str | None) -> bool:
            need = delete_need(request.bucket, key, version_id, self._cloud)
            allowed = self._allows(known, need, version_id)
            if not allowed:
                self._note_refusal(known, need)
            return allowed

        return Rights(
            delete=may_delete,
            bypass=lambda key: self._allows(known, Need("s3:BypassGovernanceRetention", request.bucket, key)),
            retain=lambda key: self._allows(known, Need("s3:PutObjectRetention", request.bucket, key)),
            visible=None if request.bucket else self._visible(known),
            now=self._now,
        )

    def _visible(self, known: _Known) -> frozenset[str] | None:
        """The buckets that a listing shows to this caller: on AIStor those that it may list or locate."""
        if self._cloud is Cloud.AWS or self._allows(known, Need("s3:ListAllMyBuckets")):
            return None
        seen = frozenset(
            name
            for name in moto_store.bucket_names()
            if any(self._allows(known, Need(action, name)) for action in ("s3:ListBucket", "s3:GetBucketLocation"))
        )
        if not seen:
            self._note_refusal(known, Need("s3:ListAllMyBuckets"))
            raise ApiError("AccessDenied", self._denied, 403)
        return seen

    def _before(self, request: Request) -> None:
        """Refuse what the vendor refuses before it acts."""
        if self._cloud is Cloud.AISTOR:
            self._before_aistor(request)
        if request.method == "PUT" and not request.key and "policy" in request.parameters:
            self._check_bucket_policy(request)

    def _refuse_missing(self, request: Request) -> None:
        """Refuse requests for features that MinIO lacks; MinIO does so before authentication (cmd/api-router.go)."""
        missing = not request.key and any(name in request.parameters for name in _NOT_IN_AISTOR)
        if self._cloud is Cloud.AISTOR and missing and request.method in ("GET", "DELETE"):
            raise ApiError("NotImplemented", "A header you provided implies functionality that is not implemented", 501)

    def _before_aistor(self, request: Request) -> None:
        missing = not request.key and any(name in request.parameters for name in _NOT_IN_AISTOR)
        if missing and request.method == "PUT":
            raise ApiError(
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published schema.",
                400,
            )
        if request.method in ("PUT", "POST") and request.key:
            minio_writes.read_query(request)
        encrypts = request.method == "PUT" and not request.key and "encryption" in request.parameters
        if encrypts or request.headers.get("x-amz-server-side-encryption"):
            raise ApiError("NotImplemented", "Server side encryption specified but KMS is not configured", 501)

    def _check_bucket_policy(self, request: Request) -> None:
        text = request.body.decode(errors="replace")
        try:
            policy = policy_engine.parse_text(text)
        except policy_engine.PolicyError as error:
            raise ApiError("MalformedPolicy", str(error), 400) from None
        own = (f"arn:aws:s3:::{request.bucket}", f"arn:aws:s3:::{request.bucket}/")
        for statement in policy.statements:
            if not statement.principals and not statement.not_principals:
                raise ApiError("MalformedPolicy", "Missing required field Principal", 400)
            if not all(one == own[0] or one.startswith(own[1]) for one in statement.resources):
                raise ApiError("MalformedPolicy", "Policy has invalid resource", 400)
        blocked = self._cloud is Cloud.AWS and moto_store.refuses_public_policy(request.bucket)
        if blocked and moto_store.is_public(text):
            raise ApiError(
                "AccessDenied",
                "User is not authorized to perform: s3:PutBucketPolicy because public policies are blocked by the "
                "BlockPublicPolicy block public access setting.",
                403,
            )

    def _checksum_fault(self, request: Request) -> ApiError | None:
        """The refusal of a body that does not match its checksum; passes the checksum on in the form that moto reads.

        The vendors decide whether the caller may do it before they read the body, so the refusal comes after that.
        """
        digest = request.headers.get("content-md5")
        if digest and base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode() != digest:
            return ApiError("BadDigest", "The Content-Md5 you specified did not match what we received.", 400)
        sent = request.checksum()
        if sent is None:
            return None
        algorithm, value = sent
        computed = _digest(algorithm, request.body)
        part_of_whole = "uploadId" in request.parameters and request.method == "POST"
        if computed is not None and computed != value and not part_of_whole:
            return ApiError(
                "XAmzContentChecksumMismatch" if self._cloud is Cloud.AISTOR else "BadDigest",
                f"The {algorithm.upper()} you specified did not match the calculated checksum.",
                400,
            )
        request.environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm.upper()
        request.forget_headers()
        return None

    def _after(self, known: _Known, answer: Answer) -> Answer:
        """Add, hide or reword parts of a response as the vendor does."""
        request = known.request
        if self._cloud is Cloud.AISTOR and not request.key:
            return minio_writes.listing(request, answer)
        reads_object = bool(request.key) and request.method in _READING and not _subresource(request)
        if reads_object and answer.status == 404 and self._cloud is Cloud.AWS:  # noqa: PLR2004 - not found
            self._hide_absence(known)
        if not request.key or answer.status not in (200, 206):
            return answer
        hidden = [
            name
            for name, action in _LOCK_HEADERS.items()
            if reads_object and not self._allows(known, Need(action, request.bucket, request.key))
        ]
        answer.headers = [
            (name, value)
            for name, value in answer.headers
            if name.lower() not in hidden and (name.lower(), value) != ("x-amz-version-id", "null")
        ]
        written = request.method == "PUT" and not _subresource(request)
        completed = request.method == "POST" and "uploadId" in request.parameters
        if reads_object or written or completed:
            self._announce_expiry(request, answer)
        return answer

    def _hide_absence(self, known: _Known) -> None:
        """On AWS, hide from a caller without the right to list a bucket that an object is missing."""
        if not self._allows(known, Need("s3:ListBucket", known.request.bucket)):
            raise ApiError("AccessDenied", self._denied, 403)

    def _announce_expiry(self, request: Request, answer: Answer) -> None:
        rules = moto_store.lifecycle_rules(request.bucket)
        version_id = request.parameters.get("versionId")
        if not rules or not moto_store.is_current(request.bucket, request.key, version_id):
            return
        stored = moto_store.stored_object(request.bucket, request.key)
        header = lifecycle.expiration_header(rules, stored) if stored is not None else None
        if header is not None:
            answer.headers.append(("x-amz-expiration", header))

    def _call(self, backend: Wsgi, request: Request, rights: Rights) -> Answer:
        environ = request.environ_for_moto()
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = moto_store.ACCOUNT
        environ[RIGHTS] = rights
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
            started.extend((int(status.split(" ", 1)[0]), headers))

        chunks = backend(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if callable(close := getattr(chunks, "close", None)):
                close()
        return Answer(started[0], list(started[1]), body)

    # IAM and STS of AWS

    def _iam(self, known: _Known, service: str) -> Answer:
        form = parse_qs(known.request.body.decode(), keep_blank_values=True)
        action = (form.get("Action") or [""])[0]
        need = Need(f"{service}:{action}", arn=_iam_resource(form))
        with self.lock:
            if known.caller is None:
                raise ApiError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
            free = need.action == "sts:GetCallerIdentity"
            context = self._context(known)
            if "PolicyArn" in form:
                context["iam:policyarn"] = (form["PolicyArn"][0],)
            if not free and not self._authority.allows(known.caller, need, context):
                self._note_refusal(known, need)
                raise ApiError(
                    "AccessDenied",
                    f"User: {known.caller.arn} is not authorized to perform: {need.action} on resource: "
                    f"{need.resource}",
                    403,
                )
            backend = self._backends.iam if service == "iam" else self._backends.sts
            answer = self._call(backend, known.request, _NO_RIGHTS)
        self._on_change()
        return answer

    def _assume(self, request: Request) -> Answer:
        with self.lock:
            web_identity.check(request)
            return self._call(self._backends.sts, request, _NO_RIGHTS)

    # MinIO's own paths

    def _minio_command(self, known: _Known, iam: MinioIam) -> Answer:
        if self._admin_api != minio_iam_commands.OF_VERSION:
            raise minio_admin_api.mismatch(self._admin_api, minio_iam_commands.OF_VERSION)
        if known.request.method != "POST":
            raise ApiError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
        command = minio_iam_commands.find(known.request.path)
        need = Need(command.action)
        if known.caller is None or not self._allows(known, need):
            self._note_refusal(known, need)
            raise minio_iam_commands.refusal(command)
        answer = minio_iam_commands.run(command, iam, known.request.body, known.caller.user)
        self._on_change()
        return answer

    def _minio_path(self, request: Request, iam: MinioIam) -> Answer:
        if request.path.startswith("/minio/health/"):
            return Answer(200)
        if not minio_admin_api.is_admin_path(request.path):
            raise ApiError("AccessDenied", "Access Denied.", 403)
        route = minio_admin_api.find(request, self._admin_api)
        signature = signatures.read_signature(request)
        known = _Known(request, signature, self._authenticate(request, signature))
        need = Need(minio_admin_api.action_of(route))
        caller = known.caller
        if caller is None or not (
            self._allows(known, need) or minio_admin_api.is_about_itself(route, request, iam, caller)
        ):
            self._note_refusal(known, need)
            raise minio_admin_api.refusal_of(route)
        answer = minio_admin_api.run(route, request, iam, caller)
        self._on_change()
        return answer


def _iam_resource(form: dict[str, list[str]]) -> str:
    if form.get("Action") == ["GetAccessKeyLastUsed"]:  # it names only the key, and the key's user needs the permission
        key = moto_store.iam_key(form["AccessKeyId"][0])
        return "*" if key is None else key.arn
    if "PolicyArn" in form and not {"UserName", "RoleName"} & set(form):
        return form["PolicyArn"][0]
    for parameter, kind in (("UserName", "user"), ("RoleName", "role"), ("PolicyName", "policy")):
        if parameter in form:
            return f"arn:aws:iam::{moto_store.ACCOUNT}:{kind}/{form[parameter][0]}"
    return "*"


def _retains(request: Request) -> bool:
    return request.method == "PUT" and bool(request.key) and "retention" in request.parameters


def _bypasses(request: Request) -> bool:
    return request.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"


def _subresource(request: Request) -> bool:
    names = ("acl", "attributes", "legal-hold", "restore", "retention", "tagging", "uploadId", "uploads")
    return any(name in request.parameters for name in names)


_HASHES: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
}


def _digest(algorithm: str, body: bytes) -> str | None:
    """The checksum of a body in base64; None for an algorithm that the standard library lacks."""
    compute = _HASHES.get(algorithm)
    return None if compute is None else base64.b64encode(compute(body)).decode()
