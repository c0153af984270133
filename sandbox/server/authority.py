"""The owner of an access key, and the permissions of that caller, by each vendor's rules.

The rule: AIStor evaluates only the caller's own policies, and applies bucket policies only to anonymous callers. AWS
evaluates both, and a Deny in either wins, even over root. Conditions always count. Left out: signatures, which are
verified before, and the permissions that a request needs (`sandbox.server.s3_actions`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sandbox.server import moto_store, signatures
from sandbox.server.answers import ApiError
from sandbox.server.policy_engine import Access, Policy, PolicyError, Verdict, evaluate, parse_text
from sandbox.server.s3_actions import Need

if TYPE_CHECKING:
    from sandbox.server.minio_iam import MinioIam

Context = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose signature was verified."""

    access_key: str
    secret_key: str
    #: The user's name; for a service account, the name of its user.
    user: str
    arn: str
    root: bool
    #: Each group of policies must allow.
    layers: tuple[tuple[Policy, ...], ...] = ()
    #: The session token of a temporary key, and its end; None for a permanent key.
    session: signatures.Session | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Caller({self.arn})"


class Authority(Protocol):
    """The rules of one vendor."""

    def caller(self, access_key: str) -> Caller | None:
        """The owner of the key, or None if the key is unknown; refuses a disabled key."""

    def allows(self, caller: Caller | None, need: Need, context: Context) -> bool:
        """Whether the caller (None if anonymous) has the permission."""


def _layer(documents: Iterable[str], *, minio: bool = False) -> tuple[Policy, ...]:
    return tuple(parse_text(document, minio=minio) for document in documents)


def _bounded(documents: Iterable[str], bounds: tuple[str, ...]) -> tuple[tuple[Policy, ...], ...]:
    """The documents, and a permissions boundary as a layer of its own."""
    return (_layer(documents), _layer(bounds)) if bounds else (_layer(documents),)


def _identity_verdict(caller: Caller, access: Access) -> Verdict:
    """The verdict of the caller's own policies: all layers must allow, and one Deny is enough to refuse."""
    verdicts = [evaluate(layer, access) for layer in caller.layers]
    if Verdict.DENIED in verdicts:
        return Verdict.DENIED
    allowed = bool(verdicts) and all(verdict is Verdict.ALLOWED for verdict in verdicts)
    return Verdict.ALLOWED if allowed else Verdict.SILENT


def _bucket_verdict(bucket: str, access: Access, names: frozenset[str], *, minio: bool = False) -> Verdict:
    text = moto_store.bucket_policy(bucket)
    if text is None:
        return Verdict.SILENT
    try:
        return evaluate([parse_text(text, minio=minio)], access, names)
    except PolicyError:
        return Verdict.SILENT


class AistorAuthority:
    """MinIO's rules, on its own IAM store."""

    def __init__(self, iam: MinioIam, root_user: str, root_password: str) -> None:
        """Root is not a user of the store."""
        self._iam = iam
        self._root = Caller(root_user, root_password, root_user, "arn:aws:iam:::root", root=True)

    def caller(self, access_key: str) -> Caller | None:
        """Root, a user, or a service account."""
        if access_key == self._root.access_key:
            return self._root
        known = self._iam.credential(access_key)
        if known is None:
            return None
        if not known.enabled:
            raise ApiError("InvalidAccessKeyId", "Your account is disabled; please contact your administrator.", 403)
        layers = tuple(_layer((json.dumps(document) for document in layer), minio=True) for layer in known.layers)
        # A service account of root without its own policy has no limits, like root.
        return Caller(access_key, known.secret_key, known.user, f"arn:aws:iam:::user/{known.user}", not layers, layers)

    def allows(self, caller: Caller | None, need: Need, context: Context) -> bool:
        """MinIO's decision; `s3:DeleteObject` covers versions, unless a policy denies their deletion by name."""
        if caller is not None and caller.root:
            return True
        if self._says(caller, need, context) is Verdict.ALLOWED:
            versioned = need.action == "s3:DeleteObject" and any(context.get("s3:versionid", ()))
            by_version = Need("s3:DeleteObjectVersion", need.bucket, need.key)
            return not (versioned and self._says(caller, by_version, context) is Verdict.DENIED)
        stands_for = {"s3:ListBucketVersions": "s3:ListBucket"}.get(need.action)
        if stands_for is None:
            return False
        return self._says(caller, Need(stands_for, need.bucket), context) is Verdict.ALLOWED

    @staticmethod
    def _says(caller: Caller | None, need: Need, context: Context) -> Verdict:
        if caller is None:
            return _bucket_verdict(need.bucket, Access(need.action, need.resource, context), frozenset(), minio=True)
        # Behind a bucket, and where there is none, MinIO puts a slash before it compares (statement.go).
        resource = need.resource if need.key or need.arn else f"arn:aws:s3:::{need.bucket}/"
        return _identity_verdict(caller, Access(need.action, resource, context))


class AwsAuthority:
    """AWS's rules within one account, on moto's IAM."""

    def __init__(self, root_key: str, root_secret: str) -> None:
        """Root is the account itself."""
        arn = f"arn:aws:iam::{moto_store.ACCOUNT}:root"
        self._root = Caller(root_key, root_secret, moto_store.ACCOUNT, arn, root=True)

    def caller(self, access_key: str) -> Caller | None:
        """Root, an IAM user, or a session of a role."""
        if access_key == self._root.access_key:
            return self._root
        held = moto_store.role_session(access_key)
        if held is not None:
            session, layers = signatures.Session(held.token, held.expires), _bounded(held.documents, held.bounds)
            return Caller(access_key, held.secret_key, held.name, held.arn, root=False, layers=layers, session=session)
        key = moto_store.iam_key(access_key)
        if key is None or not key.active:
            return None
        layers = _bounded(key.documents, key.bounds)
        return Caller(access_key, key.secret_key, key.user, key.arn, root=False, layers=layers)

    def allows(self, caller: Caller | None, need: Need, context: Context) -> bool:
        """Identity and bucket policies together. Only a bucket policy's Deny limits root, and root can remove it."""
        access = Access(need.action, need.resource, context)
        if caller is None:
            if moto_store.shuts_out_the_public(need.bucket):
                return False
            return _bucket_verdict(need.bucket, access, frozenset()) is Verdict.ALLOWED
        account = frozenset((f"arn:aws:iam::{moto_store.ACCOUNT}:root", moto_store.ACCOUNT))
        by_bucket = _bucket_verdict(need.bucket, access, frozenset((caller.arn,)) | account)
        if caller.root:
            on_policy = need.action in ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
            return on_policy or by_bucket is not Verdict.DENIED
        by_identity = _identity_verdict(caller, access)
        if Verdict.DENIED in (by_bucket, by_identity):
            return False
        if by_identity is Verdict.ALLOWED:
            return True
        # A principal that names the account only delegates to the account's own policies, which allow nothing here.
        return _bucket_verdict(need.bucket, access, frozenset((caller.arn,))) is Verdict.ALLOWED
