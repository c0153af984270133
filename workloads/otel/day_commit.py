"""The commit of an event day: the one object that makes parts count, and the keys of both. Pure.

The rule: a day has one commit for each slice that was exported, and any number of later ones; none replaces another.
The day and the number of a commit are in its key and in itself, so a copy under another name shows.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.problems import InvalidInputError, Problem
from workloads.archive.commit import SEQUENCE_MAXIMUM, Stored, Time
from workloads.otel.span import Slice, Span, span_of
from workloads.otel.tally import BUCKETS, Tally, Written

PREFIX: Final = "v1/"
PART_SUFFIX: Final = ".ndjson.gz"
_COMMIT: Final = re.compile(r"v1/date=(\d{4}-\d{2}-\d{2})/commit-(\d{6,10})\.json")
_Id = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]
Origin = Literal["clickhouse", "typesense"]


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Part(_Written):
    """A part: a gzip of lines of JSON, sorted by id.

    Attributes:
        stored: The object as it was read back.
        rows: Its lines.
        plain_bytes: Bytes of the lines.
        plain_sha256: Of the lines.
    """

    stored: Stored
    rows: Annotated[int, Field(ge=1)]
    plain_bytes: Annotated[int, Field(ge=1)]
    plain_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DayCommit(_Written):
    """What one slice of a day held when it was exported.

    Attributes:
        version: Of this form.
        workload: `otel`.
        origin: Where the rows came from.
        table: Database and table, or collection.
        columns: Name and type of each column, in the order of the lines.
        day: The UTC day.
        sequence: Its number among the day's commits.
        run: The run's id.
        machine: The machine that exported.
        started_at: When the run began, by its clock.
        cut: Rows that were received later were left for the next run.
        first: The slice's first moment, in nanoseconds since 1970.
        end: The moment after it.
        low: The slice's first id, as bytes in hex; empty for all from the first.
        high: The id after its last; empty for all to the last.
        buckets: The buckets of ids that it is about; None for all.
        tally: By bucket, how many ids there were before and after the lines came, and their hash.
        earliest: The earliest `timestamp`, in nanoseconds since 1970; None without a row.
        latest: The latest.
        part: The part; None if there was no row.
        removed: How many ids the table's own TTL took away while they were read.
    """

    version: Literal[1] = 1
    workload: Literal["otel"] = "otel"
    origin: Origin = "clickhouse"
    table: str
    columns: tuple[tuple[str, str], ...]
    day: date
    sequence: Annotated[int, Field(ge=1, le=SEQUENCE_MAXIMUM)]
    run: str
    machine: str
    started_at: Time
    cut: Time
    first: int
    end: int
    low: _Id = ""
    high: _Id = ""
    buckets: tuple[Annotated[int, Field(ge=0, lt=BUCKETS)], ...] | None = None
    tally: Written
    earliest: int | None = None
    latest: int | None = None
    part: Part | None = None
    removed: int = 0

    @property
    def slice(self) -> Slice:
        """What it is about."""
        return Slice(Span(self.first, self.end), self.low, self.high)

    @property
    def key(self) -> str:
        """Where it belongs."""
        return commit_key(self.day, self.sequence)

    @property
    def covered(self) -> Sequence[int]:
        """The buckets that it is about."""
        return range(BUCKETS) if self.buckets is None else self.buckets

    @property
    def held(self) -> Tally:
        """What it stored."""
        return Tally(self.tally)

    def to_bytes(self) -> bytes:
        """Its JSON; the same for the same commit."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()


def day_prefix(day: date) -> str:
    """Where a day is."""
    return f"{PREFIX}date={day:%Y-%m-%d}/"


def commit_key(day: date, sequence: int) -> str:
    """The key of a commit."""
    return f"{day_prefix(day)}commit-{sequence:06}.json"


def part_key(part: Slice, sha256: str, number: int) -> str:
    """The key of a part; another number if the first is taken by other bytes."""
    again = "" if number == 1 else f".{number}"
    return f"{day_prefix(part.span.day)}{part.name}.{sha256[:12]}{again}{PART_SUFFIX}"


def place_of(key: str) -> tuple[date, int] | None:
    """Day and number of a commit's key; None if it is none."""
    found = _COMMIT.fullmatch(key)
    if found is None:
        return None
    try:
        return date.fromisoformat(found[1]), int(found[2])
    except ValueError:
        return None


def day_of(key: str) -> str:
    """The day of a part or a commit, as its key has it."""
    return key.removeprefix(f"{PREFIX}date=").partition("/")[0]


def read(body: bytes, key: str, sha256: str) -> DayCommit:
    """Read a commit.

    Args:
        body: Its bytes.
        key: Where it is.
        sha256: What was stored with it as its hash; empty if nothing was.

    Raises:
        InvalidInputError: It is not the commit of that place.
    """
    found = hashlib.sha256(body).hexdigest()
    wrong = f"has SHA-256 {found}, and {sha256 or 'none'} was stored with it" if found != sha256 else ""
    one = None
    try:
        one = DayCommit.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        wrong = wrong or f"is not a commit: {'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
    if one is not None and not wrong:
        day = span_of(one.day)
        if one.key != key:
            wrong = f"is a copy of {one.key}"
        elif not day.first <= one.first < one.end <= day.end or (one.high and one.low >= one.high):
            wrong = "is about a slice that is not in its day"
        elif (one.part.rows if one.part else 0) != one.held.ids and one.origin == "clickhouse":
            wrong = "counts other rows than ids"
    if wrong or one is None:
        raise InvalidInputError([Problem(key, wrong, "", "restore the object's version that was committed")])
    return one
