"""Facts: what was read of the store and tried on it, once, and nothing judged.

The rule: an answer is either a value or the code of the error that came instead; a fact is never missing because
something raised, and none holds a secret or a signed URL. A part that was not asked for is None or empty. Judging is
`verify.checks`'s; how facts are kept in a file is `verify.record`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from model.lifecycle import FoundRule

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a server answered.

    Attributes:
        value: The value, where it answered with one.
        code: The error's code (`AccessDenied`, `NoSuchBucket`, `EndpointUnreachable` …), where it did not.
        said: The error's message, without secrets.
    """

    value: T | None = None
    code: str | None = None
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether it answered with a value."""
        return self.code is None

    def __str__(self) -> str:
        """The value or the error, for a finding's `found`."""
        return str(self.value) if self.ok else f"{self.code}: {self.said}" if self.said else str(self.code)


DONE = "done"
# In place of an error's code: nothing was sent, and the answer's text says why.
NOT_TRIED = "NotTried"
Tried = Answer[str]


@dataclass(frozen=True)
class LiveRetention:
    """Object Lock configuration as the server has it; no mode means no default retention."""

    enabled: bool
    mode: str | None = None
    days: int | None = None


@dataclass(frozen=True)
class Described:
    """What one operation said of an object: only what that operation tells is set."""

    etag: str | None = None
    size: int | None = None
    content_type: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Expiry:
    """The header `x-amz-expiration`: which lifecycle rule governs the object, and when it ends (an HTTP date)."""

    rule_id: str
    date: str


@dataclass(frozen=True)
class HeldRetention:
    """An object's own retention: its mode, and the days that were left of it when it was read, to the nearest."""

    mode: str
    days: int


@dataclass(frozen=True)
class ProbeFacts:
    """What happened to one smoke object.

    Attributes:
        identity: Who wrote it.
        sent: What was sent: size, content type, hash.
        uploaded: What the upload answered.
        headed: What HEAD says of it.
        downloaded: What came back.
        listed: The entry of its key in a listing of its prefix; a value of None means that it was not listed.
        presigned: What a plain GET of the presigned URL gave.
        deleted: After a delete by an identity that may: True where the key is then gone. None where none may.
        expiry: What HEAD says of its expiration; a value of None means that the server sends no such header.
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
    """An object on its way in and out.

    Attributes:
        sent: Its size and hash before.
        came: Its size and hash as they came back, or what stopped it.
    """

    sent: Described
    came: Answer[Described]


@dataclass(frozen=True)
class ObjectFacts:
    """What the data path did, by the bucket's writer.

    Attributes:
        identity: Who wrote and read.
        sizes: By size in words; sizes over 1 byte only where `large`.
        multipart: 12 MiB in parts, with a checksum; None where not `large`.
        keys: By what is odd about the key.
        metadata: `content type; name=value` as HEAD gave it back.
        conditional: What a second put with `If-None-Match: *` answered.
        ranged: The bytes of a range read, as text.
        listed: How many of `LISTED_KEYS` keys a listing gave; None without `--deep`.
        odd_keys: What the adapter said to keys that no server keeps as they are, by key.
        large: Whether large objects were tried in this bucket.
    """

    identity: str
    sizes: Mapping[str, Carried]
    multipart: Carried | None
    keys: Mapping[str, Carried]
    metadata: Answer[str]
    conditional: Tried
    ranged: Answer[str]
    listed: Answer[int] | None
    odd_keys: Mapping[str, Tried]
    large: bool


@dataclass(frozen=True)
class LinkFacts:
    """What presigned URLs did, signed by one identity and sent by a plain HTTP client."""

    identity: str
    get: Tried
    put: Tried
    tampered: Tried
    expired: Tried
    other_key: Tried
    other_method: Tried
    too_long: Tried


@dataclass(frozen=True)
class LockFacts:
    """The immutability proof of a bucket with object lock.

    Attributes:
        identity: Who wrote the version.
        own_retention: Whether the bucket's default retention was on the version; False where an explicit short
            governance lock stood in for COMPLIANCE.
        overwritten: After an overwrite, whether the old version reads back as it was.
        deleted: After a delete without version id, whether there is a marker and the old version reads back.
        version_deletes: By identity: a delete of the version without bypass.
        bypasses: By identity other than the verifier: a delete of the version with bypass.
        shortenings: By identity: a retention that ends earlier, without bypass.
    """

    identity: str
    own_retention: bool
    overwritten: Answer[bool]
    deleted: Answer[bool]
    version_deletes: Mapping[str, Tried]
    bypasses: Mapping[str, Tried]
    shortenings: Mapping[str, Tried]


@dataclass(frozen=True)
class StrangerFacts:
    """What callers get who should get nothing.

    Attributes:
        anonymous: By action (list, get, put): without a signature.
        plain_http: A signed request over http; None where the plan does not demand TLS.
        outside: By action (list, delete_version, and on AIStor get): the verifier outside of the probe prefix.
    """

    anonymous: Mapping[str, Tried]
    plain_http: Tried | None
    outside: Mapping[str, Tried]


@dataclass(frozen=True)
class BucketFacts:
    """All facts of one bucket.

    Attributes:
        location: Its region, as GetBucketLocation has it.
        versioning: Enabled, Suspended or Off.
        rules: Its lifecycle rules; empty where there are none.
        retention: Its Object Lock configuration.
        encryption: Its default encryption: `SSE-S3`, `SSE-KMS KEY`, or none.
        public_access: The settings of its public access block that are on.
        ownership: Its object ownership setting.
        policy: Its bucket policy as JSON; empty where there is none.
        probe: The smoke object.
        left: Versions and delete markers under this run's prefix after the removal.
        objects: The data path.
        links: Presigned URLs.
        lock: The immutability proof; None without object lock.
        strangers: Callers who should get nothing.
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


@dataclass(frozen=True)
class Certificate:
    """A server's certificate: the names it holds and when it ends (ISO 8601, UTC)."""

    names: tuple[str, ...]
    ends: str


@dataclass(frozen=True)
class DoorFacts:
    """The way to the store.

    Attributes:
        endpoint: The URL that was tried.
        reached: Whether anything answers there.
        certificate: What TLS said; None where the endpoint is plain http.
    """

    endpoint: str
    reached: Tried
    certificate: Answer[Certificate] | None

    @property
    def open(self) -> bool:
        """Whether there is any use in asking more."""
        return self.reached.ok and (self.certificate is None or self.certificate.ok)


@dataclass(frozen=True)
class StoreFacts:
    """What concerns no single bucket.

    Attributes:
        bucket_names: The buckets that the verifier sees.
        default_keys: A request with the vendor's well-known default pair; None where there is none.
        admin: By identity: a call of the IAM or admin API.
    """

    bucket_names: Answer[tuple[str, ...]]
    default_keys: Tried | None
    admin: Mapping[str, Tried]


@dataclass(frozen=True)
class Facts:
    """All facts of a run.

    Attributes:
        run_id: Of this run; objects were under `.verify/<run id>/`.
        taken_at: When it began (ISO 8601, UTC).
        door: The way to the store; where it is shut nothing else was tried.
        buckets: By bucket name.
        grants: By identity, bucket name and action: what the server answered.
        store: What concerns no single bucket; None where it was not asked for.
        requests: Requests sent by the suite's own clients.
        gave_up: Why asking stopped early; empty where it did not.
    """

    run_id: str
    taken_at: str
    door: DoorFacts
    buckets: Mapping[str, BucketFacts] = field(default_factory=dict)
    grants: Mapping[str, Mapping[str, Mapping[str, Tried]]] = field(default_factory=dict)
    store: StoreFacts | None = None
    requests: int = 0
    gave_up: str = ""
