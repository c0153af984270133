"""Who a key belongs to and what that caller may do, by each vendor's rules.

The two differ in kind: AIStor asks only the caller's own policies and lets bucket policies speak for the anonymous
alone; AWS lets both speak, and a Deny in either wins, even over root. Conditions count everywhere. Signatures are
verified before, and what a permission means for a request is `sandbox.server.s3_actions`'.
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
    """Somebody whose signature was verified."""

    access_key: str
    secret_key: str
    #: The user's name, for service accounts that of their user.
    user: str
    arn: str
    root: bool
    #: Each group of policies must allow.
    layers: tuple[tuple[Policy, ...], ...] = ()
    #: What a temporary key is sent with, and when it ends; None for one that lasts.
    session: signatures.Session | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Caller({self.arn})"


class Authority(Protocol):
    """One vendor's rules."""

    def caller(self, access_key: str) -> Caller | None:
        """Who the key belongs to, None if it is unknown; refuses one that is switched off."""

    def allows(self, caller: Caller | None, need: Need, context: Context) -> bool:
        """Whether the caller, None for the anonymous, has the permission."""


def _layer(documents: Iterable[str]) -> tuple[Policy, ...]:
    return tuple(parse_text(document) for document in documents)


def _identity_verdict(caller: Caller, access: Access) -> Verdict:
    """What the caller's own policies say: all layers must allow, one that denies is enough."""
    verdicts = [evaluate(layer, access) for layer in caller.layers]
    if Verdict.DENIED in verdicts:
        return Verdict.DENIED
    allowed = bool(verdicts) and all(verdict is Verdict.ALLOWED for verdict in verdicts)
    return Verdict.ALLOWED if allowed else Verdict.SILENT


def _bucket_verdict(bucket: str, access: Access, names: frozenset[str]) -> Verdict:
    text = moto_store.bucket_policy(bucket)
    if text is None:
        return Verdict.SILENT
    try:
        return evaluate([parse_text(text)], access, names)
    except PolicyError:
        return Verdict.SILENT


class AistorAuthority:
    """MinIO's rules, over its own IAM store."""

    def __init__(self, iam: MinioIam, root_user: str, root_password: str) -> None:
        """Root is no user of the store."""
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
        layers = tuple(_layer(json.dumps(document) for document in layer) for layer in known.layers)
        # A service account of root's without a policy of its own is bound by nothing, as root is.
        return Caller(access_key, known.secret_key, known.user, f"arn:aws:iam:::user/{known.user}", not layers, layers)

    def allows(self, caller: Caller | None, need: Need, context: Context) -> bool:
        """As MinIO decides; `s3:DeleteObject` covers versions unless their deletion is denied by name."""
        if caller is not None and caller.root:
            return True
        if self._says(caller, need, context) is Verdict.ALLOWED:
            versioned = need.action == "s3:DeleteObject" and context.get("s3:versionid")
            by_version = Need("s3:DeleteObjectVersion", need.bucket, need.key)
            return not (versioned and self._says(caller, by_version, context) is Verdict.DENIED)
        stands_for = {"s3:ListBucketVersions": "s3:ListBucket"}.get(need.action)
        if stands_for is None:
            return False
        return self._says(caller, Need(stands_for, need.bucket), context) is Verdict.ALLOWED

    @staticmethod
    def _says(caller: Caller | None, need: Need, context: Context) -> Verdict:
        access = Access(need.action, need.resource, context)
        if caller is None:
            return _bucket_verdict(need.bucket, access, frozenset())
        return _identity_verdict(caller, access)


class AwsAuthority:
    """AWS's rules within one account, over moto's IAM."""

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
            session, layer = signatures.Session(held.token, held.expires), _layer(held.documents)
            return Caller(
                access_key, held.secret_key, held.name, held.arn, root=False, layers=(layer,), session=session
            )
        key = moto_store.iam_key(access_key)
        if key is None or not key.active:
            return None
        return Caller(access_key, key.secret_key, key.user, key.arn, root=False, layers=(_layer(key.documents),))

    def allows(self, caller: Caller | None, need: Need, context: Context) -> bool:
        """Identity and bucket policies together; root is only bound by a bucket policy's Deny, and can lift it."""
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
        # Naming the account only hands the decision to the account's own policies, which are silent here.
        return _bucket_verdict(need.bucket, access, frozenset((caller.arn,))) is Verdict.ALLOWED
