"""Made-up events with ground truth: for tests and benchmarks of what exports them.

The rule: a seed and a first day give the same events each time, and the truth comes from here, not from a table: of the
rows with one id, the one that was received last counts. A string holds bytes that are no UTF-8 as Python's
`surrogateescape` does. The time of an event has milliseconds, as a text like `2026-10-31T23:59:59.999Z`.
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.clickhouse.running import RunningClickHouse

#: Columns of another type, for tables that have them: the ends of what 64 bits hold.
EXTREMES = {"sequence": "UInt64", "shift": "Int64"}
_DAY_MS = 86_400_000
_LONGEST_LAG = 5 * _DAY_MS
_SOURCES = ("worker", "gateway", "cli")
_COMPONENTS = ("agent-loop", "inngest", "memory", "typesense", "vault-sync")
_LEVELS = ("debug", "info", "warn", "error", "fatal")
_DUPLICATES = 200  # one of so many ids comes twice
_ODD: tuple[str, ...] = (
    "line\nline\r\nline\u2028line",
    "NUL \0 and \x01\x1f\x7f",
    "quotes \" ' ` and \\ and \\n and /",
    "tab\tsemicolon; {braces} %s {a:String}",
    "emoji 🦞, e\u0301 and \u00e9, שלום, 日本語",
    "\udced\udca0\udc80 and \udcff",  # a lone surrogate in UTF-8, and a byte that UTF-8 never has
    '{"exception": "Code: 395. DB::Exception: only a text"}',
    "__exception__\r\nCode: 241. only a text",
    "",
)
#: What JSON.stringify makes of half a character.
_LONE = '{"half": "\\ud83e"}'

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Events:
    """Rows as they were inserted, duplicates included.

    Attributes:
        rows: In the order of their insertion; each has all columns.
    """

    rows: Sequence[Row]

    def lines(self) -> Iterator[bytes]:
        """What an INSERT in JSONEachRow takes, if `date_time_input_format` is `best_effort`."""
        for row in self.rows:
            yield f"{json.dumps(row, ensure_ascii=False)}\n".encode("utf-8", "surrogateescape")

    def days(self) -> Sequence[str]:
        """The days that have events, by UTC, in order."""
        return sorted({row["date"] for row in self.rows})

    def of_day(self, day: str) -> Mapping[str, Row]:
        """The rows of a day by id, each as it was received last in that day's rows."""
        return newest(row for row in self.rows if row["date"] == day)

    def __add__(self, more: "Events") -> "Events":
        """Further rows, inserted later."""
        return Events((*self.rows, *more.rows))


def insert(server: "RunningClickHouse", table: str, events: Events) -> None:
    """Insert rows; their instants do not depend on the time zone of the server or of the table."""
    server.ask(
        f"INSERT INTO {table} FORMAT JSONEachRow", b"".join(events.lines()), date_time_input_format="best_effort"
    )


def newest(rows: Iterable[Row]) -> Mapping[str, Row]:
    """By id the row that was received last."""
    held: dict[str, Row] = {}
    for row in rows:
        before = held.get(row["id"])
        if before is None or row["received_at"] > before["received_at"]:
            held[row["id"]] = row
    return held


def three_days(
    first: date, *, rows: int = 700, seed: int = 27, longest: int = 65_536, has_extremes: bool = False
) -> Events:
    """Three days of events: late ones, duplicates, all edges of days, hours and minutes, and odd texts.

    Args:
        first: The first day.
        rows: How many ids a day has beside the edges and the odd ones.
        seed: Of the random choices.
        longest: The length of the longest text, in characters.
        has_extremes: Whether rows also have the columns of `EXTREMES`.
    """
    chance = random.Random(seed)  # noqa: S311 - test data
    made: list[Row] = []
    for day in (first + timedelta(days=number) for number in range(3)):
        start = _start(day)
        moments = [start + chance.randrange(_DAY_MS) for _ in range(rows)]
        events = [_event(chance, moment) for moment in (*moments, *_edges(start))]
        for text in (*_ODD, _LONE, "x" * longest):
            odd = _event(chance, start + chance.randrange(_DAY_MS))
            named = text if text == _LONE else json.dumps({"text": text}, ensure_ascii=False)
            events.append({**odd, "metadata_json": named, "error": text, "search_text": f"{odd['action']} {text}"})
        events += [_again(chance, event) for event in events if chance.randrange(_DUPLICATES) == 0]
        events += [_again(chance, events[0]), _again(chance, events[0])]  # at least one, and it comes three times
        chance.shuffle(events)
        made += events
    if has_extremes:
        ends = ((2**64 - 1, -(2**63)), (0, 2**63 - 1), (2**53 + 1, -(2**53) - 1))
        made = [
            {**row, "sequence": ends[number % 3][0], "shift": ends[number % 3][1]} for number, row in enumerate(made)
        ]
    return Events(tuple(made))


def late(day: date, received: datetime, rows: int, *, seed: int = 27) -> Events:
    """Further events of a day that all have one time of receipt, as those of an outbox that is drained."""
    chance = random.Random(f"late {seed}")  # noqa: S311 - test data
    made = [_event(chance, _start(day) + chance.randrange(_DAY_MS)) for _ in range(rows)]
    return Events(tuple({**row, "received_at": _text(int(received.timestamp() * 1000))} for row in made))


def document(row: Row) -> Mapping[str, Any]:
    """The event as Typesense has it: without a time of receipt, and with the time as a number of milliseconds."""
    left = ("received_at", "duration_ms", "sessionId", "systemId", *EXTREMES)
    kept = {name: value for name, value in row.items() if name not in left}
    optional = {name: row[name] for name in left[1:4] if row[name] is not None}
    milliseconds = _milliseconds(row["timestamp"])
    return {**kept, **optional, "timestamp": milliseconds, "date": row["timestamp"], "success": row["success"] == 1}


def storm_sql(table: str, day: date, rows: int) -> Sequence[str]:
    """The statements that insert a storm day: a number of ids, and one of 200 again, received a minute later.

    Of the rows, 99.78 % are of one component, nine of ten in two hours, and one of a hundred in the same millisecond.
    """
    columns = {
        "id": "lpad(lower(hex(number * 11400714819323198485)), 16, '0')",
        "timestamp": f"fromUnixTimestamp64Milli(toInt64({_start(day)} + multiIf(number % 10 = 0,"
        " (number * 7919000) % 86400000, number % 100 = 1, 73800000, 72000000 + (number * 13) % 7200000)), 'UTC')",
        "date": "toDate(timestamp)",
        "sessionId": "NULL",
        "systemId": "'panda'",
        "level": "if(number % 10000 < 22, 'info', 'error')",
        "source": "'worker'",
        "component": "if(number % 10000 < 22, 'inngest', 'redis-channel')",
        "action": "if(number % 10000 < 22, 'step.completed', 'redis.subscriber.error')",
        "success": "number % 10000 < 22",
        "duration_ms": "NULL",
        "error": "if(number % 10000 < 22, '', concat('connect ECONNREFUSED 127.0.0.1:6379', again))",
        "metadata_json": """concat('{"channel":"c', toString(number % 7), '","attempt":', toString(number), '}')""",
        "metadata_keys": "['channel', 'attempt']",
        "search_text": "concat(source, ' ', component, ' ', action)",
        "received_at": "timestamp + toIntervalMillisecond(number % 4000) + toIntervalSecond(if(again = '', 0, 60))",
    }
    shown = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return [
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {shown} FROM (SELECT number, '{again}' AS again"  # noqa: S608 - of this module
        f" FROM numbers({rows}) WHERE number % {step} = 0)"
        for again, step in (("", 1), (" again", _DUPLICATES))
    ]


def storm_row(day: date, number: int) -> Row:
    """What counts of a number of a storm day."""
    is_other = number % 10_000 < 22  # noqa: PLR2004 - 0.22 %
    again = number % _DUPLICATES == 0
    if number % 10 == 0:
        of_day = number * 7_919_000 % _DAY_MS
    else:
        of_day = 73_800_000 if number % 100 == 1 else 72_000_000 + number * 13 % 7_200_000
    moment = _start(day) + of_day
    component, action = ("inngest", "step.completed") if is_other else ("redis-channel", "redis.subscriber.error")
    refused = f"connect ECONNREFUSED 127.0.0.1:6379{' again' if again else ''}"
    return {
        "id": f"{number * 11400714819323198485 % 2**64:016x}",
        "timestamp": _text(moment),
        "date": day.isoformat(),
        "sessionId": None,
        "systemId": "panda",
        "level": "info" if is_other else "error",
        "source": "worker",
        "component": component,
        "action": action,
        "success": int(is_other),
        "duration_ms": None,
        "error": "" if is_other else refused,
        "metadata_json": f'{{"channel":"c{number % 7}","attempt":{number}}}',
        "metadata_keys": ["channel", "attempt"],
        "search_text": f"worker {component} {action}",
        "received_at": _text(moment + number % 4000 + (60_000 if again else 0)),
    }


def digest_sql(table: str, day: date, *, columns: Iterable[str]) -> str:
    """The query for the number of ids of a day and a sum over what counts of them, in any order.

    It is the truth of a day that is too large for Python: it takes the newest row of each id in another way than by
    sorting. Two tables have equal answers exactly if they have equal rows, but for a chance of 1 in 2^64.
    """
    held = ", ".join(name for name in columns if name != "received_at")
    return (
        f"SELECT count(), sum(cityHash64(id, newest)) FROM (SELECT id, max((received_at, {held})) AS newest"  # noqa: S608 - names of a test
        f" FROM {table} WHERE toDate(timestamp, 'UTC') = '{day}' GROUP BY id) FORMAT TSV"
    )


def _event(chance: random.Random, moment: int) -> Row:
    source, component = chance.choice(_SOURCES), chance.choice(_COMPONENTS)
    action, level = f"{component}.{chance.choice(('started', 'completed', 'failed'))}", chance.choice(_LEVELS)
    is_good = level not in ("error", "fatal")
    metadata = {"attempt": chance.randrange(9), "path": f"/tmp/{chance.getrandbits(32):08x}"}  # noqa: S108 - a text
    error = "" if is_good else f"exit {chance.randrange(1, 128)}"
    return {
        "id": f"{chance.getrandbits(128):032x}",
        "timestamp": _text(moment),
        "date": _text(moment)[:10],
        "sessionId": chance.choice((None, f"session-{chance.randrange(40)}")),
        "systemId": chance.choice((None, "panda", "flagg")),
        "level": level,
        "source": source,
        "component": component,
        "action": action,
        "success": int(is_good),
        "duration_ms": chance.choice((None, 0, chance.randrange(60_000), 2**32 - 1)),
        "error": error,
        "metadata_json": json.dumps(metadata, separators=(",", ":")),
        "metadata_keys": list(metadata),
        "search_text": f"{source} {component} {action} {error}".strip(),
        "received_at": _text(moment + _lag(chance)),
    }


def _lag(chance: random.Random) -> int:
    """Milliseconds to the receipt: mostly under three seconds, for one of fifty days, and both ends."""
    return chance.choice(
        [0, *(chance.randrange(3000) for _ in range(97)), chance.randrange(_LONGEST_LAG), _LONGEST_LAG]
    )


def _again(chance: random.Random, row: Row) -> Row:
    """The same event, received at another time and with another text: only one of the two counts."""
    received = _milliseconds(row["timestamp"]) + chance.randrange(_LONGEST_LAG)
    return {**row, "received_at": _text(received), "error": f"{row['error']} sent again"}


def _edges(start: int) -> Iterator[int]:
    """The first and the last millisecond of the day and of each hour, and those about some minutes."""
    for hour in range(24):
        yield start + hour * 3_600_000
        yield start + (hour + 1) * 3_600_000 - 1
    for minute in (1, 59, 720, 1439):
        yield start + minute * 60_000
        yield start + minute * 60_000 - 1


def _start(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _text(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
