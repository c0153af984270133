"""Facts: what was read of each bucket and tried in it, once, and nothing judged.

The rule: an answer is either a value or the code of the error that came instead; a fact is never missing because
something raised. Judging is `verify.checks`'s, writing and removing probes is `verify.probes`'s.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from infra.plan import LifecycleRule

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


@dataclass(frozen=True)
class LiveRule:
    """A lifecycle rule as the server has it.

    Attributes:
        rule: What of it the plan has words for.
        enabled: Whether its status is Enabled.
        beyond: Anything in it that the plan has no words for, as text; empty where there is nothing.
    """

    rule: LifecycleRule
    enabled: bool = True
    beyond: str = ""


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
    """

    identity: str
    sent: Described
    uploaded: Answer[Described]
    headed: Answer[Described]
    downloaded: Answer[Described]
    listed: Answer[Described | None]
    presigned: Answer[Described]
    deleted: Answer[bool] | None


@dataclass(frozen=True)
class BucketFacts:
    """All facts of one bucket.

    Attributes:
        location: Its region, as GetBucketLocation has it.
        versioning: Enabled, Suspended or Off.
        rules: Its lifecycle rules; empty where there are none.
        retention: Its Object Lock configuration.
        probe: The smoke object.
        left: Versions and delete markers under this run's prefix after the removal.
    """

    location: Answer[str]
    versioning: Answer[str]
    rules: Answer[tuple[LiveRule, ...]]
    retention: Answer[LiveRetention]
    probe: ProbeFacts
    left: Answer[int]


@dataclass(frozen=True)
class Facts:
    """All facts of a run, by bucket name."""

    run_id: str
    buckets: dict[str, BucketFacts] = field(default_factory=dict)
