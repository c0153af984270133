"""The actions of the grants matrix: how each is tried without harm, and who may do it.

The rule: an attempt changes nothing even if the server allows it. A put carries `If-None-Match: *` for an object that
exists (allowed: 412); outside the probe prefix it carries another body's digest (allowed: 400). A change of
configuration is one that every server rejects after it has accepted the caller (allowed: 400). A delete is for a key
that does not exist. So the code alone shows whether the caller is allowed.
Deleting a bucket is left out: only the bucket's contents would prevent harm.

That permission is checked before content: for MinIO see its cmd/bucket-*-handlers.go; for AWS:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from model.plan import PROBE_PREFIX, BucketPlan, IdentityPlan
from model.policies import Cloud
from model.taxonomy import Access, RetentionMode
from verify.facts import DONE, NOT_TRIED, Answer, Tried
from verify.probe.answers import as_tried, done
from verify.probe.mark import mark_for, mark_headers
from verify.probe.seeds import BAD_DIGEST, MD5_OF_NOTHING
from verify.probe.session import StoreSession, abort_upload, body_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Longer than the clocks of a signed request and of its server may differ.
LINK_SECONDS = 1200
_LINKED = b"put by link"
# AWS requires a checksum if the bucket has a default retention; botocore adds none to a presigned URL.
_LINKED_MD5 = base64.b64encode(hashlib.md5(_LINKED, usedforsecurity=False).digest()).decode()
CONDITIONAL = frozenset({"put", "presigned_put"})
_WOULD_STAY = "the server ignores If-None-Match, so a put that it allows would stay locked until its retention ends"
_WOULD_STORE = "the server ignores the digest of a body, so a put that it allows would leave an object"
REFUSED: dict[Cloud, frozenset[str]] = {
    "aistor": frozenset({"AccessDenied"}),
    "aws": frozenset({"AccessDenied"}),
}
# What the auditor's policy lets in of the matrix (`model.audited`).
_AUDITED = frozenset({"list_versions", "read_configuration"})
Holder = Literal["read", "append", "write", "verifier", "nobody"]
_BY_ACCESS: dict[Access, frozenset[Holder]] = {
    Access.READ: frozenset({"read"}),
    Access.APPEND: frozenset({"read", "append"}),
    Access.WRITE: frozenset({"read", "append", "write"}),
}


@dataclass(frozen=True)
class Place:
    """Where a cell of the matrix is tried.

    Attributes:
        session: The run's session.
        identity: The identity that tries.
        bucket: The bucket.
        prefix: The run's prefix.
        marker_version: Version id of a delete marker; `null` in a bucket without versions.
        conditions_hold: Whether the server respects `If-None-Match: *` in the bucket.
        digests_hold: Whether the server refuses a put with another body's digest there.
        leaves_markers: Whether a delete of a key without an object leaves a delete marker there.
    """

    session: StoreSession
    identity: str
    bucket: BucketPlan
    prefix: str
    marker_version: str = "null"
    conditions_hold: bool = True
    digests_hold: bool = True
    leaves_markers: bool = False

    @property
    def client(self) -> "S3Client":
        """A client that signs with the identity's key."""
        return self.session.client(self.identity)

    @property
    def seed(self) -> str:
        """The key of an object that exists."""
        return f"{self.prefix}seed"

    @property
    def gone(self) -> str:
        """A key without an object; in a versioned bucket it has a delete marker."""
        return f"{self.prefix}gone"

    @property
    def outside(self) -> str:
        """A key without an object outside the probe prefix."""
        return outside(self.prefix)


def outside(prefix: str) -> str:
    """A key that no workload uses, outside the probe prefix: under the year, as a workload's own keys often are.

    Args:
        prefix: The run's prefix; its id begins with the year.
    """
    return f"{prefix.removeprefix(PROBE_PREFIX)[:4]}/{prefix}none"


@dataclass(frozen=True)
class Action:
    """One action of the matrix.

    Attributes:
        name: The action's id.
        heading: Two letters for the heat map.
        holder: The least access that allows it; the verifier may do everything except what is `nobody`'s.
        attempt: Tries it at a place.
        proves: Error codes that only an allowed caller gets.
        locked_only: Whether it applies only to buckets with object lock.
        hot_only: Whether it applies only to buckets without versions, because it would leave a delete marker elsewhere.
        outside: Whether it is about a key outside the probe prefix, where the verifier may do nothing.
        listers_only: Whether on AWS it applies only to who may list: to others AWS refuses a key without an object.
    """

    name: str
    heading: str
    holder: Holder
    attempt: Callable[[Place], Tried]
    proves: frozenset[str] = frozenset()
    locked_only: bool = False
    hot_only: bool = False
    outside: bool = False
    listers_only: bool = False

    def applies(self, identity: IdentityPlan, bucket: BucketPlan, cloud: Cloud) -> bool:
        """Whether the attempt does no harm in the bucket, and its answer tells something about the identity."""
        hollow = self.listers_only and cloud == "aws" and not self.allowed(identity, bucket)
        return (bucket.locked or not self.locked_only) and not (bucket.versioned and self.hot_only) and not hollow

    def allowed(self, identity: IdentityPlan, bucket: BucketPlan) -> bool:
        """Whether the plan allows the identity this action in the bucket."""
        if identity.verifies:
            return self.holder != "nobody" and not self.outside
        if identity.audits:
            return self.name in _AUDITED
        return any(grant.bucket == bucket.name and self.holder in _BY_ACCESS[grant.access] for grant in identity.grants)

    def let_in(self, answer: Tried) -> bool:
        """Whether only an allowed caller gets this answer."""
        return answer.ok or answer.code in self.proves


def _asked(call: "Callable[[Place, S3Client], object]") -> Callable[[Place], Tried]:
    return lambda place: place.session.ask(done(lambda: call(place, place.client)))


def _multipart(place: Place) -> Tried:
    """Begin an upload; the verifier aborts it, because the identity that begins one may not be allowed to abort it."""
    name, key = place.bucket.name, f"{place.prefix}parts-{place.identity}"

    def begin() -> str:
        upload_id = place.client.create_multipart_upload(Bucket=name, Key=key)["UploadId"]
        place.session.uploads.add((name, key, upload_id))
        return upload_id

    begun = place.session.ask(begin)
    if begun.value is not None:
        abort_upload(place.session, (name, key, begun.value))
    return Answer(DONE) if begun.ok else begun


def _presigned_get(place: Place) -> Tried:
    return as_tried(place.session.send("GET", _presigned_at(place, "get_object", place.seed)))


def _presigned_put(place: Place) -> Tried:
    mark = mark_for(place.seed)
    url = _presigned_at(place, "put_object", place.seed, IfNoneMatch="*", ContentMD5=_LINKED_MD5, Metadata=mark)
    headers = {"If-None-Match": "*", "Content-MD5": _LINKED_MD5, **mark_headers(mark)}
    return as_tried(place.session.send("PUT", url, headers, _LINKED))


def _presigned_at(place: Place, operation: str, key: str, **parameters: object) -> str:
    signed = {"Bucket": place.bucket.name, "Key": key, **parameters}
    return place.client.generate_presigned_url(operation, Params=signed, ExpiresIn=LINK_SECONDS)


def _get_outside(place: Place) -> Tried:
    return as_tried(place.session.send("GET", _presigned_at(place, "get_object", place.outside)))


def _put_outside(place: Place) -> Tried:
    """With the digest of no bytes. The condition is what the adapter sends, and what a policy may ask for."""
    url = _presigned_at(place, "put_object", place.outside, IfNoneMatch="*", ContentMD5=MD5_OF_NOTHING)
    return as_tried(place.session.send("PUT", url, {"If-None-Match": "*", "Content-MD5": MD5_OF_NOTHING}, _LINKED))


# Every server rejects this even from an allowed caller: no server accepts an expiration after 0 days.
_NO_RULE = {"ID": "verify", "Status": "Enabled", "Filter": {"Prefix": ".verify/"}, "Expiration": {"Days": 0}}
_ELSEWHERE = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"verify","Effect":"Deny","Principal":"*",'
    '"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::of-another-bucket/*"]}]}'
)
_INVALID = frozenset({"InvalidArgument", "InvalidRequest", "MalformedXML"})

ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action(
            "list",
            "li",
            "read",
            _asked(lambda p, s3: s3.list_objects_v2(Bucket=p.bucket.name, Prefix=p.prefix, MaxKeys=1)),
        ),
        Action(
            "list_versions",
            "lv",
            "read",
            _asked(lambda p, s3: s3.list_object_versions(Bucket=p.bucket.name, Prefix=p.prefix, MaxKeys=1)),
        ),
        Action("get", "ge", "read", _asked(lambda p, s3: body_of(s3, p.bucket.name, p.seed))),
        Action("presigned_get", "pg", "read", _presigned_get),
        Action(
            "put",
            "pu",
            "append",
            _asked(lambda p, s3: s3.put_object(Bucket=p.bucket.name, Key=p.seed, Body=b"put", IfNoneMatch="*")),
            frozenset({"PreconditionFailed"}),
        ),
        Action("presigned_put", "pp", "append", _presigned_put, frozenset({"PreconditionFailed"})),
        Action("multipart", "mp", "append", _multipart),
        Action("get_outside", "go", "read", _get_outside, frozenset({"NoSuchKey"}), outside=True, listers_only=True),
        Action("put_outside", "po", "append", _put_outside, frozenset({BAD_DIGEST}), outside=True),
        Action(
            "delete_outside",
            "do",
            "write",
            _asked(lambda p, s3: s3.delete_object(Bucket=p.bucket.name, Key=p.outside)),
            outside=True,
            hot_only=True,
        ),
        Action("delete", "de", "write", _asked(lambda p, s3: s3.delete_object(Bucket=p.bucket.name, Key=p.gone))),
        Action(
            "delete_version",
            "dv",
            "verifier",
            _asked(lambda p, s3: s3.delete_object(Bucket=p.bucket.name, Key=p.gone, VersionId=p.marker_version)),
            frozenset({"NoSuchVersion", "NoSuchKey"}),
        ),
        Action(
            "delete_version_outside",
            "dx",
            "nobody",
            # The version id is one of another key, so no server has this version.
            _asked(lambda p, s3: s3.delete_object(Bucket=p.bucket.name, Key=p.outside, VersionId=p.marker_version)),
            frozenset({"NoSuchVersion", "NoSuchKey"}),
            outside=True,
        ),
        Action(
            "put_object_retention",
            "or",
            "verifier",
            _asked(
                lambda p, s3: s3.put_object_retention(
                    Bucket=p.bucket.name,
                    Key=p.seed,
                    Retention={"Mode": "GOVERNANCE", "RetainUntilDate": p.session.tried_lock_until},
                )
            ),
            locked_only=True,
        ),
        Action(
            "read_configuration",
            "rc",
            "verifier",
            _asked(lambda p, s3: s3.get_bucket_lifecycle_configuration(Bucket=p.bucket.name)),
            frozenset({"NoSuchLifecycleConfiguration"}),
        ),
        Action(
            "change_lifecycle",
            "cl",
            "nobody",
            _asked(
                lambda p, s3: s3.put_bucket_lifecycle_configuration(
                    Bucket=p.bucket.name,
                    LifecycleConfiguration={"Rules": [_NO_RULE]},  # type: ignore[list-item]  # a dict, as boto3 takes it
                )
            ),
            _INVALID,
        ),
        Action(
            "change_policy",
            "cp",
            "nobody",
            _asked(lambda p, s3: s3.put_bucket_policy(Bucket=p.bucket.name, Policy=_ELSEWHERE)),
            _INVALID | {"MalformedPolicy"},
        ),
        Action(
            "change_retention",
            "cr",
            "nobody",
            _asked(
                lambda p, s3: s3.put_object_lock_configuration(
                    Bucket=p.bucket.name,
                    ObjectLockConfiguration={
                        "ObjectLockEnabled": "Enabled",
                        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 0}},
                    },
                )
            ),
            _INVALID | {"InvalidBucketState", "InvalidRetentionPeriod", "ObjectLockConfigurationNotFoundError"},
        ),
        Action(
            "change_versioning",
            "cv",
            "nobody",
            _asked(
                lambda p, s3: s3.put_bucket_versioning(
                    Bucket=p.bucket.name,
                    VersioningConfiguration={"Status": "Neither"},  # type: ignore[typeddict-item]  # refused by every server
                )
            ),
            _INVALID | {"IllegalVersioningConfigurationException", "InvalidBucketState"},
        ),
        Action(
            "make_bucket",
            "mb",
            "nobody",
            lambda place: place.session.ask(done(lambda: _make_again(place, place.client))),
            frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}),
        ),
    )
}


def _make_again(place: Place, client: "S3Client") -> object:
    """Create a bucket with a name that is taken: nothing changes, even if the caller is allowed."""
    region = place.session.target.deployment.region
    if region == "us-east-1":  # it accepts no location
        return client.create_bucket(Bucket=place.bucket.name)
    return client.create_bucket(
        Bucket=place.bucket.name,
        CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]  # any region's name
    )


def refused(answer: Tried, cloud: Cloud) -> bool:
    """Whether the answer is this backend's refusal for lack of permission, and nothing else."""
    return answer.code in REFUSED[cloud]


def try_actions(place: Place, identity: IdentityPlan) -> dict[str, Tried]:
    """Try every action that applies to the place, one after the other."""
    cloud = place.session.target.deployment.cloud
    # If the server ignores the condition, the put could not be removed from a bucket with default COMPLIANCE.
    stuck = place.bucket.retention is not None and place.bucket.retention.mode is RetentionMode.COMPLIANCE
    unsafe = {
        **(dict.fromkeys(CONDITIONAL, _WOULD_STAY) if stuck and not place.conditions_hold else {}),
        **({} if place.digests_hold else {"put_outside": _WOULD_STORE}),
    }
    return {
        name: Answer(code=NOT_TRIED, said=unsafe[name]) if name in unsafe else action.attempt(place)
        for name, action in ACTIONS.items()
        if action.applies(identity, place.bucket, cloud) and not (action.hot_only and place.leaves_markers)
    }


def not_tried(identity: IdentityPlan, bucket: BucketPlan, cloud: Cloud, why: str) -> dict[str, Tried]:
    """The answers of an identity that is unavailable."""
    return {
        name: Answer(code=NOT_TRIED, said=why)
        for name, action in ACTIONS.items()
        if action.applies(identity, bucket, cloud)
    }
