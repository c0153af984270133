"""Data at risk: how much of a live bucket new lifecycle rules would let go, at once and within 30 days.

The rule: it counts by the rules as they would be, whatever the present ones say, since the question is what would be
eligible; how much of it the present rules would take within the same 30 days is counted beside it. Objects under
`.verify/` are the verifier's probes and no data, and a delete marker is none either. Reading is paged and bounded, and
a count that is not complete says "at least".

Eligible is not gone. With versions, an expired current version gets a delete marker and becomes a noncurrent version,
which the rule for those then removes; that second step is not counted ahead. With object lock, a noncurrent version
also waits until its retention ends, which is not read here. Transitions lose nothing and are left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from model.lifecycle import current_goes_at, noncurrent_goes_at
from model.plan import PROBE_PREFIX, LifecycleRule

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef

PAGE_KEYS = 1000
SOON = timedelta(days=30)
_THOUSAND = 1000
_UNITS = ("kB", "MB", "GB", "TB", "PB")
_REMEDY = "run `pulumi up` of the revision that is deployed, then try again"
_BAD_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"})


class DataNotReadError(Exception):
    """A bucket could not be read, so nothing is known of what is at risk in it; the message says what to do."""


@dataclass(frozen=True)
class Question:
    """A bucket whose expiry is introduced or shortened, or that would be deleted or replaced.

    Attributes:
        domain: What the bucket is for.
        bucket: Its name on the server.
        rules: Its lifecycle rules as they would be.
        before: Its lifecycle rules as they are.
        removed: The bucket itself would go: everything in it counts as eligible at once.
    """

    domain: str
    bucket: str
    rules: tuple[LifecycleRule, ...]
    before: tuple[LifecycleRule, ...]
    removed: bool = False


@dataclass(frozen=True)
class Tally:
    """Some objects or versions together.

    Attributes:
        objects: How many.
        size_bytes: Their size together.
        oldest: When the first of them was last modified; None where there is none.
        newest: When the last of them was.
    """

    objects: int = 0
    size_bytes: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None

    def plus(self, size_bytes: int, modified: datetime) -> "Tally":
        """With one more."""
        return Tally(
            self.objects + 1,
            self.size_bytes + size_bytes,
            modified if self.oldest is None else min(self.oldest, modified),
            modified if self.newest is None else max(self.newest, modified),
        )


@dataclass(frozen=True)
class Eligible:
    """What may go, and how soon.

    Attributes:
        at_once: What may go as soon as the rules are in place.
        within_30_days: What may go until 30 days later; that at once is among it.
        anyway: What of `within_30_days` the present rules would let go by then too.
    """

    at_once: Tally = Tally()
    within_30_days: Tally = Tally()
    anyway: Tally = Tally()

    def plus(self, one: "_Version", goes: datetime | None, went: datetime | None, now: datetime) -> Self:
        """With a version that goes at a moment and would go at another under the present rules."""
        if goes is None or goes > now + SOON:
            return self
        return replace(
            self,
            at_once=self.at_once if goes > now else self.at_once.plus(one.size_bytes, one.modified),
            within_30_days=self.within_30_days.plus(one.size_bytes, one.modified),
            anyway=self.anyway if went is None or went > now + SOON else self.anyway.plus(one.size_bytes, one.modified),
        )


@dataclass(frozen=True)
class AtRisk:
    """The answer for one bucket.

    Attributes:
        domain: What the bucket is for.
        bucket: Its name on the server.
        removed: The bucket itself would go.
        exists: The bucket is there; one that is not holds no data.
        current: Of the current versions, which are all there are in a bucket without versions.
        noncurrent: Of the noncurrent versions.
        read_keys: Entries read: versions, delete markers and the verifier's probes.
        complete: The bucket was read to its end; else each number is a lower bound.
    """

    domain: str
    bucket: str
    removed: bool = False
    exists: bool = True
    current: Eligible = Eligible()
    noncurrent: Eligible = Eligible()
    read_keys: int = 0
    complete: bool = True

    def sentences(self) -> tuple[str, ...]:
        """Say it in one sentence, or in two where there are noncurrent versions."""
        if not self.exists:
            return (f"{self.domain}: the bucket {self.bucket} is not there yet, so nothing is at risk",)
        parts = [
            self._sentence(eligible, noun)
            for eligible, noun in ((self.current, "object"), (self.noncurrent, "noncurrent version"))
            if eligible.within_30_days.objects
        ]
        return tuple(f"{self.domain}: {part}{self._reach()}" for part in parts or [self._nothing()])

    def _nothing(self) -> str:
        if self.removed:
            return (
                "the bucket would go; it holds no data" if self.complete else "the bucket would go; no data seen in it"
            )
        return f"{self._none()} would be eligible within 30 days"

    def _none(self) -> str:
        return "nothing" if self.complete else "nothing of what was read"

    def _sentence(self, eligible: Eligible, noun: str) -> str:
        least = "" if self.complete else "at least "
        soon = eligible.within_30_days
        said = f"{least}{_counted(soon, noun)} would go with the bucket"
        if not self.removed:
            at_once, plain = self._none(), _counted(soon, noun)
            if eligible.at_once.objects:
                at_once, plain = f"{least}{_counted(eligible.at_once, noun)}", _counted(soon)
            said = f"{at_once} would be eligible at once, {least}{plain} within 30 days"
        said += f"; oldest {_day(soon.oldest)}, newest {_day(soon.newest)}"
        if eligible.anyway.objects and not self.removed:
            said += f"; under the present rules {least}{_counted(eligible.anyway)} within 30 days"
        return said

    def _reach(self) -> str:
        if self.complete:
            return ""
        return f" (read only the first {grouped(self.read_keys)} keys and versions: raise --max-keys)"


@dataclass(frozen=True)
class _Version:
    """A version, or a delete marker, as it is listed."""

    key: str
    modified: datetime
    current: bool
    size_bytes: int
    marker: bool


def at_risk(
    client: "S3Client",
    question: Question,
    *,
    now: datetime,
    max_keys: int,
    progress: Callable[[int], None] = lambda _read: None,
) -> AtRisk:
    """Read a live bucket and count what the rules would let go.

    Args:
        client: Of an identity that may list the bucket and its versions (`ops.read_identity`).
        question: The bucket and the rules.
        now: The moment to count from, with a time zone.
        max_keys: Read so many entries at most: versions, delete markers and probes.
        progress: Told after each page how many entries have been read.

    Raises:
        DataNotReadError: The server refuses, or does not answer.
    """
    answer = AtRisk(question.domain, question.bucket, question.removed, complete=False)
    seen: dict[str, datetime] = {}
    try:
        for page, last in _pages(client, question.bucket, max_keys):
            versions = _listed(page)
            for one, successor in _with_successors(versions, seen):
                answer = _counting(answer, question, one, successor, now)
            # The first version of a page may have its successor at the end of the page before.
            seen = {one.key: one.modified for one in versions}
            answer = replace(answer, read_keys=answer.read_keys + len(versions), complete=last)
            progress(answer.read_keys)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return AtRisk(question.domain, question.bucket, question.removed, exists=False)
        raise DataNotReadError(_refused(question, error)) from None
    except BotoCoreError as error:
        raise DataNotReadError(
            f"{question.domain}: the bucket {question.bucket} could not be read: nothing usable answers at "
            f"{client.meta.endpoint_url} ({type(error).__name__}); check that this machine reaches it and trusts its "
            "certificate, or leave out --data-at-risk"
        ) from None
    return answer


def _pages(client: "S3Client", bucket: str, max_keys: int) -> "Iterator[tuple[ListObjectVersionsOutputTypeDef, bool]]":
    """The bucket's listing and, with each page, whether it is the last there is."""
    read, start = 0, dict[str, Any]()
    while read < max_keys:
        page = client.list_object_versions(Bucket=bucket, MaxKeys=min(PAGE_KEYS, max_keys - read), **start)
        read += len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))
        yield page, not page["IsTruncated"]
        following = {"KeyMarker": page.get("NextKeyMarker"), "VersionIdMarker": page.get("NextVersionIdMarker")}
        following = {name: value for name, value in following.items() if value}
        if not page["IsTruncated"] or following == start:  # a server that goes round in circles is not followed
            return
        start = following


def _listed(page: "ListObjectVersionsOutputTypeDef") -> list[_Version]:
    """A page's entries, the versions of a key together and the newest of them first."""
    versions = [
        _Version(one["Key"], one["LastModified"], one["IsLatest"], one["Size"], marker=False)
        for one in page.get("Versions", [])
    ]
    markers = [
        _Version(one["Key"], one["LastModified"], one["IsLatest"], 0, marker=True)
        for one in page.get("DeleteMarkers", [])
    ]
    return sorted([*versions, *markers], key=lambda one: (one.key, one.current, one.modified), reverse=True)


def _with_successors(versions: list[_Version], seen: dict[str, datetime]) -> Iterator[tuple[_Version, datetime]]:
    """Each entry, and when the one that took its place was written; where that is not listed, its own moment."""
    for one in versions:
        yield one, seen.get(one.key, one.modified)
        seen[one.key] = one.modified


def _counting(answer: AtRisk, question: Question, one: _Version, replaced: datetime, now: datetime) -> AtRisk:
    if one.marker or one.key.startswith(PROBE_PREFIX):
        return answer
    goes_at, moment = (current_goes_at, one.modified) if one.current else (noncurrent_goes_at, replaced)
    goes = now if question.removed else goes_at(question.rules, one.key, moment)
    went = goes_at(question.before, one.key, moment)
    if one.current:
        return replace(answer, current=answer.current.plus(one, goes, went, now))
    return replace(answer, noncurrent=answer.noncurrent.plus(one, goes, went, now))


def _refused(question: Question, error: ClientError) -> str:
    """What to do, by the server's code; its own message might quote what was sent."""
    code = error.response["Error"]["Code"]
    said = f"{question.domain}: the bucket {question.bucket} could not be read: {code}; "
    if code in _BAD_KEYS:
        return f"{said}the server does not know the key pair that the stack handed out; {_REMEDY}"
    if code in ("AccessDenied", "403"):
        return f"{said}the policy of the identity that reads is not the planned one; {_REMEDY}"
    return f"{said}try again, or leave out --data-at-risk"


def grouped(count: int) -> str:
    """A number with its thousands apart: 1 204."""
    return f"{count:,}".replace(",", " ")


def sized(size_bytes: int) -> str:
    """A size in the unit that fits, in steps of 1000: 3.1 GB."""
    if size_bytes < _THOUSAND:
        return f"{size_bytes} B"
    powers = range(1, len(_UNITS))
    power = next((one for one in powers if round(size_bytes / _THOUSAND**one, 1) < _THOUSAND), len(_UNITS))
    return f"{size_bytes / _THOUSAND**power:.1f} {_UNITS[power - 1]}"


def _counted(tally: Tally, noun: str = "") -> str:
    plural = "s" if noun and tally.objects != 1 else ""
    return f"{grouped(tally.objects)}{' ' if noun else ''}{noun}{plural} ({sized(tally.size_bytes)})"


def _day(moment: datetime | None) -> str:
    return "unknown" if moment is None else f"{moment:%Y-%m-%d}"
