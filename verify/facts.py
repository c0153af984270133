"""Facts: what a run read from the store and tried on it, once, without a verdict.

The rule: an answer is either a value or the code of the error that came instead. An exception never makes a fact
missing, and no fact holds a secret or a signed URL. A part that was not selected is None or empty. `verify.checks`
gives the verdicts, and `verify.record` keeps facts in a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, Literal, TypeVar

from model.lifecycle import FoundRule

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a server answered.

    Attributes:
        value: The value, if it answered with one.
        code: The error's code (`AccessDenied`, `NoSuchBucket`, `EndpointUnreachable` …), if it did not.
        said: The error's message, without secrets.
    """

    value: T | None = None
    code: str | None = None
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether the server answered with a value."""
        return self.code is None

    def __str__(self) -> str:
        """The value or the error, for a finding's `found`."""
        return str(self.value) if self.ok else f"{self.code}: {self.said}" if self.said else str(self.code)


DONE = "done"
#: In place of a policy document that the server applies and cannot show.
UNSHOWN = "a policy with NotAction, which the server applies and cannot show"
# Instead of an error's code: nothing was sent, and `said` gives the reason.
NOT_TRIED = "NotTried"
# The server refuses signed requests because the clocks differ too much.
SKEWED = "RequestTimeTooSkewed"
Tried = Answer[str]


@dataclass(frozen=True)
class LiveRetention:
    """Object Lock configuration as the server reports it; no mode means no default retention."""

    enabled: bool
    mode: str | None = None
    days: int | None = None


@dataclass(frozen=True)
class Described:
    """What one operation reported about an object; only what that operation reports is set."""

    etag: str | None = None
    size: int | None = None
    content_type: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Expiry:
    """The header `x-amz-expiration`: which lifecycle rule applies, and when the object expires (an HTTP date)."""

    rule_id: str
    date: str


@dataclass(frozen=True)
class HeldRetention:
    """An object's own retention: its mode, and the days that were left when it was read, rounded."""

    mode: str
    days: int


@dataclass(frozen=True)
class ProbeFacts:
    """What happened to one smoke object.

    Attributes:
        identity: Who wrote it.
        sent: The size, content type and hash that were sent.
        uploaded: The answer to the upload.
        headed: What HEAD reports.
        downloaded: What the download returned.
        listed: The entry of its key in a listing of its prefix; a value of None means that it was not listed.
        presigned: What a plain GET of the presigned URL returned.
        deleted: True if the key was gone after a delete; None if the identity may not delete.
        expiry: What HEAD reports about its expiration; a value of None means that the server sends no such header.
        retention: Its own retention, as the verifier reads it; None in a bucket without object lock.
    """

    identity: str
    sent: Described
    uploaded: Answer[Described]
    headed: Answer[Described]
    downloaded: Answer[Described]
    listed: Answer[Described | None]
    presigned: Answer[Described]
    deleted: Answer[bool] | None
    expiry: Answer[Expiry | None] = field(default_factory=lambda: Answer(None))
    retention: Answer[HeldRetention] | None = None


@dataclass(frozen=True)
class Carried:
    """An object that was put and read back.

    Attributes:
        sent: Its size and hash before the put.
        came: Its size and hash after the read, or the error.
    """

    sent: Described
    came: Answer[Described]


@dataclass(frozen=True)
class ObjectFacts:
    """What the bucket's writer found on the data path.

    Attributes:
        identity: Who wrote and read.
        sizes: By size in words; sizes over 1 byte only if `large`.
        multipart: 12 MiB in parts, with a checksum; None if not `large`.
        keys: By what is unusual about the key.
        metadata: `content type; name=value`, as HEAD returned it.
        conditional: The answer to a second put with `If-None-Match: *`.
        conditional_join: The answer to an upload in parts over the same object, with that condition at its end.
        ranged: The bytes of a range read, as text.
        listed: How many of `LISTED_KEYS` keys a listing returned; None without `--deep`.
        odd_keys: By key: the adapter's answer to keys that servers would change.
        large: Whether large objects were tried in this bucket.
    """

    identity: str
    sizes: Mapping[str, Carried]
    multipart: Carried | None
    keys: Mapping[str, Carried]
    metadata: Answer[str]
    conditional: Tried
    conditional_join: Tried
    ranged: Answer[str]
    listed: Answer[int] | None
    odd_keys: Mapping[str, Tried]
    large: bool


@dataclass(frozen=True)
class LinkFacts:
    """The answers to presigned URLs that one identity signed and a plain HTTP client sent.

    Attributes:
        identity: Who signed.
        get: The GET as it was signed.
        put: The PUT as it was signed.
        tampered: The GET with another signature.
        expired: The GET, signed long ago.
        other_key: The GET of another key.
        other_method: A DELETE instead of the GET.
        too_long: A URL for longer than S3 accepts, which the adapter refuses.
        unsigned: A PUT with another signature, whose body is in chunks with an unsigned trailer; None in facts that
            were saved before it was tried.
    """

    identity: str
    get: Tried
    put: Tried
    tampered: Tried
    expired: Tried
    other_key: Tried
    other_method: Tried
    too_long: Tried
    unsigned: Tried | None = None


@dataclass(frozen=True)
class LockFacts:
    """The immutability proof of a bucket with object lock.

    Attributes:
        identity: Who wrote the version.
        own_retention: Whether the version had the bucket's default retention; False if it had an explicit short
            governance lock instead of COMPLIANCE.
        overwritten: Whether the old version reads back unchanged after an overwrite.
        deleted: Whether a delete without version id left a delete marker, and the old version reads back.
        version_deletes: By identity: the answer to a delete of the version without bypass.
        bypasses: By identity other than the verifier: the answer to a delete of the version with bypass.
        shortenings: By identity: the answer to a shorter retention, without bypass.
        unlockings: By identity other than the verifier: the answer to an empty retention, with bypass. Empty in a
            record of an older run.
    """

    identity: str
    own_retention: bool
    overwritten: Answer[bool]
    deleted: Answer[bool]
    version_deletes: Mapping[str, Tried]
    bypasses: Mapping[str, Tried]
    shortenings: Mapping[str, Tried]
    unlockings: Mapping[str, Tried] = field(default_factory=dict)


@dataclass(frozen=True)
class StrangerFacts:
    """The answers to callers that must be refused.

    Attributes:
        anonymous: By action (list, get, put): a request without a signature.
        plain_http: A signed request over http; None if the plan does not require TLS.
        outside: By action (list, delete_version, and on AIStor get): the verifier outside the probe prefix.
    """

    anonymous: Mapping[str, Tried]
    plain_http: Tried | None
    outside: Mapping[str, Tried]


@dataclass(frozen=True)
class HeldVersion:
    """A version of an object that a run did not write.

    Attributes:
        key: The object's key.
        version_id: The version.
        made: When it was made (ISO 8601).
        mode: The mode of its retention; empty if it has none.
        until: The end of its retention (ISO 8601); empty if it has none.
        hold: Whether it has a legal hold.
    """

    key: str
    version_id: str
    made: str
    mode: str = ""
    until: str = ""
    hold: bool = False


@dataclass(frozen=True)
class BucketAudit:
    """What governs a bucket, as the auditor reads it.

    Attributes:
        why_not: Why nothing was read; empty if it was.
        settings: By the name of the setting (`model.audited`): the server's own text.
        versions: A sample of the versions of a bucket with object lock; empty without object lock.
    """

    why_not: str = ""
    settings: Mapping[str, Answer[str]] = field(default_factory=dict)
    versions: Answer[tuple[HeldVersion, ...]] = field(default_factory=lambda: Answer(()))


@dataclass(frozen=True)
class BucketFacts:
    """All facts of one bucket.

    Attributes:
        location: Its region, from GetBucketLocation.
        versioning: Enabled, Suspended or Off.
        rules: Its lifecycle rules; empty if it has none.
        retention: Its Object Lock configuration.
        encryption: Its default encryption: `SSE-S3`, `SSE-KMS KEY`, or none.
        public_access: The settings of its public access block that are on.
        ownership: Its object ownership setting.
        policy: Its bucket policy as JSON; empty if it has none.
        probe: The smoke object.
        left: The number of versions and delete markers under this run's prefix after the sweep.
        objects: The data path.
        links: Presigned URLs.
        lock: The immutability proof; None without object lock.
        strangers: Callers that must be refused.
        audit: What governs it, as the auditor reads it.
    """

    location: Answer[str]
    versioning: Answer[str]
    rules: Answer[tuple[FoundRule, ...]]
    retention: Answer[LiveRetention]
    encryption: Answer[str]
    public_access: Answer[tuple[str, ...]]
    ownership: Answer[str]
    policy: Answer[str]
    left: Answer[int]
    probe: ProbeFacts | None = None
    objects: ObjectFacts | None = None
    links: LinkFacts | None = None
    lock: LockFacts | None = None
    strangers: StrangerFacts | None = None
    audit: BucketAudit | None = None


@dataclass(frozen=True)
class Certificate:
    """A server's certificate: its names, and when it expires (ISO 8601, UTC)."""

    names: tuple[str, ...]
    ends: str


@dataclass(frozen=True)
class DoorFacts:
    """The endpoint of the store.

    Attributes:
        endpoint: The URL that was tried.
        reached: Whether a server answers there.
        certificate: The server's certificate; None if the endpoint is plain http.
        ahead_seconds: How far the server's clock is ahead of this machine's, by its `Date`; 0 within its precision.
    """

    endpoint: str
    reached: Tried
    certificate: Answer[Certificate] | None
    ahead_seconds: float = 0.0

    @property
    def open(self) -> bool:
        """Whether further requests make sense."""
        return self.reached.ok and (self.certificate is None or self.certificate.ok)


def skew_in_words(ahead: timedelta) -> str:
    """How the server's clock differs from this machine's."""
    side = "ahead of" if ahead > timedelta() else "behind"
    return f"the server's clock is {abs(ahead.total_seconds()):.0f} s {side} this machine's"


@dataclass(frozen=True)
class StoreFacts:
    """Facts about the store as a whole.

    Attributes:
        bucket_names: The buckets that the server lists for the verifier.
        default_keys: A request with the vendor's well-known default pair; None if the backend has none.
        admin: By identity: the refusal of every call of the IAM or admin API that was tried, or the calls that the
            server did not refuse, in `said`.
        beside: By identity, and by attempt with its bucket: what it tried in the buckets of other stacks.
    """

    bucket_names: Answer[tuple[str, ...]]
    default_keys: Tried | None
    admin: Mapping[str, Tried]
    beside: Mapping[str, Mapping[str, Tried]] = field(default_factory=dict)


@dataclass(frozen=True)
class HeldDocument:
    """A policy document that applies to somebody.

    Attributes:
        kind: How it applies.
        name: The policy's name; on AWS an attached policy's ARN.
        text: The document as JSON.
        group: The group that it comes from; empty if it is the holder's own.
    """

    kind: Literal["attached", "inline", "boundary"]
    name: str
    text: str
    group: str = ""

    def __str__(self) -> str:
        """Its place in words."""
        word = {"attached": "policy", "inline": "inline policy", "boundary": "permissions boundary"}[self.kind]
        return f"{word} {self.name}" + (f" of group {self.group}" if self.group else "")


@dataclass(frozen=True)
class LiveKey:
    """An access key on the server, without its secret.

    Attributes:
        access_key_id: The key.
        enabled: Whether it is switched on.
        expires: When it expires (ISO 8601); empty for never.
        document: The key's own policy, which narrows what its user may do; None if it has none.
    """

    access_key_id: str
    enabled: bool = True
    expires: str = ""
    document: str | None = None


@dataclass(frozen=True)
class Principal:
    """Somebody that the server knows.

    Attributes:
        kind: `user`, `role`, or `account` for the root user, whose permissions have no document.
        name: Its name on the server.
        arn: Its ARN; empty on AIStor.
        enabled: Whether it is switched on.
        groups: The groups that it is in.
        documents: Every document that allows it something: its own, its groups', inline and attached.
        boundary: The document that bounds them all; None if there is none.
        keys: Its access keys.
        login: Whether it has a password for the console; None if there is no such password on the server.
        trust: Who may assume a role, as JSON.
    """

    kind: Literal["user", "role", "account"]
    name: str
    arn: str = ""
    enabled: bool = True
    groups: tuple[str, ...] = ()
    documents: tuple[HeldDocument, ...] = ()
    boundary: HeldDocument | None = None
    keys: Answer[tuple[LiveKey, ...]] = field(default_factory=lambda: Answer(()))
    login: Answer[bool] | None = None
    trust: str = ""


@dataclass(frozen=True)
class AuditFacts:
    """Everybody that the server knows, as the auditor reads it.

    Attributes:
        why_not: Why nothing was read; empty if it was.
        principals: Users, roles, and root with its keys.
        published: By identity: the access keys that the stack has published.
    """

    why_not: str = ""
    principals: Answer[tuple[Principal, ...]] = field(default_factory=lambda: Answer(()))
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """All facts of a run.

    Attributes:
        run_id: The id of this run; its objects were under `.verify/<run id>/`.
        taken_at: When the run began (ISO 8601, UTC).
        door: The endpoint of the store; if it is not `open`, nothing else was tried.
        buckets: By bucket name.
        grants: By identity, bucket name and action: what the server answered.
        store: Facts about the store as a whole; None if they were not selected.
        audit: Everybody that the server knows; None if it was not selected.
        introduced: By identity: whether its key was accepted before anything was tried, or how it was refused at last.
        requests: The number of requests that the suite's own clients sent.
        gave_up: Why the run stopped sending requests early; empty if it did not.
    """

    run_id: str
    taken_at: str
    door: DoorFacts
    buckets: Mapping[str, BucketFacts] = field(default_factory=dict)
    grants: Mapping[str, Mapping[str, Mapping[str, Tried]]] = field(default_factory=dict)
    store: StoreFacts | None = None
    audit: AuditFacts | None = None
    introduced: Mapping[str, Tried] = field(default_factory=dict)
    requests: int = 0
    gave_up: str = ""

    @property
    def unfinished(self) -> str:
        """Why the run could not finish; empty if it did."""
        if self.gave_up or self.door.open:
            return self.gave_up
        if self.door.certificate is None or self.door.certificate.ok:
            return self.door.reached.said
        return f"{self.door.endpoint} has no usable certificate ({self.door.certificate})"
