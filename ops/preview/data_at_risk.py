"""Data at risk: how much data of a live bucket new lifecycle rules would expire, at once and within 30 days.

The rule: it counts by the new rules alone, because the question is what would be eligible to expire. Beside that, it
counts how much of the same data the present rules would expire within the same 30 days. Objects under `.verify/` are
the verifier's probes and not data; delete markers are not data either. Reading is paged and bounded, and an incomplete
count says "at least".

Eligible does not mean removed. With versioning, an expired current version gets a delete marker and becomes a
noncurrent version, which the rule for noncurrent versions then removes; this second step is not predicted. With object
lock, a noncurrent version also stays until its retention ends, which is not read here. Transitions lose no data and are
left out.
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
_REMEDY = "run `pulumi up` with the deployed revision, then try again"
_BAD_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"})


class DataNotReadError(Exception):
    """A bucket could not be read, so its data at risk is unknown; the message says what to do."""


@dataclass(frozen=True)
class Question:
    """A bucket whose expiry is introduced or shortened, or that would be deleted or replaced.

    Attributes:
        domain: The bucket's domain.
        bucket: Its name on the server.
        rules: Its lifecycle rules as they would be.
        before: Its lifecycle rules as they are.
        removed: The bucket itself would be removed: everything in it counts as eligible at once.
    """

    domain: str
    bucket: str
    rules: tuple[LifecycleRule, ...]
    before: tuple[LifecycleRule, ...]
    removed: bool = False


@dataclass(frozen=True)
class Tally:
    """A count of objects or versions.

    Attributes:
        objects: How many.
        size_bytes: Their total size.
        oldest: The earliest modification time; None for no objects.
        newest: The latest modification time; None for no objects.
    """

    objects: int = 0
    size_bytes: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None

    def plus(self, size_bytes: int, modified: datetime) -> "Tally":
        """This tally with one more object."""
        return Tally(
            self.objects + 1,
            self.size_bytes + size_bytes,
            modified if self.oldest is None else min(self.oldest, modified),
            modified if self.newest is None else max(self.newest, modified),
        )


@dataclass(frozen=True)
class Eligible:
    """What may expire, and how soon.

    Attributes:
        at_once: What may expire as soon as the rules are in place.
        within_30_days: What may expire within 30 days; it includes `at_once`.
        anyway: The part of `within_30_days` that the present rules would expire by then too.
    """

    at_once: Tally = Tally()
    within_30_days: Tally = Tally()
    anyway: Tally = Tally()

    def plus(self, one: "_Version", goes: datetime | None, went: datetime | None, now: datetime) -> Self:
        """With one more version, which expires at `goes`, and at `went` under the present rules."""
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
        domain: The bucket's domain.
        bucket: Its name on the server.
        removed: The bucket itself would be removed.
        exists: The bucket exists; otherwise it holds no data.
        current: The current versions; without versioning, all objects.
        noncurrent: The noncurrent versions.
        read_keys: Number of entries read: versions, delete markers and the verifier's probes.
        complete: The bucket was read to its end; otherwise each number is a lower bound.
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
        """One sentence, or two if the bucket has noncurrent versions."""
        if not self.exists:
            return (f"{self.domain}: the bucket {self.bucket} does not exist yet, so no data is at risk",)
        parts = [
            self._sentence(eligible, noun)
            for eligible, noun in ((self.current, "object"), (self.noncurrent, "noncurrent version"))
            if eligible.within_30_days.objects
        ]
        return tuple(f"{self.domain}: {part}{self._reach()}" for part in parts or [self._nothing()])

    def _nothing(self) -> str:
        if self.removed:
            return (
                "the bucket would be removed; it holds no data"
                if self.complete
                else "the bucket would be removed; the part that was read holds no data"
            )
        return f"{self._none()} would be eligible to expire within 30 days"

    def _none(self) -> str:
        return "nothing" if self.complete else "nothing that was read"

    def _sentence(self, eligible: Eligible, noun: str) -> str:
        least = "" if self.complete else "at least "
        soon = eligible.within_30_days
        said = f"{least}{_counted(soon, noun)} would be removed with the bucket"
        if not self.removed:
            at_once, plain = self._none(), _counted(soon, noun)
            if eligible.at_once.objects:
                at_once, plain = f"{least}{_counted(eligible.at_once, noun)}", _counted(soon)
            said = f"{at_once} would be eligible to expire at once, {least}{plain} within 30 days"
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
    """A version or a delete marker, as the listing returns it."""

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
    """Read a live bucket and count what the rules would expire.

    Args:
        client: The client of an identity that may list the bucket and its versions (`ops.read_identity`).
        question: The bucket and the rules.
        now: The moment to count from, with a time zone.
        max_keys: Read at most this many entries: versions, delete markers and probes.
        progress: Called after each page with the number of entries read so far.

    Raises:
        DataNotReadError: The server refuses the request, or does not answer.
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
            f"{question.domain}: cannot read the bucket {question.bucket}: no usable answer from "
            f"{client.meta.endpoint_url} ({type(error).__name__}); check that this machine can reach it and trusts its "
            "certificate, or omit --data-at-risk"
        ) from None
    return answer


def _pages(client: "S3Client", bucket: str, max_keys: int) -> "Iterator[tuple[ListObjectVersionsOutputTypeDef, bool]]":
    """The pages of the bucket's listing, each with whether it is the last one."""
    read, start = 0, dict[str, Any]()
    while read < max_keys:
        page = client.list_object_versions(Bucket=bucket, MaxKeys=min(PAGE_KEYS, max_keys - read), **start)
        if "IsTruncated" not in page:  # boto3 takes an error with a status of success for a page without entries
            raise DataNotReadError(
                f"the bucket {bucket} cannot be listed: the answer is not a listing; list it with an S3 client to see "
                "the server's error, or omit --data-at-risk"
            )
        read += len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))
        yield page, not page["IsTruncated"]
        following = {"KeyMarker": page.get("NextKeyMarker"), "VersionIdMarker": page.get("NextVersionIdMarker")}
        following = {name: value for name, value in following.items() if value}
        if not page["IsTruncated"] or following == start:  # stop if the server returns the same markers again
            return
        start = following


def _listed(page: "ListObjectVersionsOutputTypeDef") -> list[_Version]:
    """A page's entries, grouped by key, the newest version first."""
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
    """Each entry with the time of its successor; without a listed successor, its own time."""
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
    """What to do, by the server's error code; the server's message may quote the request."""
    code = error.response["Error"]["Code"]
    said = f"{question.domain}: cannot read the bucket {question.bucket}: {code}; "
    if code in _BAD_KEYS:
        return f"{said}the server refuses the key pair that the stack published; {_REMEDY}"
    if code in ("AccessDenied", "403"):
        return f"{said}the identity that reads does not have the planned policy; {_REMEDY}"
    return f"{said}try again, or omit --data-at-risk"


def grouped(count: int) -> str:
    """A number with a space between thousands: 1 204."""
    return f"{count:,}".replace(",", " ")


def sized(size_bytes: int) -> str:
    """A size in a fitting unit, in steps of 1000: 3.1 GB."""
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
