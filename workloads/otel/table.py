"""The table of events: what it must have, and the SELECTs over it.

The rule: a row belongs to the UTC day of `timestamp`, and of one id the newest `received_at` counts. What is asked is
the same for `ReplacingMergeTree` and for plain `MergeTree`, where `FINAL` is refused.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from workloads.otel.clickhouse import Address, ClickHouse, ClickHouseError, CutError, columns_text, quoted
from workloads.otel.span import DAY, DIGITS_MAXIMUM, SECOND, Slice, Span, day_of
from workloads.otel.tally import BUCKETS, Tally

_NEEDED: Final[Mapping[str, re.Pattern[str]]] = {
    "id": re.compile(r"(LowCardinality\()?(String|FixedString\(\d+\))\)?"),
    "timestamp": re.compile(r"DateTime(64\(\d.*|\(.*)?"),
    "received_at": re.compile(r"DateTime(64\(\d.*|\(.*)?"),
}
_MICRO: Final = 6
_DIGITS: Final = re.compile(r"DateTime64\((\d)")
_TEXT: Final = re.compile(r"'(?:[^'\\]|\\.)*'|`(timestamp|received_at|date)`|`(?:[^`\\]|\\.)*`")
"""A text or a quoted name, which may hold any word; the names of times in it are of interest."""
_RULES: Final = re.compile(r"\bTTL\s+(.*?)(?:\s+SETTINGS\s.*)?$", re.DOTALL)
_KEEPS: Final = re.compile(r"\b(?:TO (?:DISK|VOLUME)|RECOMPRESS)\b")
_BY_TIME: Final = re.compile(r"\b(?:timestamp|received_at|date)\b")
_INTERVAL: Final = re.compile(
    r"toInterval(Second|Minute|Hour|Day|Week|Month|Quarter|Year)\((\d+)\)|"
    r"INTERVAL\s+(?P<number>\d+)\s+(?P<unit>SECOND|MINUTE|HOUR|DAY|WEEK|MONTH|QUARTER|YEAR)",
    re.IGNORECASE,
)
_COMPARABLE: Final = re.compile(
    r"(?:LowCardinality\(|Nullable\()*(?:String|FixedString|U?Int\d|Float|Decimal|Bool|Date|Enum|UUID|IPv).*"
)
"""Types that ClickHouse sorts by; not each version does so by others."""
_TICK: Final = "toUnixTimestamp64Nano(toDateTime64(`timestamp`, 9, 'UTC'))"
_DAYS_OF: Final = {
    "second": 1 / 86_400,
    "minute": 1 / 1440,
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month": 28.0,
    "quarter": 90.0,
    "year": 365.0,
}
"""The shortest of each."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: Its name.
        type: Its type, as ClickHouse writes it.
    """

    name: str
    type: str


@dataclass(frozen=True)
class Table:
    """The table, as the server describes it.

    Attributes:
        address: The server.
        columns: What a SELECT of all gives.
        ttl_days: After how many days the server may begin to remove rows; None for never.
        has_ttl: Whether it removes rows, or values of a column, by any rule.
    """

    address: Address
    columns: Sequence[Column]
    ttl_days: float | None
    has_ttl: bool

    @property
    def name(self) -> str:
        """Database and table in SQL."""
        return f"{quoted(self.address.database)}.{quoted(self.address.table)}"


@dataclass(frozen=True)
class Asked:
    """What a slice of the table holds.

    Attributes:
        tally: The ids.
        first: Its earliest `timestamp`, in nanoseconds since 1970; None without a row.
        last: Its latest.
    """

    tally: Tally
    first: int | None
    last: int | None


def described(server: ClickHouse) -> Table:
    """Ask what the table is.

    Raises:
        ClickHouseError: It is none, or lacks what the archive needs.
    """
    address = server.address
    name = {"database": address.database, "table": address.table}
    where = "database = {database:String} AND table = {table:String}"
    columns = server.rows(
        f"SELECT name, type FROM system.columns WHERE {where} "  # noqa: S608 - the names are parameters
        "AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') ORDER BY position",
        name,
    )
    tables = server.rows(
        "SELECT engine_full, create_table_query FROM system.tables "
        "WHERE database = {database:String} AND name = {table:String}",
        name,
    )
    if not tables or not columns:
        raise ClickHouseError(
            f"{address.url}: there is no table {address.name}, or its user may not see it: set otel.database and "
            "otel.table",
            60,
        )
    with _expected(server):
        types = {str(column): str(type_) for column, type_ in columns}
        engine, created = (_TEXT.sub(r" \1 ", str(one)) for one in tables[0])
    wrong = [
        f"{column} ({types.get(column, 'missing')})"
        for column, form in _NEEDED.items()
        if not form.fullmatch(types.get(column, ""))
    ]
    if wrong:
        raise ClickHouseError(
            f"{address.url}: {address.name} is not the table of events: {', '.join(wrong)}; it needs id String, "
            "timestamp and received_at DateTime64"
        )
    return Table(
        address,
        tuple(Column(column, type_) for column, type_ in types.items()),
        _ttl_of(engine),
        re.search(r"\bTTL\b", created) is not None,
    )


def _ttl_of(engine: str) -> float | None:
    """Of all rules that remove rows, the one that does so first; not what moves them, nor what empties a column."""
    found = _RULES.search(engine)
    if found is None:
        return None
    rules = [rule for rule in _top_level(found[1]) if _BY_TIME.search(rule) and not _KEEPS.search(rule)]
    intervals = [one for rule in rules for one in [_INTERVAL.search(rule)] if one is not None]
    return min(
        (int(one[2] or one["number"]) * _DAYS_OF[(one[1] or one["unit"]).lower()] for one in intervals), default=None
    )


def _top_level(text: str) -> list[str]:
    """The parts between commas that are in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def days_in(server: ClickHouse, table: Table) -> dict[date, int]:
    """How many rows each UTC day of the table has, duplicates counted."""
    # toStartOfDay has 32 bits, and shows an event of 1969 or of 2107 on another day.
    number = f"toInt64(floor(toUnixTimestamp64Milli(toDateTime64(`timestamp`, 3, 'UTC')) / {DAY // 10**6}))"
    sql = f"SELECT {number} AS day, count() FROM {table.name} GROUP BY day"  # noqa: S608 - quoted
    with _expected(server):
        return {
            day_of(day * DAY): count for day, count in sorted((int(one), int(rows)) for one, rows in server.rows(sql))
        }


@contextmanager
def _expected(server: ClickHouse) -> Iterator[None]:
    """An answer that is JSON, and not what was asked for, is that of another server, or of a proxy."""
    try:
        yield
    except (ValueError, TypeError, IndexError, OverflowError):
        raise CutError(f"{server.address.url}: the answer has other values than were asked for") from None


def rows_of(server: ClickHouse, table: Table, cut: datetime, part: Slice) -> int:
    """How many rows a slice has, duplicates counted."""
    with _expected(server):
        return int(server.rows(f"SELECT count() FROM {table.name} WHERE {_where(table, part, cut, None)}")[0][0])  # noqa: S608 - quoted


def ids_of(server: ClickHouse, table: Table, cut: datetime, part: Slice, each: int) -> list[str]:
    """One of so many ids of a slice, in hex and in their order, each as often as it has rows."""
    chosen = f" AND sipHash64(`id`) % {each} = 0" if each > 1 else ""  # another hash than that of the buckets
    sql = f"SELECT lower(hex(`id`)) FROM {table.name} WHERE {_where(table, part, cut, None)}{chosen} ORDER BY `id`"  # noqa: S608 - quoted
    with _expected(server):
        return [bytes.fromhex(name).hex() for (name,) in server.rows(sql)]


def ask(server: ClickHouse, table: Table, cut: datetime, part: Slice, buckets: Collection[int] | None = None) -> Asked:
    """Ask for the ids of a slice, or of some of its buckets.

    Args:
        server: The server.
        table: The table.
        cut: Rows that were received later do not count yet.
        part: The slice.
        buckets: The buckets; None for all.
    """
    # Sorted by id, as the table is, the rows are read in order; a GROUP BY of the ids takes more than twice the time.
    sql = (
        f"SELECT bucket, count(), toString(sum(version)), min({_TICK}), max({_TICK}) FROM ("  # noqa: S608 - quoted
        f"SELECT {_BUCKET} AS bucket, `timestamp`, "
        f"sipHash64(`id`, {_version_of(table)}) AS version "
        f"FROM {table.name} WHERE {_where(table, part, cut, buckets)} "
        "ORDER BY `id`, `received_at` DESC LIMIT 1 BY `id`) "
        "GROUP BY bucket"
    )
    rows = server.rows(sql)
    with _expected(server):
        held = {int(row[0]): (int(row[1]), f"{int(row[2]):016x}") for row in rows}
        if any(not 0 <= bucket < BUCKETS or count < 1 for bucket, (count, _) in held.items()):
            raise ValueError
        return Asked(
            Tally(dict(sorted(held.items()))),
            min((int(row[3]) for row in rows), default=None),
            max((int(row[4]) for row in rows), default=None),
        )


def _version_of(table: Table) -> str:
    """`received_at` as a number. Commits have it in microseconds, if no version of a row can differ by less."""
    unit, digits = ("Nano", 9) if _digits_of(table, "received_at") > _MICRO else ("Micro", 6)
    return f"toUnixTimestamp64{unit}(toDateTime64(`received_at`, {digits}, 'UTC'))"


def export_of(table: Table, cut: datetime, part: Slice, buckets: Collection[int] | None = None) -> str:
    """The SELECT whose answer is a part: one line for each id, sorted by it, so that the same rows give the same bytes.

    Of rows with one id and the same newest `received_at`, the one with the latest `timestamp` counts, and then the
    greatest by the other columns: never the one that happens to be read first.

    Args:
        table: The table.
        cut: As of `ask`.
        part: The slice.
        buckets: As of `ask`.
    """
    columns = columns_text([one.name for one in table.columns])
    others = [one.name for one in table.columns if one.name not in _NEEDED and _COMPARABLE.fullmatch(one.type)]
    order = ", ".join(f"{quoted(name)} DESC" for name in ("received_at", "timestamp", *others))
    return (
        f"SELECT {columns} FROM {table.name} WHERE {_where(table, part, cut, buckets)} "  # noqa: S608 - quoted
        f"ORDER BY `id`, {order} LIMIT 1 BY `id` FORMAT JSONEachRow"
    )


def any_within(server: ClickHouse, table: Table, span: Span) -> bool:
    """Whether the table has a row of a span of time."""
    sql = f"SELECT 1 FROM {table.name} WHERE {_between(table, span)} LIMIT 1"  # noqa: S608 - quoted
    return bool(server.rows(sql))


def waiting(server: ClickHouse, table: Table, cut: datetime, last: date) -> int:
    """How many rows until a day were received after the cut, by the clock of who wrote them."""
    end = datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=1)
    sql = (
        f"SELECT count() FROM {table.name} WHERE `timestamp` < {_literal(table, 'timestamp', _nanoseconds(end))} "  # noqa: S608 - quoted
        f"AND `received_at` > {_literal(table, 'received_at', _nanoseconds(cut))}"
    )
    with _expected(server):
        return int(server.rows(sql)[0][0])


_BUCKET: Final = f"cityHash64(`id`) % {BUCKETS}"


def _where(table: Table, part: Slice, cut: datetime, buckets: Collection[int] | None) -> str:
    terms = [_between(table, part.span), f"`received_at` <= {_literal(table, 'received_at', _nanoseconds(cut))}"]
    if part.low:
        terms.append(f"`id` >= unhex('{part.low}')")
    if part.high:
        terms.append(f"`id` < unhex('{part.high}')")
    if buckets is not None:
        terms.append(f"{_BUCKET} IN ({', '.join(map(str, sorted(buckets)))})")
    return " AND ".join(terms)


def _between(table: Table, span: Span) -> str:
    unit = _unit_of(table, "timestamp")
    first, end = (-(-moment // unit) * unit for moment in (span.first, span.end))
    return f"`timestamp` >= {_literal(table, 'timestamp', first)} AND `timestamp` < {_literal(table, 'timestamp', end)}"


def _nanoseconds(when: datetime) -> int:
    return round((when - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def _digits_of(table: Table, column: str) -> int:
    """How many digits after the second a column of times has."""
    found = _DIGITS.match(next(one.type for one in table.columns if one.name == column))
    return int(found[1]) if found is not None else 0


def _unit_of(table: Table, column: str) -> int:
    return int(10 ** (DIGITS_MAXIMUM - _digits_of(table, column)))


def _literal(table: Table, column: str, moment: int) -> str:
    """The last moment of a column that is not after this one.

    It has the column's digits. A server that compares it with more of them fails at each row of the year 2263 or later.
    """
    digits = _digits_of(table, column)
    seconds, rest = divmod(moment, SECOND)
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    fraction = f".{rest:09}"[: digits + 1] if digits else ""
    return f"toDateTime64('{when:%Y-%m-%d %H:%M:%S}{fraction}', {digits}, 'UTC')"
