"""Amendments of moto 5.2.5: the only place that changes moto's behaviour, because a check depends on the real one.

The rule: each function below amends one area and says what was wrong. They use moto's internals, so moto is pinned
exactly, and the tests of the server cover each amendment. Left out: authentication and authorisation, which belong to
the gate. The gate passes in the WSGI environment what the caller may do to single keys (`Rights`).
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import xmltodict  # type: ignore[import-untyped]  # comes with moto, without stubs
from flask import request
from moto.core.responses import ActionResult, EmptyResult
from moto.iam.access_control import PermissionResult
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import IAMBackend, Role, User
from moto.iam.responses import IamResponse
from moto.s3.exceptions import AccessDeniedByLock, MissingKey, MissingVersion, NoSuchUpload, S3ClientError
from moto.s3.models import FakeBucket, FakeKey, S3Backend
from moto.s3.responses import S3Response
from moto.sts.models import STSBackend

from sandbox.server import iam_quotas, lifecycle, minio_writes, moto_store
from sandbox.server.answers import ApiError
from sandbox.server.clock import machine_clock
from sandbox.server.s3_actions import Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RIGHTS = "sandbox.rights"
#: Attributes that the amendments add to moto's objects; the snapshot saves them with the rest.
LIFECYCLE_RULES = "lifecycle_rules"
_LOCK = "lock_headers"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_MAX_DELETE = 1000
_MODES = ("GOVERNANCE", "COMPLIANCE")
_applied: list[Cloud] = []

#: The result of moto's handlers: a status, headers and a body, or less.
Answered = Any


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of the present caller on single keys and buckets, evaluated during the request."""

    delete: Callable[[str, str | None], bool]
    bypass: Callable[[str], bool]
    retain: Callable[[str], bool]
    #: The buckets in a listing; None for all.
    visible: frozenset[str] | None = None
    #: The server's clock.
    now: Callable[[], datetime] = machine_clock


def rights() -> Rights:
    """The rights of the present request."""
    found: Rights = request.environ[RIGHTS]
    return found


def _original(owner: type, name: str) -> Callable[..., Any]:
    """Moto's original method, before the replacement."""
    method: Callable[..., Any] = getattr(owner, name)
    return method


def _replace(owner: type, name: str, method: Callable[..., Any]) -> None:
    """Replace a method of moto with an amended one."""
    setattr(owner, name, method)


def apply(cloud: Cloud) -> None:
    """Amend moto once for the whole process, so that it behaves like this vendor's server."""
    if _applied:
        if _applied != [cloud]:
            raise RuntimeError(f"moto is already amended for {_applied[0]}; one process serves one cloud")
        return
    _applied.append(cloud)
    _amend_access()
    _amend_identities()
    _amend_buckets(cloud)
    _amend_versioning(cloud)
    _amend_locks(cloud)
    _amend_retention(cloud)
    _amend_puts(cloud)
    _amend_uploads()
    _amend_checksums()
    _amend_deletion(cloud)
    _amend_lifecycle(cloud)
    _amend_quotas()
    if cloud is Cloud.AISTOR:
        minio_writes.amend()


def locked(cloud: Cloud) -> ApiError:
    """The refusal to change a locked version, in each vendor's words."""
    if cloud is Cloud.AISTOR:
        return ApiError("InvalidRequest", "Object is WORM protected and cannot be overwritten", 400)
    return ApiError("AccessDenied", "Access Denied because object protected by object lock.", 403)


def _amend_access() -> None:
    """Leave every decision to the gate, because moto reads bucket policies without their conditions.

    A listing does not copy whole keys, GetCallerIdentity reports root as root, and only visible buckets are listed.
    """
    _replace(FakeBucket, "get_permission", lambda *_: PermissionResult.PERMITTED)
    _replace(FakeKey, "__deepcopy__", lambda self, _memo: self)
    list_buckets = _original(S3Backend, "list_buckets")
    identity = _original(STSBackend, "get_caller_identity")

    def visible_buckets(self: S3Backend, *arguments: Any, **named: Any) -> list[FakeBucket]:  # noqa: ANN401 - moto's own signature
        visible = rights().visible
        found = list_buckets(self, *arguments, **named)
        return [one for one in found if visible is None or one.name in visible]

    def caller(self: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
        if moto_store.iam_key(access_key_id) is None:
            return moto_store.ACCOUNT, f"arn:aws:iam::{moto_store.ACCOUNT}:root", moto_store.ACCOUNT
        found: tuple[str, str, str] = identity(self, access_key_id, region)
        return found

    _replace(S3Backend, "list_buckets", visible_buckets)
    _replace(STSBackend, "get_caller_identity", caller)


def _amend_identities() -> None:
    """Refuse to delete a policy that is attached or has older versions, and a user with access keys or in a group.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html and API_DeleteUser.html
    """
    delete_policy = _original(IAMBackend, "delete_policy")
    delete_user = _original(IAMBackend, "delete_user")

    def delete_unused(self: IAMBackend, policy_arn: str) -> None:
        policy = self.get_policy(policy_arn)
        if policy.attachment_count:
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        if len(policy.versions) > 1:
            raise DeleteConflictException(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
        delete_policy(self, policy_arn)

    def delete_bare(self: IAMBackend, user_name: str) -> None:
        user = self.get_user(user_name)
        if user.access_keys:
            raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
        if any(user in group.users for group in self.groups.values()):
            raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
        delete_user(self, user_name)

    _replace(IAMBackend, "delete_policy", delete_unused)
    _replace(IAMBackend, "delete_user", delete_bare)
    _amend_boundaries()


def _amend_boundaries() -> None:
    """A user may have a permissions boundary, as a role may; moto has it for roles alone."""

    def put(self: IamResponse) -> ActionResult:
        user = self.backend.get_user(self._get_param("UserName"))
        arn = self._get_param("PermissionsBoundary")
        self.backend.get_policy(arn)
        setattr(user, moto_store.BOUNDARY, arn)
        return EmptyResult()

    def delete(self: IamResponse) -> ActionResult:
        setattr(self.backend.get_user(self._get_param("UserName")), moto_store.BOUNDARY, None)
        return EmptyResult()

    def shown(self: User) -> dict[str, str] | None:
        arn = getattr(self, moto_store.BOUNDARY, None)
        kind = "PermissionsBoundaryPolicy"
        return {"PermissionsBoundaryType": kind, "PermissionsBoundaryArn": arn} if arn else None

    setattr(IamResponse, "put_user_permissions_boundary", put)  # noqa: B010 - mypy knows no such method
    setattr(IamResponse, "delete_user_permissions_boundary", delete)  # noqa: B010 - mypy knows no such method
    setattr(User, "permissions_boundary", property(shown))  # noqa: B010 - mypy knows no such property


def _amend_buckets(cloud: Cloud) -> None:
    """Give a new bucket its vendor's defaults.

    On AWS it is private, owner-enforced and encrypted; AIStor requires no region.
    """
    constraint = _original(S3Response, "_get_location_constraint")
    create = _original(S3Backend, "create_bucket")
    if cloud is Cloud.AISTOR:
        _replace(S3Response, "_get_location_constraint", lambda self: constraint(self) or moto_store.REGION)
        return

    def create_private(self: S3Backend, *arguments: Any, **named: Any) -> FakeBucket:  # noqa: ANN401 - moto's own signature
        made: FakeBucket = create(self, *arguments, **named)
        made.ownership_rule = "BucketOwnerEnforced"  # type: ignore[assignment]  # moto keeps a string in it too
        made.encryption = _sse_s3()
        names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        self.put_public_access_block(made.name, dict.fromkeys(names, "true"))
        return made

    def encrypt_anyway(self: S3Backend, bucket_name: str) -> None:
        self.get_bucket(bucket_name).encryption = _sse_s3()

    _replace(S3Backend, "create_bucket", create_private)
    _replace(S3Backend, "delete_bucket_encryption", encrypt_anyway)


def _sse_s3() -> dict[str, Any]:
    return {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}}


def _amend_versioning(cloud: Cloud) -> None:
    """Versioning is Enabled or Suspended, for a locked bucket only Enabled. A suspended bucket keeps its versions."""
    put_versioning = _original(S3Backend, "put_bucket_versioning")
    put_object = _original(S3Backend, "put_object")

    def put_checked(self: S3Backend, bucket_name: str, status: str) -> None:
        if status not in ("Enabled", "Suspended"):
            if cloud is Cloud.AISTOR:
                raise ApiError(
                    "IllegalVersioningConfigurationException",
                    "Indicates that the versioning configuration specified in the request is invalid.",
                    400,
                )
            raise ApiError(
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published schema",
                400,
            )
        if self.get_bucket(bucket_name).object_lock_enabled and status != "Enabled":
            raise ApiError(
                "InvalidBucketState",
                "An Object Lock configuration is present on this bucket, versioning cannot be suspended."
                if cloud is Cloud.AISTOR
                else "An Object Lock configuration is present on this bucket, so the versioning state cannot be "
                "changed.",
                400 if cloud is Cloud.AISTOR else 409,
            )
        put_versioning(self, bucket_name, status)

    def put_beside(self: S3Backend, bucket_name: str, key_name: str, *arguments: Any, **named: Any) -> FakeKey:  # noqa: ANN401 - moto's own signature
        keys = self.get_bucket(bucket_name).keys
        earlier: list[Any] = []
        if self.get_bucket(bucket_name).versioning_status == "Suspended":
            earlier = [one for one in dict.pop(keys, key_name, []) if one.version_id != "null"]
        made: FakeKey = put_object(self, bucket_name, key_name, *arguments, **named)
        if earlier:
            keys.setlist(key_name, [*earlier, made])
        return made

    _replace(S3Backend, "put_bucket_versioning", put_checked)
    _replace(S3Backend, "put_object", put_beside)


def _amend_locks(cloud: Cloud) -> None:
    """The default retention can change while the bucket has objects, and applies to every way of writing an object.

    moto refuses the first, ignores the second for multipart uploads, and returns zero years beside the days.
    """
    put_object = _original(S3Backend, "put_object")

    def put_configuration(
        self: S3Backend,
        bucket_name: str,
        lock_enabled: bool,  # noqa: FBT001 - moto's own signature
        mode: str | None = None,
        days: int | None = None,
        years: int | None = None,
    ) -> None:
        bucket = self.get_bucket(bucket_name)
        if not bucket.object_lock_enabled and (cloud is Cloud.AISTOR or not bucket.is_versioned):
            raise ApiError(
                "InvalidBucketState",
                "Object Lock configuration cannot be enabled on existing buckets"
                if cloud is Cloud.AISTOR
                else "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
                409,
            )
        if mode is not None and (mode not in _MODES or (days or 0) < 0 or (years or 0) < 0 or not (days or years)):
            raise ApiError(
                "InvalidArgument" if cloud is Cloud.AISTOR else "MalformedXML",
                "Default retention needs a Mode of GOVERNANCE or COMPLIANCE and a positive number of Days or Years",
                400,
            )
        bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
        bucket.default_lock_mode = mode
        bucket.default_lock_days = days or None
        bucket.default_lock_years = years or None

    def default_retention(self: FakeBucket) -> str:
        days = (self.default_lock_days or 0) + 365 * (self.default_lock_years or 0)
        return _spelled(datetime.fromtimestamp(datetime.now(UTC).timestamp() + days * 86400, UTC))

    def put_locked(self: S3Backend, bucket_name: str, key_name: str, *arguments: Any, **named: Any) -> FakeKey:  # noqa: ANN401 - moto's own signature
        bucket = self.get_bucket(bucket_name)
        upload = named.get("multipart")
        if named.get("etag") and upload is not None:  # the completion of a multipart upload, not a copy of one
            named |= getattr(upload, _LOCK, {})
        if bucket.has_default_lock and not (named.get("lock_mode") or named.get("lock_until")):
            named |= {"lock_mode": bucket.default_lock_mode, "lock_until": bucket.default_retention()}
        made: FakeKey = put_object(self, bucket_name, key_name, *arguments, **named)
        return made

    _replace(S3Backend, "put_object_lock_configuration", put_configuration)
    _replace(FakeBucket, "default_retention", default_retention)
    _replace(S3Backend, "put_object", put_locked)


def _spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _retain_until(text: str | None, in_the_past: str = "InvalidRequest") -> str:
    """A retain-until date in the only format that moto reads; refuses an invalid or past date."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        raise ApiError("InvalidRequest", "Date must be provided in ISO 8601 format", 400) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= rights().now():
        raise ApiError(in_the_past, "the retain until date must be in the future", 400)
    return _spelled(moment)


def _amend_retention(cloud: Cloud) -> None:
    """The retention of an object can be read, and can be weakened only as the mode allows.

    moto answers GET ?retention with the object itself, and allows a shorter COMPLIANCE retention. AIStor looks at the
    lock before the permission (`PutObjectRetentionHandler`), so a shorter retention is 400 to everybody.
    """
    get = _original(S3Response, "_key_response_get")

    def get_or_retention(self: S3Response, query: dict[str, Any], key_name: str) -> Answered:
        if "retention" not in query:
            return get(self, query, key_name)
        key = _lockable(self, key_name, query)
        if not key.lock_mode:
            raise ApiError(
                "NoSuchObjectLockConfiguration",
                "The specified object does not have a ObjectLock configuration",
                400 if cloud is Cloud.AISTOR else 404,
            )
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Retention xmlns="{_NAMESPACE}"><Mode>{key.lock_mode}</Mode>'
            f"<RetainUntilDate>{key.lock_until}</RetainUntilDate></Retention>"
        )
        return 200, {"Content-Type": "application/xml"}, body

    # `ParseObjectRetention` of MinIO; its handler calls any fault of the body malformed.
    in_the_past = "MalformedXML" if cloud is Cloud.AISTOR else "InvalidRequest"

    def put_retention(self: S3Response) -> Answered:
        key = _lockable(self, self.parse_key_name(), self.querystring)
        wanted = xmltodict.parse(self.body).get("Retention") or {}
        mode, until = wanted.get("Mode"), None
        if mode is not None:
            if mode not in _MODES:
                raise ApiError("MalformedXML", f"Mode is {mode!r}; legal: GOVERNANCE, COMPLIANCE", 400)
            until = _retain_until(wanted.get("RetainUntilDate"), in_the_past)
        shorter = until is None or until < str(key.lock_until)
        held = key.lock_mode if key.lock_mode and str(key.lock_until) > _spelled(datetime.now(UTC)) else None
        if cloud is Cloud.AISTOR:
            _check_as_minio(key.name, held, mode, shorter=shorter)
        elif held and (shorter or mode != held):
            stronger = (held, mode) == ("GOVERNANCE", "COMPLIANCE") and not shorter
            if held == "COMPLIANCE" or not (stronger or _bypassing(key.name, cloud)):
                raise locked(cloud)
        key.lock_mode, key.lock_until = mode, until
        return 200, {}, ""

    _replace(S3Response, "_key_response_get", get_or_retention)
    _replace(S3Response, "put_object_retention", put_retention)


def _check_as_minio(key: str, held: str | None, mode: str | None, *, shorter: bool) -> None:
    """Refuse a change of a retention as MinIO does (`enforceRetentionBypassForPut` and `isPutRetentionAllowed`).

    With the header for a bypass it asks for the right only if the new mode is GOVERNANCE. So any key may take a
    governance lock off, or make it COMPLIANCE. Tried on a real server of February 2026.
    """
    asked = request.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
    changed = shorter or mode != held
    if changed and (held == "COMPLIANCE" or (held == "GOVERNANCE" and not asked)):
        raise locked(Cloud.AISTOR)
    bypassing = asked and held != "COMPLIANCE" and (mode != "GOVERNANCE" or rights().bypass(key))
    if not (bypassing or rights().retain(key)):
        raise ApiError("AccessDenied", "Access Denied.", 403)


def _lockable(response: S3Response, key_name: str, query: dict[str, Any]) -> FakeKey:
    """The version that a request names, in a bucket with object lock."""
    if not response.backend.get_bucket(response.bucket_name).object_lock_enabled:
        raise ApiError("InvalidRequest", "Bucket is missing Object Lock Configuration", 400)
    version_id = (query.get("versionId") or [None])[0]
    key: FakeKey | None = response.backend.get_object(response.bucket_name, key_name, version_id=version_id)
    if key is None:
        raise MissingVersion if version_id else MissingKey(key=key_name)
    return key


def _bypassing(key: str, cloud: Cloud) -> bool:
    """Whether the caller requests a bypass of governance and may do so; refuses a caller without that right."""
    if request.headers.get("x-amz-bypass-governance-retention", "").lower() != "true":
        return False
    if not rights().bypass(key):
        raise ApiError("AccessDenied", "Access Denied." if cloud is Cloud.AISTOR else "Access Denied", 403)
    return True


def _amend_puts(cloud: Cloud) -> None:
    """With object lock, AWS requires a checksum of any kind for a PUT of an object; AIStor requires none.

    moto requires from every client a header of the SDKs, which obstore does not send.
    """
    put_original = _original(S3Response, "_key_response_put")

    def put(self: S3Response, query: dict[str, Any], key_name: str) -> Answered:
        bucket = self.backend.get_bucket(self.bucket_name)
        headers = request.headers
        mode, until = headers.get("x-amz-object-lock-mode"), headers.get("x-amz-object-lock-retain-until-date")
        asks = bool(mode or until or headers.get("x-amz-object-lock-legal-hold"))
        copies = "x-amz-copy-source" in headers
        has_digest = "content-md5" in headers or "x-amz-sdk-checksum-algorithm" in headers
        plain = not any(name in query for name in ("retention", "legal-hold", "acl", "tagging"))
        if plain and cloud is Cloud.AWS and (asks or bucket.has_default_lock) and not (has_digest or copies):
            raise ApiError(
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock "
                "parameters",
                400,
            )
        if "retention" in query:
            return self.put_object_retention()
        if "legal-hold" in query:
            _lockable(self, key_name, query)
            return self.put_object_legal_hold()
        if not plain or (query.get("uploadId") and query.get("partNumber")):
            return put_original(self, query, key_name)
        if asks:
            _check_lock_headers(bucket, mode, until)
        return self.copy_object() if copies else self.put_object()

    _replace(S3Response, "_key_response_put", put)


def _check_lock_headers(bucket: FakeBucket, mode: str | None, until: str | None) -> None:
    if not bucket.object_lock_enabled:
        raise ApiError("InvalidRequest", "Bucket is missing Object Lock Configuration", 400)
    if mode or until:
        if mode not in _MODES:
            raise ApiError("InvalidRequest", "unknown wormMode directive", 400)
        request.environ["HTTP_X_AMZ_OBJECT_LOCK_RETAIN_UNTIL_DATE"] = _retain_until(until)


def _amend_uploads() -> None:
    """A multipart upload keeps the lock of its start; the answer to an unknown upload is 404.

    moto ignores the first and answers 500 to the second.
    """
    create = _original(S3Backend, "create_multipart_upload")

    def create_locked(self: S3Backend, *arguments: Any, **named: Any) -> Answered:  # noqa: ANN401 - moto's own signature
        bucket = self.get_bucket(arguments[0])
        names = {
            "lock_mode": "x-amz-object-lock-mode",
            "lock_until": "x-amz-object-lock-retain-until-date",
            "lock_legal_status": "x-amz-object-lock-legal-hold",
        }
        lock = {field: request.headers[name] for field, name in names.items() if name in request.headers}
        if lock:
            _check_lock_headers(bucket, lock.get("lock_mode"), lock.get("lock_until"))
            lock |= {"lock_until": _retain_until(lock["lock_until"])} if "lock_until" in lock else {}
        upload = create(self, *arguments, **named)
        setattr(upload, _LOCK, lock)
        return upload

    def known(name: str) -> None:
        original = getattr(S3Backend, name)

        def checked(self: S3Backend, bucket_name: str, multipart_id: str, *arguments: Any, **named: Any) -> Answered:  # noqa: ANN401 - moto's own signature
            if multipart_id not in self.get_bucket(bucket_name).multiparts:
                raise NoSuchUpload(upload_id=multipart_id)
            return original(self, bucket_name, multipart_id, *arguments, **named)

        setattr(S3Backend, name, checked)

    _replace(S3Backend, "create_multipart_upload", create_locked)
    for name in ("upload_part", "upload_part_copy", "complete_multipart_upload"):
        known(name)


def _amend_deletion(cloud: Cloud) -> None:
    """Refuse to delete a locked version in the vendor's words; decide a list of keys and versions one by one."""
    delete = _original(S3Backend, "delete_object")

    def delete_checked(
        self: S3Backend,
        bucket_name: str,
        key_name: str,
        version_id: str | None = None,
        bypass: object = None,  # noqa: ARG001 - moto's own signature
    ) -> Answered:
        bucket = self.get_bucket(bucket_name)
        suspended = bucket.versioning_status == "Suspended"
        governed = version_id is not None and moto_store.is_governed(bucket_name, key_name, version_id)
        try:
            if suspended:  # moto would remove every version
                bucket.versioning_status = "Enabled"
            return delete(
                self, bucket_name, key_name, version_id=version_id, bypass=governed and _bypassing(key_name, cloud)
            )
        except AccessDeniedByLock:
            raise locked(cloud) from None
        finally:
            if suspended:
                bucket.versioning_status = "Suspended"

    def delete_many(self: S3Response, bucket_name: str, authenticated: bool = True) -> Any:  # noqa: ANN401, ARG001, FBT001, FBT002 - moto's own signature
        self.backend.get_bucket(bucket_name)
        targets, quiet = _targets(self.body)
        body = "".join(_deleted(self, key, version_id, cloud, quiet=quiet) for key, version_id in targets)
        answer = f'<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult xmlns="{_NAMESPACE}">{body}</DeleteResult>'
        return 200, {"Content-Type": "application/xml"}, answer

    _replace(S3Backend, "delete_object", delete_checked)
    _replace(S3Response, "_bucket_response_delete_keys", delete_many)


def _amend_checksums() -> None:
    """HEAD returns the checksum of a multipart upload like GET: as a checksum of parts, with their number."""
    head = _original(S3Response, "head_object")

    def head_qualified(
        self: S3Response,
        bucket_name: str,
        query: dict[str, Any],
        key_name: str,
        headers: dict[str, Any],
    ) -> Answered:
        status, answered, body = head(self, bucket_name, query, key_name, headers)
        key = moto_store.version(bucket_name, key_name, (query.get("versionId") or [None])[0])
        algorithm = key.checksum_algorithm if key is not None else None
        name = f"x-amz-checksum-{(algorithm or '').lower()}"
        if key is not None and name in answered and key.checksum_type:
            answered["x-amz-checksum-type"] = key.checksum_type
            if key.checksum_type == "COMPOSITE":
                answered[name] = f"{key.checksum_value}-{key.checksum_parts}"
        return status, answered, body

    _replace(S3Response, "head_object", head_qualified)


def _targets(body: bytes) -> tuple[list[tuple[str, str | None]], bool]:
    """The keys and versions of a multi-object delete, and whether the response lists only failures."""
    try:
        root = ET.fromstring(re.sub(rb'\sxmlns="[^"]*"', b"", body))  # noqa: S314 - loopback; expat loads nothing from outside
    except ET.ParseError:
        root = ET.Element("Delete")
    found = [(one.findtext("Key") or "", one.findtext("VersionId") or None) for one in root.findall("Object")]
    if not found or len(found) > _MAX_DELETE:
        raise ApiError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
            400,
        )
    return found, (root.findtext("Quiet") or "").lower() == "true"


def _deleted(response: S3Response, key: str, version_id: str | None, cloud: Cloud, *, quiet: bool) -> str:
    """One entry of the response to a multi-object delete."""
    named = f"<Key>{escape(key)}</Key>" + (f"<VersionId>{escape(version_id)}</VersionId>" if version_id else "")
    try:
        if not rights().delete(key, version_id):
            raise ApiError("AccessDenied", "Access Denied." if cloud is Cloud.AISTOR else "Access Denied", 403)  # noqa: TRY301 - told per key
        _, meta = response.backend.delete_object(response.bucket_name, key, version_id=version_id)
    except ApiError as error:
        return f"<Error>{named}<Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
    except S3ClientError as error:
        return f"<Error>{named}<Code>{error.code}</Code><Message>{escape(str(error.message))}</Message></Error>"
    if quiet:
        return ""
    if not version_id and meta.get("version-id"):
        named += f"<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{meta['version-id']}</DeleteMarkerVersionId>"
    return f"<Deleted>{named}</Deleted>"


def _amend_lifecycle(cloud: Cloud) -> None:
    """Rules are stored and returned complete, each with an id, and validated like the vendor's.

    moto drops every element that it has no field for, including NewerNoncurrentVersions.
    """
    put = _original(S3Backend, "put_bucket_lifecycle")
    delete = _original(S3Backend, "delete_bucket_lifecycle")
    get = _original(S3Response, "get_bucket_lifecycle")

    def put_checked(self: S3Backend, bucket_name: str, rules: list[dict[str, Any]]) -> None:
        bucket = self.get_bucket(bucket_name)
        kept = lifecycle.accepted(rules, cloud)
        put(self, bucket_name, kept)
        setattr(bucket, LIFECYCLE_RULES, kept)

    def forget(self: S3Backend, bucket_name: str) -> None:
        delete(self, bucket_name)
        setattr(self.get_bucket(bucket_name), LIFECYCLE_RULES, [])

    def get_whole(self: S3Response) -> Answered:
        bucket = self.backend.get_bucket(self.bucket_name)
        rules = list(_written(getattr(bucket, LIFECYCLE_RULES, [])))
        if not rules:
            return get(self)
        document = {"LifecycleConfiguration": {"@xmlns": _NAMESPACE, "Rule": rules}}
        return 200, {"Content-Type": "application/xml"}, xmltodict.unparse(document)

    _replace(S3Backend, "put_bucket_lifecycle", put_checked)
    _replace(S3Backend, "delete_bucket_lifecycle", forget)
    _replace(S3Response, "get_bucket_lifecycle", get_whole)


def _amend_quotas() -> None:
    """IAM refuses names, policies and their number beyond its quotas.

    moto reports most quotas and applies few.
    """

    def before(name: str, check: Callable[[IAMBackend, Mapping[str, Any]], None]) -> None:
        original = _original(IAMBackend, name)
        parameters = inspect.signature(original)

        def checked(*arguments: Any, **named: Any) -> Answered:  # noqa: ANN401 - moto's own signature
            given = parameters.bind(*arguments, **named).arguments
            check(given["self"], given)
            return original(*arguments, **named)

        _replace(IAMBackend, name, checked)

    def policy_created(iam: IAMBackend, given: Mapping[str, Any]) -> None:
        iam_quotas.named("policyName", given["policy_name"], iam_quotas.POLICY_NAME)
        iam_quotas.sized("PolicySize", given["policy_document"])
        own = [one for one in iam.managed_policies.values() if f":{iam.account_id}:" in one.arn]
        iam_quotas.within("PoliciesPerAccount", len(own) + 1)

    def user_created(iam: IAMBackend, given: Mapping[str, Any]) -> None:
        iam_quotas.named("userName", given["user_name"], iam_quotas.USER_NAME)
        iam_quotas.within("UsersPerAccount", len(iam.users) + 1)

    def role_created(iam: IAMBackend, given: Mapping[str, Any]) -> None:
        iam_quotas.named("roleName", given["role_name"], iam_quotas.USER_NAME)
        iam_quotas.sized("ACLSizePerRole", given["assume_role_policy_document"])
        iam_quotas.within("RolesPerAccount", len(iam.roles) + 1)

    def attached(quota: str, holder: User | Role, given: Mapping[str, Any]) -> None:
        iam_quotas.within(quota, len({*holder.managed_policies, given["policy_arn"]}))

    before("create_policy", policy_created)
    before("create_policy_version", lambda _, given: iam_quotas.sized("PolicySize", given["policy_document"]))
    before("create_user", user_created)
    before("create_role", role_created)
    before("update_assume_role_policy", lambda _, given: iam_quotas.sized("ACLSizePerRole", given["policy_document"]))
    before(
        "attach_user_policy", lambda iam, given: attached("PoliciesPerUser", iam.get_user(given["user_name"]), given)
    )
    before(
        "attach_role_policy", lambda iam, given: attached("PoliciesPerRole", iam.get_role(given["role_name"]), given)
    )


def _written(rules: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rules with the id first, in the order of both vendors."""
    for rule in rules:
        yield {"ID": rule["ID"]} | {name: value for name, value in rule.items() if name != "ID"}
